//! What the ledger does not know, because it is older: points, and attempts that it has not begun.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{InstanceId, Region};
use crate::names::TAG_POINT;
use crate::observed::{Complete, ObservedImage, ObservedSnapshot};
use crate::point::Point;
use crate::policy::Artefact;
use crate::slot::PointId;
use crate::status::Status;
use crate::tags::read::Label;
use crate::witness::is_to_be_replaced;

/// An original, by what its tags say. The attempts of copies are counted by themselves.
#[derive(Clone, Debug)]
pub struct Original {
    label: Label,
    is_image: bool,
}

impl Original {
    /// Reads an image; none if it is a copy, or does not say of which point it is.
    pub fn image(region: &Region, image: &ObservedImage) -> Option<Original> {
        let label = Label::read(&image.tags).ok()?;
        let is_original = image.source.is_none() && label.home == *region;
        is_original.then_some(Original { label, is_image: true })
    }

    /// Reads a snapshot; none if it is of a copy, or does not say of which point it is.
    pub fn snapshot(region: &Region, snapshot: &ObservedSnapshot) -> Option<Original> {
        let label = Label::read(&snapshot.tags).ok()?;
        let is_original = snapshot.copied_for.is_none() && label.home == *region;
        is_original.then_some(Original { label, is_image: false })
    }

    /// Tells whether an attempt made it that the ledger has not begun. The step that registers has
    /// attempts of its own: a snapshot says nothing of them.
    fn is_later_than(&self, point: &Point) -> bool {
        let is_unbegun = matches!(
            point.status,
            Status::Requested | Status::Missed | Status::Refused | Status::Withdrawn
        );
        let is_same_step = self.is_image
            || point.plan.kind == Artefact::Snapshots
            || is_unbegun
            || matches!(point.status, Status::Snapshotting | Status::Snapshotted);
        let (made, begun) = (self.label.attempt, point.step.attempt);
        // The intent is written before the call.
        let is_to_begin = is_unbegun && point.step.begun_at.is_none();
        is_same_step
            && self.label.requested_at == point.requested_at
            && (made > begun || is_to_begin && made == begun)
    }
}

/// Lists the artefacts that are no copies.
pub fn originals(
    images: &BTreeMap<Region, Complete<ObservedImage>>,
    snapshots: &BTreeMap<Region, Complete<ObservedSnapshot>>,
) -> impl Iterator<Item = Original> {
    let images = images.iter().flat_map(|(region, images)| {
        images.0.iter().filter_map(|image| Original::image(region, image))
    });
    let snapshots = snapshots.iter().flat_map(|(region, snapshots)| {
        snapshots.0.iter().filter_map(|snapshot| Original::snapshot(region, snapshot))
    });
    images.chain(snapshots)
}

/// Returns the known points of which a later attempt than the ledger knows made something.
pub fn made_later(
    originals: impl IntoIterator<Item = Original>,
    points: &BTreeMap<PointId, Point>,
) -> BTreeSet<PointId> {
    let is_later = |original: &Original| {
        points.get(&original.label.point).is_some_and(|point| original.is_later_than(point))
    };
    originals.into_iter().filter(is_later).map(|original| original.label.point).collect()
}

/// Returns the points that the tags of snapshots and copies name, of some machines.
pub fn named(
    snapshots: &Complete<ObservedSnapshot>,
    copies: &[ObservedImage],
    machines: &BTreeSet<InstanceId>,
) -> BTreeSet<PointId> {
    let snapshots = snapshots.0.iter().filter_map(|snapshot| snapshot.tags.get(TAG_POINT));
    let tags = snapshots.chain(copies.iter().filter_map(|image| image.tags.get(TAG_POINT)));
    let points = tags.filter_map(|tag| PointId::parse(tag).ok());
    points.filter(|point| machines.contains(point.instance())).collect()
}

/// Returns the machines of points that the ledger does not know, of which it knows nothing that
/// was made, or of which a later attempt than it knows made snapshots.
pub fn doubtful(
    region: &Region,
    snapshots: &Complete<ObservedSnapshot>,
    named: &BTreeSet<PointId>,
    points: &BTreeMap<PointId, Point>,
) -> BTreeSet<InstanceId> {
    let originals = snapshots.0.iter().filter_map(|snapshot| Original::snapshot(region, snapshot));
    let later = made_later(originals, points);
    let is_unknown = |id: &PointId| points.get(id).is_none_or(is_to_be_replaced);
    let unknown = named.iter().filter(|id| is_unknown(id) || later.contains(*id));
    unknown.map(|id| id.instance().clone()).collect()
}
