//! Points that need snapshots, and points whose grade is not known yet.
//!
//! - A requested point that is due: if nobody wants it any more, it is withdrawn. If its machine
//!   may be imaged, and is as consistent as the point
//!   requires ([`super::ready`]), the intent is written and one call is made for all volumes.
//!   Otherwise the point waits, is refused, or is missed because its machine is gone.
//! - A point whose call had no outcome: once everything that EC2 made must be visible, the
//!   artefacts with its tag are compared with the facts. A whole set is adopted. If there is
//!   nothing, the next try is made. A set that shows in part is waited for, and given up in the
//!   end.
//! - While an obstacle of the queue stands, one point is tried now and then, and the others are
//!   left alone ([`super::gate`]). Their machines are not described.
//! - A point whose snapshots would fail for the key of a disk, as a read showed after such a
//!   failure: it waits until a read shows that the key can be used ([`super::keys`]).
//! - A point of a machine that was snapshotted a moment ago, for another policy or for a try that
//!   failed: it waits for its turn ([`super::apart`]).
//! - A point whose machine was at rest when its snapshots were made: a look shows if the machine is
//!   still in the same stop. The snapshots that EC2 makes for an image of its own begin later than
//!   the call, so that only a look after all of them are visible counts. If that image fails
//!   before, the next try is made, in the same downtime if the machine is stopped for it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::again::Again;
use super::decision_builder::DecisionBuilder;
use super::disk_keys::Keys;
use super::gate::Gate;
use super::needs::Needs;
use super::not_begun::{put_off, turn_down};
use super::ready::{self, Ready};
use super::{apart, guards, images, keys, method, not_begun, stop_start, superseded};
use crate::call::{create_image, create_snapshots};
use crate::command::{Change, Command, Decision};
use crate::downtime::Downtime;
use crate::flow::InForce;
use crate::flow::wanted::{self, Verdict};
use crate::grade;
use crate::ids::{AmiId, InstanceId};
use crate::limits::{
    BACKOFF, BELIEVED_FOR, LOOK_AFTER, LOOK_DOWN, PARTIAL, SETTLE, TRIED_AMONG, UNSETTLED_WAIT,
    WAITING_MAX, later,
};
use crate::machine::{Firmware, Grade, Machine, Volume};
use crate::names::image_name;
use crate::observed::{Complete, ImageState, ObservedImage, ObservedSnapshot};
use crate::obstacle::Obstacles;
use crate::point::{Point, Step};
use crate::policy::Consistency;
use crate::reason::{Code, Reason};
use crate::slot::PointId;
use crate::status::{Event, IllegalTransition, Making, Phase, Status};
use crate::tags::write::tags_left_out;
use crate::transition::retry::Next;
use crate::transition::{retry, summary};
use crate::witness::{Testimony, Trust};
use crate::work::Kind;

#[derive(Clone, Debug)]
pub struct Input {
    pub now: Timestamp,
    /// The points of the queue, due or not.
    pub points: Vec<Point>,
    /// The machines of the points that are due, described after the points were read. A machine
    /// that is missing here is gone.
    pub machines: BTreeMap<InstanceId, Machine>,
    /// The machines that exist, but that EC2 does not show as a whole just now.
    pub unsettled: BTreeSet<InstanceId>,
    /// The machines that were described, and not asked for the variables of their firmware, because
    /// another is tried. They can be graded, and not be imaged.
    pub unasked: BTreeMap<InstanceId, Machine>,
    /// All snapshots of this account with the tag of a point, for each point whose try had no
    /// outcome, or whose snapshots EC2 may not have begun yet.
    pub tagged: BTreeMap<PointId, Complete<ObservedSnapshot>>,
    /// The downtimes of the points whose machine is stopped for them.
    pub downtimes: BTreeMap<PointId, Downtime>,
    /// The policies in force, read after the points; empty if no point may begin.
    pub in_force: InForce,
    /// The images of this account with a name, for each name of an image that EC2 may be making.
    pub named: BTreeMap<String, Complete<ObservedImage>>,
    /// The images that EC2 creates for points that are not graded yet.
    pub images: BTreeMap<AmiId, ObservedImage>,
    /// The last sets of snapshots that this worker had made, and those of the other points of the
    /// machines, which another worker may have had made.
    pub taken: apart::Taken,
    /// True if the stack was deployed with the right to have machines rebooted.
    pub allow_reboot: bool,
    /// The trust in the ledger; read last, if something may begin.
    pub trust: Trust,
    /// What stands in the way of the calls of this queue.
    pub obstacles: Obstacles,
    /// The number of sets of snapshots of each machine that EC2 is making, as far as other queues
    /// tell.
    pub sets: apart::Sets,
    /// The other points of the machines, read after the points: the latest of each policy, and
    /// those that wait for their snapshots.
    pub others: BTreeMap<PointId, Point>,
    /// The keys of [`keys::to_read_at_home`], as KMS tells of them. A key that is missing here
    /// could not be read.
    pub keys: Keys,
}

