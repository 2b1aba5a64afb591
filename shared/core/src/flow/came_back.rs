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
use crate::change::Change;
use crate::command::{Command, Decision, Wake};
use crate::ids::{Region, SnapshotId};
use crate::names::TAG_POINT;
use crate::observed::{ImageState, ObservedImage, SnapshotState};
use crate::point::{Point, Replica, ReplicaStatus};
use crate::reason::{Code, Reason};
use crate::slot::PointId;
use crate::transition::{came_back, loss};
use crate::work::{Kind, Queue};

/// Decides that the lost places whose artefact is listed are looked at, at once.
pub fn look(tagged: &Tagged, now: Timestamp) -> Decision {
    let mut points: BTreeMap<&PointId, Point> = BTreeMap::new();
    let mut replicas: BTreeMap<(&PointId, &Region), Replica> = BTreeMap::new();
    let families = tagged.families();
    for (region, images) in &tagged.images {
        for image in &images.0 {
            let named = image.tags.get(TAG_POINT).and_then(|id| PointId::parse(id).ok());
            let Some(known) = named.and_then(|id| tagged.points.get(&id)) else { continue };
            let point = not_begun(known);
            if point.home == *region && came_back::is_home_back(&point, image) {
                points.insert(&known.id, point.due_now(now));
            }
            let replica = tagged.replicas.get(&(point.id.clone(), region.clone()));
            // One that waits to be copied again is looked at right before the call.
            let is_back = |it: &&Replica| {
                it.status == ReplicaStatus::Lost
                    && (came_back::is_replica_back(&point, it, image)
                        || is_unnamed(it, image) && families.has(known, region, &image.id))
            };
            if let Some(replica) = replica.filter(is_back) {
                replicas.insert((&replica.point, &replica.region), replica.due_now(now));
                if matches!(point, Cow::Owned(_)) {
                    points.insert(&known.id, point.due_now(now));
                }
            }
        }
    }
    for known in tagged.points.values() {
        let point = not_begun(known);
        if came_back::are_snapshots_back(&point, &completed(tagged, &point.home)) {
            points.insert(&known.id, point.due_now(now));
        }
    }
    let regions = points.values().map(|point| &point.home);
    let regions: BTreeSet<Region> =
        regions.chain(replicas.values().map(|replica| &replica.region)).cloned().collect();
    let changes = points.into_values().map(Change::point);
    let changes = changes.chain(replicas.into_values().map(Change::replica));
    let mut decision = Decision::default();
    decision.commands.extend(changes.map(|change| Command::Record(Box::new(change))));
    let wake =
        |region| Command::Wake(Wake { queue: Queue { region, kind: Kind::Confirm }, hop: 0 });
    decision.commands.extend(regions.into_iter().map(wake));
    decision
}

/// Returns a point that had lost everything, began again, and of which nothing was begun yet, as it
/// was when it was lost; any other point as it is.
fn not_begun(point: &Point) -> Cow<'_, Point> {
    let text = "what was lost is there again, before anything was made in its place";
    let reason = Reason::new(Code::Lost, text);
    let lost = Some(point).filter(|point| loss::had_lost_all(point));
    let lost = lost.and_then(|point| loss::not_made(point, reason).ok());
    lost.map_or(Cow::Borrowed(point), Cow::Owned)
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
