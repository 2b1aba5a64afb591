//! The machines that are stopped already when a policy is applied.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_aws::ec2::Find;
use afterimage_aws::{Ec2, Failure, Ledger};
use afterimage_core::command::{Command, Record};
use afterimage_core::flow::{InForce, stop};
use afterimage_core::ids::{InstanceId, PolicyName, Region};
use afterimage_core::policy::{Policy, Trigger};
use aws_types::SdkConfig;
use jiff::Timestamp;

use super::apply::Applied;
use crate::place::STREAM;

/// How many machines that are stopped already will be imaged, for each policy that changed: each
/// counts as one stop. The sweep will ask for them, by the same rules.
///
/// # Errors
/// EC2 or the ledger did not answer.
pub async fn count(
    config: &SdkConfig,
    ledger: &Ledger,
    applied: &Applied,
    policies: &[Policy],
    now: Timestamp,
) -> Result<BTreeMap<PolicyName, usize>, Failure> {
    let is_new = |policy: &&Policy| {
        let on_stopped = |trigger: &Trigger| matches!(trigger, Trigger::Stopped(_));
        policy.triggers.iter().any(on_stopped)
            && !applied.unchanged.iter().any(|name| name == policy.name.as_str())
    };
    let new: Vec<Policy> = policies.iter().filter(is_new).cloned().collect();
    let homes: BTreeSet<Region> =
        new.iter().flat_map(|policy| policy.select.regions.clone()).collect();
    let ec2 = Ec2::new(config, STREAM);
    let mut instances = Vec::new();
    for region in homes {
        instances.extend(ec2.instances(&region, Find::Stopped).await?);
    }
    let ids: Vec<InstanceId> = instances.iter().map(|instance| instance.id.clone()).collect();
    let summaries = ledger.summaries(&ids).await?;
    let in_force = InForce { policies: new, ..InForce::default() };
    let mut count = BTreeMap::new();
    for instance in &instances {
        let decision = stop::requests(instance, &in_force, summaries.get(&instance.id), now);
        for policy in decision.commands.iter().filter_map(requested) {
            *count.entry(policy).or_insert(0) += 1;
        }
    }
    Ok(count)
}

/// The policy of a point that is asked for.
fn requested(command: &Command) -> Option<PolicyName> {
    let Command::Request(change) = command else { return None };
    change.writes.iter().find_map(|write| match &write.record {
        Record::Point(point) => Some(point.slot.policy.clone()),
        Record::Replica(_) | Record::Downtime(_) | Record::Roster(_) | Record::Asked(_) => None,
    })
}