impl Input {
    /// Returns the obstacles as the reads of the keys leave them.
    fn looked_at(&self) -> Obstacles {
        let wanted = keys::to_read_at_home(&self.points, &self.machines, &self.obstacles, self.now);
        keys::looked_at(&self.obstacles, &wanted, &self.keys, self.now)
    }
}

/// Tells whether a point may begin, so that the obstacles of the queue have to be read.
pub fn may_begin(points: &[Point], now: Timestamp) -> bool {
    points.iter().any(|point| wants(point, now) == Some(Want::Snapshots))
}

/// Returns the points that are looked at while these obstacles stand. The facts about the others
/// are not read.
pub fn looked_at(points: &[Point], obstacles: &Obstacles, now: Timestamp) -> Vec<Point> {
    let is_held = held(points, obstacles, now);
    points.iter().filter(|point| !is_held.contains(&point.id)).cloned().collect()
}

/// Returns the points that wait for an obstacle to go: all that want snapshots, but some of which
/// one is tried.
fn held(points: &[Point], obstacles: &Obstacles, now: Timestamp) -> BTreeSet<PointId> {
    let gate = Gate::of(obstacles, now);
    let is_one = |point: &&Point| {
        wants(point, now) == Some(Want::Snapshots) && !stop_start::is_late(point, now)
    };
    let mut waiting: Vec<&Point> = points.iter().filter(is_one).collect();
    gate.sort(&mut waiting);
    let tried = match gate {
        Gate::Open => usize::MAX,
        Gate::One => TRIED_AMONG,
        Gate::Shut(_) => 0,
    };
    waiting.into_iter().skip(tried).map(|point| point.id.clone()).collect()
}

/// Returns how many machines may be asked for the variables of their firmware: while one is tried
/// for all others, asking more would be in vain.
pub fn asked_max(obstacles: &Obstacles, now: Timestamp) -> usize {
    if Gate::of(obstacles, now) == Gate::One { 1 } else { usize::MAX }
}

/// Returns the facts that have to be read before anything is decided.
pub(super) fn needs(points: &[Point], now: Timestamp) -> Needs {
    let that = |wanted: fn(&Point, Want) -> bool| {
        points.iter().filter(move |point| wants(point, now).is_some_and(|want| wanted(point, want)))
    };
    let lists = that(|point, want| {
        want == Want::Set || want == Want::Grade && point.status == Status::Created
    });
    let stops = that(|point, want| {
        want == Want::Snapshots && point.plan.consistency == Consistency::StopStart
    });
    let names = that(|_, want| want == Want::Image);
    let created = that(|_, want| want == Want::Grade);
    Needs {
        images: created.filter_map(|point| point.image.clone()).collect(),
        tagged: lists.map(|point| point.id.clone()).collect(),
        names: names.map(|point| image_name(&point.id, point.step.attempt)).collect(),
        downtimes: stops.map(|point| point.id.clone()).collect(),
        machines: machines(points, now),
        policies: may_begin(points, now),
        ..Needs::default()
    }
}

