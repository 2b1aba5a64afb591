//! Places whose artefact is gone or of no use, and the ways to make it again.
//!
//! A place is written together with its point, so that the point, its summary and the place tell
//! the same. A point of which any place is left is imaged, and not protected; one of which nothing
//! is left is lost.

use jiff::{SignedDuration, Timestamp};

use crate::ids::{AmiId, Region};
use crate::illegal::Illegal;
use crate::limits::{HEAL_WINDOW, HEALS_MAX, HEALS_WITHIN, later};
use crate::point::{Made, Place, Point, Replica, ReplicaEvent, ReplicaStatus, Step};
use crate::reason::{Code, Reason};
use crate::status::{Event, IllegalTransition, Phase, Status};
use crate::transition::again;

/// Returns the point with another state at home.
///
/// # Errors
/// The point has no artefact at home.
pub fn home(point: &Point, place: Place, reason: Reason, now: Timestamp) -> Result<Point, Illegal> {
    let mut after = Point { home_place: place, missing_since: None, ..point.due_now(now) };
    if place == Place::Lost {
        after.lost = after.image.take();
    } else {
        after.step = point.step.settled();
    }
    Ok(Point { reason: Some(reason), ..reduced(&after)? })
}

/// Returns the point and its replica, which is gone or of no use.
///
/// # Errors
/// The replica was not available.
pub fn replica(
    point: &Point,
    replica: &Replica,
    event: ReplicaEvent,
    reason: Reason,
    now: Timestamp,
) -> Result<(Point, Replica), Illegal> {
    let mut after = replica.due_now(now).after(event)?;
    after.missing_since = None;
    after.reason = Some(reason.clone());
    let place = match event {
        ReplicaEvent::Lose => {
            after.lost = after.image.take();
            Place::Lost
        }
        _ => {
            after.step = after.step.settled();
            Place::Unusable
        }
    };
    let mut point = match point.home_place {
        // The ways to make it again have changed.
        Place::Lost => point.due_now(now),
        _ => point.clone(),
    };
    point.replicas.insert(replica.region.clone(), place);
    Ok((Point { reason: Some(reason), ..reduced(&point)? }, after))
}

/// Returns the reason of a place whose image somebody disabled.
pub fn disabled(image: &str, region: &Region) -> Reason {
    let text = format!(
        "{image} in {region} was disabled, so that nothing can be started from it. Enable it: `aws \
         ec2 enable-image --region {region} --image-id {image}`"
    );
    Reason::new(Code::ImageDisabled, text)
}

/// Returns the point by what is left of it.
fn reduced(point: &Point) -> Result<Point, IllegalTransition> {
    if point.status.phase() != Phase::Good {
        return Ok(point.clone());
    }
    let places = point.replicas.values().chain([&point.home_place]);
    let mut left = places.filter(|place| !matches!(place, Place::Lost | Place::Failed));
    let is_left = left.any(|place| *place != Place::Withdrawn);
    point.after(if is_left { Event::Lose } else { Event::LoseAll })
}

/// Returns the point after its suspect artefact was seen as the ledger has it.
#[must_use]
pub fn cleared(point: &Point) -> Point {
    Point { missing_since: None, step: point.step.settled(), ..point.clone() }
}

/// Tells whether a place has been made again so often of late that a person has to look.
pub fn is_worn_out(healed: &[Timestamp], now: Timestamp) -> bool {
    let is_recent = |at: &&Timestamp| now.duration_since(**at) < HEALS_WITHIN;
    healed.iter().filter(is_recent).count() >= HEALS_MAX
}

/// Returns the record of healings with one more; those of long ago are forgotten.
fn healed(before: &[Timestamp], now: Timestamp) -> Vec<Timestamp> {
    let recent = before.iter().filter(|at| now.duration_since(**at) < HEALS_WITHIN);
    recent.copied().chain([now]).collect()
}

/// Returns the point whose image is registered again, from its snapshots.
///
/// # Errors
/// The point did not lose its image.
pub fn remade(point: &Point, reason: Reason, now: Timestamp) -> Result<Point, IllegalTransition> {
    let after = point.after(Event::Remake)?;
    Ok(Point {
        home_place: Place::Underway,
        step: again::next(&point.step, now),
        healed: healed(&point.healed, now),
        reason: Some(reason),
        ..after
    })
}

/// Tells whether the image of a point at home waits to be registered again, and the call for that
/// is not under way.
pub fn waits_to_be_remade(point: &Point) -> bool {
    // A point that began again keeps what it was made of before, until it has an image.
    let begins_again = point.before.is_some();
    point.status == Status::Ready && point.home_place == Place::Underway && !begins_again
}

/// Returns the point whose image is not registered again after all: it is lost again, and due.
///
/// # Errors
/// The point does not wait to be registered.
pub fn not_remade(
    point: &Point,
    reason: Reason,
    now: Timestamp,
) -> Result<Point, IllegalTransition> {
    let mut after = point.due_now(now).after(Event::Restore)?;
    after.step.begun_at = None;
    // Nothing was made again.
    after.healed.pop();
    reduced(&Point { home_place: Place::Lost, reason: Some(reason), ..after })
}

