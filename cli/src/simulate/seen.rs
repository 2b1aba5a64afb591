//! EC2 as it is at a step, read from the model of the embedded cloud, and what `status --json` says
//! of it. Checkers compare the two.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_cloud::Time;
use afterimage_cloud::ec2::state::{self, ImageState, SnapshotState};
use afterimage_cloud::model::{Model, Scope};
use afterimage_core::names::{
    TAG_POINT, TAG_POLICY, TAG_REPLICAS, TAG_REQUESTED, TAG_SLOT, TAG_SOURCE,
};
use jiff::Timestamp;
use serde_json::Value;

use super::history::History;
use super::record::Record;
use super::world::{ACCOUNT, REGIONS, SEAT};

/// A world at a step.
pub struct Seen {
    pub now: Time,
    pub images: Vec<Image>,
    pub snapshots: Vec<Snapshot>,
    pub machines: BTreeMap<String, Machine>,
    /// Answer of `status --json`; none while the seat does not answer.
    pub status: Option<Value>,
    /// Workers that hold a lease, by queue.
    pub leases: BTreeMap<String, String>,
    /// Regions that were dark at any time since the last step.
    pub disturbed: BTreeSet<&'static str>,
}

/// Image with a point in its tags.
#[derive(Clone, Debug)]
pub struct Image {
    pub region: &'static str,
    pub id: String,
    pub state: ImageState,
    /// Available, with all its snapshots, whose keys can all be used.
    pub is_usable: bool,
    /// One of our calls made it.
    pub is_ours: bool,
    pub label: Label,
    /// Regions that should have a replica.
    pub replicas: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct Snapshot {
    pub region: &'static str,
    pub id: String,
    pub is_usable: bool,
    pub is_ours: bool,
    pub label: Label,
}

/// What the tags of an artefact say.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label {
    pub point: String,
    pub policy: String,
    pub machine: String,
    pub slot: String,
    pub requested: Option<Timestamp>,
}

#[derive(Clone, Debug)]
pub struct Machine {
    pub region: &'static str,
    pub state: state::InstanceState,
    pub backup: Option<String>,
}

impl Seen {
    /// Reads EC2. Nothing is known yet of what `status` says, nor of leases.
    pub fn read(model: &Model, record: &Record, history: &History) -> Seen {
        let mut seen = Seen {
            now: model.now,
            images: Vec::new(),
            snapshots: Vec::new(),
            machines: BTreeMap::new(),
            status: None,
            leases: BTreeMap::new(),
            disturbed: BTreeSet::new(),
        };
        for region in REGIONS {
            let Some(ec2) = model.ec2.get(&Scope::new(ACCOUNT, region)) else { continue };
            let can_be_used = |id: &String| {
                ec2.snapshots.get(id).is_some_and(|snapshot| is_usable(snapshot, record))
            };
            for image in ec2.images.values().filter(|image| image.tags.contains_key(TAG_POINT)) {
                let disks = image.devices.iter().filter_map(|device| device.ebs.as_ref());
                let has_all = disks.filter_map(|disk| disk.snapshot_id.as_ref()).all(can_be_used);
                let replicas = image.tags.get(&format!("{TAG_REPLICAS}1")).map(String::as_str);
                seen.images.push(Image {
                    region,
                    id: image.id.clone(),
                    state: image.state,
                    is_usable: image.state == ImageState::Available && has_all,
                    is_ours: history.is_ours(&image.request_id),
                    label: Label::of(&image.tags),
                    replicas: words(replicas.unwrap_or_default()),
                });
            }
            let of_points = |snapshot: &&state::Snapshot| snapshot.tags.contains_key(TAG_POINT);
            for snapshot in ec2.snapshots.values().filter(of_points) {
                seen.snapshots.push(Snapshot {
                    region,
                    id: snapshot.id.clone(),
                    is_usable: is_usable(snapshot, record),
                    is_ours: history.is_ours(&snapshot.request_id),
                    label: Label::of(&snapshot.tags),
                });
            }
            for (id, machine) in &ec2.instances {
                let backup = machine.tags.get("backup").cloned();
                seen.machines.insert(id.clone(), Machine { region, state: machine.state, backup });
            }
        }
        seen
    }

    /// Rows of `status`; none while it does not answer.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        let machines = self.status.as_ref().and_then(|status| status["machines"].as_array());
        machines.into_iter().flatten().map(Row)
    }

    pub fn usable(&self) -> impl Iterator<Item = &Image> {
        self.images.iter().filter(|image| image.is_usable && image.is_ours)
    }

    pub fn has_usable(&self, point: &str, region: &str) -> bool {
        self.usable().any(|image| image.label.point == point && image.region == region)
    }

    /// Tells whether the region or the seat was dark since the last step.
    pub fn is_disturbed(&self, region: &str) -> bool {
        self.disturbed.contains(region) || self.disturbed.contains(SEAT)
    }
}

/// Row of `status`: a machine under a policy.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a>(&'a Value);

impl<'a> Row<'a> {
    pub fn machine(self) -> &'a str {
        self.0["instance"].as_str().unwrap_or_default()
    }

    pub fn policy(self) -> &'a str {
        self.0["policy"].as_str().unwrap_or_default()
    }

    pub fn region(self) -> &'a str {
        self.0["region"].as_str().unwrap_or_default()
    }

    /// Newest good point.
    pub fn good(self) -> Option<&'a Value> {
        Some(&self.0["newest_good"]).filter(|good| good["point"].is_string())
    }

    pub fn taken_at(self) -> Option<Timestamp> {
        self.good()?["taken_at"].as_str()?.parse().ok()
    }

    /// The row in short, for people.
    pub fn text(self) -> String {
        let good = self.good().map(|good| {
            let words = ["point", "image", "replicas", "lost", "home_lost", "withdrawn"];
            let told = words.iter().filter(|word| !good[**word].is_null());
            told.map(|word| format!("{word} {}", good[*word])).collect::<Vec<_>>().join(", ")
        });
        let latest = &self.0["latest"];
        format!(
            "{} {} is {}; good: {}; latest: {} {} {}",
            self.machine(),
            self.policy(),
            self.0["standing"],
            good.unwrap_or_else(|| "none".to_string()),
            latest["point"],
            latest["status"],
            latest["reason"],
        )
    }
}

impl Label {
    pub fn of(tags: &BTreeMap<String, String>) -> Label {
        let text = |key: &str| tags.get(key).cloned().unwrap_or_default();
        Label {
            point: text(TAG_POINT),
            policy: text(TAG_POLICY),
            machine: text(TAG_SOURCE),
            slot: text(TAG_SLOT),
            requested: text(TAG_REQUESTED).parse().ok(),
        }
    }
}

fn is_usable(snapshot: &state::Snapshot, record: &Record) -> bool {
    let key = snapshot.kms_key.as_deref().unwrap_or_default();
    let has_key = !record.disabled_keys.iter().any(|id| key.ends_with(id.as_str()));
    snapshot.state == SnapshotState::Completed && has_key
}

fn words(text: &str) -> Vec<String> {
    text.split([' ', ',']).filter(|word| !word.is_empty()).map(str::to_string).collect()
}