/// Returns the machines that have to be known before anything is decided.
pub fn machines(points: &[Point], now: Timestamp) -> Vec<InstanceId> {
    let wanted = points
        .iter()
        .filter(|point| matches!(wants(point, now), Some(Want::Snapshots | Want::Grade)));
    let machines: BTreeSet<&InstanceId> = wanted.map(Point::instance).collect();
    machines.into_iter().cloned().collect()
}

/// Returns when the worker looks at these points again.
pub(super) fn again(input: &Input) -> Again {
    if is_about_to_begin(input) {
        let next_due = Some(later(input.now, LOOK_DOWN));
        return Again { next_due, watches: true, ..Again::default() };
    }
    let begins = |point: &&Point| wants(point, input.now) == Some(Want::Snapshots);
    let beginning = input.points.iter().filter(begins);
    let turn = beginning.filter_map(|point| turn_at(point, input)).min();
    // A machine that does not become visible as a whole for some minutes is left to the sweep.
    let is_unsettled = |point: &Point| {
        input.unsettled.contains(point.instance())
            && input.now.duration_since(point.requested_at) < BELIEVED_FOR
    };
    let is_soon = input.points.iter().any(is_unsettled) || is_about_to_be_graded(input);
    let soon = is_soon.then(|| later(input.now, UNSETTLED_WAIT));
    let next_due = soon.into_iter().chain(turn).min();
    let wanted = input.points.iter().filter_map(|point| wants(point, input.now));
    let is_shut = next_due.is_none() && wanted.clone().count() > 0;
    if is_shut && wanted.clone().all(|it| it == Want::Snapshots) {
        return Gate::of(&input.obstacles, input.now).again(input.now);
    }
    Again { next_due, ..Again::default() }
}

/// Returns the time at which the machine of a point may be snapshotted again; none if it may be
/// now.
fn turn_at(point: &Point, input: &Input) -> Option<Timestamp> {
    let id = point.instance();
    let made = apart::free_at(&input.taken, id, input.now);
    made.max(apart::free_at(&apart::of_points(&input.points), id, input.now))
}

/// Tells whether a machine is being stopped, so that its point is begun in a moment.
fn is_about_to_begin(input: &Input) -> bool {
    input.points.iter().any(|point| {
        let downtime = input.downtimes.get(&point.id);
        let state = input.machines.get(point.instance()).map(|machine| machine.instance.state);
        wants(point, input.now) == Some(Want::Snapshots)
            && stop_start::is_being_stopped(downtime, state)
    })
}

/// Tells whether a machine is at rest, so that its point is graded as soon as EC2 has begun its
/// snapshots.
fn is_about_to_be_graded(input: &Input) -> bool {
    input.points.iter().any(|point| {
        let machine = input.machines.get(point.instance());
        wants(point, input.now) == Some(Want::Grade)
            && !point.step.is_past(SETTLE, input.now)
            && is_rested(point, machine)
            && !are_begun(point, input)
    })
}

/// The next need of a point in this queue.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Want {
    Snapshots,
    /// The set that a call without an outcome may have made.
    Set,
    /// The image that a call without an outcome may have made.
    Image,
    Grade,
    /// The point was withdrawn, and its window has closed: it leaves the queue.
    End,
}

fn wants(point: &Point, now: Timestamp) -> Option<Want> {
    if point.work() != Some(Kind::Snapshot) {
        return None;
    }
    let due = point.step.is_due(now);
    match (point.status.phase(), point.status.making()) {
        (Phase::Requested, _) if due => Some(Want::Snapshots),
        (Phase::Calling, Some(Making::Snapshots)) if due => Some(Want::Set),
        (Phase::Calling, _) if due => Some(Want::Image),
        (Phase::Pending, _) => Some(Want::Grade),
        (Phase::Ended, _) if due => Some(Want::End),
        _ => None,
    }
}

