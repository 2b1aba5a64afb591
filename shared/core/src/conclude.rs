//! What follows from the outcome of a call: the change that is recorded after it.
//!
//! Execution hands back what a call brought, and this says what it means; so that the functions,
//! which act, have nothing to decide.

use jiff::Timestamp;

use crate::command::Decision;
use crate::ids::{AmiId, SnapshotId, VolumeId};
use crate::point::{Point, Replica};

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
pub fn snapshots(_point: &Point, _outcome: Outcome<SnapshotSet>, _now: Timestamp) -> Decision {
    Decision::default()
}

/// After RegisterImage, for a point that is `Registering`.
pub fn image(_point: &Point, _outcome: Outcome<AmiId>, _now: Timestamp) -> Decision {
    Decision::default()
}

/// After CopyImage, for a replica that is `Copying`.
pub fn copy(_replica: &Replica, _outcome: Outcome<AmiId>, _now: Timestamp) -> Decision {
    Decision::default()
}
