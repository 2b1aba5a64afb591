//! Lost places whose artefact is there again, by a look at its id.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::compare;
use super::decision_builder::DecisionBuilder;
use super::disk_keys::{self, Use};
use super::images::Input;
use super::may_be_back;
use crate::change::{Change, Write};
use crate::command::Resolved;
use crate::ids::{AmiId, Region, ResourceId, SnapshotId};
use crate::illegal::Illegal;
use crate::observed::{ImageState, ObservedImage, SnapshotState};
use crate::point::{Place, Point, Replica, ReplicaEvent, ReplicaStatus};
use crate::policy::Artefact;
use crate::reason::{Code, Reason};
use crate::status::Status;
use crate::subject::Subject;
use crate::transition::{came_back, loss, replicas, retry, summary, withdrawn};
use crate::work::{Kind, Queue};

/// Calls the place at home good again if its artefact is there. Tells whether it is.
pub(super) fn home(
    builder: &mut DecisionBuilder,
    point: &Point,
    known: &[&Replica],
    input: &Input,
) -> Result<bool, Illegal> {
    let completed = input.snapshots.iter();
    let completed = completed.filter(|(_, seen)| seen.state == SnapshotState::Completed);
    let completed: BTreeSet<&SnapshotId> = completed.map(|(id, _)| id).collect();
    let is_image_back = home_state(point, input) == Some(ImageState::Available);
    let is_back = is_image_back || came_back::are_snapshots_back(point, &completed);
    let of_earlier = match earlier(point, &point.leftovers, input) {
        Some(earlier) if !is_back && loss::has_lost(point) => {
            Some(came_back::home_of_earlier(point, &earlier.id))
        }
        _ => None,
    };
    if !is_back && of_earlier.is_none() {
        return Ok(false);
    }
    found_at_home(builder, point, input.now);
    let point = of_earlier.as_ref().unwrap_or(point);
    // The next look, at once, tells if its key can be used.
    let after = replicas::judged(home_is_back(point, known)?)?.due_now(input.now);
    let mut change = summary::recorded(after);
    // What else was lost may be copied from it.
    let lost = known.iter().filter(|_| point.status == Status::Lost);
    change.writes.extend(lost_elsewhere(builder, lost.copied(), input.now));
    builder.record(change);
    Ok(true)
}

/// Calls the place at home, which is not made again, of no use if its image is there and disabled.
/// Tells whether it is.
pub(super) fn home_disabled(
    builder: &mut DecisionBuilder,
    point: &Point,
    known: &[&Replica],
    input: &Input,
) -> Result<bool, Illegal> {
    let (Some(lost), Some(ImageState::Disabled)) = (&point.lost, home_state(point, input)) else {
        return Ok(false);
    };
    let reason = loss::disabled(lost.as_str(), &point.home);
    found_at_home(builder, point, input.now);
    builder.report_of(&point.home, Some(&lost.clone().into()), &reason, input.now);
    let after = loss::home(&home_is_back(point, known)?, Place::Unusable, reason, input.now)?;
    builder.record(summary::recorded(after));
    Ok(true)
}

/// Returns the state of the image that was lost at home, if it is there.
fn home_state(point: &Point, input: &Input) -> Option<ImageState> {
    let seen = point.lost.as_ref().and_then(|lost| input.images.get(lost));
    seen.filter(|image| came_back::is_home_back(point, image)).map(|image| image.state)
}

/// Returns the point whose artefact at home is there.
fn home_is_back(point: &Point, known: &[&Replica]) -> Result<Point, Illegal> {
    Ok(Point { replicas: places_of(point, known), ..came_back::home(point)? })
}

/// Returns the places of the replicas of a point. It keeps none while nothing of it is left.
fn places_of(point: &Point, known: &[&Replica]) -> BTreeMap<Region, Place> {
    let mut places = point.replicas.clone();
    if point.status == Status::Lost {
        let others = known.iter().filter(|replica| !replica.is_copy_back());
        places.extend(others.map(|it| (it.region.clone(), Place::from(it.status))));
    }
    places
}

