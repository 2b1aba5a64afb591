//! History of a world, from the trace of the embedded cloud: which artefacts our calls made, who
//! stopped which machine, and what was begun since the last step.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use afterimage_cloud::Time;
use afterimage_cloud::trace::{Entry, What};
use afterimage_core::names::{TAG_POLICY, TAG_SOURCE};

/// The most lines that are kept for people.
const LINES_MAX: usize = 60;

const CREATES: [&str; 4] = ["CreateSnapshots", "CreateImage", "RegisterImage", "CopyImage"];
/// Calls that are shown to people, beside those that create.
const CHANGES: [&str; 4] = ["StopInstances", "StartInstances", "CreateTags", "DeleteTags"];

#[derive(Debug, Default)]
pub struct History {
    /// Ids of the requests of our functions that create something.
    ours: BTreeSet<String>,
    /// Who first called for what the machine does now: the action, and whether it was ours.
    power: BTreeMap<String, (String, bool)>,
    /// Calls since the last step that begin something.
    pub begun: Vec<Begun>,
    /// Last changes, for people.
    pub lines: VecDeque<String>,
    pub calls: u64,
    pub faults: u64,
}

/// Call of ours that creates something.
#[derive(Clone, Debug)]
pub struct Begun {
    pub at: Time,
    pub action: String,
    pub policy: String,
    pub machine: String,
}

impl History {
    /// Takes in what happened since the last step.
    pub fn read(&mut self, entries: &[Entry]) {
        self.begun.clear();
        for entry in entries {
            match entry.what {
                What::Call => self.call(entry),
                What::Fault => {
                    self.faults += 1;
                    let Entry { at, region, action, outcome, .. } = entry;
                    if CREATES.contains(&action.as_str()) || action.contains("Instances") {
                        self.line(format!("{at} fault: {action} in {region}: {outcome}"));
                    }
                }
                What::Event | What::Delivery | What::Invocation => {}
            }
        }
    }

    fn call(&mut self, entry: &Entry) {
        let is_ours = entry.principal.contains(":assumed-role/afterimage");
        self.calls += u64::from(is_ours);
        let action = entry.action.as_str();
        if entry.service != "ec2" || entry.detail["DryRun"] == "true" {
            return;
        }
        let is_create = CREATES.contains(&action);
        if is_create && is_ours {
            self.ours.insert(entry.id.clone());
            self.begun.push(Begun {
                at: entry.at,
                action: entry.action.clone(),
                policy: tagged(entry, TAG_POLICY),
                machine: tagged(entry, TAG_SOURCE),
            });
        }
        if matches!(action, "StopInstances" | "StartInstances") && entry.outcome == "ok" {
            for id in machines(entry) {
                let caller = self.power.entry(id).or_default();
                // Whoever called after the first did nothing.
                if caller.0 != action {
                    *caller = (action.to_string(), is_ours);
                }
            }
        }
        let asks = ["Describe", "Get", "List"].iter().any(|verb| action.starts_with(verb));
        if !asks && (!is_ours || is_create || CHANGES.contains(&action)) {
            let who = if is_ours { "afterimage" } else { "a person" };
            let of = ["ImageId", "SourceImageId", "InstanceId.1", "InstanceId", "ResourceId.1"];
            let of = of.iter().filter_map(|name| entry.detail[*name].as_str()).next();
            let (at, region, outcome) = (entry.at, &entry.region, &entry.outcome);
            let of = of.map_or_else(|| tagged(entry, TAG_SOURCE), str::to_string);
            self.line(format!("{at} {who}: {action} {of} in {region}: {outcome}"));
        }
    }

    pub fn line(&mut self, line: String) {
        if self.lines.len() == LINES_MAX {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// Tells whether the request that made something was one of ours.
    pub fn is_ours(&self, request: &str) -> bool {
        self.ours.contains(request)
    }

    /// Tells whether a machine that is stopped was stopped by us.
    pub fn was_stopped_by_us(&self, machine: &str) -> bool {
        self.power.get(machine).is_some_and(|(action, ours)| action == "StopInstances" && *ours)
    }
}

/// Value of a tag that a call sets.
fn tagged(entry: &Entry, key: &str) -> String {
    let value = || {
        let fields = entry.detail.as_object()?;
        let named = fields.iter().find(|(_, value)| value.as_str() == Some(key))?.0;
        fields.get(&format!("{}.Value", named.strip_suffix(".Key")?))?.as_str()
    };
    value().unwrap_or_default().to_string()
}

fn machines(entry: &Entry) -> Vec<String> {
    let fields = entry.detail.as_object().into_iter().flatten();
    let ids = fields.filter(|(name, _)| name.starts_with("InstanceId"));
    ids.filter_map(|(_, value)| value.as_str().map(str::to_string)).collect()
}
