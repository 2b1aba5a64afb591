//! The statuses of a replica, and the one table of its transitions.

use serde::{Deserialize, Serialize};

/// The status of a replica.
///
/// ```text
///             Begin          Made            Available
///  Waiting ─────────▶ Copying ─────▶ Pending ─────────▶ Available
///     ▲                  │ Retry        │ Retry
///     └──────────────────┴──────────────┘
/// ```
///
/// A replica that is available can become Unusable or Lost. One that waits becomes Lost if its
/// source is gone, and Available if the image that it had lost is there again. One that is Lost,
/// Failed or Withdrawn and is wanted waits `Again`. One that only waits, and is not wanted any
/// more, is Withdrawn; if it is wanted again, and had lost its image, it is Lost again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplicaStatus {
    /// The replica waits to be copied.
    Waiting,
    /// The intent to copy is written.
    Copying,
    /// The image exists and is pending.
    Pending,
    Available,
    /// The replica was given up by an earlier release, or not found by a rebuild.
    Failed,
    /// The image is gone.
    Lost,
    /// The image exists and cannot be used.
    Unusable,
    /// Nobody wants the replica any more.
    Withdrawn,
}

/// An event in the life of a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReplicaEvent {
    Begin,
    Made,
    Available,
    Retry,
    /// The image is gone.
    Lose,
    /// The image exists and cannot be used.
    Disable,
    /// The image is there after all, and can be used.
    Restore,
    /// Nobody wants the replica any more.
    Withdraw,
    /// The replica is wanted, and is made anew.
    Again,
}

/// An event that cannot happen to a replica in its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a replica that is {status:?} cannot have this happen to it: {event:?}")]
pub struct IllegalForReplica {
    pub status: ReplicaStatus,
    pub event: ReplicaEvent,
}

impl ReplicaStatus {
    pub const ALL: [ReplicaStatus; 8] = [
        ReplicaStatus::Waiting,
        ReplicaStatus::Copying,
        ReplicaStatus::Pending,
        ReplicaStatus::Available,
        ReplicaStatus::Failed,
        ReplicaStatus::Lost,
        ReplicaStatus::Unusable,
        ReplicaStatus::Withdrawn,
    ];
}

impl ReplicaStatus {
    /// Tells whether a replica came to rest, so that nothing is under way for it.
    pub const fn is_settled(self) -> bool {
        !matches!(self, ReplicaStatus::Waiting | ReplicaStatus::Copying | ReplicaStatus::Pending)
    }
}

impl ReplicaEvent {
    pub const ALL: [ReplicaEvent; 9] = [
        ReplicaEvent::Begin,
        ReplicaEvent::Made,
        ReplicaEvent::Available,
        ReplicaEvent::Retry,
        ReplicaEvent::Lose,
        ReplicaEvent::Disable,
        ReplicaEvent::Restore,
        ReplicaEvent::Withdraw,
        ReplicaEvent::Again,
    ];
}

/// Returns the status of a replica after an event.
///
/// # Errors
/// The event cannot happen to a replica in that status.
pub const fn next_of_replica(
    status: ReplicaStatus,
    event: ReplicaEvent,
) -> Result<ReplicaStatus, IllegalForReplica> {
    use ReplicaStatus::{Available, Copying, Failed, Lost, Pending, Unusable, Waiting, Withdrawn};
    Ok(match (status, event) {
        (Waiting, ReplicaEvent::Begin) => Copying,
        (Copying, ReplicaEvent::Made) => Pending,
        (Copying | Pending, ReplicaEvent::Retry) => Waiting,
        (Pending, ReplicaEvent::Available) => Available,
        (Available | Unusable | Waiting | Withdrawn, ReplicaEvent::Lose) => Lost,
        (Available, ReplicaEvent::Disable) => Unusable,
        (Unusable | Lost | Waiting, ReplicaEvent::Restore) => Available,
        (Waiting | Failed | Lost, ReplicaEvent::Withdraw) => Withdrawn,
        (Failed | Lost | Withdrawn, ReplicaEvent::Again) => Waiting,
        (status, event) => return Err(IllegalForReplica { status, event }),
    })
}
