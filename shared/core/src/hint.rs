//! Hints: machines that an event told of, and that no worker has described yet.
//!
//! A function that receives an event about a machine describes nothing. It writes a hint and wakes
//! the worker of the machine's region, which describes all machines with a hint in a few calls. A
//! hint is removed once it was followed, unless a newer event has written it again.

use jiff::Timestamp;

use crate::ids::{InstanceId, Region};

/// The event of a machine that a hint is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hinted {
    /// The machine may have stopped.
    Stopped,
    /// The machine may carry a request.
    Tagged,
}

impl Hinted {
    pub const ALL: [Hinted; 2] = [Hinted::Stopped, Hinted::Tagged];

    pub const fn as_str(self) -> &'static str {
        match self {
            Hinted::Stopped => "stopped",
            Hinted::Tagged => "tagged",
        }
    }
}

/// A machine that a worker has to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    pub region: Region,
    pub instance: InstanceId,
    pub hinted: Hinted,
    /// Time at which the event was received; of two events, the later one counts.
    pub at: Timestamp,
}
