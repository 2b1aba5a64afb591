//! The self-check: compares EC2 with the ledger's table at the end of the demo.
//!
//! The check shares nothing with the code that it checks. It reads raw items and raw listings, and
//! knows only those names of the ledger that stand in `docs/`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use afterimage_cloud::Cloud;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_ec2::types::{Image, ImageState};

use crate::Failure;
use crate::demo::fleet::SEAT;
use crate::text::large_count;

/// Result of the check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Statements that hold.
    pub holds: Vec<String>,
    /// Statements that are broken, each with the artefact that breaks it.
    pub broken: Vec<String>,
}

/// Contents of the table, as far as they can be compared with EC2.
#[derive(Debug, Default)]
struct Table {
    points: usize,
    /// Keys of points and replicas that are not finished.
    open: Vec<String>,
    /// Keys of points that have lost their image at home, and of those that have everything.
    lost: Vec<String>,
    protected: Vec<String>,
    /// Images of points and replicas by region, with the keys of their records.
    images: BTreeMap<(String, String), String>,
    snapshots: BTreeSet<String>,
    /// Leftovers of failed attempts: known, but not used.
    leftovers: BTreeSet<String>,
}

/// Compares EC2 in these regions with the table.
///
/// # Errors
/// EC2 or the table cannot be read.
pub async fn check(cloud: &Cloud, table: &str, regions: &[&str]) -> Result<Verdict, Failure> {
    let table = read_table(cloud, table).await?;
    let mut verdict = Verdict::default();
    verdict.record(
        &table.open,
        &format!("{}, all finished", large_count(table.points, "point")),
        "not finished",
    );
    let mut images: BTreeMap<(String, String), Image> = BTreeMap::new();
    let mut snapshots = BTreeSet::new();
    for region in regions {
        for image in own_images(cloud, region).await? {
            let id = image.image_id().unwrap_or_default().to_string();
            images.insert((region.to_string(), id), image);
        }
        snapshots.extend(own_snapshots(cloud, region).await?);
    }
    images_agree(&table, &images, &mut verdict);
    let of_images = images.values().flat_map(snapshots_of).collect::<BTreeSet<String>>();
    let unknown: Vec<String> = snapshots
        .iter()
        .filter(|id| !table.snapshots.contains(*id) && !of_images.contains(*id))
        .filter(|id| !table.leftovers.contains(*id))
        .cloned()
        .collect();
    let holds = format!("{}, all of a point", large_count(snapshots.len(), "snapshot"));
    verdict.record(&unknown, &holds, "snapshot of no point");
    Ok(verdict)
}

impl Verdict {
    fn record(&mut self, broken: &[String], holds: &str, fault: &str) {
        if broken.is_empty() {
            self.holds.push(holds.to_string());
        }
        self.broken.extend(broken.iter().map(|which| format!("{fault}: {which}")));
    }
}

fn images_agree(table: &Table, images: &BTreeMap<(String, String), Image>, verdict: &mut Verdict) {
    let shown = |(region, id): &(String, String)| format!("{id} in {region}");
    let unknown: Vec<String> = images
        .keys()
        .filter(|key| !table.images.contains_key(key) && !table.leftovers.contains(&key.1))
        .map(shown)
        .collect();
    let left = images.keys().filter(|(_, id)| table.leftovers.contains(id)).count();
    let holds = format!(
        "{} in EC2, all in the ledger, {left} of them leftovers of failed attempts",
        large_count(images.len(), "image")
    );
    verdict.record(&unknown, &holds, "image unknown to the ledger");
    let is_there = |key: &(String, String)| {
        images.get(key).is_some_and(|image| image.state() == Some(&ImageState::Available))
    };
    let missing: Vec<String> = table
        .images
        .iter()
        .filter(|(key, _)| !is_there(key))
        .map(|(key, record)| format!("{} of {record}", shown(key)))
        .collect();
    let named = large_count(table.images.len(), "image");
    let holds = format!("{named} of points and replicas, all available");
    verdict.record(&missing, &holds, "image not available");
    let mut made: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for ((region, id), image) in images {
        let tag = image.tags().iter().find(|tag| tag.key() == Some("afterimage:point"));
        let point = tag.and_then(|tag| tag.value()).unwrap_or_default();
        if !table.leftovers.contains(id) {
            made.entry((point.to_string(), region.clone())).or_default().push(id.clone());
        }
    }
    let double: Vec<String> = made
        .into_iter()
        .filter(|(_, ids)| ids.len() > 1)
        .map(|((point, region), ids)| format!("{point} in {region}: {}", ids.join(", ")))
        .collect();
    verdict.record(&double, "no point with two images in one region", "two images of one point");
}

