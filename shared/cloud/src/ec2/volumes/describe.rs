//! DescribeVolumes, and how a volume is written.

use crate::ec2::furniture::zone_id;
use crate::ec2::network::check_ids;
use crate::ec2::state::Volume;
use crate::ec2::{Region, filter, tags};
use crate::kernel::access::{Call, Want};
use crate::kernel::error::{ApiError, Kind};
use crate::kernel::page::Page;
use crate::kernel::query::Fields;
use crate::kernel::scope::Scope;
use crate::kernel::xml::Xml;
use crate::model::Model;

const FILTERS: [&str; 15] = [
    "attachment.attach-time",
    "attachment.delete-on-termination",
    "attachment.device",
    "attachment.instance-id",
    "attachment.status",
    "availability-zone",
    "availability-zone-id",
    "create-time",
    "encrypted",
    "multi-attach-enabled",
    "size",
    "snapshot-id",
    "status",
    "volume-id",
    "volume-type",
];

pub fn describe(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let ids = filter::ids(fields, "VolumeId");
    let filters = filter::read(fields)?;
    filter::check(&filters, &FILTERS)?;
    // Nothing here is managed by a service, so that this includes nothing more.
    fields.flag("IncludeManagedResources")?;
    let page = Page::read(&model.config.quirks, fields, &(5..=1000), !ids.is_empty())?;
    fields.finish()?;
    model.permit(call, &[Want::anywhere("ec2:DescribeVolumes")])?;
    let now = model.now;
    let region = model.ec2_region(&call.scope);
    let visible = |volume: &&Volume| volume.visible_at <= now;
    check_ids(Kind::Volume, &ids, |id| region.volumes.get(id).as_ref().is_some_and(visible))?;
    let chosen = region.volumes.values().filter(visible).filter(|volume| {
        page.after.as_ref().is_none_or(|after| *after < volume.id)
            && (ids.is_empty() || ids.contains(&volume.id))
            && filter::passes(&filters, &volume.tags, |name| {
                values(&call.scope, region, volume, name)
            })
    });
    let (chosen, next) = page.take(chosen, |volume| &volume.id);
    let mut xml = Xml::new();
    xml.list("volumeSet", chosen, |xml, volume| write(xml, &call.scope, region, volume));
    xml.maybe("nextToken", next);
    Ok(xml)
}

fn values(scope: &Scope, region: &Region, volume: &Volume, name: &str) -> Vec<String> {
    if let Some(name) = name.strip_prefix("attachment.") {
        let Some(attachment) = region.attachment(volume) else { return Vec::new() };
        return vec![match name {
            "attach-time" => attachment.attached_at.to_millis_text(),
            "delete-on-termination" => attachment.delete_on_termination.to_string(),
            "device" => attachment.device.clone(),
            "instance-id" => volume.instance_id.clone().unwrap_or_default(),
            "status" => attachment.state.name().to_string(),
            _ => return Vec::new(),
        }];
    }
    vec![match name {
        "availability-zone" => volume.zone.clone(),
        "availability-zone-id" => zone_id(&scope.region, &volume.zone),
        "create-time" => volume.created_at.to_millis_text(),
        "encrypted" => volume.kms_key.is_some().to_string(),
        "multi-attach-enabled" => volume.multi_attach.to_string(),
        "size" => volume.size_gib.to_string(),
        "snapshot-id" => return volume.snapshot_id.clone().into_iter().collect(),
        "status" => volume.state.name().to_string(),
        "volume-id" => volume.id.clone(),
        "volume-type" => volume.volume_type.clone(),
        _ => return Vec::new(),
    }]
}

/// The elements of a volume, with its attachment.
pub fn write(xml: &mut Xml, scope: &Scope, region: &Region, volume: &Volume) {
    xml.leaf("volumeId", &volume.id).number("size", volume.size_gib);
    xml.leaf("snapshotId", volume.snapshot_id.as_deref().unwrap_or_default());
    xml.leaf("availabilityZone", &volume.zone);
    xml.leaf("availabilityZoneId", zone_id(&scope.region, &volume.zone));
    xml.leaf("status", volume.state.name());
    xml.leaf("createTime", volume.created_at.to_millis_text());
    xml.list("attachmentSet", region.attachment(volume), |xml, attachment| {
        xml.leaf("volumeId", &volume.id).maybe("instanceId", volume.instance_id.as_ref());
        xml.leaf("device", &attachment.device).leaf("status", attachment.state.name());
        xml.leaf("attachTime", attachment.attached_at.to_millis_text());
        xml.flag("deleteOnTermination", attachment.delete_on_termination);
    });
    tags::write(xml, &volume.tags);
    xml.leaf("volumeType", &volume.volume_type);
    xml.maybe("iops", volume.iops.map(|iops| iops.to_string()));
    xml.maybe("throughput", volume.throughput.map(|throughput| throughput.to_string()));
    xml.flag("encrypted", volume.kms_key.is_some()).maybe("kmsKeyId", volume.kms_key.as_ref());
    xml.flag("multiAttachEnabled", volume.multi_attach);
}
