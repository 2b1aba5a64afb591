//! Records that came to an end and are wanted: they begin again, under the next attempt.

use jiff::Timestamp;

use crate::point::{IllegalForReplica, Point, Replica, ReplicaEvent, Step};
use crate::reason::Reason;
use crate::status::{Event, IllegalTransition};
use crate::transition::retry;

/// Returns the first step of the next attempt. Its name is one that no earlier try had, and its
/// failures count from nothing.
pub fn next(step: &Step, now: Timestamp) -> Step {
    let attempt = step.attempt.saturating_add(1);
    Step { attempt, first: attempt, failures: 0, begun_at: None, due_at: Some(now) }
}

/// Returns the point that begins again. Whatever is left of it stays recorded as a leftover.
///
/// # Errors
/// The point did not end.
pub fn point(point: &Point, reason: Reason, now: Timestamp) -> Result<Point, IllegalTransition> {
    let mut after = point.after(Event::Again)?;
    let set = std::mem::take(&mut after.snapshots);
    retry::leave(&mut after.leftovers, set.into_values());
    retry::leave(&mut after.leftovers, after.image.take());
    Ok(Point {
        step: next(&point.step, now),
        taken_at: None,
        grade: None,
        method: None,
        missing_since: None,
        reason: Some(reason),
        ..after
    })
}

/// Returns the replica that is made anew.
///
/// # Errors
/// The replica did not end.
pub fn replica(
    replica: &Replica,
    reason: Reason,
    now: Timestamp,
) -> Result<Replica, IllegalForReplica> {
    let mut after = replica.after(ReplicaEvent::Again)?;
    retry::leave(&mut after.leftovers, after.image.take());
    let step = next(&replica.step, now);
    Ok(Replica { step, missing_since: None, reason: Some(reason), ..after })
}
