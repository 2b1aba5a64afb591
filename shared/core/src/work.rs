//! Work: the queues of the ledger, by region and kind, each drained by one worker.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::duration::seconds;
use crate::ids::Region;
use crate::limits::{
    COPY_PACE, FLEET_PASSES, LOOK_AT_ONCE, POWER_PACE, REST_MAX, REST_MIN, SNAPSHOT_PACE,
};

/// The closed set of kinds of work. A wake event names one of them and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Points that wait for snapshots, and points whose grade is not known yet.
    Snapshot,
    /// Points whose snapshots are being filled, or are complete and have no image yet.
    Register,
    /// Images and replicas that exist and are pending.
    Confirm,
    /// Replicas that wait to be copied into this region.
    Copy,
    /// Machines that are stopped for their points, and started again.
    Power,
}

impl Kind {
    pub const ALL: [Kind; 5] =
        [Kind::Snapshot, Kind::Register, Kind::Confirm, Kind::Copy, Kind::Power];

    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Snapshot => "snapshot",
            Kind::Register => "register",
            Kind::Confirm => "confirm",
            Kind::Copy => "copy",
            Kind::Power => "power",
        }
    }

    /// Returns the wait from one call that creates to the next.
    pub const fn pace(self) -> SignedDuration {
        match self {
            Kind::Snapshot | Kind::Register => SNAPSHOT_PACE,
            Kind::Confirm => SignedDuration::ZERO,
            Kind::Power => POWER_PACE,
            Kind::Copy => COPY_PACE,
        }
    }

    /// Tells whether a worker of this kind asks EC2 about everything in its queue, and so has to
    /// rest between two looks.
    pub const fn looks(self) -> bool {
        matches!(self, Kind::Register | Kind::Confirm)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The work of one kind in one region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Queue {
    pub region: Region,
    pub kind: Kind,
}

impl fmt::Display for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.region)
    }
}

/// Returns the rest before a look at what is in flight, so that a fleet that completes bit by bit
/// is asked about in a handful of calls. A handful of items needs no rest, unless there was a look
/// just before that others had rested for: then these items are the last of a fleet.
pub fn rest(in_flight: usize, looked_at: Option<Timestamp>, now: Timestamp) -> SignedDuration {
    let of_a_fleet = looked_at.is_some_and(|at| now.duration_since(at) < FLEET_PASSES);
    if in_flight == 0 || (in_flight <= LOOK_AT_ONCE && !of_a_fleet) {
        return SignedDuration::ZERO;
    }
    let rest = seconds(u64::try_from(in_flight).unwrap_or(u64::MAX));
    rest.clamp(REST_MIN, REST_MAX)
}
