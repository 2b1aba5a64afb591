//! Replicas that wait to be copied into this region.
//!
//! CopyImage takes a token, so that a call without an outcome is made again, under the same name
//! and with the same token. Either the call had made nothing yet, or EC2 answers with the image
//! that it made. Only a name that is taken has to be looked up.
//!
//! Before a copy begins, the region is asked whether it has the image already, if it may have one
//! ([`super::before_copy`]), and the policies in force are asked again. A copy that nobody wants
//! any more is withdrawn, together with its place in its point, even if an obstacle holds it up. If
//! its call had no outcome, the images with its name are listed first: only a call that has made
//! nothing is no beginning.
//!
//! No replica is given up. What concerns all copies, or all under one key, is an obstacle of the
//! queue: while it stands, one of the copies that it holds up is tried now and then, and the others
//! are left alone. A key that cannot be used is looked at, and nothing is tried ([`super::keys`]).
//! Of one machine and policy only the newest copy that waits is wanted, and those that a person has
//! asked for.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::again::Again;
use super::before_copy::{self, Look, There};
use super::copy_source::{self, is_source_gone, waits_for_source};
use super::decision_builder::{DecisionBuilder, intent_around};
use super::disk_keys::Keys;
use super::keys;
use super::needs::Needs;
use crate::call::around::met;
use crate::call::copy_image::{self, Found};
use crate::call::of_copies::causes;
use crate::call::{Around, Conclusion};
use crate::change::{Change, Write};
use crate::command::{Command, Decision};
use crate::duration::seconds;
use crate::flow::InForce;
use crate::flow::wanted::{self, Verdict};
use crate::ids::{InstanceId, PolicyName};
use crate::illegal::Illegal;
use crate::limits::{COPIES_AT_ONCE, COPY_AGAIN, PROBE_EVERY, backoff, later};
use crate::observed::{Complete, ObservedImage};
use crate::obstacle::{Cause, Obstacles, Stand};
use crate::point::{Point, Replica, ReplicaEvent, ReplicaStatus, Step};
use crate::reason::{Code, Reason};
use crate::slot::PointId;
use crate::summary::{Good, MachineSummary};
use crate::transition::{again, loss, replicas, withdrawn};
use crate::work::{Kind, Queue};

#[derive(Clone, Debug)]
pub struct Input {
    pub now: Timestamp,
    /// The replicas of the queue.
    pub replicas: Vec<Replica>,
    pub points: BTreeMap<PointId, Point>,
    /// The policies in force, read after the replicas; empty if no copy may begin.
    pub in_force: InForce,
    /// The images of this account and region with a name, for each name that turned out to be
    /// taken, and those of [`to_find`]. A name of these is missing here if EC2 did not answer.
    pub named: BTreeMap<String, Complete<ObservedImage>>,
    /// What stands in the way of the copies of this queue.
    pub obstacles: Obstacles,
    /// The keys of [`keys::to_read`], as KMS tells of them. A key that is missing here could not be
    /// read.
    pub keys: Keys,
    /// The summaries of the machines of replicas that have failed before, or had lost their image.
    pub summaries: BTreeMap<InstanceId, MachineSummary>,
    /// What the region has of [`before_copy::to_read`]; none if it could not be read.
    pub there: Option<There>,
}

impl Input {
    /// Returns the obstacles as the reads of the keys leave them.
    fn looked_at(&self) -> Obstacles {
        let wanted = keys::to_read(&self.replicas, &self.points, &self.obstacles, self.now);
        keys::looked_at(&self.obstacles, &wanted, &self.keys, self.now)
    }
}

/// Returns the facts that have to be read before anything is decided.
pub(super) fn needs(replicas: &[Replica], now: Timestamp) -> Needs {
    let taken = replicas.iter().filter(|replica| is_taken(replica) && replica.step.is_due(now));
    // They may make way for a newer one that is there.
    let may_be_old = |replica: &&Replica| replica.step.failures > 0 || replica.lost.is_some();
    let failed = replicas.iter().filter(may_be_old);
    Needs {
        names: taken.map(copy_image::name).collect(),
        points: replicas.iter().map(|replica| replica.point.clone()).collect(),
        policies: replicas.iter().any(|replica| replica.step.is_due(now)),
        summaries: failed.map(|replica| replica.instance.clone()).collect(),
        ..Needs::default()
    }
}

