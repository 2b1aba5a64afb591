//! CopyImage: called in the region that the copy is for, safe to repeat with its client token.

use super::{check_name, check_room, settle, unavailable_text, want_new, want_new_snapshots};
use crate::ec2::snapshots::copy::{self, Key, KeyFailure, Source, Terms, Wanted, is_full};
use crate::ec2::snapshots::{description, lifecycle, refuse_local};
use crate::ec2::state::{Image, ImageState, Origin, Reason, Snapshot, SnapshotState};
use crate::ec2::{lookup, tags, tokens, well_formed};
use crate::kernel::access::{Call, Tags};
use crate::kernel::error::{ApiError, Kind};
use crate::kernel::faults::Creation;
use crate::kernel::ids;
use crate::kernel::query::Fields;
use crate::kernel::scope::Scope;
use crate::kernel::xml::Xml;
use crate::model::Model;

/// Tags under this prefix go with an image to whoever copies it.
const SHARED_TAG: &str = "ec2:SharedTag/";

/// What the call asks for.
struct Asked {
    from: Scope,
    source_id: String,
    name: String,
    description: Option<String>,
    terms: Terms,
    copy_tags: bool,
    image_tags: Tags,
    snapshot_tags: Tags,
    token: Option<String>,
}

fn read(model: &Model, call: &Call, fields: &Fields) -> Result<Asked, ApiError> {
    let tag_limit = model.config.limits.tags_per_resource;
    let from = call.scope.in_region(copy::source_region(model, fields)?);
    let local =
        ["DestinationOutpostArn", "DestinationAvailabilityZone", "DestinationAvailabilityZoneId"];
    refuse_local(fields, &local)?;
    let specified = tags::specified(fields, &[Kind::Image, Kind::Snapshot], tag_limit)?;
    let text = fields.text("Description").filter(|text| !text.is_empty());
    Ok(Asked {
        from,
        source_id: fields.required("SourceImageId")?.to_string(),
        name: fields.required("Name")?.to_string(),
        description: text.map(|text| description(Some(text))).transpose()?,
        terms: Terms::read(fields, "SnapshotCopyCompletionDurationMinutes")?,
        copy_tags: fields.flag("CopyImageTags")?.unwrap_or(false),
        image_tags: tags::of_kind(&specified, Kind::Image),
        snapshot_tags: tags::of_kind(&specified, Kind::Snapshot),
        token: tokens::read(fields)?,
    })
}

pub fn copy(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let asked = read(model, call, fields)?;
    fields.finish()?;
    well_formed(Kind::Image, &asked.source_id)?;
    check_name(&asked.name)?;
    let source = source(model, &asked)?;
    let tags = image_tags(&asked, &source, &call.scope.account);
    tags::check_count(&tags, model.config.limits.tags_per_resource)?;
    let mut wants = vec![
        want_new(call, &asked.image_tags),
        source.want(call, &asked.from, "ec2:CopyImage"),
        want_new_snapshots(call, &asked.snapshot_tags),
    ];
    wants.extend(call.tag_on_create(Kind::Image, &tags));
    wants.extend(call.tag_on_create(Kind::Snapshot, &asked.snapshot_tags));
    model.permit(call, &wants)?;

    if let Some(id) = tokens::used(model, call, fields, asked.token.as_deref())? {
        return Ok(answer(&id));
    }
    check_source(model, call, &source)?;
    let sources = storage(model, call, &asked, &source)?;
    check_concurrency(model, call)?;
    check_room(model, &call.scope, &asked.name)?;
    let id = begin(model, call, &asked, &source, &sources, tags);
    tokens::keep(model, call, fields, asked.token, &id);
    Ok(answer(&id))
}

fn answer(id: &str) -> Xml {
    let mut xml = Xml::new();
    xml.leaf("imageId", id);
    xml
}

/// The source, as the caller sees it in its region.
fn source(model: &mut Model, asked: &Asked) -> Result<Image, ApiError> {
    let found = lookup::image_for(model, &asked.from, &asked.source_id);
    found.ok_or_else(|| ApiError::not_found(Kind::Image, &[&asked.source_id]))
}

fn check_source(model: &Model, call: &Call, source: &Image) -> Result<(), ApiError> {
    let quirks = &model.config.quirks;
    if source.state != ImageState::Available {
        return Err(ApiError::bad(&quirks.copy_unavailable_code, unavailable_text(source)));
    }
    let own = *source.owner == *call.scope.account;
    if source.is_marketplace() && !(own && quirks.own_marketplace_image_copies) {
        let text = "Images from AWS Marketplace cannot be copied to another AWS account.";
        return Err(ApiError::bad("InvalidRequest", text));
    }
    Ok(())
}

