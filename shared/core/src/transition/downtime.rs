//! The parts of a downtime's transitions that its worker and the outcomes of its calls share.

use jiff::Timestamp;

use crate::downtime::Downtime;
use crate::point::{Point, Step};
use crate::reason::Reason;
use crate::status::{Event, IllegalTransition, Status};
use crate::summary::Summary;
use crate::transition::{not_made, summary};

/// Returns the step of a downtime that holds a place. Its worker looks at it all the time. The
/// sweep looks after it once its deadline has passed.
pub fn until_deadline(downtime: &Downtime) -> Step {
    Step { due_at: downtime.deadline(), ..downtime.step.clone() }
}

/// Returns the point of a machine that is not stopped for it, at its end. None if the point has
/// begun already: then it goes on by itself. If a try of the point failed before, that is the
/// reason, and `reason` is added to its text.
///
/// # Errors
/// The event does not end a point that is requested.
pub fn ended_point(
    point: &Point,
    event: Event,
    reason: Reason,
    now: Timestamp,
) -> Result<Option<(Point, Summary)>, IllegalTransition> {
    if point.status != Status::Requested {
        return Ok(None);
    }
    let after = not_made::ended(point, event, with_failure(point, reason), now)?;
    let summary = summary::latest(&after);
    Ok(Some((after, summary)))
}

/// Adds a reason to the failure of a point, if one of its tries failed.
pub fn with_failure(point: &Point, reason: Reason) -> Reason {
    match point.reason.as_ref().filter(|_| point.step.failures > 0) {
        Some(failure) => Reason::new(failure.code, format!("{}; {}", failure.text, reason.text)),
        None => reason,
    }
}
