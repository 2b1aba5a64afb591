//! A person calls off what has not begun: points that wait, and copies that wait. What has begun is
//! finished.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::change::Change;
use crate::ids::Region;
use crate::illegal::Illegal;
use crate::point::{Point, Replica, ReplicaStatus};
use crate::reason::{Code, Reason};
use crate::status::{Phase, Status};
use crate::transition::{replicas, withdrawn};

/// A point that may be called off, with its replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub point: Point,
    pub replicas: Vec<Replica>,
}

/// The part of a point that is called off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everything that has not begun.
    All,
    /// The copy into one region.
    Place(Region),
}

/// What becomes of a point.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cancelled {
    /// The change to write; none if nothing is called off.
    pub change: Option<Change>,
    /// True if the point itself is called off, before anything of it has begun.
    pub point: bool,
    /// The regions whose copies are called off.
    pub places: BTreeSet<Region>,
    /// True if the point has begun, and its image at home is being made.
    pub image_goes_on: bool,
    /// The regions into which a copy is being made.
    pub copies_go_on: BTreeSet<Region>,
}

/// Decides what is called off of a point, and what goes on.
///
/// # Errors
/// A record cannot be called off where it stands.
pub fn decide(target: &Target, scope: &Scope, now: Timestamp) -> Result<Cancelled, Illegal> {
    let Target { point, replicas } = target;
    let reason = Reason::new(Code::Cancelled, format!("called off by a person at {now}"));
    let mut cancelled = Cancelled::default();
    if *scope == Scope::All && point.status == Status::Requested {
        let after = withdrawn::cancelled(point, reason)?;
        cancelled.change = Some(withdrawn::recorded(after, None));
        cancelled.point = true;
        return Ok(cancelled);
    }
    if *scope == Scope::All && point.is_kept_to_begin_again() {
        let step = point.step.settled();
        let after = Point { step, reason: Some(reason), ..point.clone() };
        cancelled.change = Some(withdrawn::recorded(after, None));
        cancelled.point = true;
        return Ok(cancelled);
    }
    cancelled.image_goes_on =
        matches!(point.status.phase(), Phase::Calling | Phase::Pending | Phase::Ready);
    let is_meant = |replica: &&Replica| match scope {
        Scope::All => true,
        Scope::Place(region) => replica.region == *region,
    };
    let mut settled = Vec::new();
    for replica in replicas.iter().filter(is_meant) {
        match replica.status {
            ReplicaStatus::Waiting => {
                settled.push(withdrawn::replica(replica, reason.clone())?);
                cancelled.places.insert(replica.region.clone());
            }
            // A place that was lost, or given up, is not made again.
            ReplicaStatus::Failed | ReplicaStatus::Lost if *scope != Scope::All => {
                settled.push(withdrawn::replica(replica, reason.clone())?);
                cancelled.places.insert(replica.region.clone());
            }
            ReplicaStatus::Copying | ReplicaStatus::Pending => {
                cancelled.copies_go_on.insert(replica.region.clone());
            }
            ReplicaStatus::Available
            | ReplicaStatus::Failed
            | ReplicaStatus::Lost
            | ReplicaStatus::Unusable
            | ReplicaStatus::Withdrawn => {}
        }
    }
    if !settled.is_empty() {
        cancelled.change = Some(replicas::settled(point, settled)?);
    }
    Ok(cancelled)
}
