//! The parts of a downtime's transitions that its worker and the outcomes of its calls share.

use crate::downtime::Downtime;
use crate::point::{Point, Step};
use crate::reason::Reason;
use crate::status::{Event, IllegalTransition};
use crate::summary::Summary;
use crate::transition::summary;

/// The step of a downtime that holds a place. Its worker looks at it all the time; the sweep looks
/// after it once its deadline has passed.
pub fn until_deadline(downtime: &Downtime) -> Step {
    Step { due_at: downtime.deadline(), ..downtime.step.clone() }
}

/// The point of a machine that is not stopped for it, at its end.
///
/// # Errors
/// The point was already begun.
pub fn ended_point(
    point: &Point,
    event: Event,
    reason: Reason,
) -> Result<(Point, Summary), IllegalTransition> {
    let after = point.after(event)?;
    let after = Point { step: point.step.settled(), reason: Some(reason), ..after };
    let summary = summary::latest(&after);
    Ok((after, summary))
}
