//! Lost artefacts that are there again, because a person has restored them from the Recycle Bin.
//!
//! An artefact comes back under its old id. Its place is good again only while the point still has
//! the data that the artefact has: a point that began again since has other data.

use std::collections::BTreeSet;

use crate::ids::SnapshotId;
use crate::illegal::Illegal;
use crate::limits::CLOCK_SKEW;
use crate::observed::{ImageState, ObservedImage};
use crate::point::{Place, Point, Replica, ReplicaEvent, ReplicaStatus};
use crate::policy::Artefact;
use crate::status::{Event, IllegalTransition, Status};
use crate::transition::loss;

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

/// Tells whether all snapshots are there of a lost point that is snapshots and nothing else.
pub fn are_snapshots_back(point: &Point, completed: &BTreeSet<&SnapshotId>) -> bool {
    point.plan.kind == Artefact::Snapshots
        && loss::has_lost(point)
        && !point.snapshots.is_empty()
        && point.snapshots.values().all(|id| completed.contains(id))
}

/// Tells whether an image has the data that the point has now.
fn is_of_data(point: &Point, image: &ObservedImage) -> bool {
    let created_at = image.created_at;
    let is_younger = point.taken_at.is_some_and(|taken_at| {
        created_at.is_some_and(|created_at| taken_at.duration_since(created_at) <= CLOCK_SKEW)
    });
    is_at_rest(point) && is_younger
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

/// Returns the replica whose image is there again, and its point.
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
    Ok((imaged(point)?, after))
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
