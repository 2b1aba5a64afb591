//! Points whose snapshots are being filled, and those that want an image made of them.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::command::Decision;
use crate::ids::SnapshotId;
use crate::point::Point;
use crate::seen::{Complete, SeenImage, SeenSnapshot};

#[derive(Clone, Debug)]
pub struct Input {
    pub now: Timestamp,
    /// What the queue holds, whether due or not.
    pub points: Vec<Point>,
    /// The snapshots of all points that wait for them. One that is missing is gone.
    pub snapshots: BTreeMap<SnapshotId, SeenSnapshot>,
    /// For each name of a try that has had no outcome: the images of this account of that name.
    pub named: BTreeMap<String, Complete<SeenImage>>,
}

/// The snapshots that have to be described before anything is decided.
pub fn to_describe(_points: &[Point]) -> Vec<SnapshotId> {
    Vec::new()
}

/// The names that have to be looked up before anything is decided.
pub fn to_look_up(_points: &[Point], _now: Timestamp) -> Vec<String> {
    Vec::new()
}

pub fn decide(_input: &Input) -> Decision {
    Decision::default()
}
