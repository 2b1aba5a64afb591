//! A world with Afterimage deployed in it from its own templates, and machines to protect; and what
//! an administrator sees there. What is seen is read through the SDK and from the table's items, by
//! nothing that the product itself is made of.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use afterimage::system::{self, System};
use afterimage_cloud::faults::Rule;
use afterimage_cloud::trace::{Entry, What};
use afterimage_cloud::{Cloud, Config, sqs};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_ec2::types as ec2;
use serde_json::Value;

use crate::doctor::{FORMAT, HEARTBEATS, is_heartbeat};
use crate::neighbour;

/// What a person puts on a machine, and what they read there afterwards.
pub const TAG_ASK: &str = "afterimage:now";
pub const TAG_ANSWER: &str = "afterimage:answer";

pub const ACCOUNT: &str = "123456789012";
/// The seat, and where the machines of most scenes live.
pub const HOME: &str = "us-east-1";
pub const IRELAND: &str = "eu-west-1";
pub const FRANKFURT: &str = "eu-central-1";

pub use afterimage_support::{FUNCTIONS, commit_number, is_long};

pub fn sample(name: &str) -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events").join(name);
    let text = fs::read_to_string(file.with_extension("json")).expect("there is a sample");
    serde_json::from_str(&text).expect("a sample is JSON")
}

/// Machines tagged `backup: gold`, at a quarter past midnight, into two regions.
pub const NIGHTLY: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{schedule: cron(15 0 * * ? *), timezone: UTC}]
    replicate: [{region: eu-west-1}, {region: eu-central-1}]
";

/// The same machines whenever they stop.
pub const ON_STOP: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{on: stopped}]
    replicate: [{region: eu-west-1}, {region: eu-central-1}]
";

/// The same machines, into one region.
pub const INTO_IRELAND: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{on: stopped}]
    replicate: [{region: eu-west-1}]
";

/// The same machines, whose images EC2 creates.
pub const CREATED: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{on: tag}]
    image: {method: create-image}
    replicate: [{region: eu-west-1}, {region: eu-central-1}]
";

/// The same machines whenever somebody asks by a tag.
pub const ON_TAG: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{on: tag}]
    replicate: [{region: eu-west-1}, {region: eu-central-1}]
";

/// The same machines, stopped for their images and started again.
pub const STOP_START: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{schedule: cron(15 0 * * ? *), timezone: UTC}]
    consistency: stop-start
    stop_start: {at_once: 1, timeout: 15m}
    replicate: [{region: eu-west-1}, {region: eu-central-1}]
";

/// The same machines whenever they stop, as snapshots and nothing else.
pub const SNAPSHOTS: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{on: stopped}]
    image: {kind: snapshots}
";

/// The same machines, four times a day, into one region.
pub const EVERY_SIX_HOURS: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{schedule: rate(6 hours), timezone: UTC}]
    replicate: [{region: eu-west-1}]
";

/// The same policy, which asks for no point in the time of a scenario.
pub const TWICE_A_YEAR: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{schedule: rate(180 days), timezone: UTC}]
    replicate: [{region: eu-west-1}]
";

/// Returns a policy that leaves to a person what is lost.
pub fn left_to_person(policies: &str) -> String {
    policies.replace("    triggers", "    heal: false\n    triggers")
}

pub struct Scene {
    pub cloud: Cloud,
    pub system: System,
}

/// What a scene starts from; most need none of it changed.
#[derive(Clone, Debug)]
pub struct Stage {
    pub config: Config,
    pub options: system::Options,
}

impl Default for Stage {
    /// As eventual as EC2 has been seen to be, with the published throttles.
    fn default() -> Stage {
        let mut config = Config::seeded(1);
        config.lag = afterimage_cloud::config::Lag::as_observed();
        Stage { config, options: system::Options::default() }
    }
}

/// Plays a scene in a world of its own.
pub fn play<T>(scene: impl AsyncFnOnce(Scene) -> T) -> T {
    play_on(Stage::default(), scene)
}

