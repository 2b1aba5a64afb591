//! The replicas that are due, their points, and the names that turned out to be taken.

use afterimage_core::flow::work_requested::Input;
use afterimage_core::flow::work_requested::copy::{self, to_look_up};
use afterimage_core::ids::Region;
use afterimage_core::point::Replica;
use jiff::Timestamp;

use super::named;
use crate::Aws;
use crate::error::Failure;

pub async fn load(
    aws: &Aws,
    region: &Region,
    replicas: Vec<Replica>,
    now: Timestamp,
) -> Result<Input, Failure> {
    let theirs: Vec<_> = replicas.iter().map(|replica| replica.point.clone()).collect();
    let points = aws.ledger.points(&theirs).await?;
    let named = named(aws, region, to_look_up(&replicas, now)).await?;
    Ok(Input::Copy(copy::Input { now, replicas, points, named }))
}