async fn own_images(cloud: &Cloud, region: &str) -> Result<Vec<Image>, Failure> {
    let client = aws_sdk_ec2::Client::new(&cloud.sdk_config(region));
    let pages = client.describe_images().owners("self").into_paginator().page_size(1000);
    pages.items().send().collect::<Result<Vec<Image>, _>>().await.map_err(Failure::unexpected)
}

async fn own_snapshots(cloud: &Cloud, region: &str) -> Result<Vec<String>, Failure> {
    let client = aws_sdk_ec2::Client::new(&cloud.sdk_config(region));
    let pages = client.describe_snapshots().owner_ids("self").into_paginator().page_size(1000);
    let all =
        pages.items().send().collect::<Result<Vec<_>, _>>().await.map_err(Failure::unexpected)?;
    Ok(all.iter().filter_map(|snapshot| snapshot.snapshot_id().map(str::to_string)).collect())
}

fn snapshots_of(image: &Image) -> Vec<String> {
    let disks = image.block_device_mappings().iter().filter_map(|mapping| mapping.ebs());
    disks.filter_map(|ebs| ebs.snapshot_id().map(str::to_string)).collect()
}

async fn read_table(cloud: &Cloud, table: &str) -> Result<Table, Failure> {
    let client = aws_sdk_dynamodb::Client::new(&cloud.sdk_config(SEAT));
    let pages = client.scan().table_name(table).consistent_read(true).into_paginator();
    let items =
        pages.items().send().collect::<Result<Vec<_>, _>>().await.map_err(Failure::unexpected)?;
    let mut read = Table::default();
    for item in &items {
        read.take(item);
    }
    let is_newer = |key: &String, than: &String| {
        let (line, time) = than.rsplit_once('-').unwrap_or_default();
        key.rsplit_once('-').is_some_and(|(of, at)| of == line && at > time)
    };
    let to_heal = read.lost.iter().filter(|lost| {
        let mut protected = read.protected.iter();
        !protected.any(|other| is_newer(other, lost))
    });
    read.open.extend(to_heal.map(|key| format!("{key} is imaged")));
    Ok(read)
}

type Item = HashMap<String, AttributeValue>;

impl Table {
    fn take(&mut self, item: &Item) {
        let key = text(item, "sk");
        if !key.starts_with("point#") {
            return;
        }
        let is_replica = key.contains("#replica#");
        let (ends, place): (&[&str], _) = if is_replica {
            (&["available", "failed", "lost", "withdrawn"], "region")
        } else {
            self.points += 1;
            (&["protected", "refused", "missed", "failed", "lost", "withdrawn"], "home")
        };
        let status = text(item, "status");
        // A point that lost its place at home is to be healed, unless a newer one is good.
        let has_lost = status == "imaged" && text(item, "home_place") == "lost";
        if has_lost {
            self.lost.push(key.to_string());
        } else if !ends.contains(&status) {
            self.open.push(format!("{key} is {status}"));
        }
        if status == "protected" {
            self.protected.push(key.to_string());
        }
        if let Some(AttributeValue::S(image)) = item.get("image") {
            let place = text(item, place).to_string();
            self.images.insert((place, image.clone()), key.to_string());
        }
        if let Some(AttributeValue::M(snapshots)) = item.get("snapshots") {
            let ids = snapshots.values().filter_map(|id| id.as_s().ok());
            self.snapshots.extend(ids.cloned());
        }
        if let Some(AttributeValue::L(leftovers)) = item.get("leftovers") {
            let ids = leftovers.iter().filter_map(|id| id.as_s().ok());
            self.leftovers.extend(ids.cloned());
        }
    }
}

fn text<'i>(item: &'i Item, name: &str) -> &'i str {
    match item.get(name) {
        Some(AttributeValue::S(text)) => text,
        _ => "",
    }
}