pub fn play_on<T>(stage: Stage, scene: impl AsyncFnOnce(Scene) -> T) -> T {
    Cloud::run(stage.config, async move |cloud| {
        let system = system::deploy(&cloud, &stage.options)
            .unwrap_or_else(|errors| panic!("the template is refused: {errors}"));
        let told = scene(Scene { cloud: cloud.clone(), system }).await;
        cloud.with(|model| neighbour::assert_shares(model.trace.entries()));
        told
    })
}

/// Machines of `backup: gold` that are launched, alike.
#[derive(Clone, Debug)]
pub struct Launch {
    pub region: &'static str,
    /// The name of a public image, with wildcards.
    pub image: &'static str,
    pub count: i32,
    /// Beside the root.
    pub disks: Vec<ec2::BlockDeviceMapping>,
    /// Whether they can be hibernated, for which their root has to be encrypted.
    pub can_hibernate: bool,
}

impl Default for Launch {
    fn default() -> Launch {
        Launch {
            region: HOME,
            image: "al2023-ami-*-x86_64",
            count: 1,
            disks: Vec::new(),
            can_hibernate: false,
        }
    }
}

/// An image as an administrator lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    pub id: String,
    pub name: String,
    pub state: String,
    /// `REGION/IMAGE` of a copy.
    pub source: Option<String>,
    pub snapshots: Vec<String>,
    pub tags: BTreeMap<String, String>,
}

/// A snapshot as an administrator lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub id: String,
    pub volume: String,
    pub state: String,
    pub tags: BTreeMap<String, String>,
}

/// An item of the ledger: its texts and numbers as they are, its other members as JSON.
pub type Item = BTreeMap<String, String>;

impl Scene {
    /// Puts policies in force, as `afterimage policy apply` does.
    pub async fn policies(&self, yaml: &str) {
        self.system.apply_policies(&self.cloud, yaml).await.unwrap_or_else(|why| panic!("{why}"));
    }

    pub async fn pass(&self, minutes: u64) {
        self.cloud.advance(Duration::from_secs(60 * minutes)).await;
    }

    /// Lets time pass, one step after the other, until something is so: within a bound, or it
    /// fails.
    pub async fn pass_until(
        &self,
        step: Duration,
        bound: Duration,
        is_so: impl AsyncFn(&Scene) -> bool,
    ) {
        let mut passed = Duration::ZERO;
        while !is_so(self).await {
            assert!(passed < bound, "it is not so after {passed:?}");
            self.cloud.advance(step).await;
            passed += step;
        }
    }

    pub fn fault(&self, rule: Rule) {
        self.cloud.with(|model| model.faults.add(rule));
    }

    pub fn ec2(&self, region: &str) -> aws_sdk_ec2::Client {
        aws_sdk_ec2::Client::new(&self.cloud.sdk_config(region))
    }

    /// A running machine of `backup: gold` at home, with so many disks of 8 GiB beside its root.
    pub async fn machine(&self, data_disks: usize) -> String {
        self.launch_one(Launch { disks: disks(data_disks), ..Launch::default() }).await
    }

    /// The same with an encrypted disk under the key of AWS.
    pub async fn encrypted_machine(&self) -> String {
        let disks = vec![disk("/dev/sdf", Some("alias/aws/ebs"))];
        self.launch_one(Launch { disks, ..Launch::default() }).await
    }

    pub async fn launch_one(&self, launch: Launch) -> String {
        let machines = self.launch(launch).await;
        machines.into_iter().next().expect("one was launched")
    }

    /// Launches machines, and waits until they run.
    pub async fn launch(&self, launch: Launch) -> Vec<String> {
        let tags = ec2::TagSpecification::builder()
            .resource_type(ec2::ResourceType::Instance)
            .tags(tag("backup", "gold"))
            .tags(tag("Name", "web"));
        let disks = launch.disks;
        let launched = self
            .ec2(launch.region)
            .run_instances()
            .image_id(self.public_image(launch.region, launch.image).await)
            .instance_type(ec2::InstanceType::T3Micro)
            .min_count(launch.count)
            .max_count(launch.count)
            .tag_specifications(tags.build())
            .set_block_device_mappings((!disks.is_empty()).then_some(disks))
            .set_hibernation_options(launch.can_hibernate.then(hibernation))
            .send()
            .await
            .expect("machines are launched");
        self.pass(1).await;
        let ids = launched.instances().iter().filter_map(|instance| instance.instance_id());
        ids.map(str::to_string).collect()
    }

