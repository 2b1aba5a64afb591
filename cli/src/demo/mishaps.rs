//! What went wrong on the way of a point, as far as it is worth a line.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_core::ids::Region;
use afterimage_core::point::{Point, Replica, ReplicaStatus};
use jiff::Timestamp;

use crate::demo::format::minutes;
use crate::demo::trace_reader::{Counts, Made, Written};
use crate::text::large_count;

/// What the trace knows of a point and its replicas.
#[derive(Debug, Default)]
pub struct Records {
    last: Option<Timestamp>,
    /// Tries that failed: of the point itself, or of a replica; when it was written, and why.
    failures: Vec<(Option<Region>, Timestamp, String, String)>,
    /// What each kind of call made, by the token or the request.
    made: BTreeMap<(String, String), BTreeSet<String>>,
    /// Calls that made something without anybody being told, and whether the caller died.
    unheard: Vec<(String, String, bool)>,
}

/// Codes of reasons that tell of something that EC2 began to make and could not finish.
const FAILED: [&str; 2] = ["snapshot-failed", "image-failed"];

impl Records {
    pub fn write(&mut self, written: &Written) {
        self.last = Some(self.last.map_or(written.at, |last| last.max(written.at)));
        let Some((code, text)) = &written.reason else { return };
        let told = |(place, _, known, _): &(Option<Region>, Timestamp, String, String)| {
            *place == written.replica && known == code
        };
        if FAILED.contains(&code.as_str()) && !self.failures.iter().any(told) {
            let place = written.replica.clone();
            self.failures.push((place, written.at, code.clone(), text.clone()));
        }
    }

    pub fn make(&mut self, made: &Made) {
        let key = (made.action.clone(), made.region.clone());
        self.made.entry(key).or_default().insert(made.token.clone());
        if let Some(killed) = made.unheard {
            self.unheard.push((made.action.clone(), made.region.clone(), killed));
        }
    }

    pub fn last(&self) -> Option<Timestamp> {
        self.last
    }
}

/// What went wrong on the way of a point that has come to an end.
pub fn lines(name: &str, point: &Point, replicas: &[Replica], records: &Records) -> Vec<String> {
    let mut lines = Vec::new();
    for (place, at, code, text) in &records.failures {
        let what = match (place, code.as_str()) {
            (Some(region), _) => format!("the copy into {region}"),
            (None, "snapshot-failed") => "a snapshot".to_string(),
            (None, _) => "the image".to_string(),
        };
        let end = records.last.unwrap_or(*at);
        let after = match place.as_ref().map(|region| replica(replicas, region)) {
            Some(Some(replica)) if replica.status == ReplicaStatus::Available => {
                format!("attempt {} is available", replica.step.attempt + 1)
            }
            None if point.image.is_some() => {
                format!("made again, and good {} later", minutes(*at, end))
            }
            Some(_) | None => "given up".to_string(),
        };
        let why = without_id(text);
        lines.push(format!("{name}: {what} failed ({why}); {after}"));
    }
    for (action, region, killed) in &records.unheard {
        let how = if *killed { "the worker died" } else { "the answer was lost" };
        let key = (action.clone(), region.clone());
        let times = records.made.get(&key).map_or(0, BTreeSet::len);
        let after = match times {
            0 | 1 if action == "CopyImage" => "asked again by its token, one copy was made",
            0 | 1 => "what it had made was found and used",
            _ => "it was made again, the first is known as a leftover",
        };
        let place = if action == "CopyImage" { format!(" into {region}") } else { String::new() };
        lines.push(format!("{name}: {how} when {action}{place} had taken effect; {after}"));
    }
    lines
}

/// What EC2 said, without the id that it said it of.
fn without_id(text: &str) -> &str {
    match text.split_once(" failed: ") {
        Some((id, said)) if !id.contains(' ') => said,
        _ => text,
    }
}

fn replica<'a>(replicas: &'a [Replica], region: &Region) -> Option<&'a Replica> {
    replicas.iter().find(|replica| replica.region == *region)
}

/// What went wrong between two counts; nothing, if nothing did.
pub fn meanwhile(before: &Counts, now: &Counts) -> String {
    let events = [
        (now.lost() - before.lost(), "lost"),
        (now.doubled - before.doubled, "doubled"),
        (now.late - before.late, "late"),
    ];
    let calls = [
        (now.throttled - before.throttled, "throttled"),
        (now.failed + now.unheard - before.failed - before.unheard, "failed"),
    ];
    let killed = now.killed - before.killed;
    let mut parts = Vec::new();
    parts.extend(told("event", &events));
    parts.extend(told("call", &calls));
    if killed > 0 {
        parts.push(format!("{} killed", large_count(killed, "function")));
    }
    if parts.is_empty() { String::new() } else { format!(" (meanwhile {})", parts.join("; ")) }
}

/// `2 events lost, 5 doubled`.
fn told(noun: &str, parts: &[(u64, &str)]) -> Option<String> {
    let some = parts.iter().filter(|(number, _)| *number > 0).enumerate();
    let texts: Vec<String> = some
        .map(|(place, (number, what))| match place {
            0 => format!("{} {what}", large_count(*number, noun)),
            _ => format!("{number} {what}"),
        })
        .collect();
    if texts.is_empty() { None } else { Some(texts.join(", ")) }
}
