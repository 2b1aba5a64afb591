//! Points that wait because of an obstacle of a queue: all calls of a region are refused, for
//! example, or a key cannot be used. The obstacle is kept once, and not in the points that it holds
//! up. So the queues that have one are read.

use std::collections::BTreeMap;

use afterimage_aws::{Failure, Ledger};
use afterimage_core::call::of_copies::causes;
use afterimage_core::flow::InForce;
use afterimage_core::flow::work_requested::copy_source;
use afterimage_core::ids::{InstanceId, Region};
use afterimage_core::obstacle::{AT_HOME, Obstacle};
use afterimage_core::point::{Point, Replica, ReplicaStatus};
use afterimage_core::reason::Reason;
use afterimage_core::slot::PointId;
use afterimage_core::status::Status;
use afterimage_core::summary::Latest;
use afterimage_core::work::Kind;
use jiff::Timestamp;
use serde::Serialize;

use crate::text::minute;

/// A step of a point, or a copy of it, that an obstacle holds up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeldUp {
    /// The region in which the call would be made.
    pub region: Region,
    /// What waits: a replica, for example.
    pub waits: &'static str,
    /// The obstacle.
    pub reason: Reason,
    /// The time at which the obstacle is looked at again; none if it is due.
    pub next_look: Option<Timestamp>,
}

/// The points that are held up.
pub type AllHeldUp = BTreeMap<PointId, Vec<HeldUp>>;

impl HeldUp {
    fn by(obstacle: &Obstacle, region: &Region, waits: &'static str, now: Timestamp) -> HeldUp {
        let next_look = Some(obstacle.probe_at).filter(|at| *at > now);
        HeldUp { region: region.clone(), waits, reason: obstacle.reason.clone(), next_look }
    }

    /// Formats what waits, why, and when that is looked at again.
    pub fn text(&self) -> String {
        let HeldUp { region, waits, reason, next_look } = self;
        let next = match next_look {
            Some(at) => format!("next look {} UTC", minute(*at)),
            None => "the next look is due".to_string(),
        };
        format!("no {waits} in {region} yet: {reason}; {next}")
    }
}

/// Lists the reason of a point and what holds it up. An obstacle that the point has met itself is
/// told once.
pub fn notes(reason: Option<&Reason>, held_up: &[HeldUp]) -> Vec<String> {
    let held_up: Vec<String> = held_up.iter().map(HeldUp::text).collect();
    let mut notes: Vec<String> = reason.map(ToString::to_string).into_iter().collect();
    notes.retain(|reason| !held_up.iter().any(|held_up| held_up.starts_with(reason.as_str())));
    notes.extend(held_up);
    notes
}

/// Returns the state of a point for programs: without the time of a try that is past, or that waits
/// for an obstacle.
pub fn told(latest: &Latest, held_up: &[HeldUp], now: Timestamp) -> Latest {
    let next_at = latest.next_at.filter(|at| held_up.is_empty() && *at > now);
    Latest { next_at, ..latest.clone() }
}

/// Reads the points that are held up: all, or those of one machine.
///
/// # Errors
/// The ledger cannot be read.
pub async fn read(
    ledger: &Ledger,
    in_force: &InForce,
    only: Option<&InstanceId>,
    now: Timestamp,
) -> Result<AllHeldUp, Failure> {
    let mut held_up = AllHeldUp::new();
    let kinds = [Kind::Copy, Kind::Snapshot, Kind::Register];
    for queue in in_force.all_queues() {
        if !kinds.contains(&queue.kind) {
            continue;
        }
        let obstacles = ledger.obstacles(&queue).await?;
        if obstacles.causes.is_empty() {
            continue;
        }
        let mut in_flight = ledger.queue(&queue, Some(now)).await?;
        in_flight.retain(|record| only.is_none_or(|only| record.point.instance() == only));
        let (points, replicas) = ledger.records(&in_flight, &queue).await?;
        for point in points.iter().filter(|point| has_not_begun(point)) {
            if let Some(obstacle) = obstacles.met_by(&AT_HOME) {
                let waits = if point.status == Status::Requested { "snapshots" } else { "image" };
                let held = HeldUp::by(obstacle, &queue.region, waits, now);
                held_up.entry(point.id.clone()).or_default().push(held);
            }
        }
        let ids: Vec<PointId> = replicas.iter().map(|replica| replica.point.clone()).collect();
        let points = ledger.points(&ids).await?;
        for replica in replicas.iter().filter(|replica| waits_for_copy(replica)) {
            let Some(point) = points.get(&replica.point) else { continue };
            // It waits for its source, and not for the obstacle.
            if copy_source::waits_for_source(point, replica) {
                continue;
            }
            if let Some(obstacle) = obstacles.met_by(&causes(point, replica)) {
                let waits = if replica.is_copy_back() { "image at home" } else { "replica" };
                let held = HeldUp::by(obstacle, &queue.region, waits, now);
                held_up.entry(point.id.clone()).or_default().push(held);
            }
        }
    }
    Ok(held_up)
}

fn has_not_begun(point: &Point) -> bool {
    matches!(point.status, Status::Requested | Status::Snapshotted | Status::Ready)
}

fn waits_for_copy(replica: &Replica) -> bool {
    matches!(replica.status, ReplicaStatus::Waiting | ReplicaStatus::Copying)
}