/// Returns the point that begins anew on its machine, as nothing is left of it.
///
/// # Errors
/// The point is not lost.
pub fn begun_again(
    point: &Point,
    reason: Reason,
    now: Timestamp,
) -> Result<Point, IllegalTransition> {
    let after = again::point(point, reason, now)?;
    let until = Some(later(now, HEAL_WINDOW));
    let healed = healed(&point.healed, now);
    let made = point.taken_at.map(|taken_at| Made {
        taken_at,
        grade: point.grade,
        method: point.method.clone(),
        machine: point.machine.clone(),
        snapshots: point.snapshots.clone(),
    });
    let before = made.map(Box::new).or_else(|| point.before.clone());
    Ok(Point {
        until,
        home_place: Place::Underway,
        healed,
        heal_asked: false,
        before,
        refused: None,
        ..after
    })
}

/// Returns the point of which nothing is left after all: what was on its way cannot come.
///
/// # Errors
/// The point is not imaged.
pub fn nothing_left(point: &Point, now: Timestamp) -> Result<Point, IllegalTransition> {
    let after = point.due_now(now).after(Event::LoseAll)?;
    let text = "nothing is left of the point from which it could be made again";
    Ok(Point { reason: Some(Reason::new(Code::Lost, text)), ..after })
}

/// Returns the replica that is copied again, and its point.
///
/// # Errors
/// The replica did not end.
pub fn copied_again(
    point: &Point,
    replica: &Replica,
    (region, image): (&Region, &AmiId),
    reason: Reason,
    now: Timestamp,
) -> Result<(Point, Replica), Illegal> {
    let lost = match replica.status {
        ReplicaStatus::Available | ReplicaStatus::Unusable => replica.after(ReplicaEvent::Lose)?,
        _ => replica.clone(),
    };
    let mut after = again::replica(&lost, reason.clone(), now)?;
    after.source = image.clone();
    after.source_region = (*region != replica.home).then(|| region.clone());
    after.healed = healed(&replica.healed, now);
    let mut point = Point { reason: Some(reason), ..point.clone() };
    if replica.region == point.home {
        point.home_place = Place::Underway;
        point.healed = healed(&point.healed, now);
        after.heal_asked = std::mem::take(&mut point.heal_asked);
        point.step = point.step.settled();
    } else {
        point.replicas.insert(replica.region.clone(), Place::Underway);
    }
    Ok((point, after))
}

/// Returns the record of the image that is copied back to its home, before it is asked for.
pub fn home_copy(point: &Point, (region, image): (&Region, &AmiId), now: Timestamp) -> Replica {
    Replica {
        status: ReplicaStatus::Lost,
        source_region: Some(region.clone()),
        version: 0,
        // The names of the attempts at home are those of the point.
        step: Step { attempt: point.step.attempt, ..Step::default() },
        ..Replica::wanted(point, image, &point.home, now)
    }
}

/// Returns the step of a place that is looked at again after a while.
pub fn looked_at(step: &Step, after: SignedDuration, now: Timestamp) -> Step {
    Step { due_at: Some(later(now, after)), ..step.clone() }
}

/// Tells whether a point has lost its place at home, or all places, and is to get it back.
pub fn has_lost(point: &Point) -> bool {
    lacks_home(point) && !is_called_off(point)
}

/// Tells whether a person has called off the image at home, which is lost.
pub fn is_called_off(point: &Point) -> bool {
    point.home_place == Place::Withdrawn
}

/// Tells whether a point has lost its place at home, or all places, called off or not.
pub fn lacks_home(point: &Point) -> bool {
    point.status == Status::Lost || matches!(point.home_place, Place::Lost | Place::Withdrawn)
}

/// Returns a replica that is withdrawn before it was copied. One that had lost its image is lost
/// again, and due.
///
/// # Errors
/// The replica is not withdrawn.
pub fn not_copied_again(withdrawn: Replica, now: Timestamp) -> Result<Replica, Illegal> {
    let Some(lost) = withdrawn.lost.as_ref().filter(|_| !withdrawn.is_copy_back()) else {
        return Ok(withdrawn);
    };
    let text = format!("{lost} in {} is gone, and its copy was not begun", withdrawn.region);
    let reason = Some(Reason::new(Code::Lost, text));
    Ok(Replica { reason, ..withdrawn.due_now(now).after(ReplicaEvent::Lose)? })
}

/// Returns the point whose place at home a person asks for, though it was called off or is not to
/// be made again by itself.
pub(super) fn asked_for(point: &Point, now: Timestamp) -> Point {
    let after = Point { healed: Vec::new(), heal_asked: true, ..point.due_now(now) };
    if !is_called_off(point) {
        return after;
    }
    let text = format!("the image in {} is gone, and a person asks for it again", point.home);
    let reason = Some(Reason::new(Code::Lost, text));
    let after = Point { home_place: Place::Lost, reason, ..after };
    // One of which nothing is left stays lost until then.
    after.after(Event::Lose).unwrap_or(after)
}
