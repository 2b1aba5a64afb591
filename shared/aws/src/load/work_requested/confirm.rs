//! The images and replicas that are pending.

use std::collections::BTreeMap;

use afterimage_core::flow::work_requested::Input;
use afterimage_core::flow::work_requested::confirm::{self, to_ask, to_describe};
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
    let mut uefi_data = BTreeMap::new();
    for image in to_ask(&points, &images) {
        if let Some(data) = aws.ec2.uefi_data_of_image(region, &image).await {
            uefi_data.insert(image, data);
        }
    }
    let theirs: Vec<_> = replicas.iter().map(|replica| replica.point.clone()).collect();
    let points_of_replicas = aws.ledger.points(&theirs).await?;
    let input = confirm::Input { now, points, replicas, points_of_replicas, images, uefi_data };
    Ok(Input::Confirm(input))
}
