//! The machines that EC2 shows: those of the status that are gone, and those that a policy selects
//! and that have no point.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use afterimage_aws::Ec2;
use afterimage_aws::ec2::Find;
use afterimage_core::flow::InForce;
use afterimage_core::ids::{InstanceId, Region};
use afterimage_core::machine::Instance;
use afterimage_core::summary::MachineSummary;

use super::rows::{Row, WithoutPoint};
use crate::failure::chain;
use crate::stack::{STREAM, Stack};

/// Time that EC2 has to answer in one region. A region in trouble must not hold up the status.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// The machines that EC2 shows, in the regions that answered.
#[derive(Debug, Default)]
pub struct Shown {
    answered: BTreeSet<Region>,
    there: BTreeMap<InstanceId, Instance>,
    /// A note for each region that did not answer.
    pub unknown: Vec<String>,
}

impl Shown {
    /// Reads the machines of the fleet, and all machines in the regions of policies in force.
    pub async fn read(stack: &Stack, in_force: &InForce, fleet: &[MachineSummary]) -> Shown {
        let selected = in_force.policies.iter().flat_map(|policy| &policy.select.regions);
        let selected: BTreeSet<&Region> = selected.collect();
        let mut machines: BTreeMap<&Region, Vec<InstanceId>> = BTreeMap::new();
        machines.extend(selected.iter().map(|region| (*region, Vec::new())));
        for machine in fleet {
            machines.entry(&machine.home).or_default().push(machine.instance.clone());
        }
        let ec2 = Ec2::new(&stack.config, STREAM);
        let mut shown = Shown::default();
        for (region, ids) in machines {
            let find = if selected.contains(region) { Find::All } else { Find::Ids(&ids) };
            let asked = ec2.instances(region, find);
            let why = match tokio::time::timeout(ANSWER_TIMEOUT, asked).await {
                Ok(Ok(found)) => {
                    let there = found.into_iter().filter(|instance| !instance.state.is_gone());
                    shown.there.extend(there.map(|instance| (instance.id.clone(), instance)));
                    shown.answered.insert(region.clone());
                    continue;
                }
                Ok(Err(failure)) => chain(&failure),
                Err(_) => format!("EC2 gave no answer within {} s", ANSWER_TIMEOUT.as_secs()),
            };
            let unknown =
                format!("cannot tell which machines in {region} are gone or have no point");
            shown.unknown.push(format!("{unknown}: {why}"));
        }
        shown
    }

    /// Returns the machines that a policy in force selects, and that have no point under it.
    pub fn without_point(&self, in_force: &InForce, fleet: &[MachineSummary]) -> Vec<WithoutPoint> {
        let fleet: BTreeMap<&InstanceId, &MachineSummary> =
            fleet.iter().map(|machine| (&machine.instance, machine)).collect();
        let mut without = Vec::new();
        for policy in &in_force.policies {
            for instance in self.there.values() {
                let Instance { id, region, state, tags, .. } = instance;
                let known = fleet.get(id);
                let has_point = known.is_some_and(|known| {
                    known.latest.contains_key(&policy.name) || known.good.contains_key(&policy.name)
                });
                if !has_point && policy.select.obstacles(region, *state, tags).is_empty() {
                    without.push(WithoutPoint {
                        instance: id.clone(),
                        name: instance.name().map(str::to_string),
                        region: region.clone(),
                        policy: policy.name.clone(),
                    });
                }
            }
        }
        without
    }

    /// Marks each row whose machine is gone. In a region that does not answer nothing is known.
    pub fn mark(&self, rows: &mut [Row]) {
        for row in rows {
            let is_known = self.answered.contains(&row.region);
            row.gone = is_known.then(|| !self.there.contains_key(&row.instance));
        }
    }
}
