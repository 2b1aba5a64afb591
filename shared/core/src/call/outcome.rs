//! Outcomes of calls, as the caller can tell them apart.

use std::fmt;

use crate::ids::{SnapshotId, VolumeId};

/// The outcome of a call that was to make a `T`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<T> {
    Made(T),
    /// AWS asks to wait. The call made nothing.
    Throttled(Answer),
    /// The call made nothing. Another try may succeed.
    Failed(Answer),
    /// The call made nothing. Another try would not succeed either.
    Refused(Answer),
    /// The machine or the image of the call is no longer there.
    Gone(Answer),
    /// An image of this account and region already has the name. The image is ours, from a try
    /// without an outcome, or it belongs to somebody else.
    NameTaken(Answer),
    /// AWS gave no answer, or one that leaves open whether the call made something.
    Unknown(Answer),
}

/// The answer of AWS, or the end of the connection in place of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub code: String,
    pub message: String,
}

/// The snapshots of a set, by the volume of each.
pub type SnapshotSet = Vec<(VolumeId, SnapshotId)>;

impl<T> Outcome<T> {
    /// Returns the pressure that the outcome puts on the calls that follow in the same queue.
    pub fn pressure(&self) -> Pressure {
        match self {
            Outcome::Made(_) => Pressure::Eased,
            Outcome::Throttled(_) => Pressure::Throttled,
            Outcome::Failed(_)
            | Outcome::Refused(_)
            | Outcome::Gone(_)
            | Outcome::NameTaken(_)
            | Outcome::Unknown(_) => Pressure::Unchanged,
        }
    }
}

/// The sign that an outcome gives of how busy EC2 is with our calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pressure {
    /// EC2 did the call.
    Eased,
    /// EC2 asked to wait.
    Throttled,
    Unchanged,
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
