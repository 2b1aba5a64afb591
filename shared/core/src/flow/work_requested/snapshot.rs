//! Points that want snapshots: may the machine be imaged, has an earlier try left a set, and were
//! its disks at rest.
//!
//! - A point that is requested and due: its machine may be imaged, and is as it has to be for that
//!   ([`super::ready`]), then the intent is written and the one call is made for all of its
//!   volumes; or it waits for that, is refused, or its machine is gone.
//! - A point whose call has had no outcome: once everything that EC2 made must be visible, what
//!   carries its tag is held against the facts. A whole set is adopted; of nothing at all the next
//!   try is made; a set that shows in part is waited for, and given up in the end.
//! - A point whose machine was at rest when its snapshots were made: is it still, in the same stop?
//!   Those that EC2 makes for an image of its own begin when EC2 comes to it: only a look after all
//!   of them are there tells.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::decision_builder::DecisionBuilder;
use super::ready::{self, Ready};
use super::{create, made, method, news, retry, stop_start};
use crate::command::{Change, Command, CreateSnapshots, Decision, Intent};
use crate::conclude::SnapshotSet;
use crate::downtime::Downtime;
use crate::ids::{InstanceId, VolumeId};
use crate::limits::{CLOCK_SKEW, LOOK_AFTER, PARTIAL, SETTLE, WAITING_MAX, later};
use crate::machine::{Grade, Machine};
use crate::names::{TAG_ATTEMPT, TAG_POINT, image_name};
use crate::observed::{Complete, ObservedImage, ObservedSnapshot};
use crate::point::{Point, Step};
use crate::policy::Consistency;
use crate::reason::{Code, Reason};
use crate::slot::PointId;
use crate::status::{Event, IllegalTransition, Status};
use crate::summary::Summary;
use crate::tags::write::snapshot_tags;
use crate::tags::write::tags_left_out;
use crate::work::{Kind, Queue};

#[derive(Clone, Debug)]
pub struct Input {
    pub now: Timestamp,
    /// What the queue holds, whether due or not.
    pub points: Vec<Point>,
    /// The machines of the points that are due, described after the points were read. One that is
    /// missing is gone.
    pub machines: BTreeMap<InstanceId, Machine>,
    /// Those of them that are there, and that EC2 does not show as a whole just now.
    pub unsettled: BTreeSet<InstanceId>,
    /// For each point whose try has had no outcome, or whose snapshots EC2 may not have begun yet:
    /// every snapshot of this account with its tag.
    pub tagged: BTreeMap<PointId, Complete<ObservedSnapshot>>,
    /// How far those are whose machine is to be stopped for them.
    pub downtimes: BTreeMap<PointId, Downtime>,
    /// For each name of an image that EC2 may be making: the images of this account of that name.
    pub named: BTreeMap<String, Complete<ObservedImage>>,
}

/// The points of which snapshots with their tag have to be listed before anything is decided.
pub fn to_list(points: &[Point], now: Timestamp) -> Vec<PointId> {
    let wanted = points.iter().filter(|point| match wants(point, now) {
        Some(Want::Set) => true,
        Some(Want::Grade) => point.status == Status::Created,
        Some(Want::Snapshots | Want::Image) | None => false,
    });
    wanted.map(|point| point.id.clone()).collect()
}

/// The names of images that have to be looked up before anything is decided.
pub fn to_look_up(points: &[Point], now: Timestamp) -> Vec<String> {
    let wanted = points.iter().filter(|point| wants(point, now) == Some(Want::Image));
    wanted.map(|point| image_name(&point.id, point.step.attempt)).collect()
}

/// The machines that have to be described before anything is decided.
pub fn to_describe(points: &[Point], now: Timestamp) -> Vec<InstanceId> {
    let wanted = points
        .iter()
        .filter(|point| matches!(wants(point, now), Some(Want::Snapshots | Want::Grade)));
    let machines: BTreeSet<&InstanceId> = wanted.map(Point::instance).collect();
    machines.into_iter().cloned().collect()
}

/// The points of which it has to be known how far their machine is, if it is stopped for them.
pub fn to_stop(points: &[Point], now: Timestamp) -> Vec<PointId> {
    let wanted = points.iter().filter(|point| {
        point.plan.consistency == Consistency::StopStart
            && wants(point, now) == Some(Want::Snapshots)
    });
    wanted.map(|point| point.id.clone()).collect()
}

