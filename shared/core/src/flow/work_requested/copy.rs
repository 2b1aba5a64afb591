//! Replicas that wait to be copied into this region.
//!
//! CopyImage takes a token, so that a call without an outcome is made again, under the same name
//! and with the same token. Either the call had made nothing yet, or EC2 answers with the image
//! that it made. Only a name that is taken has to be looked up.
//!
//! Before a copy begins, the policies in force are asked again. A copy that nobody wants any more
//! is withdrawn, together with its place in its point.
//!
//! A replica whose tries are used up is given up here, because its point is loaded here: its place
//! in the point is written with it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::decision_builder::DecisionBuilder;
use super::needs::Needs;
use crate::call::copy_image::{self, Found};
use crate::command::Decision;
use crate::duration::seconds;
use crate::flow::InForce;
use crate::flow::wanted::{self, Verdict};
use crate::illegal::Illegal;
use crate::limits::{COPIES_AT_ONCE, COPY_AGAIN, WAITING_LATER_MAX, backoff, later};
use crate::observed::{Complete, ObservedImage};
use crate::point::{Point, Replica, ReplicaEvent, ReplicaStatus, Step};
use crate::reason::{Code, Reason};
use crate::slot::PointId;
use crate::transition::{replicas, retry, withdrawn};

#[derive(Clone, Debug)]
pub struct Input {
    pub now: Timestamp,
    /// The replicas of the queue.
    pub replicas: Vec<Replica>,
    pub points: BTreeMap<PointId, Point>,
    /// The policies in force, read after the replicas; empty if no copy may begin.
    pub in_force: InForce,
    /// The images of this account and region with a name, for each name that turned out to be
    /// taken.
    pub named: BTreeMap<String, Complete<ObservedImage>>,
}

/// Returns the facts that have to be read before anything is decided.
pub(super) fn needs(replicas: &[Replica], now: Timestamp) -> Needs {
    let taken = replicas.iter().filter(|replica| is_taken(replica) && replica.step.is_due(now));
    Needs {
        names: taken.map(copy_image::name).collect(),
        points: replicas.iter().map(|replica| replica.point.clone()).collect(),
        policies: replicas.iter().any(|replica| replica.status == ReplicaStatus::Waiting),
        ..Needs::default()
    }
}

/// Tells whether the last answer was that the name is in use.
fn is_taken(replica: &Replica) -> bool {
    replica.status == ReplicaStatus::Copying
        && replica.reason.as_ref().is_some_and(|reason| reason.code == Code::NameTaken)
}

