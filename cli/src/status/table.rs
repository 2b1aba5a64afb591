//! The status as a table for people, and as JSON for programs.

use std::collections::BTreeMap;

use afterimage_core::command::Finding;
use afterimage_core::flow::Unreadable;
use afterimage_core::ids::Region;
use afterimage_core::reason::Code;
use afterimage_core::status::Status;
use afterimage_core::still::{AllStill, StillWork};
use afterimage_core::unaudited::{AllUnaudited, AllUnreadKeys, UnreadKeys};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::glance::Glance;
use super::rows::{Row, Standing, lost_text};
use crate::held_up;
use crate::policy::unreadable::unreadable_text;
use crate::text::{columns, cut, minute, span, tries, wrapped};

/// Everything that `status` shows.
#[derive(Clone, Debug)]
pub struct Overview {
    pub now: Timestamp,
    /// True if the machines are only those that failed or wait.
    pub only_failed: bool,
    /// Names of the policies in force.
    pub policies: Vec<String>,
    /// The states of all machines, whichever are shown.
    pub glance: Glance,
    /// The regions that were not audited for hours.
    pub unaudited: AllUnaudited,
    /// The keys of which nothing was known for hours.
    pub unread_keys: AllUnreadKeys,
    /// The regions in which nobody does the work that is due.
    pub still: AllStill,
    pub unreadable: Vec<Unreadable>,
    pub machines: Vec<Row>,
    pub findings: Vec<Finding>,
}

impl Overview {
    pub fn to_json(&self) -> Value {
        let unreadable = self.unreadable.iter().map(|policy| {
            json!({ "policy": policy.name, "code": Code::PolicyUnreadable, "text": policy.why })
        });
        let unaudited = self.unaudited.iter().map(|(region, unread)| {
            json!({
                "region": region,
                "since": unread.since,
                "answer": unread.answer,
                "unconfirmed": unread.unconfirmed,
            })
        });
        let unread_keys = self.unread_keys.iter().map(|(region, unread)| {
            json!({
                "region": region,
                "since": unread.since,
                "answer": unread.answer,
                "keys": unread.arns,
            })
        });
        let still = self.still.iter().map(|(region, work)| {
            json!({
                "region": region,
                "since": work.since,
                "kinds": work.kinds,
                "slots": work.slots,
            })
        });
        json!({
            "now": self.now,
            "summary": self.glance.to_json(&self.findings),
            "not_audited": unaudited.collect::<Vec<_>>(),
            "keys_not_read": unread_keys.collect::<Vec<_>>(),
            "work_stands_still": still.collect::<Vec<_>>(),
            "policies": self.policies,
            "unreadable_policies": unreadable.collect::<Vec<_>>(),
            "machines": self.machines.iter().map(|row| self.row(row)).collect::<Vec<_>>(),
            "findings": self.findings,
        })
    }

    /// Tells whether the policy of a row is in force, be it one that cannot be read.
    fn is_in_force(&self, row: &Row) -> bool {
        let name = row.policy.as_str();
        let mut unreadable = self.unreadable.iter().map(|policy| policy.name.as_str());
        self.policies.iter().any(|policy| policy == name) || unreadable.any(|other| other == name)
    }

    fn row(&self, row: &Row) -> Value {
        let mut good = json!(row.good);
        if let Some(point) = &row.good {
            good["age_seconds"] = json!(self.now.duration_since(point.taken_at).as_secs());
        }
        let told = |latest| held_up::told(latest, &row.held_up, self.now);
        let latest = row.latest.as_ref().map(told);
        json!({
            "instance": row.instance,
            "name": row.name,
            "region": row.region,
            "gone": row.gone,
            "policy": row.policy,
            "policy_in_force": self.is_in_force(row),
            "standing": row.standing.as_str(),
            "newest_good": good,
            "latest": latest,
            "held_up": row.held_up,
        })
    }
}

/// Widest name of a machine or a policy in the table. Longer ones are cut; the JSON has them whole.
const LABEL_MAX: usize = 19;

const HEADS: [&str; 8] =
    ["MACHINE", "REGION", "POLICY", "NEWEST GOOD, UTC", "AGE", "GRADE", "REPLICAS", "STATE"];

/// Formats the overview for people.
pub fn table(overview: &Overview) -> String {
    let mut text = machines(overview);
    for policy in &overview.unreadable {
        let sentence = format!("{} ({})", unreadable_text(policy), Code::PolicyUnreadable);
        text.push_str(&format!("\n{}\n", wrapped(&sentence, "")));
    }
    if !overview.findings.is_empty() {
        text.push_str("\nFINDINGS\n");
    }
    for finding in &overview.findings {
        let Finding { region, artefact, reason, seen_at } = finding;
        let head = format!("{artefact} in {region}, seen {} UTC", minute(*seen_at));
        text.push_str(&format!("{}\n", wrapped(&head, "")));
        text.push_str(&format!("{}\n", wrapped(&reason.to_string(), "    ")));
    }
    text
}

fn machines(overview: &Overview) -> String {
    let below_glance = [
        not_audited(&overview.unaudited),
        keys_not_read(&overview.unread_keys),
        still(&overview.still),
    ]
    .concat();
    if overview.machines.is_empty() {
        let none = match (overview.only_failed, overview.policies.as_slice()) {
            (true, _) => "no machine failed, and none waits\n".into(),
            (false, []) => "no policy is in force; run `afterimage policy apply FILE`\n".into(),
            (false, policies) => {
                let policies = policies.join(", ");
                format!("no machine has a recovery point yet; policies in force: {policies}\n")
            }
        };
        return none + &below_glance;
    }
    let mut rows = vec![HEADS.map(str::to_string)];
    rows.extend(overview.machines.iter().map(|row| cells(row, overview.now)));
    let below_heads = vec![Vec::new()];
    let below =
        below_heads.into_iter().chain(overview.machines.iter().map(|row| notes(overview, row)));
    let glance = wrapped(&overview.glance.line(&overview.findings), "");
    let mut text = format!("{glance}\n{below_glance}\n");
    for (line, notes) in columns(&rows).iter().zip(below) {
        text.push_str(&format!("{line}\n"));
        for note in notes {
            text.push_str(&format!("{}\n", wrapped(&note, "    ")));
        }
    }
    text
}

