//! A person calls off what has not begun: points that wait, copies that wait, and images that are
//! lost and would be made again. What has begun is finished, and what is there is kept.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::taken_up;
use crate::change::{Change, Write};
use crate::finding::Resolved;
use crate::ids::{Region, ResourceId};
use crate::illegal::Illegal;
use crate::limits::SETTLE;
use crate::point::{Place, Point, Replica, ReplicaStatus};
use crate::policy::Artefact;
use crate::reason::{Code, Reason};
use crate::status::{Phase, Status};
use crate::transition::{loss, replicas, withdrawn};

/// A point that may be called off, with its replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub point: Point,
    pub replicas: Vec<Replica>,
    /// The regions of those of [`open_calls`] whose call has made nothing.
    pub made_nothing: BTreeSet<Region>,
}

/// The part of a point that is called off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everything that has not begun.
    All,
    /// The image in one region. Before anything of the point has begun, its home is all of it.
    Place(Region),
}

impl Scope {
    fn has(&self, region: &Region) -> bool {
        match self {
            Scope::All => true,
            Scope::Place(place) => place == region,
        }
    }
}

/// What becomes of a point.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cancelled {
    /// The change to write; none if nothing is called off.
    pub change: Option<Change>,
    /// True if the point itself is called off, before anything of it has begun.
    pub point: bool,
    /// The home of the point, if its image there is lost and called off.
    pub home: Option<Region>,
    /// The regions whose copies are called off.
    pub places: BTreeSet<Region>,
    /// The regions whose images are there and are kept.
    pub kept: BTreeSet<Region>,
    /// True if the point has begun, and its image at home is being made.
    pub image_goes_on: bool,
    /// The regions into which a copy is being made.
    pub copies_go_on: BTreeSet<Region>,
    /// The regions into which a copy may be being made: its call had no outcome, and EC2 does not
    /// show yet what it made.
    pub copies_unknown: BTreeSet<Region>,
    /// The reason why each place that was meant is not called off, if none of them is.
    pub not: BTreeMap<Region, String>,
    /// The findings that are over, because what they tell of is called off.
    pub over: Vec<Resolved>,
}

/// Lists the replicas that are meant, and whose call had no outcome so far. A listing of the images
/// with their names shows what the calls have made ([`copy_image::made_nothing`]).
pub fn open_calls<'a>(
    replicas: &'a [Replica],
    scope: &Scope,
    now: Timestamp,
) -> impl Iterator<Item = &'a Replica> {
    replicas.iter().filter(move |replica| {
        scope.has(&replica.region)
            && replica.status == ReplicaStatus::Copying
            && replica.step.is_past(SETTLE, now)
    })
}

/// Decides what is called off of a point, and what goes on.
///
/// # Errors
/// A record cannot be called off where it stands.
pub fn decide(target: &Target, scope: &Scope, now: Timestamp) -> Result<Cancelled, Illegal> {
    let Target { point, replicas, made_nothing } = target;
    let mut cancelled = Cancelled {
        image_goes_on: is_being_made(point),
        kept: kept(point),
        ..Cancelled::default()
    };
    let home = match scope.has(&point.home) {
        true => home_off(target, now)?,
        false => None,
    };
    let reason = Reason::new(Code::Cancelled, format!("called off by a person at {now}"));
    let mut settled = Vec::new();
    for replica in replicas.iter().filter(|replica| scope.has(&replica.region)) {
        match replica.status {
            ReplicaStatus::Copying if made_nothing.contains(&replica.region) => {
                settled.push(withdrawn::not_copied(replica, reason.clone())?);
            }
            ReplicaStatus::Copying if has_no_outcome(replica) => {
                cancelled.copies_unknown.insert(replica.region.clone());
            }
            ReplicaStatus::Copying | ReplicaStatus::Pending => {
                cancelled.copies_go_on.insert(replica.region.clone());
            }
            ReplicaStatus::Waiting => settled.push(withdrawn::replica(replica, reason.clone())?),
            // The point itself stands for the place at home.
            ReplicaStatus::Failed | ReplicaStatus::Lost if !replica.is_copy_back() => {
                settled.push(withdrawn::replica(replica, reason.clone())?);
            }
            // Its policy did not want it, and may want it again.
            ReplicaStatus::Withdrawn if withdrawn::is_unwanted(replica) => {
                settled.push(withdrawn::for_good(replica, reason.clone()));
            }
            ReplicaStatus::Available
            | ReplicaStatus::Failed
            | ReplicaStatus::Lost
            | ReplicaStatus::Unusable
            | ReplicaStatus::Withdrawn => {}
        }
    }
    let regions = settled.iter().filter(|replica| !replica.is_copy_back());
    cancelled.places = regions.map(|replica| replica.region.clone()).collect();
    let is_home_off = home.as_ref().is_some_and(loss::is_called_off);
    cancelled.image_goes_on &= !is_home_off;
    cancelled.home = is_home_off.then(|| point.home.clone());
    cancelled.point = home.is_some() && !is_home_off;
    cancelled.change = match home {
        Some(after) if after.status != Status::Imaged => {
            let change = withdrawn::recorded(after, None);
            Some(settled.into_iter().map(Write::replica).fold(change, Change::with))
        }
        Some(after) => Some(replicas::settled(&after, settled)?),
        None if settled.is_empty() => None,
        None => Some(replicas::settled(point, settled)?),
    };
    let is_home_over = cancelled.point || is_home_off || loss::is_called_off(point);
    cancelled.over = over(target, scope, is_home_over, now);
    if cancelled.change.is_none() {
        cancelled.not = not(target, scope);
    }
    Ok(cancelled)
}

