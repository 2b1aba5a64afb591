//! The status of a recovery point, and the one table of its transitions.
//!
//! ```text
//!                    Refuse                  Fail (any step)
//!  Requested ─────────────────▶ Refused     ─────────────────▶ Failed
//!   │  ▲   │ Miss
//!   │  │   └─────────────────▶ Missed
//!   │  │ Retry
//!   ▼  │         Made           Complete        Begin          Made            Available
//!  Snapshotting ─────▶ Snapshotted ─────▶ Ready ─────▶ Registering ─────▶ Registered ─────▶ Imaged
//!   Begin                 │ Retry: back to    ▲  │         │ Retry            │ Retry        │
//!                         │ Requested         └──┴─────────┴──────────────────┘              │
//!                                                                                 Protect    ▼
//!                                                                                        Protected
//! ```
//!
//! An image that EC2 makes by itself, snapshots and all, goes another way:
//!
//! ```text
//!             Create            Made            Available
//!  Requested ────────▶ Creating ─────▶ Created ──────────▶ Imaged
//!      ▲                   │ Retry         │ Retry
//!      └───────────────────┴───────────────┘
//! ```
//!
//! If a policy asks for snapshots only, `Keep` ends at Snapshotted: they are complete, and the
//! point is Protected. If an image that was Registered has lost its billing code, `Redo` leads back
//! to Requested, and EC2 creates the next image. So it does if the snapshots are gone before there
//! is an image of them.
//!
//! `Begin` and `Create` are the intent, written before the call. `Made` is its outcome, written
//! after the call. `Retry` leads back to where the step can be begun again, under another attempt.
//!
//! What is no longer wanted before it has begun is Withdrawn. What is Protected can be lost: `Lose`
//! leads back to Imaged as long as one place is left, `LoseAll` to Lost. A point that is Lost,
//! Failed, Refused or Withdrawn and is wanted (again) begins `Again`, under another attempt. One
//! that was Lost, begins again and is no longer wanted, or cannot be made, is Lost again. An image
//! that is lost, but not its snapshots, is registered again (`Remake`), unless a person has
//! restored it before (`Restore`).

use std::fmt;

use serde::{Deserialize, Serialize};

/// The status of a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The point was requested, and nothing was begun.
    Requested,
    /// The intent to snapshot is written. The outcome of the call is not known yet.
    Snapshotting,
    /// The snapshots exist and are being filled.
    Snapshotted,
    /// Every snapshot is complete.
    Ready,
    /// The intent to register is written.
    Registering,
    /// The image exists and is pending.
    Registered,
    /// The intent to have EC2 make an image, with its snapshots, is written.
    Creating,
    /// The image that EC2 created exists and is pending.
    Created,
    /// The image is available; its replicas are on their way.
    Imaged,
    /// The image is available, and so is every replica; or the snapshots that were wanted are
    /// complete.
    Protected,
    /// The point may not be made, and trying again would not help.
    Refused,
    /// The window of the point closed before it could begin.
    Missed,
    /// The point was given up: no try would have helped.
    Failed,
    /// The point was no longer wanted before it had begun.
    Withdrawn,
    /// Everything that was made for the point is gone.
    Lost,
}

/// An event in the life of a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Event {
    Begin,
    Create,
    Made,
    Complete,
    Keep,
    Available,
    Protect,
    /// A step failed, and may be begun again.
    Retry,
    /// The results cannot be used, and everything is made again.
    Redo,
    Refuse,
    Miss,
    Fail,
    /// Nobody wants the point any more, and nothing of it was begun.
    Withdraw,
    /// An artefact in one of its places is gone or of no use.
    Lose,
    /// The artefact in its last place is gone.
    LoseAll,
    /// Its image is made again from its snapshots.
    Remake,
    /// An artefact that was given up or taken for lost is there, or is to be made after all.
    Restore,
    /// The point is wanted, and begins anew.
    Again,
}

/// The progress of a point, whichever step it is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// The point was requested, and nothing was begun.
    Requested,
    /// The intent of a call is written, and its outcome is not known.
    Calling,
    /// EC2 is completing what a call made.
    Pending,
    /// The last step is done, and the next is not begun.
    Ready,
    /// The image, or the snapshots that were wanted, can be recovered from.
    Good,
    /// The point came to an end on its way.
    Ended,
}

/// The artefacts that a step of a point makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Making {
    /// A set of snapshots: CreateSnapshots.
    Snapshots,
    /// An image from snapshots: RegisterImage.
    Image,
    /// An image from the machine, with its snapshots: CreateImage.
    ImageOfMachine,
}

/// An event that cannot happen to a point in its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a point that is {status} cannot {event}")]
pub struct IllegalTransition {
    pub status: Status,
    pub event: Event,
}

impl Status {
    pub const ALL: [Status; 15] = [
        Status::Requested,
        Status::Snapshotting,
        Status::Snapshotted,
        Status::Ready,
        Status::Registering,
        Status::Registered,
        Status::Creating,
        Status::Created,
        Status::Imaged,
        Status::Protected,
        Status::Refused,
        Status::Missed,
        Status::Failed,
        Status::Withdrawn,
        Status::Lost,
    ];

