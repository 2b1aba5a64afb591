//! The machines of the status that EC2 no longer shows.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use afterimage_aws::Ec2;
use afterimage_aws::ec2::Find;
use afterimage_core::ids::{InstanceId, Region};

use super::rows::Row;
use crate::failure::chain;
use crate::stack::{STREAM, Stack};

/// Time that EC2 has to answer in one region. A region in trouble must not hold up the status.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Marks each row whose machine is gone. In a region that does not answer nothing is known.
pub async fn mark(stack: &Stack, rows: &mut [Row]) {
    let mut machines: BTreeMap<Region, BTreeSet<InstanceId>> = BTreeMap::new();
    for row in rows.iter() {
        machines.entry(row.region.clone()).or_default().insert(row.instance.clone());
    }
    let ec2 = Ec2::new(&stack.config, STREAM);
    let mut there = BTreeSet::new();
    let mut answered = BTreeSet::new();
    for (region, ids) in machines {
        let ids: Vec<InstanceId> = ids.into_iter().collect();
        let asked = ec2.instances(&region, Find::Ids(&ids));
        let why = match tokio::time::timeout(ANSWER_TIMEOUT, asked).await {
            Ok(Ok(found)) => {
                let found = found.into_iter().filter(|instance| !instance.state.is_gone());
                there.extend(found.map(|instance| instance.id));
                answered.insert(region);
                continue;
            }
            Ok(Err(failure)) => chain(&failure),
            Err(_) => format!("EC2 gave no answer within {} s", ANSWER_TIMEOUT.as_secs()),
        };
        eprintln!("cannot tell which machines in {region} are gone: {why}");
    }
    for row in rows {
        row.gone = answered.contains(&row.region).then(|| !there.contains(&row.instance));
    }
}
