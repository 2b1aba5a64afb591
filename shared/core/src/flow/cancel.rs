//! A person calls off what has not begun: points that wait, and copies that wait. What has begun is
//! finished.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::change::Change;
use crate::finding::Resolved;
use crate::ids::{AmiId, Region};
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
    /// The findings that are over, because what they tell of is called off.
    pub over: Vec<Resolved>,
}

/// Decides what is called off of a point, and what goes on.
///
/// # Errors
/// A record cannot be called off where it stands.
pub fn decide(target: &Target, scope: &Scope, now: Timestamp) -> Result<Cancelled, Illegal> {
    let Target { point, replicas } = target;
    let reason = Reason::new(Code::Cancelled, format!("called off by a person at {now}"));
    let mut cancelled = Cancelled::default();
    let is_meant = |replica: &Replica| match scope {
        Scope::All => true,
        Scope::Place(region) => replica.region == *region,
    };
    let lost = replicas.iter().filter(|replica| is_meant(replica));
    let lost = lost.filter_map(|replica| Some((&replica.region, replica.lost.as_ref()?)));
    let at_home = point.lost.as_ref().filter(|_| *scope == Scope::All);
    let lost = lost.chain(at_home.map(|image| (&point.home, image)));
    let over = lost.flat_map(|(region, image)| findings_of(region, image, now)).collect();
    if *scope == Scope::All && point.status == Status::Requested {
        let after = withdrawn::cancelled(point, reason)?;
        cancelled.over = over;
        cancelled.change = Some(withdrawn::recorded(after, None));
        cancelled.point = true;
        return Ok(cancelled);
    }
    if *scope == Scope::All && point.is_kept_to_begin_again() {
        cancelled.over = over;
        let step = point.step.settled();
        let after = Point { step, reason: Some(reason), ..point.clone() };
        cancelled.change = Some(withdrawn::recorded(after, None));
        cancelled.point = true;
        return Ok(cancelled);
    }
    cancelled.image_goes_on =
        matches!(point.status.phase(), Phase::Calling | Phase::Pending | Phase::Ready);
    let mut settled = Vec::new();
    for replica in replicas.iter().filter(|replica| is_meant(replica)) {
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
    if *scope != Scope::All {
        cancelled.over = over;
    }
    Ok(cancelled)
}

/// Returns the findings that there may be of a lost image.
fn findings_of(region: &Region, image: &AmiId, now: Timestamp) -> [Resolved; 2] {
    [Code::Lost, Code::LostAgain].map(|code| {
        let (region, artefact) = (region.clone(), image.into());
        Resolved { region, artefact, code, at: now }
    })
}
