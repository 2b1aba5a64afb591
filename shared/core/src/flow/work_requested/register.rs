//! Points whose snapshots are being filled, and points that wait for an image made of them.
//!
//! - Every snapshot of a point is complete: this fact and the intent to register are one write.
//!   Then the call is made, with every attribute that the machine had. If only snapshots are asked
//!   for, the point is protected.
//! - A snapshot failed or is gone: the whole set cannot be used, and the next is made.
//! - An image that was lost is registered again only while its policy wants that, and not if it is
//!   there again: the policies in force are read before.
//! - While an obstacle of the queue stands, one registration is tried now and then, and the others
//!   are left alone ([`super::gate`]).
//! - A call without an outcome, or a name that is taken: an image with that name is ours if it is
//!   made of exactly this point's snapshots and as the call asks for, and foreign otherwise.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::decision_builder::{DecisionBuilder, intent_around};
use super::gate::Gate;
use super::grade_tag;
use super::needs::Needs;
use super::restored;
use crate::call::{Around, register_image};
use crate::command::{Change, Command, Decision, Resolved};
use crate::flow::InForce;
use crate::flow::wanted;
use crate::ids::{AmiId, SnapshotId};
use crate::illegal::Illegal;
use crate::limits::{PENDING_MAX, SETTLE};
use crate::names::image_name;
use crate::observed::{Complete, ObservedImage, ObservedSnapshot, SnapshotState};
use crate::obstacle::Obstacles;
use crate::point::{Place, Point, Step};
use crate::policy::Artefact;
use crate::reason::{Code, Reason};
use crate::status::{Event, IllegalTransition, Status};
use crate::transition::retry::{self, Next};
use crate::transition::{loss, summary};
use crate::work::{Kind, Queue};

#[derive(Clone, Debug)]
pub struct Input {
    pub now: Timestamp,
    /// The points of the queue.
    pub points: Vec<Point>,
    /// The snapshots of all points that wait for them. A snapshot that is missing here is gone.
    pub snapshots: BTreeMap<SnapshotId, ObservedSnapshot>,
    /// The images of this account with a name, for each name of a try that had no outcome.
    pub named: BTreeMap<String, Complete<ObservedImage>>,
    /// The images that were lost and are there again, of the points that wait for others.
    pub images: BTreeMap<AmiId, ObservedImage>,
    /// What stands in the way of the calls of this queue.
    pub obstacles: Obstacles,
    /// The policies in force; empty if no image is registered again.
    pub in_force: InForce,
}

/// Returns the facts that have to be read before anything is decided.
pub(super) fn needs(points: &[Point], now: Timestamp) -> Needs {
    let waiting = |point: &&Point| point.status == Status::Snapshotted;
    let snapshots: BTreeSet<&SnapshotId> =
        points.iter().filter(waiting).flat_map(|point| point.snapshots.values()).collect();
    let open = |point: &&Point| point.status == Status::Registering && point.step.is_due(now);
    let names = points.iter().filter(open);
    let ready = points.iter().filter(|point| point.status == Status::Ready);
    let is_again = |point: &Point| loss::waits_to_be_remade(point) && point.step.is_due(now);
    Needs {
        images: ready.filter_map(|point| point.lost.clone()).collect(),
        policies: points.iter().any(is_again),
        snapshots: snapshots.into_iter().cloned().collect(),
        names: names.map(|point| image_name(&point.id, point.step.attempt)).collect(),
        ..Needs::default()
    }
}

