//! Instances: launched, started, stopped, terminated, described.
//!
//! ```text
//! pending -> running -> stopping -> stopped -> pending ...
//!    |          |           |          |
//!    +----------+-----+-----+----------+
//!                     v
//!              shutting-down -> terminated -> gone
//! ```

pub mod alias;
pub mod attributes;
pub mod base64;
pub mod describe;
pub mod filters;
pub mod launch;
pub mod lifecycle;
pub mod mapping;
pub mod plan;
pub mod run;
pub mod status;
pub mod template;

use std::time::Duration;

use serde_json::json;

use super::state::{Instance, InstanceState, Reason};
use super::{Region, volumes, well_formed};
use crate::eventbridge::{self, Event};
use crate::kernel::arn;
use crate::kernel::error::{ApiError, Kind};
use crate::kernel::scope::Scope;
use crate::model::Model;

/// The next turn in the life of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    Runs,
    /// A disk could not be decrypted: the first launch ends in termination.
    FailsToLaunch,
    /// The same at a later start, which ends where it began.
    FailsToStart,
    Stops,
    Terminates,
    Vanishes,
}

impl Turn {
    const fn name(self) -> &'static str {
        match self {
            Turn::Runs => "ec2: instance runs",
            Turn::FailsToLaunch => "ec2: instance fails to launch",
            Turn::FailsToStart => "ec2: instance fails to start",
            Turn::Stops => "ec2: instance stops",
            Turn::Terminates => "ec2: instance terminates",
            Turn::Vanishes => "ec2: instance vanishes",
        }
    }
}

/// Puts the next turn of an instance on the agenda. It is for the present run of the instance: a
/// stop, a start or a termination until then voids it.
fn later(model: &mut Model, scope: &Scope, delay: Duration, id: &str, turn: Turn) {
    let Some(run) = model.ec2_region(scope).instances.get(id).map(|instance| instance.run) else {
        return;
    };
    let (scope, id) = (scope.clone(), id.to_string());
    model.after(delay, turn.name(), move |model| happen(model, &scope, &id, run, turn));
}

fn happen(model: &mut Model, scope: &Scope, id: &str, run: u64, turn: Turn) {
    let now = model.now;
    let Some(instance) = model.ec2_region(scope).instances.get_mut(id) else { return };
    if instance.run != run {
        return;
    }
    match turn {
        Turn::Runs => {
            instance.running_since = Some(now);
            enter(model, scope, id, InstanceState::Running);
        }
        Turn::FailsToLaunch => {
            instance.state_reason = Some(launch_error());
            terminated(model, scope, id);
        }
        Turn::FailsToStart => {
            instance.state_reason = Some(launch_error());
            enter(model, scope, id, InstanceState::Stopped);
        }
        Turn::Stops => {
            instance.running_since = None;
            enter(model, scope, id, InstanceState::Stopped);
        }
        Turn::Terminates => terminated(model, scope, id),
        Turn::Vanishes => {
            model.ec2_region(scope).instances.remove(id);
        }
    }
}

fn launch_error() -> Reason {
    Reason::new("Client.InternalError", "Client.InternalError: Client error on launch")
}

/// The end of an instance: its volumes go or are free again, and it is described for a while.
fn terminated(model: &mut Model, scope: &Scope, id: &str) {
    let region = model.ec2_region(scope);
    let Some(instance) = region.instances.get_mut(id) else { return };
    instance.running_since = None;
    let attachments = std::mem::take(&mut instance.attachments);
    let (subnet, address) = (instance.subnet_id.clone(), instance.private_ip.clone());
    region.furniture.network.give_back(&subnet, &address);
    let mut deleted = Vec::new();
    for attachment in attachments {
        if attachment.delete_on_termination {
            region.volumes.remove(&attachment.volume_id);
            deleted.push(attachment.volume_id);
        } else {
            volumes::detached(region, &attachment.volume_id);
        }
    }
    enter(model, scope, id, InstanceState::Terminated);
    for volume_id in deleted {
        if model.config.quirks.instance_volumes_send_events {
            volumes::send(model, scope, &volume_id, "deleteVolume", "deleted", "");
        }
    }
    let delay = model.config.pace.instance_vanishes;
    later(model, scope, delay, id, Turn::Vanishes);
}

/// Changes the state of an instance and sends the event about it.
fn enter(model: &mut Model, scope: &Scope, id: &str, state: InstanceState) {
    if let Some(instance) = model.ec2_region(scope).instances.get_mut(id) {
        instance.state = state;
    }
    send_state(model, scope, id, state);
}

/// EC2 Instance State-change Notification.
pub fn send_state(model: &mut Model, scope: &Scope, id: &str, state: InstanceState) {
    let detail = json!({ "instance-id": id, "state": state.name() });
    let resource = arn::of_ec2(scope, Kind::Instance, id);
    let name = "EC2 Instance State-change Notification";
    eventbridge::put::emit(model, scope, Event::new("aws.ec2", name, vec![resource], detail));
}

/// The instance that a call names, if it is visible.
pub fn find(model: &mut Model, scope: &Scope, id: &str) -> Result<Instance, ApiError> {
    well_formed(Kind::Instance, id)?;
    let now = model.now;
    let found = model.ec2_region(scope).instances.get(id);
    let found = found.filter(|instance| instance.visible_at <= now).cloned();
    found.ok_or_else(|| ApiError::not_found(Kind::Instance, &[id]))
}

/// The instances of `InstanceId.N`, each once, in the order of the call.
fn find_all(model: &mut Model, scope: &Scope, ids: &[String]) -> Result<Vec<Instance>, ApiError> {
    if ids.is_empty() {
        return Err(ApiError::missing_parameter("InstanceId"));
    }
    for id in ids {
        well_formed(Kind::Instance, id)?;
    }
    let now = model.now;
    let region: &Region = model.ec2_region(scope);
    let mut found: Vec<Instance> = Vec::new();
    let mut missing: Vec<&str> = Vec::new();
    for id in ids {
        match region.instances.get(id).filter(|instance| instance.visible_at <= now) {
            None => missing.push(id),
            Some(instance) if found.iter().all(|known| known.id != *id) => {
                found.push(instance.clone());
            }
            Some(_) => {}
        }
    }
    if missing.is_empty() { Ok(found) } else { Err(ApiError::not_found(Kind::Instance, &missing)) }
}
