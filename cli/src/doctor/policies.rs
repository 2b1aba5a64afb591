//! The policies in force: they can be read, their regions can be used, and what they keep does not
//! all lie in one part of the world.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_aws::Ec2;
use afterimage_core::flow::InForce;
use afterimage_core::ids::Region;
use afterimage_core::policy::Policy;

use super::line::{Line, answer, or_ok};
use crate::stack::{STREAM, Stack};
use crate::text::count;

const POLICIES: &str = "policies";
const REGIONS: &str = "regions";
const REPLICAS: &str = "replicas";

/// Looks if policies are in force, and if all of them can be read.
pub fn policies(in_force: &InForce) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for unreadable in &in_force.unreadable {
        let found = format!(
            "policy {} cannot be read, and is not in force: {}",
            unreadable.name, unreadable.why
        );
        let to_do = "apply it again with this version: `afterimage policy apply FILE`";
        lines.push(Line::fail(POLICIES, found, to_do));
    }
    let names: Vec<&str> = in_force.policies.iter().map(|policy| policy.name.as_str()).collect();
    if names.is_empty() && lines.is_empty() {
        let to_do = "apply a policy file: `afterimage policy apply FILE`";
        lines.push(Line::warn(POLICIES, "no policy is in force: no machine is protected", to_do));
    }
    or_ok(lines, POLICIES, format!("in force: {}", names.join(", ")))
}

/// Returns the regions that policies name, each with the policies.
pub fn named(in_force: &InForce) -> BTreeMap<&Region, BTreeSet<&str>> {
    let mut named: BTreeMap<&Region, BTreeSet<&str>> = BTreeMap::new();
    for policy in &in_force.policies {
        let replicas = policy.replicate.iter().map(|replica| &replica.region);
        for region in policy.select.regions.iter().chain(replicas) {
            named.entry(region).or_default().insert(policy.name.as_str());
        }
    }
    named
}

/// Looks if the account may use the regions that policies name. Returns those that it may not use.
pub async fn regions(stack: &Stack, in_force: &InForce) -> (Vec<Line>, BTreeSet<Region>) {
    let named = named(in_force);
    if named.is_empty() {
        return (Vec::new(), BTreeSet::new());
    }
    let ec2 = Ec2::new(&stack.config, STREAM);
    let enabled = match answer(ec2.regions()).await {
        Ok(enabled) => enabled,
        Err(why) => {
            let found = format!("cannot tell which regions the account may use: {why}");
            let to_do = why.to_do("allow these credentials ec2:DescribeRegions");
            return (vec![Line::not_made(REGIONS, found, to_do)], BTreeSet::new());
        }
    };
    let missing = named.iter().filter(|(region, _)| !enabled.contains(region));
    let unusable = missing.clone().map(|(region, _)| (*region).clone()).collect();
    let line = |(region, policies): (&&Region, &BTreeSet<&str>)| {
        let policies: Vec<&str> = policies.iter().copied().collect();
        let found =
            format!("the account may not use {region}, which policy {} names", policies.join(", "));
        let to_do = "enable the region for the account, or take it out of the policy";
        Line::fail(REGIONS, found, to_do)
    };
    let lines = missing.map(line).collect();
    let count = count(named.len(), "region");
    let lines = or_ok(lines, REGIONS, format!("the account may use the {count} of the policies"));
    (lines, unusable)
}

/// Part of the world of a region: `eu` of `eu-west-1`.
fn part_of_world(region: &Region) -> &str {
    region.as_str().split('-').next().unwrap_or_default()
}

/// Looks if each policy keeps something in another part of the world.
pub fn geography(in_force: &InForce) -> Vec<Line> {
    if in_force.policies.is_empty() {
        return Vec::new();
    }
    let lines = in_force.policies.iter().filter_map(of_policy).collect();
    or_ok(lines, REPLICAS, "every policy keeps copies in another part of the world")
}

fn of_policy(policy: &Policy) -> Option<Line> {
    let is_near = |home: &&Region| {
        let replicas = policy.replicas_for(home);
        replicas.iter().all(|to| part_of_world(&to.region) == part_of_world(home))
    };
    let near: Vec<&Region> = policy.select.regions.iter().filter(is_near).collect();
    let first = near.first()?;
    let homes: Vec<&str> = near.iter().map(|home| home.as_str()).collect();
    let (name, homes) = (&policy.name, homes.join(", "));
    let replicas: Vec<&str> =
        policy.replicas_for(first).iter().map(|replica| replica.region.as_str()).collect();
    let found = match replicas.is_empty() {
        true => format!("policy {name} keeps no copy of machines in {homes} in another region"),
        false => format!(
            "policy {name} keeps everything of machines in {homes} in one part of the world: \
             copies only in {}",
            replicas.join(", ")
        ),
    };
    let to_do = "add a region of another part of the world to `replicate`, unless a rule of yours \
                 forbids it";
    Some(Line::warn(REPLICAS, found, to_do))
}
