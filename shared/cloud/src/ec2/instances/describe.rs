//! DescribeInstances, and how an instance is written.

use std::collections::BTreeMap;

use super::filters::{FILTERS, public_ip, values};
use super::lifecycle::write_state;
use crate::ec2::furniture::zone_id;
use crate::ec2::network::check_ids;
use crate::ec2::state::{Instance, InstanceState, Platform};
use crate::ec2::{Region, filter, tags};
use crate::kernel::access::{Call, Want};
use crate::kernel::error::{ApiError, Kind};
use crate::kernel::hash;
use crate::kernel::ids;
use crate::kernel::page::Page;
use crate::kernel::query::Fields;
use crate::kernel::scope::Scope;
use crate::kernel::time::Time;
use crate::kernel::xml::Xml;
use crate::model::Model;

pub fn describe(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let ids = filter::ids(fields, "InstanceId");
    let filters = filter::read(fields)?;
    filter::check(&filters, &FILTERS)?;
    // Nothing here is managed by a service, so that this includes nothing more.
    fields.flag("IncludeManagedResources")?;
    let page = Page::read(&model.config.quirks, fields, &(5..=1000), !ids.is_empty())?;
    fields.finish()?;
    model.permit(call, &[Want::anywhere("ec2:DescribeInstances")])?;
    let now = model.now;
    let scope = &call.scope;
    let region = model.ec2_region(scope);
    let visible = |instance: &&Instance| instance.visible_at <= now;
    check_ids(Kind::Instance, &ids, |id| region.instances.get(id).as_ref().is_some_and(visible))?;
    let chosen = region.instances.values().filter(visible).filter(|instance| {
        page.after.as_ref().is_none_or(|after| *after < instance.id)
            && (ids.is_empty() || ids.contains(&instance.id))
            && filter::passes(&filters, &instance.tags, |name| {
                values(scope, region, instance, name)
            })
    });
    let (chosen, next) = page.take(chosen, |instance| &instance.id);
    let mut reservations: BTreeMap<&str, Vec<&Instance>> = BTreeMap::new();
    for instance in chosen {
        reservations.entry(&instance.reservation_id).or_default().push(instance);
    }
    let mut xml = Xml::new();
    xml.list("reservationSet", reservations, |xml, (reservation, instances)| {
        xml.leaf("reservationId", reservation).leaf("ownerId", &scope.account);
        xml.list("instancesSet", instances, |xml, instance| {
            write_instance(xml, scope, region, instance, now);
        });
    });
    xml.maybe("nextToken", next);
    Ok(xml)
}

fn private_dns_name(scope: &Scope, instance: &Instance) -> String {
    let host = instance.private_ip.replace('.', "-");
    match scope.region.as_ref() {
        "us-east-1" => format!("ip-{host}.ec2.internal"),
        region => format!("ip-{host}.{region}.compute.internal"),
    }
}

/// The elements of an instance in the answers of RunInstances and DescribeInstances.
pub fn write_instance(
    xml: &mut Xml,
    scope: &Scope,
    region: &Region,
    instance: &Instance,
    now: Time,
) {
    let gone = instance.state == InstanceState::Terminated;
    xml.leaf("instanceId", &instance.id).leaf("imageId", &instance.image_id);
    xml.node("instanceState", |xml| write_state(xml, instance.state));
    let dns_name = if gone { String::new() } else { private_dns_name(scope, instance) };
    xml.leaf("privateDnsName", dns_name).leaf("dnsName", "");
    xml.leaf("reason", &instance.transition_reason);
    xml.maybe("keyName", instance.key_name.as_ref());
    xml.number("amiLaunchIndex", instance.launch_index);
    write_product_codes(xml, &instance.platform);
    xml.leaf("instanceType", &instance.instance_type);
    xml.leaf("launchTime", instance.launch_time.to_millis_text());
    xml.node("placement", |xml| {
        xml.leaf("availabilityZone", &instance.zone);
        xml.leaf("availabilityZoneId", zone_id(&scope.region, &instance.zone));
        xml.leaf("groupName", "").leaf("tenancy", "default");
    });
    xml.node("monitoring", |xml| {
        xml.leaf("state", if instance.monitoring { "enabled" } else { "disabled" });
    });
    if !gone {
        write_network(xml, scope, region, instance);
    }
    if let Some(reason) = &instance.state_reason {
        xml.node("stateReason", |xml| {
            xml.leaf("code", &reason.code).leaf("message", &reason.message);
        });
    }
    write_platform(xml, instance);
    write_devices(xml, scope, instance);
    if instance.spot {
        xml.leaf("instanceLifecycle", "spot");
        xml.leaf("spotInstanceRequestId", ids::fixed("sir", &[&instance.id]));
    }
    xml.leaf("clientToken", &instance.client_token);
    tags::write(xml, &instance.tags);
    if let Some(arn) = &instance.profile_arn {
        xml.node("iamInstanceProfile", |xml| {
            xml.leaf("arn", arn).leaf("id", format!("AIPA{:016X}", hash::of_texts(&[arn])));
        });
    }
    xml.flag("ebsOptimized", instance.ebs_optimized);
    xml.node("hibernationOptions", |xml| {
        xml.flag("configured", instance.hibernation);
    });
    write_metadata(xml, instance, now);
}

