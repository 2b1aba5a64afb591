//! Machines that must not be stopped, each for its own reason, and what to do instead.

use super::power::Guarded;
use crate::facts::RootDeviceType;
use crate::ids::InstanceId;
use crate::observed::ObservedMachine;
use crate::reason::{Code, Reason};

/// Auto Scaling puts it on the machines that are its own.
const TAG_AUTO_SCALING: &str = "aws:autoscaling:groupName";

/// # Errors
/// What forbids to stop the machine, as far as a describe shows it.
pub(super) fn check(seen: &ObservedMachine) -> Result<(), Reason> {
    let instance = &seen.instance;
    if let Some(group) = instance.tags.get(TAG_AUTO_SCALING) {
        let text = format!(
            "{} belongs to the Auto Scaling group {group}, which would replace it: image it with \
             `consistency: crash` or `reboot`, or image what the group is launched from",
            instance.id
        );
        return Err(Reason::new(Code::AutoScaling, text));
    }
    if instance.spot {
        let text = format!(
            "{} is a Spot instance, which may not come back: use `consistency: crash` or `reboot`",
            instance.id
        );
        return Err(Reason::new(Code::Spot, text));
    }
    if seen.root_device_type != RootDeviceType::Ebs {
        let text = format!(
            "the root device of {} is of type {}, not EBS: it cannot be stopped, nor imaged",
            instance.id, seen.root_device_type
        );
        return Err(Reason::new(Code::InstanceStore, text));
    }
    Ok(())
}

/// # Errors
/// What forbids to stop the machine, of what was asked about it alone.
pub(super) fn check_asked(guarded: &Guarded, instance_type: &str) -> Result<(), Reason> {
    let id = &guarded.instance;
    if guarded.stop_protected {
        let text = format!(
            "{id} is protected against being stopped (`disableApiStop`): take the protection off, \
             or use `consistency: crash`"
        );
        return Err(Reason::new(Code::StopProtected, text));
    }
    if guarded.instance_store {
        let text = format!(
            "{id} is of type {instance_type}, whose instance store loses its data in a stop: use \
             `consistency: crash` or `reboot`"
        );
        return Err(Reason::new(Code::InstanceStoreVolumes, text));
    }
    Ok(())
}

pub(super) fn not_allowed(id: &InstanceId) -> Reason {
    let text = format!(
        "{id} would have to be stopped, and the stack was deployed without the right to: deploy it \
         with AllowStopStart=true, or use another `consistency`"
    );
    Reason::new(Code::StopStartNotAllowed, text)
}
