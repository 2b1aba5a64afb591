//! Tries that failed: what is kept of them, and when the next may begin. None is the last.
//!
//! Each try has a name of its own, the attempt, so that the leftovers of an earlier try are never
//! taken for the result of a later one. Failures are counted apart from attempts. A name that
//! somebody else holds costs an attempt and is no failure. Being asked to wait costs neither.

use jiff::Timestamp;

use crate::ids::ResourceId;
use crate::limits::{
    A_DAY, FAILURES_MAX, PROBE_EVERY, THROTTLED_WAIT, WAITING_MAX, backoff, backoff_of_point,
    backoff_sparing, later,
};
use crate::point::{Chosen, IllegalForReplica, Point, Refused, Replica, ReplicaEvent, Step};
use crate::reason::{Code, Reason};
use crate::status::{Event, IllegalTransition, Making};
use crate::transition::not_made;

/// The time at which the next try may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Enough time has gone by already.
    AtOnce,
    Backoff,
    /// Every such try leaves an artefact of no use.
    Sparing,
}

/// Returns the step with one more failed try.
fn counted(step: &Step, next: Next, now: Timestamp) -> Step {
    let failures = step.failures.saturating_add(1);
    let attempt = step.attempt.saturating_add(1);
    let due_at = match next {
        Next::AtOnce if failures < FAILURES_MAX => now,
        Next::AtOnce | Next::Backoff => later(now, backoff_of_point(failures)),
        Next::Sparing => later(now, backoff_sparing(failures)),
    };
    Step { attempt, failures, begun_at: None, due_at: Some(due_at), ..step.clone() }
}

/// Returns the step of which the next attempts are counted. Whoever takes name after name is met
/// once a day.
fn renewed(step: Step, now: Timestamp) -> Step {
    if step.attempt < step.attempts_end() {
        return step;
    }
    let due_at = step.due_at.max(Some(later(now, A_DAY)));
    Step { first: step.attempt, due_at, ..step }
}

/// Returns the step after a name that somebody else holds. The next name is tried at once.
fn passed_over(step: &Step, now: Timestamp) -> Step {
    let attempt = step.attempt.saturating_add(1);
    Step { attempt, begun_at: None, due_at: Some(now), ..step.clone() }
}

/// Returns the step with the same try, later: nothing was made. `since` is the time from which the
/// wait counts.
fn put_off(step: &Step, since: Timestamp, now: Timestamp) -> Step {
    let is_long = now.duration_since(since) >= WAITING_MAX;
    let wait = if is_long { PROBE_EVERY } else { THROTTLED_WAIT };
    Step { begun_at: None, due_at: Some(later(now, wait)), ..step.clone() }
}

/// Returns the point after a failed try: where its step can be begun again.
pub fn failed(
    point: &Point,
    reason: Reason,
    next: Next,
    now: Timestamp,
) -> Result<Point, IllegalTransition> {
    again(point, counted(&point.step, next, now), reason, now)
}

/// Returns the point after a try whose name somebody else holds.
pub fn outdone(point: &Point, reason: Reason, now: Timestamp) -> Result<Point, IllegalTransition> {
    again(point, passed_over(&point.step, now), reason, now)
}

fn again(
    point: &Point,
    step: Step,
    reason: Reason,
    now: Timestamp,
) -> Result<Point, IllegalTransition> {
    let point = shed(point).after(Event::Retry)?;
    Ok(Point { step: renewed(step, now), reason: Some(reason), ..point })
}

/// Returns the point whose snapshots are gone. Everything is made again, under names that no
/// earlier try had: at once, unless that has happened before.
pub fn from_the_start(
    point: &Point,
    reason: Reason,
    now: Timestamp,
) -> Result<Point, IllegalTransition> {
    let next = if point.step.first == 0 { Next::AtOnce } else { Next::Sparing };
    let step = counted(&point.step, next, now);
    let step = Step { first: step.attempt, ..step };
    Ok(Point { step, reason: Some(reason), ..undone(point)? })
}

/// Returns the point without its snapshots and its image, which become leftovers.
fn undone(point: &Point) -> Result<Point, IllegalTransition> {
    let mut after = shed(point).after(Event::Redo)?;
    let set = std::mem::take(&mut after.snapshots);
    leave(&mut after.leftovers, set.into_values());
    Ok(Point { taken_at: None, grade: None, ..after })
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
    Ok(Point { step, method: Some(method), reason: Some(reason), ..undone(point)? })
}

/// Returns the point after it was asked to wait. Its try is made later.
pub fn throttled(point: &Point, answer: &str, now: Timestamp) -> Result<Point, IllegalTransition> {
    let step = put_off(&point.step, point.wanted_since(), now);
    let point = point.after(Event::Retry)?;
    Ok(Point { step, reason: Some(Reason::new(Code::Throttled, answer)), ..point })
}

/// Returns the point that waits for a read, and of which nothing was tried. It is looked at again
/// after [`PROBE_EVERY`], and a person is told.
pub fn looked_at_again(point: &Point, reason: Reason, now: Timestamp) -> Point {
    let due_at = Some(later(now, PROBE_EVERY));
    let step = Step { due_at, failures: point.step.failures.max(1), ..point.step.clone() };
    Point { step, reason: Some(reason), ..point.clone() }
}

/// Returns the point that is given up. One that had lost everything before it began again, and has
/// no snapshots yet, is lost again.
///
/// # Errors
/// The point has an image, or has ended.
pub fn given_up(point: &Point, reason: Reason, now: Timestamp) -> Result<Point, IllegalTransition> {
    if matches!(point.status.making(), Some(Making::Snapshots | Making::ImageOfMachine)) {
        let requested = shed(point).after(Event::Retry)?;
        if not_made::had_lost_all(&requested) {
            let refused = Some(Box::new(Refused { at: now, reason: reason.clone() }));
            let after = not_made::lost_again(&requested, reason)?.due_now(now);
            // It was made again, and is of no use.
            return Ok(Point { refused, healed: requested.healed, ..after });
        }
    }
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

/// Returns the replica after a failed try. It waits for the next.
pub fn replica_failed(
    replica: &Replica,
    reason: Reason,
    next: Next,
    now: Timestamp,
) -> Result<Replica, IllegalForReplica> {
    let mut step = counted(&replica.step, next, now);
    if next == Next::Backoff {
        // It may be the one that is tried for all others of its queue.
        step.due_at = Some(later(now, backoff(step.failures)));
    }
    replica_again(replica, renewed(step, now), reason)
}

/// Returns the replica after a try whose name somebody else holds.
pub fn replica_outdone(
    replica: &Replica,
    reason: Reason,
    now: Timestamp,
) -> Result<Replica, IllegalForReplica> {
    replica_again(replica, renewed(passed_over(&replica.step, now), now), reason)
}

pub fn replica_throttled(
    replica: &Replica,
    answer: &str,
    now: Timestamp,
) -> Result<Replica, IllegalForReplica> {
    let reason = Reason::new(Code::Throttled, answer);
    replica_again(replica, put_off(&replica.step, now, now), reason)
}

fn replica_again(
    replica: &Replica,
    step: Step,
    reason: Reason,
) -> Result<Replica, IllegalForReplica> {
    let mut replica = replica.after(ReplicaEvent::Retry)?;
    leave(&mut replica.leftovers, replica.image.take());
    Ok(Replica { step, reason: Some(reason), ..replica })
}