/// Whether a machine is being stopped, so that its point is begun in a moment.
pub fn is_about_to_begin(input: &Input) -> bool {
    input.points.iter().any(|point| {
        let downtime = input.downtimes.get(&point.id);
        let state = input.machines.get(point.instance()).map(|machine| machine.instance.state);
        wants(point, input.now) == Some(Want::Snapshots)
            && stop_start::is_being_stopped(downtime, state)
    })
}

/// Whether a machine is at rest, and its point is graded as soon as EC2 has begun its snapshots.
pub fn is_about_to_be_graded(input: &Input) -> bool {
    input.points.iter().any(|point| {
        let machine = input.machines.get(point.instance());
        wants(point, input.now) == Some(Want::Grade)
            && !point.step.is_past(SETTLE, input.now)
            && is_rested(point, machine)
            && !are_begun(point, input)
    })
}

/// What a point in this queue wants now.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Want {
    Snapshots,
    /// The set that a call without an outcome may have made.
    Set,
    /// The image that a call without an outcome may have made.
    Image,
    Grade,
}

fn wants(point: &Point, now: Timestamp) -> Option<Want> {
    let due = point.step.is_due(now);
    match point.status {
        Status::Requested if due => Some(Want::Snapshots),
        Status::Snapshotting if due => Some(Want::Set),
        Status::Creating if due => Some(Want::Image),
        Status::Snapshotted | Status::Created if point.grade.is_none() => Some(Want::Grade),
        Status::Requested
        | Status::Snapshotting
        | Status::Snapshotted
        | Status::Ready
        | Status::Registering
        | Status::Registered
        | Status::Creating
        | Status::Created
        | Status::Imaged
        | Status::Protected
        | Status::Refused
        | Status::Missed
        | Status::Failed => None,
    }
}

pub fn decide(input: &Input) -> Decision {
    let mut points: Vec<&Point> = input.points.iter().collect();
    points.sort_by_key(|point| (point.requested_at, &point.id));
    let mut builder = DecisionBuilder::default();
    for point in points {
        let machine = input.machines.get(point.instance());
        let is_unsettled = input.unsettled.contains(point.instance());
        // A point is left alone by an event that cannot happen to it where it stands.
        let _left_alone = match wants(point, input.now) {
            Some(want @ (Want::Snapshots | Want::Grade)) if is_unsettled => {
                wait(&mut builder, point, want, input)
            }
            Some(Want::Snapshots) => {
                let downtime = input.downtimes.get(&point.id);
                begin(&mut builder, point, machine, downtime, input.now)
            }
            Some(Want::Set) => match input.tagged.get(&point.id) {
                Some(Complete(tagged)) => look_for_set(&mut builder, point, tagged, input.now),
                None => Ok(()),
            },
            Some(Want::Image) => {
                let name = image_name(&point.id, point.step.attempt);
                match input.named.get(&name) {
                    Some(Complete(named)) => {
                        create::look_for_image(&mut builder, point, named, input.now)
                    }
                    None => Ok(()),
                }
            }
            Some(Want::Grade) => grade(&mut builder, point, machine, input),
            None => Ok(()),
        };
    }
    builder.decision()
}

/// Without all of its disks a machine must not be imaged, and it is not gone either: its point is
/// left alone, but not for ever.
fn wait(
    builder: &mut DecisionBuilder,
    point: &Point,
    want: Want,
    input: &Input,
) -> Result<(), IllegalTransition> {
    let now = input.now;
    if now.duration_since(point.wanted_since()) < WAITING_MAX {
        return Ok(());
    }
    if want == Want::Grade {
        return grade(builder, point, None, input);
    }
    let hours = WAITING_MAX.as_hours();
    let text = format!("EC2 has not shown {} as a whole for {hours} hours", point.instance());
    let reason = Reason::new(Code::TooLong, text);
    builder.say(&point.id, reason.clone());
    builder.record(news::recorded(retry::given_up(point, reason)?));
    Ok(())
}

