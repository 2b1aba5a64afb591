//! CreateVolume.

use super::key::Key;
use super::size::{self, Asked, Size};
use super::{Turn, describe, later};
use crate::ec2::furniture::zone_id;
use crate::ec2::lookup::{self, Owned};
use crate::ec2::state::Encryption;
use crate::ec2::state::{SnapshotState, Volume, VolumeState};
use crate::ec2::{tags, tokens, well_formed};
use crate::kernel::access::{Call, Tags, Want};
use crate::kernel::error::{ApiError, Kind};
use crate::kernel::query::Fields;
use crate::kernel::scope::Scope;
use crate::kernel::xml::Xml;
use crate::kernel::{ids, regions};
use crate::model::Model;

pub fn create(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let zone = read_zone(call, fields)?;
    let snapshot_id = fields.text("SnapshotId").filter(|id| !id.is_empty()).map(str::to_string);
    let asked = Asked {
        volume_type: fields.text("VolumeType").map(str::to_string),
        size_gib: fields.integer("Size")?,
        iops: fields.integer("Iops")?,
        throughput: fields.integer("Throughput")?,
    };
    let encryption = Encryption {
        encrypted: fields.flag("Encrypted")?,
        kms_key_id: fields.text("KmsKeyId").map(str::to_string),
    };
    let multi_attach = fields.flag("MultiAttachEnabled")?.unwrap_or(false);
    let token = tokens::read(fields)?;
    let limit = model.config.limits.tags_per_resource;
    let given = tags::specified(fields, &[Kind::Volume], limit)?;
    fields.finish()?;
    let given = tags::of_kind(&given, Kind::Volume);
    if multi_attach {
        let text = "Multi-Attach is not modelled here";
        return Err(ApiError::bad("UnsupportedOperation", text));
    }
    if let Some(id) = tokens::used(model, call, fields, token.as_deref())? {
        let want = Want::new("ec2:CreateVolume", call.arn(Kind::Volume, "*"));
        model.permit(call, &[want.request_tags(&given)])?;
        return answer(model, &call.scope, &id);
    }
    let snapshot = match &snapshot_id {
        None => None,
        Some(id) => Some(usable_snapshot(model, &call.scope, id)?),
    };
    encryption.check(snapshot.as_ref())?;
    let size = size::decide(&asked, snapshot.as_ref().map(bounds)).map_err(as_parameter)?;
    model.permit(call, &wants(call, &size, &encryption, snapshot.as_ref(), &given))?;
    let key = encryption.choose(model, call, snapshot.as_ref());
    let id = ids::resource(&mut model.rng, Kind::Volume);
    let failure = key.failure.clone();
    let mut volume = new(model, id.clone(), &zone, size, &key, snapshot.as_ref());
    volume.tags = given.clone();
    volume.visible_at = model.visible_from();
    model.ec2_region(&call.scope).volumes.insert(id.clone(), volume);
    tokens::keep(model, call, fields, token, &id);
    tags::created(model, &call.scope, &id, &given);
    let delay = model.config.pace.volume_creates;
    let turn = failure.map_or(Turn::Created, Turn::Failed);
    later(model, &call.scope, delay, &id, turn);
    answer(model, &call.scope, &id)
}

fn read_zone(call: &Call, fields: &Fields) -> Result<String, ApiError> {
    let region = call.scope.region.as_ref();
    let zones = regions::zones(region);
    let (name, id) = (fields.text("AvailabilityZone"), fields.text("AvailabilityZoneId"));
    let known = match (name, id) {
        (Some(name), None) => zones.into_iter().find(|zone| zone == name),
        (None, Some(id)) => zones.into_iter().find(|zone| zone_id(region, zone) == id),
        (Some(_), Some(_)) => {
            let text = "AvailabilityZone and AvailabilityZoneId cannot both be given";
            return Err(ApiError::combination(text));
        }
        (None, None) => return Err(ApiError::missing_parameter("AvailabilityZone")),
    };
    known.ok_or_else(|| {
        let text = format!("The zone '{}' does not exist.", name.or(id).unwrap_or_default());
        ApiError::bad("InvalidZone.NotFound", text)
    })
}

