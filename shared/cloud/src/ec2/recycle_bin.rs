//! The Recycle Bin: deregistered images and deleted snapshots, kept for some days and restored
//! under their ids.
//!
//! The world has one rule, for all images and snapshots of all regions (`recycle_bin_days`). What
//! was not finished (pending, or failed) is not kept. Nothing is removed from the bin by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::state::{ImageState, Kept, Region, Snapshot, SnapshotState};
use super::{done, filter, well_formed};
use crate::kernel::access::{Call, Want};
use crate::kernel::error::{ApiError, Kind};
use crate::kernel::page::Page;
use crate::kernel::query::Fields;
use crate::kernel::time::Time;
use crate::kernel::xml::Xml;
use crate::model::Model;

const DAY: Duration = Duration::from_secs(24 * 3600);

impl<T> Kept<T> {
    fn new(resource: T, now: Time, span: Duration) -> Kept<T> {
        Kept { resource, entered_at: now, leaves_at: now + span }
    }

    fn write_times(&self, xml: &mut Xml) {
        xml.leaf("recycleBinEnterTime", self.entered_at.to_millis_text())
            .leaf("recycleBinExitTime", self.leaves_at.to_millis_text());
    }
}

/// Returns the time for which the bin keeps what is deleted; none if there is no rule.
pub fn span(model: &Model) -> Option<Duration> {
    let days = model.config.recycle_bin_days;
    (days > 0).then(|| DAY * days)
}

/// Keeps an image that is about to be deregistered.
pub fn keep_image(region: &mut Region, id: &str, now: Time, span: Option<Duration>) {
    let image = region
        .images
        .get(id)
        .filter(|image| matches!(image.state, ImageState::Available | ImageState::Disabled));
    if let (Some(image), Some(span)) = (image.cloned(), span) {
        region.bin.images.insert(id.to_string(), Kept::new(image, now, span));
    }
}

/// Keeps a snapshot that is about to be deleted.
pub fn keep_snapshot(region: &mut Region, id: &str, now: Time, span: Option<Duration>) {
    let snapshot = region.snapshots.get(id);
    let snapshot = snapshot.filter(|snapshot| snapshot.state == SnapshotState::Completed);
    if let (Some(snapshot), Some(span)) = (snapshot.cloned(), span) {
        let snapshot = Snapshot { in_use_until: None, ..snapshot };
        region.bin.snapshots.insert(id.to_string(), Kept::new(snapshot, now, span));
    }
}

pub fn list_images(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let (ids, page) = begin_listing(model, call, fields, ("ImageId", Kind::Image))?;
    let images = &model.ec2_region(&call.scope).bin.images;
    let (rows, next) = page.take(rows(images, &ids, &page), |(id, _)| id);
    let mut xml = Xml::new();
    xml.list("imageSet", rows, |xml, (id, kept)| {
        xml.leaf("imageId", id).leaf("name", &kept.resource.name);
        xml.leaf("description", &kept.resource.description);
        kept.write_times(xml);
    });
    xml.maybe("nextToken", next);
    Ok(xml)
}

pub fn list_snapshots(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let (ids, page) = begin_listing(model, call, fields, ("SnapshotId", Kind::Snapshot))?;
    let snapshots = &model.ec2_region(&call.scope).bin.snapshots;
    let (rows, next) = page.take(rows(snapshots, &ids, &page), |(id, _)| id);
    let mut xml = Xml::new();
    xml.list("snapshotSet", rows, |xml, (id, kept)| {
        xml.leaf("snapshotId", id).leaf("volumeId", &kept.resource.volume_id);
        xml.leaf("description", &kept.resource.description);
        kept.write_times(xml);
    });
    xml.maybe("nextToken", next);
    Ok(xml)
}

