//! DescribeImages: one's own images, and those of others that one may launch.
//!
//! A page is a walk over the maps from the id in its token, so that its cost is that of a page,
//! however many images there are.

use std::collections::{BTreeMap, BTreeSet};

use crate::ec2::filter::{self, Filter};
use crate::ec2::lookup::is_shown_to;
use crate::ec2::merge::Merged;
use crate::ec2::snapshots::attributes::write_product_codes;
use crate::ec2::state::{BlockDevice, EbsDevice, Grantee, Image, ImageState, InstanceState};
use crate::ec2::{catalogue, tags, well_formed};
use crate::kernel::access::{Call, Tags, Want};
use crate::kernel::error::{ApiError, Kind};
use crate::kernel::page::Page;
use crate::kernel::query::Fields;
use crate::kernel::scope::Scope;
use crate::kernel::time::Time;
use crate::kernel::xml::Xml;
use crate::model::Model;

const FILTERS: [&str; 36] = [
    "architecture",
    "block-device-mapping.delete-on-termination",
    "block-device-mapping.device-name",
    "block-device-mapping.encrypted",
    "block-device-mapping.snapshot-id",
    "block-device-mapping.volume-size",
    "block-device-mapping.volume-type",
    "boot-mode",
    "creation-date",
    "description",
    "ena-support",
    "hypervisor",
    "image-id",
    "image-type",
    "imds-support",
    "is-public",
    "kernel-id",
    "manifest-location",
    "name",
    "owner-alias",
    "owner-id",
    "platform",
    "platform-details",
    "product-code",
    "product-code.type",
    "ramdisk-id",
    "root-device-name",
    "root-device-type",
    "source-image-id",
    "source-image-region",
    "source-instance-id",
    "state",
    "state-reason-code",
    "state-reason-message",
    "tpm-support",
    "virtualization-type",
];

struct Query {
    me: String,
    ids: BTreeSet<String>,
    owners: Vec<String>,
    executable_by: Vec<String>,
    filters: Vec<Filter>,
    deprecated: bool,
    disabled: bool,
    now: Time,
}

pub fn describe(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let me = call.scope.account.to_string();
    let me_or = |name: String| if name == "self" { me.clone() } else { name };
    let query = Query {
        ids: filter::ids(fields, "ImageId"),
        owners: fields.list("Owner").into_iter().map(me_or).collect(),
        executable_by: fields.list("ExecutableBy").into_iter().map(me_or).collect(),
        filters: filter::read(fields)?,
        deprecated: fields.flag("IncludeDeprecated")?.unwrap_or(false),
        disabled: fields.flag("IncludeDisabled")?.unwrap_or(false),
        now: model.now,
        me: me.clone(),
    };
    filter::check(&query.filters, &FILTERS)?;
    let has_ids = !query.ids.is_empty();
    let page = Page::read(&model.config.quirks, fields, &model.config.quirks.page_size, has_ids)?;
    fields.finish()?;
    for id in &query.ids {
        well_formed(Kind::Image, id)?;
    }
    model.permit(call, &[Want::anywhere("ec2:DescribeImages")])?;
    let public = catalogue::public(&call.scope.region);
    let maps = || {
        let here = model.ec2.iter().filter(|(owner, _)| owner.region == call.scope.region);
        here.map(|(owner, region)| (owner, &region.images)).chain(public)
    };
    let remembered = remembered(model, call, &query.ids);
    check_ids(&query, &remembered, maps())?;
    let empty_mapping = model.config.lag.empty_mapping_while_pending;
    let after = page.after.as_deref();
    let (rows, next) = if has_ids {
        let found = query.ids.iter().filter_map(|id| {
            maps().find_map(|(owner, images)| Some((owner, id.as_str(), images.get(id)?)))
        });
        page.take(found.filter(|(_, _, image)| query.takes(image)), |(_, id, _)| id)
    } else {
        let all = Merged::new(maps().filter(|(owner, _)| query.takes_owner(owner)), after);
        page.take(all.filter(|(_, _, image)| query.takes(image)), |(_, id, _)| id)
    };
    let mut xml = Xml::new();
    xml.list("imagesSet", rows, |xml, (_, _, image)| {
        write(xml, image, *image.owner == me, empty_mapping);
    });
    xml.maybe("nextToken", next);
    Ok(xml)
}

/// The ids of own images that are gone and not forgotten: they find nothing, and are no error. An
/// id is remembered for a while, and for as long as a machine refers to it.
fn remembered<'a>(model: &Model, call: &Call, ids: &'a BTreeSet<String>) -> BTreeSet<&'a str> {
    let Some(region) = model.ec2.get(&call.scope) else { return BTreeSet::new() };
    let is_used = |id: &str| {
        let mut machines = region.instances.values();
        machines.any(|it| it.image_id == id && it.state != InstanceState::Terminated)
    };
    let is_remembered = |id: &&str| {
        let gone = region.images_gone.get(*id);
        let recently = |at: &Time| model.now.since(*at) < model.config.pace.image_forgotten;
        gone.is_some_and(|at| recently(at) || is_used(id))
    };
    ids.iter().map(String::as_str).filter(is_remembered).collect()
}