/// Lists the names of copies whose call had no outcome, and that nobody wants any more, or that are
/// better made of another image: a listing of the images with these names shows what the calls have
/// made.
pub fn to_find(
    replicas: &[Replica],
    points: &BTreeMap<PointId, Point>,
    in_force: &InForce,
    obstacles: &Obstacles,
    now: Timestamp,
) -> Vec<String> {
    let due = replicas.iter().filter(|replica| replica.step.is_due(now));
    let open = due.filter(|replica| replica.status == ReplicaStatus::Copying);
    let ended = open.filter(|replica| {
        let Some(point) = points.get(&replica.point) else { return false };
        let is_held = matches!(obstacles.stand(&causes(point, replica), now), Stand::Held(_));
        let is_unwanted = || unwanted(point, replica, in_force).is_some();
        !is_held && is_unwanted() || copy_source::may_be_stranded(point, replica, obstacles)
    });
    ended.filter(|replica| !is_taken(replica)).map(copy_image::name).collect()
}

/// Returns the reason why nobody wants a copy any more; none if somebody may.
fn unwanted(point: &Point, replica: &Replica, in_force: &InForce) -> Option<Reason> {
    match wanted::copy(point, &replica.region, in_force) {
        Verdict::Unwanted(reason) => Some(reason),
        Verdict::Wanted => wanted::left_to_person(point, replica, in_force),
        Verdict::Unknown(_) => None,
    }
}

/// Records the key under which a replica is copied from now on. Its next call has another name:
/// under the token of an earlier one, EC2 refuses another key.
fn take_key(builder: &mut DecisionBuilder, point: Point, replica: &Replica, now: Timestamp) {
    let policy = &point.slot.policy;
    let named = point.plan.replicate.iter().find(|place| place.region == replica.region);
    let other = if named.is_some_and(|place| place.kms_key.is_some()) { "another" } else { "no" };
    let text = format!("policy {policy} names {other} key for {} by now", replica.region);
    let reason = Reason::new(Code::Healing, text);
    builder.say(replica.about(), reason.clone());
    builder.wake(Queue { region: replica.region.clone(), kind: Kind::Copy });
    let step = again::next(&replica.step, now);
    let replica = Replica { step, reason: Some(reason), ..replica.clone() };
    builder.record(Change::point(point).with(Write::replica(replica)));
}

/// Tells whether the last answer was that the name is in use.
fn is_taken(replica: &Replica) -> bool {
    replica.status == ReplicaStatus::Copying
        && replica.reason.as_ref().is_some_and(|reason| reason.code == Code::NameTaken)
}

/// Returns when the worker looks at these replicas again. While an obstacle holds all of them up,
/// the next look is claimed, so that the sweep wakes nobody before.
pub(super) fn again(input: &Input) -> Again {
    let turns = turns(input, &input.looked_at());
    let is_idle = turns.ready.is_empty()
        && turns.superseded.is_empty()
        && turns.there.is_empty()
        && turns.stranded.is_empty()
        && turns.under_another_key.is_empty()
        && turns.unwanted.is_empty();
    match turns.held_until.filter(|_| is_idle) {
        Some(until) => Again::held(until, input.now),
        None => Again { next_due: turns.held_until, ..Again::default() },
    }
}

pub fn decide(input: &Input) -> Decision {
    let obstacles = input.looked_at();
    let turns = turns(input, &obstacles);
    let mut builder = DecisionBuilder::default();
    let obstacles = keys::record(&mut builder, &input.obstacles, obstacles, input.now);
    for (point, replica) in turns.there {
        if let Some(there) = &input.there {
            let done = before_copy::settle(&mut builder, point, replica, there, input.now);
            builder.check(replica.about(), done);
        }
    }
    for (point, replica, newer) in turns.superseded {
        let done = supersede(&mut builder, point, replica, newer, input);
        builder.check(replica.about(), done);
    }
    for (point, replica, reason) in turns.unwanted {
        builder.say(replica.about(), reason.clone());
        let done = withdrawn::replica(replica, reason).map_err(Illegal::from);
        let done = done.and_then(|after| withdraw(&mut builder, point, after, input));
        builder.check(replica.about(), done);
    }
    for (point, replica) in turns.stranded {
        let done = copy_source::strand(&mut builder, (point, replica), &input.named, input.now);
        builder.check(replica.about(), done);
    }
    for (point, replica) in turns.under_another_key {
        take_key(&mut builder, point, replica, input.now);
    }
    for (point, replica) in turns.ready.into_iter().take(COPIES_AT_ONCE) {
        let done = match replica.status {
            ReplicaStatus::Waiting if is_source_gone(point, replica) => {
                let source = replica.source_region();
                let text = format!("{} in {source} is gone and cannot be copied", replica.source);
                copy_source::lose(&mut builder, point, replica, text, input.now)
            }
            ReplicaStatus::Waiting => match wanted::copy(point, &replica.region, &input.in_force) {
                Verdict::Wanted => {
                    begin(&mut builder, (point, replica), COPY_AGAIN, &obstacles, input.now)
                }
                // Those that nobody wants are withdrawn above.
                Verdict::Unknown(reason) | Verdict::Unwanted(reason) => {
                    builder.say(replica.about(), reason);
                    Ok(())
                }
            },
            ReplicaStatus::Copying => settle(&mut builder, (point, replica), &obstacles, input),
            ReplicaStatus::Pending
            | ReplicaStatus::Available
            | ReplicaStatus::Failed
            | ReplicaStatus::Lost
            | ReplicaStatus::Unusable
            | ReplicaStatus::Withdrawn => Ok(()),
        };
        builder.check(replica.about(), done);
    }
    builder.decision()
}

