//! The machine that an argument names: by its id, or by a Name that no other machine has.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_aws::Ec2;
use afterimage_aws::ec2::Find;
use afterimage_core::flow::InForce;
use afterimage_core::ids::{InstanceId, Region};

use crate::Failure;
use crate::stack::{STREAM, Stack};
use crate::text::printable;

/// Collects the regions in which machines of the stack may be: its own, and those of the policies
/// that are or were in force.
pub fn regions(stack: &Stack, in_force: &InForce) -> BTreeSet<Region> {
    let homes = in_force.policies.iter().flat_map(|policy| &policy.select.regions);
    in_force.regions.iter().chain(homes).chain([&stack.region]).cloned().collect()
}

/// Finds the machine that is named. Machines that EC2 shows go before those that only the ledger
/// remembers: a machine that replaces another often has its Name.
///
/// # Errors
/// No machine has the name, or more than one; or EC2 or the ledger does not answer.
pub async fn find(stack: &Stack, in_force: &InForce, named: &str) -> Result<InstanceId, Failure> {
    if let Ok(id) = InstanceId::parse(named) {
        return Ok(id);
    }
    let regions = regions(stack, in_force);
    let mut found = in_ec2(stack, &regions, named).await?;
    if found.is_empty() {
        found = in_ledger(stack, named).await?;
    }
    let mut ids = found.keys();
    match (ids.next(), ids.next()) {
        (Some(id), None) => Ok(id.clone()),
        (None, _) => Err(nobody(named, &regions)),
        (Some(_), Some(_)) => Err(several(named, &found)),
    }
}

/// Machines with that Name, each with what tells it from the others.
type Found = BTreeMap<InstanceId, String>;

async fn in_ec2(stack: &Stack, regions: &BTreeSet<Region>, named: &str) -> Result<Found, Failure> {
    let ec2 = Ec2::new(&stack.config, STREAM);
    let mut found = Found::new();
    for region in regions {
        let instances = ec2.instances(region, Find::Named(named)).await;
        let instances = instances.map_err(|failure| stack.failed(&failure))?;
        for instance in instances.into_iter().filter(|instance| !instance.state.is_gone()) {
            found.insert(instance.id, format!("{region}, {}", instance.state.as_str()));
        }
    }
    Ok(found)
}

async fn in_ledger(stack: &Stack, named: &str) -> Result<Found, Failure> {
    let fleet = stack.ledger().fleet().await.map_err(|failure| stack.failed(&failure))?;
    let named = fleet.into_iter().filter(|machine| machine.name.as_deref() == Some(named));
    Ok(named.map(|machine| (machine.instance, format!("{}, gone", machine.home))).collect())
}

fn nobody(named: &str, regions: &BTreeSet<Region>) -> Failure {
    let regions: Vec<&str> = regions.iter().map(Region::as_str).collect();
    Failure::Input(format!(
        "no machine is named `{}` in {}, and the ledger knows none\n  name a machine by its id \
         (i-...) or by its tag Name",
        printable(named),
        regions.join(", ")
    ))
}

fn several(named: &str, found: &Found) -> Failure {
    let list: Vec<String> = found.iter().map(|(id, place)| format!("{id} ({place})")).collect();
    let number = found.len();
    Failure::Input(format!(
        "{number} machines are named `{}`; name one by its id\n  {}",
        printable(named),
        list.join("\n  ")
    ))
}
