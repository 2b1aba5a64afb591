//! Records that have not begun, and that nobody wants any more.

use jiff::Timestamp;

use crate::change::Change;
use crate::point::{IllegalForReplica, Place, Point, Replica, ReplicaEvent, ReplicaStatus, Step};
use crate::reason::{Code, Reason};
use crate::status::{Event, IllegalTransition, Status};
use crate::transition::{not_made, summary};

/// Returns the point that is not wanted any more. It stands in its queue until its window closes:
/// if it is wanted again by then, it is taken up again. One that had lost everything is lost
/// again, and is looked at for that.
///
/// # Errors
/// The point has begun.
pub fn point(point: &Point, reason: Reason, now: Timestamp) -> Result<Point, IllegalTransition> {
    let until = Some(point.waits_until()).filter(|until| *until > now);
    let why = format!("it did not begin again: {}", reason.text);
    let code = reason.code;
    let after = cancelled(point, reason)?;
    if after.status == Status::Lost {
        // The look that follows tells what becomes of it.
        return Ok(Point { reason: Some(Reason::new(code, why)), ..after.due_now(now) });
    }
    Ok(Point { step: Step { due_at: until, ..after.step.clone() }, ..after })
}

/// Returns the point that a person has called off. It is not taken up again. One that had lost
/// everything before it began again is lost, and not withdrawn: nothing of it is left.
///
/// # Errors
/// The point has begun.
pub fn cancelled(point: &Point, reason: Reason) -> Result<Point, IllegalTransition> {
    if not_made::had_lost_all(point) {
        return not_made::lost_again(point, reason);
    }
    let step = Step { begun_at: None, ..point.step.settled() };
    let after = point.after(Event::Withdraw)?;
    Ok(Point { step, reason: Some(reason), ..after })
}

/// Returns the point whose image at home is lost, and is called off by a person. The place is not
/// made again.
pub fn home(point: &Point, reason: Reason) -> Point {
    let step = Step { begun_at: None, ..point.step.settled() };
    let (home_place, reason) = (Place::Withdrawn, Some(reason));
    Point { home_place, step, reason, missing_since: None, heal_asked: false, ..point.clone() }
}

/// Returns the change that writes a withdrawn point and tells the summary of its machine.
pub fn recorded(point: Point, name: Option<&str>) -> Change {
    let mut summary = summary::latest(&point);
    summary.name = name.map(str::to_string).or(summary.name);
    Change::point(point).telling(Some(summary))
}

/// Returns the replica that is not wanted any more.
///
/// # Errors
/// The copy has begun, or was made.
pub fn replica(replica: &Replica, reason: Reason) -> Result<Replica, IllegalForReplica> {
    let after = replica.after(ReplicaEvent::Withdraw)?;
    let step = Step { begun_at: None, ..replica.step.settled() };
    Ok(Replica { step, reason: Some(reason), heal_asked: false, ..after })
}

/// Returns the replica that is not wanted any more, and whose call had no outcome and has made
/// nothing.
///
/// # Errors
/// No call was made for the replica, or it has an outcome.
pub fn not_copied(before: &Replica, reason: Reason) -> Result<Replica, IllegalForReplica> {
    before.must_be(ReplicaStatus::Copying, ReplicaEvent::Withdraw)?;
    replica(&before.after(ReplicaEvent::Retry)?, reason)
}

/// Returns the replica that its policy did not want any more, and that a person calls off: it is
/// not wanted again.
pub fn for_good(replica: &Replica, reason: Reason) -> Replica {
    Replica { reason: Some(reason), ..replica.clone() }
}

/// Tells whether the policy of a replica did not want it any more. It may want it again.
pub fn is_unwanted(replica: &Replica) -> bool {
    let code = replica.reason.as_ref().map(|reason| reason.code);
    replica.status == ReplicaStatus::Withdrawn && code == Some(Code::Withdrawn)
}

/// Tells whether a person has called off a replica. It is never made again.
pub fn is_cancelled(replica: &Replica) -> bool {
    let code = replica.reason.as_ref().map(|reason| reason.code);
    replica.status == ReplicaStatus::Withdrawn && code == Some(Code::Cancelled)
}