/// The replicas that are due, by what is done with them.
#[derive(Default)]
struct Turns<'a> {
    /// Those that are copied now, in this order.
    ready: Vec<(&'a Point, &'a Replica)>,
    /// Those whose image the region may have already.
    there: Vec<(&'a Point, &'a Replica)>,
    /// Those that a newer point has made needless, with that point.
    superseded: Vec<(&'a Point, &'a Replica, &'a PointId)>,
    /// Those that nobody wants any more, with the reason.
    unwanted: Vec<(&'a Point, &'a Replica, Reason)>,
    /// Those that had lost their image, and whose source cannot be used now, or not be reached
    /// while another can. The calls of some had no outcome.
    stranded: Vec<(&'a Point, &'a Replica)>,
    /// Those for which the policy names another key by now, with their points under that key.
    under_another_key: Vec<(Point, &'a Replica)>,
    /// The earliest time at which one that is held up is tried.
    held_until: Option<Timestamp>,
}

impl Turns<'_> {
    fn hold(&mut self, until: Timestamp) {
        self.held_until = self.held_until.into_iter().chain([until]).min();
    }
}

fn turns<'a>(input: &'a Input, obstacles: &Obstacles) -> Turns<'a> {
    let due = input.replicas.iter().filter(|replica| replica.step.is_due(input.now));
    let mut due: Vec<(&Point, &Replica)> =
        due.filter_map(|replica| Some((input.points.get(&replica.point)?, replica))).collect();
    // The newest of a machine and policy takes over the place of the oldest, or a machine that is
    // imaged often would never come to its turn.
    let mut first: BTreeMap<(&InstanceId, &PolicyName), Option<Timestamp>> = BTreeMap::new();
    for (point, replica) in &due {
        let known = first.entry(line(point)).or_insert(replica.step.due_at);
        *known = (*known).min(replica.step.due_at);
    }
    due.sort_by_key(|(point, replica)| {
        let deadline = deadline(point, replica).unwrap_or(Timestamp::MAX);
        (deadline, first.get(&line(point)).copied(), &replica.point, &replica.region)
    });
    let can_begin = |(point, replica): &&(&Point, &Replica)| !waits_for_source(point, replica);
    let newest = newest(due.iter().filter(can_begin), &input.summaries);
    let mut turns = Turns::default();
    let mut probes = Probes::new();
    let mut free: BTreeSet<usize> = BTreeSet::new();
    for (index, (point, replica)) in due.iter().enumerate() {
        let look = before_copy::look(point, replica, input.there.as_ref());
        if look == Look::Settles {
            turns.there.push((point, replica));
            continue;
        }
        let waits_for_source = waits_for_source(point, replica);
        let is_source_gone = !waits_for_source && is_source_gone(point, replica);
        let may_begin = replica.status == ReplicaStatus::Waiting && !is_source_gone;
        if let Some(reason) = unwanted(point, replica, &input.in_force).filter(|_| may_begin) {
            turns.unwanted.push((point, replica, reason));
            continue;
        }
        if look == Look::Unread {
            turns.hold(later(input.now, PROBE_EVERY));
            continue;
        }
        let under_another = wanted::with_key_of_policy(point, replica, &input.in_force);
        if let Some(point) = under_another.filter(|_| may_begin) {
            turns.under_another_key.push((point, replica));
            continue;
        }
        let is_newer = |at: Timestamp| point.taken_at.is_none_or(|taken_at| at > taken_at);
        let newer = newest.get(&line(point)).filter(|newer| is_newer(newer.0));
        let makes_way = replica.status == ReplicaStatus::Waiting && !replica.heal_asked;
        if let Some((_, newer)) = newer.filter(|_| makes_way) {
            turns.superseded.push((point, replica, newer));
            continue;
        }
        // Somebody disabled the image, and can enable it.
        if waits_for_source {
            if replica.lost.is_some() {
                turns.stranded.push((point, replica));
            }
            continue;
        }
        if copy_source::is_stranded(point, replica, obstacles, &input.named) {
            turns.stranded.push((point, replica));
            continue;
        }
        match obstacles.stand(&causes(point, replica), input.now) {
            Stand::Free => drop(free.insert(index)),
            Stand::Probe(cause) => take_turn(&mut probes, cause, replica, index),
            Stand::Held(until) => turns.hold(until),
        }
    }
    free.extend(probes.into_values().map(|(_, _, index)| index));
    turns.ready = free.into_iter().filter_map(|index| due.get(index).copied()).collect();
    turns
}