    /// Returns how far a point is, whichever step it is at.
    pub const fn phase(self) -> Phase {
        match self {
            Status::Requested => Phase::Requested,
            Status::Snapshotting | Status::Registering | Status::Creating => Phase::Calling,
            Status::Snapshotted | Status::Registered | Status::Created => Phase::Pending,
            Status::Ready => Phase::Ready,
            Status::Imaged | Status::Protected => Phase::Good,
            Status::Refused
            | Status::Missed
            | Status::Failed
            | Status::Withdrawn
            | Status::Lost => Phase::Ended,
        }
    }

    /// Returns the artefacts that the present step makes; none between two steps.
    pub const fn making(self) -> Option<Making> {
        match self {
            Status::Snapshotting | Status::Snapshotted => Some(Making::Snapshots),
            Status::Registering | Status::Registered => Some(Making::Image),
            Status::Creating | Status::Created => Some(Making::ImageOfMachine),
            Status::Requested
            | Status::Ready
            | Status::Imaged
            | Status::Protected
            | Status::Refused
            | Status::Missed
            | Status::Failed
            | Status::Withdrawn
            | Status::Lost => None,
        }
    }

    /// Tells whether a point came to rest: it is protected, or it ended on its way.
    pub const fn is_settled(self) -> bool {
        matches!(self, Status::Protected) || matches!(self.phase(), Phase::Ended)
    }
}

impl Event {
    pub const ALL: [Event; 18] = [
        Event::Begin,
        Event::Create,
        Event::Made,
        Event::Complete,
        Event::Keep,
        Event::Available,
        Event::Protect,
        Event::Retry,
        Event::Redo,
        Event::Refuse,
        Event::Miss,
        Event::Fail,
        Event::Withdraw,
        Event::Lose,
        Event::LoseAll,
        Event::Remake,
        Event::Restore,
        Event::Again,
    ];
}

/// Returns the status after an event, from the one table of transitions.
///
/// # Errors
/// The event cannot happen to a point in that status.
pub const fn next(status: Status, event: Event) -> Result<Status, IllegalTransition> {
    use Event::{
        Again, Available, Begin, Complete, Create, Fail, Keep, Lose, LoseAll, Made, Miss, Protect,
        Redo, Refuse, Remake, Restore, Retry, Withdraw,
    };
    use Status::{
        Created, Creating, Failed, Imaged, Lost, Missed, Protected, Ready, Refused, Registered,
        Registering, Requested, Snapshotted, Snapshotting, Withdrawn,
    };
    Ok(match (status, event) {
        (Requested, Begin) => Snapshotting,
        (Requested, Create) => Creating,
        (Requested, Refuse) => Refused,
        (Requested, Miss) => Missed,
        (Requested, Withdraw) => Withdrawn,
        (Snapshotting, Made) => Snapshotted,
        (Snapshotting | Snapshotted | Creating | Created, Retry) => Requested,
        (Snapshotted, Complete) => Ready,
        (Snapshotted, Keep) => Protected,
        (Ready, Begin) => Registering,
        (Registering, Made) => Registered,
        (Registering | Registered, Retry) => Ready,
        (Ready | Registering | Registered, Redo) => Requested,
        (Creating, Made) => Created,
        (Registered | Created, Available) => Imaged,
        (Imaged, Protect) => Protected,
        (Imaged | Protected, Lose) | (Failed | Lost | Ready, Restore) => Imaged,
        (Requested | Imaged | Protected, LoseAll) => Lost,
        (Imaged | Lost, Remake) => Ready,
        (Failed | Refused | Withdrawn | Lost, Again) => Requested,
        (
            Requested | Snapshotting | Snapshotted | Ready | Registering | Registered | Creating
            | Created | Imaged,
            Fail,
        ) => Failed,
        (status, event) => return Err(IllegalTransition { status, event }),
    })
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Status::Requested => "requested",
            Status::Snapshotting => "snapshotting",
            Status::Snapshotted => "snapshotted",
            Status::Ready => "ready",
            Status::Registering => "registering",
            Status::Registered => "registered",
            Status::Creating => "creating",
            Status::Created => "created",
            Status::Imaged => "imaged",
            Status::Protected => "protected",
            Status::Refused => "refused",
            Status::Missed => "missed",
            Status::Failed => "failed",
            Status::Withdrawn => "withdrawn",
            Status::Lost => "lost",
        })
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Event::Begin => "begin a step",
            Event::Create => "have an image made",
            Event::Made => "have made something",
            Event::Complete => "have completed snapshots",
            Event::Keep => "be kept as snapshots",
            Event::Available => "have an available image",
            Event::Protect => "be protected",
            Event::Retry => "try a step again",
            Event::Redo => "be made again from the start",
            Event::Refuse => "be refused",
            Event::Miss => "be missed",
            Event::Fail => "fail",
            Event::Withdraw => "be withdrawn",
            Event::Lose => "lose an artefact",
            Event::LoseAll => "lose its last artefact",
            Event::Remake => "have its image made again",
            Event::Restore => "have an artefact back",
            Event::Again => "begin again",
        })
    }
}