/// Tells whether the call of a copy was not answered.
fn has_no_outcome(replica: &Replica) -> bool {
    replica.reason.as_ref().is_some_and(|reason| reason.code == Code::OutcomeUnknown)
}

fn is_being_made(point: &Point) -> bool {
    matches!(point.status.phase(), Phase::Calling | Phase::Pending | Phase::Ready)
}

/// Returns the point whose image at home is called off; none if it is there or being made.
fn home_off(
    Target { point, replicas, .. }: &Target,
    now: Timestamp,
) -> Result<Option<Point>, Illegal> {
    let called_off = Reason::new(Code::Cancelled, format!("called off by a person at {now}"));
    let (home, id) = (&point.home, &point.id);
    let text = format!(
        "the image in {home} was lost, and called off by a person at {now}; `afterimage heal {id}` \
         makes it again all the same, if anything is left to make it of"
    );
    let lost = Reason::new(Code::Cancelled, text);
    let ended =
        |reason| Point { step: point.step.settled(), reason: Some(reason), ..point.clone() };
    let mut copies = replicas.iter().filter(|replica| replica.is_copy_back());
    let waits_to_come_back = copies.any(|copy| copy.status == ReplicaStatus::Waiting);
    Ok(match point.status {
        Status::Requested => {
            let after = withdrawn::cancelled(point, called_off)?;
            let is_lost = after.status == Status::Lost;
            Some(if is_lost { withdrawn::home(&after, lost) } else { after })
        }
        Status::Withdrawn if point.is_kept_to_begin_again() => Some(ended(called_off)),
        Status::Refused | Status::Failed
            if taken_up::may_begin_again(point.status, point.reason.as_ref()) =>
        {
            Some(ended(called_off))
        }
        Status::Imaged | Status::Lost if loss::has_lost(point) || waits_to_come_back => {
            Some(withdrawn::home(point, lost))
        }
        Status::Ready if loss::waits_to_be_remade(point) => {
            let after = loss::not_remade(point, called_off, now)?;
            Some(withdrawn::home(&after, lost))
        }
        _ => None,
    })
}

/// Returns the regions in which an image of the point is there.
fn kept(point: &Point) -> BTreeSet<Region> {
    if point.status.phase() != Phase::Good && !loss::waits_to_be_remade(point) {
        return BTreeSet::new();
    }
    let places = [(&point.home, &point.home_place)].into_iter().chain(&point.replicas);
    let there = places.filter(|(_, place)| matches!(place, Place::Available | Place::Unusable));
    there.map(|(region, _)| region.clone()).collect()
}

