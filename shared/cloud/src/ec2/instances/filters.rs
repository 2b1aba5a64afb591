//! What an instance has under the name of each filter of DescribeInstances.

use crate::ec2::state::Instance;
use crate::ec2::{Region, furniture};
use crate::kernel::hash;
use crate::kernel::scope::Scope;

pub const FILTERS: [&str; 46] = [
    "architecture",
    "availability-zone",
    "availability-zone-id",
    "block-device-mapping.attach-time",
    "block-device-mapping.delete-on-termination",
    "block-device-mapping.device-name",
    "block-device-mapping.status",
    "block-device-mapping.volume-id",
    "boot-mode",
    "client-token",
    "current-instance-boot-mode",
    "ena-support",
    "group-id",
    "group-name",
    "hibernation-options.configured",
    "hypervisor",
    "iam-instance-profile.arn",
    "iam-instance-profile.name",
    "image-id",
    "instance-id",
    "instance-lifecycle",
    "instance-state-code",
    "instance-state-name",
    "instance-type",
    "instance.group-id",
    "instance.group-name",
    "ip-address",
    "kernel-id",
    "key-name",
    "launch-index",
    "launch-time",
    "owner-id",
    "platform",
    "platform-details",
    "private-ip-address",
    "product-code",
    "product-code.type",
    "ramdisk-id",
    "reservation-id",
    "root-device-name",
    "root-device-type",
    "state-reason-code",
    "subnet-id",
    "usage-operation",
    "virtualization-type",
    "vpc-id",
];

/// Every way in which the instance may be matched.
pub fn values(scope: &Scope, region: &Region, instance: &Instance, name: &str) -> Vec<String> {
    if let Some(name) = name.strip_prefix("block-device-mapping.") {
        return device_values(instance, name);
    }
    let platform = &instance.platform;
    let maybe = |text: &Option<String>| text.iter().cloned().collect::<Vec<_>>();
    match name {
        "boot-mode" => maybe(&platform.boot_mode),
        "group-id" | "instance.group-id" => instance.group_ids.clone(),
        "group-name" | "instance.group-name" => group_names(region, instance),
        "iam-instance-profile.arn" => maybe(&instance.profile_arn),
        "iam-instance-profile.name" => profile_name(instance),
        "instance-lifecycle" if !instance.spot => Vec::new(),
        "ip-address" => public_ip(instance).into_iter().collect(),
        "kernel-id" => maybe(&platform.kernel_id),
        "key-name" => maybe(&instance.key_name),
        "platform" => maybe(&platform.platform),
        "product-code" => platform.product_codes.iter().map(|code| code.id.clone()).collect(),
        "product-code.type" => {
            platform.product_codes.iter().map(|code| code.kind.clone()).collect()
        }
        "ramdisk-id" => maybe(&platform.ramdisk_id),
        "root-device-name" => maybe(&platform.root_device_name),
        "state-reason-code" => instance.state_reason.iter().map(|r| r.code.clone()).collect(),
        name => single(scope, instance, name).into_iter().collect(),
    }
}

/// The filters that match one thing which every instance has.
fn single(scope: &Scope, instance: &Instance, name: &str) -> Option<String> {
    let platform = &instance.platform;
    Some(match name {
        "architecture" => platform.architecture.clone(),
        "availability-zone" => instance.zone.clone(),
        "availability-zone-id" => furniture::zone_id(&scope.region, &instance.zone),
        "client-token" => instance.client_token.clone(),
        "current-instance-boot-mode" => instance.current_boot_mode.clone(),
        "ena-support" => platform.ena.to_string(),
        "hibernation-options.configured" => instance.hibernation.to_string(),
        "hypervisor" => "xen".to_string(),
        "image-id" => instance.image_id.clone(),
        "instance-id" => instance.id.clone(),
        "instance-lifecycle" => "spot".to_string(),
        "instance-state-code" => instance.state.code().to_string(),
        "instance-state-name" => instance.state.name().to_string(),
        "instance-type" => instance.instance_type.clone(),
        "launch-index" => instance.launch_index.to_string(),
        "launch-time" => instance.launch_time.to_millis_text(),
        "owner-id" => scope.account.to_string(),
        "platform-details" => platform.platform_details.clone(),
        "private-ip-address" => instance.private_ip.clone(),
        "reservation-id" => instance.reservation_id.clone(),
        "root-device-type" => platform.root_device_type.clone(),
        "subnet-id" => instance.subnet_id.clone(),
        "usage-operation" => platform.usage_operation.clone(),
        "virtualization-type" => platform.virtualization.clone(),
        "vpc-id" => instance.vpc_id.clone(),
        _ => return None,
    })
}

fn device_values(instance: &Instance, name: &str) -> Vec<String> {
    let values = instance.attachments.iter().filter_map(|attachment| {
        Some(match name {
            "attach-time" => attachment.attached_at.to_millis_text(),
            "delete-on-termination" => attachment.delete_on_termination.to_string(),
            "device-name" => attachment.device.clone(),
            "status" => attachment.state.name().to_string(),
            "volume-id" => attachment.volume_id.clone(),
            _ => return None,
        })
    });
    values.collect()
}

fn group_names(region: &Region, instance: &Instance) -> Vec<String> {
    let groups = &region.furniture.network.groups;
    let named = instance.group_ids.iter().filter_map(|id| groups.get(id));
    named.map(|group| group.name.clone()).collect()
}

fn profile_name(instance: &Instance) -> Vec<String> {
    let name = instance.profile_arn.as_ref().and_then(|arn| arn.rsplit('/').next());
    name.map(str::to_string).into_iter().collect()
}

/// The public address of an instance, which is another one after each start, and none while it
/// does not run.
pub fn public_ip(instance: &Instance) -> Option<String> {
    instance.running_since.filter(|_| instance.public_address)?;
    let bits = hash::of_texts(&[&instance.id, &instance.run.to_string()]).to_be_bytes();
    let [a, b, c, ..] = bits;
    Some(format!("3.{a}.{b}.{c}"))
}
