//! Mishaps of a point: the lines about what went wrong while it was made.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_core::ids::Region;
use afterimage_core::point::{Point, Replica, ReplicaStatus};
use jiff::Timestamp;

use crate::demo::format::elapsed;
use crate::demo::trace_reader::{Counts, Made, Written};
use crate::text::large_count;

/// Records of a point and its replicas in the trace.
#[derive(Debug, Default)]
pub struct Records {
    last: Option<Timestamp>,
    /// Attempts that failed, of the point or of a replica: region, time, code and text.
    failures: Vec<(Option<Region>, Timestamp, String, String)>,
    /// Tokens or request ids of the calls that made something, by action and region.
    made: BTreeMap<(String, String), BTreeSet<String>>,
    /// Calls that made something but whose answer was lost: action, region, and true if the caller
    /// died.
    unanswered: Vec<(String, String, bool)>,
}

/// Codes of reasons for artefacts that EC2 began to make and could not finish.
const FAILED_IN_EC2: [&str; 2] = ["snapshot-failed", "image-failed"];

impl Records {
    /// Takes in a write of a record.
    pub fn write(&mut self, written: &Written) {
        self.last = Some(self.last.map_or(written.at, |last| last.max(written.at)));
        let Some((code, text)) = &written.reason else { return };
        let is_same = |(region, _, known, _): &(Option<Region>, Timestamp, String, String)| {
            *region == written.replica && known == code
        };
        if FAILED_IN_EC2.contains(&code.as_str()) && !self.failures.iter().any(is_same) {
            let region = written.replica.clone();
            self.failures.push((region, written.at, code.clone(), text.clone()));
        }
    }

    /// Takes in a call that made something.
    pub fn make(&mut self, made: &Made) {
        let key = (made.action.clone(), made.region.clone());
        self.made.entry(key).or_default().insert(made.token.clone());
        if let Some(killed) = made.caller_died {
            self.unanswered.push((made.action.clone(), made.region.clone(), killed));
        }
    }

    /// Returns the time of the last write.
    pub fn last(&self) -> Option<Timestamp> {
        self.last
    }
}

/// Tells what went wrong while a point was made that is finished now.
pub fn lines(name: &str, point: &Point, replicas: &[Replica], records: &Records) -> Vec<String> {
    let mut lines = Vec::new();
    for (region, at, code, text) in &records.failures {
        let what = match (region, code.as_str()) {
            (Some(region), _) => format!("the copy into {region}"),
            (None, "snapshot-failed") => "a snapshot".to_string(),
            (None, _) => "the image".to_string(),
        };
        let end = records.last.unwrap_or(*at);
        let after = match region.as_ref().map(|region| replica(replicas, region)) {
            Some(Some(replica)) if replica.status == ReplicaStatus::Available => {
                format!("attempt {} is available", replica.step.attempt + 1)
            }
            None if point.image.is_some() => {
                format!("a new attempt succeeded {} later", elapsed(*at, end))
            }
            Some(_) | None => "given up".to_string(),
        };
        let why = without_id(text);
        lines.push(format!("{name}: {what} failed ({why}); {after}"));
    }
    for (action, region, killed) in &records.unanswered {
        let lost = if *killed { "the worker died" } else { "the answer was lost" };
        let key = (action.clone(), region.clone());
        let times = records.made.get(&key).map_or(0, BTreeSet::len);
        let after = match times {
            0 | 1 if action == "CopyImage" => "the retry with the same token made no second copy",
            0 | 1 => "its result was found and used",
            _ => "it was called again, and its first result is recorded as a leftover",
        };
        let into = if action == "CopyImage" { format!(" into {region}") } else { String::new() };
        lines.push(format!("{name}: {action}{into} took effect, but {lost}; {after}"));
    }
    lines
}

/// Strips the id of the artefact from a message of EC2.
fn without_id(text: &str) -> &str {
    match text.split_once(" failed: ") {
        Some((id, said)) if !id.contains(' ') => said,
        _ => text,
    }
}

fn replica<'a>(replicas: &'a [Replica], region: &Region) -> Option<&'a Replica> {
    replicas.iter().find(|replica| replica.region == *region)
}

/// Tells what went wrong between two counts. The text is empty if nothing did.
pub fn meanwhile(before: &Counts, now: &Counts) -> String {
    let events = [
        (now.lost() - before.lost(), "lost"),
        (now.doubled - before.doubled, "doubled"),
        (now.late - before.late, "late"),
    ];
    let calls = [
        (now.throttled - before.throttled, "throttled"),
        (now.failed + now.unanswered - before.failed - before.unanswered, "failed"),
    ];
    let killed = now.killed - before.killed;
    let mut parts = Vec::new();
    parts.extend(some_of("event", &events));
    parts.extend(some_of("call", &calls));
    if killed > 0 {
        parts.push(format!("{} killed", large_count(killed, "function")));
    }
    if parts.is_empty() { String::new() } else { format!(" (meanwhile {})", parts.join("; ")) }
}

/// Lists numbers that are not zero: `2 events lost, 5 doubled`.
fn some_of(noun: &str, parts: &[(u64, &str)]) -> Option<String> {
    let some = parts.iter().filter(|(number, _)| *number > 0).enumerate();
    let texts: Vec<String> = some
        .map(|(index, (number, what))| match index {
            0 => format!("{} {what}", large_count(*number, noun)),
            _ => format!("{number} {what}"),
        })
        .collect();
    if texts.is_empty() { None } else { Some(texts.join(", ")) }
}