/// The turns of the copies that may be tried against each obstacle: the least is tried.
type Probes = BTreeMap<Cause, (bool, u32, usize)>;

/// Enters a copy that may be tried against an obstacle.
fn take_turn(probes: &mut Probes, cause: Cause, replica: &Replica, index: usize) {
    // A call without an outcome may have made the copy, and tells when it is answered.
    let is_copying = replica.status == ReplicaStatus::Copying;
    let is_open = matches!(cause, Cause::Calls | Cause::From(_)) && is_copying;
    let turn = (!is_open, replica.step.failures, index);
    let best = probes.entry(cause).or_insert(turn);
    *best = turn.min(*best);
}

/// Returns the machine and the policy of a point: of these, the newest point counts.
fn line(point: &Point) -> (&InstanceId, &PolicyName) {
    (point.instance(), &point.slot.policy)
}

type Newest<'a> = BTreeMap<(&'a InstanceId, &'a PolicyName), (Timestamp, &'a PointId)>;

/// Returns the newest good point of each machine and policy that waits for its copy, or has it.
/// The worker that makes lost places again goes by the same: a copy that makes way is not asked for
/// by that worker again.
fn newest<'a, 'b>(
    due: impl Iterator<Item = &'b (&'a Point, &'a Replica)>,
    summaries: &'a BTreeMap<InstanceId, MachineSummary>,
) -> Newest<'a>
where
    'a: 'b,
{
    let mut newest: Newest<'a> = BTreeMap::new();
    for (point, replica) in due {
        let (instance, policy) = line(point);
        let good = summaries.get(instance).and_then(|summary| summary.good.get(policy));
        let good = good.filter(|good| good.replicas.contains(&replica.region));
        let has = good.map(|good| (good.taken_at, &good.point));
        let waits = Good::of(point).map(|good| (good.taken_at, &point.id));
        let known = newest.get(&(instance, policy)).copied();
        if let Some(latest) = has.into_iter().chain(waits).chain(known).max() {
            newest.insert((instance, policy), latest);
        }
    }
    newest
}

/// Withdraws a replica, because a newer point of the same machine waits for its copy too, or has
/// it. The finding of a lost one tells of that, and the point does not.
fn supersede(
    builder: &mut DecisionBuilder,
    point: &Point,
    replica: &Replica,
    newer: &PointId,
    input: &Input,
) -> Result<(), Illegal> {
    let text = format!("{newer} is newer, and is copied into {} in its place", replica.region);
    let reason = Reason::new(Code::Superseded, text);
    builder.say(replica.about(), reason.clone());
    let after = withdrawn::replica(replica, reason.clone())?;
    let is_new = replica.lost.is_none() && !replica.is_copy_back();
    let point = point.clone().found(Some(reason).filter(|_| is_new));
    withdraw(builder, &point, after, input)
}

/// Returns the time at which a replica should be available. Copies begin slowly, one in two
/// seconds, so that the replicas with the earliest deadline go first.
fn deadline(point: &Point, replica: &Replica) -> Option<Timestamp> {
    let place = point.plan.replicate.iter().find(|place| place.region == replica.region)?;
    Some(later(point.requested_at, seconds(place.deadline_secs?)))
}

fn begin(
    builder: &mut DecisionBuilder,
    (point, replica): (&Point, &Replica),
    again_after: SignedDuration,
    obstacles: &Obstacles,
    now: Timestamp,
) -> Result<(), Illegal> {
    let (change, call) = copy_image::begin(point, replica, again_after, now)?;
    let around = Around::Copy { obstacles: obstacles.clone(), point: Box::new(point.clone()) };
    let intent = intent_around(around, change, call);
    builder.create(Command::Call(Box::new(intent)));
    Ok(())
}

