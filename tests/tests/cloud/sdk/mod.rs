//! Conformance, driven by the AWS SDK for Rust in process: behaviours in which its serialiser, its
//! retries, its paginators, waiters, tokens or typed errors have a part.
//!
//! Each test is named after the behaviour and says which part of the AWS documentation it follows.

mod dynamodb;
mod errors;
mod eventbridge;
mod iam;
mod images;
mod instances;
mod paginators;
mod retries;
mod serialisers;
mod snapshots;
mod time;
mod tokens;
mod waiters;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use afterimage_cloud::door::sdk::Caller;
use afterimage_cloud::faults::Rule;
use afterimage_cloud::trace::What;
use afterimage_cloud::{Cloud, Config, Time};
use aws_sdk_ec2::Client as Ec2;
use aws_sdk_ec2::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_ec2::config::retry::{RetryPartition, TokenBucket};
use aws_sdk_ec2::config::{Builder, ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_ec2::error::{BoxError, ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::types::{
    BlockDeviceMapping, EbsBlockDevice, Filter, Image, InstanceType, ResourceType, Snapshot, Tag,
    TagSpecification, VolumeType,
};
use serde_json::Value;

pub const HOME: &str = "us-east-1";
pub const AWAY: &str = "eu-west-1";

/// Lives through a scenario in a world of its own, as it is without any knob turned.
pub fn world(scenario: impl AsyncFnOnce(Cloud)) {
    world_with(|_| (), scenario);
}

/// The same, with some knobs turned.
pub fn world_with(knobs: impl FnOnce(&mut Config), scenario: impl AsyncFnOnce(Cloud)) {
    let mut config = Config::seeded(1);
    knobs(&mut config);
    Cloud::run(config, scenario);
}

/// A client of the administrator.
pub fn ec2(cloud: &Cloud, region: &str) -> Ec2 {
    ec2_with(cloud, region, |builder| builder)
}

/// A client of the administrator with something of its configuration changed.
pub fn ec2_with(cloud: &Cloud, region: &str, change: impl FnOnce(Builder) -> Builder) -> Ec2 {
    let builder = Builder::from(&cloud.sdk_config(region)).retry_partition(own_partition());
    Ec2::from_conf(change(builder).build())
}

/// A client of the owner of a declared access key.
pub fn ec2_of(cloud: &Cloud, access_key: &str, region: &str) -> Ec2 {
    let caller =
        Caller { access_key: access_key.to_string(), region: region.to_string(), clock_skew_ms: 0 };
    let builder = Builder::from(&cloud.sdk_config_of(&caller)).retry_partition(own_partition());
    Ec2::from_conf(builder.build())
}

/// The budget for retries is the process's unless a client has a partition of its own: without
/// this, tests that run side by side would spend each other's.
pub fn own_partition() -> RetryPartition {
    RetryPartition::custom("own").token_bucket(TokenBucket::builder().build()).build()
}

/// Puts one more fault rule in force.
pub fn fault(cloud: &Cloud, rule: Rule) {
    cloud.with(|model| model.faults.add(rule));
}

/// Takes all fault rules out of force.
pub fn no_faults(cloud: &Cloud) {
    cloud.with(|model| model.faults.set(Vec::new()));
}

/// One request of an action as the trace has it, whatever became of it.
#[derive(Debug)]
pub struct Attempt {
    pub at: Time,
    pub id: String,
    pub outcome: String,
    pub principal: String,
    pub detail: Value,
}

/// Every request of an action that reached the cloud, in order.
pub fn attempts(cloud: &Cloud, action: &str) -> Vec<Attempt> {
    cloud.with(|model| {
        let mut attempts: Vec<Attempt> = Vec::new();
        for entry in model.trace.entries() {
            let request = matches!(entry.what, What::Call | What::Fault);
            let known = attempts.iter().any(|attempt| attempt.id == entry.id);
            if request && entry.action == action && !known {
                attempts.push(Attempt {
                    at: entry.at,
                    id: entry.id.clone(),
                    outcome: entry.outcome.clone(),
                    principal: entry.principal.clone(),
                    detail: entry.detail.clone(),
                });
            }
        }
        attempts
    })
}

/// How a service refused.
#[derive(Debug)]
pub struct Refused {
    pub status: u16,
    pub code: String,
    pub message: String,
}

/// What a call that must not succeed was told.
pub fn refused<T, E>(result: Result<T, SdkError<E>>) -> Refused
where
    E: ProvideErrorMetadata + std::fmt::Debug,
{
    let Err(error) = result else { panic!("the call succeeded") };
    let Some(response) = error.raw_response() else { panic!("no response: {error:?}") };
    Refused {
        status: response.status().as_u16(),
        code: error.code().unwrap_or_default().to_string(),
        message: error.message().unwrap_or_default().to_string(),
    }
}

/// Writes down the headers of every request as it is sent.
#[derive(Clone, Debug, Default)]
pub struct Wiretap {
    sent: Arc<Mutex<Vec<BTreeMap<String, String>>>>,
}

impl Wiretap {
    pub fn sent(&self) -> Vec<BTreeMap<String, String>> {
        self.sent.lock().expect("no test panics while it listens").clone()
    }

    /// One header of every request.
    pub fn header(&self, name: &str) -> Vec<String> {
        let of = |headers: &BTreeMap<String, String>| headers.get(name).cloned();
        self.sent().iter().map(|headers| of(headers).unwrap_or_default()).collect()
    }
}

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for Wiretap {
    fn name(&self) -> &'static str {
        "Wiretap"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.request().headers().iter();
        let headers = headers.map(|(name, value)| (name.to_string(), value.to_string())).collect();
        self.sent.lock().expect("no test panics while it listens").push(headers);
        Ok(())
    }
}

pub fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}

