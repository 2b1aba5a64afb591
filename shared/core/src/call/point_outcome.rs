//! What follows from the outcome of a call: the change that is recorded after it.
//!
//! Execution hands back what a call brought, and this says what it means; so that the functions,
//! which act, have nothing to decide.

mod power;

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::command::{Change, Command, Correct, Decision};
use crate::flow::work_requested::retry::Next;
use crate::flow::work_requested::{made, news, retry};
use crate::ids::{AmiId, SnapshotId, VolumeId};
use crate::limits::{NAME_VISIBLE, WAITING_LATER_MAX, WAITING_MAX, later};
use crate::point::{Point, Replica, ReplicaStatus, Step};
use crate::reason::{Code, Reason};
use crate::status::{IllegalTransition, Status};

pub use power::{started, stopped};

/// What a call brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<T> {
    Made(T),
    /// AWS asks to wait; nothing was made.
    Throttled(Answer),
    /// Nothing was made, and another try may succeed.
    Failed(Answer),
    /// Nothing was made, and another try would not succeed either.
    Refused(Answer),
    /// What the call is about is no longer there.
    Gone(Answer),
    /// An image of this account and region has that name: ours, from a try whose outcome never
    /// came, or somebody else's.
    NameTaken(Answer),
    /// No answer, or one that leaves open whether something was made.
    Unknown(Answer),
}

/// What AWS said, or what became of the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub code: String,
    pub message: String,
}

/// The snapshots of a set, by the volume of each.
pub type SnapshotSet = Vec<(VolumeId, SnapshotId)>;

/// After CreateSnapshots, for a point that is `Snapshotting`.
pub fn snapshots(point: &Point, outcome: Outcome<SnapshotSet>, now: Timestamp) -> Decision {
    if point.status != Status::Snapshotting {
        return Decision::default();
    }
    match outcome {
        Outcome::Made(set) => {
            let machine = point.machine.as_ref();
            if machine.is_some_and(|machine| made::is_whole(machine, &set)) {
                return recorded(point, made::snapshots(point, set, now));
            }
            let mut left = point.clone();
            retry::leave(&mut left.leftovers, set.into_iter().map(|(_, id)| id.into()));
            let text = "the set is not of the volumes that the machine had when it was begun";
            let reason = Reason::new(Code::SnapshotFailed, text);
            recorded(point, retry::failed(&left, reason, Next::Backoff, now))
        }
        Outcome::Gone(answer) => {
            let reason = Reason::new(Code::MachineGone, answer.to_string());
            recorded(point, retry::given_up(point, reason))
        }
        // Snapshots have no names.
        Outcome::NameTaken(answer) | Outcome::Failed(answer) => failed(point, &answer, now),
        Outcome::Throttled(answer) => throttled(point, &answer, WAITING_MAX, now),
        Outcome::Refused(answer) => refused(point, &answer),
        Outcome::Unknown(answer) => unknown(point, &answer),
    }
}

/// After CreateImage, for a point that is `Creating`.
pub fn created(point: &Point, outcome: Outcome<AmiId>, now: Timestamp) -> Decision {
    if point.status != Status::Creating {
        return Decision::default();
    }
    match outcome {
        Outcome::Made(image) => recorded(point, made::created(point, image, now)),
        Outcome::NameTaken(answer) => name_taken(point, &answer, now),
        Outcome::Gone(answer) => {
            let reason = Reason::new(Code::MachineGone, answer.to_string());
            recorded(point, retry::given_up(point, reason))
        }
        Outcome::Failed(answer) => failed(point, &answer, now),
        Outcome::Throttled(answer) => throttled(point, &answer, WAITING_MAX, now),
        Outcome::Refused(answer) => refused(point, &answer),
        Outcome::Unknown(answer) => unknown(point, &answer),
    }
}

/// After RegisterImage, for a point that is `Registering`.
pub fn image(point: &Point, outcome: Outcome<AmiId>, now: Timestamp) -> Decision {
    if point.status != Status::Registering {
        return Decision::default();
    }
    match outcome {
        Outcome::Made(image) => recorded(point, made::image(point, image, now)),
        Outcome::NameTaken(answer) => name_taken(point, &answer, now),
        // What was seen a moment ago is hardly gone; who answered may just not know it yet.
        Outcome::Gone(answer) | Outcome::Failed(answer) => failed(point, &answer, now),
        Outcome::Throttled(answer) => throttled(point, &answer, WAITING_LATER_MAX, now),
        Outcome::Refused(answer) => refused(point, &answer),
        Outcome::Unknown(answer) => unknown(point, &answer),
    }
}

