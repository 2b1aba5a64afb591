//! One invocation: what Lambda says of it.

use jiff::{SignedDuration, Timestamp};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    pub now: Timestamp,
    /// When the execution environment is killed.
    pub deadline: Timestamp,
    /// The same for every try of one event.
    pub request_id: String,
}

/// So long before its deadline a function begins nothing new: a call at its longest, and what has
/// to be written after it.
pub const WIND_UP: SignedDuration = SignedDuration::from_secs(30);

impl Context {
    /// Whether there is time to begin something new.
    pub fn has_time(&self, now: Timestamp) -> bool {
        self.deadline.duration_since(now) > WIND_UP
    }
}
