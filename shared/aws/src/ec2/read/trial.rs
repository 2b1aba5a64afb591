//! Trial calls: EC2 checks the permissions, and makes nothing.

use afterimage_core::call::Outcome;
use afterimage_core::ids::Region;
use afterimage_core::names::TAG_POINT;
use afterimage_core::slot::PointId;
use aws_sdk_ec2::error::ProvideErrorMetadata;
use aws_sdk_ec2::types::{InstanceSpecification, ResourceType, Tag, TagSpecification};

use crate::ec2::call::sending::{Sent, once};
use crate::ec2::{CREATE_SNAPSHOTS, Ec2, errors};

impl Ec2 {
    /// Asks EC2 if our role may make the snapshots of a point. EC2 checks no quota, and no key. The
    /// outcome is `Made` if it may.
    pub async fn try_snapshots(&self, region: &Region, point: &PointId) -> Outcome<()> {
        // A trial takes a token like a set of snapshots.
        self.turn(region, CREATE_SNAPSHOTS).await;
        let machine = InstanceSpecification::builder().instance_id(point.instance().as_str());
        let tag = Tag::builder().key(TAG_POINT).value(point.as_str()).build();
        let tags = TagSpecification::builder().resource_type(ResourceType::Snapshot).tags(tag);
        let call = self.client(region).create_snapshots().instance_specification(machine.build());
        let sent = Sent::default();
        let call = call.tag_specifications(tags.build()).dry_run(true).customize();
        match call.config_override(once(&sent)).send().await {
            Ok(_) => errors::of_unreadable("result of the trial"),
            Err(error) if error.code().is_some_and(errors::is_dry_run_passed) => Outcome::Made(()),
            Err(error) => errors::of_failed(&error, sent.count()),
        }
    }
}
