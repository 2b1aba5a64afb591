//! Points whose machine is down for another point: they are imaged in the same stop. Their
//! downtimes wait until then, and are over without a stop of their own. The machine is started once
//! all of them have their data, or when the first of their timeouts has passed.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::apart;
use crate::downtime::{Downtime, DowntimeStatus};
use crate::duration::seconds;
use crate::ids::InstanceId;
use crate::limits::{LOOK_DOWN, later};
use crate::point::Point;
use crate::slot::PointId;
use crate::status::Status;
use crate::work::Kind;

/// The downtimes of a region and their points.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sharing<'a> {
    pub now: Timestamp,
    pub downtimes: &'a [Downtime],
    pub points: &'a BTreeMap<PointId, Point>,
}

impl<'a> Sharing<'a> {
    /// Returns the downtime that holds a machine down, or is about to.
    pub fn holder(&self, instance: &InstanceId) -> Option<&'a Downtime> {
        self.downtimes.iter().find(|downtime| {
            downtime.instance() == instance
                && matches!(downtime.status, DowntimeStatus::Stopping | DowntimeStatus::Down)
        })
    }

    /// Returns the other points that need the machine of a downtime to stay down.
    pub fn points(&self, holder: &Downtime) -> impl Iterator<Item = &'a Point> + use<'a> {
        self.others(holder).map(|(_, point)| point)
    }

    /// Returns the time at which the machine is started again, even if a point of it was not
    /// imaged.
    pub fn deadline(&self, holder: &Downtime) -> Option<Timestamp> {
        let begun_at = holder.begun_at?;
        let of = |downtime: &Downtime| later(begun_at, seconds(downtime.stop_start.timeout_secs));
        self.others(holder).map(|(downtime, _)| of(downtime)).chain([of(holder)]).min()
    }

    /// Returns the time from which on a machine may be snapshotted once more.
    pub fn free_at(&self, instance: &InstanceId) -> Timestamp {
        let taken = apart::of_points(self.points.values());
        apart::free_at(&taken, instance, self.now).unwrap_or(self.now)
    }

    /// Tells whether a point of the machine should have its snapshots begun or looked at by now.
    /// The answer is yes once a minute, which is often enough to wake its worker.
    pub fn is_overdue(&self, holder: &Downtime) -> bool {
        let own = self.points.get(&holder.point).into_iter();
        own.chain(self.points(holder)).any(|point| {
            let late = point.step.due_at.map(|due_at| self.now.duration_since(due_at).as_secs());
            let is_minute = |late: i64| late >= 0 && late % 60 <= LOOK_DOWN.as_secs();
            point.work() == Some(Kind::Snapshot) && late.is_some_and(is_minute)
        })
    }

    /// Returns the downtimes that share the stop of another, and whose points have no data yet.
    fn others(
        &self,
        holder: &Downtime,
    ) -> impl Iterator<Item = (&'a Downtime, &'a Point)> + use<'a> {
        let Sharing { now, downtimes, points } = *self;
        let instance = holder.instance().clone();
        let waiting = downtimes.iter().filter(move |downtime| {
            downtime.status == DowntimeStatus::Waiting && *downtime.instance() == instance
        });
        let with_point =
            waiting.filter_map(|downtime| Some((downtime, points.get(&downtime.point)?)));
        let deadline = holder.deadline();
        with_point.filter(move |(_, point)| {
            let is_late = point.status == Status::Requested && point.waits_until() <= now;
            let is_tried_later = deadline.is_some_and(|deadline| is_tried_after(point, deadline));
            !has_its_data(point) && !is_late && !is_tried_later
        })
    }
}

/// Tells whether a point waits for its machine to be stopped. A point that is due at another time
/// was put off, and is begun then.
pub(super) fn waits_for_stop(point: &Point, now: Timestamp) -> bool {
    let until = point.waits_until();
    point.status == Status::Requested && until > now && point.step.due_at == Some(until)
}

/// Tells whether the point no longer needs its machine down: its snapshots are graded, or it ended.
/// The grade says that the disks were seen after all of the snapshots were begun, and it goes
/// with the snapshots when they are made again.
pub(super) fn has_its_data(point: &Point) -> bool {
    point.status.is_settled() || point.grade.is_some()
}

/// Tells whether a try of the point failed, and the next one comes after the machine has to be
/// started again. A point that waits for its machine to be stopped is due at the end of its window.
pub(super) fn is_tried_after(point: &Point, deadline: Timestamp) -> bool {
    let is_later = |due_at: Timestamp| due_at > deadline && due_at != point.waits_until();
    let fails = point.status == Status::Requested && point.step.failures > 0;
    fails && point.step.due_at.is_some_and(is_later)
}
