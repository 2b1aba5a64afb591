//! Trial calls: EC2 checks the permissions, and makes nothing.

use afterimage_core::flow::work_requested::power::Trial;
use afterimage_core::ids::Region;
use afterimage_core::names::TAG_POINT;
use afterimage_core::slot::PointId;
use aws_sdk_ec2::types::{InstanceSpecification, ResourceType, Tag, TagSpecification};

use super::wire::Odd;
use crate::ec2::{Ec2, errors};
use crate::error::Failure;

impl Ec2 {
    /// Asks EC2 if our role may make the snapshots of a point. EC2 checks no quota, and no key.
    ///
    /// # Errors
    /// EC2 did not answer. That tells nothing.
    pub async fn try_snapshots(&self, region: &Region, point: &PointId) -> Result<Trial, Failure> {
        let reading = self.reading("CreateSnapshots (DryRun)", region);
        let machine = InstanceSpecification::builder().instance_id(point.instance().as_str());
        let tag = Tag::builder().key(TAG_POINT).value(point.as_str()).build();
        let tags = TagSpecification::builder().resource_type(ResourceType::Snapshot).tags(tag);
        let call = self.client(region).create_snapshots().instance_specification(machine.build());
        match call.tag_specifications(tags.build()).dry_run(true).send().await {
            Ok(_) => Err(reading.failed(Odd::Missing("code"))),
            Err(error) => match errors::final_code(&error) {
                Some(code) if errors::is_dry_run_passed(code) => Ok(Trial::Passed),
                Some(code) => Ok(Trial::Refused(code.to_string())),
                None => Err(reading.failed(error)),
            },
        }
    }
}
