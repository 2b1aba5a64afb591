//! Settings that cannot stand together in one policy: it would fail each time, or never do
//! anything.

use super::body::Body;
use super::reader::Problems;
use crate::ids::Region;
use crate::machine::State;
use crate::policy::{Artefact, Consistency, Method, Trigger};
use crate::yaml::{Node, Position, Value};

/// The keys of AWS: nobody else can be given what is encrypted with them.
const AWS_ALIASES: &str = "alias/aws/";

pub fn check(node: &Node, body: &Body, problems: &mut Problems) {
    replicas(node, body, problems);
    if problems.now.is_some() {
        // A policy that is in force already still images its machines.
        partitions(node, body, problems);
    }
    states(body, problems);
    if body.image.kind == Artefact::Snapshots {
        snapshots_only(node, body, problems);
    }
    if body.image.method == Method::SnapshotRegister && body.consistency == Consistency::Reboot {
        let what = "`method: snapshot-register` cannot reboot the machine, which CreateImage does";
        let instead = "write `method: create-image`, or a `consistency` other than reboot";
        problems.add(place(node, &["image", "method"]), what, instead);
    }
    for (at, replica) in &body.replicate {
        let key = replica.kms_key.as_deref().unwrap_or_default();
        let is_aws = key
            .split_once(":alias/")
            .map_or(key.starts_with(AWS_ALIASES), |(_, name)| name.starts_with("aws/"));
        if is_aws && !body.image.share.is_empty() {
            let what =
                "images that are encrypted with a key of AWS (alias/aws/...) cannot be shared";
            problems.add(*at, what, "name a key of your own, or remove `share`");
        }
    }
}

/// A replica region in which a machine lives is skipped for that machine; every machine must have
/// one left.
fn replicas(node: &Node, body: &Body, problems: &mut Problems) {
    let Some(select) = &body.select else { return };
    for home in &select.regions {
        let is_home = body.replicate.iter().all(|(_, replica)| replica.region == *home);
        if !body.replicate.is_empty() && is_home {
            let what = format!("no replica region is left for machines in {home}");
            let instead = format!("add a region other than {home}");
            problems.add(place(node, &["replicate"]), what, instead);
        }
    }
}

/// Refuses regions of another partition than the first: no account is in two partitions, and
/// nothing can be copied from one to the other.
fn partitions(node: &Node, body: &Body, problems: &mut Problems) {
    let machines = items(node, &["select", "regions"]).into_iter();
    let replicas = items(node, &["replicate"]).into_iter().filter_map(|item| value(item, "region"));
    let regions = machines.chain(replicas);
    let regions = regions.filter_map(|node| Some((node, Region::parse(node.text()?).ok()?)));
    let mut regions = regions.peekable();
    let Some(first) = regions.peek().map(|(_, first)| first.clone()) else { return };
    for (node, region) in regions.filter(|(_, other)| other.partition() != first.partition()) {
        let (is, wanted) = (region.partition(), first.partition());
        let what = format!(
            "{region} is in the partition {is} of AWS, and {first} is in {wanted}: nothing can be \
             copied from one partition to another"
        );
        problems.add(node.at, what, format!("name regions of {wanted} only"));
    }
    for (at, replica) in &body.replicate {
        let key = replica.kms_key.as_deref().and_then(|key| key.strip_prefix("arn:"));
        let Some((partition, _)) = key.and_then(|key| key.split_once(':')) else { continue };
        let wanted = replica.region.partition();
        if partition != wanted {
            let what = format!(
                "a key in the partition {partition} cannot encrypt images in {}",
                replica.region
            );
            problems.add(*at, what, format!("name a key in the partition {wanted}"));
        }
    }
}

/// Refuses `on: stopped` where the states that are selected lack stopped.
fn states(body: &Body, problems: &mut Problems) {
    let Some(select) = &body.select else { return };
    if select.states.is_empty() || select.states.contains(&State::Stopped) {
        return;
    }
    for (at, trigger) in &body.triggers {
        if matches!(trigger, Trigger::Stopped(_)) {
            let what = "`on: stopped` can never trigger: `states` does not name stopped";
            problems.add(*at, what, "add stopped to `states`, or leave one of the two out");
        }
    }
}

fn snapshots_only(node: &Node, body: &Body, problems: &mut Problems) {
    if !body.replicate.is_empty() {
        let what = "`kind: snapshots` leaves no image to replicate";
        let instead = "leave `replicate` out, or write `kind: image`";
        problems.add(place(node, &["replicate"]), what, instead);
    }
    if !body.image.share.is_empty() {
        let what = "`kind: snapshots` leaves no image to share";
        let instead = "leave `share` out, or write `kind: image`";
        problems.add(place(node, &["image", "share"]), what, instead);
    }
    if body.image.method == Method::CreateImage {
        let what = "`method: create-image` makes an image, and `kind: snapshots` asks for none";
        let instead = "leave `method` out, or write `kind: image`";
        problems.add(place(node, &["image", "method"]), what, instead);
    }
    if body.consistency == Consistency::Reboot {
        let what = "`consistency: reboot` needs CreateImage, and `kind: snapshots` makes no image";
        let instead = "write another `consistency`, or `kind: image`";
        problems.add(place(node, &["consistency"]), what, instead);
    }
}

/// Finds the place of the value to which these keys lead.
fn place(node: &Node, path: &[&str]) -> Position {
    let mut node = node;
    for name in path {
        let Some(below) = value(node, name) else { return node.at };
        node = below;
    }
    node.at
}

/// Returns the items of the list to which these keys lead; none where there is no such list.
fn items<'a>(node: &'a Node, path: &[&str]) -> Vec<&'a Node> {
    let below = path.iter().try_fold(node, |node, name| value(node, name));
    match below.map(|node| &node.value) {
        Some(Value::List(items)) => items.iter().collect(),
        _ => Vec::new(),
    }
}

/// Returns the value of a key of a group.
fn value<'a>(node: &'a Node, name: &str) -> Option<&'a Node> {
    let Value::Map(pairs) = &node.value else { return None };
    let pair = pairs.iter().find(|(key, _)| key.text() == Some(name));
    pair.map(|(_, value)| value)
}
