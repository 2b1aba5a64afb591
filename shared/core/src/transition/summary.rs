//! The summary of a machine from a point that came to rest, or became good to recover from.

use crate::change::Change;
use crate::point::Point;
use crate::status::Phase;
use crate::summary::{Good, Latest, News, Summary};

/// Returns the change that writes the point, and the summary of its machine.
pub fn recorded(point: Point) -> Change {
    let summary = of(&point);
    Change::point(point).telling(summary)
}

/// Returns the summary of a point; none while the point is on its way, because the summary of its
/// request still holds.
pub fn of(point: &Point) -> Option<Summary> {
    match point.status.phase() {
        Phase::Requested | Phase::Calling | Phase::Pending | Phase::Ready => None,
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
