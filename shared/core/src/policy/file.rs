//! The policy file: YAML in, policies or everything that is wrong with it out.

use std::collections::BTreeMap;

use super::reader::{self, Group, Problems};
use super::select::Select;
use super::{Consistency, ImageOptions, OnStopped, Policy, Replicate, StopStart, Timed, Trigger};
use crate::ids::{AccountId, PolicyName, REGIONS, Region};
use crate::names::TAG_PREFIX;
use crate::yaml::{self, Node, Position, Problem, Value};

/// Reads a file.
///
/// # Errors
/// Everything that is wrong with it, in the order of its lines.
pub fn read(text: &str) -> Result<Vec<Policy>, Vec<Problem>> {
    let root = yaml::parse(text).map_err(|problem| vec![problem])?;
    let mut problems = Problems::default();
    let policies = whole(&root, &mut problems);
    if problems.0.is_empty() {
        return Ok(policies);
    }
    problems.0.sort();
    problems.0.dedup();
    Err(problems.0)
}

fn whole(root: &Node, problems: &mut Problems) -> Vec<Policy> {
    let Some(mut group) = Group::of(root, "the file", problems) else { return Vec::new() };
    let named = group.need("policies", problems);
    group.finish(problems);
    let Some(named) = named else { return Vec::new() };
    let Value::Map(pairs) = &named.value else {
        let wrong = format!("`policies` must be policies by name, not {}", named.value.noun());
        problems.add(named.at, wrong, "write `gold:` below it, and the policy below that");
        return Vec::new();
    };
    let mut seen: BTreeMap<&str, Position> = BTreeMap::new();
    let mut policies = Vec::new();
    for (key, value) in pairs {
        let Some(name) = reader::text(key, "the name of a policy", problems) else { continue };
        if let Some(first) = seen.insert(name, key.at) {
            let wrong = format!("a second policy is called `{name}` (the first is at {first})");
            problems.add(key.at, wrong, "give each policy a name of its own");
        }
        let read = policy(value, name, problems);
        match PolicyName::parse(name) {
            Ok(name) => policies.extend(read.map(|policy| policy.named(name))),
            Err(error) => problems.add(key.at, error.to_string(), "write a name like gold-daily"),
        }
    }
    policies
}

/// A policy before its name was checked.
struct Body {
    select: Select,
    triggers: Vec<Trigger>,
    image: ImageOptions,
    replicate: Vec<Replicate>,
}

impl Body {
    fn named(self, name: PolicyName) -> Policy {
        let Body { select, triggers, image, replicate } = self;
        Policy {
            name,
            select,
            triggers,
            consistency: Consistency::default(),
            stop_start: StopStart::default(),
            image,
            replicate,
            retain: None,
            rpo_secs: None,
        }
    }
}

fn policy(node: &Node, name: &str, problems: &mut Problems) -> Option<Body> {
    let mut group = Group::of(node, &format!("policy `{name}`"), problems)?;
    let selected = group.need("select", problems);
    let triggered = group.need("triggers", problems);
    let imaged = group.get("image");
    let replicated = group.get("replicate");
    group.finish(problems);
    let select = selected.and_then(|node| select(node, problems));
    let triggers = match triggered {
        Some(node) => {
            let items = reader::list(node, "`triggers`", problems);
            items.iter().filter_map(|item| trigger(item, problems)).collect()
        }
        None => Vec::new(),
    };
    let image = imaged.and_then(|node| image(node, problems)).unwrap_or_default();
    let replicas = replicated.map(|node| replicas(node, problems)).unwrap_or_default();
    let select = select?;
    if let Some(node) = replicated {
        check_replicas(&select, &replicas, node.at, problems);
    }
    Some(Body { select, triggers, image, replicate: replicas })
}

fn select(node: &Node, problems: &mut Problems) -> Option<Select> {
    let mut group = Group::of(node, "`select`", problems)?;
    let regions = group.need("regions", problems);
    let tagged = group.need("tags", problems);
    let excluded = group.get("exclude_tags");
    group.finish(problems);
    let regions: Vec<Region> = match regions {
        Some(node) => {
            let items = reader::list(node, "`regions`", problems);
            items.iter().filter_map(|item| region(item, problems)).collect()
        }
        None => Vec::new(),
    };
    let tags = tagged.map(|node| reader::patterns(node, "`tags`", problems)).unwrap_or_default();
    if let Some(node) = tagged
        && tags.is_empty()
    {
        let what = "`tags` selects nothing, which would mean every machine";
        problems.add(
            node.at,
            what,
            "name at least one tag; `Name: \"*\"` means any machine with a name",
        );
    }
    let exclude_tags =
        excluded.map(|node| reader::patterns(node, "`exclude_tags`", problems)).unwrap_or_default();
    Some(Select { regions, tags, exclude_tags, states: Vec::new() })
}

fn region(node: &Node, problems: &mut Problems) -> Option<Region> {
    let text = reader::text(node, "a region", problems)?;
    match Region::parse(text) {
        Ok(region) => Some(region),
        Err(_) => {
            let same = |name: &&&str| name.get(..3) == text.get(..3);
            let near: Vec<&str> = REGIONS.iter().filter(same).copied().collect();
            let known = if near.is_empty() { REGIONS.join(", ") } else { near.join(", ") };
            let instead = format!("regions are {known}");
            problems.add(node.at, format!("`{text}` is not a region"), instead);
            None
        }
    }
}