/// The snapshots behind the source, if the caller may read all of them: seeing an image is not
/// enough to copy its data.
fn storage(
    model: &mut Model,
    call: &Call,
    asked: &Asked,
    source: &Image,
) -> Result<Vec<Source>, ApiError> {
    let mut sources = Vec::new();
    for id in source.snapshot_ids() {
        let Some(found) = lookup::snapshot_for(model, &asked.from, id) else {
            let own = *source.owner == *call.scope.account;
            let text = if own {
                format!("The snapshot '{id}' behind the image does not exist.")
            } else {
                "You do not have permission to access the storage of this ami".to_string()
            };
            return Err(ApiError::bad("InvalidRequest", text));
        };
        let snapshot: Snapshot = found.snapshot;
        if snapshot.state != SnapshotState::Completed || snapshot.tier != "standard" {
            let text = format!("Snapshot is in invalid state - {}", snapshot.state.name());
            return Err(ApiError::bad("IncorrectState", text));
        }
        if snapshot.kms_key.is_some() && asked.terms.encrypted == Some(false) {
            let why = "An encrypted image cannot be copied to an unencrypted one.";
            return Err(ApiError::invalid_value("Encrypted", "false", why));
        }
        sources.push(Source { owner: asked.from.in_account(&found.owner), snapshot });
    }
    Ok(sources)
}

fn check_concurrency(model: &mut Model, call: &Call) -> Result<(), ApiError> {
    let most = model.config.limits.image_copies_per_region;
    let region = model.ec2_region(&call.scope);
    let pending = region.pending_images.iter().filter_map(|id| region.images.get(id));
    if pending.filter(|image| image.is_copy()).count() >= most {
        let text = format!(
            "Too many image copies in progress. The limit is {most} for this destination region."
        );
        return Err(ApiError::bad("ResourceLimitExceeded", text));
    }
    Ok(())
}

/// Tags that are asked for, over those of the source: the caller's own, or shared with the image.
fn image_tags(asked: &Asked, source: &Image, account: &str) -> Tags {
    let own = *source.owner == *account;
    let goes = |key: &str| {
        let users = own && !key.starts_with("aws:");
        asked.copy_tags && (users || key.starts_with(SHARED_TAG))
    };
    let copied = source.tags.iter().filter(|(key, _)| goes(key));
    let mut tags: Tags = copied.map(|(key, value)| (key.clone(), value.clone())).collect();
    tags.extend(asked.image_tags.clone());
    tags
}

/// Makes the image and begins the copies of the snapshots behind it.
fn begin(
    model: &mut Model,
    call: &Call,
    asked: &Asked,
    source: &Image,
    sources: &[Source],
    tags: Tags,
) -> String {
    let id = ids::resource(&mut model.rng, Kind::Image);
    let quota = model.config.limits.snapshots_per_region;
    let keys: Vec<Key> =
        sources.iter().map(|source| copy::key(model, call, &asked.terms, source)).collect();
    let mut failure = model.faults.creation_failure(Creation::ImageCopy, &call.scope);
    if is_full(model.ec2_region(&call.scope), sources.len(), quota) {
        failure = Some("Copy image failed with an internal error".to_string());
    }
    let failure =
        failure.or_else(|| keys.iter().find_map(|key| key.failure.as_ref()).map(failure_text));
    let mut devices = source.devices.clone();
    for (source_snapshot, key) in sources.iter().zip(&keys) {
        let old = &source_snapshot.snapshot.id;
        let new = snapshot(model, call, asked, &id, source_snapshot, key);
        lifecycle::plan_end(model, &call.scope, &new, failure.clone());
        for ebs in devices.iter_mut().filter_map(|device| device.ebs.as_mut()) {
            if ebs.snapshot_id.as_ref() == Some(old) {
                ebs.snapshot_id = Some(new.clone());
                ebs.encrypted = key.arn.is_some();
            }
        }
    }
    let image = Image {
        description: asked.description.clone().unwrap_or_else(|| source.description.clone()),
        platform: source.platform.clone(),
        devices,
        tags: tags.clone(),
        source_image_id: Some(source.id.clone()),
        source_image_region: Some(asked.from.region.to_string()),
        ..Image::new(id.clone(), &asked.name, call, model)
    };
    model.ec2_region(&call.scope).add_image(image);
    tags::created(model, &call.scope, &id, &tags);
    let code = model.config.quirks.copy_failure_code.clone();
    let reason = failure.map(|message| Reason::new(&code, message));
    settle::plan_settle(model, &call.scope, &id, reason);
    id
}

fn failure_text(failure: &KeyFailure) -> String {
    let why = match failure {
        KeyFailure::Invalid(name) => format!("The specified keyId {name} is invalid"),
        KeyFailure::Unusable(message) => message.clone(),
    };
    format!("AMI snapshot copy failed with error: {why}")
}

/// Begins the copy of one snapshot, whose description names both images and the source.
fn snapshot(
    model: &mut Model,
    call: &Call,
    asked: &Asked,
    image_id: &str,
    source: &Source,
    key: &Key,
) -> String {
    let old = &source.snapshot.id;
    let description = format!(
        "Copied for DestinationAmi {image_id} from SourceAmi {} for SourceSnapshot {old}. \
         Task created on {}.",
        asked.source_id,
        grouped(model.now.millis())
    );
    let origin = Origin::ImageCopy {
        region: asked.from.region.to_string(),
        snapshot_id: old.clone(),
        image_id: image_id.to_string(),
    };
    let wanted = Wanted { description, tags: asked.snapshot_tags.clone(), origin };
    copy::start(model, call, source, key, &asked.terms, wanted)
}

/// `1,607,338,338,349`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
