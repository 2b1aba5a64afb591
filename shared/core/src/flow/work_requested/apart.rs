//! The sets of snapshots of one machine: the time between two of them, and the number that is
//! pending. EC2 takes no snapshot of a volume so soon after the last one. A CreateImage that comes
//! too soon is answered, and its image fails.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::call::Call;
use crate::command::{Command, Decision};
use crate::ids::InstanceId;
use crate::limits::{SETS_PENDING_COLD_MAX, SETS_PENDING_MAX, SNAPSHOTS_APART, later};
use crate::machine::Machine;
use crate::point::Point;
use crate::reason::{Code, Reason};
use crate::slot::PointId;
use crate::status::Making;

/// Types of volumes of which EC2 makes one snapshot at a time.
const COLD: [&str; 2] = ["st1", "sc1"];

/// The times at which the last sets of snapshots of machines were made.
pub type Taken = BTreeMap<InstanceId, Timestamp>;

/// Returns the time from which on a machine may be snapshotted again; none if that is not later
/// than now.
pub(super) fn free_at(taken: &Taken, id: &InstanceId, now: Timestamp) -> Option<Timestamp> {
    let free_at = later(*taken.get(id)?, SNAPSHOTS_APART);
    (free_at > now).then_some(free_at)
}

/// Returns the times of the last sets that points have, or may have.
pub(super) fn of_points<'a>(points: impl IntoIterator<Item = &'a Point>) -> Taken {
    let mut taken = Taken::new();
    add_points(&mut taken, points);
    taken
}

/// Adds the times of the last sets that points have, or may have.
pub fn add_points<'a>(taken: &mut Taken, points: impl IntoIterator<Item = &'a Point>) {
    for point in points {
        let takes =
            matches!(point.status.making(), Some(Making::Snapshots | Making::ImageOfMachine));
        let begun_at = point.step.begun_at.filter(|_| takes);
        let Some(at) = point.taken_at.max(begun_at) else { continue };
        let last = taken.entry(point.instance().clone()).or_insert(at);
        *last = at.max(*last);
    }
}

/// Returns the machines of which a decision makes snapshots.
pub fn machines(decision: &Decision) -> BTreeSet<InstanceId> {
    decision.commands.iter().filter_map(taken_by).cloned().collect()
}

/// Returns the machine that a command snapshots.
pub(super) fn taken_by(command: &Command) -> Option<&InstanceId> {
    let Command::Call(intent) = command else { return None };
    match &intent.call {
        Call::CreateSnapshots(call) => Some(&call.instance),
        Call::CreateImage(call) => Some(&call.instance),
        Call::RegisterImage(_)
        | Call::CopyImage(_)
        | Call::StopInstance(_)
        | Call::StartInstance(_) => None,
    }
}

/// The number of sets of snapshots of each machine that EC2 is making.
pub type Sets = BTreeMap<InstanceId, usize>;

/// Counts the sets of each machine, of which each point has one.
pub fn count<'a>(points: impl Iterator<Item = &'a PointId>) -> Sets {
    let mut sets = Sets::new();
    for point in points {
        *sets.entry(point.instance().clone()).or_default() += 1;
    }
    sets
}

/// Returns the reason to wait for the other sets of a machine, if EC2 is making enough of them.
pub(super) fn crowded(machine: &Machine, sets: &Sets) -> Option<Reason> {
    let is_cold = machine.volumes.iter().any(|volume| COLD.contains(&volume.volume_type.as_str()));
    let most = if is_cold { SETS_PENDING_COLD_MAX } else { SETS_PENDING_MAX };
    let id = &machine.instance.id;
    let pending = sets.get(id).copied().filter(|pending| *pending >= most)?;
    let text = format!(
        "{pending} sets of snapshots of {id} are pending; the next is begun when one of them is \
         complete"
    );
    Some(Reason::new(Code::Throttled, text))
}
