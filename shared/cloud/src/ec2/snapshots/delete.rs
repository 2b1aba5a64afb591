//! DeleteSnapshot.

use super::own;
use crate::ec2::state::{Region, SnapshotState};
use crate::ec2::{done, recycle_bin};
use crate::kernel::access::Call;
use crate::kernel::error::ApiError;
use crate::kernel::query::Fields;
use crate::kernel::time::Time;
use crate::kernel::xml::Xml;
use crate::model::Model;

pub fn delete(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let id = fields.required("SnapshotId")?.to_string();
    fields.finish()?;
    let want = own(model, &call.scope, &id)?.want(call, &call.scope, "ec2:DeleteSnapshot");
    model.permit(call, &[want])?;
    let now = model.now;
    let locked_code = model.config.quirks.locked_snapshot_code.clone();
    let span = recycle_bin::span(model);
    let region = model.ec2_region(&call.scope);
    if is_locked(region, &id, now) {
        let text = format!("The snapshot '{id}' is locked and cannot be deleted.");
        return Err(ApiError::bad(&locked_code, text));
    }
    if let Some(image) = user(region, &id, now) {
        let text = format!("The snapshot {id} is currently in use by {image}");
        return Err(ApiError::bad("InvalidSnapshot.InUse", text));
    }
    recycle_bin::keep_snapshot(region, &id, now, span);
    remove(region, &id);
    Ok(done())
}

pub fn is_locked(region: &Region, id: &str, now: Time) -> bool {
    let lock = region.snapshots.get(id).and_then(|snapshot| snapshot.lock.as_ref());
    lock.is_some_and(|lock| lock.is_in_force(now))
}

/// An image that is backed by the snapshot, or was until a moment ago.
fn user(region: &Region, id: &str, now: Time) -> Option<String> {
    if let Some(image) = region.snapshot_users.get(id).and_then(|users| users.first()) {
        return Some(image.clone());
    }
    let (until, image) = region.snapshots.get(id)?.in_use_until.as_ref()?;
    (now < *until).then(|| image.clone())
}

/// A pending snapshot goes when it is complete, and counts until then.
pub fn remove(region: &mut Region, id: &str) {
    match region.snapshots.get_mut(id) {
        Some(snapshot) if snapshot.state == SnapshotState::Pending => {
            snapshot.deleted_while_pending = true;
        }
        Some(_) => region.remove_snapshot(id),
        None => {}
    }
}
