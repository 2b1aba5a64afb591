//! EBS volumes: made empty or from a snapshot, attached, detached, deleted, described.
//!
//! ```text
//! creating -> available <-> in-use
//!    |            |
//!    v            v
//!  error  ->  deleting -> gone
//! ```

pub mod attach;
pub mod create;
pub mod describe;
pub mod key;
pub mod size;

use serde_json::json;

use super::state::{AttachmentState, Volume, VolumeState};
use super::well_formed;
use crate::eventbridge::{self, Event};
use crate::kernel::access::{Call, Want};
use crate::kernel::arn;
use crate::kernel::error::{ApiError, Kind};
use crate::kernel::query::Fields;
use crate::kernel::scope::Scope;
use crate::kernel::xml::Xml;
use crate::model::Model;

/// The next turn in the life of a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    Created,
    /// Its key could not be used, for this reason.
    Failed(String),
    Attached,
    Detached,
    Deleted,
}

impl Turn {
    const fn name(&self) -> &'static str {
        match self {
            Turn::Created => "ec2: volume is created",
            Turn::Failed(_) => "ec2: volume fails",
            Turn::Attached => "ec2: volume is attached",
            Turn::Detached => "ec2: volume is detached",
            Turn::Deleted => "ec2: volume is deleted",
        }
    }
}

/// Puts the next turn of a volume on the agenda.
pub fn later(model: &mut Model, scope: &Scope, delay: std::time::Duration, id: &str, turn: Turn) {
    let (scope, id) = (scope.clone(), id.to_string());
    model.after(delay, turn.name(), move |model| happen(model, &scope, &id, turn));
}

fn happen(model: &mut Model, scope: &Scope, id: &str, turn: Turn) {
    let region = model.ec2_region(scope);
    let Some(volume) = region.volumes.get_mut(id) else { return };
    let of_instance = volume.instance_id.is_some();
    match turn {
        Turn::Created => {
            volume.state = if of_instance { VolumeState::InUse } else { VolumeState::Available };
            if let Some(attachment) = region.attachment_mut(id) {
                attachment.state = AttachmentState::Attached;
            }
            if !of_instance || model.config.quirks.instance_volumes_send_events {
                send(model, scope, id, "createVolume", "available", "");
            }
        }
        Turn::Failed(cause) => {
            volume.state = VolumeState::Error;
            send(model, scope, id, "createVolume", "failed", &cause);
        }
        Turn::Attached => {
            if let Some(attachment) = region.attachment_mut(id)
                && attachment.state == AttachmentState::Attaching
            {
                attachment.state = AttachmentState::Attached;
            }
        }
        Turn::Detached => {
            let attachment = region.attachment_mut(id).map(|attachment| attachment.state);
            if attachment == Some(AttachmentState::Detaching) {
                detached(region, id);
            }
        }
        Turn::Deleted => {
            region.volumes.remove(id);
            send(model, scope, id, "deleteVolume", "deleted", "");
        }
    }
}

/// Takes a volume off its instance, at once.
pub fn detached(region: &mut super::Region, id: &str) {
    let Some(volume) = region.volumes.get_mut(id) else { return };
    // One that is still being made becomes available by itself; one that failed never does.
    if volume.state == VolumeState::InUse {
        volume.state = VolumeState::Available;
    }
    if let Some(instance_id) = volume.instance_id.take()
        && let Some(instance) = region.instances.get_mut(&instance_id)
    {
        instance.attachments.retain(|attachment| attachment.volume_id != id);
    }
}

/// EBS Volume Notification.
pub fn send(model: &mut Model, scope: &Scope, id: &str, event: &str, result: &str, cause: &str) {
    let detail = json!({ "result": result, "cause": cause, "event": event, "request-id": "" });
    let resource = arn::of_ec2(scope, Kind::Volume, id);
    let event = Event::new("aws.ec2", "EBS Volume Notification", vec![resource], detail);
    eventbridge::put::emit(model, scope, event);
}

/// The volume that a call names, if it is visible.
pub fn find(model: &mut Model, scope: &Scope, id: &str) -> Result<Volume, ApiError> {
    well_formed(Kind::Volume, id)?;
    let now = model.now;
    let found = model.ec2_region(scope).volumes.get(id);
    let found = found.filter(|volume| volume.visible_at <= now).cloned();
    found.ok_or_else(|| ApiError::not_found(Kind::Volume, &[id]))
}

pub fn delete(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let id = fields.required("VolumeId")?.to_string();
    fields.finish()?;
    let volume = find(model, &call.scope, &id)?;
    let want = Want::new("ec2:DeleteVolume", call.arn(Kind::Volume, &id));
    model.permit(call, &[want.resource_tags(&volume.tags)])?;
    if let Some(instance) = &volume.instance_id {
        let text = format!("Volume {id} is currently attached to {instance}");
        return Err(ApiError::bad("VolumeInUse", text));
    }
    match volume.state {
        VolumeState::Available | VolumeState::Error => {}
        VolumeState::Creating | VolumeState::InUse => {
            let text = format!("The volume '{id}' is '{}'", volume.state.name());
            return Err(ApiError::bad("IncorrectState", text));
        }
        // It is on its way out already.
        VolumeState::Deleting | VolumeState::Deleted => return Ok(super::done()),
    }
    if let Some(volume) = model.ec2_region(&call.scope).volumes.get_mut(&id) {
        volume.state = VolumeState::Deleting;
    }
    let delay = model.config.pace.volume_moves;
    later(model, &call.scope, delay, &id, Turn::Deleted);
    Ok(super::done())
}