fn found_at_home(builder: &mut DecisionBuilder, point: &Point, now: Timestamp) {
    let snapshots = point.snapshots.values().filter(|_| point.plan.kind == Artefact::Snapshots);
    let artefacts = point.lost.clone().map(ResourceId::from).into_iter();
    for artefact in artefacts.chain(snapshots.cloned().map(ResourceId::from)) {
        found(builder, &point.home, artefact.into(), now);
    }
}

/// Has the replicas looked at that are lost, because an image of their point is there again.
pub(super) fn lost_elsewhere<'a>(
    builder: &mut DecisionBuilder,
    known: impl Iterator<Item = &'a Replica>,
    now: Timestamp,
) -> Vec<Write> {
    let lost = known.filter(|it| it.status == ReplicaStatus::Lost && !it.is_copy_back());
    let look_at = |replica: &Replica| {
        builder.wake(Queue { region: replica.region.clone(), kind: Kind::Confirm });
        Write::replica(replica.due_now(now))
    };
    lost.map(look_at).collect()
}

/// Calls a replica good again if its image is there. Tells whether it is. `known` are the replicas
/// of the point, as far as they were read.
pub(super) fn replica(
    builder: &mut DecisionBuilder,
    (point, known): (&Point, &[&Replica]),
    replica: &Replica,
    images: &BTreeMap<AmiId, ObservedImage>,
    now: Timestamp,
) -> Result<bool, Illegal> {
    if replica_state(point, replica, images) != Some(ImageState::Available) {
        return Ok(false);
    }
    if let Some(lost) = &replica.lost {
        found(builder, &replica.region, Subject::from(lost), now);
    }
    replica_back(builder, (point, known), replica, now)?;
    Ok(true)
}

/// Calls a lost replica good again if an image is there that it had before. Tells whether one is.
pub(super) fn replica_earlier(
    builder: &mut DecisionBuilder,
    (point, known): (&Point, &[&Replica]),
    replica: &Replica,
    input: &Input,
) -> Result<bool, Illegal> {
    let Some(earlier) = earlier(point, &replica.leftovers, input) else { return Ok(false) };
    if let Some(lost) = &replica.lost {
        found(builder, &replica.region, Subject::from(lost), input.now);
    }
    let of_earlier = came_back::replica_of_earlier(replica, &earlier.id);
    replica_back(builder, (point, known), &of_earlier, input.now)?;
    Ok(true)
}

/// Records that the image that a replica had lost is there.
fn replica_back(
    builder: &mut DecisionBuilder,
    (point, known): (&Point, &[&Replica]),
    replica: &Replica,
    now: Timestamp,
) -> Result<(), Illegal> {
    let places = places_of(point, known);
    let (mut point, after) = came_back::replica(point, replica)?;
    point.replicas = places;
    if point.home_place == Place::Lost {
        // The image at home can be made again from it.
        builder.wake(Queue { region: point.home.clone(), kind: Kind::Confirm });
        point = point.due_now(now);
    }
    // The next look, at once, tells if its key can be used.
    let mut change: Change = replicas::settled(&point, vec![after.due_now(now)])?;
    let others = known.iter().copied().filter(|other| other.region != replica.region);
    change.writes.extend(lost_elsewhere(builder, others, now));
    builder.record(change);
    Ok(())
}

/// Calls a replica, which is not made again, of no use if its image is there and disabled. Tells
/// whether it is.
pub(super) fn replica_disabled(
    builder: &mut DecisionBuilder,
    point: &Point,
    replica: &Replica,
    images: &BTreeMap<AmiId, ObservedImage>,
    now: Timestamp,
) -> Result<bool, Illegal> {
    let state = replica_state(point, replica, images);
    let (Some(lost), Some(ImageState::Disabled)) = (&replica.lost, state) else {
        return Ok(false);
    };
    let region = &replica.region;
    let reason = loss::disabled(lost.as_str(), region);
    found(builder, region, Subject::from(lost), now);
    builder.report_of(region, Some(&lost.clone().into()), &reason, now);
    let (point, after) = came_back::replica(point, replica)?;
    let disable = ReplicaEvent::Disable;
    let (point, after) = loss::replica(&point, &after, disable, reason, now)?;
    let change = summary::recorded(point).with(Write::replica(after));
    builder.record(change);
    Ok(true)
}

