//! The snapshots that are waited for, and the names that earlier tries may have given.

use afterimage_core::flow::work_requested::Input;
use afterimage_core::flow::work_requested::register::{self, to_describe, to_look_up};
use afterimage_core::ids::Region;
use afterimage_core::point::Point;
use jiff::Timestamp;

use super::named;
use crate::Aws;
use crate::error::Failure;

pub async fn load(
    aws: &Aws,
    region: &Region,
    points: Vec<Point>,
    now: Timestamp,
) -> Result<Input, Failure> {
    let snapshots = aws.ec2.snapshots(region, &to_describe(&points)).await?;
    let named = named(aws, region, to_look_up(&points, now)).await?;
    Ok(Input::Register(register::Input { now, points, snapshots, named }))
}
