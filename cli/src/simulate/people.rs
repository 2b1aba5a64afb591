//! The people of a world: they launch machines, apply policies, and act. What EC2 refuses to them
//! is not done. What they did is recorded, because some promises end where a person acted.

use std::collections::BTreeMap;
use std::time::Duration;

use afterimage_cloud::Cloud;
use afterimage_cloud::deploy::Deployment;
use afterimage_cloud::model::{Model, Scope};
use afterimage_core::names::{TAG_ASK, TAG_POINT};
use afterimage_core::policy::file;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types as ec2;

use super::ledger_items;
use super::record::Record;
use super::world::{
    ACCOUNT, Alias, Change, Deed, Kind, Machine, Pick, Policy, REGIONS, Replica, SEAT, Trigger,
    World,
};
use crate::Failure;
use crate::failure::chain;
use crate::policy::apply;
use crate::system::{System, launch};

const KEYS: &str = "
Resources:
  Disks: {Type: AWS::KMS::Key}
  DisksAlias: {Type: AWS::KMS::Alias, Properties: {AliasName: alias/disks, TargetKeyId: !Ref Disks}}
  Copies: {Type: AWS::KMS::Key}
  CopiesAlias: {Type: AWS::KMS::Alias, Properties: {AliasName: alias/dr, TargetKeyId: !Ref Copies}}
";

/// The people, and what they work with.
pub struct People {
    cloud: Cloud,
    system: System,
    clients: BTreeMap<&'static str, Client>,
    keys: BTreeMap<(&'static str, Alias), String>,
    /// Policies as they are applied the next time.
    policies: BTreeMap<&'static str, Policy>,
    pub record: Record,
}

impl People {
    /// Makes keys, launches the machines, and applies the policies of the start.
    ///
    /// # Errors
    /// Something of this is refused.
    pub async fn begin(cloud: &Cloud, system: System, world: &World) -> Result<People, Failure> {
        let client = |region| (region, Client::new(&cloud.sdk_config(region)));
        let mut people = People {
            cloud: cloud.clone(),
            system,
            clients: REGIONS.map(client).into(),
            keys: BTreeMap::new(),
            policies: world.policies.iter().map(|policy| (policy.name, policy.clone())).collect(),
            record: Record::default(),
        };
        for region in REGIONS {
            people.make_keys(region)?;
        }
        for machine in &world.machines {
            let id = people.launch(machine).await?;
            people.record.machines.insert(machine.number, (machine.home, id));
            cloud.advance(Duration::from_secs(1)).await;
        }
        for policy in world.policies.iter().filter(|policy| policy.at_start) {
            people.put_in_force(policy.name);
        }
        people.apply().await.map(|()| people)
    }

    fn make_keys(&mut self, region: &'static str) -> Result<(), Failure> {
        let deployment = Deployment {
            account: self.system.account.clone(),
            region: region.to_string(),
            stack_name: "keys".to_string(),
            ..Deployment::default()
        };
        let stack = self.cloud.deploy(KEYS, deployment);
        let stack = stack.map_err(|errors| Failure::Ours(format!("no keys: {errors:?}")))?;
        for (alias, name) in [(Alias::Disks, "Disks"), (Alias::Copies, "Copies")] {
            let key = stack.resources.get(name).cloned().unwrap_or_default();
            self.keys.insert((region, alias), key);
        }
        Ok(())
    }

    async fn launch(&self, machine: &Machine) -> Result<String, Failure> {
        let client = &self.clients[machine.home];
        let (name, kind) = match machine.kind {
            Kind::Linux | Kind::Encrypted => ("al2023-ami-*-x86_64", "t3.small"),
            Kind::Arm => ("al2023-ami-*-arm64", "t4g.small"),
            Kind::Windows => ("Windows_Server-2022-English-Full-Base-*", "t3.small"),
        };
        let key = (machine.kind == Kind::Encrypted).then(|| Alias::Disks.name());
        let disk = |device: &str, gib: Option<i32>| {
            let ebs = ec2::EbsBlockDevice::builder().set_volume_size(gib);
            let ebs = ebs.set_encrypted(key.map(|_| true)).set_kms_key_id(key.map(String::from));
            ec2::BlockDeviceMapping::builder().device_name(device).ebs(ebs.build()).build()
        };
        let disks = |root: &str| {
            let more = ["/dev/sdf", "/dev/sdg"].into_iter().take(machine.disks as usize);
            let more = more.map(|device| disk(device, Some(8)));
            more.chain(key.map(|_| disk(root, None))).collect()
        };
        let tags = [("Name", &*machine.name()), ("backup", machine.backup)];
        launch(client, (name, kind), &tags, disks).await
    }

    fn put_in_force(&mut self, name: &'static str) {
        let Some(policy) = self.policies.get(name).cloned() else { return };
        let now = self.cloud.now();
        if !policy.heals {
            self.record.left_to_people.insert(name);
        }
        self.record.in_force.insert(name, (policy, now));
        self.record.removed.remove(name);
    }

