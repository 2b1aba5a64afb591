//! Looks up everything that a launch names, and checks that it fits together, before anything is
//! permitted or changed.

use super::mapping::{self, Planned};
use crate::ec2::state::{Image, ImageState, Platform};
use crate::ec2::state::{Launch, Profile};
use crate::ec2::types::{self, InstanceType};
use crate::ec2::volumes::create::{snapshot_want, volume_want};
use crate::ec2::{Region, key_pairs, lookup, tags, well_formed};
use crate::kernel::access::{Call, Want};
use crate::kernel::error::{ApiError, Kind};
use crate::kernel::time::Time;
use crate::model::Model;

/// A launch that can be carried out.
#[derive(Debug)]
pub struct Plan {
    pub image: Image,
    pub kind: &'static InstanceType,
    pub boot_mode: String,
    pub subnet_id: String,
    pub zone: String,
    pub vpc_id: String,
    pub group_ids: Vec<String>,
    pub devices: Planned,
    pub profile_arn: Option<String>,
}

pub fn plan(model: &mut Model, call: &Call, launch: &Launch) -> Result<Plan, ApiError> {
    let Some(image_id) = &launch.image_id else {
        return Err(ApiError::missing_parameter("ImageId"));
    };
    well_formed(Kind::Image, image_id)?;
    let image = lookup::image_for(model, &call.scope, image_id);
    let image = image.ok_or_else(|| ApiError::not_found(Kind::Image, &[image_id]))?;
    if image.state != ImageState::Available {
        let text = format!(
            "The AMI ID '{image_id}' is currently {} and may not be used for this operation",
            image.state.name()
        );
        return Err(ApiError::bad("InvalidAMIID.Unavailable", text));
    }
    let kind = types::required(launch.instance_type.as_deref().unwrap_or(types::DEFAULT))?;
    let boot_mode = fit(&image.platform, kind)?;
    let devices = mapping::plan(model, &call.scope, &image, &launch.devices)?;
    check_devices(launch, &image, kind, &devices)?;
    if let Some(name) = &launch.key_name {
        key_pairs::check(model, &call.scope, name)?;
    }
    let now = model.now;
    let region = model.ec2_region(&call.scope);
    let (subnet_id, zone) = place(region, launch)?;
    Ok(Plan {
        kind,
        boot_mode,
        subnet_id,
        zone,
        vpc_id: region.furniture.network.vpc_id.clone(),
        group_ids: groups(region, launch, now)?,
        devices,
        profile_arn: profile_arn(call, launch.profile.as_ref()),
        image,
    })
}

/// Whether machines of the type can boot the image, and the mode in which they do.
pub fn fit(platform: &Platform, kind: &InstanceType) -> Result<String, ApiError> {
    let (family, name) = (kind.family, kind.name);
    if !family.architectures.contains(&platform.architecture.as_str()) {
        let text = format!(
            "The architecture '{}' of the specified instance type does not match the architecture \
             '{}' of the specified AMI.",
            family.architectures.join(","),
            platform.architecture
        );
        return Err(ApiError::bad("InvalidParameterValue", text));
    }
    let virtualization = platform.virtualization.as_str();
    if !family.virtualization.contains(&virtualization) {
        let text = format!(
            "The virtualization type '{virtualization}' is not supported for instances of type \
             '{name}'."
        );
        return Err(ApiError::combination(text));
    }
    if family.ena == "required" && !platform.ena {
        let text = format!(
            "Enhanced networking with the Elastic Network Adapter (ENA) is required for the \
             '{name}' instance type. Ensure that you are using an AMI that is enabled for ENA."
        );
        return Err(ApiError::combination(text));
    }
    if platform.root_device_type == "instance-store"
        && !(family.virtualization.contains(&"paravirtual") && kind.store_gb() > 0)
    {
        let text = format!("The instance type '{name}' cannot boot from an instance store.");
        return Err(ApiError::combination(text));
    }
    if platform.tpm.is_some() && !family.tpm {
        let text = format!("The instance type '{name}' does not support NitroTPM.");
        return Err(ApiError::combination(text));
    }
    boot_mode(platform, kind)
}

