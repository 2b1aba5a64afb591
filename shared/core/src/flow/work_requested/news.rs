//! What a point that has come to rest, or has become good to recover from, tells of its machine.

use crate::command::Change;
use crate::machine::Grade;
use crate::point::{Place, Point};
use crate::slot::Occasion;
use crate::status::Status;
use crate::summary::{Good, Latest, News, Summary};

/// The point as it is to be, and what the summary of its machine says from then on.
pub(crate) fn recorded(point: Point) -> Change {
    let summary = of(&point);
    Change::point(point).telling(summary)
}

/// Nothing as long as a point is on its way: then what was said when it was requested holds.
pub(crate) fn of(point: &Point) -> Option<Summary> {
    let name = point.machine.as_ref().and_then(|machine| machine.instance.name());
    match point.status {
        Status::Imaged | Status::Protected => good(point, name),
        Status::Refused | Status::Missed | Status::Failed => Some(latest(point, name)),
        Status::Requested
        | Status::Snapshotting
        | Status::Snapshotted
        | Status::Ready
        | Status::Registering
        | Status::Registered => None,
    }
}

/// Where a point stands, and why.
pub(crate) fn latest(point: &Point, name: Option<&str>) -> Summary {
    let stop_of = match point.slot.occasion {
        Occasion::Stopped { launched } => Some(launched),
        Occasion::Scheduled(_) => None,
    };
    let latest = Latest {
        point: point.id.clone(),
        requested_at: point.requested_at,
        stop_of,
        status: point.status,
        reason: point.reason.clone(),
    };
    summary(point, name, News::Latest(latest))
}

fn good(point: &Point, name: Option<&str>) -> Option<Summary> {
    let available = point.replicas.iter().filter(|(_, place)| **place == Place::Available);
    let good = Good {
        point: point.id.clone(),
        taken_at: point.taken_at.unwrap_or(point.requested_at),
        grade: point.grade.unwrap_or(Grade::Crash),
        image: point.image.clone()?,
        replicas: available.map(|(region, _)| region.clone()).collect(),
        replicas_wanted: u32::try_from(point.replicas.len()).unwrap_or(u32::MAX),
    };
    Some(summary(point, name, News::Good(good)))
}

fn summary(point: &Point, name: Option<&str>, news: News) -> Summary {
    Summary {
        instance: point.instance().clone(),
        home: point.home.clone(),
        name: name.map(String::from),
        policy: point.slot.policy.clone(),
        news,
    }
}
