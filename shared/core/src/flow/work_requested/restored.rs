//! Lost places whose artefact is there again, by a look at its id.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::decision_builder::DecisionBuilder;
use super::images::Input;
use crate::change::{Change, Write};
use crate::command::Resolved;
use crate::ids::{AmiId, Region, ResourceId, SnapshotId};
use crate::illegal::Illegal;
use crate::observed::{ObservedImage, SnapshotState};
use crate::point::{Place, Point, Replica, ReplicaStatus};
use crate::policy::Artefact;
use crate::reason::{Code, Reason};
use crate::status::Status;
use crate::subject::Subject;
use crate::transition::{came_back, replicas, summary, withdrawn};
use crate::work::{Kind, Queue};

/// Calls the place at home good again if its artefact is there. Tells whether it is.
pub(super) fn home(
    builder: &mut DecisionBuilder,
    point: &Point,
    known: &[&Replica],
    input: &Input,
) -> Result<bool, Illegal> {
    let lost = point.lost.as_ref();
    let seen = lost.and_then(|lost| input.images.get(lost));
    let completed = input.snapshots.iter();
    let completed = completed.filter(|(_, seen)| seen.state == SnapshotState::Completed);
    let completed: BTreeSet<&SnapshotId> = completed.map(|(id, _)| id).collect();
    let is_back = seen.is_some_and(|image| came_back::is_home_back(point, image))
        || came_back::are_snapshots_back(point, &completed);
    if !is_back {
        return Ok(false);
    }
    let after = replicas::judged(came_back::home(point)?)?;
    let snapshots = point.snapshots.values().filter(|_| point.plan.kind == Artefact::Snapshots);
    let artefacts = lost.cloned().map(ResourceId::from).into_iter();
    for artefact in artefacts.chain(snapshots.cloned().map(ResourceId::from)) {
        found(builder, &point.home, artefact.into(), input.now);
    }
    let mut change = summary::recorded(after);
    // What else was lost may be copied from it.
    let lost = known.iter().filter(|replica| {
        replica.status == ReplicaStatus::Lost
            && point.status == Status::Lost
            && !replica.is_copy_back()
    });
    for replica in lost {
        builder.wake(Queue { region: replica.region.clone(), kind: Kind::Confirm });
        change.writes.push(Write::replica(replica.due_now(input.now)));
    }
    builder.record(change);
    Ok(true)
}

/// Calls a replica good again if its image is there. Tells whether it is.
pub(super) fn replica(
    builder: &mut DecisionBuilder,
    point: &Point,
    replica: &Replica,
    images: &BTreeMap<AmiId, ObservedImage>,
    now: Timestamp,
) -> Result<bool, Illegal> {
    let seen = replica.lost.as_ref().and_then(|lost| images.get(lost));
    if !seen.is_some_and(|image| came_back::is_replica_back(point, replica, image)) {
        return Ok(false);
    }
    let (mut point, after) = came_back::replica(point, replica)?;
    if let Some(lost) = &replica.lost {
        found(builder, &replica.region, Subject::from(lost), now);
    }
    if point.home_place == Place::Lost {
        // The image at home can be made again from it.
        builder.wake(Queue { region: point.home.clone(), kind: Kind::Confirm });
        point = point.due_now(now);
    }
    let change: Change = replicas::settled(&point, vec![after])?;
    builder.record(change);
    Ok(true)
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

/// Returns the images that were lost and may be there again.
pub(super) fn images<'a>(
    points: impl Iterator<Item = &'a Point>,
    replicas: impl Iterator<Item = &'a Replica>,
) -> impl Iterator<Item = &'a AmiId> {
    let at_home = points.filter_map(|point| point.lost.as_ref());
    at_home.chain(replicas.filter_map(|replica| replica.lost.as_ref()))
}

/// Ends the findings of a loss.
fn found(builder: &mut DecisionBuilder, region: &Region, artefact: Subject, now: Timestamp) {
    for code in [Code::Lost, Code::LostAgain] {
        let (region, artefact) = (region.clone(), artefact.clone());
        builder.resolve(Resolved { region, artefact, code, at: now });
    }
}
