//! Looks before a copy: an image that the region has already is not made again.
//!
//! - A place that is made again may have an image that the ledger does not name, because the ledger
//!   was put back to a time before that was made. A copy of the family of the point is the image of
//!   the place ([`Family`]).
//! - A replica that was lost and waits to be copied again may have its image back, because a person
//!   has restored it. So may the home of a point whose image is to be copied back.
//! - A replica in a region that was not listed when the ledger was rebuilt is undecided. If the
//!   region has a copy, the copy is the replica. If a complete listing shows none, the replica
//!   waits to be copied like any other.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::Timestamp;

use super::decision_builder::DecisionBuilder;
use super::due::is_replica_due;
use super::restored;
pub use super::there::There;
use crate::change::{Change, Write};
use crate::family::Family;
use crate::ids::{AmiId, ResourceId};
use crate::illegal::Illegal;
use crate::observed::{Complete, ImageState, ObservedImage};
use crate::point::{Place, Point, Replica, ReplicaEvent, ReplicaStatus, Step};
use crate::reason::{Code, Reason};
use crate::slot::PointId;
use crate::status::Status;
use crate::tags::read::Label;
use crate::transition::{came_back, retry, success};
use crate::work::{Kind, Queue};

/// Facts to read before a copy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToRead {
    /// The images that were lost.
    pub images: Vec<AmiId>,
    /// The points with a replica that may exist: every image with their tag is listed.
    pub points: Vec<PointId>,
}

/// Result of the look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// The region has nothing: the copy may be made.
    Nothing,
    /// The image is there, or the replica is no longer undecided.
    Settles,
    /// The region could not be read.
    Unread,
}

/// Returns what has to be read before these replicas are copied.
pub fn to_read(replicas: &[Replica], points: &BTreeMap<PointId, Point>) -> ToRead {
    let mut to_read = ToRead::default();
    for replica in replicas {
        let Some(point) = points.get(&replica.point) else { continue };
        to_read.images.extend(lost(point, replica).cloned());
        to_read.points.extend(may_exist(replica).then(|| point.id.clone()));
    }
    to_read
}

/// Returns what has to be read before the due replicas are made again that are lost, or may be.
pub fn to_read_of_lost(
    replicas: &[Replica],
    points: &BTreeMap<PointId, Point>,
    now: Timestamp,
) -> ToRead {
    let is_looked_at = |replica: &&Replica| {
        let is_lost = replica.status == ReplicaStatus::Lost || replica.missing_since.is_some();
        is_lost && is_replica_due(replica, now)
    };
    let lost = replicas.iter().filter(is_looked_at);
    to_read(&lost.cloned().collect::<Vec<_>>(), points)
}

/// Returns the image that was lost in the place of a replica that waits.
fn lost<'a>(point: &'a Point, replica: &'a Replica) -> Option<&'a AmiId> {
    let lost = if replica.is_copy_back() { &point.lost } else { &replica.lost };
    lost.as_ref().filter(|_| replica.status == ReplicaStatus::Waiting)
}

/// Tells whether a rebuild could not tell if a replica exists.
fn is_undecided(replica: &Replica) -> bool {
    replica.status == ReplicaStatus::Copying
        && replica.reason.as_ref().is_some_and(|reason| reason.code == Code::NotListed)
}

/// Tells whether a region may have the image of a replica that the ledger does not name: one that
/// is made again, or of which a rebuild could not tell if it exists.
fn may_exist(replica: &Replica) -> bool {
    let is_again = replica.lost.is_some() || !replica.healed.is_empty();
    match replica.status {
        ReplicaStatus::Lost => true,
        ReplicaStatus::Available | ReplicaStatus::Unusable => replica.missing_since.is_some(),
        ReplicaStatus::Waiting => is_again,
        _ => is_undecided(replica),
    }
}

pub(super) fn look(point: &Point, replica: &Replica, there: Option<&There>) -> Look {
    if !may_exist(replica) {
        return Look::Nothing;
    }
    let Some(there) = there else { return Look::Unread };
    let lost = lost(point, replica);
    let is_back = |image: &ObservedImage| match replica.is_copy_back() {
        true => came_back::is_home_back_meanwhile(point, image),
        false => came_back::is_replica_back(point, replica, image),
    };
    let seen = lost.and_then(|lost| there.images.get(lost));
    let is_there = || copies(point, replica, there).0.is_some();
    match is_undecided(replica) || seen.is_some_and(is_back) || is_there() {
        true => Look::Settles,
        false => Look::Nothing,
    }
}

