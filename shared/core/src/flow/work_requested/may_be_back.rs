//! The images that lost places may get back: those that they lost, and those that they had before.

use crate::ids::{AmiId, ResourceId};
use crate::limits::LEFTOVERS_ASKED_MAX;
use crate::point::{Point, Replica, ReplicaStatus};
use crate::transition::loss;

/// Returns the images that were lost and may be there again, and those that lost places had before.
pub(super) fn images<'a>(
    points: impl Iterator<Item = &'a Point>,
    replicas: impl Iterator<Item = &'a Replica>,
) -> impl Iterator<Item = &'a AmiId> {
    let at_home = points.flat_map(|point| {
        let earlier = loss::has_lost(point).then(|| left(&point.leftovers));
        point.lost.iter().chain(earlier.into_iter().flatten())
    });
    let elsewhere = replicas.flat_map(|replica| {
        let is_lost = replica.status == ReplicaStatus::Lost;
        let earlier = is_lost.then(|| left(&replica.leftovers));
        replica.lost.iter().chain(earlier.into_iter().flatten())
    });
    at_home.chain(elsewhere)
}

/// Returns the latest images among leftovers.
pub(super) fn left(leftovers: &[ResourceId]) -> impl Iterator<Item = &AmiId> {
    let images = leftovers.iter().rev().filter_map(|left| match left {
        ResourceId::Image(image) => Some(image),
        ResourceId::Machine(_) | ResourceId::Snapshot(_) => None,
    });
    images.take(LEFTOVERS_ASKED_MAX)
}