fn begin(
    builder: &mut DecisionBuilder,
    point: &Point,
    machine: Option<&Machine>,
    downtime: Option<&Downtime>,
    now: Timestamp,
) -> Result<(), IllegalTransition> {
    let Some(machine) = machine.filter(|machine| !machine.instance.state.is_gone()) else {
        let text = format!("{} is no longer there", point.instance());
        return turn_down(
            builder,
            point,
            machine,
            Event::Miss,
            Reason::new(Code::MachineGone, text),
        );
    };
    let choice = match method::choose(point, machine) {
        Ok(choice) => choice,
        Err(reason) => return turn_down(builder, point, Some(machine), Event::Refuse, reason),
    };
    let found = match ready::check(point, &machine.instance, now) {
        Ready::Now(found) => found,
        Ready::Wait(due_at, reason) => {
            put_off(builder, point, machine, due_at, reason);
            return Ok(());
        }
        Ready::Miss(reason) => {
            return turn_down(builder, point, Some(machine), Event::Miss, reason);
        }
    };
    if stop_start::is_to_stop(point, machine) {
        return stop_start::wait(builder, point, machine.instance.state, downtime, now);
    }
    let is_created = choice.is_created();
    let chosen = choice.for_point(point).found(found);
    let left_out = tags_left_out(&chosen);
    let chosen = chosen.found(left_out);
    if let Some(reason) = choice.because {
        builder.say(&point.id, reason);
    }
    match is_created {
        true => create::begin(builder, &chosen, now),
        false => begin_snapshots(builder, &chosen, now),
    }
}

/// The intent and the call, for a point that knows its machine.
fn begin_snapshots(
    builder: &mut DecisionBuilder,
    point: &Point,
    now: Timestamp,
) -> Result<(), IllegalTransition> {
    let begun = point.after(Event::Begin)?;
    let due_at = Some(later(now, SETTLE));
    let step = Step { begun_at: Some(now), due_at, ..point.step.clone() };
    let begun = Point { step, reason: None, ..begun };
    let attempt = begun.step.attempt;
    let (without_root, without) = method::volumes_left_out(&begun);
    let call = CreateSnapshots {
        region: begun.home.clone(),
        instance: begun.instance().clone(),
        description: format!("Afterimage: snapshots {attempt} of {}", begun.id),
        without,
        without_root,
        tags: snapshot_tags(&begun, attempt),
    };
    let queue = Queue { region: begun.home.clone(), kind: Kind::Snapshot };
    let intent = Intent { change: Change::point(begun), queue, call };
    builder.create(Command::CreateSnapshots(Box::new(intent)));
    Ok(())
}

/// It waits for its machine, and whoever asks how the machine stands is told what for.
fn put_off(
    builder: &mut DecisionBuilder,
    point: &Point,
    machine: &Machine,
    due_at: Timestamp,
    reason: Reason,
) {
    let step = Step { due_at: Some(due_at), ..point.step.clone() };
    let waits = Point { step, reason: Some(reason.clone()), ..point.clone() };
    let name = machine.instance.name().map(str::to_string);
    let summary = Summary { name, ..news::latest(&waits) };
    builder.say(&point.id, reason);
    builder.record(Change::point(waits).telling(Some(summary)));
}

/// It will not be made; nothing was begun.
fn turn_down(
    builder: &mut DecisionBuilder,
    point: &Point,
    machine: Option<&Machine>,
    event: Event,
    reason: Reason,
) -> Result<(), IllegalTransition> {
    let after = point.after(event)?;
    let after = Point { step: point.step.settled(), reason: Some(reason.clone()), ..after };
    let name = machine.and_then(|machine| machine.instance.name()).map(str::to_string);
    let summary = Summary { name, ..news::latest(&after) };
    builder.say(&point.id, reason);
    builder.record(Change::point(after).telling(Some(summary)));
    Ok(())
}

fn look_for_set(
    builder: &mut DecisionBuilder,
    point: &Point,
    tagged: &[ObservedSnapshot],
    now: Timestamp,
) -> Result<(), IllegalTransition> {
    let Some(machine) = &point.machine else { return Ok(()) };
    let found = sort(point, machine, tagged);
    for (snapshot, why) in &found.foreign {
        builder.foreign(&point.home, &snapshot.id, why.clone(), now);
    }
    let shown = found.ours.len();
    if made::is_whole(machine, &found.ours) {
        let text = format!("the {shown} snapshots of a try without an outcome were found");
        let after = made::snapshots(point, found.ours, now)?;
        builder.say(&point.id, Reason::new(Code::Adopted, text));
        builder.record(Change::point(after));
        return Ok(());
    }
    let wanted = machine.volumes.len();
    let text = match shown {
        0 => "the call was made, or not, and has left nothing".to_string(),
        _ => format!("of a set of {wanted} snapshots {shown} are visible"),
    };
    let reason = Reason::new(Code::OutcomeUnknown, text);
    builder.say(&point.id, reason.clone());
    if shown > 0 && !point.step.is_past(PARTIAL, now) {
        let step = Step { due_at: Some(later(now, LOOK_AFTER)), ..point.step.clone() };
        builder.record(Change::point(Point { step, reason: Some(reason), ..point.clone() }));
        return Ok(());
    }
    let mut left = point.clone();
    retry::leave(&mut left.leftovers, found.ours.into_iter().map(|(_, id)| id.into()));
    builder.record(news::recorded(retry::failed(&left, reason, retry::Next::AtOnce, now)?));
    Ok(())
}

