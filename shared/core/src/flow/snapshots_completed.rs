//! A set of snapshots is complete, or failed: whoever registers images has a look.

use super::{InFlight, SnapshotsCompleted};
use crate::command::Decision;

#[derive(Clone, Debug)]
pub struct Input {
    pub event: SnapshotsCompleted,
    /// The registrations in flight in the region of the event.
    pub in_flight: Vec<InFlight>,
}

pub fn decide(_input: &Input) -> Decision {
    Decision::default()
}
