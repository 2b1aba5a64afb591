//! Points that a newer one of the same machine and policy makes needless, because nothing could be
//! made of them so far.

use crate::obstacle::Obstacles;
use crate::point::Point;
use crate::reason::{Code, Reason};
use crate::status::Status;

/// Returns the reason why a point is not made any more, if a newer one is made in its place. The
/// reason tells why nothing was made of it.
pub(super) fn check(point: &Point, points: &[Point], obstacles: &Obstacles) -> Option<Reason> {
    let is_asked_to_wait =
        point.reason.as_ref().is_some_and(|reason| reason.code == Code::Throttled);
    let is_held_up = !obstacles.causes.is_empty();
    let fails = point.step.failures > 0 || is_asked_to_wait || is_held_up;
    if point.status != Status::Requested || !fails {
        return None;
    }
    let is_newer = |other: &&Point| {
        other.slot.policy == point.slot.policy
            && other.instance() == point.instance()
            && other.status == Status::Requested
            && other.requested_at > point.requested_at
    };
    let newer = points.iter().find(is_newer)?;
    let text = format!("{} is newer, and is made in its place", newer.id);
    Some(obstacles.with_why(Reason::new(Code::Superseded, text)))
}
