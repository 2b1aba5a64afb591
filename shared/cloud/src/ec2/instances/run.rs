//! RunInstances.

use super::describe::write_instance;
use super::plan::{self, Plan};
use super::{Turn, alias, later, send_state, template};
use crate::ec2::state::Launch;
use crate::ec2::state::{
    Attachment, AttachmentState, Instance, InstanceState, MetadataOptions, Platform,
};
use crate::ec2::{tags, tokens, volumes};
use crate::kernel::access::{Call, Tags};
use crate::kernel::error::{ApiError, Kind};
use crate::kernel::ids;
use crate::kernel::query::Fields;
use crate::kernel::scope::Scope;
use crate::kernel::xml::Xml;
use crate::model::Model;

/// More instances than anybody launches in one call here.
const COUNT_MAX: i64 = 1000;

pub fn run(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let least = fields.integer("MinCount")?;
    let most = fields.integer("MaxCount")?;
    let tags_max = model.config.limits.tags_per_resource;
    let asked = Launch::read(fields, tags_max)?;
    let token = tokens::read(fields)?;
    let reference = template::read(fields)?;
    fields.finish()?;
    let count = count(least, most)?;
    if let Some(reservation) = tokens::used(model, call, fields, token.as_deref())? {
        let kind = asked.instance_type.as_deref().unwrap_or_default();
        let given = tags::of_kind(&asked.tags, Kind::Instance);
        model.permit(call, &[plan::instance_want(call, kind).request_tags(&given)])?;
        return repeated(model, &call.scope, &reservation, token.as_deref());
    }
    let chosen = reference.map(|reference| template::resolve(model, &call.scope, &reference));
    let chosen = chosen.transpose()?;
    let mut launch = match &chosen {
        None => asked,
        Some(chosen) => asked.over(chosen.launch.clone()),
    };
    let resolved = alias::resolve(model, &call.scope, launch.image_id.as_deref())?;
    if let Some(resolved) = &resolved {
        launch.image_id = Some(resolved.image_id.clone());
    }
    if launch.private_ip.is_some() && count > 1 {
        let text = "A private IP address can be given for one instance only";
        return Err(ApiError::combination(text));
    }
    let plan = plan::plan(model, call, &launch)?;
    let mut wants = plan::wants(model, call, &launch, &plan);
    wants.extend(resolved.map(|resolved| resolved.want));
    if let Some(chosen) = &chosen {
        wants = chosen.join(call, wants);
    }
    model.permit(call, &wants)?;
    let reservation = ids::numbered(&mut model.rng, "r");
    let token_text = token.clone().unwrap_or_default();
    let addresses = take_addresses(model, &call.scope, &launch, &plan, count)?;
    let marks = chosen.map(|chosen| chosen.marks()).unwrap_or_default();
    for (index, address) in (0..count).zip(addresses) {
        let (reservation, token) = (reservation.as_str(), token_text.as_str());
        let birth = Birth { reservation, index, address, token, marks: &marks };
        bear(model, call, &launch, &plan, birth);
    }
    note_launch(model, &call.scope, &plan);
    tokens::keep(model, call, fields, token, &reservation);
    Ok(answer(model, &call.scope, &reservation))
}

fn count(least: Option<i64>, most: Option<i64>) -> Result<u32, ApiError> {
    let least = least.ok_or_else(|| ApiError::missing_parameter("MinCount"))?;
    let most = most.ok_or_else(|| ApiError::missing_parameter("MaxCount"))?;
    if least < 1 || least > most {
        let text =
            format!("MinCount is {least} and MaxCount {most}: expecting 1 or more, in order");
        return Err(ApiError::bad("InvalidParameterValue", text));
    }
    if most > COUNT_MAX {
        let text = format!("At most {COUNT_MAX} instances can be launched in one call here");
        return Err(ApiError::bad("InstanceLimitExceeded", text));
    }
    u32::try_from(most).map_err(|_| ApiError::missing_parameter("MaxCount"))
}

