//! The next look of a worker at what it has loaded.

use jiff::{SignedDuration, Timestamp};

/// When a worker looks again at what it has loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Again {
    /// When the first of what is not due yet will be.
    pub next_due: Option<Timestamp>,
    /// Whether the index may not have shown yet what the worker was woken for.
    pub may_lag: bool,
    /// Whether something has to be looked at again, by this worker or its successor.
    pub watches: bool,
    /// The time until the next look, which is claimed before anything is decided.
    pub look_after: Option<SignedDuration>,
}

impl Again {
    /// Takes note of more that is due later.
    pub fn due(&mut self, due_at: impl IntoIterator<Item = Timestamp>) {
        self.next_due = self.next_due.into_iter().chain(due_at).min();
    }
}
