//! Reader of the cloud's trace: calls, faults, and the records that were written about points.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_cloud::trace::{Entry, What};
use afterimage_core::ids::{InstanceId, Region};
use afterimage_core::names::TAG_POINT;
use afterimage_core::slot::PointId;
use jiff::Timestamp;
use serde_json::Value;

use crate::demo::fault_rules;

/// Counts since the beginning of the demo.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls of the functions, by service.
    pub calls: BTreeMap<String, u64>,
    /// Calls that were throttled.
    pub throttled: u64,
    /// Calls that a fault failed before they took effect.
    pub failed: u64,
    /// Calls that took effect but whose answer was lost.
    pub unanswered: u64,
    /// Calls among them that made something.
    pub unanswered_creates: u64,
    pub killed: u64,
    pub events: u64,
    pub lost_stops: u64,
    pub lost_sets: u64,
    pub lost_images: u64,
    pub doubled: u64,
    pub late: u64,
    /// Artefacts that EC2 began to make and could not finish.
    pub creations_failed: u64,
    pub invocations: u64,
    pub invoked_twice: u64,
}

impl Counts {
    pub fn lost(&self) -> u64 {
        self.lost_stops + self.lost_sets + self.lost_images
    }

    pub fn calls_in_all(&self) -> u64 {
        self.calls.values().sum()
    }
}

/// Write of the record of a point or a replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub at: Timestamp,
    pub point: PointId,
    pub replica: Option<Region>,
    /// Reason in the record: its code and its text.
    pub reason: Option<(String, String)>,
}

/// Call that made something for a point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    pub point: PointId,
    pub region: String,
    pub action: String,
    /// Client token, or the request id of a call without one. Calls with the same token make one
    /// thing.
    pub token: String,
    /// For a call whose answer was lost: true if the caller died.
    pub caller_died: Option<bool>,
}

/// Observations since the last read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    pub touched: BTreeSet<InstanceId>,
    pub written: Vec<Written>,
    pub made: Vec<Made>,
    /// Machines that stopped without an event, because it was lost.
    pub lost_stops: Vec<InstanceId>,
}

/// Reader of the trace.
#[derive(Debug, Default)]
pub struct TraceReader {
    pub counts: Counts,
    /// Id of the request that took effect last.
    last_effective: Option<String>,
    /// Ids of events that were delivered more than once.
    doubled: BTreeSet<String>,
}

impl TraceReader {
    /// Takes in the entries since the last read.
    pub fn read(&mut self, entries: &[Entry]) -> Observed {
        let mut observed = Observed::default();
        for entry in entries {
            match entry.what {
                What::Call => self.call(entry, &mut observed),
                What::Fault => self.fault(entry, &mut observed),
                What::Event if entry.principal.starts_with("aws.ec2") => self.counts.events += 1,
                What::Invocation => self.counts.invocations += 1,
                What::Event | What::Delivery => {}
            }
        }
        observed
    }

    fn call(&mut self, entry: &Entry, observed: &mut Observed) {
        if !is_ours(entry) {
            return;
        }
        *self.counts.calls.entry(entry.service.clone()).or_default() += 1;
        if is_throttle(&entry.outcome) {
            self.counts.throttled += 1;
        }
        self.last_effective = None;
        if entry.outcome == "ok" {
            self.last_effective = Some(entry.id.clone());
            note_writes(entry, observed);
            observed.made.extend(made(entry, None));
        }
    }

    fn fault(&mut self, entry: &Entry, observed: &mut Observed) {
        // Of two copies of an event one may be lost on its way from region to region.
        let is_other_copy = self.doubled.contains(&entry.id);
        match rule_name(&entry.principal) {
            Some(name) if name.starts_with(fault_rules::LOST) && is_other_copy => {}
            Some(fault_rules::LOST_SET) => self.counts.lost_sets += 1,
            Some(fault_rules::LOST_IMAGE) => self.counts.lost_images += 1,
            Some(fault_rules::DOUBLED) => {
                self.counts.doubled += 1;
                self.doubled.insert(entry.id.clone());
            }
            Some(fault_rules::LATE) => self.counts.late += 1,
            Some(fault_rules::INVOKED_TWICE) => self.counts.invoked_twice += 1,
            Some(name) if name.starts_with(fault_rules::LOST_STOP) => {
                self.counts.lost_stops += 1;
                let machine = name.trim_start_matches(fault_rules::LOST_STOP);
                observed.lost_stops.extend(InstanceId::parse(machine).ok());
            }
            _ if entry.outcome.starts_with("is to fail") => self.counts.creations_failed += 1,
            _ => self.struck(entry, observed),
        }
    }

