//! CreateSnapshots: one crash-consistent set of snapshots, of all volumes of a machine.
//!
//! EC2 takes no token for this call, so it is made once. A snapshot with the tag of the point is
//! ours if its volume is the machine's, it carries this attempt, it was started after the intent,
//! and it is the only one of its volume. Otherwise the snapshot is foreign. A whole set is adopted.
//! The worker waits for a set that shows in part, and gives it up in the end.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::conclusion::Conclusion;
use super::outcome::{Outcome, SnapshotSet};
use super::point_outcome::{
    failed, machine_gone, nothing_found, recorded, refused, throttled, unknown, wait,
};
use crate::change::Change;
use crate::ids::{InstanceId, Region, VolumeId};
use crate::illegal::Illegal;
use crate::limits::{CLOCK_SKEW, LOOK_AFTER, PARTIAL, SETTLE, later};
use crate::machine::{LeftOut, Machine};
use crate::names::{TAG_ATTEMPT, TAG_POINT};
use crate::observed::ObservedSnapshot;
use crate::point::{Point, Step};
use crate::reason::{Code, Reason};
use crate::status::{Event, IllegalTransition, Status};
use crate::tags::write::snapshot_tags;
use crate::transition::retry::{self, Next};
use crate::transition::{success, summary};

/// The CreateSnapshots request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateSnapshots {
    pub region: Region,
    pub instance: InstanceId,
    pub description: String,
    /// The volumes that are left out, apart from the root.
    pub without: Vec<VolumeId>,
    pub without_root: bool,
    pub tags: BTreeMap<String, String>,
}

impl CreateSnapshots {
    pub const NAME: &'static str = "CreateSnapshots";
}

/// Returns the intent and the request, for a point that knows its machine.
///
/// # Errors
/// The point cannot begin this in its status.
pub fn begin(
    point: &Point,
    now: Timestamp,
) -> Result<(Change, CreateSnapshots), IllegalTransition> {
    let begun = point.after(Event::Begin)?;
    let due_at = Some(later(now, SETTLE));
    let step = Step { begun_at: Some(now), due_at, ..point.step.clone() };
    let begun = Point { step, reason: None, ..begun };
    let attempt = begun.step.attempt;
    let (without_root, without) = left_out(&begun);
    let request = CreateSnapshots {
        region: begun.home.clone(),
        instance: begun.instance().clone(),
        description: format!("Afterimage: snapshots {attempt} of {}", begun.id),
        without,
        without_root,
        tags: snapshot_tags(&begun, attempt),
    };
    Ok((Change::point(begun), request))
}

/// Returns the volumes that the call leaves out: true if the root is one of them, and the ids of
/// the others.
fn left_out(point: &Point) -> (bool, Vec<VolumeId>) {
    let Some(machine) = &point.machine else { return (false, Vec::new()) };
    let root = &machine.build.root_device;
    let (roots, others): (Vec<&LeftOut>, Vec<&LeftOut>) =
        machine.left_out.iter().partition(|volume| volume.device == *root);
    (!roots.is_empty(), others.into_iter().map(|volume| volume.id.clone()).collect())
}

/// Returns the changes that follow from the outcome, for a point that is `Snapshotting`.
///
/// # Errors
/// The point is not `Snapshotting`.
pub fn conclude(
    point: &Point,
    outcome: Outcome<SnapshotSet>,
    now: Timestamp,
) -> Result<Conclusion, Illegal> {
    point.must_be(Status::Snapshotting, Event::Made)?;
    Ok(match outcome {
        Outcome::Made(set) => made(point, set, now)?,
        Outcome::Gone(answer) => machine_gone(point, &answer, now)?,
        // Snapshots have no names, so this answer counts as a failure.
        Outcome::NameTaken(answer) | Outcome::Failed(answer) => failed(point, &answer, now)?,
        Outcome::Throttled(answer) => throttled(point, &answer, now)?,
        Outcome::Refused(answer) => refused(point, &answer, now)?,
        Outcome::Unknown(answer) => unknown(point, &answer),
    })
}

fn made(point: &Point, set: SnapshotSet, now: Timestamp) -> Result<Conclusion, IllegalTransition> {
    if point.machine.as_ref().is_some_and(|machine| success::is_whole(machine, &set)) {
        return Ok(recorded(success::snapshots(point, set, now)?));
    }
    let mut left = point.clone();
    retry::leave(&mut left.leftovers, set.into_iter().map(|(_, id)| id));
    let text = "the volumes of the machine changed while its snapshots were made";
    let reason = Reason::new(Code::SnapshotFailed, text);
    Ok(recorded(retry::failed(&left, reason, Next::Sparing, now)?))
}

