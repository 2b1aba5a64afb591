//! Replicas that came to rest, and their places in their point. Both are written together or not at
//! all, so that the point knows when the last replica is in place.

use crate::change::{Change, Write};
use crate::point::{Place, Point, Replica, ReplicaStatus};
use crate::reason::{Code, Reason};
use crate::status::{Event, IllegalTransition, Status};
use crate::transition::summary;

/// Records replicas of one point that have just become available or were given up. The point has
/// places only while it is imaged; elsewhere the replicas are recorded alone.
///
/// # Errors
/// The point cannot take its places in its status.
pub fn settled(point: &Point, replicas: Vec<Replica>) -> Result<Change, IllegalTransition> {
    if point.status != Status::Imaged {
        let writes = replicas.into_iter().map(Write::replica).collect();
        return Ok(Change { writes, summary: None });
    }
    let point = with_places(point, &replicas)?;
    let summary = summary::of(&point);
    let replicas = replicas.into_iter().map(Write::replica);
    Ok(Change { writes: [Write::point(point)].into_iter().chain(replicas).collect(), summary })
}

/// Returns the point once these replicas have their places. If they were the last, the point is
/// protected or failed.
fn with_places(point: &Point, replicas: &[Replica]) -> Result<Point, IllegalTransition> {
    let mut point = point.clone();
    for replica in replicas {
        let place = match replica.status {
            ReplicaStatus::Available => Place::Available,
            ReplicaStatus::Failed => Place::Failed,
            ReplicaStatus::Lost => Place::Lost,
            ReplicaStatus::Unusable => Place::Unusable,
            ReplicaStatus::Withdrawn => Place::Withdrawn,
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

/// Returns the reason of a point: every region that the point will not reach, and why.
fn also_failed(before: Option<Reason>, replica: &Replica) -> Reason {
    let why = replica.reason.as_ref().map_or(String::new(), ToString::to_string);
    let this = format!("no replica in {}: {why}", replica.region);
    let text = match before {
        Some(before) if before.code == Code::ReplicaFailed => format!("{}; {this}", before.text),
        _ => this,
    };
    Reason::new(Code::ReplicaFailed, text)
}
