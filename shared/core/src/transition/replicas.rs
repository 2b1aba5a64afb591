//! Replicas that are settled, and their places in their point: written together or not at all, so
//! that the point knows when the last of them is in place.

use crate::command::{Change, Write};
use crate::point::{Place, Point, Replica, ReplicaStatus};
use crate::reason::{Code, Reason};
use crate::status::{Event, IllegalTransition, Status};

use super::news;

/// Records replicas of one point that have just become available or were given up.
pub(super) fn settled(point: &Point, replicas: Vec<Replica>) -> Change {
    let summary_and_write = with_places(point, &replicas).ok();
    let writes = replicas.into_iter().map(Write::replica);
    match summary_and_write {
        Some(point) => {
            let summary = news::of(&point);
            Change { writes: [Write::point(point)].into_iter().chain(writes).collect(), summary }
        }
        None => Change { writes: writes.collect(), summary: None },
    }
}

/// The point once these have their places; protected, or failed, if they were the last.
fn with_places(point: &Point, replicas: &[Replica]) -> Result<Point, IllegalTransition> {
    if point.status != Status::Imaged {
        return Err(IllegalTransition { status: point.status, event: Event::Protect });
    }
    let mut point = point.clone();
    for replica in replicas {
        let place = match replica.status {
            ReplicaStatus::Available => Place::Available,
            ReplicaStatus::Failed => Place::Failed,
            ReplicaStatus::Waiting | ReplicaStatus::Copying | ReplicaStatus::Pending => continue,
        };
        point.replicas.insert(replica.region.clone(), place);
        if place == Place::Failed {
            point.reason = Some(also_failed(point.reason.take(), replica));
        }
    }
    let has = |wanted| point.replicas.values().any(|place| *place == wanted);
    match (has(Place::Underway), has(Place::Failed)) {
        (true, _) => Ok(point),
        (false, true) => point.after(Event::Fail),
        (false, false) => point.after(Event::Protect),
    }
}

/// Every region that a point will not reach, each with its reason.
fn also_failed(before: Option<Reason>, replica: &Replica) -> Reason {
    let why = replica.reason.as_ref().map_or(String::new(), ToString::to_string);
    let this = format!("no replica in {}: {why}", replica.region);
    let text = match before {
        Some(before) if before.code == Code::ReplicaFailed => format!("{}; {this}", before.text),
        _ => this,
    };
    Reason::new(Code::ReplicaFailed, text)
}
