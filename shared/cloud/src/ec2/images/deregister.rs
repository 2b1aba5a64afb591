//! DeregisterImage, with or without the snapshots behind the image.

use std::collections::BTreeSet;

use super::own;
use super::settle;
use crate::ec2::recycle_bin;
use crate::ec2::snapshots::delete::{is_locked, remove};
use crate::ec2::state::{Image, ImageState, Protection};
use crate::kernel::access::Call;
use crate::kernel::error::ApiError;
use crate::kernel::query::Fields;
use crate::kernel::time::Time;
use crate::kernel::xml::Xml;
use crate::model::Model;

pub fn deregister(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let id = fields.required("ImageId")?.to_string();
    let with_snapshots = fields.flag("DeleteAssociatedSnapshots")?.unwrap_or(false);
    fields.finish()?;
    let image = own(model, &call.scope, &id)?.clone();
    model.permit(call, &[image.want(call, &call.scope, "ec2:DeregisterImage")])?;
    if image.protection.is_on(model.now) {
        let text = format!("The image '{id}' is protected from deregistration");
        return Err(ApiError::bad(&model.config.quirks.protected_image_code, text));
    }
    let snapshots: BTreeSet<String> = image.snapshot_ids().map(str::to_string).collect();
    let shared = release(model, call, &image, &snapshots);
    let mut results = Vec::new();
    if is_pending_copy(&image) {
        settle::drop_snapshots(model.ec2_region(&call.scope), &snapshots);
    } else if with_snapshots {
        for snapshot in &snapshots {
            let result = delete(model, call, snapshot, shared.contains(snapshot));
            results.push((snapshot, result));
        }
    }
    settle::tell(model, &call.scope, &id, &call.request_id);
    let at = model.now + model.config.pace.image_vanishes;
    settle::plan_vanish(model, &call.scope, at, &id);
    let mut xml = Xml::new();
    xml.flag("return", true);
    if with_snapshots {
        xml.list("deleteSnapshotResultSet", results, |xml, (snapshot, result)| {
            xml.leaf("snapshotId", snapshot).leaf("returnCode", result);
        });
    }
    Ok(xml)
}

impl Protection {
    pub fn is_on(self, now: Time) -> bool {
        match self {
            Protection::Off => false,
            Protection::On | Protection::OnWithCooldown => true,
            Protection::CoolingDown(until) => now < until,
        }
    }
}

/// A copy that is not complete is called off: what it has copied so far goes with it.
fn is_pending_copy(image: &Image) -> bool {
    image.state == ImageState::Pending && image.is_copy()
}

/// Takes the image out of use: its name is free, its snapshots are (or, if the knob says so, will
/// be in a while). Gives those that back other images too.
fn release(
    model: &mut Model,
    call: &Call,
    image: &Image,
    snapshots: &BTreeSet<String>,
) -> BTreeSet<String> {
    let now = model.now;
    let lag = model.config.lag.in_use_after_deregister_ms.clone();
    let busy_until = lag.map(|range| now + model.draw_ms(range));
    let span = recycle_bin::span(model);
    let region = model.ec2_region(&call.scope);
    recycle_bin::keep_image(region, &image.id, now, span);
    region.pending_images.remove(&image.id);
    region.free_name(&image.name, &image.id);
    if let Some(image) = region.images.get_mut(&image.id) {
        image.state = ImageState::Deregistered;
        image.reason = None;
    }
    let mut shared = BTreeSet::new();
    for id in snapshots {
        if region.free_snapshot(id, &image.id) {
            shared.insert(id.clone());
        }
        if let (Some(until), Some(snapshot)) = (busy_until, region.snapshots.get_mut(id)) {
            snapshot.in_use_until = Some((until, image.id.clone()));
        }
    }
    shared
}

/// Deletes one snapshot of the image, or says why not; the call succeeds either way.
fn delete(model: &mut Model, call: &Call, id: &str, shared: bool) -> &'static str {
    let now = model.now;
    if shared {
        return "skipped";
    }
    let snapshot = model.ec2_region(&call.scope).snapshots.get(id);
    let Some(snapshot) = snapshot.cloned() else {
        // It is another account's, or was taken away by force.
        return "client-error";
    };
    if !model.allows(call, &snapshot.want(call, &call.scope, "ec2:DeleteSnapshot")) {
        return "missing-permissions";
    }
    let span = recycle_bin::span(model);
    let region = model.ec2_region(&call.scope);
    if is_locked(region, id, now) {
        return "client-error";
    }
    recycle_bin::keep_snapshot(region, id, now, span);
    remove(region, id);
    "success"
}
