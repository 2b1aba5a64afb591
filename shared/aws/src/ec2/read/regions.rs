//! DescribeRegions: those that this account may use.

use afterimage_core::ids::Region;

use super::Reading;
use super::wire::{self, Odd};
use crate::ec2::Ec2;
use crate::error::Failure;

impl Ec2 {
    /// The regions that are switched on for this account, asked of one of them, in order.
    ///
    /// # Errors
    /// EC2 did not answer.
    pub async fn regions(&self, at: &Region) -> Result<Vec<Region>, Failure> {
        let reading = Reading { operation: "DescribeRegions", region: at };
        let answer = self.client(at).describe_regions().send().await;
        let answer = answer.map_err(|error| reading.failed(error))?;
        let read = |wire: &aws_sdk_ec2::types::Region| {
            Ok::<Region, Odd>(Region::parse(wire::need(wire.region_name(), "name")?)?)
        };
        let mut regions = wire::readable("region", answer.regions.unwrap_or_default(), read);
        regions.sort();
        Ok(regions)
    }
}
