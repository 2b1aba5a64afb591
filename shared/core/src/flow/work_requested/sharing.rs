//! Points whose machine is down for another point: they are imaged in the same stop. Their downtimes
//! wait until then, and are over without a stop of their own. The machine is started once all of
//! them have their data, or when the first of their timeouts has passed.

use jiff::Timestamp;

use super::power::{Input, has_its_data};
use crate::downtime::{Downtime, DowntimeStatus};
use crate::duration::seconds;
use crate::ids::InstanceId;
use crate::limits::later;
use crate::point::Point;
use crate::status::Status;

/// Returns the downtime that holds a machine down, or is about to.
pub(super) fn holder<'a>(input: &'a Input, instance: &InstanceId) -> Option<&'a Downtime> {
    input.downtimes.iter().find(|downtime| {
        downtime.instance() == instance
            && matches!(downtime.status, DowntimeStatus::Stopping | DowntimeStatus::Down)
    })
}

/// Returns the other points that need the machine of a downtime to stay down.
pub(super) fn points<'a>(
    input: &'a Input,
    holder: &'a Downtime,
) -> impl Iterator<Item = &'a Point> + 'a {
    downtimes(input, holder).filter_map(|downtime| input.points.get(&downtime.point))
}

/// Returns the time at which the machine is started again, even if a point of it was not imaged.
pub(super) fn deadline(input: &Input, holder: &Downtime) -> Option<Timestamp> {
    let begun_at = holder.begun_at?;
    let of = |downtime: &Downtime| later(begun_at, seconds(downtime.stop_start.timeout_secs));
    downtimes(input, holder).map(of).chain([of(holder)]).min()
}

/// Tells whether a point waits for its machine to be stopped. A point that is due at another time
/// was put off, and is begun then.
pub(super) fn waits_for_stop(point: &Point, now: Timestamp) -> bool {
    let until = point.waits_until();
    point.status == Status::Requested && until > now && point.step.due_at == Some(until)
}

/// Returns the downtimes that share the stop of another, and whose points have no data yet.
fn downtimes<'a>(
    input: &'a Input,
    holder: &'a Downtime,
) -> impl Iterator<Item = &'a Downtime> + 'a {
    let is_late =
        |point: &Point| point.status == Status::Requested && point.waits_until() <= input.now;
    input.downtimes.iter().filter(move |downtime| {
        downtime.status == DowntimeStatus::Waiting
            && downtime.instance() == holder.instance()
            && input
                .points
                .get(&downtime.point)
                .is_some_and(|point| !has_its_data(point) && !is_late(point))
    })
}