fn trigger(node: &Node, problems: &mut Problems) -> Option<Trigger> {
    let mut group = Group::of(node, "a trigger", problems)?;
    let schedule = group.get("schedule");
    let on = group.get("on");
    match (schedule, on) {
        (Some(schedule), None) => timed(schedule, group, problems).map(Trigger::Schedule),
        (None, Some(on)) => stopped(on, group, problems).map(Trigger::Stopped),
        (Some(_), Some(on)) => {
            problems.add(
                on.at,
                "a trigger has either `schedule` or `on`",
                "make two triggers of it",
            );
            None
        }
        (None, None) => {
            let instead = "write `schedule: cron(0 2 * * ? *)` or `on: stopped`";
            problems.add(group.at(), "a trigger needs `schedule` or `on`", instead);
            None
        }
    }
}

fn timed(schedule: &Node, mut group: Group<'_>, problems: &mut Problems) -> Option<Timed> {
    let zone = group.get("timezone");
    group.finish(problems);
    let mut zone_name = "UTC";
    if let Some(node) = zone {
        zone_name = reader::text(node, "`timezone`", problems).unwrap_or(zone_name);
        if let Err(why) = super::zone(zone_name) {
            problems.add(node.at, why, "write one like Asia/Ho_Chi_Minh, Europe/Paris or UTC");
            zone_name = "UTC";
        }
    }
    let text = reader::text(schedule, "`schedule`", problems)?;
    match Timed::new(text, zone_name) {
        Ok(timed) => Some(timed),
        Err(why) => {
            let instead = "write `cron(minutes hours day-of-month month day-of-week year)`, for \
                           instance cron(0 2 * * ? *), or rate(6 hours)";
            problems.add(schedule.at, why, instead);
            None
        }
    }
}

/// A machine that stops and starts all day is imaged once in this time, unless the policy says
/// otherwise.
const MIN_INTERVAL_SECS: u64 = 12 * 3600;

fn stopped(on: &Node, mut group: Group<'_>, problems: &mut Problems) -> Option<OnStopped> {
    let interval = group.get("min_interval");
    group.finish(problems);
    let min_interval_secs = match interval {
        Some(node) => reader::duration(node, "`min_interval`", problems),
        None => Some(MIN_INTERVAL_SECS),
    };
    let event = reader::text(on, "`on`", problems)?;
    if event != "stopped" {
        let what = format!("`on: {event}` is not an event that triggers");
        problems.add(on.at, what, "write `on: stopped`");
        return None;
    }
    Some(OnStopped { min_interval_secs: min_interval_secs? })
}

fn image(node: &Node, problems: &mut Problems) -> Option<ImageOptions> {
    let mut group = Group::of(node, "`image`", problems)?;
    let tagged = group.get("tags");
    let shared = group.get("share");
    group.finish(problems);
    let tags = tagged.map(|node| reader::tags(node, "`tags`", problems)).unwrap_or_default();
    if let Some(node) = tagged
        && let Some(key) = tags.keys().find(|key| is_reserved(key))
    {
        let what = format!("the tag `{key}` is reserved");
        problems.add(node.at, what, "choose keys that begin with neither aws: nor afterimage:");
    }
    let share = shared.map(|node| share(node, problems)).unwrap_or_default();
    Some(ImageOptions { tags, share, ..ImageOptions::default() })
}

fn is_reserved(key: &str) -> bool {
    ["aws:", TAG_PREFIX].iter().any(|prefix| {
        key.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    })
}

fn share(node: &Node, problems: &mut Problems) -> Vec<AccountId> {
    let Some(mut group) = Group::of(node, "`share`", problems) else { return Vec::new() };
    let accounts = group.need("accounts", problems);
    group.finish(problems);
    let Some(accounts) = accounts else { return Vec::new() };
    let items = reader::list(accounts, "`accounts`", problems);
    items.iter().filter_map(|item| account(item, problems)).collect()
}

/// An account id must be quoted: other readers of YAML take it for a number, and lose its zeros.
fn account(node: &Node, problems: &mut Problems) -> Option<AccountId> {
    let text = reader::text(node, "an account id", problems)?;
    let quoted = matches!(&node.value, Value::Scalar { quoted: true, .. });
    if !quoted {
        let what = format!("the account id {text} is not in quotes");
        problems.add(node.at, what, format!("write \"{text}\""));
        return None;
    }
    match AccountId::parse(text) {
        Ok(account) => Some(account),
        Err(error) => {
            problems.add(node.at, error.to_string(), "write its 12 digits in quotes");
            None
        }
    }
}

fn replicas(node: &Node, problems: &mut Problems) -> Vec<Replicate> {
    let mut all: Vec<Replicate> = Vec::new();
    for item in reader::list(node, "`replicate`", problems) {
        let Some(mut group) = Group::of(item, "a replica", problems) else { continue };
        let place = group.need("region", problems);
        let key = group.get("kms_key");
        let deadline = group.get("deadline");
        group.finish(problems);
        let kms_key = key.and_then(|node| reader::text(node, "`kms_key`", problems));
        let deadline_secs =
            deadline.and_then(|node| reader::duration(node, "`deadline`", problems));
        let Some(place) = place else { continue };
        let Some(region) = region(place, problems) else { continue };
        if all.iter().any(|replica| replica.region == region) {
            problems.add(place.at, format!("`{region}` stands here twice"), "keep one of them");
            continue;
        }
        let kms_key = kms_key.map(str::to_string);
        all.push(Replicate { region, kms_key, deadline_secs, retain: None });
    }
    all
}

/// A replica region in which a machine lives is skipped for that machine; every machine must have
/// one left.
fn check_replicas(select: &Select, all: &[Replicate], at: Position, problems: &mut Problems) {
    for home in &select.regions {
        if !all.is_empty() && all.iter().all(|replica| replica.region == *home) {
            let what = format!("no replica region is left for machines in {home}");
            problems.add(at, what, format!("add a region other than {home}"));
        }
    }
}
