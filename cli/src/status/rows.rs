//! What there is to say of each machine under each policy, and in which order.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_core::ids::{InstanceId, PolicyName, Region};
use afterimage_core::status::Status;
use afterimage_core::summary::{Good, Latest, MachineSummary};

/// A machine under one policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub standing: Standing,
    pub instance: InstanceId,
    pub name: Option<String>,
    /// What a person calls it: its name, or its id where that says more.
    pub label: String,
    pub region: Region,
    pub policy: PolicyName,
    /// The newest point that one could recover from.
    pub good: Option<Good>,
    /// The point that was asked for last.
    pub latest: Option<Latest>,
}

/// How the point that was asked for last stands, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It was given up, refused or missed.
    Failed,
    /// Something is in its way, and it will be tried again.
    Waiting,
    UnderWay,
    Protected,
}

impl Standing {
    pub const fn as_str(self) -> &'static str {
        match self {
            Standing::Failed => "failed",
            Standing::Waiting => "waiting",
            Standing::UnderWay => "under way",
            Standing::Protected => "protected",
        }
    }

    fn of(latest: Option<&Latest>) -> Standing {
        let Some(latest) = latest else { return Standing::Protected };
        match latest.status {
            Status::Failed | Status::Refused | Status::Missed => Standing::Failed,
            Status::Protected => Standing::Protected,
            Status::Requested
            | Status::Snapshotting
            | Status::Snapshotted
            | Status::Ready
            | Status::Registering
            | Status::Registered
            | Status::Creating
            | Status::Created
            | Status::Imaged => match latest.reason {
                Some(_) => Standing::Waiting,
                None => Standing::UnderWay,
            },
        }
    }
}

/// Every machine under every policy, in the order in which people should read them.
pub fn rows(fleet: &[MachineSummary]) -> Vec<Row> {
    let mut named: BTreeMap<&str, usize> = BTreeMap::new();
    for name in fleet.iter().filter_map(|machine| machine.name.as_deref()) {
        *named.entry(name).or_default() += 1;
    }
    let mut rows: Vec<Row> = fleet.iter().flat_map(|machine| rows_of(machine, &named)).collect();
    rows.sort_by(|a, b| {
        let key = |row: &Row| (row.standing, row.label.clone(), row.policy.clone());
        key(a).cmp(&key(b))
    });
    rows
}

fn rows_of(machine: &MachineSummary, named: &BTreeMap<&str, usize>) -> Vec<Row> {
    let unique = |name: &&String| named.get(name.as_str()) == Some(&1);
    let label = machine.name.as_ref().filter(unique);
    let label = label.map_or_else(|| machine.instance.to_string(), Clone::clone);
    let policies: BTreeSet<&PolicyName> =
        machine.latest.keys().chain(machine.good.keys()).collect();
    let row = |policy: &PolicyName| {
        let latest = machine.latest.get(policy);
        Row {
            standing: Standing::of(latest),
            instance: machine.instance.clone(),
            name: machine.name.clone(),
            label: label.clone(),
            region: machine.home.clone(),
            policy: policy.clone(),
            good: machine.good.get(policy).cloned(),
            latest: latest.cloned(),
        }
    };
    policies.into_iter().map(row).collect()
}
