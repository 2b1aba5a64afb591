//! The gate of a queue at home: the calls that are made while obstacles of the queue stand.

use jiff::Timestamp;

use super::again::Again;
use crate::obstacle::{AT_HOME, Obstacles, Stand};
use crate::point::Point;

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
        match self {
            Gate::Shut(until) => Again::held(until, now),
            Gate::Open | Gate::One => Again::default(),
        }
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
