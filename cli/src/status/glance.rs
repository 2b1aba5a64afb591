//! The first line of the status: how many machines are in which state, the worst first.
//!
//! A machine under several policies counts once, by the worst of its rows.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_core::command::Finding;
use afterimage_core::ids::InstanceId;
use afterimage_core::reason::Code;
use afterimage_core::status::Status;
use serde_json::{Value, json};

use super::rows::{Row, Standing};
use crate::text::count;

/// The number of machines in each state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Glance {
    machines: usize,
    /// Machines that have lost their last good point, under every policy.
    nothing_left: usize,
    by_standing: BTreeMap<Standing, usize>,
}

impl Glance {
    /// Counts the machines of a whole fleet.
    pub fn of(rows: &[Row]) -> Glance {
        let mut machines: BTreeMap<&InstanceId, Vec<&Row>> = BTreeMap::new();
        for row in rows {
            machines.entry(&row.instance).or_default().push(row);
        }
        let mut glance = Glance { machines: machines.len(), ..Glance::default() };
        for rows in machines.values() {
            let is_lost = |row: &&Row| {
                row.latest.as_ref().is_some_and(|latest| latest.status == Status::Lost)
            };
            if rows.iter().any(is_lost) && rows.iter().all(|row| row.good.is_none()) {
                glance.nothing_left += 1;
            } else if let Some(worst) = rows.iter().map(|row| row.standing).min() {
                *glance.by_standing.entry(worst).or_default() += 1;
            }
        }
        glance
    }

    /// Formats the line for people. It also names the regions whose copies are held up.
    pub fn line(&self, findings: &[Finding]) -> String {
        let mut states = Vec::new();
        if self.nothing_left > 0 {
            states.push(format!("{} with nothing left", self.nothing_left));
        }
        for (standing, number) in &self.by_standing {
            states.push(match standing {
                Standing::Lost => {
                    format!("{number} with an image lost, disabled or without a usable key")
                }
                Standing::NoPoint => format!("{number} without a point yet"),
                other => format!("{number} {}", other.as_str()),
            });
        }
        let mut parts = vec![format!("{}: {}", count(self.machines, "machine"), states.join(", "))];
        let regions: Vec<&str> = held_up(findings).into_iter().collect();
        if !regions.is_empty() {
            parts.push(format!("copies into {} held up", regions.join(", ")));
        }
        if !findings.is_empty() {
            parts.push(count(findings.len(), "finding"));
        }
        parts.join("; ")
    }

    pub fn to_json(&self, findings: &[Finding]) -> Value {
        let of = |standing| self.by_standing.get(&standing).copied().unwrap_or_default();
        json!({
            "machines": self.machines,
            "nothing_left": self.nothing_left,
            "image_lost": of(Standing::Lost),
            "failed": of(Standing::Failed),
            "waiting": of(Standing::Waiting),
            "no_point": of(Standing::NoPoint),
            "under_way": of(Standing::UnderWay),
            "withdrawn": of(Standing::Withdrawn),
            "protected": of(Standing::Protected),
            "copies_held_up_into": held_up(findings),
        })
    }
}

/// Lists the regions whose copies are held up.
fn held_up(findings: &[Finding]) -> BTreeSet<&str> {
    let held_up = findings.iter().filter(|finding| finding.reason.code == Code::CopiesHeldUp);
    held_up.map(|finding| finding.region.as_str()).collect()
}
