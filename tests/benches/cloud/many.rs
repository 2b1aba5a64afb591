//! A region full of images: how long it takes to fill, the memory it needs, and its pages.

use std::time::{Duration, Instant};

use afterimage_cloud::http::Request;
use afterimage_cloud::trace::Recording;
use afterimage_cloud::{Cloud, Config};
use aws_sdk_ec2::Client as Ec2;
use aws_sdk_ec2::types::{
    ArchitectureValues, BlockDeviceMapping, EbsBlockDevice, Filter, InstanceSpecification,
    InstanceType, ResourceType, Tag, TagSpecification,
};
use serde_json::{Map, Value, json};

use crate::in_process::quick;
use crate::memory::resident_mib;
use crate::mix::{HOME, amazon_linux};
use crate::spans::{Spans, seconds};

/// Images made between two moves of the clock.
const BATCH: usize = 50;
const PAGE: i32 = 1_000;
const TIMES: usize = 50;
/// One image in so many has the tag that the filter asks for.
const SLOTS: usize = 50;
const DEVICES: [&str; 2] = ["/dev/xvda", "/dev/xvdb"];

/// The memory and the pages of a region with so many images of one's own.
pub fn measure(images: usize) -> Map<String, Value> {
    Cloud::run(roomy(images), async |cloud| {
        let ec2 = Ec2::new(&cloud.sdk_config(HOME));
        let machine = machine_with_two_disks(&cloud, &ec2).await;
        let before = resident_mib();
        #[expect(clippy::disallowed_methods, reason = "a measurement takes real time")]
        let begun = Instant::now();
        fill(&cloud, &ec2, &machine, images).await;
        let took = begun.elapsed();
        let after = resident_mib();
        let (own_images, own_snapshots) = counts(&cloud);
        let memory = json!({
            "aim_mib": 1024,
            "images": own_images,
            "snapshots": own_snapshots,
            "resident_mib_before": before,
            "resident_mib_after": after,
            "made_in_seconds": seconds(took),
        });
        let mut figures = Map::new();
        figures.insert("memory".into(), memory);
        figures.insert(format!("page_of_{PAGE}_among_{images}_ms"), pages(&cloud, &ec2).await);
        figures
    })
}

/// A world with room for that many images, made as fast as calls can be.
fn roomy(images: usize) -> Config {
    let mut config = quick(Recording::HashOnly);
    config.limits.images_per_region = images.saturating_add(1);
    config.limits.snapshots_per_region = images.saturating_mul(2).saturating_add(2);
    config.limits.pending_snapshots_per_region = usize::MAX;
    config.limits.snapshots_of_volume = usize::MAX;
    config.limits.snapshot_spacing = Duration::ZERO;
    config
}

async fn machine_with_two_disks(cloud: &Cloud, ec2: &Ec2) -> String {
    let ebs = EbsBlockDevice::builder().volume_size(20).build();
    let disk = BlockDeviceMapping::builder().device_name("/dev/sdf").ebs(ebs).build();
    let call = ec2.run_instances().image_id(amazon_linux(ec2).await).block_device_mappings(disk);
    let call = call.instance_type(InstanceType::T3Micro).min_count(1).max_count(1);
    let made = call.send().await.expect("a machine is launched");
    cloud.advance(Duration::from_secs(300)).await;
    let machine = made.instances().first().and_then(|machine| machine.instance_id());
    machine.expect("one was asked for").to_string()
}

/// Makes the images as a backup does: a set of snapshots, then an image of it.
async fn fill(cloud: &Cloud, ec2: &Ec2, machine: &str, images: usize) {
    let mut made = 0;
    while made < images {
        let batch = BATCH.min(images - made);
        let mut sets = Vec::with_capacity(batch);
        for _ in 0..batch {
            sets.push(snapshot_set(ec2, machine).await);
        }
        cloud.advance(Duration::from_secs(3600)).await;
        for set in sets {
            register(ec2, made, &set).await;
            made += 1;
        }
        if made % 5_000 == 0 {
            eprintln!("{made} of {images} images");
        }
    }
    cloud.advance(Duration::from_secs(3600)).await;
}

async fn snapshot_set(ec2: &Ec2, machine: &str) -> Vec<String> {
    let of = InstanceSpecification::builder().instance_id(machine).build();
    let call = ec2.create_snapshots().instance_specification(of).description("nightly");
    let set = call.send().await.expect("a set of snapshots is begun");
    let ids = set.snapshots().iter().filter_map(|one| one.snapshot_id());
    ids.map(str::to_string).collect()
}

