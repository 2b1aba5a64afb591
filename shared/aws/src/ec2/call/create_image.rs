//! CreateImage. EC2 takes no token for this call, so it is sent once.

use afterimage_core::call::{CreateImage, Outcome};
use afterimage_core::ids::AmiId;
use aws_sdk_ec2::types::{BlockDeviceMapping, ResourceType, TagSpecification};

use super::sending::{Sent, once};
use super::wire::{image, tags_for};
use crate::ec2::{Ec2, errors};

impl Ec2 {
    /// Creates an image of a machine, with a snapshot of each of its volumes. EC2 takes over from
    /// the machine if a volume is deleted with it. A request that repeats this would fail for a
    /// volume that was just detached.
    pub async fn create_image(&self, wanted: &CreateImage) -> Outcome<AmiId> {
        let without: Vec<BlockDeviceMapping> = wanted.without.iter().map(no_device).collect();
        let tags = [
            tags_for(&[ResourceType::Image], &wanted.tags),
            tags_for(&[ResourceType::Snapshot], &wanted.snapshot_tags),
        ];
        let tags: Vec<TagSpecification> = tags.into_iter().flatten().flatten().collect();
        let sent = Sent::default();
        let answer = self
            .client(&wanted.region)
            .create_image()
            .instance_id(wanted.instance.as_str())
            .name(&wanted.name)
            .description(&wanted.description)
            // By default EC2 would reboot the machine.
            .no_reboot(!wanted.reboot)
            .set_block_device_mappings((!without.is_empty()).then_some(without))
            .set_tag_specifications((!tags.is_empty()).then_some(tags))
            .customize()
            .config_override(once(&sent))
            .send()
            .await;
        match answer {
            Ok(made) => image(made.image_id()),
            Err(error) => errors::of_failed(&error, sent.count()),
        }
    }
}

fn no_device(device: &String) -> BlockDeviceMapping {
    BlockDeviceMapping::builder().device_name(device).no_device("").build()
}