/// Returns the findings of what is lost and called off, now or before.
fn over(
    Target { point, replicas, .. }: &Target,
    scope: &Scope,
    is_home_over: bool,
    now: Timestamp,
) -> Vec<Resolved> {
    let mut lost: Vec<(&Region, ResourceId)> = Vec::new();
    if scope.has(&point.home) && is_home_over {
        let is_all = point.plan.kind == Artefact::Snapshots && loss::lacks_home(point);
        let snapshots = point.snapshots.values().filter(|_| is_all).cloned();
        let artefacts = point.lost.iter().cloned().map(ResourceId::from);
        let artefacts = artefacts.chain(snapshots.map(ResourceId::from));
        lost.extend(artefacts.map(|artefact| (&point.home, artefact)));
    }
    let off = replicas.iter().filter(|replica| {
        let is_off = matches!(
            replica.status,
            ReplicaStatus::Waiting
                | ReplicaStatus::Failed
                | ReplicaStatus::Lost
                | ReplicaStatus::Withdrawn
        );
        is_off && scope.has(&replica.region) && !replica.is_copy_back()
    });
    lost.extend(off.filter_map(|off| Some((&off.region, off.lost.clone()?.into()))));
    let both = |(region, artefact): (&Region, ResourceId)| {
        [Code::Lost, Code::LostAgain].map(|code| {
            let (region, artefact) = (region.clone(), artefact.clone().into());
            Resolved { region, artefact, code, at: now }
        })
    };
    lost.into_iter().flat_map(both).collect()
}

/// Returns the reason why each place that is meant is not called off.
fn not(target: &Target, scope: &Scope) -> BTreeMap<Region, String> {
    let Target { point, replicas, .. } = target;
    let of = |replica: &Replica| (replica.region.clone(), not_elsewhere(replica));
    let elsewhere = replicas.iter().filter(|replica| !replica.is_copy_back()).map(of);
    let mut not: BTreeMap<Region, String> = elsewhere.collect();
    not.insert(point.home.clone(), not_at_home(point));
    if let Scope::Place(region) = scope
        && !not.contains_key(region)
    {
        let is_planned = point.plan.replicate.iter().any(|place| place.region == *region);
        let places: Vec<&str> = not.keys().map(Region::as_str).collect();
        let why = match is_planned && point.status.phase() != Phase::Ended {
            true => format!(
                "its copy is asked for once its image in {} is there; run the command again then",
                point.home
            ),
            false => format!("it has no place there; its places are {}", places.join(", ")),
        };
        not.insert(region.clone(), why);
    }
    not.retain(|region, _| scope.has(region));
    not
}

const IS_THERE: &str = "its image is there, and Afterimage deletes no image";

const NOT_KNOWN: &str = "the call for its copy was not answered, and EC2 does not show yet if it \
                         made one; run the command again in some minutes, or when the region \
                         answers";

const IS_BEGUN: &str = "and what has begun is finished";

fn not_at_home(point: &Point) -> String {
    let text = point.reason.as_ref().map_or("", |reason| reason.text.as_str());
    match (point.status.phase(), point.home_place) {
        (Phase::Calling | Phase::Pending | Phase::Ready, _) => {
            format!("its image is being made, {IS_BEGUN}")
        }
        (Phase::Good, Place::Underway) => format!("its image is being copied back, {IS_BEGUN}"),
        (_, Place::Withdrawn) => format!(
            "its image was lost and is called off already; `afterimage heal {}` makes it again all \
             the same, if anything is left to make it of",
            point.id
        ),
        (Phase::Ended, _) => format!("the point is {}, and does not begin: {text}", point.status),
        (Phase::Requested | Phase::Good, _) => IS_THERE.to_string(),
    }
}

fn not_elsewhere(replica: &Replica) -> String {
    match replica.status {
        ReplicaStatus::Copying if has_no_outcome(replica) => NOT_KNOWN.to_string(),
        ReplicaStatus::Copying | ReplicaStatus::Pending => {
            format!("its copy is being made, {IS_BEGUN}")
        }
        ReplicaStatus::Withdrawn => {
            let text = replica.reason.as_ref().map_or("", |reason| reason.text.as_str());
            format!("its copy is not made: {text}")
        }
        _ => IS_THERE.to_string(),
    }
}
