//! The facts about images and replicas that are pending, missing or lost.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::disk_keys::{Keys, KeysByRegion};
use super::there::There;
use crate::flow::InForce;
use crate::ids::{AmiId, InstanceId, SnapshotId};
use crate::machine::Instance;
use crate::observed::{ObservedImage, ObservedSnapshot};
use crate::obstacle::Obstacles;
use crate::point::{Point, Replica};
use crate::reason::{Code, Reason};
use crate::slot::PointId;
use crate::status::Status;
use crate::transition::retry;

/// All points of a machine, each with its replicas.
pub type History = Vec<(Point, Vec<Replica>)>;

#[derive(Clone, Debug)]
pub struct Input {
    pub now: Timestamp,
    /// The points in the queue, whose images are pending.
    pub points: Vec<Point>,
    /// The replicas in the queue.
    pub replicas: Vec<Replica>,
    /// The points of the replicas.
    pub points_of_replicas: BTreeMap<PointId, Point>,
    /// The images of the points and replicas. An image that is missing here is gone, or not visible
    /// yet.
    pub images: BTreeMap<AmiId, ObservedImage>,
    /// The variables of the UEFI firmware of the images that could be asked.
    pub uefi_data: BTreeMap<AmiId, Option<String>>,
    /// What stands in the way of the copies into this region.
    pub obstacles: Obstacles,
    /// The snapshots that are looked at because an image is missing. One that is missing here is
    /// gone.
    pub snapshots: BTreeMap<SnapshotId, ObservedSnapshot>,
    /// All points of the machines that have lost an image, or get one again.
    pub history: BTreeMap<InstanceId, History>,
    /// Those machines, as far as EC2 shows them.
    pub instances: BTreeMap<InstanceId, Instance>,
    pub healing: Healing,
}

/// The facts that decide if what is lost is made again; empty if nothing is missing.
#[derive(Clone, Debug, Default)]
pub struct Healing {
    /// The policies in force, and the brakes of the regions.
    pub in_force: InForce,
    /// The number of places of the region that the ledger calls good; none if it was not counted,
    /// because only a few are missing.
    pub good: Option<usize>,
    /// The most that is made again in a region in a day once many images are lost there.
    pub gib_per_day: u32,
    /// The keys of images that are looked at, and those under which images are copied back.
    pub keys: Keys,
    /// The keys of the images that lost places may be copied from.
    pub sources: KeysByRegion,
    /// What the region has of the replicas that are lost; none if it could not be read.
    pub there: Option<There>,
}

/// Returns the reason of an image that ended in the state `failed`.
pub(super) fn failure(seen: &ObservedImage) -> Reason {
    let message = seen.message.as_deref().unwrap_or("EC2 does not say why");
    Reason::new(Code::ImageFailed, format!("{} failed: {message}", seen.id))
}

/// Returns the point with the snapshots that EC2 made for its image as leftovers, as far as the
/// mapping shows them.
pub(super) fn with_leftovers(
    point: &Point,
    image: &AmiId,
    images: &BTreeMap<AmiId, ObservedImage>,
) -> Point {
    let mut point = point.clone();
    if point.status == Status::Created {
        let made = images.get(image).into_iter().flat_map(|seen| &seen.snapshots);
        retry::leave(&mut point.leftovers, made.cloned());
    }
    point
}
