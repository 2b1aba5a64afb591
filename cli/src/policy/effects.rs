//! Effects of policies that are about to be applied: selected machines, images of machines that are
//! already stopped, and the next run.

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

use crate::stack::STREAM;

/// Effect of one policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Effect {
    pub policy: PolicyName,
    /// Number of selected machines, by region.
    pub machines: BTreeMap<Region, usize>,
    /// Number of selected machines that are already stopped and will be imaged once each.
    pub images_of_stopped: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_run: Option<Run>,
    /// Reason why the policy selects no machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nothing: Option<Reason>,
    /// Machines that the policy nearly selects, each with what is missing.
    pub near_misses: BTreeMap<InstanceId, String>,
}

/// Machines in the regions of policies.
#[derive(Clone, Debug, Default)]
pub struct KnownFleet {
    pub fleet: Fleet,
    /// Summaries in the ledger of the machines that are stopped.
    pub summaries: BTreeMap<InstanceId, afterimage_core::summary::MachineSummary>,
}

/// Lists the machines in the regions of policies.
///
/// # Errors
/// EC2 or the ledger did not answer.
pub async fn read_fleet(
    config: &SdkConfig,
    ledger: &Ledger,
    policies: &[&Policy],
) -> Result<KnownFleet, Failure> {
    let homes = policies.iter().flat_map(|policy| &policy.select.regions);
    let replicas = policies.iter().flat_map(|policy| &policy.replicate).map(|r| &r.region);
    let regions: BTreeSet<&Region> = homes.chain(replicas).collect();
    let ec2 = Ec2::new(config, STREAM);
    let mut known = KnownFleet::default();
    for region in regions {
        let instances = ec2.instances(region, Find::All).await?;
        known.fleet.insert(region.clone(), Complete(instances));
    }
    let stopped = machines(&known.fleet).filter(|instance| instance.state == State::Stopped);
    let stopped: Vec<InstanceId> = stopped.map(|instance| instance.id.clone()).collect();
    known.summaries = ledger.summaries(&stopped).await?;
    Ok(known)
}

fn machines(fleet: &Fleet) -> impl Iterator<Item = &Instance> {
    fleet.values().flat_map(|Complete(instances)| instances)
}

/// Predicts the effects of new policies. A machine that is already stopped counts as one stop,
/// which the sweep will see: the rules of the sweep decide what comes of it.
///
/// `all` are the policies that will be in force together.
pub fn effects(all: &[Policy], new: &[&Policy], known: &KnownFleet, now: Timestamp) -> Vec<Effect> {
    let mut near: BTreeMap<PolicyName, BTreeMap<InstanceId, String>> = BTreeMap::new();
    for instance in machines(&known.fleet) {
        if let Some(miss) = coverage::near_misses(all, instance).into_iter().next() {
            let text = miss.to_string();
            near.entry(miss.policy).or_default().insert(instance.id.clone(), text);
        }
    }
    let effect = |policy: &&Policy| Effect {
        policy: policy.name.clone(),
        machines: selected(policy, &known.fleet),
        images_of_stopped: images_of_stopped(policy, known, now),
        next_run: runs(policy, now, 1).pop(),
        nothing: coverage::nothing(policy, &known.fleet),
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

fn images_of_stopped(policy: &Policy, known: &KnownFleet, now: Timestamp) -> usize {
    let in_force = InForce { policies: vec![policy.clone()], ..InForce::default() };
    let asks = |instance: &&Instance| {
        let summary = known.summaries.get(&instance.id);
        let decision = stop::requests(instance, &in_force, summary, now);
        decision.commands.iter().any(is_request)
    };
    machines(&known.fleet).filter(asks).count()
}

fn is_request(command: &Command) -> bool {
    let Command::Request(change) = command else { return false };
    change.writes.iter().any(|write| matches!(write.record, Record::Point(_)))
}