pub fn decide(input: &Input) -> Decision {
    let mut builder = DecisionBuilder::default();
    let obstacles = input.looked_at();
    let obstacles = keys::record(&mut builder, &input.obstacles, obstacles, input.now);
    let mut points: Vec<&Point> = input.points.iter().collect();
    let mut gate = Gate::of(&obstacles, input.now);
    gate.sort(&mut points);
    let sets = sets(input);
    let held = held(&input.points, &obstacles, input.now);
    for point in points {
        let others = input.points.iter().chain(input.others.values());
        if let Some(reason) = superseded::check(point, others, &obstacles) {
            let done = not_begun::supersede(&mut builder, point, reason, input.now);
            builder.check(&point.id, done);
            continue;
        }
        let machine = input.machines.get(point.instance());
        let is_unsettled = input.unsettled.contains(point.instance());
        let unasked = input.unasked.get(point.instance());
        let is_shut = gate.is_shut() && !stop_start::is_late(point, input.now);
        let is_held = is_shut || held.contains(&point.id) || unasked.is_some();
        let done = match wants(point, input.now) {
            Some(Want::Snapshots) if is_held => Ok(()),
            Some(want @ (Want::Snapshots | Want::Grade)) if is_unsettled => {
                wait(&mut builder, point, want, input)
            }
            Some(Want::Snapshots) => {
                let before = builder.calls();
                let done = begin(&mut builder, point, machine, (&sets, gate, &obstacles), input);
                if builder.calls() > before {
                    gate = gate.after_call(input.now);
                }
                done
            }
            Some(Want::Set) => match input.tagged.get(&point.id) {
                Some(Complete(tagged)) => create_snapshots::find(point, tagged, input.now)
                    .map(|conclusion| builder.conclude(conclusion)),
                None => Ok(()),
            },
            Some(Want::Image) => {
                let name = image_name(&point.id, point.step.attempt);
                match input.named.get(&name) {
                    Some(Complete(named)) => create_image::find(point, named, input.now)
                        .map(|conclusion| builder.conclude(conclusion)),
                    None => Ok(()),
                }
            }
            Some(Want::Grade) => grade(&mut builder, point, machine.or(unasked), input),
            Some(Want::End) => {
                let step = point.step.settled();
                builder.record(Change::point(Point { step, ..point.clone() }));
                Ok(())
            }
            None => Ok(()),
        };
        builder.check(&point.id, done);
    }
    counted(builder.decision(), input)
}

/// Adds the count of the round to a decision: in the witness before the first call, in the ledger
/// after the last.
fn counted(mut decision: Decision, input: &Input) -> Decision {
    let Some(region) = input.points.first().map(|point| &point.home) else { return decision };
    if let Testimony::Unreadable(why) = &input.trust.testimony {
        decision.say(region, Reason::new(Code::WitnessUnreadable, why));
    }
    let is_call = |command: &Command| matches!(command, Command::Call(_));
    let (first, last) =
        (decision.commands.iter().position(is_call), decision.commands.iter().rposition(is_call));
    let (before, after) = input.trust.marks(region, first.is_some(), input.now);
    let end = last.map_or(decision.commands.len(), |last| last.saturating_add(1));
    decision.commands.splice(end..end, after.map(Command::Mark));
    if let Some(first) = first {
        decision.commands.splice(first..first, before.map(Command::Mark));
    }
    decision
}

/// Counts the sets of snapshots of each machine that EC2 is making.
fn sets(input: &Input) -> apart::Sets {
    let mut sets = input.sets.clone();
    let is_graded = |point: &&Point| wants(point, input.now) == Some(Want::Grade);
    for point in input.points.iter().filter(is_graded) {
        *sets.entry(point.instance().clone()).or_default() += 1;
    }
    sets
}

/// Waits for a machine that EC2 does not show with all of its disks. Such a machine must not be
/// imaged, but is not gone either. After [`WAITING_MAX`] it is looked at every hour, and a person
/// is told. A point whose snapshots are there is graded then.
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
    let text = format!(
        "{} has not been shown by EC2 with all its volumes for {hours} hours",
        point.instance()
    );
    builder.say(&point.id, Reason::new(Code::TooLong, &*text));
    builder.record(summary::recorded(retry::looked_at_again(
        point,
        Reason::new(Code::TooLong, text),
        now,
    )));
    Ok(())
}

