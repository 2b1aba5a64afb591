//! The sweep: reaches the same state with no event at all.
//!
//! - Work that is overdue has its worker woken.
//! - Stopped machines that a policy covers `on: stopped` are dealt with as if their event had come.
//! - Every [`LOOK_EVERY`] everything that carries our tag is looked through: what is not ours by
//!   the ledger and the facts is reported as foreign; what is ours and not needed is linked to its
//!   point.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{Findings, InForce};
use crate::command::Decision;
use crate::ids::{InstanceId, Region};
use crate::machine::Instance;
use crate::point::{Point, Replica};
use crate::seen::{Complete, SeenImage, SeenSnapshot};
use crate::slot::PointId;
use crate::summary::MachineSummary;
use crate::work::Queue;

/// Listing everything of ours costs two describes a region; what it finds is in no hurry.
pub const LOOK_EVERY: SignedDuration = SignedDuration::from_hours(1);

#[derive(Clone, Debug)]
pub struct Input {
    pub now: Timestamp,
    pub in_force: InForce,
    /// The queues in which something was due before now.
    pub overdue: Vec<Queue>,
    /// The stopped machines in the regions of policies with `on: stopped`.
    pub stopped: Vec<Instance>,
    pub summaries: BTreeMap<InstanceId, MachineSummary>,
    /// All that carries our tag, if it is time to look.
    pub tagged: Option<Tagged>,
}

/// All that carries our tag, and what the ledger has on it.
#[derive(Clone, Debug, Default)]
pub struct Tagged {
    pub snapshots: BTreeMap<Region, Complete<SeenSnapshot>>,
    pub images: BTreeMap<Region, Complete<SeenImage>>,
    /// The points that the tags name, as far as there are such points.
    pub points: BTreeMap<PointId, Point>,
    pub replicas: BTreeMap<(PointId, Region), Replica>,
    pub known: Findings,
}

/// Whether everything of ours is to be looked through now.
pub fn is_time_to_look(in_force: &InForce, now: Timestamp) -> bool {
    in_force.looked_at.is_none_or(|last| now.duration_since(last) >= LOOK_EVERY)
}

pub fn decide(_input: &Input) -> Decision {
    Decision::default()
}