/// After CopyImage, for a replica that is `Copying`.
///
/// Whether it is given up is decided where its point is at hand: a replica whose tries are used up
/// is due at once, and the next round of its worker sees to it.
pub fn copy(replica: &Replica, outcome: Outcome<AmiId>, now: Timestamp) -> Decision {
    if replica.status != ReplicaStatus::Copying {
        return Decision::default();
    }
    let after = match outcome {
        Outcome::Made(image) => made::replica(replica, image, now),
        Outcome::NameTaken(answer) => {
            let step = Step { due_at: Some(later(now, NAME_VISIBLE)), ..replica.step.clone() };
            let reason = Some(Reason::new(Code::NameTaken, answer.to_string()));
            Ok(Replica { step, reason, ..replica.clone() })
        }
        // The image was available a moment ago; this region may just not know it yet.
        Outcome::Gone(answer) | Outcome::Failed(answer) => {
            let reason = Reason::new(Code::CallFailed, answer.to_string());
            retry::replica_failed(replica, reason, now)
        }
        Outcome::Throttled(answer) => retry::replica_throttled(replica, &answer.to_string(), now),
        Outcome::Refused(answer) => {
            let reason = Reason::new(Code::CallRefused, answer.to_string());
            retry::replica_refused(replica, reason, now)
        }
        Outcome::Unknown(answer) => {
            let reason = Some(Reason::new(Code::OutcomeUnknown, answer.to_string()));
            Ok(Replica { reason, ..replica.clone() })
        }
    };
    let mut decision = Decision::default();
    let Ok(after) = after else { return decision };
    if let Some(reason) = &after.reason {
        decision.say(format!("{} {}", replica.point, replica.region), reason.clone());
    }
    decision.command(Command::Record(Box::new(Change::replica(after))));
    decision
}

/// What holds the name is looked up as soon as it must be visible.
fn name_taken(point: &Point, answer: &Answer, now: Timestamp) -> Decision {
    let step = Step { due_at: Some(later(now, NAME_VISIBLE)), ..point.step.clone() };
    let reason = Some(Reason::new(Code::NameTaken, answer.to_string()));
    recorded(point, Ok(Point { step, reason, ..point.clone() }))
}

/// After CreateTags: what was to be done then. If EC2 never takes the tags, it is done all the
/// same, and a person is told; if it did not take them now, the next look tries again.
pub fn corrected(correct: Correct, outcome: Outcome<()>) -> Decision {
    let mut decision = Decision::default();
    let (code, answer) = match outcome {
        Outcome::Made(()) => {
            decision.command(correct.then);
            return decision;
        }
        Outcome::Throttled(answer) => (Code::Throttled, answer),
        Outcome::Refused(answer) => (Code::GradeNotCorrected, answer),
        Outcome::Gone(answer) => (Code::ArtefactGone, answer),
        Outcome::Failed(answer) | Outcome::NameTaken(answer) => (Code::CallFailed, answer),
        Outcome::Unknown(answer) => (Code::OutcomeUnknown, answer),
    };
    let reason = Reason::new(code, answer.to_string());
    decision.say(&correct.point, reason.clone());
    if code == Code::GradeNotCorrected {
        decision.command(correct.then.finding(&reason));
    }
    decision
}

fn failed(point: &Point, answer: &Answer, now: Timestamp) -> Decision {
    let reason = Reason::new(Code::CallFailed, answer.to_string());
    recorded(point, retry::failed(point, reason, Next::Backoff, now))
}

fn throttled(
    point: &Point,
    answer: &Answer,
    waiting_max: SignedDuration,
    now: Timestamp,
) -> Decision {
    recorded(point, retry::throttled(point, &answer.to_string(), waiting_max, now))
}

fn refused(point: &Point, answer: &Answer) -> Decision {
    let reason = Reason::new(Code::CallRefused, answer.to_string());
    recorded(point, retry::given_up(point, reason))
}

/// The intent stands, and is looked after when everything that EC2 made must be visible.
fn unknown(point: &Point, answer: &Answer) -> Decision {
    let reason = Some(Reason::new(Code::OutcomeUnknown, answer.to_string()));
    recorded(point, Ok(Point { reason, ..point.clone() }))
}

/// Nothing, if it cannot happen to a point where this one stands.
fn recorded(before: &Point, after: Result<Point, IllegalTransition>) -> Decision {
    let mut decision = Decision::default();
    let Ok(after) = after else { return decision };
    if let Some(reason) = &after.reason {
        decision.say(&before.id, reason.clone());
    }
    decision.command(Command::Record(Box::new(news::recorded(after))));
    decision
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code.as_str(), self.message.as_str()) {
            ("", message) => f.write_str(message),
            (code, "") => f.write_str(code),
            (code, message) => write!(f, "{code}: {message}"),
        }
    }
}
