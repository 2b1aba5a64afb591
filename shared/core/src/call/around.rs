//! The facts around a copy: the obstacles of its queue, and its point. What a copy meets concerns
//! all others, and is told in the summary of its machine.

use jiff::Timestamp;

use super::conclusion::{Conclusion, Learnt};
use super::copy_image::{self, CopyImage, NO_KEY};
use super::outcome::Outcome;
use crate::change::Change;
use crate::ids::AmiId;
use crate::obstacle::{Cause, Obstacles, Stand};
use crate::point::{Point, Replica, ReplicaStatus};
use crate::reason::{Code, Reason};
use crate::transition::summary;

/// The facts around a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Around {
    pub obstacles: Obstacles,
    pub point: Point,
}

impl Around {
    /// Adds to a conclusion what follows from the same outcome for the queue of the call, and for
    /// the summary of its machine.
    pub fn add_to(
        &self,
        mut conclusion: Conclusion,
        call: &CopyImage,
        begun: &Change,
        seen: Option<Seen>,
        now: Timestamp,
    ) -> Conclusion {
        let Some(replica) = begun.replica_written() else { return conclusion };
        let begun_at = replica.step.begun_at.unwrap_or(now);
        let mut obstacles = self.obstacles.clone();
        match seen {
            Some(Seen::Met(cause, reason)) => {
                conclusion.is_held_up = true;
                if let Some(after) = obstacles.met(&cause, reason, begun_at, now) {
                    let finding = after.finding(&cause, now);
                    conclusion.record(Change::obstacles(after.clone()));
                    finding.into_iter().for_each(|finding| conclusion.report(finding));
                    obstacles = after;
                }
            }
            Some(Seen::Passed) => self.passed(&mut conclusion, call, begun_at, now),
            None => {}
        }
        for learnt in &mut conclusion.learnt {
            let Learnt::Record(change) = learnt else { continue };
            let Some(replica) = change.replica_written().filter(|it| is_behind(it)) else {
                continue;
            };
            let next = match obstacles.stand(&causes(&self.point, replica), now) {
                Stand::Held(until) => replica.step.due_at.max(Some(until)),
                Stand::Free | Stand::Probe(_) => replica.step.due_at,
            };
            change.summary = Some(summary::behind(&self.point, replica, next));
        }
        conclusion
    }

    /// The region answers, and its calls follow. A copy that was made under a key may still fail,
    /// so that the next one waits until this one is available.
    fn passed(
        &self,
        conclusion: &mut Conclusion,
        call: &CopyImage,
        begun_at: Timestamp,
        now: Timestamp,
    ) {
        let mut after = self.obstacles.passed(&Cause::Calls, begun_at);
        if after.is_some() {
            conclusion.resolve(self.obstacles.resolved(&Cause::Calls, now));
        }
        let key = Cause::Key(key_of(call).to_string());
        let obstacles = after.as_ref().unwrap_or(&self.obstacles);
        if let Some(known) = obstacles.causes.get(&key) {
            after = obstacles.met(&key, known.reason.clone(), known.begun_at, now).or(after);
        }
        if let Some(after) = after {
            conclusion.record(Change::obstacles(after));
        }
    }
}

/// The meaning of an outcome for the other calls of the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Met(Cause, Reason),
    Passed,
}

/// Tells what an outcome of a copy means for the other copies; nothing if it is about this one
/// alone.
pub(super) fn seen(call: &CopyImage, outcome: &Outcome<AmiId>) -> Option<Seen> {
    let (cause, code, answer) = match outcome {
        Outcome::Made(_) => return Some(Seen::Passed),
        Outcome::Throttled(_) | Outcome::Gone(_) | Outcome::NameTaken(_) => return None,
        Outcome::Unknown(answer) => (Cause::Calls, Code::OutcomeUnknown, answer),
        Outcome::Failed(answer) => (Cause::Calls, Code::CallFailed, answer),
        Outcome::Refused(answer) => {
            (Cause::Key(key_of(call).to_string()), Code::CallRefused, answer)
        }
    };
    Some(Seen::Met(cause, Reason::new(code, answer.to_string())))
}

/// Lists the causes that the copy of a replica could meet.
pub fn causes(point: &Point, replica: &Replica) -> [Cause; 2] {
    [Cause::Calls, Cause::Key(copy_image::key(point, &replica.region))]
}

/// Returns the name of the key of a call, as causes have it.
fn key_of(call: &CopyImage) -> &str {
    call.kms_key.as_deref().unwrap_or(NO_KEY)
}

/// Tells whether the copy of a replica has failed, and is tried again.
fn is_behind(replica: &Replica) -> bool {
    let code = replica.reason.as_ref().map(|reason| reason.code);
    !replica.status.is_settled()
        && replica.status != ReplicaStatus::Pending
        && !matches!(code, None | Some(Code::Throttled | Code::NameTaken | Code::Foreign))
}
