//! The next look of a worker at what it has loaded.

use jiff::{SignedDuration, Timestamp};

use crate::limits::PROBE_EVERY;

/// The time of a worker's next look at what it has loaded, and the reasons for one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Again {
    /// The earliest due time of the records that are not due yet.
    pub next_due: Option<Timestamp>,
    /// True if the index may not have shown yet what the worker was woken for.
    pub may_lag: bool,
    /// True if something has to be looked at again, by this worker or its successor.
    pub watches: bool,
    /// The time until the next look, which is claimed before anything is decided.
    pub look_after: Option<SignedDuration>,
}

impl Again {
    /// Returns the next look of a worker of which an obstacle holds up everything until then. The
    /// look is claimed, so that the sweep wakes nobody before.
    pub fn held(until: Timestamp, now: Timestamp) -> Again {
        let look_after = until.duration_since(now).min(PROBE_EVERY);
        Again { next_due: Some(until), look_after: Some(look_after), ..Again::default() }
    }

    /// Takes note of more that is due later.
    pub fn due(&mut self, due_at: impl IntoIterator<Item = Timestamp>) {
        self.next_due = self.next_due.into_iter().chain(due_at).min();
    }
}
