//! What a step has made, whether the call itself said so or it was found later and is ours.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::conclude::SnapshotSet;
use crate::grade;
use crate::ids::{AmiId, VolumeId};
use crate::limits::{LOOK_AFTER, later};
use crate::machine::Machine;
use crate::point::{IllegalForReplica, Point, Replica, ReplicaEvent, Step};
use crate::status::{Event, IllegalTransition};

/// One snapshot of each volume of the machine, and of no other.
pub(crate) fn is_whole(machine: &Machine, set: &SnapshotSet) -> bool {
    let volumes: BTreeSet<&VolumeId> = machine.volumes.iter().map(|volume| &volume.id).collect();
    let covered: BTreeSet<&VolumeId> = set.iter().map(|(volume, _)| volume).collect();
    volumes == covered && set.len() == covered.len()
}

/// The point with its snapshots. Those of a machine that was at rest are graded when it has been
/// seen again; those of one that ran are as after a power cut, whatever comes later.
pub(crate) fn snapshots(
    point: &Point,
    set: SnapshotSet,
    now: Timestamp,
) -> Result<Point, IllegalTransition> {
    let grade = grade::certain(point);
    let due_at = if grade.is_none() { now } else { later(now, LOOK_AFTER) };
    let after = point.after(Event::Made)?;
    Ok(Point {
        step: Step { due_at: Some(due_at), ..point.step.clone() },
        taken_at: Some(point.step.begun_at.unwrap_or(point.requested_at)),
        grade,
        snapshots: set.into_iter().collect::<BTreeMap<_, _>>(),
        reason: None,
        ..after
    })
}

/// The point whose image EC2 is making of its machine. The grade is that of snapshots, but for a
/// machine that EC2 took down.
pub(crate) fn created(
    point: &Point,
    image: AmiId,
    now: Timestamp,
) -> Result<Point, IllegalTransition> {
    let grade = grade::certain(point);
    let due_at = if grade.is_none() { now } else { later(now, LOOK_AFTER) };
    let after = point.after(Event::Made)?;
    Ok(Point {
        step: Step { due_at: Some(due_at), ..point.step.clone() },
        taken_at: Some(point.step.begun_at.unwrap_or(point.requested_at)),
        grade,
        image: Some(image),
        reason: None,
        ..after
    })
}

pub(crate) fn image(
    point: &Point,
    image: AmiId,
    now: Timestamp,
) -> Result<Point, IllegalTransition> {
    let after = point.after(Event::Made)?;
    Ok(Point { step: looked_at(&point.step, now), image: Some(image), reason: None, ..after })
}

pub(crate) fn replica(
    replica: &Replica,
    image: AmiId,
    now: Timestamp,
) -> Result<Replica, IllegalForReplica> {
    let after = replica.after(ReplicaEvent::Made)?;
    Ok(Replica { step: looked_at(&replica.step, now), image: Some(image), reason: None, ..after })
}

fn looked_at(step: &Step, now: Timestamp) -> Step {
    Step { due_at: Some(later(now, LOOK_AFTER)), ..step.clone() }
}
