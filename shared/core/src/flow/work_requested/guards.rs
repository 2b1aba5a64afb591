//! Machines that must not be stopped or rebooted, each for its own reason, and what to do instead.

use crate::facts::RootDeviceType;
use crate::ids::InstanceId;
use crate::machine::Instance;
use crate::observed::ObservedMachine;
use crate::reason::{Code, Reason};

/// Auto Scaling puts it on the machines that are its own.
const TAG_AUTO_SCALING: &str = "aws:autoscaling:groupName";

/// States of a key under which EC2 starts a machine, or copies a snapshot.
const KEY_STATES_USABLE: [&str; 2] = ["Enabled", "Updating"];

/// Answer of KMS about a key that does not exist, or no longer.
pub const KEY_GONE: &str = "NotFoundException";

/// The state of a key in the days before it is deleted.
pub const PENDING_DELETION: &str = "PendingDeletion";

/// Guards of a machine that no listing shows, asked right before it is stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guarded {
    pub instance: InstanceId,
    /// Value of the attribute `disableApiStop`.
    pub stop_protected: bool,
    /// Machines of its type have disks that lose their data when the machine is stopped.
    pub instance_store: bool,
    /// Answer of EC2 to a trial start, if it would refuse to start the machine.
    pub start_refused: Option<String>,
    /// Keys of its encrypted disks.
    pub keys: Vec<DiskKey>,
}

/// Key that encrypts a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskKey {
    pub arn: String,
    pub access: KeyAccess,
}

/// Access of this account's roles to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyAccess {
    /// The key belongs to another account. The role has no permission for such keys.
    ForeignAccount,
    /// KMS describes the key, which is in this state.
    State(String),
    /// KMS does not describe the key; with its answer.
    Refused(String),
}

/// Checks what a describe shows of a machine that is to be stopped.
///
/// # Errors
/// What forbids to stop the machine, as far as a describe shows it.
pub(super) fn check(seen: &ObservedMachine) -> Result<(), Reason> {
    let instance = &seen.instance;
    check_replaceable(instance, "stop")?;
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

/// Checks a machine that EC2 is to reboot for its image.
///
/// # Errors
/// What forbids to reboot the machine.
pub(super) fn check_reboot(instance: &Instance, is_allowed: bool) -> Result<(), Reason> {
    if !is_allowed {
        let text = format!(
            "cannot reboot {}: the stack was deployed without AllowReboot; deploy it with \
             AllowReboot=true or use another `consistency`",
            instance.id
        );
        return Err(Reason::new(Code::RebootNotAllowed, text));
    }
    check_replaceable(instance, "reboot")
}

/// Refuses machines that may not come back when they are taken down.
fn check_replaceable(instance: &Instance, what: &str) -> Result<(), Reason> {
    let id = &instance.id;
    if let Some(group) = instance.tags.get(TAG_AUTO_SCALING) {
        let text = format!(
            "cannot {what} {id}: its Auto Scaling group {group} would replace it; use \
             `consistency: crash`, or image what the group launches from"
        );
        return Err(Reason::new(Code::AutoScaling, text));
    }
    if instance.spot {
        let text = format!(
            "cannot {what} {id}: it is a Spot instance and may not start again; use `consistency: \
             crash`"
        );
        return Err(Reason::new(Code::Spot, text));
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
    if let Some(answer) = &guarded.start_refused {
        let text = format!(
            "cannot stop {id}: EC2 would refuse to start it again; remove the cause or use \
             `consistency: crash`; EC2 answered {answer}"
        );
        return Err(Reason::new(Code::NotStartable, text));
    }
    guarded.keys.iter().try_for_each(|key| check_key(id, key))
}

/// Tells whether EC2 can use a key in this state.
pub fn is_usable(state: &str) -> bool {
    KEY_STATES_USABLE.contains(&state)
}

/// Refuses a machine that EC2 could not start again with the key of one of its disks.
fn check_key(id: &InstanceId, key: &DiskKey) -> Result<(), Reason> {
    let arn = &key.arn;
    let why = match &key.access {
        KeyAccess::State(state) if is_usable(state) => return Ok(()),
        KeyAccess::State(state) => {
            format!("key {arn} of its disks is {state}; enable the key")
        }
        KeyAccess::ForeignAccount => format!(
            "key {arn} of its disks belongs to another account, and the role of the stack may not \
             use it; encrypt the disks under a key of this account"
        ),
        KeyAccess::Refused(answer) => format!(
            "key {arn} of its disks cannot be used by the stack ({answer}); let the account's \
             policies decide in the policy of the key"
        ),
    };
    let text = format!(
        "cannot stop {id}, because it could not be started again: {why}, or use `consistency: \
         crash`"
    );
    Err(Reason::new(Code::NotStartable, text))
}

pub(super) fn not_allowed(id: &InstanceId) -> Reason {
    let text = format!(
        "cannot stop {id}: the stack was deployed without AllowStopStart; deploy it with \
         AllowStopStart=true or use another `consistency`"
    );
    Reason::new(Code::StopStartNotAllowed, text)
}
