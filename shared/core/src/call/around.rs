//! The facts around the record of a call: the obstacles of its queue. What stands in the way of one
//! call may stand in the way of all.

use jiff::Timestamp;

use super::conclusion::Conclusion;
use crate::change::Change;
use crate::obstacle::{Cause, Obstacles};
use crate::point::Point;
use crate::reason::Reason;

/// The facts around the record of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Around {
    /// The obstacles of a queue at home.
    AtHome(Obstacles),
    /// The obstacles of a queue of copies, and the point of the copy.
    Copy { obstacles: Obstacles, point: Box<Point> },
}

/// The meaning of an outcome for the other calls of the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Met(Cause, Reason),
    Passed,
}

/// Adds to a conclusion that a call met an obstacle, and returns the obstacles with it. None if it
/// is known, and the next try is still to come.
pub fn met(
    conclusion: &mut Conclusion,
    before: &Obstacles,
    cause: &Cause,
    reason: Reason,
    begun_at: Timestamp,
    now: Timestamp,
) -> Option<Obstacles> {
    let after = before.met(cause, reason, begun_at, now)?;
    conclusion.record(Change::obstacles(after.clone()));
    after.finding(cause, now).into_iter().for_each(|finding| conclusion.report(finding));
    Some(after)
}