/// Reads which items of the bin are wanted, and checks that the caller may list them.
fn begin_listing(
    model: &mut Model,
    call: &Call,
    fields: &Fields,
    (name, kind): (&str, Kind),
) -> Result<(BTreeSet<String>, Page), ApiError> {
    let ids = filter::ids(fields, name);
    let bounds = &model.config.quirks.page_size;
    let page = Page::read(&model.config.quirks, fields, bounds, !ids.is_empty())?;
    fields.finish()?;
    for id in &ids {
        well_formed(kind, id)?;
    }
    model.permit(call, &[Want::anywhere(&format!("ec2:{}", call.action))])?;
    let now = model.now;
    model.ec2_region(&call.scope).bin.empty(now);
    Ok((ids, page))
}

fn rows<'a, T>(
    kept: &'a BTreeMap<String, Kept<T>>,
    ids: &'a BTreeSet<String>,
    page: &'a Page,
) -> impl Iterator<Item = (&'a str, &'a Kept<T>)> {
    let is_wanted = |id: &str| {
        let is_after = page.after.as_deref().is_none_or(|after| id > after);
        is_after && (ids.is_empty() || ids.contains(id))
    };
    kept.iter().map(|(id, kept)| (id.as_str(), kept)).filter(move |(id, _)| is_wanted(id))
}

/// Puts an image back as it was, under its name. Its snapshots have to be there.
pub fn restore_image(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let id = fields.required("ImageId")?.to_string();
    fields.finish()?;
    well_formed(Kind::Image, &id)?;
    let now = model.now;
    let bin = &mut model.ec2_region(&call.scope).bin;
    bin.empty(now);
    let Some(image) = bin.images.get(&id).map(|kept| kept.resource.clone()) else {
        return Err(ApiError::not_found(Kind::Image, &[&id]));
    };
    let want = image.want(call, &call.scope, "ec2:RestoreImageFromRecycleBin");
    model.permit(call, &[want])?;
    let region = model.ec2_region(&call.scope);
    let is_complete = |snapshot: &&str| {
        let snapshot = region.snapshots.get(*snapshot);
        snapshot.is_some_and(|snapshot| snapshot.state == SnapshotState::Completed)
    };
    if let Some(missing) = image.snapshot_ids().find(|snapshot| !is_complete(snapshot)) {
        return Err(ApiError::not_found(Kind::Snapshot, &[missing]));
    }
    if let Some(holder) = region.image_names.get(&image.name) {
        let text = format!("AMI name {} is already in use by AMI {holder}", image.name);
        return Err(ApiError::bad("InvalidAMIName.Duplicate", text));
    }
    region.bin.images.remove(&id);
    region.images_gone.remove(&id);
    region.add_image(image);
    Ok(done())
}

/// Puts a snapshot back as it was.
pub fn restore_snapshot(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let id = fields.required("SnapshotId")?.to_string();
    fields.finish()?;
    well_formed(Kind::Snapshot, &id)?;
    let now = model.now;
    let bin = &mut model.ec2_region(&call.scope).bin;
    bin.empty(now);
    let Some(snapshot) = bin.snapshots.get(&id).map(|kept| kept.resource.clone()) else {
        return Err(ApiError::not_found(Kind::Snapshot, &[&id]));
    };
    let want = snapshot.want(call, &call.scope, "ec2:RestoreSnapshotFromRecycleBin");
    model.permit(call, &[want])?;
    let mut xml = Xml::new();
    xml.leaf("snapshotId", &id)
        .leaf("volumeId", &snapshot.volume_id)
        .leaf("volumeSize", snapshot.size_gib.to_string())
        .leaf("description", &snapshot.description)
        .leaf("ownerId", &*call.scope.account)
        .leaf("startTime", snapshot.started_at.to_millis_text())
        .leaf("status", snapshot.state.name())
        .leaf("progress", snapshot.progress(now));
    xml.flag("encrypted", snapshot.kms_key.is_some());
    let region = model.ec2_region(&call.scope);
    region.bin.snapshots.remove(&id);
    region.add_snapshot(snapshot);
    Ok(xml)
}
