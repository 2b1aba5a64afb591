//! CreateImage: an image of a machine and all of its volumes.

use std::collections::BTreeMap;

use serde_json::json;

use super::mapping::{self, Defaults, Ebs, Mapping, What};
use super::{check_name, check_room, settle, want_new, want_new_snapshots};
use crate::ec2::instances::status::variables;
use crate::ec2::snapshots::create::{Wanted, check_instance_state, check_limits, instance};
use crate::ec2::snapshots::{self, description, lifecycle, refuse_local, usable};
use crate::ec2::state::{
    Attachment, Billing, BlockDevice, EbsDevice, Image, Instance, InstanceState, Origin, Reason,
    SnapshotState, Volume,
};
use crate::ec2::tags;
use crate::eventbridge::{self, Event};
use crate::kernel::access::{Call, Tags, Want};
use crate::kernel::arn;
use crate::kernel::error::{ApiError, Kind};
use crate::kernel::faults::Creation;
use crate::kernel::ids;
use crate::kernel::query::Fields;
use crate::kernel::scope::Scope;
use crate::kernel::xml::Xml;
use crate::model::Model;

/// What is said where nobody says what went wrong.
const INTERNAL_ERROR: (&str, &str) = ("Server.InternalError", "Internal error");

/// What the call asks for.
struct Asked {
    instance_id: String,
    name: String,
    description: String,
    no_reboot: bool,
    mappings: Vec<Mapping>,
    uefi: bool,
    image_tags: Tags,
    snapshot_tags: Tags,
}

fn read(fields: &Fields, tag_limit: usize) -> Result<Asked, ApiError> {
    let specified = tags::specified(fields, &[Kind::Image, Kind::Snapshot], tag_limit)?;
    refuse_local(fields, &["SnapshotLocation"])?;
    let uefi = match fields.text("BootModeOverride") {
        None | Some("") => false,
        Some("uefi") => true,
        Some(other) => return Err(fields.invalid("BootModeOverride", other, "Try uefi.")),
    };
    Ok(Asked {
        instance_id: fields.required("InstanceId")?.to_string(),
        name: fields.required("Name")?.to_string(),
        description: description(fields.text("Description"))?,
        no_reboot: fields.flag("NoReboot")?.unwrap_or(false),
        mappings: mapping::read(fields)?,
        uefi,
        image_tags: tags::of_kind(&specified, Kind::Image),
        snapshot_tags: tags::of_kind(&specified, Kind::Snapshot),
    })
}

pub fn create(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let asked = read(fields, model.config.limits.tags_per_resource)?;
    fields.finish()?;
    check_name(&asked.name)?;
    let instance = instance(model, &call.scope, &asked.instance_id)?;
    let source = Want::new("ec2:CreateImage", call.arn(Kind::Instance, &instance.id));
    let mut wants = vec![
        want_new(call, &asked.image_tags),
        source.resource_tags(&instance.tags),
        want_new_snapshots(call, &asked.snapshot_tags),
    ];
    wants.extend(call.tag_on_create(Kind::Image, &asked.image_tags));
    wants.extend(call.tag_on_create(Kind::Snapshot, &asked.snapshot_tags));
    model.permit(call, &wants)?;
    check_instance_state(&instance)?;
    if asked.uefi && instance.current_boot_mode != "uefi" {
        let why = "The instance does not run in this boot mode.";
        return Err(ApiError::invalid_value("BootModeOverride", "uefi", why));
    }
    let plan = Plan::make(model, call, &instance, &asked.mappings)?;
    check_room(model, &call.scope, &asked.name)?;
    let id = begin(model, call, &instance, &asked, plan);
    if !asked.no_reboot && instance.state == InstanceState::Running {
        reboot(model, &call.scope, &instance);
    }
    let mut xml = Xml::new();
    xml.leaf("imageId", id);
    Ok(xml)
}

/// The devices of the image, and the volumes that are to be snapshotted for some of them.
struct Plan {
    devices: Vec<BlockDevice>,
    /// Under the name of the device.
    volumes: BTreeMap<String, Volume>,
}

