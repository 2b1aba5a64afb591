//! What the outcome of a call at home means for the other calls of its queue, and for the summary
//! of its machine.

use jiff::Timestamp;

use super::around::{self, Seen};
use super::conclusion::{Conclusion, Learnt};
use super::outcome::{Answer, Outcome};
use crate::change::Change;
use crate::obstacle::{AT_HOME, Cause, Obstacles, Stand};
use crate::reason::{Code, Reason};
use crate::summary::News;

/// Answer of EC2 if as many snapshots are pending as the account may have in the region.
const PENDING: &str = "PendingSnapshotLimitExceeded";

/// Answers of EC2 that are not about the machine or the image of the call: a permission, the
/// account, a quota; or no answer, because the region cannot be reached.
const ABOUT_ALL: [&str; 12] = [
    "AuthFailure",
    "Blocked",
    "ImageLimitExceeded",
    "OptInRequired",
    "PendingVerification",
    "ResourceCountExceeded",
    "ResourceQuotaExceeded",
    "SnapshotLimitExceeded",
    "UnauthorizedOperation",
    "UnrecognizedClientException",
    "not-connected",
    "not-sent",
];

/// Tells what the outcome of a call means for the other calls of its queue; nothing if it is about
/// this one alone.
pub(super) fn seen<T>(outcome: &Outcome<T>) -> Option<Seen> {
    let met = |cause, code, answer: &Answer| {
        Some(Seen::Met(cause, Reason::new(code, answer.to_string())))
    };
    match outcome {
        Outcome::Made(_) => Some(Seen::Passed),
        Outcome::Unknown(answer) => met(Cause::Calls, Code::OutcomeUnknown, answer),
        Outcome::Failed(answer) if ABOUT_ALL.contains(&answer.code.as_str()) => {
            met(Cause::Calls, Code::CallFailed, answer)
        }
        Outcome::Throttled(answer) if answer.code == PENDING => {
            met(Cause::Pending, Code::Throttled, answer)
        }
        Outcome::Throttled(_)
        | Outcome::Failed(_)
        | Outcome::Refused(_)
        | Outcome::Gone(_)
        | Outcome::NameTaken(_) => None,
    }
}

/// Adds to a conclusion what follows from the same outcome for the queue of the call, and for the
/// summary of its machine.
pub(super) fn add_to(
    mut conclusion: Conclusion,
    before: &Obstacles,
    begun: &Change,
    seen: Option<Seen>,
    now: Timestamp,
) -> Conclusion {
    let Some(point) = begun.point_written() else { return conclusion };
    let begun_at = point.step.begun_at.unwrap_or(now);
    match seen {
        Some(Seen::Met(cause, reason)) => {
            conclusion.is_held_up = true;
            let after = around::met(&mut conclusion, before, &cause, reason, begun_at, now);
            if let Some(after) = after {
                put_off(&mut conclusion, &after, now);
            }
        }
        Some(Seen::Passed) => passed(&mut conclusion, before, begun_at, now),
        None => {}
    }
    conclusion
}

fn passed(conclusion: &mut Conclusion, before: &Obstacles, begun_at: Timestamp, now: Timestamp) {
    let mut after = before.clone();
    for cause in AT_HOME {
        if let Some(without) = after.passed(&cause, begun_at) {
            conclusion.resolve(before.resolved(&cause, now));
            after = without;
        }
    }
    if after != *before {
        conclusion.record(Change::obstacles(after));
    }
}

/// Tells in the summaries that the next try is not made before the obstacle is due.
fn put_off(conclusion: &mut Conclusion, obstacles: &Obstacles, now: Timestamp) {
    let Stand::Held(until) = obstacles.stand(&AT_HOME, now) else { return };
    for learnt in &mut conclusion.learnt {
        let Learnt::Record(change) = learnt else { continue };
        for news in change.summary.iter_mut().flat_map(|summary| &mut summary.news) {
            if let News::Latest(latest) = news {
                latest.next_at = latest.next_at.map(|next_at| next_at.max(until));
            }
        }
    }
}
