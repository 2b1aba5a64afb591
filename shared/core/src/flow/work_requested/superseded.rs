//! Points that a newer one of the same machine and policy makes needless, because nothing could be
//! made of them so far.

use crate::obstacle::Obstacles;
use crate::point::Point;
use crate::reason::{Code, Reason};
use crate::status::{Phase, Status};

/// Returns the reason why a point is not made any more, if a newer one is made in its place, or is
/// good already. The reason tells why nothing was made of it.
pub(super) fn check<'a>(
    point: &Point,
    mut others: impl Iterator<Item = &'a Point>,
    obstacles: &Obstacles,
) -> Option<Reason> {
    let waits = point
        .reason
        .as_ref()
        .is_some_and(|reason| matches!(reason.code, Code::Throttled | Code::CallsHeldUp));
    let is_held_up = obstacles.hold_up_all();
    let fails = point.step.failures > 0 || waits || is_held_up;
    if point.status != Status::Requested || !fails {
        return None;
    }
    let newer = others.find(|other| {
        other.slot.policy == point.slot.policy
            && other.instance() == point.instance()
            && other.status.phase() != Phase::Ended
            && other.requested_at > point.requested_at
    })?;
    let text = format!("{} is newer, and is made in its place", newer.id);
    let reason = obstacles.with_why(Reason::new(Code::Superseded, &*text));
    match point.reason.as_ref().filter(|_| !is_held_up) {
        Some(why) => Some(Reason::new(Code::Superseded, format!("{text}; {}", why.text))),
        None => Some(reason),
    }
}
