//! The next runs of a policy, in its zone: what its author wants to see before it is too late.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{Policy, Timed, Trigger};

/// Slot of a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Run {
    pub at: Timestamp,
    /// The same on the clocks of the zone.
    pub local: DateTime,
    pub schedule: String,
    pub timezone: String,
    /// Change of the clocks around then, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clocks: Option<String>,
}

/// The next runs after that, of all schedules of a policy together; at most so many. Two schedules
/// that come to one instant are one run.
pub fn runs(policy: &Policy, after: Timestamp, count: usize) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for trigger in &policy.triggers {
        if let Trigger::Schedule(timed) = trigger {
            runs.extend(runs_of(timed, after, count));
        }
    }
    runs.sort_by_key(|run| run.at);
    runs.dedup_by_key(|run| run.at);
    runs.truncate(count);
    runs
}

/// The next runs of one schedule.
pub fn runs_of(timed: &Timed, after: Timestamp, count: usize) -> Vec<Run> {
    let next = |last: &Timestamp| timed.schedule.next_after(*last, &timed.zone);
    let slots = std::iter::successors(next(&after), next).take(count);
    let mut before = after;
    let run = |at: Timestamp| {
        let clocks = clocks(&timed.zone, before, at);
        before = at;
        Run {
            at,
            local: timed.zone.to_datetime(at),
            schedule: timed.expression().to_string(),
            timezone: timed.timezone().to_string(),
            clocks,
        }
    };
    slots.map(run).collect()
}

/// Describes what the clocks of a zone do between two runs, or at the second of them.
fn clocks(zone: &TimeZone, before: Timestamp, at: Timestamp) -> Option<String> {
    let offset = zone.to_offset(at);
    let is_twice = matches!(
        zone.to_ambiguous_timestamp(zone.to_datetime(at)).offset(),
        AmbiguousOffset::Fold { .. }
    );
    let (was, is) = (zone.to_offset(before), offset);
    let moved = is.seconds() - was.seconds();
    let change = match moved {
        0 => None,
        by => {
            let (way, by) = if by > 0 { ("forward", by) } else { ("back", -by) };
            let by = SignedDuration::from_secs(by.into());
            Some(format!("clocks went {way} by {by:#}, from UTC{was} to UTC{is}"))
        }
    };
    let jumps = zone.preceding(later(at)).next().is_some_and(|last| last.timestamp() == at);
    let note = match (is_twice, jumps && moved > 0) {
        (true, _) => Some("this time comes twice that day"),
        (_, true) => Some("at the jump"),
        _ => None,
    };
    let parts: Vec<String> = change.into_iter().chain(note.map(str::to_string)).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn later(at: Timestamp) -> Timestamp {
    at.checked_add(SignedDuration::from_nanos(1)).unwrap_or(Timestamp::MAX)
}