/// Returns the changes that follow from a complete listing of the snapshots with the tag of a
/// point. Its call had no outcome.
///
/// # Errors
/// The point is not `Snapshotting`.
pub fn find(
    point: &Point,
    tagged: &[ObservedSnapshot],
    now: Timestamp,
) -> Result<Conclusion, IllegalTransition> {
    let mut conclusion = Conclusion::default();
    let Some(machine) = &point.machine else { return Ok(conclusion) };
    let found = sort(point, machine, tagged);
    for (snapshot, why) in &found.foreign {
        conclusion.foreign(&point.home, &snapshot.id, why.clone(), now);
    }
    let shown = found.ours.len();
    if success::is_whole(machine, &found.ours) {
        let text = format!("{shown} snapshots were made by an earlier call that had no answer");
        let after = success::snapshots(point, found.ours, now)?;
        conclusion.say(&point.id, Reason::new(Code::Adopted, format!("{text}; they are used")));
        conclusion.record(summary::recorded(after));
        return Ok(conclusion);
    }
    let wanted = machine.volumes.len();
    let partial = format!("{shown} of {wanted} snapshots of the previous call are visible");
    if shown > 0 && !point.step.is_past(PARTIAL, now) {
        wait(&mut conclusion, point, later(now, LOOK_AFTER), partial);
        return Ok(conclusion);
    }
    let reason = match shown {
        0 => nothing_found(),
        _ => Reason::new(Code::OutcomeUnknown, partial),
    };
    conclusion.say(&point.id, reason.clone());
    let mut left = point.clone();
    retry::leave(&mut left.leftovers, found.ours.into_iter().map(|(_, id)| id));
    conclusion.record(summary::recorded(retry::failed(&left, reason, Next::AtOnce, now)?));
    Ok(conclusion)
}

/// Tells whether a listing of the snapshots with the tag of a point shows one of each of its
/// volumes.
pub fn are_begun(point: &Point, tagged: &[ObservedSnapshot]) -> bool {
    let machine = point.machine.as_ref();
    machine.is_some_and(|machine| success::is_whole(machine, &sort(point, machine, tagged).ours))
}

/// The snapshots that carry the tag of a point, by their owner.
struct Found<'a> {
    ours: SnapshotSet,
    foreign: Vec<(&'a ObservedSnapshot, String)>,
}

/// Sorts the snapshots that carry the tag of a point. Leftovers of earlier tries are in neither
/// group: the sweep links them to their point.
fn sort<'a>(point: &Point, machine: &Machine, tagged: &'a [ObservedSnapshot]) -> Found<'a> {
    let mut foreign = Vec::new();
    let mut candidates: BTreeMap<&VolumeId, Vec<&ObservedSnapshot>> = BTreeMap::new();
    let mut snapshots: Vec<&ObservedSnapshot> = tagged.iter().collect();
    snapshots.sort_by_key(|snapshot| &snapshot.id);
    for snapshot in snapshots {
        match verdict(point, machine, snapshot) {
            Verdict::Ours(volume) => candidates.entry(volume).or_default().push(snapshot),
            Verdict::Foreign(why) => foreign.push((snapshot, why.to_string())),
            Verdict::Earlier => {}
        }
    }
    let start = start_of_set(machine, &candidates);
    let mut ours = SnapshotSet::new();
    for (volume, snapshots) in candidates {
        let several = snapshots.len() > 1;
        for snapshot in snapshots {
            if several && start != Some(snapshot.started_at) {
                foreign.push((snapshot, format!("{volume} has several snapshots with this tag")));
            } else {
                ours.push((volume.clone(), snapshot.id.clone()));
            }
        }
    }
    Found { ours, foreign }
}

/// Returns the instant at which the set was started. All snapshots of a set start together. If a
/// volume has several snapshots, the set is the one where every volume has a snapshot of that
/// instant.
fn start_of_set(
    machine: &Machine,
    candidates: &BTreeMap<&VolumeId, Vec<&ObservedSnapshot>>,
) -> Option<Timestamp> {
    let starts: BTreeSet<Timestamp> =
        candidates.values().flatten().map(|snapshot| snapshot.started_at).collect();
    starts.into_iter().find(|start| {
        machine.volumes.iter().all(|volume| {
            let of_volume = candidates.get(&volume.id).into_iter().flatten();
            of_volume.filter(|snapshot| snapshot.started_at == *start).count() == 1
        })
    })
}

enum Verdict<'a> {
    Ours(&'a VolumeId),
    /// Snapshot of an earlier try.
    Earlier,
    Foreign(&'static str),
}

fn verdict<'a>(point: &Point, machine: &Machine, snapshot: &'a ObservedSnapshot) -> Verdict<'a> {
    if snapshot.tags.get(TAG_POINT).map(String::as_str) != Some(point.id.as_str()) {
        return Verdict::Foreign("the snapshot is not tagged for this point");
    }
    let of_machine = |id: &&VolumeId| machine.volumes.iter().any(|volume| volume.id == **id);
    let Some(volume) = snapshot.volume.as_ref().filter(of_machine) else {
        return Verdict::Foreign("the snapshot is of a volume that the machine does not have");
    };
    let attempt = snapshot.tags.get(TAG_ATTEMPT).and_then(|text| text.parse::<u32>().ok());
    match attempt {
        Some(attempt) if attempt == point.step.attempt => {}
        Some(attempt) if attempt < point.step.attempt => return Verdict::Earlier,
        _ => return Verdict::Foreign("the snapshot has the tag of a try that was not made"),
    }
    let in_time = point
        .step
        .begun_at
        .is_some_and(|begun_at| snapshot.started_at.duration_since(begun_at) >= -CLOCK_SKEW);
    if !in_time {
        return Verdict::Foreign("the snapshot was started before this try");
    }
    Verdict::Ours(volume)
}
