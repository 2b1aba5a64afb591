//! Replicas that want to be copied into this region.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::command::Decision;
use crate::ids::AmiId;
use crate::point::{Point, Replica};
use crate::seen::{Complete, SeenImage};
use crate::slot::PointId;

#[derive(Clone, Debug)]
pub struct Input {
    pub now: Timestamp,
    /// What the queue holds, whether due or not.
    pub replicas: Vec<Replica>,
    pub points: BTreeMap<PointId, Point>,
    /// For each name that turned out to be taken: the images of this account and region of that
    /// name.
    pub named: BTreeMap<String, Complete<SeenImage>>,
}

/// The names that have to be looked up before anything is decided.
pub fn to_look_up(_replicas: &[Replica], _now: Timestamp) -> Vec<String> {
    Vec::new()
}

/// A replica of this image is what was asked for, whoever made it: same source, same name.
pub fn is_copy_of(image: &SeenImage, replica: &Replica) -> bool {
    let source: Option<(&str, &AmiId)> =
        image.source.as_ref().map(|(region, image)| (region.as_str(), image));
    source == Some((replica.home.as_str(), &replica.source))
}

pub fn decide(_input: &Input) -> Decision {
    Decision::default()
}
