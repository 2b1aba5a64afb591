//! The body of a policy, as far as it could be read.

use crate::ids::PolicyName;
use crate::policy::select::Select;
use crate::policy::{Consistency, ImageOptions, Policy, Replicate, Retain, StopStart, Trigger};
use crate::yaml::Position;

/// A policy before its name was checked, with the places of what may stand there more than once.
pub(super) struct Body {
    /// The selection; none where it could not be read.
    pub select: Option<Select>,
    pub triggers: Vec<(Position, Trigger)>,
    pub consistency: Consistency,
    pub stop_start: StopStart,
    pub image: ImageOptions,
    pub replicate: Vec<(Position, Replicate)>,
    pub heal: bool,
    pub retain: Option<Retain>,
    pub rpo_secs: Option<u64>,
}

impl Body {
    pub(super) fn named(self, name: PolicyName) -> Option<Policy> {
        Some(Policy {
            name,
            select: self.select?,
            triggers: self.triggers.into_iter().map(|(_, trigger)| trigger).collect(),
            consistency: self.consistency,
            stop_start: self.stop_start,
            image: self.image,
            replicate: self.replicate.into_iter().map(|(_, replica)| replica).collect(),
            heal: self.heal,
            retain: self.retain,
            rpo_secs: self.rpo_secs,
        })
    }
}
