//! CreateSnapshot, and CreateSnapshots: all volumes of a machine at one moment.

use std::collections::BTreeSet;

use super::events::Member;
use super::{description, key_failure, lifecycle, refuse_local};
use crate::ec2::state::{Billing, Instance, InstanceState, Origin, Snapshot, Volume, VolumeState};
use crate::ec2::{tags, well_formed};
use crate::kernel::access::{Call, Tags, Want};
use crate::kernel::error::{ApiError, Kind};
use crate::kernel::faults::Creation;
use crate::kernel::ids;
use crate::kernel::query::Fields;
use crate::kernel::scope::Scope;
use crate::kernel::xml::Xml;
use crate::model::Model;

const EXCLUDED_VOLUMES_MAX: usize = 40;

pub fn one(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let limit = model.config.limits.tags_per_resource;
    let volume_id = fields.required("VolumeId")?.to_string();
    let description = description(fields.text("Description"))?;
    refuse_local(fields, &["OutpostArn", "Location"])?;
    let specified = tags::specified(fields, &[Kind::Snapshot], limit)?;
    fields.finish()?;
    let tags = tags::of_kind(&specified, Kind::Snapshot);

    let volume = volume(model, &call.scope, &volume_id)?;
    let mut wants = wants(call, "ec2:CreateSnapshot", &volume, &tags);
    wants.extend(call.tag_on_create(Kind::Snapshot, &tags));
    model.permit(call, &wants)?;
    check_state(&volume)?;
    check_limits(model, &call.scope, std::slice::from_ref(&volume))?;

    let owner = volume.instance_id.as_ref();
    let instance = owner.and_then(|id| model.ec2_region(&call.scope).instances.get(id));
    let billing = instance.and_then(|instance| Billing::of(instance, &volume.id));
    let wanted = Wanted { description, tags, origin: Origin::Single, billing };
    let id = start(model, call, &volume, wanted);
    let failure = failure(model, call, Creation::Snapshot, &[volume]);
    lifecycle::plan_end(model, &call.scope, &id, failure);

    let mut xml = Xml::new();
    if let Some(snapshot) = model.ec2_region(&call.scope).snapshots.get(&id).cloned() {
        super::describe::write(&mut xml, &snapshot, &call.scope.account, model.now, true);
    }
    Ok(xml)
}

/// A volume that the caller can see by now.
fn volume(model: &mut Model, scope: &Scope, id: &str) -> Result<Volume, ApiError> {
    well_formed(Kind::Volume, id)?;
    let now = model.now;
    let volume = model.ec2_region(scope).volumes.get(id);
    let volume = volume.filter(|v| v.visible_at <= now && v.state != VolumeState::Deleted);
    volume.cloned().ok_or_else(|| ApiError::not_found(Kind::Volume, &[id]))
}

fn check_state(volume: &Volume) -> Result<(), ApiError> {
    match volume.state {
        VolumeState::Available | VolumeState::InUse => Ok(()),
        VolumeState::Creating
        | VolumeState::Deleting
        | VolumeState::Deleted
        | VolumeState::Error => {
            let text = format!("Volume '{}' is in state '{}'", volume.id, volume.state.name());
            Err(ApiError::bad("IncorrectState", text))
        }
    }
}

/// The volume is one resource of the call, the snapshot that is to be another.
fn wants(call: &Call, action: &str, volume: &Volume, tags: &Tags) -> Vec<Want> {
    let arn = call.arn(Kind::Volume, &volume.id);
    let snapshot = Want::new(action, call.arn(Kind::Snapshot, "*"))
        .key("ec2:ParentVolume", arn.as_str())
        .key("ec2:Owner", &*call.scope.account)
        .key("ec2:Encrypted", if volume.kms_key.is_some() { "true" } else { "false" })
        .request_tags(tags);
    vec![Want::new(action, arn).resource_tags(&volume.tags), snapshot]
}

/// The rate and the concurrency of each volume, what may be pending in the region, and the quota.
pub fn check_limits(model: &mut Model, scope: &Scope, volumes: &[Volume]) -> Result<(), ApiError> {
    let now = model.now;
    let limits = model.config.limits.clone();
    let region = model.ec2_region(scope);
    for volume in volumes {
        if volume.snapshot_taken_at.is_some_and(|at| now.since(at) < limits.snapshot_spacing) {
            let text = "The maximum per volume CreateSnapshot request rate has been exceeded. \
                        Use an increasing or variable sleep interval between requests.";
            return Err(ApiError::bad("SnapshotCreationPerVolumeRateExceeded", text));
        }
        let most = match volume.volume_type.as_str() {
            "st1" | "sc1" => limits.snapshots_of_cold_volume,
            _ => limits.snapshots_of_volume,
        };
        if region.pending(|s| s.volume_id == volume.id && !s.is_copy()) >= most {
            let text = "Maximum allowed in-progress snapshots for a single volume exceeded.";
            return Err(ApiError::bad("ConcurrentSnapshotLimitExceeded", text));
        }
    }
    if region.pending(|s| !s.is_copy()) + volumes.len() > limits.pending_snapshots_per_region {
        let text = "The maximum number of pending snapshots has been reached.";
        return Err(ApiError::bad("PendingSnapshotLimitExceeded", text));
    }
    if super::copy::is_full(region, volumes.len(), limits.snapshots_per_region) {
        return Err(ApiError::bad("SnapshotLimitExceeded", "Maximum number of snapshots reached."));
    }
    Ok(())
}

