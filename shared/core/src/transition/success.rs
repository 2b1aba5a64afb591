//! Records that have the result of their step. The call itself returned it, or it was found later
//! and is ours.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::call::outcome::SnapshotSet;
use crate::grade;
use crate::ids::{AmiId, VolumeId};
use crate::limits::{LOOK_AFTER, later};
use crate::machine::Machine;
use crate::point::{IllegalForReplica, Point, Replica, ReplicaEvent, Step};
use crate::status::{Event, IllegalTransition};

/// Tells whether a set has one snapshot of each volume of the machine, and of no other.
pub fn is_whole(machine: &Machine, set: &SnapshotSet) -> bool {
    let volumes: BTreeSet<&VolumeId> = machine.volumes.iter().map(|volume| &volume.id).collect();
    let covered: BTreeSet<&VolumeId> = set.iter().map(|(volume, _)| volume).collect();
    volumes == covered && set.len() == covered.len()
}

/// Returns the point with its snapshots. If its machine was at rest, the grade waits until the
/// machine was seen again. If the machine ran, the grade is `crash` at once.
pub fn snapshots(
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

/// Returns the point whose image EC2 is making from its machine. The grade is as for snapshots,
/// except for a machine that EC2 rebooted.
pub fn created(point: &Point, image: AmiId, now: Timestamp) -> Result<Point, IllegalTransition> {
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

pub fn image(point: &Point, image: AmiId, now: Timestamp) -> Result<Point, IllegalTransition> {
    let after = point.after(Event::Made)?;
    Ok(Point { step: looked_at(&point.step, now), image: Some(image), reason: None, ..after })
}

pub fn replica(
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
