//! Points and replicas that are looked at because their artefact may be missing, or is lost.

use jiff::Timestamp;

use crate::point::{Point, Replica, ReplicaStatus};
use crate::status::{Phase, Status};
use crate::transition::loss;

/// Tells whether a point is to be looked at here.
pub(super) fn is_point_due(point: &Point, now: Timestamp) -> bool {
    let is_here = point.status.phase() == Phase::Good || point.status == Status::Lost;
    is_here && point.step.due_at.is_some_and(|due| due <= now)
}

/// Tells whether a replica is to be looked at here.
pub(super) fn is_replica_due(replica: &Replica, now: Timestamp) -> bool {
    let is_here = matches!(
        replica.status,
        ReplicaStatus::Available | ReplicaStatus::Unusable | ReplicaStatus::Lost
    );
    is_here && !replica.is_copy_back() && replica.step.due_at.is_some_and(|due| due <= now)
}

/// Tells whether the artefact of a point is to be looked at here: it may be missing.
pub(super) fn is_point_suspect(point: &Point, now: Timestamp) -> bool {
    is_point_due(point, now) && !loss::has_lost(point)
}

/// Tells whether the image of a replica is to be looked at here: it may be missing.
pub(super) fn is_replica_suspect(replica: &Replica, now: Timestamp) -> bool {
    is_replica_due(replica, now) && replica.status != ReplicaStatus::Lost
}