    async fn public_image(&self, region: &str, name: &str) -> String {
        let filter = ec2::Filter::builder().name("name").values(name).build();
        let images = self.ec2(region).describe_images().owners("amazon").filters(filter);
        let images = images.send().await.expect("public images are listed");
        let image = images.images().first().and_then(|image| image.image_id());
        image.expect("there is such an image").to_string()
    }

    /// Stops a machine and waits until it is stopped.
    pub async fn stop(&self, machine: &str) {
        self.stop_in(HOME, machine).await;
    }

    pub async fn stop_in(&self, region: &str, machine: &str) {
        let stopped = self.ec2(region).stop_instances().instance_ids(machine).send().await;
        stopped.expect("the machine stops");
        self.pass(1).await;
    }

    /// Puts the tag on a machine that asks for a point of it.
    pub async fn ask(&self, region: &str, machine: &str, policy: &str) {
        let tags = self.ec2(region).create_tags().resources(machine);
        tags.tags(tag(TAG_ASK, policy)).send().await.expect("the machine is tagged");
    }

    /// The tags of a machine.
    pub async fn tags_of(&self, region: &str, machine: &str) -> BTreeMap<String, String> {
        let listed = self.ec2(region).describe_instances().instance_ids(machine).send().await;
        let listed = listed.expect("the machine is described");
        tags(listed.reservations()[0].instances()[0].tags())
    }

    pub async fn start(&self, machine: &str) {
        let started = self.ec2(HOME).start_instances().instance_ids(machine).send().await;
        started.expect("the machine starts");
        self.cloud.advance(Duration::from_secs(40)).await;
    }

    /// All images of the account in a region.
    pub async fn images(&self, region: &str) -> Vec<Image> {
        let listed = self.ec2(region).describe_images().owners("self").include_disabled(true);
        let listed = listed.send().await.expect("own images are listed");
        let mut images: Vec<Image> = listed.images().iter().map(image).collect();
        images.sort_by(|a, b| a.name.cmp(&b.name));
        images
    }

    /// Those of them that one could launch from.
    pub async fn available(&self, region: &str) -> Vec<Image> {
        let images = self.images(region).await.into_iter();
        images.filter(|image| image.state == "available").collect()
    }

    /// All snapshots of the account in a region.
    pub async fn snapshots(&self, region: &str) -> Vec<Snapshot> {
        let listed = self.ec2(region).describe_snapshots().owner_ids("self").send().await;
        let listed = listed.expect("own snapshots are listed");
        let mut snapshots: Vec<Snapshot> = listed.snapshots().iter().map(snapshot).collect();
        snapshots.sort_by(|a, b| (&a.volume, &a.id).cmp(&(&b.volume, &b.id)));
        snapshots
    }

    /// The findings that are kept, those that are over among them.
    pub async fn findings(&self) -> Vec<Item> {
        let mut items = self.ledger().await;
        items.retain(|item| item["pk"] == "findings");
        items
    }

    /// Deletes an image as somebody else, with its snapshots or without.
    pub async fn deregister(&self, region: &str, image: &Image, with_snapshots: bool) {
        let call = self.ec2(region).deregister_image().image_id(&image.id);
        let call = call.delete_associated_snapshots(with_snapshots);
        call.send().await.expect("an image is deregistered");
    }

    /// The findings that are not over.
    pub async fn open_findings(&self) -> Vec<Item> {
        let mut findings = self.findings().await;
        findings.retain(|finding| !finding.contains_key("resolved_at"));
        findings
    }

    /// Ends all faults.
    pub fn no_more_faults(&self) {
        self.cloud.with(|model| model.faults.set(Vec::new()));
    }

