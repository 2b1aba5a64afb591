//! Places whose artefact is there, and whose key does not exist. At the first look the place is of
//! no use; at the second, [`LOST_AFTER`] later, the key was deleted, and nothing brings it back.
//!
//! An artefact at home stays as it is: its snapshots and the disks of its machine are under the
//! same key, so that nothing can be made in its place. A replica is lost: it is copied again from
//! what is left, under the key that its policy names. Its image is kept among the leftovers.

use jiff::Timestamp;

use super::disk_keys;
use crate::illegal::Illegal;
use crate::limits::LOST_AFTER;
use crate::point::{Place, Point, Replica, ReplicaEvent, ReplicaStatus};
use crate::transition::{loss, retry};

/// What a look at such a place leads to.
pub(super) enum Found<T, R> {
    /// A state that is told.
    New(T),
    /// The record as it is, perhaps with another time of its next look.
    Known(R),
}

/// Tells whether a look is the second one at what the first one has noted.
pub(super) fn is_second_look(missing_since: Option<Timestamp>, now: Timestamp) -> bool {
    missing_since.is_some_and(|since| now.duration_since(since) >= LOST_AFTER)
}

pub(super) fn at_home(
    point: &Point,
    name: &str,
    which: &str,
    now: Timestamp,
) -> Result<Found<Point, Point>, Illegal> {
    let again = |after: Point| Point {
        step: loss::looked_at(&after.step, LOST_AFTER, now),
        missing_since: point.missing_since.or(Some(now)),
        ..after
    };
    if point.key_deleted.is_some() {
        return Ok(Found::Known(loss::cleared(point)));
    }
    if is_second_look(point.missing_since, now) {
        let reason = disk_keys::deleted(name, &point.home, which, now);
        let after = loss::home(point, Place::Unusable, reason.clone(), now)?;
        return Ok(Found::New(Point { key_deleted: Some(reason), ..after }));
    }
    if point.home_place == Place::Unusable {
        return Ok(Found::Known(again(point.clone())));
    }
    let reason = disk_keys::unusable(name, &point.home, which);
    Ok(Found::New(again(loss::home(point, Place::Unusable, reason, now)?)))
}

pub(super) fn elsewhere(
    point: &Point,
    replica: &Replica,
    which: &str,
    now: Timestamp,
) -> Result<Found<(Point, Replica), Replica>, Illegal> {
    let again = |after: Replica| Replica {
        step: loss::looked_at(&after.step, LOST_AFTER, now),
        missing_since: replica.missing_since.or(Some(now)),
        ..after
    };
    let (image, region) =
        (replica.image.as_ref().map_or("", |image| image.as_str()), &replica.region);
    if is_second_look(replica.missing_since, now) {
        let reason = disk_keys::deleted(image, region, which, now);
        let (point, mut after) = loss::replica(point, replica, ReplicaEvent::Lose, reason, now)?;
        // It is there, and nobody restores it.
        let lost = after.lost.take();
        retry::leave(&mut after.leftovers, lost);
        return Ok(Found::New((point, after)));
    }
    if replica.status == ReplicaStatus::Unusable {
        return Ok(Found::Known(again(replica.clone())));
    }
    let reason = disk_keys::unusable(image, region, which);
    let (point, after) = loss::replica(point, replica, ReplicaEvent::Disable, reason, now)?;
    Ok(Found::New((point, again(after))))
}
