//! The batch of a worker that stops and starts machines.

use crate::downtime::Roster;
use crate::flow::InFlight;
use crate::ids::Region;
use crate::limits::DOWNTIMES_WAITING_MAX;
use crate::slot::PointId;

/// Returns the points whose machines are down or are about to be: those that the roster names,
/// those that wait for the same machines, and the first of the others that wait, of policies that
/// have a place left.
pub fn to_look_at(roster: &Roster, region: &Region, in_flight: &[InFlight]) -> Vec<PointId> {
    let is_full = |point: &PointId| {
        let theirs = roster.places.values().find(|held| held.policy.as_str() == point.policy());
        theirs.is_some_and(|held| !roster.has_room_for(&held.policy, held.at_once))
    };
    let waiting = in_flight.iter().map(|nominated| &nominated.point);
    let waiting = waiting.filter(|point| !roster.places.contains_key(point));
    let (sharing, others): (Vec<_>, Vec<_>) =
        waiting.partition(|point| roster.has(point.instance()));
    let others = others.into_iter().filter(|point| !is_full(point)).take(DOWNTIMES_WAITING_MAX);
    let sharing = sharing.into_iter().take(DOWNTIMES_WAITING_MAX);
    let mut points = roster.points_in(region);
    points.extend(sharing.chain(others).cloned());
    points
}