    /// Applies the policies in force as a file, and removes those that it lacks.
    async fn apply(&self) -> Result<(), Failure> {
        let mut yaml = "policies:\n".to_string();
        for (policy, _) in self.record.in_force.values() {
            yaml.push_str(&policy.yaml());
        }
        let policies = match self.record.in_force.is_empty() {
            true => Vec::new(),
            false => file::read(&yaml)
                .map_err(|wrong| Failure::Ours(format!("a policy is wrong: {wrong:?}\n{yaml}")))?,
        };
        let config = self.cloud.sdk_config(SEAT);
        let applied = apply::apply(&config, &self.system.table, &policies, true).await;
        applied.map(|_| ()).map_err(|failure| Failure::Ours(chain(&failure)))
    }

    /// Does something. Returns why it was not done, if it was not.
    ///
    /// # Errors
    /// The policies cannot be applied.
    pub async fn act(&mut self, deed: &Deed) -> Result<Option<String>, Failure> {
        let is_dark = |region: &str| self.cloud.with(|model| model.dark_regions.contains(region));
        match deed {
            Deed::Remove(_) | Deed::Apply(_) | Deed::Change(..) => {
                if is_dark(SEAT) {
                    return Ok(Some("the seat is dark".to_string()));
                }
                self.change(deed).await.map(|()| None)
            }
            Deed::Deregister { image, .. }
            | Deed::Disable(image)
            | Deed::Enable(image)
            | Deed::Restore(image) => {
                if is_dark(image.region) {
                    return Ok(Some("the region is dark".to_string()));
                }
                Ok(self.with_image(deed, *image).await.err())
            }
            Deed::DisableKey(region, alias) => Ok(self.set_key(region, *alias, false).await.err()),
            Deed::EnableKey(region, alias) => Ok(self.set_key(region, *alias, true).await.err()),
            Deed::DeleteItems(number, items) => {
                if is_dark(SEAT) {
                    return Ok(Some("the seat is dark".to_string()));
                }
                let Some((_, id)) = self.record.machines.get(number) else { return Ok(None) };
                // Tags and facts do not tell all of a point that was made again.
                let is_whole = |point: &str| self.record.harmed.keys().all(|(it, _)| it != point);
                let table = &self.system.table;
                let done = ledger_items::delete(&self.cloud, table, (id, *items), is_whole).await;
                Ok(match done {
                    Ok(points) => {
                        self.record.deleted.extend(points);
                        None
                    }
                    Err(why) => Some(why),
                })
            }
            Deed::Stop(number)
            | Deed::Start(number)
            | Deed::Terminate(number)
            | Deed::Untag(number)
            | Deed::Tag(number, _)
            | Deed::Ask(number, _)
            | Deed::Detach(number) => {
                let Some((region, id)) = self.record.machines.get(number) else { return Ok(None) };
                if is_dark(region) {
                    return Ok(Some("the region is dark".to_string()));
                }
                Ok(self.with_machine(deed, region, id).await.err())
            }
        }
    }

    async fn change(&mut self, deed: &Deed) -> Result<(), Failure> {
        let (Deed::Remove(name) | Deed::Apply(name) | Deed::Change(name, _)) = deed else {
            return Ok(());
        };
        if let Deed::Change(_, change) = deed
            && let Some(policy) = self.policies.get_mut(name)
        {
            alter(policy, *change);
        }
        match deed {
            Deed::Remove(_) => {
                if self.record.in_force.remove(name).is_some() {
                    self.record.removed.insert(name, self.cloud.now());
                }
            }
            Deed::Change(..) if !self.record.in_force.contains_key(name) => {}
            _ => self.put_in_force(name),
        }
        self.apply().await
    }

    async fn with_machine(&self, deed: &Deed, region: &str, id: &str) -> Result<(), String> {
        let client = &self.clients[region];
        match deed {
            Deed::Stop(_) => {
                client.stop_instances().instance_ids(id).send().await.map(drop).map_err(why)
            }
            Deed::Start(_) => {
                client.start_instances().instance_ids(id).send().await.map(drop).map_err(why)
            }
            Deed::Terminate(_) => {
                client.terminate_instances().instance_ids(id).send().await.map(drop).map_err(why)
            }
            Deed::Untag(_) => {
                let backup = ec2::Tag::builder().key("backup").build();
                client.delete_tags().resources(id).tags(backup).send().await.map(drop).map_err(why)
            }
            Deed::Tag(_, value) => put_tag(client, id, "backup", value).await,
            Deed::Ask(_, policy) => put_tag(client, id, TAG_ASK, policy).await,
            Deed::Detach(_) => {
                let disk = self.cloud.with(|model| second_disk(model, region, id));
                let disk = disk.ok_or("it has no such disk")?;
                client.detach_volume().volume_id(disk).send().await.map(drop).map_err(why)
            }
            _ => Ok(()),
        }
    }

