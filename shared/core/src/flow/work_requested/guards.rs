//! Machines that must not be stopped, each for its own reason, and what to do instead.

use crate::facts::RootDeviceType;
use crate::ids::InstanceId;
use crate::observed::ObservedMachine;
use crate::reason::{Code, Reason};

/// Auto Scaling puts it on the machines that are its own.
const TAG_AUTO_SCALING: &str = "aws:autoscaling:groupName";

/// Guards of a machine that no listing shows, asked right before it is stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guarded {
    pub instance: InstanceId,
    /// Value of the attribute `disableApiStop`.
    pub stop_protected: bool,
    /// Machines of its type have disks that lose their data when the machine is stopped.
    pub instance_store: bool,
}

/// Checks what a describe shows of the machine.
///
/// # Errors
/// What forbids to stop the machine, as far as a describe shows it.
pub(super) fn check(seen: &ObservedMachine) -> Result<(), Reason> {
    let instance = &seen.instance;
    if let Some(group) = instance.tags.get(TAG_AUTO_SCALING) {
        let text = format!(
            "cannot stop {}: its Auto Scaling group {group} would replace it; use `consistency: \
             crash` or `reboot`, or image what the group launches from",
            instance.id
        );
        return Err(Reason::new(Code::AutoScaling, text));
    }
    if instance.spot {
        let text = format!(
            "cannot stop {}: it is a Spot instance and may not start again; use `consistency: \
             crash` or `reboot`",
            instance.id
        );
        return Err(Reason::new(Code::Spot, text));
    }
    if seen.root_device_type != RootDeviceType::Ebs {
        let text = format!(
            "cannot stop {}: its root device type is {}; only EBS-backed machines can be stopped \
             and imaged",
            instance.id, seen.root_device_type
        );
        return Err(Reason::new(Code::InstanceStore, text));
    }
    Ok(())
}

/// Checks what was asked about the machine alone.
///
/// # Errors
/// What forbids to stop the machine, of what was asked about it alone.
pub(super) fn check_asked(guarded: &Guarded, instance_type: &str) -> Result<(), Reason> {
    let id = &guarded.instance;
    if guarded.stop_protected {
        let text = format!(
            "cannot stop {id}: it is protected from stopping (`disableApiStop`); remove the \
             protection or use `consistency: crash`"
        );
        return Err(Reason::new(Code::StopProtected, text));
    }
    if guarded.instance_store {
        let text = format!(
            "cannot stop {id}: its type {instance_type} has an instance store, which loses its \
             data; use `consistency: crash` or `reboot`"
        );
        return Err(Reason::new(Code::InstanceStoreVolumes, text));
    }
    Ok(())
}

pub(super) fn not_allowed(id: &InstanceId) -> Reason {
    let text = format!(
        "cannot stop {id}: the stack was deployed without AllowStopStart; deploy it with \
         AllowStopStart=true or use another `consistency`"
    );
    Reason::new(Code::StopStartNotAllowed, text)
}
