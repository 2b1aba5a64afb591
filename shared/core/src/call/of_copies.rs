//! What the outcome of a copy means for the other copies of its queue, and for the summary of its
//! machine.

use jiff::Timestamp;

use super::around::{self, Seen};
use super::conclusion::{Conclusion, Learnt};
use super::copy_image;
use super::outcome::Outcome;
use crate::change::Change;
use crate::ids::AmiId;
use crate::obstacle::{Cause, Obstacles, Stand};
use crate::point::{Point, Replica, ReplicaStatus};
use crate::reason::{Code, Reason};
use crate::transition::summary;

/// Tells what the outcome of a copy means for the other copies; nothing if it is about this one
/// alone.
pub(super) fn seen(point: &Point, begun: &Change, outcome: &Outcome<AmiId>) -> Option<Seen> {
    let replica = begun.replica_written()?;
    let from = || Cause::From(replica.source_region().clone());
    let key = || Cause::Key(copy_image::key(point, &replica.region));
    let (cause, code, answer) = match outcome {
        Outcome::Made(_) => return Some(Seen::Passed),
        Outcome::Throttled(_) | Outcome::Gone(_) | Outcome::NameTaken(_) => return None,
        Outcome::Unknown(answer) => (from(), Code::OutcomeUnknown, answer),
        Outcome::Failed(answer) => (from(), Code::CallFailed, answer),
        Outcome::Refused(answer) => (key(), Code::CallRefused, answer),
    };
    Some(Seen::Met(cause, Reason::new(code, answer.to_string())))
}

/// Adds to the conclusion of an outcome what follows for the queue of the call, and for the summary
/// of its machine.
pub(super) fn add_to(
    mut conclusion: Conclusion,
    (before, point): (&Obstacles, &Point),
    begun: &Change,
    seen: Option<Seen>,
    now: Timestamp,
) -> Conclusion {
    let Some(replica) = begun.replica_written() else { return conclusion };
    let begun_at = replica.step.begun_at.unwrap_or(now);
    let mut obstacles = before.clone();
    match seen {
        Some(Seen::Met(cause, reason)) => {
            conclusion.is_held_up = true;
            // This try shows which copies fail: one obstacle for all of them is of an earlier
            // release.
            let mut known = before.clone();
            let had_calls = known.causes.remove(&Cause::Calls).is_some();
            let after = around::met(&mut conclusion, &known, &cause, reason, begun_at, now);
            if had_calls && after.is_some() {
                conclusion.resolve(before.resolved(&Cause::Calls, now));
            }
            obstacles = after.unwrap_or(obstacles);
        }
        Some(Seen::Passed) => {
            passed(&mut conclusion, before, &causes(point, replica), begun_at, now);
        }
        None => {}
    }
    for learnt in &mut conclusion.learnt {
        let Learnt::Record(change) = learnt else { continue };
        let Some(replica) = change.replica_written().filter(|it| is_behind(it)) else { continue };
        let next = match obstacles.stand(&causes(point, replica), now) {
            Stand::Held(until) => replica.step.due_at.max(Some(until)),
            Stand::Free | Stand::Probe(_) => replica.step.due_at,
        };
        change.summary = Some(summary::behind(point, replica, next));
    }
    conclusion
}

/// The regions answer, and their copies follow. A copy that was made under a key may still fail, so
/// that the next one waits until this one is available.
fn passed(
    conclusion: &mut Conclusion,
    before: &Obstacles,
    [calls, from, key]: &[Cause; 3],
    begun_at: Timestamp,
    now: Timestamp,
) {
    let mut after: Option<Obstacles> = None;
    for cause in [calls, from] {
        let known = after.as_ref().unwrap_or(before);
        let Some(passed) = known.passed(cause, begun_at) else { continue };
        conclusion.resolve(before.resolved(cause, now));
        after = Some(passed);
    }
    let obstacles = after.as_ref().unwrap_or(before);
    if let Some(known) = obstacles.causes.get(key) {
        after = obstacles.met(key, known.reason.clone(), known.begun_at, now).or(after);
    }
    if let Some(after) = after {
        conclusion.record(Change::obstacles(after));
    }
}

/// Lists the causes that the copy of a replica could meet. Of these, an earlier release kept one
/// for copies from whatever region.
pub fn causes(point: &Point, replica: &Replica) -> [Cause; 3] {
    let from = Cause::From(replica.source_region().clone());
    [Cause::Calls, from, Cause::Key(copy_image::key(point, &replica.region))]
}

/// Tells whether the copy of a replica has failed, and is tried again.
fn is_behind(replica: &Replica) -> bool {
    let code = replica.reason.as_ref().map(|reason| reason.code);
    !replica.status.is_settled()
        && replica.status != ReplicaStatus::Pending
        && !matches!(code, None | Some(Code::Throttled | Code::NameTaken | Code::Foreign))
}
