//! The tags of an artefact, in the call that makes it.
//!
//! EC2 takes [`TAGS_MAX`] of them. Three kinds want to be there, and give way in this order, the
//! last first:
//!
//! 1. **ours**, which say all that is needed to know the artefact without the ledger: never;
//! 2. **the policy's**, by their keys;
//! 3. **the machine's own**, where the policy copies them: `Name` first, then by their keys. Never
//!    those of `aws:`, which EC2 refuses, and never those of `afterimage:`, whatever their case.
//!
//! A key that the policy gives is not copied. What had to give way is told, once, as a finding on
//! the point.

use std::collections::BTreeMap;

use crate::grade;
use crate::machine::{Grade, Machine};
use crate::names::{
    FORMAT, MADE_BY, TAG_ATTEMPT, TAG_BY, TAG_DEVICES, TAG_FORMAT, TAG_GRADE, TAG_KIND,
    TAG_LINEAGE, TAG_MACHINE, TAG_POINT, TAG_POLICY, TAG_REPLICAS, TAG_REQUESTED, TAG_SLOT,
    TAG_SOURCE,
};
use crate::point::Point;
use crate::policy::Artefact;
use crate::reason::{Code, Reason};
use crate::slot::Occasion;
use crate::tags::{KEY_MAX, TAGS_MAX, VALUE_MAX, is_reserved};

type Tags = BTreeMap<String, String>;

/// The most keys that are named of those that were left out.
const NAMED_MAX: usize = 5;

/// The tags of the snapshots of a point, in the call that makes them.
pub fn snapshot_tags(point: &Point, attempt: u32) -> Tags {
    fill(of_snapshots(point, attempt), point).0
}

/// The tags of an image, or of a replica and its snapshots.
pub fn image_tags(point: &Point, attempt: u32) -> Tags {
    fill(of_image(point, attempt), point).0
}

/// The one tag that may have to be put right.
pub fn grade_tag(grade: Grade) -> Tags {
    BTreeMap::from([(TAG_GRADE.to_string(), grade.as_str().to_string())])
}

/// Names the tags of the machine or the policy that had to be left out; none if none had to.
pub fn tags_left_out(point: &Point) -> Option<Reason> {
    // Whichever of the two has less room; and neither of them is made, so that the try is none.
    let (_, of_image) = fill(of_image(point, 0), point);
    let (_, of_snapshots) = fill(of_snapshots(point, 0), point);
    let left = if of_image.len() > of_snapshots.len() { of_image } else { of_snapshots };
    if left.is_empty() {
        return None;
    }
    let mut named: Vec<&str> = left.iter().take(NAMED_MAX).map(String::as_str).collect();
    let more = format!("{} more", left.len().saturating_sub(NAMED_MAX));
    if left.len() > NAMED_MAX {
        named.push(&more);
    }
    let named = named.join(", ");
    let text = format!("an artefact has at most {TAGS_MAX} tags; left out: {named}");
    Some(Reason::new(Code::TagsLeftOut, text))
}

fn of_snapshots(point: &Point, attempt: u32) -> Tags {
    let mut tags = ours(point, attempt);
    let volumes = point.machine.iter().flat_map(|machine| &machine.volumes);
    let devices = volumes.map(|volume| format!("{}={}", volume.device, volume.id));
    number(&mut tags, TAG_DEVICES, devices);
    tags
}

fn of_image(point: &Point, attempt: u32) -> Tags {
    let mut tags = ours(point, attempt);
    let places = point.plan.replicate.iter().map(|place| &place.region);
    let regions = places.filter(|region| **region != point.home).map(ToString::to_string);
    number(&mut tags, TAG_REPLICAS, regions);
    tags
}

/// Tags that every artefact of a point carries.
fn ours(point: &Point, attempt: u32) -> Tags {
    let slot = match &point.slot.occasion {
        Occasion::Scheduled(at) => format!("at {at}"),
        Occasion::Stopped { launched } => format!("run {launched}"),
        Occasion::OnDemand { ordinal } => format!("ask {ordinal}"),
    };
    let instance = point.instance();
    let always = [
        (TAG_BY, MADE_BY.to_string()),
        (TAG_POINT, point.id.to_string()),
        (TAG_POLICY, point.slot.policy.to_string()),
        (TAG_SLOT, slot),
        (TAG_SOURCE, instance.to_string()),
        (TAG_LINEAGE, format!("{}/{instance}", point.home)),
        (TAG_ATTEMPT, attempt.to_string()),
        (TAG_REQUESTED, point.requested_at.to_string()),
        (TAG_FORMAT, FORMAT.to_string()),
    ];
    let mut tags = Tags::from(always.map(|(key, value)| (key.to_string(), value)));
    let mut add = |key: &str, value: Option<String>| {
        tags.extend(value.map(|value| (key.to_string(), value)));
    };
    let grade = point.grade.or_else(|| grade::expected(point));
    add(TAG_GRADE, grade.map(|grade| grade.as_str().to_string()));
    add(TAG_MACHINE, point.machine.as_ref().map(machine_words));
    let is_snapshots = point.plan.kind == Artefact::Snapshots;
    add(TAG_KIND, is_snapshots.then(|| "snapshots".to_string()));
    tags
}

/// Facts of a machine that its image does not show.
fn machine_words(machine: &Machine) -> String {
    let instance = &machine.instance;
    let kind = Some(instance.instance_type.as_str()).filter(|kind| !kind.is_empty());
    let mut words = vec![
        kind.unwrap_or("-").to_string(),
        instance.state.as_str().to_string(),
        instance.launched.to_string(),
        machine.build.image.to_string(),
    ];
    words.extend(instance.hibernated.then(|| "hibernated".to_string()));
    words.extend(instance.spot.then(|| "spot".to_string()));
    words.join(" ")
}

/// Words in as few tags as they fit into.
fn number(tags: &mut Tags, key: &str, words: impl Iterator<Item = String>) {
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        let width = word.chars().count();
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + width <= VALUE_MAX => {
                line.push(' ');
                line.push_str(&word);
            }
            _ => lines.push(word),
        }
    }
    tags.extend((1..).zip(lines).map(|(number, line)| (format!("{key}{number}"), line)));
}

/// Ours, and as many of the others as there is room for; and the keys for which there was none.
fn fill(ours: Tags, point: &Point) -> (Tags, Vec<String>) {
    let (mut tags, mut left) = (ours, Vec::new());
    for (key, value) in others(point) {
        if is_reserved(key) || tags.contains_key(key) {
            continue;
        }
        let fits = (1..=KEY_MAX).contains(&key.chars().count())
            && value.chars().count() <= VALUE_MAX
            && tags.len() < TAGS_MAX;
        if fits {
            tags.insert(key.clone(), value.clone());
        } else {
            left.push(key.clone());
        }
    }
    (tags, left)
}

/// The policy's and the machine's, in the order in which they are let in.
fn others(point: &Point) -> impl Iterator<Item = (&String, &String)> {
    let copied = point.machine.iter().filter(|_| point.plan.copy_tags);
    let copied = copied.flat_map(|machine| &machine.instance.tags);
    // What the policy says goes before what the machine says of the same.
    let copied = copied.filter(|(key, _)| !point.plan.tags.contains_key(*key));
    let mut copied: Vec<(&String, &String)> = copied.collect();
    copied.sort_by_key(|(key, _)| (key.as_str() != "Name", *key));
    point.plan.tags.iter().chain(copied)
}
