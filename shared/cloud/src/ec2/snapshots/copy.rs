//! CopySnapshot, and what it has in common with CopyImage: keys, duration, lineage.

use super::{description, duration, key_failure, lifecycle, refuse_local, usable};
use crate::ec2::state::{Origin, Region, Snapshot, SnapshotState};
use crate::ec2::tags;
use crate::kernel::access::{Call, Tags, Want};
use crate::kernel::arn;
use crate::kernel::error::{ApiError, Kind};
use crate::kernel::faults::Creation;
use crate::kernel::query::Fields;
use crate::kernel::scope::Scope;
use crate::kernel::xml::Xml;
use crate::kernel::{ids, regions};
use crate::kms;
use crate::model::Model;

/// Copies carry this volume, which does not exist.
const NO_VOLUME: &str = "vol-ffffffff";
/// Time-based copies come in these steps, up to two days.
const MINUTES_STEP: i64 = 15;
const MINUTES_MAX: i64 = 2880;

/// The part of a copy call that says how the copy is to be encrypted and how fast it is to be made.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    pub encrypted: Option<bool>,
    /// A key of the destination region: id, alias, or the ARN of either.
    pub kms_key_id: Option<String>,
    pub minutes: Option<u32>,
}

impl Terms {
    /// `Encrypted`, `KmsKeyId`, and the completion duration under its name.
    pub fn read(fields: &Fields, minutes: &str) -> Result<Terms, ApiError> {
        let encrypted = fields.flag("Encrypted")?;
        let kms_key_id = fields.text("KmsKeyId").filter(|key| !key.is_empty());
        if kms_key_id.is_some() && encrypted != Some(true) {
            let text = "The parameter KmsKeyId requires the parameter Encrypted to be set.";
            return Err(ApiError::bad("InvalidParameterDependency", text));
        }
        let minutes = match fields.integer(minutes)? {
            None => None,
            Some(n) if (1..=MINUTES_MAX).contains(&n) && n % MINUTES_STEP == 0 => {
                u32::try_from(n).ok()
            }
            Some(n) => {
                let why = format!("It must be a multiple of {MINUTES_STEP} up to {MINUTES_MAX}.");
                return Err(fields.invalid(minutes, &n.to_string(), &why));
            }
        };
        Ok(Terms { encrypted, kms_key_id: kms_key_id.map(str::to_string), minutes })
    }
}

/// Where a copy comes from.
#[derive(Clone, Debug)]
pub struct Source {
    pub owner: Scope,
    pub snapshot: Snapshot,
}

/// The key that a copy is under, or why it will never be.
#[derive(Clone, Debug, Default)]
pub struct Key {
    pub arn: Option<String>,
    pub failure: Option<KeyFailure>,
}

/// A wrong key is found out only while the copy is made.
#[derive(Clone, Debug)]
pub enum KeyFailure {
    /// There is no such key.
    Invalid(String),
    /// It is there, but not for this caller, or not for use.
    Unusable(String),
}

/// Decides the key of a copy. Encrypted data stays encrypted, whatever the call says.
pub fn key(model: &mut Model, call: &Call, terms: &Terms, source: &Source) -> Key {
    let own = source.owner.account == call.scope.account;
    let within_region = source.owner.region == call.scope.region;
    let old = source.snapshot.kms_key.clone();
    let by_default = model.ec2_region(&call.scope).encryption_by_default;
    let arn = match (&terms.kms_key_id, &old) {
        (Some(name), _) => match kms::resolve(model, &call.scope, name) {
            Some(arn) => arn,
            None => {
                let failure = Some(KeyFailure::Invalid(name.clone()));
                return Key { arn: Some(name.clone()), failure };
            }
        },
        (None, Some(old)) => {
            let plain = terms.encrypted.is_none();
            let keeps = model.config.quirks.plain_copy_keeps_key && plain && own && within_region;
            if keeps { old.clone() } else { kms::default_ebs_key(model, &call.scope) }
        }
        (None, None) if terms.encrypted == Some(true) || by_default => {
            kms::default_ebs_key(model, &call.scope)
        }
        (None, None) => return Key::default(),
    };
    let keys = old.iter().chain([&arn]);
    let failure = keys.into_iter().find_map(|key| key_failure(model, call, key));
    Key { arn: Some(arn), failure: failure.map(KeyFailure::Unusable) }
}

/// Begins the copy of a snapshot. Its end is for the caller to plan.
pub fn start(
    model: &mut Model,
    call: &Call,
    source: &Source,
    key: &Key,
    terms: &Terms,
    wanted: Wanted,
) -> String {
    let now = model.now;
    let id = ids::resource(&mut model.rng, Kind::Snapshot);
    let visible_at = model.visible_from();
    let old = &source.snapshot;
    let same_place = source.owner == call.scope && key.arn == old.kms_key;
    let region = model.ec2_region(&call.scope);
    let incremental = same_place || region.has_last_copy(&old.lineage, key.arn.as_ref());
    let (base, per_gib) = (model.config.pace.copy_base, model.config.pace.copy_per_gib);
    let mut span = model.spread(duration(base, per_gib, old.size_gib, incremental));
    if let Some(minutes) = terms.minutes {
        span = span.min(std::time::Duration::from_secs(u64::from(minutes) * 60));
    }
    let transfer = if terms.minutes.is_some() { "time-based" } else { "standard" };
    let snapshot = Snapshot {
        completes_at: now + span,
        description: wanted.description,
        kms_key: key.arn.clone(),
        tags: wanted.tags.clone(),
        lineage: old.lineage.clone(),
        incremental,
        origin: wanted.origin,
        product_codes: old.product_codes.clone(),
        billing: old.billing.clone(),
        transfer_type: Some(transfer.to_string()),
        completion_minutes: terms.minutes,
        visible_at,
        request_id: call.request_id.clone(),
        ..Snapshot::new(id.clone(), NO_VOLUME, old.size_gib, now)
    };
    model.ec2_region(&call.scope).add_snapshot(snapshot);
    tags::created(model, &call.scope, &id, &wanted.tags);
    id
}

