//! Rows of the status: each machine under each policy, the most urgent first.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_core::ids::{InstanceId, PolicyName, Region};
use afterimage_core::status::{Phase, Status};
use afterimage_core::summary::{Good, Latest, MachineSummary};

use crate::text::printable;

/// Machine under one policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub standing: Standing,
    pub instance: InstanceId,
    pub name: Option<String>,
    /// Name of the machine, made printable, or its id where the name is missing or not unique.
    pub label: String,
    pub region: Region,
    /// True if EC2 no longer shows the machine; none where nobody asked, or got no answer.
    pub gone: Option<bool>,
    pub policy: PolicyName,
    /// Newest point to recover from.
    pub good: Option<Good>,
    /// Point that was requested last.
    pub latest: Option<Latest>,
}

/// State of the point that was requested last, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// An artefact of the newest good point is gone or of no use, or the point itself is lost.
    Lost,
    /// The point was given up, refused or missed.
    Failed,
    /// The point is held up for a reason, and is tried again.
    Waiting,
    UnderWay,
    /// Nobody wanted the point any more before it had begun.
    Withdrawn,
    Protected,
}

impl Standing {
    pub const fn as_str(self) -> &'static str {
        match self {
            Standing::Lost => "lost",
            Standing::Failed => "failed",
            Standing::Waiting => "waiting",
            Standing::UnderWay => "under way",
            Standing::Withdrawn => "withdrawn",
            Standing::Protected => "protected",
        }
    }

    fn of(latest: Option<&Latest>, good: Option<&Good>) -> Standing {
        let is_lost = latest.is_some_and(|latest| latest.status == Status::Lost);
        if is_lost || good.is_some_and(|good| !good.lost.is_empty()) {
            return Standing::Lost;
        }
        let Some(latest) = latest else { return Standing::Protected };
        match latest.status.phase() {
            Phase::Ended if latest.status == Status::Withdrawn => Standing::Withdrawn,
            Phase::Ended => Standing::Failed,
            _ if latest.status == Status::Protected => Standing::Protected,
            _ if latest.reason.is_some() => Standing::Waiting,
            _ => Standing::UnderWay,
        }
    }
}

/// Makes the rows of a fleet, in the order in which people should read them.
pub fn rows(fleet: &[MachineSummary]) -> Vec<Row> {
    let mut machines_of_name: BTreeMap<String, usize> = BTreeMap::new();
    for name in fleet.iter().filter_map(|machine| machine.name.as_deref().map(printable)) {
        *machines_of_name.entry(name).or_default() += 1;
    }
    let mut rows: Vec<Row> =
        fleet.iter().flat_map(|machine| rows_of(machine, &machines_of_name)).collect();
    rows.sort_by(|a, b| {
        let key = |row: &Row| (row.standing, row.label.clone(), row.policy.clone());
        key(a).cmp(&key(b))
    });
    rows
}

fn rows_of(machine: &MachineSummary, machines_of_name: &BTreeMap<String, usize>) -> Vec<Row> {
    let unique = |name: &String| machines_of_name.get(name) == Some(&1);
    let label = machine.name.as_deref().map(printable).filter(unique);
    let label = label.unwrap_or_else(|| machine.instance.to_string());
    let policies: BTreeSet<&PolicyName> =
        machine.latest.keys().chain(machine.good.keys()).collect();
    let row = |policy: &PolicyName| {
        let (latest, good) = (machine.latest.get(policy), machine.good.get(policy));
        Row {
            standing: Standing::of(latest, good),
            instance: machine.instance.clone(),
            name: machine.name.clone(),
            label: label.clone(),
            region: machine.home.clone(),
            gone: None,
            policy: policy.clone(),
            good: good.cloned(),
            latest: latest.cloned(),
        }
    };
    policies.into_iter().map(row).collect()
}
