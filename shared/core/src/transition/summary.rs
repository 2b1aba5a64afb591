//! The summary of a machine from a point that came to rest, whose step failed, or that became good
//! to recover from; and from a replica that is behind.

use jiff::Timestamp;

use crate::change::Change;
use crate::point::{Point, Replica};
use crate::reason::Reason;
use crate::status::Phase;
use crate::summary::{Good, Latest, News, Summary};

/// Returns the change that writes the point, and the summary of its machine.
pub fn recorded(point: Point) -> Change {
    let summary = of(&point);
    Change::point(point).telling(summary)
}

/// Returns the summary of a point. None while the point is on its way and no step has failed,
/// because the summary of its request still holds.
pub fn of(point: &Point) -> Option<Summary> {
    match point.status.phase() {
        Phase::Requested | Phase::Calling | Phase::Pending | Phase::Ready => {
            (point.step.failures > 0).then(|| latest(point))
        }
        // A point that failed for want of a replica can still be recovered from.
        Phase::Good | Phase::Ended => {
            let mut summary = latest(point);
            summary.news.extend(Good::of(point).map(News::Good));
            Some(summary)
        }
    }
}

/// Returns the summary with the status of a point, and the reason for it.
pub fn latest(point: &Point) -> Summary {
    Summary::of(point).telling(News::Latest(Latest::of(point)))
}

/// Returns the summary of a point one of whose replicas is tried again, at the time `next`.
pub fn behind(point: &Point, replica: &Replica, next: Option<Timestamp>) -> Summary {
    let reason = replica.reason.as_ref().map(|reason| {
        let what = if replica.is_copy_back() { "image at home" } else { "replica" };
        let text = format!("no {what} in {} yet: {}", replica.region, reason.text);
        Reason::new(reason.code, text)
    });
    let waits = reason.as_ref().is_some_and(Reason::is_waited_for);
    let failures = if waits { replica.step.failures } else { replica.step.failures.max(1) };
    let next_at = next.filter(|_| !waits);
    let latest = Latest { reason, failures, next_at, ..Latest::of(point) };
    Summary::of(point).telling(News::Latest(latest))
}