pub fn decide(input: &Input) -> Decision {
    let mut replicas: Vec<&Replica> = input.replicas.iter().collect();
    replicas.sort_by_key(|replica| {
        let deadline = input.points.get(&replica.point).and_then(|point| deadline(point, replica));
        let deadline = deadline.unwrap_or(Timestamp::MAX);
        (deadline, replica.step.due_at, &replica.point, &replica.region)
    });
    let mut builder = DecisionBuilder::default();
    let due = replicas.into_iter().filter(|replica| replica.step.is_due(input.now));
    for replica in due.take(COPIES_AT_ONCE) {
        let Some(point) = input.points.get(&replica.point) else { continue };
        let done = match replica.status {
            ReplicaStatus::Waiting => match wanted::copy(point, &replica.region, &input.in_force) {
                Verdict::Wanted => wants_a_copy(&mut builder, point, replica, input.now),
                Verdict::Unknown(reason) => {
                    builder.say(replica.about(), reason);
                    Ok(())
                }
                Verdict::Unwanted(reason) => withdraw(&mut builder, point, replica, reason),
            },
            ReplicaStatus::Copying if is_taken(replica) => {
                match input.named.get(&copy_image::name(replica)) {
                    Some(Complete(named)) => find(&mut builder, point, replica, named, input.now),
                    None => Ok(()),
                }
            }
            ReplicaStatus::Copying => again(&mut builder, point, replica, input.now),
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

/// Returns the time at which a replica should be available. Copies begin slowly, one in two
/// seconds, so that the replicas with the earliest deadline go first.
fn deadline(point: &Point, replica: &Replica) -> Option<Timestamp> {
    let place = point.plan.replicate.iter().find(|place| place.region == replica.region)?;
    Some(later(point.requested_at, seconds(place.deadline_secs?)))
}

fn wants_a_copy(
    builder: &mut DecisionBuilder,
    point: &Point,
    replica: &Replica,
    now: Timestamp,
) -> Result<(), Illegal> {
    let last = || replica.reason.clone().unwrap_or_else(no_outcome);
    if retry::is_used_up(&replica.step) {
        let reason = retry::final_reason(last(), &replica.step);
        return give_up(builder, point, replica, reason);
    }
    let throttled = replica.reason.as_ref().filter(|reason| reason.code == Code::Throttled);
    if let Some(reason) = throttled
        && now.duration_since(point.wanted_since()) >= WAITING_LATER_MAX
    {
        let reason = retry::waited_too_long(&reason.text, WAITING_LATER_MAX);
        return give_up(builder, point, replica, reason);
    }
    begin(builder, point, replica, COPY_AGAIN, now)
}

fn begin(
    builder: &mut DecisionBuilder,
    point: &Point,
    replica: &Replica,
    again_after: SignedDuration,
    now: Timestamp,
) -> Result<(), Illegal> {
    let (change, call) = copy_image::begin(point, replica, again_after, now)?;
    builder.call(change, call);
    Ok(())
}

/// Makes a call again that may or may not have been made. The call counts as a failure, so that a
/// region that never answers does not keep us busy for ever.
fn again(
    builder: &mut DecisionBuilder,
    point: &Point,
    replica: &Replica,
    now: Timestamp,
) -> Result<(), Illegal> {
    let failures = replica.step.failures.saturating_add(1);
    let step = Step { failures, ..replica.step.clone() };
    let reason = no_outcome();
    if retry::is_used_up(&step) {
        let reason = retry::final_reason(reason, &step);
        return give_up(builder, point, &Replica { step, ..replica.clone() }, reason);
    }
    builder.say(replica.about(), reason);
    let waiting = Replica { step, ..replica.after(ReplicaEvent::Retry)? };
    begin(builder, point, &waiting, COPY_AGAIN.max(backoff(failures)), now)
}

/// Finds the holder of a name that is taken: the holder is the copy, or belongs to somebody else.
fn find(
    builder: &mut DecisionBuilder,
    point: &Point,
    replica: &Replica,
    named: &[ObservedImage],
    now: Timestamp,
) -> Result<(), Illegal> {
    match copy_image::find(replica, named, now)? {
        Found::Concluded(conclusion) => {
            builder.conclude(conclusion);
            Ok(())
        }
        Found::Nothing => again(builder, point, replica, now),
    }
}

/// Withdraws the replica, together with its place in its point.
fn withdraw(
    builder: &mut DecisionBuilder,
    point: &Point,
    replica: &Replica,
    reason: Reason,
) -> Result<(), Illegal> {
    let after = withdrawn::replica(replica, reason.clone())?;
    builder.say(replica.about(), reason);
    builder.record(replicas::settled(point, vec![after])?);
    Ok(())
}

/// Gives up the replica, together with its place in its point.
fn give_up(
    builder: &mut DecisionBuilder,
    point: &Point,
    replica: &Replica,
    reason: Reason,
) -> Result<(), Illegal> {
    let after = retry::replica_given_up(replica, reason.clone())?;
    builder.say(replica.about(), reason);
    builder.record(replicas::settled(point, vec![after])?);
    Ok(())
}

fn no_outcome() -> Reason {
    Reason::new(
        Code::OutcomeUnknown,
        "the previous CopyImage call had no answer; calling again with the same token",
    )
}
