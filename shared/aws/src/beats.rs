//! The times of the heartbeats of an execution environment.

use std::sync::{Mutex, PoisonError};

use afterimage_core::limits::HEARTBEAT_EVERY;
use jiff::Timestamp;

/// The time of the last heartbeat that this execution environment has tried to write.
#[derive(Debug, Default)]
pub struct Beats(Mutex<Option<Timestamp>>);

impl Beats {
    /// Tells whether a heartbeat is due, which then is taken for written: one that fails is not
    /// tried again at every event.
    pub fn take(&self, now: Timestamp) -> bool {
        // A time is set whole: a thread that panicked left nothing half done.
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = last.is_none_or(|last| now.duration_since(last) >= HEARTBEAT_EVERY);
        if is_due {
            *last = Some(now);
        }
        is_due
    }

    /// Makes a heartbeat due at the next event.
    pub fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn the_first_event_beats_and_then_one_an_hour() {
        let beats = Beats::default();
        let start = Timestamp::UNIX_EPOCH;
        let after = |minutes| start + SignedDuration::from_mins(minutes);
        assert!(beats.take(start));
        assert!(!beats.take(after(1)));
        assert!(!beats.take(after(59)));
        assert!(beats.take(after(60)));
        assert!(!beats.take(after(61)));
    }
}
