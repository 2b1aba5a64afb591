//! The machines of the points that are due, and what earlier tries left.

use std::collections::BTreeMap;

use afterimage_core::flow::work_requested::Input;
use afterimage_core::flow::work_requested::snapshot::{self, to_describe, to_list};
use afterimage_core::ids::Region;
use afterimage_core::names::TAG_POINT;
use afterimage_core::point::Point;
use afterimage_core::seen::{Complete, SeenSnapshot};
use afterimage_core::slot::PointId;
use jiff::{SignedDuration, Timestamp};

use super::Loaded;
use crate::Aws;
use crate::error::Failure;

/// A machine that cannot be described as a whole just now is described again after this time: what
/// EC2 does not show yet comes to light within seconds.
const UNSETTLED_WAIT: SignedDuration = SignedDuration::from_secs(10);

pub async fn load(
    aws: &Aws,
    region: &Region,
    mut points: Vec<Point>,
    now: Timestamp,
) -> Result<Loaded, Failure> {
    // The listing goes first: of a machine that is described after it, more can be said.
    let tagged = tagged(aws, region, to_list(&points, now)).await?;
    let machines = aws.ec2.machines(region, &to_describe(&points, now)).await?;
    // Without all of its disks a machine must not be imaged, and it is not gone either.
    let before = points.len();
    points.retain(|point| !machines.unsettled.contains(point.instance()));
    let next_due =
        (points.len() < before).then(|| now.checked_add(UNSETTLED_WAIT).unwrap_or(Timestamp::MAX));
    let input = snapshot::Input { now, points, machines: machines.whole, tagged };
    Ok(Loaded { input: Input::Snapshot(input), next_due })
}

/// The snapshots that carry the tag of each point; a point of which there are none is there too.
async fn tagged(
    aws: &Aws,
    region: &Region,
    points: Vec<PointId>,
) -> Result<BTreeMap<PointId, Complete<SeenSnapshot>>, Failure> {
    let Complete(snapshots) = aws.ec2.snapshots_tagged(region, Some(&points)).await?;
    let mut tagged: BTreeMap<PointId, Complete<SeenSnapshot>> =
        points.into_iter().map(|point| (point, Complete(Vec::new()))).collect();
    for snapshot in snapshots {
        let point = snapshot.tags.get(TAG_POINT).and_then(|tag| PointId::parse(tag).ok());
        if let Some(Complete(snapshots)) = point.and_then(|point| tagged.get_mut(&point)) {
            snapshots.push(snapshot);
        }
    }
    Ok(tagged)
}
