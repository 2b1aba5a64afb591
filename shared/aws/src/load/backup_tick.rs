//! Loads for a backup tick. An idle tick costs one read of the ledger. If something is due, the
//! machines of each region with machines to image are listed once.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_core::flow::backup_tick::{Due, Input, due};
use afterimage_core::ids::Region;
use afterimage_core::machine::Instance;

use super::left_out;
use crate::decode::Tick;
use crate::ec2::Find;
use crate::error::Failure;
use crate::{Aws, Context};

/// Reads the due slots, and the machines that may be selected.
///
/// # Errors
/// The ledger cannot be read, or no region of any policy answered. A region that does not answer
/// holds up only its own machines: its slots stay due.
pub async fn backup_tick(aws: &Aws, _tick: Tick, context: &Context) -> Result<Input, Failure> {
    let in_force = aws.ledger.in_force().await?;
    let due = due(&in_force, context.now);
    let homes = in_force.policies.iter().flat_map(|policy| &policy.select.regions);
    let homes: BTreeSet<&Region> = homes.collect();
    let (instances, unread) = instances(aws, &due, homes.len()).await?;
    let unreadable = in_force.unreadable;
    Ok(Input { now: context.now, due, instances, unread, unreadable })
}

/// Returns the machines that may be selected, and the regions that did not answer. `regions` is the
/// number of regions of all policies.
async fn instances(
    aws: &Aws,
    due: &[Due],
    regions: usize,
) -> Result<(Vec<Instance>, BTreeSet<Region>), Failure> {
    let wanted = wanted(due);
    let (mut instances, mut unread) = (Vec::new(), BTreeSet::new());
    for (region, keys) in &wanted {
        let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
        match aws.ec2.instances(region, Find::Tagged(&keys)).await {
            Ok(found) => instances.extend(found),
            Err(failure) => {
                left_out(&failure);
                unread.insert(region.clone());
                if unread.len() == regions {
                    return Err(failure);
                }
            }
        }
    }
    Ok((instances, unread))
}

/// Returns for each region the tag keys by which its machines are found. A machine must have all
/// the keys of a policy, so that the first of them finds every machine that is selected.
fn wanted(due: &[Due]) -> BTreeMap<Region, BTreeSet<&str>> {
    let mut wanted: BTreeMap<Region, BTreeSet<&str>> = BTreeMap::new();
    for due in due.iter().filter(|due| due.has_slots()) {
        let Some(key) = due.policy.select.tags.keys().next() else { continue };
        wanted.entry(due.region.clone()).or_default().insert(key);
    }
    wanted
}