/// Returns a lost replica without the image that it had lost, if that is there and has other data
/// than the point has by now. It is kept among the leftovers, and is not gone.
pub(super) fn without_other_data<'a>(
    builder: &mut DecisionBuilder,
    point: &Point,
    replica: &'a Replica,
    images: &BTreeMap<AmiId, ObservedImage>,
    now: Timestamp,
) -> Cow<'a, Replica> {
    let seen = replica.lost.as_ref().and_then(|lost| images.get(lost));
    let Some(seen) = seen.filter(|it| came_back::is_of_other_data(point, replica, it)) else {
        return Cow::Borrowed(replica);
    };
    found(builder, &replica.region, Subject::from(&seen.id), now);
    let mut after = replica.clone();
    let lost = after.lost.take();
    retry::leave(&mut after.leftovers, lost);
    Cow::Owned(after)
}

/// Returns the latest image that a place had before the one that it lost, if it is there and can be
/// used: a person may have restored it.
fn earlier<'a>(
    point: &Point,
    leftovers: &[ResourceId],
    input: &'a Input,
) -> Option<&'a ObservedImage> {
    let images = may_be_back::left(leftovers).filter_map(|id| input.images.get(id));
    let earlier = images.filter(|image| is_earlier(point, leftovers, image));
    let usable = earlier.filter(|image| {
        let are_shown = image.snapshots.iter().all(|id| input.snapshots.contains_key(id));
        let arns = disk_keys::of_snapshots(&image.snapshots, &input.snapshots);
        let used = disk_keys::used(&input.healing.keys, arns);
        are_shown && matches!(used, Use::Usable | Use::Unknown)
    });
    usable.max_by_key(|image| image.created_at)
}

/// Tells whether an image is one that a place had before, and machines can be started from it if
/// its key can be used. The leftovers are those of the place.
pub fn is_earlier(point: &Point, leftovers: &[ResourceId], image: &ObservedImage) -> bool {
    let is_usable = |machine| compare::of_copy(machine, image).is_empty();
    came_back::is_earlier(point, leftovers, image) && point.machine.as_ref().is_some_and(is_usable)
}

/// Returns the state of the image that a replica had lost, if it is there.
fn replica_state(
    point: &Point,
    replica: &Replica,
    images: &BTreeMap<AmiId, ObservedImage>,
) -> Option<ImageState> {
    let seen = replica.lost.as_ref().and_then(|lost| images.get(lost));
    let seen = seen.filter(|image| came_back::is_replica_back(point, replica, image));
    seen.map(|image| image.state)
}

/// Calls the place at home good again if its image is there before another is registered or copied
/// back. Tells whether it is.
pub(super) fn meanwhile(
    builder: &mut DecisionBuilder,
    point: &Point,
    copy_back: Option<&Replica>,
    images: &BTreeMap<AmiId, ObservedImage>,
    now: Timestamp,
) -> Result<bool, Illegal> {
    let Some(lost) = &point.lost else { return Ok(false) };
    let seen = images.get(lost);
    if !seen.is_some_and(|image| came_back::is_home_back_meanwhile(point, image)) {
        return Ok(false);
    }
    let mut change = summary::recorded(replicas::judged(came_back::home(point)?)?);
    if let Some(replica) = copy_back {
        let text = format!("{lost} is there again, so that nothing is copied back");
        let after = withdrawn::replica(replica, Reason::new(Code::Withdrawn, text))?;
        change.writes.push(Write::replica(after));
    }
    found(builder, &point.home, Subject::from(lost), now);
    builder.record(change);
    Ok(true)
}

/// Ends the findings of a loss.
fn found(builder: &mut DecisionBuilder, region: &Region, artefact: Subject, now: Timestamp) {
    for code in [Code::Lost, Code::LostAgain] {
        let (region, artefact) = (region.clone(), artefact.clone());
        builder.resolve(Resolved { region, artefact, code, at: now });
    }
}