/// Settles a call that had no outcome.
fn settle(
    builder: &mut DecisionBuilder,
    (point, replica): (&Point, &Replica),
    obstacles: &Obstacles,
    input: &Input,
) -> Result<(), Illegal> {
    if let Some(reason) = unwanted(point, replica, &input.in_force) {
        return find_out(builder, (point, replica), reason, obstacles, input);
    }
    if !is_taken(replica) {
        return again_without_outcome(builder, (point, replica), obstacles, input.now);
    }
    match input.named.get(&copy_image::name(replica)) {
        Some(Complete(named)) => find(builder, (point, replica), named, obstacles, input.now),
        None => Ok(()),
    }
}

/// Makes a call again that may or may not have been made. The call counts as a failure, so that it
/// is made less and less often in a region that never answers.
fn again_without_outcome(
    builder: &mut DecisionBuilder,
    (point, replica): (&Point, &Replica),
    obstacles: &Obstacles,
    now: Timestamp,
) -> Result<(), Illegal> {
    builder.say(replica.about(), no_outcome());
    call_again(builder, (point, replica), replica.step.clone(), obstacles, now)
}

/// Makes the call of a step again, less and less often.
fn call_again(
    builder: &mut DecisionBuilder,
    (point, replica): (&Point, &Replica),
    step: Step,
    obstacles: &Obstacles,
    now: Timestamp,
) -> Result<(), Illegal> {
    let failures = replica.step.failures.saturating_add(1);
    let waiting =
        Replica { step: Step { failures, ..step }, ..replica.after(ReplicaEvent::Retry)? };
    begin(builder, (point, &waiting), COPY_AGAIN.max(backoff(failures)), obstacles, now)
}

/// Finds the holder of a name that is taken: the holder is the copy, or belongs to somebody else.
fn find(
    builder: &mut DecisionBuilder,
    (point, replica): (&Point, &Replica),
    named: &[ObservedImage],
    obstacles: &Obstacles,
    now: Timestamp,
) -> Result<(), Illegal> {
    match copy_image::find(point, replica, named, now)? {
        Found::Concluded(conclusion) => {
            builder.conclude(conclusion);
            Ok(())
        }
        // An image that is gone had the name and the token, and EC2 remembers a token for longer
        // than the image.
        Found::Nothing => {
            let step = again::next(&replica.step, now);
            call_again(builder, (point, replica), step, obstacles, now)
        }
    }
}

/// Finds out what the call of a copy has made that nobody wants any more, and that had no outcome.
/// If it made nothing, the copy is withdrawn. In a region that does not answer, that is looked at
/// again when its obstacle is due.
fn find_out(
    builder: &mut DecisionBuilder,
    (point, replica): (&Point, &Replica),
    reason: Reason,
    obstacles: &Obstacles,
    input: &Input,
) -> Result<(), Illegal> {
    let now = input.now;
    let Some(Complete(named)) = input.named.get(&copy_image::name(replica)) else {
        let text = format!("EC2 in {} does not show what CopyImage has made", replica.region);
        let reason = Reason::new(Code::OutcomeUnknown, text);
        builder.say(replica.about(), reason.clone());
        let mut conclusion = Conclusion::default();
        let from = Cause::From(replica.source_region().clone());
        let _after = met(&mut conclusion, obstacles, &from, reason, now, now);
        builder.conclude(conclusion);
        return Ok(());
    };
    match copy_image::find(point, replica, named, now)? {
        Found::Concluded(conclusion) => builder.conclude(conclusion),
        Found::Nothing => {
            builder.say(replica.about(), reason.clone());
            let after = withdrawn::not_copied(replica, reason)?;
            withdraw(builder, point, after, input)?;
        }
    }
    Ok(())
}

/// Records a replica that is withdrawn, together with its place in its point. A place that had lost
/// its image is lost again, and is looked at: its finding says that the image is made again.
fn withdraw(
    builder: &mut DecisionBuilder,
    point: &Point,
    after: Replica,
    input: &Input,
) -> Result<(), Illegal> {
    let now = input.now;
    let mut point = point.clone();
    let after = loss::not_copied_again(after, now)?;
    if after.is_copy_back() {
        // The point itself stands for the place at home.
        point = point.due_now(now);
    }
    if after.is_copy_back() || after.status == ReplicaStatus::Lost {
        builder.wake(Queue { region: after.region.clone(), kind: Kind::Confirm });
    }
    builder.record(replicas::settled(&point, vec![after])?);
    Ok(())
}

fn no_outcome() -> Reason {
    Reason::new(
        Code::OutcomeUnknown,
        "the previous CopyImage call had no answer; calling again with the same token",
    )
}
