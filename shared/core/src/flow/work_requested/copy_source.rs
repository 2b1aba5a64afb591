//! The image that a copy is made of: whether it is there and can be reached, and what becomes of a
//! copy if not.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::decision_builder::DecisionBuilder;
use crate::call::copy_image::{self, Found};
use crate::illegal::Illegal;
use crate::observed::{Complete, ObservedImage};
use crate::obstacle::Obstacles;
use crate::point::{Place, Point, Replica, ReplicaEvent, ReplicaStatus};
use crate::reason::{Code, Reason};
use crate::transition::replicas;
use crate::work::{Kind, Queue};

/// Tells whether the ledger no longer calls the image good that a copy is made of.
pub(super) fn is_source_gone(point: &Point, replica: &Replica) -> bool {
    source_place(point, replica) != Place::Available
}

/// Tells whether a replica waits for its source, which somebody disabled, or whose key cannot be
/// used. Nothing is tried before.
pub fn waits_for_source(point: &Point, replica: &Replica) -> bool {
    replica.status == ReplicaStatus::Waiting && source_place(point, replica) == Place::Unusable
}

/// Tells whether a copy in the place of an image that was lost is better made of another image: its
/// source cannot be reached now, and an image of the point is in a region from which copies do not
/// fail.
fn has_other_source(point: &Point, replica: &Replica, obstacles: &Obstacles) -> bool {
    let failing = obstacles.failing_sources();
    if replica.lost.is_none() || !failing.contains(replica.source_region()) {
        return false;
    }
    let places = [(&point.home, &point.home_place)].into_iter().chain(&point.replicas);
    let mut others = places.filter(|(region, _)| **region != replica.region);
    others.any(|(region, place)| *place == Place::Available && !failing.contains(region))
}

/// Tells whether a copy looks for another source. One whose call had no outcome does so once the
/// region shows what the call has made.
pub(super) fn is_stranded(
    point: &Point,
    replica: &Replica,
    obstacles: &Obstacles,
    named: &BTreeMap<String, Complete<ObservedImage>>,
) -> bool {
    let is_known = match replica.status {
        ReplicaStatus::Waiting => true,
        ReplicaStatus::Copying => named.contains_key(&copy_image::name(replica)),
        _ => false,
    };
    is_known && has_other_source(point, replica, obstacles)
}

/// Tells whether a copy whose call had no outcome would look for another source, if its region
/// showed what the call has made.
pub(super) fn may_be_stranded(point: &Point, replica: &Replica, obstacles: &Obstacles) -> bool {
    replica.status == ReplicaStatus::Copying && has_other_source(point, replica, obstacles)
}

/// Has a copy look for another source, unless its call has made an image after all.
pub(super) fn strand(
    builder: &mut DecisionBuilder,
    (point, replica): (&Point, &Replica),
    named: &BTreeMap<String, Complete<ObservedImage>>,
    now: Timestamp,
) -> Result<(), Illegal> {
    let text = format!("{} cannot be copied now", replica.source);
    if replica.status != ReplicaStatus::Copying {
        return lose(builder, point, replica, text, now);
    }
    let Some(Complete(named)) = named.get(&copy_image::name(replica)) else { return Ok(()) };
    match copy_image::find(point, replica, named, now)? {
        Found::Concluded(conclusion) => {
            builder.conclude(conclusion);
            Ok(())
        }
        Found::Nothing => {
            let waiting = replica.after(ReplicaEvent::Retry)?;
            lose(builder, point, &waiting, text, now)
        }
    }
}

/// Returns the state of the image that is copied. Another image at home is not that one.
fn source_place(point: &Point, replica: &Replica) -> Place {
    let source = replica.source_region();
    match *source == point.home {
        true if point.image.as_ref() == Some(&replica.source) => point.home_place,
        true => Place::Lost,
        false => point.replicas.get(source).copied().unwrap_or(Place::Lost),
    }
}

/// Looks for another image to copy: the place counts as lost until one is found.
pub(super) fn lose(
    builder: &mut DecisionBuilder,
    point: &Point,
    replica: &Replica,
    text: String,
    now: Timestamp,
) -> Result<(), Illegal> {
    let reason = Reason::new(Code::Lost, text);
    builder.say(replica.about(), reason.clone());
    builder.wake(Queue { region: replica.region.clone(), kind: Kind::Confirm });
    // The point itself stands for the place at home.
    let (point, replica) = match replica.region == point.home {
        true => {
            let settled = Replica { step: replica.step.settled(), ..replica.clone() };
            (Point { heal_asked: replica.heal_asked, ..point.due_now(now) }, settled)
        }
        false => (point.clone(), replica.due_now(now)),
    };
    let mut after = Replica { reason: Some(reason), ..replica.after(ReplicaEvent::Lose)? };
    // Nothing was made again.
    after.healed.pop();
    builder.record(replicas::settled(&point, vec![after])?);
    Ok(())
}
