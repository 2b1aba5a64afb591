//! StartInstances, StopInstances, RebootInstances, TerminateInstances.
//!
//! A call that names several instances does all or nothing.

use super::{Turn, enter, find_all, later};
use crate::ec2::done;
use crate::ec2::state::{Instance, InstanceState, Reason};
use crate::kernel::access::{Call, Want};
use crate::kernel::error::{ApiError, Kind};
use crate::kernel::query::Fields;
use crate::kernel::scope::Scope;
use crate::kernel::time::Time;
use crate::kernel::xml::Xml;
use crate::kms;
use crate::model::Model;

pub fn start(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let ids = fields.list("InstanceId");
    fields.text("AdditionalInfo");
    fields.finish()?;
    let instances = find_all(model, &call.scope, &ids)?;
    model.permit(call, &wants("ec2:StartInstances", call, &instances))?;
    for instance in &instances {
        match instance.state {
            InstanceState::Stopped | InstanceState::Running | InstanceState::Pending => {}
            InstanceState::Stopping | InstanceState::ShuttingDown | InstanceState::Terminated => {
                return Err(wrong_state(instance, "started"));
            }
        }
        check_root(model, &call.scope, instance)?;
    }
    let mut changes = Vec::new();
    for before in instances {
        if before.state == InstanceState::Stopped {
            begin_start(model, call, &before);
        }
        changes.push(changed(model, &call.scope, before));
    }
    Ok(answer(changes))
}

fn wrong_state(instance: &Instance, what: &str) -> ApiError {
    let text =
        format!("The instance '{}' is not in a state from which it can be {what}.", instance.id);
    ApiError::bad("IncorrectInstanceState", text)
}

/// Without its root volume an instance cannot start.
fn check_root(model: &mut Model, scope: &Scope, instance: &Instance) -> Result<(), ApiError> {
    let region = model.ec2_region(scope);
    let Some(instance) = region.instances.get(&instance.id) else { return Ok(()) };
    let root = instance.platform.root_device_name.as_ref();
    let attached = instance.attachments.iter().any(|found| Some(&found.device) == root);
    if instance.platform.root_device_type != "ebs" || attached {
        return Ok(());
    }
    let text = format!(
        "Invalid value '{}' for instanceId. Instance does not have a volume attached at root ({})",
        instance.id,
        root.map(String::as_str).unwrap_or_default()
    );
    Err(ApiError::bad("IncorrectInstanceState", text))
}

fn begin_start(model: &mut Model, call: &Call, before: &Instance) {
    let (now, scope) = (model.now, &call.scope);
    let region = model.ec2_region(scope);
    let volumes =
        before.attachments.iter().filter_map(|found| region.volumes.get(&found.volume_id));
    let keys: Vec<String> = volumes.filter_map(|volume| volume.kms_key.clone()).collect();
    let locked = keys.iter().any(|key| kms::ebs::usable_for_ebs(model, call, key).is_err());
    if let Some(instance) = model.ec2_region(scope).instances.get_mut(&before.id) {
        instance.run += 1;
        instance.launch_time = now;
        instance.state_reason = None;
        instance.transition_reason = String::new();
    }
    enter(model, scope, &before.id, InstanceState::Pending);
    let delay = model.config.pace.instance_starts;
    let turn = if locked { Turn::FailsToStart } else { Turn::Runs };
    later(model, scope, delay, &before.id, turn);
}

pub fn stop(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let ids = fields.list("InstanceId");
    let hibernate = fields.flag("Hibernate")?.unwrap_or(false);
    let force = fields.flag("Force")?.unwrap_or(false);
    // There is no operating system here whose shutdown could be skipped.
    fields.flag("SkipOsShutdown")?;
    fields.finish()?;
    if hibernate && force {
        let text = "Force and Hibernate cannot both be given";
        return Err(ApiError::combination(text));
    }
    let instances = find_all(model, &call.scope, &ids)?;
    model.permit(call, &wants("ec2:StopInstances", call, &instances))?;
    for instance in &instances {
        check_stop(instance, hibernate)?;
    }
    let mut changes = Vec::new();
    for before in instances {
        if before.state == InstanceState::Running {
            begin_stop(model, &call.scope, &before, hibernate);
        }
        changes.push(changed(model, &call.scope, before));
    }
    Ok(answer(changes))
}

