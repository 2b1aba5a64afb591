//! Looks before a copy: an image that the region has already is not made again.
//!
//! - A replica that was lost and waits to be copied again may have its image back, because a person
//!   has restored it. So may the home of a point whose image is to be copied back.
//! - A replica in a region that was not listed when the ledger was rebuilt is undecided. If the
//!   region has a copy, the copy is the replica. If a complete listing shows none, the replica
//!   waits to be copied like any other.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::Timestamp;

use super::decision_builder::DecisionBuilder;
use super::restored;
use crate::change::Change;
use crate::ids::AmiId;
use crate::illegal::Illegal;
use crate::names::image_name;
use crate::observed::{Complete, ImageState, ObservedImage};
use crate::point::{Point, Replica, ReplicaEvent, ReplicaStatus, Step};
use crate::reason::{Code, Reason};
use crate::slot::PointId;
use crate::tags::read::Label;
use crate::transition::{came_back, success};
use crate::work::{Kind, Queue};

/// Images that the region has, of those that may be there.
#[derive(Clone, Debug, Default)]
pub struct There {
    /// The images that were lost.
    pub images: BTreeMap<AmiId, ObservedImage>,
    /// The images that carry the tag of a point, for each point with an undecided replica.
    pub tagged: BTreeMap<PointId, Complete<ObservedImage>>,
}

/// Facts to read before a copy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToRead {
    /// The images that were lost.
    pub images: Vec<AmiId>,
    /// The points with an undecided replica: every image with their tag is listed.
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
        to_read.points.extend(is_undecided(replica).then(|| point.id.clone()));
    }
    to_read
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

pub(super) fn look(point: &Point, replica: &Replica, there: Option<&There>) -> Look {
    let lost = lost(point, replica);
    if lost.is_none() && !is_undecided(replica) {
        return Look::Nothing;
    }
    let Some(there) = there else { return Look::Unread };
    let is_back = |image: &ObservedImage| match replica.is_copy_back() {
        true => came_back::is_home_back_meanwhile(point, image),
        false => came_back::is_replica_back(point, replica, image),
    };
    let seen = lost.and_then(|lost| there.images.get(lost));
    match is_undecided(replica) || seen.is_some_and(is_back) {
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
    if !is_undecided(replica) {
        match replica.is_copy_back() {
            true => {
                restored::meanwhile(builder, point, Some(replica), &there.images, now)?;
            }
            false => {
                restored::replica(builder, point, replica, &there.images, now)?;
            }
        }
        return Ok(());
    }
    let Some(Complete(images)) = there.tagged.get(&point.id) else { return Ok(()) };
    let copies = images.iter().filter_map(|image| Some((attempt(image, point, replica)?, image)));
    let copies: Vec<(u32, &ObservedImage)> = copies.collect();
    let is_there = |image: &ObservedImage| {
        matches!(image.state, ImageState::Available | ImageState::Pending | ImageState::Disabled)
    };
    let usable = copies.iter().filter(|(_, image)| is_there(image));
    let best = usable.max_by_key(|(attempt, image)| {
        (image.state == ImageState::Available, *attempt, Reverse(&image.id))
    });
    let last = copies.iter().map(|(attempt, _)| *attempt).max();
    let others = copies.iter().filter(|(_, image)| {
        image.state != ImageState::Deregistered && best.is_none_or(|(_, it)| it.id != image.id)
    });
    let leftovers = others.map(|(_, image)| image.id.clone().into()).collect();
    let replica = Replica { leftovers, ..replica.clone() };
    let region = replica.region.clone();
    let (after, kind) = match best {
        Some((attempt, image)) => {
            let text = format!("{} was made before the ledger was rebuilt; it is used", image.id);
            builder.say(replica.about(), Reason::new(Code::Adopted, text));
            let step = Step { attempt: *attempt, ..replica.step.clone() };
            let replica = Replica { step, ..replica };
            let after = success::replica(&replica, image.id.clone(), now)?;
            (after.due_now(now), Kind::Confirm)
        }
        None => {
            let text = format!("no replica was found in {region} once it was listed");
            let reason = Reason::new(Code::NotRebuilt, text);
            builder.say(replica.about(), reason.clone());
            let attempt = last.map_or(0, |last| last.saturating_add(1));
            let step = Step { attempt, first: attempt, ..Step::default() };
            let after = replica.after(ReplicaEvent::Retry)?.due_now(now);
            let step = Step { due_at: after.step.due_at, ..step };
            (Replica { step, reason: Some(reason), ..after }, Kind::Copy)
        }
    };
    builder.wake(Queue { region, kind });
    builder.record(Change::replica(after));
    Ok(())
}

/// Returns the attempt that made a copy; none if the image is not a copy that the replica could be.
fn attempt(image: &ObservedImage, point: &Point, replica: &Replica) -> Option<u32> {
    let label = Label::read(&image.tags).ok()?;
    let source = image.source.as_ref().map(|(region, image)| (region, image));
    let is_ours = label.point == point.id
        && label.home == point.home
        && label.requested_at == point.requested_at
        && source == Some((replica.source_region(), &replica.source))
        && image.name == image_name(&point.id, label.attempt);
    is_ours.then_some(label.attempt)
}