/// A snapshot that a volume can be made of: the caller may, and it is complete and at hand.
pub fn usable_snapshot(model: &mut Model, scope: &Scope, id: &str) -> Result<Owned, ApiError> {
    well_formed(Kind::Snapshot, id)?;
    let found = lookup::snapshot_for(model, scope, id);
    let found = found.ok_or_else(|| ApiError::not_found(Kind::Snapshot, &[id]))?;
    if found.snapshot.state != SnapshotState::Completed {
        let state = found.snapshot.state.name();
        let text = format!("Snapshot is in invalid state - {state}");
        return Err(ApiError::bad("IncorrectState", text));
    }
    if found.snapshot.tier == "archive" {
        let text = format!("The snapshot '{id}' is archived");
        return Err(ApiError::bad("IncorrectState", text));
    }
    Ok(found)
}

pub fn bounds(found: &Owned) -> (&str, u32) {
    (&found.snapshot.id, found.snapshot.size_gib)
}

/// The same mistake has another code where there is no block device mapping.
fn as_parameter(mut error: ApiError) -> ApiError {
    if error.code == "InvalidBlockDeviceMapping" {
        error.code = "InvalidParameterValue".to_string();
    }
    error
}

fn wants(
    call: &Call,
    size: &Size,
    encryption: &Encryption,
    snapshot: Option<&Owned>,
    given: &Tags,
) -> Vec<Want> {
    let held = snapshot.is_some_and(|found| found.snapshot.kms_key.is_some());
    let encrypted = encryption.encrypted == Some(true) || held;
    let volume = volume_want("ec2:CreateVolume", call, size, encrypted).request_tags(given);
    let mut wants = vec![match snapshot {
        None => volume,
        Some(found) => {
            volume.key("ec2:ParentSnapshot", call.arn(Kind::Snapshot, &found.snapshot.id))
        }
    }];
    if let Some(found) = snapshot {
        wants.push(snapshot_want("ec2:CreateVolume", call, found));
    }
    wants.extend(call.tag_on_create(Kind::Volume, given));
    wants
}

/// The making of a volume, with what policies can ask of it.
pub fn volume_want(action: &str, call: &Call, size: &Size, encrypted: bool) -> Want {
    let want = Want::new(action, call.arn(Kind::Volume, "*"))
        .key("ec2:VolumeSize", size.size_gib.to_string())
        .key("ec2:VolumeType", size.volume_type.as_str())
        .key("ec2:Encrypted", encrypted.to_string());
    match size.iops {
        None => want,
        Some(iops) => want.key("ec2:VolumeIops", iops.to_string()),
    }
}

/// The use of a snapshot as the source of a volume.
pub fn snapshot_want(action: &str, call: &Call, found: &Owned) -> Want {
    Want::new(action, call.arn(Kind::Snapshot, &found.snapshot.id))
        .resource_tags(&found.snapshot.tags)
        .key("ec2:Owner", found.owner.as_str())
        .key("ec2:SnapshotID", found.snapshot.id.as_str())
        .key("ec2:Encrypted", found.snapshot.kms_key.is_some().to_string())
}

/// A volume in state `creating`, without tags.
pub fn new(
    model: &Model,
    id: String,
    zone: &str,
    size: Size,
    key: &Key,
    snapshot: Option<&Owned>,
) -> Volume {
    let snapshot = snapshot.map(|found| &found.snapshot);
    Volume {
        id,
        size_gib: size.size_gib,
        snapshot_id: snapshot.map(|snapshot| snapshot.id.clone()),
        zone: zone.to_string(),
        state: VolumeState::Creating,
        created_at: model.now,
        volume_type: size.volume_type,
        iops: size.iops,
        throughput: size.throughput,
        kms_key: key.arn.clone(),
        multi_attach: false,
        instance_id: None,
        tags: Tags::new(),
        visible_at: model.now,
        snapshot_taken_at: None,
        product_codes: snapshot.map(|found| found.product_codes.clone()).unwrap_or_default(),
    }
}

fn answer(model: &mut Model, scope: &Scope, id: &str) -> Result<Xml, ApiError> {
    let region = model.ec2_region(scope);
    let Some(volume) = region.volumes.get(id) else {
        return Err(ApiError::not_found(Kind::Volume, &[id]));
    };
    let mut xml = Xml::new();
    describe::write(&mut xml, scope, region, volume);
    Ok(xml)
}
