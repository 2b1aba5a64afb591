//! Points that had lost everything, began again on their machine, and of which nothing was made:
//! they are lost again, with what they were made of. What was lost may be restored.

use jiff::Timestamp;

use crate::ids::ResourceId;
use crate::point::{Made, Place, Point, Refused, Step};
use crate::reason::Reason;
use crate::status::{Event, IllegalTransition, Status};

/// Tells whether a point had lost everything, and begins again: nothing of it is left.
pub fn had_lost_all(point: &Point) -> bool {
    let is_there = |place: &Place| matches!(place, Place::Available | Place::Unusable);
    let is_again = point.home_place == Place::Underway && !point.healed.is_empty();
    point.status == Status::Requested && is_again && !point.replicas.values().any(is_there)
}

/// Returns the point that comes to an end before anything of it was begun. One that had lost
/// everything is lost again, and is looked at for that.
///
/// # Errors
/// Something was begun.
pub fn ended(
    point: &Point,
    event: Event,
    reason: Reason,
    now: Timestamp,
) -> Result<Point, IllegalTransition> {
    if had_lost_all(point) {
        // One that could only not begin in time begins again.
        let refused = (event != Event::Miss).then(|| Refused { at: now, reason: reason.clone() });
        let after = lost_again(point, reason)?.due_now(now);
        return Ok(Point { refused: refused.map(Box::new), ..after });
    }
    let after = point.after(event)?;
    Ok(Point { step: point.step.settled(), reason: Some(reason), ..after })
}

/// Returns the point that began again and of which nothing was made: it is lost, as it was before.
///
/// # Errors
/// Something was begun.
pub fn lost_again(point: &Point, reason: Reason) -> Result<Point, IllegalTransition> {
    let mut after = point.after(Event::LoseAll)?;
    // Nothing was made again.
    after.healed.pop();
    if let Some(made) = after.before.take() {
        let is_set = |left: &ResourceId| match left {
            ResourceId::Snapshot(id) => made.snapshots.values().any(|of_set| of_set == id),
            ResourceId::Image(_) | ResourceId::Machine(_) => false,
        };
        after.leftovers.retain(|left| !is_set(left));
        let Made { taken_at, grade, method, machine, snapshots } = *made;
        after = Point { taken_at: Some(taken_at), grade, method, machine, snapshots, ..after };
    }
    let step = Step { begun_at: None, ..point.step.settled() };
    Ok(Point { step, home_place: Place::Lost, reason: Some(reason), ..after })
}