pub fn decide(input: &Input) -> Decision {
    let mut points: Vec<&Point> = input.points.iter().collect();
    let mut gate = Gate::of(&input.obstacles, input.now);
    gate.sort(&mut points);
    let mut builder = DecisionBuilder::default();
    for point in points {
        let before = builder.calls();
        let done = match point.status {
            Status::Snapshotted => {
                look_at_snapshots(&mut builder, point, gate, input).map_err(Illegal::from)
            }
            Status::Ready if point.step.is_due(input.now) => {
                again(&mut builder, point, gate, input)
            }
            Status::Registering if point.step.is_due(input.now) => {
                let name = image_name(&point.id, point.step.attempt);
                match input.named.get(&name) {
                    Some(Complete(named)) => register_image::find(point, named, input.now)
                        .map(|conclusion| builder.conclude(conclusion))
                        .map_err(Illegal::from),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        };
        if builder.calls() > before {
            gate = gate.after_call(input.now);
        }
        builder.check(&point.id, done);
    }
    builder.decision()
}

/// Begins the registration, unless the image that was lost is there again, or nobody wants it to be
/// made again.
fn again(
    builder: &mut DecisionBuilder,
    point: &Point,
    gate: Gate,
    input: &Input,
) -> Result<(), Illegal> {
    if restored::meanwhile(builder, point, None, &input.images, input.now)? {
        return Ok(());
    }
    let waits = loss::waits_to_be_remade(point);
    if let Some(reason) = wanted::not_remade(point, &input.in_force).filter(|_| waits) {
        builder.say(&point.id, reason);
        builder.wake(Queue { region: point.home.clone(), kind: Kind::Confirm });
        // The look that follows says what becomes of it.
        let text = format!("the image in {} is gone, and was not registered again", point.home);
        let reason = Reason::new(Code::Lost, text);
        builder.record(summary::recorded(loss::not_remade(point, reason, input.now)?));
        return Ok(());
    }
    if gate.is_shut() {
        return Ok(());
    }
    Ok(begin(builder, point, point.step.clone(), Vec::new(), input)?)
}

fn look_at_snapshots(
    builder: &mut DecisionBuilder,
    point: &Point,
    gate: Gate,
    input: &Input,
) -> Result<(), IllegalTransition> {
    let now = input.now;
    if let Some(reason) = what_failed(point, input) {
        builder.say(&point.id, reason.clone());
        builder.record(summary::recorded(retry::failed(point, reason, Next::Sparing, now)?));
        return Ok(());
    }
    let is_complete = |id| {
        let seen = input.snapshots.get(id);
        seen.is_some_and(|snapshot| snapshot.state == SnapshotState::Completed)
    };
    if !point.snapshots.is_empty() && point.snapshots.values().all(is_complete) {
        let seen = point.snapshots.values().filter_map(|id| input.snapshots.get(id));
        let untrue = seen.filter(|snapshot| grade_tag::is_untrue(point, &snapshot.tags));
        let untrue: Vec<String> = untrue.map(|snapshot| snapshot.id.to_string()).collect();
        if point.plan.kind == Artefact::Snapshots {
            let after = Point { before: None, ..point.after(Event::Keep)? };
            let step = point.step.settled();
            // The set that was lost before is kept as leftovers.
            let lost = point.leftovers.iter().filter(|_| !point.healed.is_empty());
            for artefact in lost.cloned() {
                let (region, artefact) = (point.home.clone(), artefact.into());
                builder.resolve(Resolved { region, artefact, code: Code::Lost, at: now });
            }
            let home_place = Place::Available;
            let change = summary::recorded(Point { step, home_place, reason: None, ..after });
            let command = Command::Record(Box::new(change));
            let command = grade_tag::first(builder, point, untrue, command, now);
            builder.learn(command);
            return Ok(());
        }
        let complete = point.after(Event::Complete)?;
        if gate.is_shut() {
            if !untrue.is_empty() {
                return Ok(());
            }
            // The snapshots need not be looked at again until it can be registered.
            let step = Step { due_at: Some(now), ..new_step(point) };
            builder.record(Change::point(Point { step, ..complete }));
            return Ok(());
        }
        return begin(builder, &complete, new_step(point), untrue, input);
    }
    if point.step.is_past(PENDING_MAX, now) {
        let hours = PENDING_MAX.as_hours();
        let text = format!("the snapshots are still not complete after {hours} hours");
        builder.report_once(point, Reason::new(Code::TooLong, text));
    }
    Ok(())
}

/// Returns the step that registers. It has tries of its own. A point that was begun anew has names
/// from there on, and its failures are counted on.
fn new_step(point: &Point) -> Step {
    let Step { first, failures, .. } = point.step;
    let failures = if first > 0 { failures } else { 0 };
    Step { attempt: first, first, failures, ..Step::default() }
}

/// Returns the reason why a set will never be complete. A snapshot that was just made and is not
/// visible yet is no such reason.
fn what_failed(point: &Point, input: &Input) -> Option<Reason> {
    point.snapshots.values().find_map(|id| match input.snapshots.get(id) {
        Some(snapshot) if snapshot.state == SnapshotState::Error => {
            let message = snapshot.message.as_deref().unwrap_or("EC2 does not say why");
            Some(Reason::new(Code::SnapshotFailed, format!("{id} failed: {message}")))
        }
        None if point.step.is_past(SETTLE, input.now) => {
            Some(Reason::new(Code::ArtefactGone, format!("{id} is no longer there")))
        }
        Some(_) | None => None,
    })
}

/// Begins the registration. `untrue` are the snapshots whose tag has another grade than the point.
fn begin(
    builder: &mut DecisionBuilder,
    point: &Point,
    step: Step,
    untrue: Vec<String>,
    input: &Input,
) -> Result<(), IllegalTransition> {
    let Some((change, call)) = register_image::begin(point, step, input.now)? else {
        let text = "the record of the point lacks the attributes of its machine or its disks";
        return give_up(builder, point, Reason::new(Code::ArtefactGone, text), input.now);
    };
    let around = Around::AtHome(input.obstacles.clone());
    let intent = intent_around(around, change, call);
    let command = Command::Call(Box::new(intent));
    let command = grade_tag::first(builder, point, untrue, command, input.now);
    builder.create(command);
    Ok(())
}

fn give_up(
    builder: &mut DecisionBuilder,
    point: &Point,
    reason: Reason,
    now: Timestamp,
) -> Result<(), IllegalTransition> {
    builder.say(&point.id, reason.clone());
    builder.record(summary::recorded(retry::given_up(point, reason, now)?));
    Ok(())
}
