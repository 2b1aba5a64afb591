//! The gate of a queue at home: the calls that are made while obstacles of the queue stand. And the
//! sets of snapshots of one machine, of which few are pending at a time.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::ids::InstanceId;
use crate::limits::{PROBE_EVERY, SETS_PENDING_COLD_MAX, SETS_PENDING_MAX};
use crate::machine::Machine;
use crate::obstacle::{AT_HOME, Obstacles, Stand};
use crate::point::Point;
use crate::reason::{Code, Reason};

use super::again::Again;

/// Types of volumes of which EC2 makes one snapshot at a time.
const COLD: [&str; 2] = ["st1", "sc1"];

/// The calls that may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    Open,
    /// One call is made, to see if the obstacle has gone.
    One,
    Shut(Timestamp),
}

impl Gate {
    pub fn of(obstacles: &Obstacles, now: Timestamp) -> Gate {
        match obstacles.stand(&AT_HOME, now) {
            Stand::Free => Gate::Open,
            Stand::Probe(_) => Gate::One,
            Stand::Held(until) => Gate::Shut(until),
        }
    }

    pub fn is_shut(self) -> bool {
        matches!(self, Gate::Shut(_))
    }

    /// Returns the gate after a call was begun.
    #[must_use]
    pub fn after_call(self, now: Timestamp) -> Gate {
        if self == Gate::One { Gate::Shut(now) } else { self }
    }

    /// Returns when a worker looks again that finds the gate shut, and nothing else to do. The look
    /// is claimed, so that the sweep wakes nobody before.
    pub fn again(self, now: Timestamp) -> Again {
        let Gate::Shut(until) = self else { return Again::default() };
        let look_after = Some(until.duration_since(now).min(PROBE_EVERY));
        Again { next_due: Some(until), look_after, ..Again::default() }
    }

    /// Sorts points into the order in which they are taken up. The one that is tried for all others
    /// is one that has failed least, since the cause may be its own.
    pub fn sort(self, points: &mut [&Point]) {
        points.sort_by_key(|point| {
            let failures = if self == Gate::One { point.step.failures } else { 0 };
            (failures, point.requested_at, &point.id)
        });
    }
}

/// The number of sets of snapshots of each machine that EC2 is making.
pub(super) type Sets = BTreeMap<InstanceId, usize>;

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
