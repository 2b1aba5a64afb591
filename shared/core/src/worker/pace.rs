//! The pace of calls, and the lease under which they are made.

use jiff::{SignedDuration, Timestamp};

use crate::call::Pressure;
use crate::limits::{EC2_CALL_MAX, LEASE, LEASE_MARGIN, SLOWED_MAX, STEADY, later};
use crate::work::Kind;

/// The pace at which the calls of one decision are made.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    last_call: Option<Timestamp>,
    /// The number of times that the pace was halved.
    slowed: u32,
    /// The calls in a row that EC2 did not ask to wait.
    steady: u32,
}

impl Pace {
    /// Returns the wait before the next call of a kind.
    pub fn wait(&self, kind: Kind, now: Timestamp) -> SignedDuration {
        let pace = kind.pace().saturating_mul(1_i32 << self.slowed.min(SLOWED_MAX));
        self.last_call.map_or(SignedDuration::ZERO, |last| {
            pace.saturating_sub(now.duration_since(last)).max(SignedDuration::ZERO)
        })
    }

    /// Takes note of a call that is made now.
    pub fn called(&mut self, now: Timestamp) {
        self.last_call = Some(now);
    }

    /// Adapts the pace to how busy EC2 is with our calls. The pace is halved when EC2 asks to wait,
    /// and doubled again after [`STEADY`] calls in a row that were not asked to wait.
    pub fn heed(&mut self, pressure: Pressure) {
        match pressure {
            Pressure::Eased => {
                self.steady += 1;
                if self.steady == STEADY {
                    self.steady = 0;
                    self.slowed = self.slowed.saturating_sub(1);
                }
            }
            Pressure::Throttled => {
                self.steady = 0;
                self.slowed = (self.slowed + 1).min(SLOWED_MAX);
            }
            Pressure::Unchanged => {}
        }
    }
}

/// Returns the end of a lease that is taken now.
pub fn lease_until(now: Timestamp) -> Timestamp {
    later(now, LEASE)
}

/// Tells whether a lease that ends at `until` has to be renewed with the next intent.
pub fn is_to_renew(until: Option<Timestamp>, now: Timestamp) -> bool {
    left(until, now) <= EC2_CALL_MAX.saturating_add(LEASE_MARGIN)
}

/// Tells whether a lease that ends at `until` outlasts a call at its longest. No call begins
/// otherwise.
pub fn outlasts_a_call(until: Option<Timestamp>, now: Timestamp) -> bool {
    left(until, now) > EC2_CALL_MAX
}

fn left(until: Option<Timestamp>, now: Timestamp) -> SignedDuration {
    until.unwrap_or(Timestamp::MIN).duration_since(now)
}