fn boot_mode(platform: &Platform, kind: &InstanceType) -> Result<String, ApiError> {
    let modes = kind.family.boot_modes;
    let mode = match platform.boot_mode.as_deref() {
        Some("uefi-preferred") if modes.contains(&"uefi") => "uefi",
        Some("uefi-preferred") => "legacy-bios",
        Some(mode) => mode,
        // The default of the type.
        None => modes.first().copied().unwrap_or("legacy-bios"),
    };
    if !modes.contains(&mode) {
        let text = format!(
            "The instance type '{}' does not support the boot mode '{mode}' of the specified AMI.",
            kind.name
        );
        return Err(ApiError::combination(text));
    }
    Ok(mode.to_string())
}

fn check_devices(
    launch: &Launch,
    image: &Image,
    kind: &InstanceType,
    devices: &Planned,
) -> Result<(), ApiError> {
    if devices.volumes.len() > kind.family.volumes_max {
        let text = format!(
            "An instance of type '{}' can have {} volumes",
            kind.name, kind.family.volumes_max
        );
        return Err(ApiError::bad("AttachmentLimitExceeded", text));
    }
    let paravirtual = image.platform.virtualization == "paravirtual";
    if !paravirtual && (launch.kernel_id.is_some() || launch.ramdisk_id.is_some()) {
        let text = "A kernel or RAM disk cannot be given for a HVM image";
        return Err(ApiError::combination(text));
    }
    if launch.hibernation != Some(true) {
        return Ok(());
    }
    let is_root = |device: &str| image.platform.root_device_name.as_deref() == Some(device);
    let root = devices.volumes.iter().find(|volume| is_root(&volume.device));
    let encrypted = root.is_some_and(|root| {
        root.encryption.encrypted == Some(true)
            || root.snapshot.as_ref().is_some_and(|found| found.snapshot.kms_key.is_some())
    });
    let text = if !kind.family.hibernation {
        format!("Hibernation is not supported for the instance type '{}'.", kind.name)
    } else if !encrypted {
        "Hibernation requires an encrypted root volume.".to_string()
    } else {
        return Ok(());
    };
    Err(ApiError::bad("UnsupportedHibernationConfiguration", text))
}

/// The subnet and its zone: as asked for, or the default subnet of the zone, or of the first one.
fn place(region: &Region, launch: &Launch) -> Result<(String, String), ApiError> {
    let subnets = &region.furniture.network.subnets;
    let zone = launch.zone.as_ref();
    let found = match &launch.subnet_id {
        Some(id) => {
            well_formed(Kind::Subnet, id)?;
            let found = subnets.iter().find(|subnet| subnet.id == *id);
            found.ok_or_else(|| ApiError::not_found(Kind::Subnet, &[id]))?
        }
        None => {
            let found = subnets.iter().find(|subnet| zone.is_none_or(|zone| *zone == subnet.zone));
            found.ok_or_else(|| {
                let zone = zone.map(String::as_str).unwrap_or_default();
                ApiError::bad(
                    "InvalidParameterValue",
                    format!("Invalid availability zone: [{zone}]"),
                )
            })?
        }
    };
    if zone.is_some_and(|zone| *zone != found.zone) {
        let text = format!("The subnet '{}' is not in the given availability zone", found.id);
        return Err(ApiError::bad("InvalidParameterValue", text));
    }
    Ok((found.id.clone(), found.zone.clone()))
}

/// The ids of the security groups that are named by id or by name; else the default group.
fn groups(region: &Region, launch: &Launch, now: Time) -> Result<Vec<String>, ApiError> {
    let known = &region.furniture.network.groups;
    let visible = || known.values().filter(|group| group.visible_at <= now);
    let mut ids = Vec::new();
    for id in &launch.group_ids {
        well_formed(Kind::SecurityGroup, id)?;
        let found = visible().find(|group| group.id == *id);
        let found = found.ok_or_else(|| ApiError::not_found(Kind::SecurityGroup, &[id]))?;
        ids.push(found.id.clone());
    }
    for name in &launch.group_names {
        let found = visible().find(|group| group.name == *name).ok_or_else(|| {
            let text = format!("The security group '{name}' does not exist in default VPC");
            ApiError::bad("InvalidGroup.NotFound", text)
        })?;
        ids.push(found.id.clone());
    }
    if ids.is_empty() {
        ids.extend(visible().find(|group| group.name == "default").map(|group| group.id.clone()));
    }
    ids.dedup();
    Ok(ids)
}

