//! Rows of the status: each machine under each policy, the most urgent first.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_core::ids::{InstanceId, PolicyName, Region};
use afterimage_core::status::{Phase, Status};
use afterimage_core::summary::{Good, Latest, MachineSummary};

use crate::held_up::{AllHeldUp, HeldUp};
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
    /// What obstacles hold up of that point.
    pub held_up: Vec<HeldUp>,
}

/// Machine that a policy in force selects, and that has no point under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WithoutPoint {
    pub instance: InstanceId,
    pub name: Option<String>,
    pub region: Region,
    pub policy: PolicyName,
}

/// State of the point that was requested last, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// An artefact of the point, or of the newest good one, is gone or of no use, or the point
    /// itself is lost.
    Lost,
    /// The point was given up, refused or missed.
    Failed,
    /// The point is held up for a reason, and is tried again.
    Waiting,
    /// A policy selects the machine, and no point was requested yet.
    NoPoint,
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
            Standing::NoPoint => "no point yet",
            Standing::UnderWay => "under way",
            Standing::Withdrawn => "withdrawn",
            Standing::Protected => "protected",
        }
    }

    fn of(latest: Option<&Latest>, good: Option<&Good>, held_up: &[HeldUp]) -> Standing {
        let is_lost = latest.is_some_and(|latest| latest.status == Status::Lost);
        if is_lost || !lost(latest, good).is_empty() {
            return Standing::Lost;
        }
        let Some(latest) = latest else {
            return if good.is_some() { Standing::Protected } else { Standing::NoPoint };
        };
        match latest.status.phase() {
            Phase::Ended if latest.status == Status::Withdrawn => Standing::Withdrawn,
            Phase::Ended => Standing::Failed,
            _ if latest.status == Status::Protected => Standing::Protected,
            _ if latest.reason.is_some() || !held_up.is_empty() => Standing::Waiting,
            _ => Standing::UnderWay,
        }
    }
}

/// Lists the regions in which an image of a machine is gone or of no use, and has no other yet.
pub fn lost<'a>(latest: Option<&'a Latest>, good: Option<&'a Good>) -> BTreeSet<&'a Region> {
    let of_latest = latest.into_iter().flat_map(|latest| &latest.lost);
    of_latest.chain(good.into_iter().flat_map(|good| &good.lost)).collect()
}

/// Formats these regions for people; nothing if there are none.
pub fn lost_text(latest: Option<&Latest>, good: Option<&Good>) -> Option<String> {
    let places = lost(latest, good);
    let places: Vec<&str> = places.into_iter().map(Region::as_str).collect();
    let text = || format!("image lost, disabled or without a usable key in {}", places.join(", "));
    (!places.is_empty()).then(text)
}

/// Makes the rows of a fleet, in the order in which people should read them.
pub fn rows(
    fleet: &[MachineSummary],
    without_point: &[WithoutPoint],
    held_up: &AllHeldUp,
) -> Vec<Row> {
    let known = fleet.iter().map(|machine| (&machine.instance, machine.name.as_deref()));
    let others = without_point.iter().map(|machine| (&machine.instance, machine.name.as_deref()));
    let names: BTreeMap<&InstanceId, Option<&str>> = others.chain(known).collect();
    let mut machines_of_name: BTreeMap<String, usize> = BTreeMap::new();
    for name in names.into_values().flatten() {
        *machines_of_name.entry(printable(name)).or_default() += 1;
    }
    let label = |instance: &InstanceId, name: Option<&str>| {
        let unique = |name: &String| machines_of_name.get(name) == Some(&1);
        let label = name.map(printable).filter(unique);
        label.unwrap_or_else(|| instance.to_string())
    };
    let known = fleet.iter().flat_map(|machine| {
        rows_of(machine, &label(&machine.instance, machine.name.as_deref()), held_up)
    });
    let mut rows: Vec<Row> = known.collect();
    rows.extend(without_point.iter().map(|machine| Row {
        standing: Standing::NoPoint,
        instance: machine.instance.clone(),
        name: machine.name.clone(),
        label: label(&machine.instance, machine.name.as_deref()),
        region: machine.region.clone(),
        gone: Some(false),
        policy: machine.policy.clone(),
        good: None,
        latest: None,
        held_up: Vec::new(),
    }));
    rows.sort_by(|a, b| {
        let key = |row: &Row| (row.standing, row.label.clone(), row.policy.clone());
        key(a).cmp(&key(b))
    });
    rows
}

fn rows_of(machine: &MachineSummary, label: &str, held_up: &AllHeldUp) -> Vec<Row> {
    let policies: BTreeSet<&PolicyName> =
        machine.latest.keys().chain(machine.good.keys()).collect();
    let row = |policy: &PolicyName| {
        let (latest, good) = (machine.latest.get(policy), machine.good.get(policy));
        let held_up = latest.and_then(|latest| held_up.get(&latest.point));
        let held_up = held_up.cloned().unwrap_or_default();
        Row {
            standing: Standing::of(latest, good, &held_up),
            instance: machine.instance.clone(),
            name: machine.name.clone(),
            label: label.to_string(),
            region: machine.home.clone(),
            gone: None,
            policy: policy.clone(),
            good: good.cloned(),
            latest: latest.cloned(),
            held_up,
        }
    };
    policies.into_iter().map(row).collect()
}