pub fn tags_for(kind: ResourceType, tags: &[(&str, &str)]) -> TagSpecification {
    let tags = tags.iter().map(|(key, value)| tag(key, value)).collect();
    TagSpecification::builder().resource_type(kind).set_tags(Some(tags)).build()
}

pub fn filter(name: &str, values: &[&str]) -> Filter {
    let values = values.iter().map(|value| (*value).to_string()).collect();
    Filter::builder().name(name).set_values(Some(values)).build()
}

/// A data disk of a machine to launch.
pub fn disk(device: &str, gib: i32) -> BlockDeviceMapping {
    let ebs = EbsBlockDevice::builder()
        .volume_size(gib)
        .volume_type(VolumeType::Gp3)
        .delete_on_termination(true)
        .build();
    BlockDeviceMapping::builder().device_name(device).ebs(ebs).build()
}

/// The Amazon Linux image for x86 of a region.
pub async fn amazon_linux(ec2: &Ec2) -> String {
    let found = ec2
        .describe_images()
        .owners("amazon")
        .filters(filter("name", &["al2023-ami-*-x86_64"]))
        .send()
        .await
        .expect("public images are described");
    let image = found.images().first().expect("every region has Amazon Linux");
    image.image_id().expect("an image has an id").to_string()
}

/// Launches a machine with these data disks beside its root disk, and waits until it runs.
pub async fn machine(cloud: &Cloud, ec2: &Ec2, disks: &[BlockDeviceMapping]) -> String {
    let image = amazon_linux(ec2).await;
    let launched = ec2
        .run_instances()
        .image_id(image)
        .instance_type(InstanceType::T3Micro)
        .min_count(1)
        .max_count(1)
        .set_block_device_mappings(Some(disks.to_vec()).filter(|disks| !disks.is_empty()))
        .send()
        .await
        .expect("a machine is launched");
    cloud.advance(Duration::from_secs(60)).await;
    let instance = launched.instances().first().expect("one was asked for");
    instance.instance_id().expect("an instance has an id").to_string()
}

/// The ids of the volumes of a machine, the root volume first.
pub async fn volumes_of(ec2: &Ec2, machine: &str) -> Vec<String> {
    let found = ec2
        .describe_instances()
        .instance_ids(machine)
        .send()
        .await
        .expect("the machine is described");
    let instance = &found.reservations()[0].instances()[0];
    let root = instance.root_device_name().expect("it has a root device").to_string();
    let mut disks: Vec<(bool, String)> = Vec::new();
    for mapping in instance.block_device_mappings() {
        let volume = mapping.ebs().and_then(|ebs| ebs.volume_id()).expect("a disk has a volume");
        disks.push((mapping.device_name() != Some(root.as_str()), volume.to_string()));
    }
    disks.sort();
    disks.into_iter().map(|(_, volume)| volume).collect()
}

/// An empty volume in the first zone of the region, available.
pub async fn volume(cloud: &Cloud, ec2: &Ec2, gib: i32) -> String {
    let made = ec2
        .create_volume()
        .availability_zone(format!("{}a", region_of(ec2)))
        .size(gib)
        .volume_type(VolumeType::Gp3)
        .send()
        .await
        .expect("a volume is made");
    cloud.advance(Duration::from_secs(30)).await;
    made.volume_id().expect("a volume has an id").to_string()
}

pub fn region_of(ec2: &Ec2) -> String {
    ec2.config().region().expect("a client has a region").to_string()
}

/// A snapshot of a volume, completed.
pub async fn snapshot(cloud: &Cloud, ec2: &Ec2, volume: &str) -> String {
    let made = ec2.create_snapshot().volume_id(volume).send().await.expect("a snapshot is begun");
    cloud.advance(Duration::from_secs(1800)).await;
    made.snapshot_id().expect("a snapshot has an id").to_string()
}

/// An image of a machine, available.
pub async fn image(cloud: &Cloud, ec2: &Ec2, machine: &str, name: &str) -> String {
    let made = ec2
        .create_image()
        .instance_id(machine)
        .name(name)
        .no_reboot(true)
        .send()
        .await
        .expect("an image is begun");
    cloud.advance(Duration::from_secs(1800)).await;
    made.image_id().expect("an image has an id").to_string()
}

/// All images of one's own, whatever their state.
pub async fn own_images(ec2: &Ec2) -> Vec<Image> {
    let found = ec2.describe_images().owners("self").include_disabled(true).send().await;
    found.expect("own images are described").images.unwrap_or_default()
}

/// All snapshots of one's own.
pub async fn own_snapshots(ec2: &Ec2) -> Vec<Snapshot> {
    let found = ec2.describe_snapshots().owner_ids("self").send().await;
    found.expect("own snapshots are described").snapshots.unwrap_or_default()
}

/// The tags of a resource, as DescribeTags has them.
pub async fn tags_of(ec2: &Ec2, id: &str) -> BTreeMap<String, String> {
    let found = ec2.describe_tags().filters(filter("resource-id", &[id])).send().await;
    let found = found.expect("tags are described").tags.unwrap_or_default();
    let pair = |tag: aws_sdk_ec2::types::TagDescription| {
        (tag.key.expect("a tag has a key"), tag.value.expect("a tag has a value"))
    };
    found.into_iter().map(pair).collect()
}

/// How much virtual time something takes.
pub async fn timed<T>(cloud: &Cloud, act: impl Future<Output = T>) -> (T, Duration) {
    let begun = cloud.now();
    let result = act.await;
    (result, cloud.now().since(begun))
}
