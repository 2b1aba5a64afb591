//! The images and replicas that are pending.

use afterimage_core::flow::work_requested::Input;
use afterimage_core::flow::work_requested::confirm::{self, to_describe};
use afterimage_core::ids::Region;
use afterimage_core::point::{Point, Replica};
use jiff::Timestamp;

use crate::Aws;
use crate::error::Failure;

pub async fn load(
    aws: &Aws,
    region: &Region,
    points: Vec<Point>,
    replicas: Vec<Replica>,
    now: Timestamp,
) -> Result<Input, Failure> {
    let images = aws.ec2.images(region, &to_describe(&points, &replicas)).await?;
    let theirs: Vec<_> = replicas.iter().map(|replica| replica.point.clone()).collect();
    let points_of_replicas = aws.ledger.points(&theirs).await?;
    Ok(Input::Confirm(confirm::Input { now, points, replicas, points_of_replicas, images }))
}