fn profile_arn(call: &Call, profile: Option<&Profile>) -> Option<String> {
    let account = &call.scope.account;
    Some(match profile? {
        Profile::Arn(arn) => arn.clone(),
        Profile::Name(name) => format!("arn:aws:iam::{account}:instance-profile/{name}"),
    })
}

/// Everything that a launch makes and uses, each authorised by itself.
pub fn wants(model: &mut Model, call: &Call, launch: &Launch, plan: &Plan) -> Vec<Want> {
    const ACTION: &str = "ec2:RunInstances";
    let instance_tags = tags::of_kind(&launch.tags, Kind::Instance);
    let volume_tags = tags::of_kind(&launch.tags, Kind::Volume);
    let interface_tags = tags::of_kind(&launch.tags, Kind::NetworkInterface);
    let mut wants = vec![instance_want(call, plan.kind.name).request_tags(&instance_tags)];
    wants.push(image_want(ACTION, call, &plan.image));
    wants.push(Want::new(ACTION, call.arn(Kind::Subnet, &plan.subnet_id)));
    for id in &plan.group_ids {
        let groups = &model.ec2_region(&call.scope).furniture.network.groups;
        let own = groups.get(id).map(|group| group.tags.clone()).unwrap_or_default();
        wants.push(Want::new(ACTION, call.arn(Kind::SecurityGroup, id)).resource_tags(&own));
    }
    let interface = Want::new(ACTION, call.arn(Kind::NetworkInterface, "*"));
    wants.push(interface.request_tags(&interface_tags));
    for volume in &plan.devices.volumes {
        let held = volume.snapshot.as_ref().is_some_and(|found| found.snapshot.kms_key.is_some());
        let encrypted = held || volume.encryption.encrypted == Some(true);
        let want = volume_want(ACTION, call, &volume.size, encrypted);
        wants.push(want.request_tags(&volume_tags));
        if let Some(found) = volume.snapshot.as_ref().filter(|_| volume.snapshot_is_named) {
            wants.push(snapshot_want(ACTION, call, found));
        }
    }
    if let Some(name) = &launch.key_name {
        let (region, account) = (&call.scope.region, &call.scope.account);
        let arn = format!("arn:aws:ec2:{region}:{account}:key-pair/{name}");
        wants.push(Want::new(ACTION, arn));
    }
    if let Some(arn) = &plan.profile_arn {
        // A profile made in the console has the name of its role; no other is known here.
        let role = arn.replace(":instance-profile/", ":role/");
        let want = Want::new("iam:PassRole", role);
        wants.push(want.key("iam:PassedToService", "ec2.amazonaws.com"));
    }
    for (kind, given) in &launch.tags {
        wants.extend(call.tag_on_create(*kind, given));
    }
    wants
}

/// The making of an instance, whichever image it is made of.
pub fn instance_want(call: &Call, instance_type: &str) -> Want {
    let want = Want::new("ec2:RunInstances", call.arn(Kind::Instance, "*"));
    want.key("ec2:InstanceType", instance_type)
}

/// The use of an image.
pub fn image_want(action: &str, call: &Call, image: &Image) -> Want {
    Want::new(action, call.arn(Kind::Image, &image.id))
        .resource_tags(&image.tags)
        .key("ec2:Owner", image.owner_alias.as_deref().unwrap_or(&image.owner))
        .key("ec2:ImageID", image.id.as_str())
        .key("ec2:Public", image.public.to_string())
        .key("ec2:RootDeviceType", image.platform.root_device_type.as_str())
}
