//! DescribeRegions: the regions that this account may use.

use afterimage_core::ids::Region;
use aws_sdk_ec2::Client;

use super::wire::{self, Odd};
use crate::ec2::Ec2;
use crate::error::Failure;

impl Ec2 {
    /// Returns the regions that are switched on for this account, in order, as the configured
    /// region tells.
    ///
    /// # Errors
    /// EC2 did not answer.
    pub async fn regions(&self) -> Result<Vec<Region>, Failure> {
        let here = self.config.region().map(ToString::to_string).unwrap_or_default();
        let client = Client::new(&self.config);
        let answer = client.describe_regions().send().await.map_err(|source| Failure::Ec2 {
            operation: "DescribeRegions",
            region: here,
            source: Box::new(source),
        })?;
        let read = |wire: &aws_sdk_ec2::types::Region| {
            Ok::<Region, Odd>(Region::parse(wire::need(wire.region_name(), "name")?)?)
        };
        let mut regions = wire::readable("region", answer.regions.unwrap_or_default(), read);
        regions.sort();
        Ok(regions)
    }
}
