//! Lost artefacts that the listings of the audit show again, and copies in lost places that the
//! ledger does not name.
//!
//! The listing nominates: the tag of an image names its point, whose record has the id that was
//! lost. The record goes into the queue of the worker that confirms, which looks at the artefact by
//! its id, and decides.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::artefact_audit::Tagged;
use crate::change::Change;
use crate::command::{Command, Decision, Wake};
use crate::ids::{Region, SnapshotId};
use crate::names::TAG_POINT;
use crate::observed::{ImageState, ObservedImage, SnapshotState};
use crate::point::{Point, Replica, ReplicaStatus};
use crate::slot::PointId;
use crate::transition::came_back;
use crate::work::{Kind, Queue};

/// Decides that the lost places whose artefact is listed are looked at, at once.
pub fn look(tagged: &Tagged, now: Timestamp) -> Decision {
    let mut points: BTreeMap<&PointId, Point> = BTreeMap::new();
    let mut replicas: BTreeMap<(&PointId, &Region), Replica> = BTreeMap::new();
    let families = tagged.families();
    for (region, images) in &tagged.images {
        for image in &images.0 {
            let named = image.tags.get(TAG_POINT).and_then(|id| PointId::parse(id).ok());
            let Some(point) = named.and_then(|id| tagged.points.get(&id)) else { continue };
            if point.home == *region && came_back::is_home_back(point, image) {
                points.insert(&point.id, point.due_now(now));
            }
            let replica = tagged.replicas.get(&(point.id.clone(), region.clone()));
            // One that waits to be copied again is looked at right before the call.
            let is_back = |it: &&Replica| {
                it.status == ReplicaStatus::Lost
                    && (came_back::is_replica_back(point, it, image)
                        || is_unnamed(it, image) && families.has(point, region, &image.id))
            };
            if let Some(replica) = replica.filter(is_back) {
                replicas.insert((&replica.point, &replica.region), replica.due_now(now));
            }
        }
    }
    for point in tagged.points.values() {
        if came_back::are_snapshots_back(point, &completed(tagged, &point.home)) {
            points.insert(&point.id, point.due_now(now));
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