/// What there is to say about a new snapshot beside its volume.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub description: String,
    pub tags: Tags,
    pub origin: Origin,
    pub billing: Option<Billing>,
}

/// Begins a snapshot of a volume. Its end is for the caller to plan.
pub fn start(model: &mut Model, call: &Call, volume: &Volume, wanted: Wanted) -> String {
    let scope = &call.scope;
    let now = model.now;
    let id = ids::resource(&mut model.rng, Kind::Snapshot);
    let visible_at = model.visible_from();
    let incremental = model.ec2_region(scope).has_earlier(volume);
    let pace = &model.config.pace;
    let (base, per_gib) = (pace.snapshot_base, pace.snapshot_per_gib);
    let span = model.spread(super::duration(base, per_gib, volume.size_gib, incremental));
    let snapshot = Snapshot {
        completes_at: now + span,
        description: wanted.description,
        kms_key: volume.kms_key.clone(),
        tags: wanted.tags.clone(),
        incremental,
        origin: wanted.origin,
        product_codes: volume.product_codes.clone(),
        billing: wanted.billing,
        visible_at,
        request_id: call.request_id.clone(),
        ..Snapshot::new(id.clone(), &volume.id, volume.size_gib, now)
    };
    let region = model.ec2_region(scope);
    region.add_snapshot(snapshot);
    if let Some(volume) = region.volumes.get_mut(&volume.id) {
        volume.snapshot_taken_at = Some(now);
    }
    tags::created(model, scope, &id, &wanted.tags);
    id
}

/// Why making the snapshots is going to fail, if it is: a rule, or a key that EBS may not use.
pub fn failure(
    model: &mut Model,
    call: &Call,
    kind: Creation,
    volumes: &[Volume],
) -> Option<String> {
    if let Some(message) = model.faults.creation_failure(kind, &call.scope) {
        return Some(message);
    }
    let keys: BTreeSet<&String> = volumes.iter().filter_map(|v| v.kms_key.as_ref()).collect();
    keys.into_iter().find_map(|key| key_failure(model, call, key))
}

/// What CreateSnapshots asks for.
struct Set {
    instance_id: String,
    without_boot: bool,
    without: BTreeSet<String>,
    description: String,
    copy_tags: bool,
    tags: Tags,
}

fn read_set(fields: &Fields, tag_limit: usize) -> Result<Set, ApiError> {
    let Some(instance) = fields.group("InstanceSpecification") else {
        return Err(ApiError::missing_parameter("InstanceSpecification"));
    };
    let instance_id = instance.required("InstanceId")?.to_string();
    let without_boot = instance.flag("ExcludeBootVolume")?.unwrap_or(false);
    let without: BTreeSet<String> = instance.list("ExcludeDataVolumeId").into_iter().collect();
    if without.len() > EXCLUDED_VOLUMES_MAX {
        let text = format!("At most {EXCLUDED_VOLUMES_MAX} data volumes can be excluded");
        return Err(ApiError::bad("InvalidParameterValue", text));
    }
    let copy_tags = match fields.text("CopyTagsFromSource") {
        None | Some("") => false,
        Some("volume") => true,
        Some(other) => return Err(fields.invalid("CopyTagsFromSource", other, "Try volume.")),
    };
    refuse_local(fields, &["OutpostArn", "Location"])?;
    let specified = tags::specified(fields, &[Kind::Snapshot], tag_limit)?;
    Ok(Set {
        instance_id,
        without_boot,
        without,
        description: description(fields.text("Description"))?,
        copy_tags,
        tags: tags::of_kind(&specified, Kind::Snapshot),
    })
}

pub fn set(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let limit = model.config.limits.tags_per_resource;
    let set = read_set(fields, limit)?;
    fields.finish()?;
    let instance = instance(model, &call.scope, &set.instance_id)?;
    let volumes = chosen(model, &call.scope, &instance, &set)?;
    let mut wants = Vec::new();
    let action = "ec2:CreateSnapshots";
    let arn = call.arn(Kind::Instance, &instance.id);
    wants.push(Want::new(action, arn).resource_tags(&instance.tags));
    for volume in &volumes {
        let tags = tags_of(&set, volume);
        tags::check_count(&tags, limit)?;
        wants.extend(self::wants(call, action, volume, &tags));
        wants.extend(call.tag_on_create(Kind::Snapshot, &tags));
    }
    model.permit(call, &wants)?;
    check_instance_state(&instance)?;
    check_limits(model, &call.scope, &volumes)?;

    let mut members: Vec<Member> = Vec::new();
    for volume in &volumes {
        // The set goes by the id of its first snapshot, which is not known before it is begun.
        let first = members.first().map(|member| member.id.clone()).unwrap_or_default();
        let wanted = Wanted {
            description: set.description.clone(),
            tags: tags_of(&set, volume),
            origin: Origin::Set(first),
            billing: Billing::of(&instance, &volume.id),
        };
        let id = start(model, call, volume, wanted);
        members.push(Member { id, volume_id: volume.id.clone() });
    }
    name_set(model, &call.scope, &members);
    let failure = failure(model, call, Creation::SnapshotSet, &volumes);
    lifecycle::plan_set(model, &call.scope, members.clone(), failure);
    Ok(answer_set(model, call, &members))
}

