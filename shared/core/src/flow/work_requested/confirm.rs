//! Images and replicas that are pending: available, failed, gone, or still on their way.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::command::Decision;
use crate::ids::AmiId;
use crate::point::{Point, Replica};
use crate::seen::SeenImage;
use crate::slot::PointId;

#[derive(Clone, Debug)]
pub struct Input {
    pub now: Timestamp,
    /// The points in the queue, whose images are pending.
    pub points: Vec<Point>,
    /// The replicas in the queue.
    pub replicas: Vec<Replica>,
    /// The points of the replicas.
    pub points_of_replicas: BTreeMap<PointId, Point>,
    /// Their images. One that is missing is gone, or not visible yet.
    pub images: BTreeMap<AmiId, SeenImage>,
}

/// The images that have to be described before anything is decided.
pub fn to_describe(_points: &[Point], _replicas: &[Replica]) -> Vec<AmiId> {
    Vec::new()
}

pub fn decide(_input: &Input) -> Decision {
    Decision::default()
}
