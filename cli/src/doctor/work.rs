//! The work of the functions, as the ledger tells it: the schedules, the audit, and the findings.

use std::collections::BTreeMap;

use afterimage_aws::Ledger;
use afterimage_core::flow::{InForce, backup_tick};
use afterimage_core::limits::{AUDIT_LATE, AUDIT_MISSED, SLOT_OVERDUE};
use afterimage_core::reason::Code;
use jiff::Timestamp;

use super::line::{Level, Line, answer, or_ok};
use crate::text::{minute, span};

const SCHEDULES: &str = "schedules";
const AUDIT: &str = "audit";
const FINDINGS: &str = "findings";

/// Names of regions or of other subjects that a line lists. The rest are counted.
const LISTED_MAX: usize = 3;

/// Looks if the slots of schedules are requested when they come.
pub fn schedules(in_force: &InForce, now: Timestamp) -> Vec<Line> {
    let overdue = |first: Timestamp| now.duration_since(first) >= SLOT_OVERDUE;
    let lines = backup_tick::due(in_force, now)
        .into_iter()
        .filter_map(|due| Some((due.first.filter(|first| overdue(*first))?, due)))
        .map(|(first, due)| {
            let found = format!(
                "policy {} was due in {} at {} UTC, and its points are not requested",
                due.policy.name,
                due.region,
                minute(first)
            );
            let to_do = "look if the rule of the function backup-tick is enabled, and at the \
                         errors and the log of the function; also if EC2 answers in that region";
            Line::fail(SCHEDULES, found, to_do)
        })
        .collect();
    or_ok(lines, SCHEDULES, "every slot that came was requested")
}

/// Looks at the age of the last audit, which the sweep makes every hour.
pub fn audit(in_force: &InForce, now: Timestamp) -> Vec<Line> {
    let to_do = "look if the rule of the function reconcile-tick is enabled, and at the errors and \
                 the log of the function";
    let Some(at) = in_force.looked_at else {
        let found = "the functions have not compared the ledger with EC2 yet";
        let to_do = format!("wait ten minutes after the deployment; then {to_do}");
        return vec![Line::warn(AUDIT, found, to_do)];
    };
    let age = now.duration_since(at);
    let found = format!("the functions compared the ledger with EC2 {} ago", span(age));
    vec![match age {
        _ if age >= AUDIT_LATE => Line::fail(AUDIT, found, to_do),
        _ if age >= AUDIT_MISSED => Line::warn(AUDIT, found, to_do),
        _ => Line::ok(AUDIT, found),
    }]
}

/// Looks at the findings that are open: one line for each code.
pub async fn findings(ledger: &Ledger) -> Vec<Line> {
    let findings = match answer(ledger.findings()).await {
        Ok(findings) => findings,
        Err(why) => {
            let found = format!("cannot read the findings: {why}");
            let to_do = why.to_do("allow these credentials dynamodb:Query on the table");
            return vec![Line::not_made(FINDINGS, found, to_do)];
        }
    };
    let mut by_code: BTreeMap<&str, (Level, Vec<String>)> = BTreeMap::new();
    for finding in &findings {
        let (level, subject) = match finding.reason.code {
            Code::WorkStandsStill => (Level::Fail, finding.region.to_string()),
            Code::NotAudited | Code::KeysNotRead => (Level::Warn, finding.region.to_string()),
            _ => (Level::Warn, format!("{} in {}", finding.artefact, finding.region)),
        };
        let code = finding.reason.code.as_str();
        by_code.entry(code).or_insert((level, Vec::new())).1.push(subject);
    }
    let line = |(code, (level, mut subjects)): (&str, (Level, Vec<String>))| {
        let unlisted = subjects.len().saturating_sub(LISTED_MAX);
        subjects.truncate(LISTED_MAX);
        if unlisted > 0 {
            subjects.push(format!("{unlisted} more"));
        }
        let found = format!("{code}: {}", subjects.join(", "));
        Line { level, ..Line::warn(FINDINGS, found, "run `afterimage status`: it says why") }
    };
    or_ok(by_code.into_iter().map(line).collect(), FINDINGS, "none is open")
}