/// The same call again: the same instances, as they are by now.
fn repeated(
    model: &mut Model,
    scope: &Scope,
    reservation: &str,
    token: Option<&str>,
) -> Result<Xml, ApiError> {
    let region = model.ec2_region(scope);
    let mut launched = region.instances.values().filter(|i| i.reservation_id == reservation);
    if launched.all(|instance| instance.state == InstanceState::Terminated) {
        let text = format!(
            "The client token '{}' was used to launch instances that have been terminated",
            token.unwrap_or_default()
        );
        return Err(ApiError::bad("IdempotentInstanceTerminated", text));
    }
    Ok(answer(model, scope, reservation))
}

/// All addresses or none: a call that is refused leaves nothing behind.
fn take_addresses(
    model: &mut Model,
    scope: &Scope,
    launch: &Launch,
    plan: &Plan,
    count: u32,
) -> Result<Vec<String>, ApiError> {
    let network = &mut model.ec2_region(scope).furniture.network;
    let mut taken: Vec<String> = Vec::new();
    for _ in 0..count {
        match network.take_address(&plan.subnet_id, launch.private_ip.as_deref()) {
            Ok(address) => taken.push(address),
            Err(error) => {
                for address in taken {
                    network.give_back(&plan.subnet_id, &address);
                }
                return Err(error);
            }
        }
    }
    Ok(taken)
}

/// What differs between the instances of one call.
struct Birth<'a> {
    reservation: &'a str,
    index: u32,
    address: String,
    token: &'a str,
    /// Tags that EC2 gives by itself.
    marks: &'a Tags,
}

/// Makes one instance with its volumes.
fn bear(model: &mut Model, call: &Call, launch: &Launch, plan: &Plan, birth: Birth<'_>) {
    let scope = &call.scope;
    let id = ids::resource(&mut model.rng, Kind::Instance);
    let mut given = tags::of_kind(&launch.tags, Kind::Instance);
    given.extend(birth.marks.clone());
    let volume_tags = tags::of_kind(&launch.tags, Kind::Volume);
    let mut instance = new(model, launch, plan, birth, id.clone());
    instance.tags = given.clone();
    let mut failed = false;
    let mut made = Vec::new();
    for planned in &plan.devices.volumes {
        let key = planned.encryption.choose(model, call, planned.snapshot.as_ref());
        failed |= key.failure.is_some();
        let volume_id = ids::resource(&mut model.rng, Kind::Volume);
        let (size, snapshot) = (planned.size.clone(), planned.snapshot.as_ref());
        let mut volume =
            volumes::create::new(model, volume_id.clone(), &plan.zone, size, &key, snapshot);
        volume.instance_id = Some(id.clone());
        volume.visible_at = instance.visible_at;
        volume.tags.clone_from(&volume_tags);
        instance.attachments.push(Attachment {
            device: planned.device.clone(),
            volume_id: volume_id.clone(),
            attached_at: model.now,
            delete_on_termination: planned.delete_on_termination,
            state: AttachmentState::Attaching,
        });
        for code in &volume.product_codes {
            if !instance.platform.product_codes.contains(code) {
                instance.platform.product_codes.push(code.clone());
            }
        }
        model.ec2_region(scope).volumes.insert(volume_id.clone(), volume);
        made.push((volume_id, key.failure));
    }
    model.ec2_region(scope).instances.insert(id.clone(), instance);
    send_state(model, scope, &id, InstanceState::Pending);
    tags::created(model, scope, &id, &given);
    for (volume_id, failure) in made {
        tags::created(model, scope, &volume_id, &volume_tags);
        let delay = model.config.pace.volume_creates;
        let turn = failure.map_or(volumes::Turn::Created, volumes::Turn::Failed);
        volumes::later(model, scope, delay, &volume_id, turn);
    }
    let delay = model.config.pace.instance_starts;
    let turn = if failed { Turn::FailsToLaunch } else { Turn::Runs };
    later(model, scope, delay, &id, turn);
}