fn check_stop(instance: &Instance, hibernate: bool) -> Result<(), ApiError> {
    let id = &instance.id;
    match instance.state {
        InstanceState::Running | InstanceState::Stopping | InstanceState::Stopped => {}
        InstanceState::Pending | InstanceState::ShuttingDown | InstanceState::Terminated => {
            return Err(wrong_state(instance, "stopped"));
        }
    }
    if instance.spot {
        let text = format!(
            "You can't stop the Spot Instance '{id}' because it is associated with a one-time Spot \
             Instance request."
        );
        return Err(ApiError::bad("UnsupportedOperation", text));
    }
    if instance.platform.root_device_type == "instance-store" {
        let text = format!("The instance '{id}' does not have an 'ebs' root device type");
        return Err(ApiError::bad("UnsupportedOperation", text));
    }
    if instance.stop_protection {
        let text = format!(
            "The instance '{id}' may not be stopped. Modify its 'disableApiStop' instance \
             attribute and try again."
        );
        return Err(ApiError::bad("OperationNotPermitted", text));
    }
    if hibernate && !instance.hibernation {
        let text = format!("The instance '{id}' is not configured for hibernation");
        return Err(ApiError::bad("UnsupportedHibernationConfiguration", text));
    }
    Ok(())
}

fn begin_stop(model: &mut Model, scope: &Scope, before: &Instance, hibernate: bool) {
    let now = model.now;
    if let Some(instance) = model.ec2_region(scope).instances.get_mut(&before.id) {
        instance.run += 1;
        instance.state_reason = Some(if hibernate {
            user_initiated("Client.UserInitiatedHibernate", "hibernate")
        } else {
            user_initiated("Client.UserInitiatedShutdown", "shutdown")
        });
        instance.transition_reason = transition_reason(now);
    }
    enter(model, scope, &before.id, InstanceState::Stopping);
    let delay = model.config.pace.instance_stops;
    later(model, scope, delay, &before.id, Turn::Stops);
}

fn user_initiated(code: &str, what: &str) -> Reason {
    Reason::new(code, format!("{code}: User initiated {what}"))
}

fn transition_reason(now: Time) -> String {
    now.stamp().strftime("User initiated (%Y-%m-%d %H:%M:%S GMT)").to_string()
}

/// A reboot changes no state, and so sends no event.
pub fn reboot(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let ids = fields.list("InstanceId");
    fields.finish()?;
    let instances = find_all(model, &call.scope, &ids)?;
    model.permit(call, &wants("ec2:RebootInstances", call, &instances))?;
    let cannot = instances.iter().find(|instance| {
        !matches!(instance.state, InstanceState::Running | InstanceState::Pending)
    });
    match cannot {
        Some(instance) => Err(wrong_state(instance, "rebooted")),
        None => Ok(done()),
    }
}

pub fn terminate(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let ids = fields.list("InstanceId");
    fields.flag("Force")?;
    fields.flag("SkipOsShutdown")?;
    fields.finish()?;
    let instances = find_all(model, &call.scope, &ids)?;
    model.permit(call, &wants("ec2:TerminateInstances", call, &instances))?;
    for instance in &instances {
        if instance.termination_protection && is_alive(instance) {
            let text = format!(
                "The instance '{}' may not be terminated. Modify its 'disableApiTermination' \
                 instance attribute and try again.",
                instance.id
            );
            return Err(ApiError::bad("OperationNotPermitted", text));
        }
    }
    let mut changes = Vec::new();
    for before in instances {
        if is_alive(&before) {
            begin_termination(model, &call.scope, &before);
        }
        changes.push(changed(model, &call.scope, before));
    }
    Ok(answer(changes))
}

fn is_alive(instance: &Instance) -> bool {
    !matches!(instance.state, InstanceState::ShuttingDown | InstanceState::Terminated)
}

fn begin_termination(model: &mut Model, scope: &Scope, before: &Instance) {
    let now = model.now;
    if let Some(instance) = model.ec2_region(scope).instances.get_mut(&before.id) {
        instance.run += 1;
        instance.state_reason = Some(user_initiated("Client.UserInitiatedShutdown", "shutdown"));
        instance.transition_reason = transition_reason(now);
    }
    enter(model, scope, &before.id, InstanceState::ShuttingDown);
    let delay = model.config.pace.instance_terminates;
    later(model, scope, delay, &before.id, Turn::Terminates);
}

fn wants(action: &str, call: &Call, instances: &[Instance]) -> Vec<Want> {
    let want = |instance: &Instance| {
        Want::new(action, call.arn(Kind::Instance, &instance.id))
            .resource_tags(&instance.tags)
            .key("ec2:InstanceType", instance.instance_type.as_str())
    };
    instances.iter().map(want).collect()
}

/// Id, state before, state now.
type Change = (String, InstanceState, InstanceState);

fn changed(model: &mut Model, scope: &Scope, before: Instance) -> Change {
    let now = model.ec2_region(scope).instances.get(&before.id).map(|instance| instance.state);
    (before.id, before.state, now.unwrap_or(before.state))
}

fn answer(changes: Vec<Change>) -> Xml {
    let mut xml = Xml::new();
    xml.list("instancesSet", changes, |xml, (id, before, now)| {
        xml.leaf("instanceId", id);
        for (name, state) in [("currentState", now), ("previousState", before)] {
            xml.node(name, |xml| write_state(xml, state));
        }
    });
    xml
}

pub fn write_state(xml: &mut Xml, state: InstanceState) {
    xml.number("code", state.code()).leaf("name", state.name());
}
