//! The context of one invocation.

use afterimage_core::worker::has_time;
use jiff::Timestamp;

/// The values that Lambda gives with an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    pub now: Timestamp,
    /// The time when Lambda stops the invocation.
    pub deadline: Timestamp,
    /// The id of the event's delivery, the same for every try.
    pub request_id: String,
}

impl Context {
    /// Tells whether there is time to start new work.
    pub fn has_time(&self, now: Timestamp) -> bool {
        has_time(self.deadline, now)
    }
}
