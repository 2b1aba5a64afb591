//! The end of an image's making, and of its life; and the event that tells of each state.

use std::collections::BTreeSet;

use serde_json::json;

use crate::ec2::state::{ImageState, Reason, Region, SnapshotState};
use crate::eventbridge::{self, Event};
use crate::kernel::arn;
use crate::kernel::error::Kind;
use crate::kernel::scope::Scope;
use crate::kernel::time::Time;
use crate::model::Model;

/// Plans that a deregistered image is described no longer. Its id is known for longer.
pub fn plan_vanish(model: &mut Model, scope: &Scope, at: Time, id: &str) {
    let (scope, id) = (scope.clone(), id.to_string());
    model.at(at, "ec2: image vanishes", move |model| {
        let now = model.now;
        let region = model.ec2_region(&scope);
        // It may have been restored meanwhile.
        let image = region.images.get(&id);
        if image.is_some_and(|image| image.state != ImageState::Deregistered) {
            return;
        }
        region.images.remove(&id);
        region.tag_versions.remove(&id);
        region.images_gone.insert(id, now);
    });
}

/// Plans the end of an image: some time after the last of its snapshots is complete, or when it
/// turns out that it cannot be made.
pub fn plan_settle(model: &mut Model, scope: &Scope, id: &str, failure: Option<Reason>) {
    let now = model.now;
    let registers = model.spread(model.config.pace.image_registers);
    let at = match &failure {
        Some(_) => now + model.config.pace.kms_failure,
        None => {
            let region = model.ec2_region(scope);
            let ids = region.images.get(id).into_iter().flat_map(|image| image.snapshot_ids());
            let ends = ids.filter_map(|id| region.snapshots.get(id)).map(|s| s.completes_at);
            ends.max().unwrap_or(now).max(now) + registers
        }
    };
    let (scope, id) = (scope.clone(), id.to_string());
    model.at(at, "ec2: image settles", move |model| settle(model, &scope, &id, failure));
}

/// Makes a pending image `available`, or `failed` for a reason.
fn settle(model: &mut Model, scope: &Scope, id: &str, failure: Option<Reason>) {
    let keeps_name = model.config.quirks.failed_image_keeps_name;
    let region = model.ec2_region(scope);
    region.pending_images.remove(id);
    let broken = broken_snapshot(region, id);
    let Some(image) = region.images.get_mut(id) else { return };
    if image.state != ImageState::Pending {
        return;
    }
    image.state = ImageState::Available;
    if let Some(reason) = failure.or(broken) {
        image.state = ImageState::Failed;
        image.reason = Some(reason);
    }
    let name = image.name.clone();
    let request_id = image.request_id.clone();
    if image.state == ImageState::Failed && !keeps_name {
        region.free_name(&name, id);
    }
    tell(model, scope, id, &request_id);
}

/// An image whose snapshot came to nothing comes to nothing itself.
fn broken_snapshot(region: &Region, id: &str) -> Option<Reason> {
    let image = region.images.get(id)?;
    let mut snapshots = image.snapshot_ids().filter_map(|id| region.snapshots.get(id));
    let broken = snapshots.find(|snapshot| snapshot.state == SnapshotState::Error)?;
    let text = format!("Snapshot {} is in status error", broken.id);
    Some(Reason::new("Server.InternalError", text))
}

/// Sends the state that an image is in now, under the id of the request that brought it there.
pub fn tell(model: &mut Model, scope: &Scope, id: &str, request_id: &str) {
    let Some(image) = model.ec2_region(scope).images.get(id) else { return };
    let error = image.reason.as_ref().map(|reason| reason.message.as_str()).unwrap_or_default();
    let detail = json!({
        "RequestId": request_id,
        "ImageId": id,
        "State": image.state.name(),
        "ErrorMessage": error,
    });
    let resources = vec![arn::of_ec2(scope, Kind::Image, id)];
    let event = Event::new("aws.ec2", "EC2 AMI State Change", resources, detail);
    eventbridge::put::emit(model, scope, event);
}

/// Takes away the snapshots of a copy that was cancelled before it was made.
pub fn drop_snapshots(region: &mut Region, ids: &BTreeSet<String>) {
    for id in ids {
        region.remove_snapshot(id);
    }
}
