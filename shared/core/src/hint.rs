//! Hints: machines that an event told of, and that no worker has described yet.
//!
//! A function that receives an event about a machine describes nothing. It writes a hint and wakes
//! the worker of the machine's region, which describes all machines with a hint in a few calls. A
//! hint is removed once it was followed, unless a newer event has written it again.

use jiff::Timestamp;

use crate::ids::{InstanceId, Region};

/// A machine that may have stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    pub region: Region,
    pub instance: InstanceId,
    /// Time at which the event was received; of two events, the later one counts.
    pub at: Timestamp,
}