fn new(model: &mut Model, launch: &Launch, plan: &Plan, birth: Birth<'_>, id: String) -> Instance {
    let image = &plan.image;
    let platform = Platform {
        kernel_id: launch.kernel_id.clone().or(image.platform.kernel_id.clone()),
        ramdisk_id: launch.ramdisk_id.clone().or(image.platform.ramdisk_id.clone()),
        ..image.platform.clone()
    };
    Instance {
        id,
        reservation_id: birth.reservation.to_string(),
        image_id: image.id.clone(),
        instance_type: plan.kind.name.to_string(),
        state: InstanceState::Pending,
        state_reason: None,
        transition_reason: String::new(),
        launch_time: model.now,
        metadata: metadata(launch, &platform),
        platform,
        current_boot_mode: plan.boot_mode.clone(),
        attachments: Vec::new(),
        ephemeral: plan.devices.ephemeral.clone(),
        zone: plan.zone.clone(),
        vpc_id: plan.vpc_id.clone(),
        subnet_id: plan.subnet_id.clone(),
        group_ids: plan.group_ids.clone(),
        interface_id: ids::resource(&mut model.rng, Kind::NetworkInterface),
        private_ip: birth.address,
        key_name: launch.key_name.clone(),
        profile_arn: plan.profile_arn.clone(),
        spot: launch.spot.unwrap_or(false),
        hibernation: launch.hibernation.unwrap_or(false),
        stop_protection: launch.stop_protection.unwrap_or(false),
        termination_protection: launch.termination_protection.unwrap_or(false),
        user_data: launch.user_data.clone(),
        client_token: birth.token.to_string(),
        tags: Tags::new(),
        visible_at: model.visible_from(),
        running_since: None,
        impaired: false,
        silent: false,
        run: 0,
        launch_index: birth.index,
        // As the default subnets say, unless the call says otherwise.
        public_address: launch.public_address.unwrap_or(true),
        ebs_optimized: launch.ebs_optimized.unwrap_or(false),
        monitoring: launch.monitoring.unwrap_or(false),
        source_dest_check: true,
        shutdown_behavior: launch.shutdown_behavior.clone().unwrap_or_else(|| "stop".to_string()),
    }
}

/// An image that wants version 2 of the metadata service gets it, unless the call says otherwise.
fn metadata(launch: &Launch, platform: &Platform) -> MetadataOptions {
    let asked = launch.metadata.clone();
    let strict = platform.imds.is_some();
    let text = |asked: Option<String>, default: &str| asked.unwrap_or_else(|| default.to_string());
    MetadataOptions {
        tokens: text(asked.tokens, if strict { "required" } else { "optional" }),
        hop_limit: asked.hop_limit.unwrap_or(if strict { 2 } else { 1 }),
        endpoint: text(asked.endpoint, "enabled"),
        ipv6: text(asked.ipv6, "disabled"),
        tags: text(asked.tags, "disabled"),
    }
}

/// The owner of an image sees when it was last launched.
fn note_launch(model: &mut Model, scope: &Scope, plan: &Plan) {
    let now = model.now;
    let owner = scope.in_account(&plan.image.owner);
    let image = model.ec2.get_mut(&owner).and_then(|region| region.images.get_mut(&plan.image.id));
    if let Some(image) = image {
        image.last_launched_at = Some(now);
    }
}

fn answer(model: &mut Model, scope: &Scope, reservation: &str) -> Xml {
    let now = model.now;
    let region = model.ec2_region(scope);
    let launched = region.instances.values().filter(|i| i.reservation_id == reservation);
    let mut launched: Vec<&Instance> = launched.collect();
    launched.sort_by_key(|instance| instance.launch_index);
    let mut xml = Xml::new();
    xml.leaf("reservationId", reservation).leaf("ownerId", &scope.account);
    xml.list("instancesSet", launched, |xml, instance| {
        write_instance(xml, scope, region, instance, now);
    });
    xml
}