/// Names the regions that were not audited for hours, and those with images that nobody could look
/// at: what is said of these may be old.
fn not_audited(unaudited: &AllUnaudited) -> String {
    let (unread, unconfirmed): (Vec<_>, Vec<_>) =
        unaudited.iter().partition(|(_, unread)| unread.unconfirmed == 0);
    let mut by_time: BTreeMap<Timestamp, Vec<&str>> = BTreeMap::new();
    for (region, unread) in unread {
        by_time.entry(unread.since).or_default().push(region.as_str());
    }
    let unread = by_time.into_iter().map(|(since, regions)| {
        let (regions, since) = (regions.join(", "), minute(since));
        format!(
            "not audited since {since} UTC: {regions}; what is said of images there was true then"
        )
    });
    let unconfirmed = unconfirmed.into_iter().map(|(region, unread)| {
        let (count, since) = (unread.unconfirmed, minute(unread.since));
        format!(
            "not confirmed since {since} UTC: {count} in {region} that EC2 or KMS does not show as \
             good; what is said of them was true then"
        )
    });
    let lines = unread.chain(unconfirmed).map(|text| format!("{}\n", wrapped(&text, "")));
    lines.collect()
}

/// Names the regions with keys of which nothing was known for hours.
fn keys_not_read(unread: &AllUnreadKeys) -> String {
    let line = |(region, unread): (&Region, &UnreadKeys)| {
        let text = format!(
            "keys not read since {} UTC: {} in {region}; if the images under them can be used is \
             not known",
            minute(unread.since),
            unread.count()
        );
        format!("{}\n", wrapped(&text, ""))
    };
    unread.iter().map(line).collect()
}

/// Names the regions in which nobody does the work that is due: what is under way there does not
/// move.
fn still(still: &AllStill) -> String {
    let line = |(region, work): (&Region, &StillWork)| {
        let text = format!(
            "work in {region} stands still since {} UTC: {}",
            minute(work.since),
            work.what()
        );
        format!("{}\n", wrapped(&text, ""))
    };
    still.iter().map(line).collect()
}

/// Lists the notes below a machine, for which the columns have no room.
fn notes(overview: &Overview, row: &Row) -> Vec<String> {
    let reason = row.latest.as_ref().and_then(|latest| latest.reason.as_ref());
    let mut notes = held_up::notes(reason, &row.held_up);
    notes.extend(lost_text(row.latest.as_ref(), row.good.as_ref()));
    let is_held_up = !row.held_up.is_empty();
    let latest = row.latest.as_ref();
    notes.extend(latest.and_then(|latest| tries(latest, is_held_up, overview.now)));
    let findings = row.latest.iter().flat_map(|latest| &latest.findings);
    let findings: Vec<&str> = findings.map(|code| code.as_str()).collect();
    if !findings.is_empty() {
        let (codes, id) = (findings.join(", "), &row.instance);
        notes.push(format!("findings: {codes} (details: `afterimage explain {id}`)"));
    }
    let latest = row.latest.as_ref().is_some_and(|latest| latest.unverified);
    if latest || row.good.as_ref().is_some_and(|good| good.unverified) {
        let note = "unverified: adopted from tags by `afterimage rebuild` or by the hourly check, \
                    not confirmed by a person";
        notes.push(note.to_string());
    }
    if row.standing == Standing::NoPoint {
        let id = &row.instance;
        notes.push(format!("no point yet (when the next is due: `afterimage explain {id}`)"));
    }
    if row.gone == Some(true) {
        notes.push("gone: EC2 no longer shows this machine".to_string());
    }
    if !overview.is_in_force(row) {
        notes.push(format!("policy {} is no longer in force", row.policy));
    }
    notes
}

fn cells(row: &Row, now: Timestamp) -> [String; 8] {
    let [taken, age, grade, replicas] = match &row.good {
        None => ["none", "-", "-", "-"].map(str::to_string),
        Some(good) => [
            minute(good.taken_at),
            span(now.duration_since(good.taken_at)),
            good.grade.as_str().to_string(),
            match &good.image {
                Some(_) => format!("{}/{}", good.replicas.len(), good.replicas_wanted),
                None if good.home_lost => {
                    format!("{}/{}, no home", good.replicas.len(), good.replicas_wanted)
                }
                None => "snapshots".to_string(),
            },
        ],
    };
    let (label, policy) = (cut(&row.label, LABEL_MAX), cut(row.policy.as_str(), LABEL_MAX));
    [label, row.region.to_string(), policy, taken, age, grade, replicas, state(row)]
}

/// Formats the status of the point that was requested last.
fn state(row: &Row) -> String {
    let status = row.latest.as_ref().map_or("protected".into(), |latest| latest.status.to_string());
    match row.standing {
        Standing::NoPoint => row.standing.as_str().to_string(),
        Standing::Waiting => format!("{status}, waiting"),
        Standing::Lost if status != Status::Lost.to_string() => format!("{status}, lost"),
        Standing::Lost => status,
        Standing::Failed | Standing::UnderWay | Standing::Withdrawn | Standing::Protected => status,
    }
}
