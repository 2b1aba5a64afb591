//! Tries that failed: what is kept of them, when the next may begin, and when it is the last.
//!
//! Each try has a name of its own, the attempt, so that the leftovers of an earlier try are never
//! taken for the result of a later one. Failures are counted apart from attempts. A name that
//! somebody else holds costs an attempt and is no failure. Being asked to wait costs neither.

use jiff::{SignedDuration, Timestamp};

use crate::ids::ResourceId;
use crate::limits::{FAILURES_MAX, THROTTLED_WAIT, backoff, later};
use crate::point::{Chosen, IllegalForReplica, Point, Replica, ReplicaEvent, Step};
use crate::reason::{Code, Reason};
use crate::status::{Event, IllegalTransition, Making};

/// The time at which the next try may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Enough time has gone by already.
    AtOnce,
    Backoff,
}

/// Returns the step with one more failed try.
fn counted(step: &Step, next: Next, now: Timestamp) -> Step {
    let failures = step.failures.saturating_add(1);
    let attempt = step.attempt.saturating_add(1);
    let due_at = match next {
        Next::AtOnce => now,
        Next::Backoff => later(now, backoff(failures)),
    };
    Step { attempt, failures, begun_at: None, due_at: Some(due_at), ..step.clone() }
}

/// Returns the step after a name that somebody else holds. The next name is tried at once.
fn passed_over(step: &Step, now: Timestamp) -> Step {
    let attempt = step.attempt.saturating_add(1);
    Step { attempt, begun_at: None, due_at: Some(now), ..step.clone() }
}

/// Returns the step with the same try, later: nothing was made.
fn put_off(step: &Step, now: Timestamp) -> Step {
    Step { begun_at: None, due_at: Some(later(now, THROTTLED_WAIT)), ..step.clone() }
}

pub fn is_used_up(step: &Step) -> bool {
    step.failures >= FAILURES_MAX || step.attempt >= step.attempts_end()
}

/// Returns the reason for a final state: an answer that is final in itself, or the last of many.
pub fn final_reason(last: Reason, step: &Step) -> Reason {
    match last.code {
        Code::CallRefused => last,
        _ => {
            let tries = step.attempt.max(step.failures);
            Reason::new(Code::TriesUsedUp, format!("given up after {tries} tries: {last}"))
        }
    }
}

/// Returns the point after a failed try: where its step can be begun again, or given up.
pub fn failed(
    point: &Point,
    reason: Reason,
    next: Next,
    now: Timestamp,
) -> Result<Point, IllegalTransition> {
    again(point, counted(&point.step, next, now), reason)
}

/// Returns the point after a try whose name somebody else holds.
pub fn outdone(point: &Point, reason: Reason, now: Timestamp) -> Result<Point, IllegalTransition> {
    again(point, passed_over(&point.step, now), reason)
}

fn again(point: &Point, step: Step, reason: Reason) -> Result<Point, IllegalTransition> {
    if is_used_up(&step) {
        let reason = final_reason(reason, &step);
        return given_up(&Point { step, ..point.clone() }, reason);
    }
    let point = shed(point).after(Event::Retry)?;
    Ok(Point { step, reason: Some(reason), ..point })
}

/// Returns the point whose image cannot be used as it was made. Everything is made again, in
/// another way.
pub fn redone(
    point: &Point,
    method: Chosen,
    reason: Reason,
    now: Timestamp,
) -> Result<Point, IllegalTransition> {
    let step = counted(&point.step, Next::AtOnce, now);
    let mut after = shed(point).after(Event::Redo)?;
    let set = std::mem::take(&mut after.snapshots);
    leave(&mut after.leftovers, set.into_values());
    let (method, reason) = (Some(method), Some(reason));
    Ok(Point { step, method, reason, taken_at: None, grade: None, ..after })
}