fn begin(
    builder: &mut DecisionBuilder,
    point: &Point,
    machine: Option<&Machine>,
    (sets, gate, obstacles): (&apart::Sets, Gate, &Obstacles),
    input: &Input,
) -> Result<(), IllegalTransition> {
    let now = input.now;
    let Some(machine) = machine.filter(|machine| !machine.instance.state.is_gone()) else {
        let text = format!("{} is no longer there", point.instance());
        let reason = Reason::new(Code::MachineGone, text);
        return turn_down(builder, point, machine, (Event::Miss, reason), now);
    };
    match wanted::point(point, Some(&machine.instance), &input.in_force) {
        Verdict::Wanted => {}
        Verdict::Unknown(reason) => return not_begun::wait_for_policy(builder, point, reason, now),
        Verdict::Unwanted(reason) => {
            builder.say(&point.id, reason.clone());
            not_begun::withdraw(builder, point, machine, reason, now)?;
            return Ok(());
        }
    }
    if let Some(reason) = input.trust.holds_back(point, now) {
        put_off(builder, point, machine, later(now, LOOK_AFTER), reason);
        return Ok(());
    }
    let choice = match method::choose(point, machine) {
        Ok(choice) => choice,
        Err(reason) => {
            return turn_down(builder, point, Some(machine), (Event::Refuse, reason), now);
        }
    };
    let found = match ready::check(point, &machine.instance, now) {
        Ready::Now(found) => found,
        Ready::Wait(due_at, reason) => {
            put_off(builder, point, machine, due_at, reason);
            return Ok(());
        }
        Ready::Miss(reason) => {
            return turn_down(builder, point, Some(machine), (Event::Miss, reason), now);
        }
    };
    let downtime = input.downtimes.get(&point.id);
    if stop_start::is_to_stop(point, machine) {
        let state = machine.instance.state;
        return stop_start::wait(builder, point, state, downtime, (obstacles, now));
    }
    if downtime.is_none() && stop_start::is_shared(point, &input.in_force.roster) {
        stop_start::share(builder, point, now);
        return Ok(());
    }
    if gate.is_shut() || builder.takes(point.instance()) || turn_at(point, input).is_some() {
        return Ok(());
    }
    if let Some(obstacle) = keys::holding(machine, obstacles, now) {
        not_begun::hold(builder, point, machine, obstacle);
        return Ok(());
    }
    let is_created = choice.is_created();
    let chosen = choice.for_point(point).found(found);
    if is_created
        && grade::reboots(&chosen)
        && let Err(reason) = guards::check_reboot(&machine.instance, input.allow_reboot)
    {
        return turn_down(builder, point, Some(machine), (Event::Refuse, reason), now);
    }
    if let Some(reason) = apart::crowded(machine, sets) {
        put_off(builder, point, machine, later(now, BACKOFF), reason);
        return Ok(());
    }
    if let Some(reason) = choice.because {
        builder.say(&point.id, reason);
    }
    call(builder, &chosen, is_created, read(point, machine), (obstacles, now))
}

/// Makes the call for a point that has chosen its method.
fn call(
    builder: &mut DecisionBuilder,
    chosen: &Point,
    is_created: bool,
    read: Option<Change>,
    (obstacles, now): (&Obstacles, Timestamp),
) -> Result<(), IllegalTransition> {
    let chosen = chosen.clone().found(shared_volume(chosen));
    let left_out = tags_left_out(&chosen);
    let chosen = chosen.found(left_out);
    if is_created {
        let begun = create_image::begin(&chosen, now)?;
        builder.call_around(obstacles, begun, read);
    } else {
        let begun = create_snapshots::begin(&chosen, now)?;
        builder.call_around(obstacles, begun, read);
    }
    Ok(())
}

