//! One invocation: what Lambda says of it.

use afterimage_core::worker::has_time;
use jiff::Timestamp;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    pub now: Timestamp,
    /// When the execution environment is killed.
    pub deadline: Timestamp,
    /// The same for every try of one event.
    pub request_id: String,
}

impl Context {
    /// Whether there is time to begin something new.
    pub fn has_time(&self, now: Timestamp) -> bool {
        has_time(self.deadline, now)
    }
}