    /// Every item of the ledger, but for heartbeats and the number of its format.
    pub async fn ledger(&self) -> Vec<Item> {
        let client = aws_sdk_dynamodb::Client::new(&self.cloud.sdk_config(&self.system.seat));
        let mut items = Vec::new();
        let mut from = None;
        loop {
            let page = client.scan().table_name(&self.system.table).consistent_read(true);
            let page = page.set_exclusive_start_key(from).send().await.expect("it is scanned");
            items.extend(page.items().iter().map(texts));
            from = page.last_evaluated_key;
            if from.is_none() {
                items.retain(|item| item["pk"] != HEARTBEATS && item["sk"] != FORMAT);
                return items;
            }
        }
    }

    /// The points in the ledger, in the order of their names.
    pub async fn points(&self) -> Vec<Item> {
        let mut items = self.ledger().await;
        let is_point = |item: &Item| {
            let sk = item.get("sk").map(String::as_str).unwrap_or_default();
            sk.starts_with("point#") && !sk.contains("#replica#") && !sk.ends_with("#downtime")
        };
        items.retain(is_point);
        items.sort_by(|a, b| (&a["pk"], &a["sk"]).cmp(&(&b["pk"], &b["sk"])));
        items
    }

    /// The only point there is.
    pub async fn the_point(&self) -> Item {
        let points = self.points().await;
        assert_eq!(points.len(), 1, "{points:#?}");
        points.into_iter().next().expect("there is one")
    }

    /// What the functions did: every call of theirs, in order, but for heartbeats.
    pub fn calls(&self) -> Vec<Entry> {
        self.cloud.with(|model| {
            let ours = |entry: &&Entry| is_call_of_ours(entry);
            model.trace.entries().iter().filter(ours).cloned().collect()
        })
    }

    /// How often the functions called an action in a region.
    pub fn count(&self, action: &str, region: &str) -> usize {
        self.number_of(|call| call.action == action && call.region == region)
    }

    /// Checks the calls so far as the end of a scene does, and forgets all but those of the last
    /// hour: those of a month take gigabytes.
    pub fn forget_calls(&self) {
        let hour = std::time::Duration::from_secs(3600);
        let at = self.cloud.now() - hour;
        self.cloud.with(|model| {
            neighbour::assert_shares(model.trace.entries());
            model.trace.forget_before(at);
        });
    }

    /// How many calls of the functions are like that, but for heartbeats.
    pub fn number_of(&self, is_like_that: impl Fn(&Entry) -> bool) -> usize {
        self.cloud.with(|model| {
            let ours = |entry: &&Entry| is_call_of_ours(entry);
            model.trace.entries().iter().filter(ours).filter(|call| is_like_that(call)).count()
        })
    }

    /// How the tries of a function ended, first to last.
    pub fn ends(&self, function: &str) -> Vec<Entry> {
        let name = format!("afterimage-{function}");
        let is_of = |entry: &&Entry| entry.what == What::Invocation && entry.action == name;
        self.cloud.with(|model| model.trace.entries().iter().filter(is_of).cloned().collect())
    }

    /// How often each rule for faults has struck.
    pub fn strikes(&self) -> Vec<u64> {
        self.cloud.with(|model| model.faults.strikes())
    }

    /// How many events ended as dead letters, whoever gave them up.
    pub fn dead_letters(&self) -> usize {
        self.cloud.with(|model| sqs::dead_letters(model).as_array().map_or(0, Vec::len))
    }

    /// A point protected in every place: its image, two replicas, and nothing else anywhere.
    pub async fn assert_protected_once(&self, volumes: usize) {
        let point = self.the_point().await;
        assert_eq!(point.get("status").map(String::as_str), Some("protected"), "{point:#?}");
        for region in [HOME, IRELAND, FRANKFURT] {
            let images = self.images(region).await;
            assert_eq!(images.len(), 1, "{region}: {images:#?}");
            assert_eq!(images[0].state, "available", "{region}: {images:#?}");
            let snapshots = self.snapshots(region).await;
            let of_image: BTreeSet<&String> = images[0].snapshots.iter().collect();
            let all: BTreeSet<&String> = snapshots.iter().map(|snapshot| &snapshot.id).collect();
            assert_eq!(of_image, all, "{region}: the snapshots are those of the image");
            assert_eq!(all.len(), volumes, "{region}: one snapshot for each volume");
        }
    }
}