/// Returns the change that keeps the description of a machine, whose UEFI variables cost a call.
/// None if the point has them.
fn read(point: &Point, machine: &Machine) -> Option<Change> {
    let known = point.machine.as_ref().map(Firmware::of);
    let after = Point { machine: Some(machine.clone()), ..point.clone() };
    (known != Some(Firmware::of(machine))).then(|| Change::point(after))
}

/// Tells why a point that is to be at rest will not be, though its machine is stopped.
fn shared_volume(point: &Point) -> Option<Reason> {
    let wants_rest = matches!(point.plan.consistency, Consistency::AtRest | Consistency::StopStart);
    let machine = point.machine.as_ref().filter(|_| wants_rest)?;
    machine.shared_volume().filter(|_| machine.instance.is_at_rest()).map(shared)
}

fn shared(volume: &Volume) -> Reason {
    let text = format!(
        "volume {} is attached to another machine too, which may write to it: graded as a crash",
        volume.id
    );
    Reason::new(Code::SharedVolume, text)
}

/// Tells whether the machine was stopped when the call was made, and is still in the same stop.
/// Then nothing has written to its disks in between.
fn is_rested(point: &Point, machine: Option<&Machine>) -> bool {
    point.machine.as_ref().zip(machine).is_some_and(|(before, after)| {
        let is_same_stop = before.instance.launched == after.instance.launched;
        before.is_at_rest() && after.is_at_rest() && is_same_stop
    })
}

/// Tells whether every snapshot of a point has been begun. CreateSnapshots begins them; CreateImage
/// only promises to.
fn are_begun(point: &Point, input: &Input) -> bool {
    if point.status != Status::Created {
        return true;
    }
    let tagged = input.tagged.get(&point.id);
    tagged.is_some_and(|Complete(tagged)| create_snapshots::are_begun(point, tagged))
}

/// Returns the image that EC2 created for a point, if it failed, and the reason.
fn failed_image<'a>(point: &'a Point, input: &Input) -> Option<(&'a AmiId, Reason)> {
    let image = point.image.as_ref()?;
    let seen = input.images.get(image).filter(|seen| seen.state == ImageState::Failed)?;
    Some((image, images::failure(seen)))
}

/// Grades a point. The grade is at rest if the machine was at rest before its snapshots were begun,
/// and after.
fn grade(
    builder: &mut DecisionBuilder,
    point: &Point,
    machine: Option<&Machine>,
    input: &Input,
) -> Result<(), IllegalTransition> {
    let now = input.now;
    if let Some((image, reason)) = failed_image(point, input) {
        let left = images::with_leftovers(point, image, &input.images);
        // Its machine may be down for it, and is started again if the next try comes too late.
        let is_first = point.plan.consistency == Consistency::StopStart && point.step.failures == 0;
        let next = if is_first { Next::AtOnce } else { Next::Sparing };
        builder.say(&point.id, reason.clone());
        builder.record(summary::recorded(retry::failed(&left, reason, next, now)?));
        return Ok(());
    }
    let (rested, begun) = (is_rested(point, machine), are_begun(point, input));
    if rested && !begun && !point.step.is_past(PARTIAL, now) {
        return Ok(());
    }
    let rested = rested && begun;
    let mut found = None;
    if !rested {
        let text =
            "the machine did not stay stopped while its snapshots were made: graded as a crash";
        let shared = machine.and_then(Machine::shared_volume).map(shared);
        let reason = shared.unwrap_or_else(|| Reason::new(Code::NotStopped, text));
        builder.say(&point.id, reason.clone());
        // A point that did not ask for more than a crash grade needs no further finding.
        found = (point.plan.consistency == Consistency::AtRest).then_some(reason);
    }
    let grade = if rested { Grade::AtRest } else { Grade::Crash };
    let step = Step { due_at: Some(later(now, LOOK_AFTER)), ..point.step.clone() };
    let graded = Point { grade: Some(grade), step, ..point.clone() }.found(found);
    // The snapshots may have been completed while the point stood in this queue.
    if let Some(queue) = graded.queue() {
        builder.wake(queue);
    }
    builder.record(Change::point(graded));
    Ok(())
}