    /// Counts a call that was struck. A call that took effect has an entry of its own, just before.
    fn struck(&mut self, entry: &Entry, observed: &mut Observed) {
        let killed = entry.outcome.contains("killed");
        self.counts.killed += u64::from(killed);
        if entry.outcome.contains("after its effect") {
            if self.last_effective.as_ref() == Some(&entry.id) {
                self.counts.unanswered += 1;
                let made = made(entry, Some(killed));
                self.counts.unanswered_creates += u64::from(made.is_some());
                observed.made.extend(made);
            }
            return;
        }
        *self.counts.calls.entry(entry.service.clone()).or_default() += 1;
        if is_throttle(&entry.outcome) {
            self.counts.throttled += 1;
        } else {
            self.counts.failed += 1;
        }
    }
}

/// True if one of the functions made the call.
fn is_ours(entry: &Entry) -> bool {
    entry.principal.contains(":assumed-role/afterimage")
}

fn is_throttle(outcome: &str) -> bool {
    outcome.contains("RequestLimitExceeded") || outcome.contains("Throttling")
}

/// Finds the name in the label of a rule: `doubled` in `rule 3 'doubled'`.
fn rule_name(label: &str) -> Option<&str> {
    label.split('\'').nth(1)
}

/// Finds what a call made that took effect. The tags in the call name the point.
fn made(entry: &Entry, caller_died: Option<bool>) -> Option<Made> {
    if !matches!(entry.action.as_str(), "CreateSnapshots" | "RegisterImage" | "CopyImage") {
        return None;
    }
    let fields = entry.detail.as_object()?;
    let named = fields.iter().find(|(_, value)| value.as_str() == Some(TAG_POINT))?.0;
    let value = fields.get(&format!("{}.Value", named.strip_suffix(".Key")?))?;
    let token = fields.get("ClientToken").and_then(Value::as_str).unwrap_or(&entry.id);
    Some(Made {
        point: PointId::parse(value.as_str()?).ok()?,
        region: entry.region.clone(),
        action: entry.action.clone(),
        token: token.to_string(),
        caller_died,
    })
}

/// Finds the records of points and replicas in a write, alone or in a transaction.
fn note_writes(entry: &Entry, observed: &mut Observed) {
    let at = entry.at.stamp();
    match entry.action.as_str() {
        "PutItem" => note_item(entry.detail.get("Item"), at, observed),
        "TransactWriteItems" => {
            let items = entry.detail.get("TransactItems").and_then(Value::as_array);
            for put in items.into_iter().flatten().filter_map(|item| item.get("Put")) {
                note_item(put.get("Item"), at, observed);
            }
        }
        _ => {}
    }
}

fn note_item(item: Option<&Value>, at: Timestamp, observed: &mut Observed) {
    let Some(item) = item else { return };
    let text = |value: &Value, name: &str| -> Option<String> {
        Some(value.get(name)?.get("S")?.as_str()?.to_string())
    };
    let Some(key) = text(item, "sk") else { return };
    let Some(key) = key.strip_prefix("point#") else { return };
    let (point, replica) = match key.split_once("#replica#") {
        Some((point, region)) => (point, Region::parse(region).ok()),
        None => (key, None),
    };
    let Ok(point) = PointId::parse(point) else { return };
    observed.touched.insert(point.instance().clone());
    let reason = item.get("reason").and_then(|reason| reason.get("M"));
    let reason = reason.and_then(|reason| Some((text(reason, "code")?, text(reason, "text")?)));
    observed.written.push(Written { at, point, replica, reason });
}