impl Plan {
    /// All attached volumes, unless a mapping leaves them out; then what mappings add.
    fn make(
        model: &mut Model,
        call: &Call,
        instance: &Instance,
        mappings: &[Mapping],
    ) -> Result<Plan, ApiError> {
        let mut plan = Plan { devices: Vec::new(), volumes: BTreeMap::new() };
        let named = |device: &str| mappings.iter().find(|mapping| mapping.device == device);
        for attached in &instance.attachments {
            let held = model.ec2_region(&call.scope).volumes.get(&attached.volume_id).cloned();
            let Some(volume) = held else { continue };
            let mapping = named(&attached.device).map(|mapping| &mapping.what);
            if let Some(device) = attached_device(instance, attached, &volume, mapping)? {
                plan.devices.push(device);
                plan.volumes.insert(attached.device.clone(), volume);
            }
        }
        for (device, virtual_name) in &instance.ephemeral {
            if named(device).is_none() {
                plan.devices.push(ephemeral(device, virtual_name));
            }
        }
        let attached = |device: &str| instance.attachments.iter().any(|a| a.device == device);
        for mapping in mappings.iter().filter(|mapping| !attached(&mapping.device)) {
            match &mapping.what {
                What::Nothing => {}
                What::Ephemeral(name) => plan.devices.push(ephemeral(&mapping.device, name)),
                What::Ebs(ebs) => plan.devices.push(added(model, call, &mapping.device, ebs)?),
            }
        }
        Ok(plan)
    }
}

fn ephemeral(device: &str, name: &str) -> BlockDevice {
    BlockDevice { device: device.to_string(), virtual_name: Some(name.to_string()), ebs: None }
}

/// The device of an attached volume; of what it is, a mapping can change nothing but whether it
/// goes with its machine.
fn attached_device(
    instance: &Instance,
    attached: &Attachment,
    volume: &Volume,
    mapping: Option<&What>,
) -> Result<Option<BlockDevice>, ApiError> {
    let device = &attached.device;
    let changes = || {
        let text = format!(
            "The device '{device}' of the instance exists: only its DeleteOnTermination can be set"
        );
        mapping::invalid(text)
    };
    let mut delete_on_termination = attached.delete_on_termination;
    match mapping {
        None => {}
        Some(What::Nothing) if instance.platform.root_device_name.as_ref() == Some(device) => {
            let text = format!("The root device '{device}' cannot be left out");
            return Err(mapping::invalid(text));
        }
        Some(What::Nothing) => return Ok(None),
        Some(What::Ephemeral(_)) => return Err(changes()),
        Some(What::Ebs(ebs)) => {
            let encrypts = ebs.encrypted == Some(true) && volume.kms_key.is_none();
            let reshapes = ebs.snapshot_id.is_some()
                || ebs.size_gib.is_some_and(|size| size != volume.size_gib)
                || ebs.volume_type.as_ref().is_some_and(|kind| *kind != volume.volume_type)
                || ebs.iops.is_some_and(|iops| Some(iops) != volume.iops)
                || ebs.throughput.is_some_and(|rate| Some(rate) != volume.throughput);
            if encrypts || reshapes {
                return Err(changes());
            }
            delete_on_termination = ebs.delete_on_termination.unwrap_or(delete_on_termination);
        }
    }
    let ebs = EbsDevice {
        snapshot_id: None,
        size_gib: volume.size_gib,
        volume_type: volume.volume_type.clone(),
        iops: volume.iops,
        throughput: volume.throughput,
        delete_on_termination,
        encrypted: volume.kms_key.is_some(),
    };
    Ok(Some(BlockDevice { device: device.clone(), virtual_name: None, ebs: Some(ebs) }))
}