    async fn with_image(&mut self, deed: &Deed, pick: Pick) -> Result<(), String> {
        let region = pick.region;
        let client = self.clients[region].clone();
        let choice = self.cloud.with(|model| choose(model, deed, pick));
        let choice = choice.ok_or("there is no such image")?;
        let id = choice.id.as_str();
        match deed {
            Deed::Deregister { with_snapshots, .. } => {
                let call = client.deregister_image().image_id(id);
                let call = call.delete_associated_snapshots(*with_snapshots);
                call.send().await.map_err(why)?;
            }
            Deed::Disable(_) => {
                drop(client.disable_image().image_id(id).send().await.map_err(why)?)
            }
            Deed::Enable(_) => drop(client.enable_image().image_id(id).send().await.map_err(why)?),
            _ => {
                for snapshot in &choice.snapshots {
                    let call = client.restore_snapshot_from_recycle_bin().snapshot_id(snapshot);
                    // One that was not deleted need not be restored.
                    call.send().await.ok();
                }
                let call = client.restore_image_from_recycle_bin().image_id(id);
                call.send().await.map_err(why)?;
            }
        }
        match deed {
            Deed::Deregister { .. } | Deed::Disable(_) => {
                *self.record.harmed.entry((choice.point, region)).or_default() += 1;
            }
            _ => drop(self.record.brought_back.insert(choice.id)),
        }
        Ok(())
    }

    async fn set_key(
        &mut self,
        region: &'static str,
        alias: Alias,
        on: bool,
    ) -> Result<(), String> {
        let key = self.keys.get(&(region, alias)).ok_or("there is no such key")?;
        let client = aws_sdk_kms::Client::new(&self.cloud.sdk_config(region));
        if on {
            client.enable_key().key_id(key).send().await.map_err(why)?;
            self.record.disabled_keys.remove(key);
        } else {
            client.disable_key().key_id(key).send().await.map_err(why)?;
            self.record.disabled_keys.insert(key.clone());
        }
        Ok(())
    }

    /// Enables all keys, as somebody does in the end.
    pub async fn enable_keys(&mut self) {
        let keys: Vec<_> = self.keys.keys().copied().collect();
        for (region, alias) in keys {
            self.set_key(region, alias, true).await.ok();
        }
    }
}

fn alter(policy: &mut Policy, change: Change) {
    match change {
        Change::Heals(heals) => policy.heals = heals,
        Change::Hours(hours) => {
            if matches!(policy.trigger, Trigger::Hours(_)) {
                policy.trigger = Trigger::Hours(hours);
            }
        }
        Change::Region(region, wanted) => {
            let key = policy.replicas.iter().any(|replica| replica.key);
            policy.replicas.retain(|replica| replica.region != region);
            if wanted {
                policy.replicas.push(Replica { region, key });
            }
        }
    }
}

/// Image that somebody chooses.
struct Choice {
    id: String,
    point: String,
    snapshots: Vec<String>,
}

/// Chooses among the images that one can do this with, in the order of their names.
fn choose(model: &mut Model, deed: &Deed, pick: Pick) -> Option<Choice> {
    use afterimage_cloud::ec2::state::{Image, ImageState};
    let scope = Scope::new(ACCOUNT, pick.region);
    let region = model.ec2.get(&scope)?;
    let is_ours = |image: &&Image| image.tags.contains_key(TAG_POINT);
    let mut images: Vec<&Image> = match deed {
        Deed::Restore(_) => region.bin.images.values().map(|kept| &kept.resource).collect(),
        _ => region.images.values().collect(),
    };
    images.retain(is_ours);
    images.retain(|image| match deed {
        Deed::Restore(_) => true,
        Deed::Enable(_) => image.state == ImageState::Disabled,
        Deed::Disable(_) => image.state == ImageState::Available,
        _ => matches!(image.state, ImageState::Available | ImageState::Disabled),
    });
    images.sort_by_key(|image| (&image.name, &image.id));
    let image = images.get(pick.number as usize % images.len().max(1))?;
    let disks = image.devices.iter().filter_map(|device| device.ebs.as_ref());
    Some(Choice {
        id: image.id.clone(),
        point: image.tags.get(TAG_POINT).cloned().unwrap_or_default(),
        snapshots: disks.filter_map(|disk| disk.snapshot_id.clone()).collect(),
    })
}

fn second_disk(model: &mut Model, region: &str, id: &str) -> Option<String> {
    let instance = model.ec2.get(&Scope::new(ACCOUNT, region))?.instances.get(id)?;
    let root = instance.platform.root_device_name.as_deref();
    let mut disks = instance.attachments.iter();
    let disk = disks.find(|disk| Some(disk.device.as_str()) != root)?;
    Some(disk.volume_id.clone())
}

async fn put_tag(client: &Client, id: &str, key: &str, value: &str) -> Result<(), String> {
    client.create_tags().resources(id).tags(tag(key, value)).send().await.map(drop).map_err(why)
}

fn tag(key: &str, value: &str) -> ec2::Tag {
    ec2::Tag::builder().key(key).value(value).build()
}

fn why(error: impl std::error::Error + 'static) -> String {
    chain(&error)
}
