//! What policies will set going: machines, images of those that are stopped already, the next run.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_aws::ec2::Find;
use afterimage_aws::{Ec2, Failure, Ledger};
use afterimage_core::command::{Command, Record};
use afterimage_core::flow::coverage::{self, Fleet};
use afterimage_core::flow::{InForce, stop};
use afterimage_core::ids::{InstanceId, PolicyName, Region};
use afterimage_core::machine::{Instance, State};
use afterimage_core::observed::Complete;
use afterimage_core::policy::Policy;
use afterimage_core::policy::next::{Run, runs};
use afterimage_core::reason::Reason;
use aws_types::SdkConfig;
use jiff::Timestamp;
use serde::Serialize;

use crate::place::STREAM;

/// What one policy will set going.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Effect {
    pub policy: PolicyName,
    /// How many machines it selects, by region.
    pub machines: BTreeMap<Region, usize>,
    /// Of those, how many are stopped already and will be imaged, each once.
    pub images_of_stopped: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_run: Option<Run>,
    /// Why it selects nothing, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nothing: Option<Reason>,
    /// Machines that it nearly selects, by what they are.
    pub near_misses: BTreeMap<InstanceId, String>,
}

/// What is looked at to say so.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub fleet: Fleet,
    /// Those of the machines that are stopped, and what the ledger has of them.
    pub summaries: BTreeMap<InstanceId, afterimage_core::summary::MachineSummary>,
}

/// Lists the machines in the regions of policies.
///
/// # Errors
/// EC2 or the ledger did not answer.
pub async fn look(
    config: &SdkConfig,
    ledger: &Ledger,
    policies: &[&Policy],
) -> Result<Seen, Failure> {
    let homes = policies.iter().flat_map(|policy| &policy.select.regions);
    let replicas = policies.iter().flat_map(|policy| &policy.replicate).map(|r| &r.region);
    let regions: BTreeSet<&Region> = homes.chain(replicas).collect();
    let ec2 = Ec2::new(config, STREAM);
    let mut seen = Seen::default();
    for region in regions {
        let instances = ec2.instances(region, Find::All).await?;
        seen.fleet.insert(region.clone(), Complete(instances));
    }
    let stopped = machines(&seen.fleet).filter(|instance| instance.state == State::Stopped);
    let stopped: Vec<InstanceId> = stopped.map(|instance| instance.id.clone()).collect();
    seen.summaries = ledger.summaries(&stopped).await?;
    Ok(seen)
}

fn machines(fleet: &Fleet) -> impl Iterator<Item = &Instance> {
    fleet.values().flat_map(|Complete(instances)| instances)
}

/// What these policies will set going. Machines that are stopped already count as one stop each,
/// which the sweep will see: what it will make of them is asked of its own rules.
///
/// `all` are those that will be in force together.
pub fn effects(all: &[Policy], new: &[&Policy], seen: &Seen, now: Timestamp) -> Vec<Effect> {
    let mut near: BTreeMap<PolicyName, BTreeMap<InstanceId, String>> = BTreeMap::new();
    for instance in machines(&seen.fleet) {
        if let Some(miss) = coverage::near_misses(all, instance).into_iter().next() {
            let told = miss.to_string();
            near.entry(miss.policy).or_default().insert(instance.id.clone(), told);
        }
    }
    let effect = |policy: &&Policy| Effect {
        policy: policy.name.clone(),
        machines: selected(policy, &seen.fleet),
        images_of_stopped: images_of_stopped(policy, seen, now),
        next_run: runs(policy, now, 1).pop(),
        nothing: coverage::nothing(policy, &seen.fleet),
        near_misses: near.get(&policy.name).cloned().unwrap_or_default(),
    };
    new.iter().map(effect).collect()
}

fn selected(policy: &Policy, fleet: &Fleet) -> BTreeMap<Region, usize> {
    let select = &policy.select;
    let count = |region: &Region| {
        let Complete(instances) = fleet.get(region)?;
        let is_selected =
            |instance: &&Instance| select.selects(region, instance.state, &instance.tags);
        Some((region.clone(), instances.iter().filter(is_selected).count()))
    };
    select.regions.iter().filter_map(count).collect()
}

fn images_of_stopped(policy: &Policy, seen: &Seen, now: Timestamp) -> usize {
    let in_force = InForce { policies: vec![policy.clone()], ..InForce::default() };
    let asks = |instance: &&Instance| {
        let summary = seen.summaries.get(&instance.id);
        let decision = stop::requests(instance, &in_force, summary, now);
        decision.commands.iter().any(is_request)
    };
    machines(&seen.fleet).filter(asks).count()
}

fn is_request(command: &Command) -> bool {
    let Command::Request(change) = command else { return false };
    change.writes.iter().any(|write| matches!(write.record, Record::Point(_)))
}