/// Takes the image that is there for the replica. An undecided replica of which there is none waits
/// to be copied.
pub(super) fn settle(
    builder: &mut DecisionBuilder,
    point: &Point,
    replica: &Replica,
    there: &There,
    now: Timestamp,
) -> Result<(), Illegal> {
    let is_back = match replica.is_copy_back() {
        _ if is_undecided(replica) => false,
        true => restored::meanwhile(builder, point, Some(replica), &there.images, now)?,
        false => restored::replica(builder, (point, &[]), replica, &there.images, now)?,
    };
    if is_back {
        return Ok(());
    }
    let (best, others) = copies(point, replica, there);
    let region = replica.region.clone();
    if let Some(image) = best {
        let after = adopted(builder, replica, image, others, now)?;
        builder.record(Change::replica(after));
        return Ok(());
    }
    if !is_undecided(replica) {
        return Ok(());
    }
    let text = format!("no replica was found in {region} once it was listed");
    let reason = Reason::new(Code::NotRebuilt, text);
    builder.say(replica.about(), reason.clone());
    let last = others.iter().filter_map(|image| attempt(image)).max();
    let attempt = last.map_or(0, |last| last.saturating_add(1));
    let after = replica.after(ReplicaEvent::Retry)?.due_now(now);
    let step = Step { due_at: after.step.due_at, attempt, first: attempt, ..Step::default() };
    let leftovers = with(&replica.leftovers, others);
    builder.wake(Queue { region, kind: Kind::Copy });
    builder.record(Change::replica(Replica { step, leftovers, reason: Some(reason), ..after }));
    Ok(())
}

/// Takes a copy that the ledger did not name for a replica that is lost. Tells whether there is
/// one.
pub(super) fn adopt(
    builder: &mut DecisionBuilder,
    point: &Point,
    replica: &Replica,
    there: &There,
    now: Timestamp,
) -> Result<bool, Illegal> {
    let (Some(image), others) = copies(point, replica, there) else { return Ok(false) };
    let waiting = replica.after(ReplicaEvent::Again)?;
    let after = adopted(builder, &waiting, image, others, now)?;
    let mut point = match point.status {
        Status::Lost => {
            // Other places may be lost for longer, and the point says why it is not protected.
            let text = format!("the image in {} is not there yet", replica.region);
            let reason = Some(Reason::new(Code::Healing, text));
            Point { reason, ..came_back::imaged(point)? }
        }
        _ => point.clone(),
    };
    point.replicas.insert(replica.region.clone(), Place::Underway);
    builder.record(Change::point(point).with(Write::replica(after)));
    Ok(true)
}

/// Returns the copy of the family of a point that can be the image of a place, and the others that
/// the place has. What the ledger names as a leftover was turned down, or is not needed.
fn copies<'a>(
    point: &Point,
    replica: &Replica,
    there: &'a There,
) -> (Option<&'a ObservedImage>, Vec<&'a ObservedImage>) {
    let Some(Complete(listed)) = there.tagged.get(&point.id) else { return (None, Vec::new()) };
    let shown = there.sources.iter().map(|(region, image)| (region, image));
    let family = Family::named(point, there.replicas.iter().chain([replica])).with(shown);
    let known = |image: &ObservedImage| {
        let id = image.id.clone().into();
        replica.leftovers.contains(&id)
            || point.leftovers.contains(&id)
            || replica.lost.as_ref() == Some(&image.id)
            || point.lost.as_ref() == Some(&image.id)
    };
    let is_new = |image: &&ObservedImage| {
        image.state != ImageState::Deregistered
            && !known(image)
            && family.is_copy(&replica.region, image)
    };
    let mut copies: Vec<&ObservedImage> = listed.iter().filter(is_new).collect();
    // Where another can be made, none is used that a person has disabled.
    let is_there = |image: &ObservedImage| match image.state {
        ImageState::Available => true,
        ImageState::Pending => is_undecided(replica) || image.shows_disks(),
        ImageState::Disabled => is_undecided(replica),
        _ => false,
    };
    let usable = copies.iter().copied().filter(|image| is_there(image));
    let best = usable.max_by_key(|image| {
        (image.state == ImageState::Available, attempt(image), Reverse(&image.id))
    });
    copies.retain(|image| best.is_none_or(|best| best.id != image.id));
    (best, copies)
}

/// Returns the replica of which a copy was found that the ledger does not name. It is confirmed
/// like one that was just made.
fn adopted(
    builder: &mut DecisionBuilder,
    replica: &Replica,
    image: &ObservedImage,
    others: Vec<&ObservedImage>,
    now: Timestamp,
) -> Result<Replica, Illegal> {
    let text = format!("{} was made before, and the ledger did not know it; it is used", image.id);
    builder.say(replica.about(), Reason::new(Code::Adopted, text));
    builder.wake(Queue { region: replica.region.clone(), kind: Kind::Confirm });
    let begun = match replica.status {
        ReplicaStatus::Copying => replica.clone(),
        _ => replica.after(ReplicaEvent::Begin)?,
    };
    let number = attempt(image).unwrap_or_default();
    let attempt = match is_undecided(replica) {
        true => number,
        false => number.max(replica.step.attempt),
    };
    let leftovers = with(&replica.leftovers, others);
    let mut begun = Replica { leftovers, ..begun };
    begun.step.attempt = attempt;
    if let Some((region, source)) = &image.source {
        begun.source = source.clone();
        begun.source_region = (*region != replica.home).then(|| region.clone());
    }
    Ok(success::replica(&begun, image.id.clone(), now)?.due_now(now))
}

/// Returns leftovers with those of these images that are not among them.
fn with(leftovers: &[ResourceId], images: Vec<&ObservedImage>) -> Vec<ResourceId> {
    let mut leftovers = leftovers.to_vec();
    retry::leave(&mut leftovers, images.into_iter().map(|image| image.id.clone()));
    leftovers
}

/// Returns the attempt that made an image, as its tags say.
fn attempt(image: &ObservedImage) -> Option<u32> {
    Label::read(&image.tags).ok().map(|label| label.attempt)
}