/// What there is to say about a copy beside its source.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub description: String,
    pub tags: Tags,
    pub origin: Origin,
}

/// `SourceRegion`: a region that there is, and that answers.
pub fn source_region<'a>(model: &Model, fields: &'a Fields) -> Result<&'a str, ApiError> {
    let region = fields.required("SourceRegion")?;
    if !regions::is_known(region) {
        return Err(fields.invalid("SourceRegion", region, "Invalid region."));
    }
    if model.dark_regions.contains(region) {
        let text = "The source region cannot be reached. Please try again later.";
        return Err(ApiError::new(503, "Unavailable", text));
    }
    Ok(region)
}

pub fn copy(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let tag_limit = model.config.limits.tags_per_resource;
    let from = source_region(model, fields)?.to_string();
    let source_id = fields.required("SourceSnapshotId")?.to_string();
    let description = description(fields.text("Description"))?;
    let terms = Terms::read(fields, "CompletionDurationMinutes")?;
    if terms.encrypted == Some(false) {
        let why = "A copy can be encrypted, but not decrypted: omit the parameter.";
        return Err(fields.invalid("Encrypted", "false", why));
    }
    refuse_local(fields, &["DestinationOutpostArn", "DestinationAvailabilityZone"])?;
    // Clients add these two by themselves. They say nothing that the signature does not say.
    let _ = (fields.text("PresignedUrl"), fields.text("DestinationRegion"));
    let specified = tags::specified(fields, &[Kind::Snapshot], tag_limit)?;
    fields.finish()?;
    let tags = tags::of_kind(&specified, Kind::Snapshot);
    let (owner, snapshot) = usable(model, &call.scope.in_region(&from), &source_id)?;
    let source = Source { owner, snapshot };
    permit(model, call, &source, &terms, &tags)?;
    check_source(&source.snapshot)?;
    check_limits(model, call)?;

    let key = key(model, call, &terms, &source);
    let rule = model.faults.creation_failure(Creation::SnapshotCopy, &call.scope);
    let failure = rule.or(key.failure.as_ref().map(|failure| match failure {
        KeyFailure::Invalid(_) => "Given key ID is not accessible".to_string(),
        KeyFailure::Unusable(message) => message.clone(),
    }));
    let origin = Origin::Copy { region: from, snapshot_id: source_id };
    let wanted = Wanted { description, tags: tags.clone(), origin };
    let id = start(model, call, &source, &key, &terms, wanted);
    lifecycle::plan_end(model, &call.scope, &id, failure);
    let mut xml = Xml::new();
    xml.leaf("snapshotId", &id);
    tags::write(&mut xml, &tags);
    Ok(xml)
}

/// The source and the copy are two resources of the call.
fn permit(
    model: &Model,
    call: &Call,
    source: &Source,
    terms: &Terms,
    tags: &Tags,
) -> Result<(), ApiError> {
    let action = "ec2:CopySnapshot";
    let encrypted = terms.encrypted == Some(true) || source.snapshot.kms_key.is_some();
    let parent = arn::of_ec2(&source.owner, Kind::Snapshot, &source.snapshot.id);
    let copy = Want::new(action, call.arn(Kind::Snapshot, "*"))
        .key("ec2:Owner", &*call.scope.account)
        .key("ec2:Encrypted", if encrypted { "true" } else { "false" })
        .key("ec2:ParentSnapshot", parent)
        .request_tags(tags);
    let mut wants = vec![source.snapshot.want(call, &source.owner, action), copy];
    wants.extend(call.tag_on_create(Kind::Snapshot, tags));
    model.permit(call, &wants)
}

fn check_source(source: &Snapshot) -> Result<(), ApiError> {
    if source.tier == "archive" {
        let text = format!("Snapshot '{}' is archived and cannot be copied", source.id);
        return Err(ApiError::bad("IncorrectState", text));
    }
    match source.state {
        SnapshotState::Completed => Ok(()),
        SnapshotState::Pending | SnapshotState::Error => {
            let text = format!("Snapshot is in invalid state - {}", source.state.name());
            Err(ApiError::bad("IncorrectState", text))
        }
    }
}

fn check_limits(model: &mut Model, call: &Call) -> Result<(), ApiError> {
    let copies_max = model.config.limits.snapshot_copies_per_region;
    let quota = model.config.limits.snapshots_per_region;
    let region = model.ec2_region(&call.scope);
    if region.pending(|s| matches!(s.origin, Origin::Copy { .. })) >= copies_max {
        let text = format!(
            "Too many snapshot copies in progress. The limit is {copies_max} \
             for this destination region."
        );
        return Err(ApiError::bad("ResourceLimitExceeded", text));
    }
    if is_full(region, 1, quota) {
        return Err(ApiError::bad("SnapshotLimitExceeded", "Maximum number of snapshots reached."));
    }
    Ok(())
}

/// Whether so many more snapshots are too many for the region.
pub fn is_full(region: &Region, more: usize, quota: usize) -> bool {
    region.snapshots.len() + more > quota
}