/// A volume's own tags, if they are to be copied, under those that the call gives.
fn tags_of(set: &Set, volume: &Volume) -> Tags {
    let mut tags = Tags::new();
    if set.copy_tags {
        let own = volume.tags.iter().filter(|(key, _)| !key.starts_with("aws:"));
        tags.extend(own.map(|(key, value)| (key.clone(), value.clone())));
    }
    tags.extend(set.tags.clone());
    tags
}

fn name_set(model: &mut Model, scope: &Scope, members: &[Member]) {
    let Some(first) = members.first() else { return };
    if let Some(snapshot) = model.ec2_region(scope).snapshots.get_mut(&first.id) {
        snapshot.origin = Origin::Set(first.id.clone());
    }
}

/// A machine that the caller can see by now.
pub fn instance(model: &mut Model, scope: &Scope, id: &str) -> Result<Instance, ApiError> {
    well_formed(Kind::Instance, id)?;
    let now = model.now;
    let instance = model.ec2_region(scope).instances.get(id).filter(|i| i.visible_at <= now);
    instance.cloned().ok_or_else(|| ApiError::not_found(Kind::Instance, &[id]))
}

/// Machines in any other state are refused with a code that other operations use otherwise.
pub fn check_instance_state(instance: &Instance) -> Result<(), ApiError> {
    match instance.state {
        InstanceState::Running | InstanceState::Stopping | InstanceState::Stopped => Ok(()),
        InstanceState::Pending | InstanceState::ShuttingDown | InstanceState::Terminated => {
            let text = format!(
                "Invalid value '{}' for instanceId. Instance is not in state \
                 'running' or 'stopping' or 'stopped'",
                instance.id
            );
            Err(ApiError::bad("InvalidParameterValue", text))
        }
    }
}

/// The volumes that the set is to hold, in the order in which they are attached.
fn chosen(
    model: &mut Model,
    scope: &Scope,
    instance: &Instance,
    set: &Set,
) -> Result<Vec<Volume>, ApiError> {
    let root = instance.platform.root_device_name.as_deref().unwrap_or_default();
    let is_root = |device: &str| device == root;
    for id in &set.without {
        well_formed(Kind::Volume, id)?;
        let attached = instance.attachments.iter().find(|a| a.volume_id == *id);
        let text = match attached {
            None => format!("The volume '{id}' is not attached to the instance '{}'", instance.id),
            Some(attached) if is_root(&attached.device) => {
                format!("The volume '{id}' is the root volume: use ExcludeBootVolume instead")
            }
            Some(_) => continue,
        };
        return Err(ApiError::bad("InvalidParameterValue", text));
    }
    let region = model.ec2_region(scope);
    let taken = instance.attachments.iter().filter(|attached| {
        let excluded = set.without_boot && is_root(&attached.device);
        !excluded && !set.without.contains(&attached.volume_id)
    });
    let volumes: Vec<Volume> =
        taken.filter_map(|attached| region.volumes.get(&attached.volume_id).cloned()).collect();
    if volumes.is_empty() {
        let text = format!(
            "There are no attached EBS-backed volumes on the instance id ({})",
            instance.id
        );
        return Err(ApiError::bad("InvalidParameterValue", text));
    }
    Ok(volumes)
}

/// The snapshots of a set, which have `state` where a single snapshot has `status`.
fn answer_set(model: &mut Model, call: &Call, members: &[Member]) -> Xml {
    let now = model.now;
    let region = model.ec2_region(&call.scope);
    let snapshots = members.iter().filter_map(|member| region.snapshots.get(&member.id));
    let mut xml = Xml::new();
    xml.list("snapshotSet", snapshots, |xml, snapshot| {
        xml.leaf("snapshotId", &snapshot.id)
            .leaf("volumeId", &snapshot.volume_id)
            .leaf("state", snapshot.state.name())
            .number("volumeSize", snapshot.size_gib)
            .leaf("startTime", snapshot.started_at.to_millis_text())
            .leaf("progress", snapshot.progress(now))
            .leaf("ownerId", &*call.scope.account)
            .leaf("description", &snapshot.description)
            .flag("encrypted", snapshot.kms_key.is_some());
        tags::write(xml, &snapshot.tags);
    });
    xml
}
