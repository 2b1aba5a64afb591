//! EC2 as the functions read it and make things in it, against the embedded cloud.

mod creating;
mod machines;
mod outcomes;
mod power;
mod reading;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use afterimage_aws::Ec2;
use afterimage_cloud::faults::Rule;
use afterimage_cloud::trace::What;
use afterimage_cloud::{Cloud, Config};
use afterimage_core::ids::{InstanceId, Region};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    BlockDeviceMapping, EbsBlockDevice, Filter, InstanceType, ResourceType, Tag, TagSpecification,
    VolumeType,
};

const HOME: &str = "us-east-1";
const AWAY: &str = "eu-west-1";

/// Lives through a scenario in a world of its own, with some knobs turned.
fn world_with(knobs: impl FnOnce(&mut Config), scenario: impl AsyncFnOnce(Cloud)) {
    let mut config = Config::seeded(1);
    knobs(&mut config);
    Cloud::run(config, scenario);
}

fn world(scenario: impl AsyncFnOnce(Cloud)) {
    world_with(|_| (), scenario);
}

/// What is tested.
fn ec2(cloud: &Cloud) -> Ec2 {
    Ec2::new(&cloud.sdk_config(HOME), "test")
}

/// What the test itself does and looks at.
fn plain(cloud: &Cloud, region: &str) -> Client {
    Client::new(&cloud.sdk_config(region))
}

fn region(name: &str) -> Region {
    Region::parse(name).expect("it is a region")
}

fn fault(cloud: &Cloud, rule: Rule) {
    cloud.with(|model| model.faults.add(rule));
}

fn no_faults(cloud: &Cloud) {
    cloud.with(|model| model.faults.set(Vec::new()));
}

/// How many requests of an action have reached the cloud, whatever became of them.
fn sent(cloud: &Cloud, action: &str) -> usize {
    cloud.with(|model| {
        let entries = model.trace.entries().iter();
        let requests = entries.filter(|entry| matches!(entry.what, What::Call | What::Fault));
        let of_action = requests.filter(|entry| entry.action == action);
        of_action.map(|entry| entry.id.clone()).collect::<BTreeSet<_>>().len()
    })
}

fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_string(), (*value).to_string())).collect()
}

fn tags_for(kind: ResourceType, pairs: &[(&str, &str)]) -> TagSpecification {
    let tag = |(key, value): &(&str, &str)| Tag::builder().key(*key).value(*value).build();
    let tags = pairs.iter().map(tag).collect();
    TagSpecification::builder().resource_type(kind).set_tags(Some(tags)).build()
}

/// The public image of a name, which may hold `*`.
async fn public_image(plain: &Client, name: &str) -> String {
    let found = plain.describe_images().filters(filter("name", name)).send().await;
    let found = found.expect("public images are described");
    let image = found.images().first().expect("the catalogue has it");
    image.image_id().expect("an image has an id").to_string()
}

const AMAZON_LINUX: &str = "al2023-ami-*-x86_64";

/// A disk beside the root disk, of which nothing is left to defaults.
fn disk(device: &str, gib: i32, goes_with_machine: bool) -> BlockDeviceMapping {
    let ebs = EbsBlockDevice::builder()
        .volume_size(gib)
        .volume_type(VolumeType::Gp3)
        .iops(4000)
        .throughput(200)
        .delete_on_termination(goes_with_machine)
        .build();
    BlockDeviceMapping::builder().device_name(device).ebs(ebs).build()
}

/// Launches a machine from an image of the catalogue, and waits until it runs.
async fn machine_of(
    cloud: &Cloud,
    image: &str,
    disks: &[BlockDeviceMapping],
    pairs: &[(&str, &str)],
) -> InstanceId {
    let plain = plain(cloud, HOME);
    let tags = (!pairs.is_empty()).then(|| vec![tags_for(ResourceType::Instance, pairs)]);
    let launched = plain
        .run_instances()
        .image_id(public_image(&plain, image).await)
        .instance_type(InstanceType::T3Micro)
        .min_count(1)
        .max_count(1)
        .set_block_device_mappings((!disks.is_empty()).then(|| disks.to_vec()))
        .set_tag_specifications(tags)
        .send()
        .await
        .expect("a machine is launched");
    cloud.advance(Duration::from_secs(60)).await;
    let id = launched.instances().first().and_then(|instance| instance.instance_id());
    InstanceId::parse(id.expect("one was asked for")).expect("its id is one")
}

async fn machine(cloud: &Cloud) -> InstanceId {
    machine_of(cloud, AMAZON_LINUX, &[], &[]).await
}

/// How much virtual time something takes.
async fn timed<T>(cloud: &Cloud, act: impl Future<Output = T>) -> (T, Duration) {
    let begun = cloud.now();
    let result = act.await;
    (result, cloud.now().since(begun))
}