/// An id that the caller cannot see is an error; all of them are named.
fn check_ids<'a>(
    query: &Query,
    remembered: &BTreeSet<&str>,
    maps: impl Iterator<Item = (&'a Scope, &'a BTreeMap<String, Image>)>,
) -> Result<(), ApiError> {
    let maps: Vec<_> = maps.collect();
    let sees = |id: &str| {
        let image = maps.iter().find_map(|(_, images)| images.get(id));
        image.is_some_and(|image| query.may_see(image))
    };
    let known = |id: &str| sees(id) || remembered.contains(id);
    let missing: Vec<&str> = query.ids.iter().map(String::as_str).filter(|id| !known(id)).collect();
    if missing.is_empty() { Ok(()) } else { Err(ApiError::not_found(Kind::Image, &missing)) }
}

impl Query {
    /// Whether an account can own what is asked for. Aliases are not known from the account.
    fn takes_owner(&self, owner: &Scope) -> bool {
        let alias = |wanted: &String| !wanted.bytes().all(|byte| byte.is_ascii_digit());
        let fits = |wanted: &String| **wanted == *owner.account || alias(wanted);
        self.owners.is_empty() || self.owners.iter().any(fits)
    }

    fn may_see(&self, image: &Image) -> bool {
        image.visible_at <= self.now && (image.owner == self.me || is_shown_to(image, &self.me))
    }

    fn takes(&self, image: &Image) -> bool {
        let own = image.owner == self.me;
        let owned =
            |wanted: &String| *wanted == image.owner || Some(wanted) == image.owner_alias.as_ref();
        let gone = image.state == ImageState::Deregistered && self.ids.is_empty();
        let disabled = image.state == ImageState::Disabled && !self.disabled;
        let old = image.deprecation_time.is_some_and(|at| at <= self.now);
        let deprecated = old && !own && !self.deprecated;
        if gone || disabled || deprecated || !self.may_see(image) {
            return false;
        }
        if !self.owners.is_empty() && !self.owners.iter().any(owned) {
            return false;
        }
        if !self.executable_by.is_empty()
            && !self.executable_by.iter().any(|who| is_launchable_by(image, who))
        {
            return false;
        }
        let none = Tags::new();
        let tags = if own { &image.tags } else { &none };
        filter::passes(&self.filters, tags, |name| values(image, name))
    }
}

/// Explicit permission: what is public is launchable by everybody, but listed under `all` only.
fn is_launchable_by(image: &Image, who: &str) -> bool {
    match who {
        "all" => image.public,
        account => image.launch_permissions.contains(&Grantee::Account(account.to_string())),
    }
}

fn values(image: &Image, name: &str) -> Vec<String> {
    if let Some(name) = name.strip_prefix("block-device-mapping.") {
        return image.devices.iter().filter_map(|device| device_value(device, name)).collect();
    }
    let platform = &image.platform;
    let value = match name {
        "architecture" => Some(platform.architecture.clone()),
        "boot-mode" => platform.boot_mode.clone(),
        "creation-date" => Some(image.created_at.to_millis_text()),
        "description" => Some(image.description.clone()),
        "ena-support" => Some(platform.ena.to_string()),
        "hypervisor" => Some("xen".to_string()),
        "image-id" => Some(image.id.clone()),
        "image-type" => Some("machine".to_string()),
        "imds-support" => platform.imds.clone(),
        "is-public" => Some(image.public.to_string()),
        "kernel-id" => platform.kernel_id.clone(),
        "manifest-location" => Some(location(image)),
        "name" => Some(image.name.clone()),
        "owner-alias" => image.owner_alias.clone(),
        "owner-id" => Some(image.owner.clone()),
        "platform" => platform.platform.clone(),
        "platform-details" => Some(platform.platform_details.clone()),
        "product-code" => return platform.product_codes.iter().map(|c| c.id.clone()).collect(),
        "product-code.type" => {
            return platform.product_codes.iter().map(|c| c.kind.clone()).collect();
        }
        "ramdisk-id" => platform.ramdisk_id.clone(),
        "root-device-name" => platform.root_device_name.clone(),
        "root-device-type" => Some(platform.root_device_type.clone()),
        "source-image-id" => image.source_image_id.clone(),
        "source-image-region" => image.source_image_region.clone(),
        "source-instance-id" => image.source_instance_id.clone(),
        "state" => Some(image.state.name().to_string()),
        "state-reason-code" => image.reason.as_ref().map(|reason| reason.code.clone()),
        "state-reason-message" => image.reason.as_ref().map(|reason| reason.message.clone()),
        "tpm-support" => platform.tpm.clone(),
        "virtualization-type" => Some(platform.virtualization.clone()),
        _ => None,
    };
    value.into_iter().collect()
}