/// What carries the tag of a point, by whose it is.
struct Found<'a> {
    ours: SnapshotSet,
    foreign: Vec<(&'a ObservedSnapshot, String)>,
}

/// Ours is what this try may have made: of a volume of the machine, started after the intent, and
/// the only one of that volume. What earlier tries left is not looked at here: the sweep links it
/// to its point.
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
                foreign.push((snapshot, format!("not the only one of {volume} with this tag")));
            } else {
                ours.push((volume.clone(), snapshot.id.clone()));
            }
        }
    }
    Found { ours, foreign }
}

/// All snapshots of a set start at one instant. Where a volume has several, the set is where every
/// volume has one that started then.
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
    /// Of an earlier try.
    Earlier,
    Foreign(&'static str),
}

fn verdict<'a>(point: &Point, machine: &Machine, snapshot: &'a ObservedSnapshot) -> Verdict<'a> {
    if snapshot.tags.get(TAG_POINT).map(String::as_str) != Some(point.id.as_str()) {
        return Verdict::Foreign("it is not tagged for this point");
    }
    let of_machine = |id: &&VolumeId| machine.volumes.iter().any(|volume| volume.id == **id);
    let Some(volume) = snapshot.volume.as_ref().filter(of_machine) else {
        return Verdict::Foreign("its volume is not one of the machine's");
    };
    let attempt = snapshot.tags.get(TAG_ATTEMPT).and_then(|text| text.parse::<u32>().ok());
    match attempt {
        Some(attempt) if attempt == point.step.attempt => {}
        Some(attempt) if attempt < point.step.attempt => return Verdict::Earlier,
        _ => return Verdict::Foreign("it names a try that was not made"),
    }
    let in_time = point
        .step
        .begun_at
        .is_some_and(|begun_at| snapshot.started_at.duration_since(begun_at) >= -CLOCK_SKEW);
    if !in_time {
        return Verdict::Foreign("it was started before this try was");
    }
    Verdict::Ours(volume)
}

/// Stopped when the call was made, and still in the same stop: nothing has written to its disks in
/// between.
fn is_rested(point: &Point, machine: Option<&Machine>) -> bool {
    let before = point.machine.as_ref().map(|machine| &machine.instance);
    let after = machine.map(|machine| &machine.instance);
    before.zip(after).is_some_and(|(before, after)| {
        before.is_at_rest() && after.is_at_rest() && before.launched == after.launched
    })
}

/// Whether every snapshot of a point has been begun: CreateSnapshots begins them, and CreateImage
/// only says that it will.
fn are_begun(point: &Point, input: &Input) -> bool {
    if point.status != Status::Created {
        return true;
    }
    let tagged = input.tagged.get(&point.id);
    point.machine.as_ref().zip(tagged).is_some_and(|(machine, Complete(tagged))| {
        made::is_whole(machine, &sort(point, machine, tagged).ours)
    })
}

/// At rest is what was at rest before its snapshots were begun, and after.
fn grade(
    builder: &mut DecisionBuilder,
    point: &Point,
    machine: Option<&Machine>,
    input: &Input,
) -> Result<(), IllegalTransition> {
    let now = input.now;
    let (rested, begun) = (is_rested(point, machine), are_begun(point, input));
    if rested && !begun && !point.step.is_past(PARTIAL, now) {
        return Ok(());
    }
    let rested = rested && begun;
    let mut found = None;
    if !rested {
        let text = "it was started, or went, while its snapshots were made: graded as a crash";
        let reason = Reason::new(Code::NotStopped, text);
        builder.say(&point.id, reason.clone());
        // Where nobody asked for more than that, the grade says it all.
        found = (point.plan.consistency == Consistency::AtRest).then_some(reason);
    }
    let grade = if rested { Grade::AtRest } else { Grade::Crash };
    let step = Step { due_at: Some(later(now, LOOK_AFTER)), ..point.step.clone() };
    let graded = Point { grade: Some(grade), step, ..point.clone() }.found(found);
    // Its snapshots may have been completed while it stood in this queue.
    if let Some(queue) = graded.queue() {
        builder.wake(queue);
    }
    builder.record(Change::point(graded));
    Ok(())
}
