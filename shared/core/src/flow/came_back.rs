//! Lost artefacts that the listings of the audit show again, and copies in lost places that the
//! ledger does not name.
//!
//! The listing nominates: the tag of an image names its point, whose record has the id that was
//! lost. The record goes into the queue of the worker that confirms, which looks at the artefact by
//! its id, and decides.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::artefact_audit::Tagged;
use super::work_requested::restored;
use crate::change::Change;
use crate::command::{Command, Decision, Wake};
use crate::ids::{AmiId, Region, SnapshotId};
use crate::names::TAG_POINT;
use crate::observed::{ImageState, ObservedImage, SnapshotState};
use crate::point::{Place, Point, Replica, ReplicaEvent, ReplicaStatus};
use crate::reason::{Code, Reason};
use crate::slot::PointId;
use crate::status::{Event, Status};
use crate::subject::Subject;
use crate::transition::{came_back, loss, not_made};
use crate::work::Queue;

/// Decides that the places whose artefact was lost and is listed are looked at, at once: those that
/// are lost, those that wait to be made again, and those that were given up or called off.
pub fn look(tagged: &Tagged, now: Timestamp) -> Decision {
    let mut points: BTreeMap<&PointId, Point> = BTreeMap::new();
    let mut replicas: BTreeMap<(&PointId, &Region), Replica> = BTreeMap::new();
    let families = tagged.families();
    for (region, images) in &tagged.images {
        for image in &images.0 {
            let named = image.tags.get(TAG_POINT).and_then(|id| PointId::parse(id).ok());
            let Some(known) = named.and_then(|id| tagged.points.get(&id)) else { continue };
            let (point, of_home) = (lost_again(known), home_lost_again(known));
            let record = tagged.replicas.get(&(known.id.clone(), region.clone()));
            let is_at_home = known.home == *region;
            // One that is told as surplus was looked at when the place lost the other.
            let is_new = || !is_told_as_surplus(tagged, region, &image.id);
            let is_earlier = loss::has_lost(&of_home)
                && restored::is_earlier(&of_home, &of_home.leftovers, image)
                && is_new();
            if is_at_home && (came_back::is_home_back(&of_home, image) || is_earlier) {
                points.insert(&known.id, of_home.due_now(now));
            } else if is_at_home && came_back::is_home_back_meanwhile(known, image) {
                if known.status == Status::Ready && !known.step.is_due(now) {
                    points.insert(&known.id, known.due_now(now));
                }
                let waits =
                    |it: &&Replica| it.status == ReplicaStatus::Waiting && !it.step.is_due(now);
                if let Some(record) = record.filter(waits) {
                    replicas.insert((&known.id, region), record.due_now(now));
                }
            }
            let Some(after) = record.and_then(|record| replica_lost_again(record, now)) else {
                continue;
            };
            let is_unnamed = || {
                record.is_some_and(|record| record.status == ReplicaStatus::Lost)
                    && is_unnamed(&after, image)
                    && families.has(known, region, &image.id)
            };
            let is_older = came_back::is_of_other_data(&point, &after, image);
            let is_earlier = || {
                let is_lost = after.status == ReplicaStatus::Lost && !after.is_copy_back();
                is_lost && restored::is_earlier(&point, &after.leftovers, image) && is_new()
            };
            let is_back = came_back::is_replica_back(&point, &after, image) || is_earlier();
            if is_back || is_older || is_unnamed() {
                replicas.insert((&known.id, region), after);
                if matches!(point, Cow::Owned(_)) {
                    points.insert(&known.id, point.due_now(now));
                }
            }
        }
    }
    for known in tagged.points.values() {
        let point = home_lost_again(known);
        if came_back::are_snapshots_back(&point, &completed(tagged, &point.home)) {
            points.insert(&known.id, point.due_now(now));
        }
    }
    let queues = points.values().filter_map(Point::queue);
    let queues: BTreeSet<Queue> =
        queues.chain(replicas.values().filter_map(Replica::queue)).collect();
    let changes = points.into_values().map(Change::point);
    let changes = changes.chain(replicas.into_values().map(Change::replica));
    let mut decision = Decision::default();
    decision.commands.extend(changes.map(|change| Command::Record(Box::new(change))));
    let wake = |queue| Command::Wake(Wake { queue, hop: 0 });
    decision.commands.extend(queues.into_iter().map(wake));
    decision
}

/// Tells whether a finding says of an image that it is not needed.
fn is_told_as_surplus(tagged: &Tagged, region: &Region, image: &AmiId) -> bool {
    tagged.known.iter().any(|known| {
        known.reason.code == Code::Surplus
            && known.region == *region
            && known.artefact == Subject::from(image)
    })
}

/// Returns a replica that may get back what it had lost, due: one that waits to be made again, or
/// is lost; and one that was given up or called off, lost as it was before. None of any other.
fn replica_lost_again(replica: &Replica, now: Timestamp) -> Option<Replica> {
    match replica.status {
        ReplicaStatus::Lost => Some(replica.due_now(now)),
        ReplicaStatus::Waiting => (!replica.step.is_due(now)).then(|| replica.due_now(now)),
        ReplicaStatus::Withdrawn if !replica.is_copy_back() => {
            let text = "what was lost is there again, after its place was given up";
            let reason = Some(Reason::new(Code::Lost, text));
            let lost = replica.due_now(now).after(ReplicaEvent::Lose).ok()?;
            Some(Replica { reason, ..lost })
        }
        _ => None,
    }
}

/// Returns a point that may get back what it had lost, as it was when it was lost: one that began
/// again, and of which nothing was begun yet. Any other point as it is.
fn lost_again(point: &Point) -> Cow<'_, Point> {
    let is_again = not_made::had_lost_all(point);
    let text = "what was lost is there again, before anything was made in its place";
    let reason = Reason::new(Code::Lost, text);
    let lost = is_again.then(|| not_made::lost_again(point, reason).ok()).flatten();
    lost.map_or(Cow::Borrowed(point), Cow::Owned)
}

/// Returns a point that may get back its image at home, also if that was called off.
fn home_lost_again(point: &Point) -> Cow<'_, Point> {
    if !loss::is_called_off(point) {
        return lost_again(point);
    }
    // One of which nothing is left is lost already.
    let after = point.after(Event::Lose).unwrap_or_else(|_| point.clone());
    let text = "what was lost is there again, after its place was called off";
    let reason = Some(Reason::new(Code::Lost, text));
    Cow::Owned(Point { home_place: Place::Lost, reason, ..after })
}

/// Tells whether the record of a lost replica does not name an image that can be used.
fn is_unnamed(replica: &Replica, image: &ObservedImage) -> bool {
    let is_left = replica.leftovers.contains(&image.id.clone().into());
    image.state == ImageState::Available && replica.lost.as_ref() != Some(&image.id) && !is_left
}

fn completed<'a>(tagged: &'a Tagged, region: &Region) -> BTreeSet<&'a SnapshotId> {
    let listed = tagged.snapshots.get(region).into_iter().flat_map(|listed| &listed.0);
    let completed = listed.filter(|snapshot| snapshot.state == SnapshotState::Completed);
    completed.map(|snapshot| &snapshot.id).collect()
}