fn write_product_codes(xml: &mut Xml, platform: &Platform) {
    xml.list("productCodes", &platform.product_codes, |xml, code| {
        xml.leaf("productCode", &code.id).leaf("type", &code.kind);
    });
}

fn write_groups(xml: &mut Xml, region: &Region, instance: &Instance) {
    let groups = &region.furniture.network.groups;
    let groups = instance.group_ids.iter().filter_map(|id| groups.get(id));
    xml.list("groupSet", groups, |xml, group| {
        xml.leaf("groupId", &group.id).leaf("groupName", &group.name);
    });
}

fn write_network(xml: &mut Xml, scope: &Scope, region: &Region, instance: &Instance) {
    xml.leaf("subnetId", &instance.subnet_id).leaf("vpcId", &instance.vpc_id);
    xml.leaf("privateIpAddress", &instance.private_ip);
    xml.maybe("ipAddress", public_ip(instance));
    xml.flag("sourceDestCheck", instance.source_dest_check);
    write_groups(xml, region, instance);
    xml.list("networkInterfaceSet", [instance], |xml, instance| {
        xml.leaf("networkInterfaceId", &instance.interface_id);
        xml.leaf("subnetId", &instance.subnet_id).leaf("vpcId", &instance.vpc_id);
        xml.leaf("ownerId", &scope.account).leaf("status", "in-use");
        xml.leaf("privateIpAddress", &instance.private_ip);
        xml.flag("sourceDestCheck", instance.source_dest_check);
        write_groups(xml, region, instance);
        xml.node("attachment", |xml| {
            xml.number("deviceIndex", 0)
                .leaf("status", "attached")
                .flag("deleteOnTermination", true);
        });
        xml.leaf("interfaceType", "interface");
    });
}

fn write_platform(xml: &mut Xml, instance: &Instance) {
    let platform = &instance.platform;
    xml.maybe("kernelId", platform.kernel_id.as_ref());
    xml.maybe("ramdiskId", platform.ramdisk_id.as_ref());
    xml.maybe("platform", platform.platform.as_ref());
    xml.leaf("platformDetails", &platform.platform_details);
    xml.leaf("usageOperation", &platform.usage_operation);
    xml.leaf("architecture", &platform.architecture);
    xml.leaf("rootDeviceType", &platform.root_device_type);
    xml.maybe("rootDeviceName", platform.root_device_name.as_ref());
    xml.leaf("virtualizationType", &platform.virtualization);
    // EC2 says `xen` of every instance, also of those on Nitro.
    xml.leaf("hypervisor", "xen");
    xml.flag("enaSupport", platform.ena);
    xml.maybe("sriovNetSupport", platform.sriov.as_ref());
    xml.maybe("bootMode", platform.boot_mode.as_ref());
    xml.leaf("currentInstanceBootMode", &instance.current_boot_mode);
    xml.maybe("tpmSupport", platform.tpm.as_ref());
}

fn write_devices(xml: &mut Xml, scope: &Scope, instance: &Instance) {
    xml.list("blockDeviceMapping", &instance.attachments, |xml, attachment| {
        xml.leaf("deviceName", &attachment.device);
        xml.node("ebs", |xml| {
            xml.leaf("volumeId", &attachment.volume_id).leaf("status", attachment.state.name());
            xml.leaf("attachTime", attachment.attached_at.to_millis_text());
            xml.flag("deleteOnTermination", attachment.delete_on_termination);
            xml.leaf("volumeOwnerId", &scope.account);
        });
    });
}

fn write_metadata(xml: &mut Xml, instance: &Instance, now: Time) {
    let options = &instance.metadata;
    let pending = instance.state == InstanceState::Pending && instance.launch_time == now;
    xml.node("metadataOptions", |xml| {
        xml.leaf("state", if pending { "pending" } else { "applied" });
        xml.leaf("httpTokens", &options.tokens);
        xml.number("httpPutResponseHopLimit", options.hop_limit);
        xml.leaf("httpEndpoint", &options.endpoint).leaf("httpProtocolIpv6", &options.ipv6);
        xml.leaf("instanceMetadataTags", &options.tags);
    });
}