fn device_value(device: &BlockDevice, name: &str) -> Option<String> {
    if name == "device-name" {
        return Some(device.device.clone());
    }
    let ebs = device.ebs.as_ref()?;
    match name {
        "delete-on-termination" => Some(ebs.delete_on_termination.to_string()),
        "encrypted" => Some(ebs.encrypted.to_string()),
        "snapshot-id" => ebs.snapshot_id.clone(),
        "volume-size" => Some(ebs.size_gib.to_string()),
        "volume-type" => Some(ebs.volume_type.clone()),
        _ => None,
    }
}

fn location(image: &Image) -> String {
    format!("{}/{}", image.owner_alias.as_ref().unwrap_or(&image.owner), image.name)
}

/// An image as DescribeImages shows it. Tags are shown to the owner alone.
fn write(xml: &mut Xml, image: &Image, own: bool, empty_mapping: bool) {
    let platform = &image.platform;
    xml.leaf("imageId", &image.id)
        .leaf("imageLocation", location(image))
        .leaf("imageState", image.state.name())
        .leaf("imageOwnerId", &image.owner)
        .leaf("creationDate", image.created_at.to_millis_text())
        .flag("isPublic", image.public);
    if !platform.product_codes.is_empty() {
        write_product_codes(xml, &platform.product_codes);
    }
    xml.leaf("architecture", &platform.architecture)
        .leaf("imageType", "machine")
        .maybe("kernelId", platform.kernel_id.as_ref())
        .maybe("ramdiskId", platform.ramdisk_id.as_ref())
        .maybe("platform", platform.platform.as_ref())
        .leaf("platformDetails", &platform.platform_details)
        .leaf("usageOperation", &platform.usage_operation);
    let hides_snapshots = empty_mapping && image.state == ImageState::Pending;
    write_devices(xml, image, hides_snapshots);
    xml.maybe("description", Some(&image.description).filter(|text| !text.is_empty()))
        .flag("enaSupport", platform.ena)
        .leaf("hypervisor", "xen")
        .maybe("imageOwnerAlias", image.owner_alias.as_ref())
        .leaf("name", &image.name)
        .maybe("rootDeviceName", platform.root_device_name.as_ref())
        .leaf("rootDeviceType", &platform.root_device_type)
        .maybe("sriovNetSupport", platform.sriov.as_ref());
    if let Some(reason) = &image.reason {
        xml.node("stateReason", |xml| {
            xml.leaf("code", &reason.code).leaf("message", &reason.message);
        });
    }
    if own {
        tags::write(xml, &image.tags);
        xml.leaf("deregistrationProtection", image.protection.word())
            .maybe("lastLaunchedTime", image.last_launched_at.map(Time::to_millis_text));
    }
    xml.leaf("virtualizationType", &platform.virtualization)
        .maybe("bootMode", platform.boot_mode.as_ref())
        .maybe("tpmSupport", platform.tpm.as_ref())
        .maybe("deprecationTime", image.deprecation_time.map(Time::to_millis_text))
        .maybe("imdsSupport", platform.imds.as_ref())
        .maybe("sourceInstanceId", image.source_instance_id.as_ref())
        .maybe("sourceImageId", image.source_image_id.as_ref())
        .maybe("sourceImageRegion", image.source_image_region.as_ref());
}

/// `<blockDeviceMapping>`; the snapshots may be left out for as long as they are being made.
pub fn write_devices(xml: &mut Xml, image: &Image, hides_snapshots: bool) {
    xml.list("blockDeviceMapping", &image.devices, |xml, device| {
        xml.leaf("deviceName", &device.device).maybe("virtualName", device.virtual_name.as_ref());
        if let Some(ebs) = &device.ebs {
            xml.node("ebs", |xml| write_ebs(xml, ebs, hides_snapshots));
        }
    });
}

fn write_ebs(xml: &mut Xml, ebs: &EbsDevice, hides_snapshot: bool) {
    xml.flag("deleteOnTermination", ebs.delete_on_termination);
    if let Some(iops) = ebs.iops {
        xml.number("iops", iops);
    }
    xml.maybe("snapshotId", ebs.snapshot_id.as_ref().filter(|_| !hides_snapshot))
        .number("volumeSize", ebs.size_gib)
        .leaf("volumeType", &ebs.volume_type);
    if let Some(throughput) = ebs.throughput {
        xml.number("throughput", throughput);
    }
    xml.flag("encrypted", ebs.encrypted);
}
