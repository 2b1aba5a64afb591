//! Machines of an embedded cloud, launched as a person would.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    BlockDeviceMapping, Filter, InstanceType, ResourceType, Tag, TagSpecification,
};

use crate::Failure;

/// Launches a machine from the first image with such a name, which may have wildcards. `disks` are
/// those that differ from the disks of the image, by the name of its root device. Returns the id.
///
/// # Errors
/// There is no such image, or EC2 refuses the machine.
pub async fn launch(
    client: &Client,
    (image, kind): (&str, &str),
    tags: &[(&str, &str)],
    disks: impl FnOnce(&str) -> Vec<BlockDeviceMapping>,
) -> Result<String, Failure> {
    let named = Filter::builder().name("name").values(image).build();
    let found = client.describe_images().filters(named).send().await;
    let found = found.map_err(Failure::unexpected)?;
    let missing = || Failure::Ours(format!("no image matches {image}"));
    let base = found.images().first().ok_or_else(missing)?;
    let disks = disks(base.root_device_name().unwrap_or_default());
    let tags = tags.iter().map(|(key, value)| Tag::builder().key(*key).value(*value).build());
    let of_machine = TagSpecification::builder().resource_type(ResourceType::Instance);
    let launched = client
        .run_instances()
        .image_id(base.image_id().unwrap_or_default())
        .instance_type(InstanceType::from(kind))
        .tag_specifications(of_machine.set_tags(Some(tags.collect())).build())
        .set_block_device_mappings((!disks.is_empty()).then_some(disks))
        .min_count(1)
        .max_count(1)
        .send()
        .await
        .map_err(Failure::unexpected)?;
    let id = launched.instances().first().and_then(|instance| instance.instance_id());
    id.map(str::to_string).ok_or_else(|| Failure::Ours("RunInstances returned no instance".into()))
}
