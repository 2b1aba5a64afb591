//! A machine stopped: its disks are at rest, and policies that wait for that ask for a point.

use jiff::Timestamp;

use super::{InForce, InstanceStateChanged};
use crate::command::Decision;
use crate::machine::Instance;
use crate::summary::MachineSummary;

#[derive(Clone, Debug)]
pub struct Input {
    pub now: Timestamp,
    pub event: InstanceStateChanged,
    pub in_force: InForce,
    /// As EC2 shows it now; none if it is gone, or if the event is about no stop, so that nobody
    /// asked.
    pub instance: Option<Instance>,
    pub summary: Option<MachineSummary>,
}

pub fn decide(_input: &Input) -> Decision {
    Decision::default()
}