/// A device that the machine does not have: an empty volume, or one from another snapshot.
fn added(model: &mut Model, call: &Call, device: &str, ebs: &Ebs) -> Result<BlockDevice, ApiError> {
    let defaults = Defaults { volume_type: "gp2", delete_on_termination: false };
    let snapshot = match &ebs.snapshot_id {
        None => None,
        Some(id) => {
            let (_, snapshot) = usable(model, &call.scope, id)?;
            if snapshot.state != SnapshotState::Completed {
                let text = format!("Snapshot is in invalid state - {}", snapshot.state.name());
                return Err(ApiError::bad("IncorrectState", text));
            }
            if ebs.encrypted.is_some() {
                let text = format!("The device '{device}' is encrypted as its snapshot is");
                return Err(mapping::invalid(text));
            }
            Some((snapshot.size_gib, snapshot.kms_key.is_some()))
        }
    };
    ebs.device(device, snapshot, &defaults)
}

/// Makes the image and begins the snapshots behind it.
fn begin(model: &mut Model, call: &Call, instance: &Instance, asked: &Asked, plan: Plan) -> String {
    let id = ids::resource(&mut model.rng, Kind::Image);
    let volumes: Vec<Volume> = plan.volumes.values().cloned().collect();
    // A volume that was snapshotted a moment ago, or a full quota, is no error of this call: the
    // image turns out to have failed, and nobody says why.
    let refused = check_limits(model, &call.scope, &volumes).is_err();
    let mut devices = plan.devices;
    let mut failure = refused.then(|| INTERNAL_ERROR.1.to_string());
    if !refused {
        let broken = snapshots::create::failure(model, call, Creation::Image, &volumes);
        for device in &mut devices {
            let Some(volume) = plan.volumes.get(&device.device) else { continue };
            let snapshot_id = snapshot(model, call, instance, asked, &id, volume);
            lifecycle::plan_end(model, &call.scope, &snapshot_id, broken.clone());
            if let Some(ebs) = &mut device.ebs {
                ebs.snapshot_id = Some(snapshot_id);
            }
        }
        failure = broken;
    }
    let mut platform = instance.platform.clone();
    if asked.uefi {
        platform.boot_mode = Some("uefi".to_string());
    }
    let keeps_variables = model.config.quirks.create_image_keeps_uefi_variables;
    if keeps_variables && instance.current_boot_mode == "uefi" {
        platform.uefi_data = Some(variables(instance));
    }
    let image = Image {
        description: asked.description.clone(),
        platform,
        devices,
        tags: asked.image_tags.clone(),
        source_instance_id: Some(instance.id.clone()),
        source_image_id: Some(instance.image_id.clone()),
        source_image_region: Some(call.scope.region.to_string()),
        ..Image::new(id.clone(), &asked.name, call, model)
    };
    model.ec2_region(&call.scope).add_image(image);
    tags::created(model, &call.scope, &id, &asked.image_tags);
    let reason = failure.map(|message| Reason::new(INTERNAL_ERROR.0, message));
    settle::plan_settle(model, &call.scope, &id, reason);
    id
}

/// The snapshot behind one device. Its description is all that leads from it to the image.
fn snapshot(
    model: &mut Model,
    call: &Call,
    instance: &Instance,
    asked: &Asked,
    image_id: &str,
    volume: &Volume,
) -> String {
    let wanted = Wanted {
        description: format!("Created by CreateImage({}) for {image_id}", instance.id),
        tags: asked.snapshot_tags.clone(),
        origin: Origin::Image(image_id.to_string()),
        billing: Billing::of(instance, &volume.id),
    };
    snapshots::create::start(model, call, volume, wanted)
}

/// The machine goes down and comes up again, which its checks show and, as far as is known, no
/// event tells.
fn reboot(model: &mut Model, scope: &Scope, instance: &Instance) {
    let now = model.now;
    if let Some(instance) = model.ec2_region(scope).instances.get_mut(&instance.id) {
        instance.running_since = Some(now);
    }
    if !model.config.quirks.create_image_reboot_sends_events {
        return;
    }
    for state in ["stopping", "stopped", "pending", "running"] {
        let resources = vec![arn::of_ec2(scope, Kind::Instance, &instance.id)];
        let detail = json!({ "instance-id": instance.id, "state": state });
        let name = "EC2 Instance State-change Notification";
        eventbridge::put::emit(model, scope, Event::new("aws.ec2", name, resources, detail));
    }
}
