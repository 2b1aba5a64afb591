//! The context of one invocation.

use jiff::{SignedDuration, Timestamp};

/// The values that Lambda gives with an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    pub now: Timestamp,
    /// The time when Lambda stops the invocation.
    pub deadline: Timestamp,
    /// The id of the event's delivery, the same for every try.
    pub request_id: String,
}

/// Time before the Lambda deadline in which no new work starts: the longest call, and the write
/// after it.
pub const WIND_UP: SignedDuration = SignedDuration::from_secs(30);

impl Context {
    /// Checks whether there is time to start new work.
    pub fn has_time(&self, now: Timestamp) -> bool {
        self.deadline.duration_since(now) > WIND_UP
    }
}
