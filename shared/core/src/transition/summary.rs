//! What a point that has come to rest, or has become good to recover from, tells of its machine.

use crate::change::Change;
use crate::point::Point;
use crate::status::Phase;
use crate::summary::{Good, Latest, News, Summary};

/// The point as it is to be, and what the summary of its machine says from then on.
pub fn recorded(point: Point) -> Change {
    let summary = of(&point);
    Change::point(point).telling(summary)
}

/// Nothing as long as a point is on its way: then what was said when it was requested holds.
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

/// Where a point stands, and why.
pub fn latest(point: &Point) -> Summary {
    Summary::of(point).telling(News::Latest(Latest::of(point)))
}