/// Whether a principal is the role of one of the functions, in the session of Lambda.
pub fn is_ours(principal: &str) -> bool {
    principal.contains(":assumed-role/afterimage")
}

fn is_call_of_ours(entry: &Entry) -> bool {
    entry.what == What::Call && is_ours(&entry.principal) && !is_heartbeat(entry)
}

fn image(image: &ec2::Image) -> Image {
    let text = |value: Option<&str>| value.unwrap_or_default().to_string();
    let source = image
        .source_image_id()
        .map(|id| format!("{}/{id}", image.source_image_region().unwrap_or_default()));
    let snapshots = image.block_device_mappings().iter();
    let snapshots = snapshots.filter_map(|device| device.ebs()?.snapshot_id());
    Image {
        id: text(image.image_id()),
        name: text(image.name()),
        state: image.state().map(|state| state.as_str().to_string()).unwrap_or_default(),
        source,
        snapshots: snapshots.map(str::to_string).collect(),
        tags: tags(image.tags()),
    }
}

fn snapshot(snapshot: &ec2::Snapshot) -> Snapshot {
    let text = |value: Option<&str>| value.unwrap_or_default().to_string();
    Snapshot {
        id: text(snapshot.snapshot_id()),
        volume: text(snapshot.volume_id()),
        state: snapshot.state().map(|state| state.as_str().to_string()).unwrap_or_default(),
        tags: tags(snapshot.tags()),
    }
}

fn tags(tags: &[ec2::Tag]) -> BTreeMap<String, String> {
    let text = |value: Option<&str>| value.unwrap_or_default().to_string();
    tags.iter().map(|tag| (text(tag.key()), text(tag.value()))).collect()
}

pub fn tag(key: &str, value: &str) -> ec2::Tag {
    ec2::Tag::builder().key(key).value(value).build()
}

fn hibernation() -> ec2::HibernationOptionsRequest {
    ec2::HibernationOptionsRequest::builder().configured(true).build()
}

/// Disks beside the root, none of them encrypted.
pub fn disks(count: usize) -> Vec<ec2::BlockDeviceMapping> {
    let devices = ["/dev/sdf", "/dev/sdg", "/dev/sdh", "/dev/sdi"];
    devices.iter().take(count).map(|device| disk(device, None)).collect()
}

/// A disk of 8 GiB, under a key or none.
pub fn disk(device: &str, key: Option<&str>) -> ec2::BlockDeviceMapping {
    let ebs = ec2::EbsBlockDevice::builder()
        .volume_size(8)
        .volume_type(ec2::VolumeType::Gp3)
        .delete_on_termination(true)
        .encrypted(key.is_some())
        .set_kms_key_id(key.map(str::to_string))
        .build();
    ec2::BlockDeviceMapping::builder().device_name(device).ebs(ebs).build()
}

fn texts(item: &std::collections::HashMap<String, AttributeValue>) -> Item {
    let text = |value: &AttributeValue| match value {
        AttributeValue::S(text) | AttributeValue::N(text) => text.clone(),
        other => json_of(other).to_string(),
    };
    item.iter().map(|(name, value)| (name.clone(), text(value))).collect()
}

/// A member of an item as JSON, the members of a map in the order of their names.
pub fn json_of(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => Value::from(text.as_str()),
        AttributeValue::N(number) => serde_json::from_str(number).expect("a number"),
        AttributeValue::Bool(value) => Value::from(*value),
        AttributeValue::L(values) => values.iter().map(json_of).collect(),
        AttributeValue::M(members) => {
            let sorted: BTreeMap<&String, &AttributeValue> = members.iter().collect();
            sorted.into_iter().map(|(name, value)| (name.clone(), json_of(value))).collect()
        }
        other => panic!("{other:?} is never written"),
    }
}

/// The codes of a reason, or of a list of findings, in a member of an item; none if it has no such
/// member.
pub fn codes(item: &Item, member: &str) -> Vec<String> {
    let Some(text) = item.get(member) else { return Vec::new() };
    let value: Value = serde_json::from_str(text).expect("a reason or a list of them");
    let reasons = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
    let code = |reason: &Value| reason["code"].as_str().expect("it has a code").to_string();
    reasons.iter().map(code).collect()
}