/// An image with ten tags.
async fn register(ec2: &Ec2, number: usize, set: &[String]) {
    assert_eq!(set.len(), DEVICES.len());
    let mut call = ec2.register_image().name(format!("backup-{number}"));
    for (device, snapshot) in DEVICES.iter().zip(set) {
        let ebs = EbsBlockDevice::builder().snapshot_id(snapshot).delete_on_termination(true);
        let mapping = BlockDeviceMapping::builder().device_name(*device).ebs(ebs.build());
        call = call.block_device_mappings(mapping.build());
    }
    let mut tags = TagSpecification::builder().resource_type(ResourceType::Image);
    tags = tags.tags(tag("slot", &(number % SLOTS).to_string()));
    for other in 1..10 {
        tags = tags.tags(tag(&format!("backup:field-{other}"), &format!("{number}-{other}")));
    }
    call = call.root_device_name(DEVICES[0]).architecture(ArchitectureValues::X8664);
    call = call.virtualization_type("hvm").ena_support(true).tag_specifications(tags.build());
    call.send().await.expect("an image is registered");
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}

/// What really is there.
fn counts(cloud: &Cloud) -> (usize, usize) {
    cloud.with(|model| {
        let regions = model.ec2.values();
        regions.fold((0, 0), |(images, snapshots), region| {
            (images + region.images.len(), snapshots + region.snapshots.len())
        })
    })
}

/// The first page, one from the middle, and one that a filter picks from all.
async fn pages(cloud: &Cloud, ec2: &Ec2) -> Value {
    eprintln!("pages of {PAGE}");
    let token = middle(ec2).await;
    let slot = Filter::builder().name("tag:slot").values("7").build();
    let first = Asked::default();
    let middle = Asked { token, ..Asked::default() };
    let filtered = Asked { filter: Some(slot), ..Asked::default() };
    json!({
        "aim_optimised": 10,
        "first": first.measure(cloud, ec2).await,
        "middle": middle.measure(cloud, ec2).await,
        "one_in_fifty_by_tag": filtered.measure(cloud, ec2).await,
    })
}

/// The token of the page in the middle of the listing.
async fn middle(ec2: &Ec2) -> Option<String> {
    let mut tokens = Vec::new();
    let mut asked = Asked::default();
    while let Some(token) = asked.send(ec2).await.1 {
        tokens.push(token.clone());
        asked.token = Some(token);
    }
    let half = tokens.len() / 2;
    (half < tokens.len()).then(|| tokens.swap_remove(half))
}

/// A page that is asked for.
#[derive(Default)]
struct Asked {
    token: Option<String>,
    filter: Option<Filter>,
}

impl Asked {
    async fn measure(&self, cloud: &Cloud, ec2: &Ec2) -> Value {
        let (images, _) = self.send(ec2).await;
        let request = self.request();
        let server = Spans::of(TIMES, || {
            cloud.answer(&request);
        });
        let sdk = Spans::of_async(TIMES, async || {
            self.send(ec2).await;
        })
        .await;
        json!({ "images": images, "answered": server.to_json(), "by_sdk": sdk.to_json() })
    }

    /// By the SDK: how many images came, and the token of the next page.
    async fn send(&self, ec2: &Ec2) -> (usize, Option<String>) {
        let call = ec2.describe_images().owners("self").max_results(PAGE);
        let call = call.set_next_token(self.token.clone());
        let call = call.set_filters(self.filter.clone().map(|filter| vec![filter]));
        let found = call.send().await.expect("a page is described");
        (found.images().len(), found.next_token)
    }

    /// The same as it comes to the dispatcher.
    fn request(&self) -> Request {
        let mut body =
            format!("Action=DescribeImages&Version=2016-11-15&Owner.1=self&MaxResults={PAGE}");
        if let Some(token) = &self.token {
            body.push_str(&format!("&NextToken={token}"));
        }
        if let Some(filter) = &self.filter {
            body.push_str(&format!("&Filter.1.Name={}", filter.name().unwrap_or_default()));
            for (at, value) in filter.values().iter().enumerate() {
                body.push_str(&format!("&Filter.1.Value.{}={value}", at + 1));
            }
        }
        let credential = format!("AKIAIOSFODNN7EXAMPLE/20260101/{HOME}/ec2/aws4_request");
        let authorization = format!("AWS4-HMAC-SHA256 Credential={credential}");
        Request {
            method: "POST".to_string(),
            path: "/".to_string(),
            headers: vec![("authorization".to_string(), authorization)],
            body: body.into_bytes(),
            ..Request::default()
        }
    }
}
