//! Points that want snapshots: may the machine be imaged, has an earlier try left a set, and were
//! its disks at rest.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::command::Decision;
use crate::ids::InstanceId;
use crate::machine::Machine;
use crate::point::Point;
use crate::seen::{Complete, SeenSnapshot};
use crate::slot::PointId;

#[derive(Clone, Debug)]
pub struct Input {
    pub now: Timestamp,
    /// What the queue holds, whether due or not.
    pub points: Vec<Point>,
    /// The machines of the points that are due, described after the points were read. One that is
    /// missing is gone.
    pub machines: BTreeMap<InstanceId, Machine>,
    /// For each point whose try has had no outcome: every snapshot of this account with its tag.
    pub tagged: BTreeMap<PointId, Complete<SeenSnapshot>>,
}

/// The points of which snapshots with their tag have to be listed before anything is decided.
pub fn to_list(_points: &[Point], _now: Timestamp) -> Vec<PointId> {
    Vec::new()
}

/// The machines that have to be described before anything is decided.
pub fn to_describe(_points: &[Point], _now: Timestamp) -> Vec<InstanceId> {
    Vec::new()
}

pub fn decide(_input: &Input) -> Decision {
    Decision::default()
}
