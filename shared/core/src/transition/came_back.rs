//! Lost artefacts that are there again, because a person has restored them from the Recycle Bin.
//!
//! An artefact comes back under its old id. Its place is good again only while the point still has
//! the data that the artefact has: a point that began again since has other data.

use std::collections::BTreeSet;

use crate::ids::{AmiId, ResourceId, SnapshotId};
use crate::illegal::Illegal;
use crate::limits::CLOCK_SKEW;
use crate::observed::{ImageState, ObservedImage};
use crate::point::{Place, Point, Replica, ReplicaEvent, ReplicaStatus};
use crate::policy::Artefact;
use crate::status::{Event, IllegalTransition, Status};
use crate::transition::{loss, retry};

/// Tells whether an image is the one that was lost at home. It can be used, or is disabled.
pub fn is_home_back(point: &Point, image: &ObservedImage) -> bool {
    let is_there = matches!(image.state, ImageState::Available | ImageState::Disabled);
    let is_lost = point.lost.as_ref() == Some(&image.id) && loss::has_lost(point);
    is_lost && is_there && is_of_data(point, image)
}

/// Tells whether an image is the one that was lost at home, and can be used, before another is
/// registered or copied back.
pub fn is_home_back_meanwhile(point: &Point, image: &ObservedImage) -> bool {
    point.lost.as_ref() == Some(&image.id)
        && point.home_place == Place::Underway
        && image.state == ImageState::Available
        && is_of_data(point, image)
}

/// Tells whether an image is the one that a replica has lost. The replica is lost, or waits to be
/// copied again. The image can be used; one that is disabled is back only if the replica is lost.
pub fn is_replica_back(point: &Point, replica: &Replica, image: &ObservedImage) -> bool {
    let is_there = match replica.status {
        ReplicaStatus::Lost => matches!(image.state, ImageState::Available | ImageState::Disabled),
        ReplicaStatus::Waiting => image.state == ImageState::Available,
        _ => false,
    };
    replica.lost.as_ref() == Some(&image.id)
        && is_there
        && !replica.is_copy_back()
        && is_of_data(point, image)
}

/// Tells whether an image is the one that was lost at home, and can be used, while the one that was
/// registered in its place is disabled.
pub fn is_home_back_instead(point: &Point, image: &ObservedImage) -> bool {
    point.lost.as_ref() == Some(&image.id)
        && point.status == Status::Registered
        && image.state == ImageState::Available
        && is_younger(point, image)
}

/// Tells whether an image is the one that a replica has lost, with other data than its point has by
/// now: the point began again on its machine.
pub fn is_of_other_data(point: &Point, replica: &Replica, image: &ObservedImage) -> bool {
    replica.lost.as_ref() == Some(&image.id)
        && replica.status == ReplicaStatus::Lost
        && matches!(image.state, ImageState::Available | ImageState::Disabled)
        && point.taken_at.is_some()
        && image.created_at.is_some()
        && is_at_rest(point)
        && !is_of_data(point, image)
}

/// Tells whether an image is one that a place had before, with the data that the point has now. It
/// is among the leftovers of the place, which has lost the image that was made instead.
pub fn is_earlier(point: &Point, leftovers: &[ResourceId], image: &ObservedImage) -> bool {
    let is_copy = image.source.is_some() && image.attributes.source_instance.is_none();
    let is_of_point = |id: &SnapshotId| point.snapshots.values().any(|ours| ours == id);
    let has_disks = !image.snapshots.is_empty() && image.snapshots.iter().all(is_of_point);
    leftovers.contains(&image.id.clone().into())
        && image.state == ImageState::Available
        && (is_copy || has_disks)
        && is_of_data(point, image)
}

/// Returns the point that has lost this image at home, instead of one that was made after it.
pub fn home_of_earlier(point: &Point, earlier: &AmiId) -> Point {
    let (lost, leftovers) = exchanged(&point.leftovers, point.lost.clone(), earlier);
    Point { lost, leftovers, ..point.clone() }
}

/// Returns the replica that has lost this image, instead of one that was made after it.
pub fn replica_of_earlier(replica: &Replica, earlier: &AmiId) -> Replica {
    let (lost, leftovers) = exchanged(&replica.leftovers, replica.lost.clone(), earlier);
    Replica { lost, leftovers, ..replica.clone() }
}

fn exchanged(
    leftovers: &[ResourceId],
    lost: Option<AmiId>,
    earlier: &AmiId,
) -> (Option<AmiId>, Vec<ResourceId>) {
    let id = ResourceId::from(earlier.clone());
    let mut left: Vec<ResourceId> = leftovers.iter().filter(|it| **it != id).cloned().collect();
    retry::leave(&mut left, lost);
    (Some(earlier.clone()), left)
}

/// Tells whether all snapshots are there of a lost point that is snapshots and nothing else.
pub fn are_snapshots_back(point: &Point, completed: &BTreeSet<&SnapshotId>) -> bool {
    point.plan.kind == Artefact::Snapshots
        && loss::has_lost(point)
        && !point.snapshots.is_empty()
        && point.snapshots.values().all(|id| completed.contains(id))
}

/// Tells whether an image has the data that the point has now.
fn is_of_data(point: &Point, image: &ObservedImage) -> bool {
    is_at_rest(point) && is_younger(point, image)
}

/// Tells whether an image was made after the data of the point.
fn is_younger(point: &Point, image: &ObservedImage) -> bool {
    let created_at = image.created_at;
    point.taken_at.is_some_and(|taken_at| {
        created_at.is_some_and(|created_at| taken_at.duration_since(created_at) <= CLOCK_SKEW)
    })
}

/// Tells whether a point has the data that it is going to have.
const fn is_at_rest(point: &Point) -> bool {
    matches!(point.status, Status::Imaged | Status::Protected | Status::Lost | Status::Ready)
}

/// Returns the point whose artefact at home is there again.
///
/// # Errors
/// The point did not lose it.
pub fn home(point: &Point) -> Result<Point, IllegalTransition> {
    let after = imaged(point)?;
    Ok(Point {
        image: point.lost.clone().or_else(|| point.image.clone()),
        lost: None,
        home_place: Place::Available,
        missing_since: None,
        heal_asked: false,
        step: point.step.settled(),
        ..after
    })
}

/// Returns the replica whose image is there again, and its point. An image at home that waits to be
/// registered again goes on waiting.
///
/// # Errors
/// The replica did not lose it.
pub fn replica(point: &Point, replica: &Replica) -> Result<(Point, Replica), Illegal> {
    let after = replica.after(ReplicaEvent::Restore)?;
    let after = Replica {
        image: replica.lost.clone(),
        lost: None,
        missing_since: None,
        heal_asked: false,
        reason: None,
        step: replica.step.settled(),
        ..after
    };
    let point = match loss::waits_to_be_remade(point) {
        true => point.clone(),
        false => imaged(point)?,
    };
    Ok((point, after))
}

/// Returns the point, imaged: something of it is there again.
///
/// # Errors
/// The point is not lost, and not imaged.
pub fn imaged(point: &Point) -> Result<Point, IllegalTransition> {
    let after = match point.status {
        Status::Lost | Status::Ready => point.after(Event::Restore)?,
        // The place that comes back was given up.
        Status::Protected => point.after(Event::Lose)?,
        _ => point.clone(),
    };
    // The reason of the loss is over; that of another loss is found again.
    Ok(Point { reason: None, refused: None, ..after })
}