/// Returns the point after it was asked to wait. Its try is made later, unless it has waited for
/// too long.
pub fn throttled(
    point: &Point,
    answer: &str,
    waiting_max: SignedDuration,
    now: Timestamp,
) -> Result<Point, IllegalTransition> {
    if now.duration_since(point.wanted_since()) >= waiting_max {
        return given_up(point, waited_too_long(answer, waiting_max));
    }
    let step = put_off(&point.step, now);
    let point = point.after(Event::Retry)?;
    Ok(Point { step, reason: Some(Reason::new(Code::Throttled, answer)), ..point })
}

pub fn waited_too_long(answer: &str, waiting_max: SignedDuration) -> Reason {
    let hours = waiting_max.as_hours();
    Reason::new(Code::Throttled, format!("still asked to wait after {hours} hours: {answer}"))
}

pub fn given_up(point: &Point, reason: Reason) -> Result<Point, IllegalTransition> {
    let point = shed(point).after(Event::Fail)?;
    Ok(Point { step: point.step.settled(), reason: Some(reason), ..point })
}

/// Returns the point without the results of its step. They cannot be used once the step is tried
/// again or given up, but they are ours, and stay recorded.
fn shed(point: &Point) -> Point {
    let mut point = point.clone();
    match point.status.making() {
        Some(Making::Snapshots) => {
            let set = std::mem::take(&mut point.snapshots);
            leave(&mut point.leftovers, set.into_values());
            point.taken_at = None;
            point.grade = None;
        }
        Some(Making::ImageOfMachine) => {
            point.snapshots.clear();
            point.taken_at = None;
            point.grade = None;
            let image = point.image.take();
            leave(&mut point.leftovers, image);
        }
        Some(Making::Image) => {
            let image = point.image.take();
            leave(&mut point.leftovers, image);
        }
        None => {}
    }
    point
}

/// Records the leftovers of a try, each once.
pub fn leave(
    leftovers: &mut Vec<ResourceId>,
    left: impl IntoIterator<Item = impl Into<ResourceId>>,
) {
    for artefact in left.into_iter().map(Into::into) {
        if !leftovers.contains(&artefact) {
            leftovers.push(artefact);
        }
    }
}

/// Returns the replica after a failed try. It waits for the next try, or to be given up together
/// with its place in its point, which the caller does not know.
pub fn replica_failed(
    replica: &Replica,
    reason: Reason,
    now: Timestamp,
) -> Result<Replica, IllegalForReplica> {
    replica_again(replica, counted(&replica.step, Next::Backoff, now), reason, now)
}

/// Returns the replica after a try whose name somebody else holds.
pub fn replica_outdone(
    replica: &Replica,
    reason: Reason,
    now: Timestamp,
) -> Result<Replica, IllegalForReplica> {
    replica_again(replica, passed_over(&replica.step, now), reason, now)
}

/// Returns the replica that AWS refuses: no further try would help.
pub fn replica_refused(
    replica: &Replica,
    reason: Reason,
    now: Timestamp,
) -> Result<Replica, IllegalForReplica> {
    let step = Step { failures: FAILURES_MAX, ..counted(&replica.step, Next::AtOnce, now) };
    replica_again(replica, step, reason, now)
}

pub fn replica_throttled(
    replica: &Replica,
    answer: &str,
    now: Timestamp,
) -> Result<Replica, IllegalForReplica> {
    let reason = Reason::new(Code::Throttled, answer);
    replica_again(replica, put_off(&replica.step, now), reason, now)
}

fn replica_again(
    replica: &Replica,
    mut step: Step,
    reason: Reason,
    now: Timestamp,
) -> Result<Replica, IllegalForReplica> {
    if is_used_up(&step) {
        step.due_at = Some(now);
    }
    let mut replica = replica.after(ReplicaEvent::Retry)?;
    leave(&mut replica.leftovers, replica.image.take());
    Ok(Replica { step, reason: Some(reason), ..replica })
}

pub fn replica_given_up(replica: &Replica, reason: Reason) -> Result<Replica, IllegalForReplica> {
    let mut replica = replica.after(ReplicaEvent::Fail)?;
    leave(&mut replica.leftovers, replica.image.take());
    Ok(Replica { step: replica.step.settled(), reason: Some(reason), ..replica })
}
