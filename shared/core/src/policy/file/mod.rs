//! The policy file: YAML in, policies or everything that is wrong with it out.
//!
//! `docs/policies.md` says what each key means, and is held to what is read here. One file for each
//! group of keys; [`combine`] looks at what cannot stand together.

mod body;
mod combine;
mod image;
mod reader;
mod replicate;
mod retain;
mod select;
mod triggers;

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Consistency, Policy, StopStart};
use crate::ids::{AccountId, PolicyName};
use crate::yaml::{self, Node, Position, Problem, Value};
use body::Body;
use reader::{Group, Problems};

/// Reads a file, whenever it was written: its schedules may be over.
///
/// # Errors
/// Everything that is wrong with it, in the order of its lines.
pub fn read(text: &str) -> Result<Vec<Policy>, Vec<Problem>> {
    read_with(text, Problems::default())
}

/// Reads a file that is to be put in force now, by the stack of this account if it is known.
///
/// # Errors
/// Everything that is wrong with it, in the order of its lines. A schedule that never comes again
/// is wrong too, and so is a key of another account.
pub fn read_at(
    text: &str,
    now: Timestamp,
    stack: Option<&AccountId>,
) -> Result<Vec<Policy>, Vec<Problem>> {
    read_with(text, Problems { now: Some(now), stack: stack.cloned(), ..Problems::default() })
}

fn read_with(text: &str, mut problems: Problems) -> Result<Vec<Policy>, Vec<Problem>> {
    let root = yaml::parse(text).map_err(|problem| vec![problem])?;
    let policies = whole(&root, &mut problems);
    if problems.found.is_empty() {
        return Ok(policies);
    }
    problems.found.sort();
    problems.found.dedup();
    Err(problems.found)
}

fn whole(root: &Node, problems: &mut Problems) -> Vec<Policy> {
    let Some(mut group) = Group::of(root, "the file", problems) else { return Vec::new() };
    let named = group.need("policies", problems);
    group.finish(problems);
    let Some(named) = named else { return Vec::new() };
    let Value::Map(pairs) = &named.value else {
        let found = reader::noun(named);
        let wrong = format!("`policies` must be policies by name, not {found}");
        problems.add(
            named.at,
            wrong,
            "write the name of a policy below it, and the policy below that",
        );
        return Vec::new();
    };
    let mut seen: BTreeMap<&str, Position> = BTreeMap::new();
    let mut policies = Vec::new();
    for (key, value) in pairs {
        let Some(name) = reader::text(key, "the name of a policy", problems) else { continue };
        if let Some(first) = seen.insert(name, key.at) {
            let wrong = format!("policy `{name}` is defined twice (first at {first})");
            problems.add(key.at, wrong, "give each policy a name of its own");
        }
        let read = body(value, name, problems);
        match PolicyName::parse(name) {
            Ok(name) => policies.extend(read.and_then(|body| body.named(name))),
            Err(error) => problems.add(key.at, error.to_string(), "write a name like gold-daily"),
        }
    }
    policies
}

fn body(node: &Node, name: &str, problems: &mut Problems) -> Option<Body> {
    let mut group = Group::of(node, &format!("policy `{name}`"), problems)?;
    let selected = group.need("select", problems);
    let triggered = group.need("triggers", problems);
    let consistent = group.get("consistency");
    let stopped = group.get("stop_start");
    let imaged = group.get("image");
    let replicated = group.get("replicate");
    let healed = group.get("heal");
    let retained = group.get("retain");
    let rpo = group.get("rpo");
    group.finish(problems);
    let consistency = consistent.and_then(|node| consistency(node, problems));
    let heal = healed.and_then(|node| reader::flag(node, "`heal`", problems));
    let body = Body {
        select: selected.and_then(|node| select::read(node, problems)),
        triggers: triggered.map(|node| triggers::read(node, problems)).unwrap_or_default(),
        consistency: consistency.unwrap_or_default(),
        stop_start: stopped.and_then(|node| stop_start(node, problems)).unwrap_or_default(),
        image: imaged.and_then(|node| image::read(node, problems)).unwrap_or_default(),
        replicate: replicated.map(|node| replicate::read(node, problems)).unwrap_or_default(),
        heal: heal.unwrap_or(true),
        retain: retained.and_then(|node| retain::read(node, problems)),
        rpo_secs: rpo.and_then(|node| reader::duration(node, "`rpo`", problems)),
    };
    combine::check(node, &body, problems);
    Some(body)
}

fn consistency(node: &Node, problems: &mut Problems) -> Option<Consistency> {
    let choices = [
        ("at-rest", Consistency::AtRest),
        ("stop-start", Consistency::StopStart),
        ("reboot", Consistency::Reboot),
        ("crash", Consistency::Crash),
    ];
    reader::choice(node, "`consistency`", &choices, problems)
}

/// The most machines that a policy may have down at once: more would be an outage.
const AT_ONCE_MAX: u32 = 1000;

/// Below a minute even a machine that is well is started again before it has stopped; whoever
/// waits for two hours waits for a person.
const TIMEOUT_BOUNDS_SECS: (u64, u64) = (60, 7200);

fn stop_start(node: &Node, problems: &mut Problems) -> Option<StopStart> {
    let mut group = Group::of(node, "`stop_start`", problems)?;
    let at_once = group.get("at_once");
    let timeout = group.get("timeout");
    group.finish(problems);
    let mut read = StopStart::default();
    if let Some(node) = at_once {
        let number = reader::number(node, "`at_once`", 1..=AT_ONCE_MAX, problems);
        read.at_once = number.unwrap_or(read.at_once);
    }
    if let Some(node) = timeout {
        let secs = reader::duration_within(node, "`timeout`", TIMEOUT_BOUNDS_SECS, problems);
        read.timeout_secs = secs.unwrap_or(read.timeout_secs);
    }
    Some(read)
}
