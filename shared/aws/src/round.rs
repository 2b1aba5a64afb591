//! When a worker that found nothing to do goes round its queue once more.
//!
//! An index shows what was written some seconds ago, so that whoever was woken by a write may come
//! too early to see it; and what is to be waited for may be due soon, in which case nobody else
//! would come for it before the sweep does.

use afterimage_core::command::{Command, Decision, Wake};
use afterimage_core::flow::WorkRequested;
use jiff::{SignedDuration, Timestamp};

use crate::Aws;
use crate::apply::Applied;
use crate::invocation::Context;

/// By then an index shows what was there when the worker was woken.
pub const INDEX_LAG: SignedDuration = SignedDuration::from_secs(6);

/// What is due within this time is waited for; for what comes later there is the sweep, and nobody
/// pays for the wait.
pub const WAIT_MAX: SignedDuration = SignedDuration::from_secs(90);

/// Far more than there is time for, if every round does something.
pub const ROUNDS_MAX: u32 = 1000;

/// The rounds that a worker went, and what came of them.
#[derive(Debug, Default)]
pub struct Rounds {
    pub applied: Applied,
    count: u32,
    /// In how many of them there was nothing to do.
    quiet: u32,
}

impl Rounds {
    /// After a round: whether to go another one, and the wait before it.
    pub async fn go_on(
        &mut self,
        aws: &Aws,
        context: &Context,
        round: Applied,
        next_due: Option<Timestamp>,
    ) -> bool {
        self.applied += round;
        self.count += 1;
        if self.applied.no_lease || self.applied.out_of_time || self.count >= ROUNDS_MAX {
            return false;
        }
        let now = aws.clock.now();
        if round.made > 0 || round.wrote > 0 {
            self.applied.out_of_time = !context.has_time(now);
            return !self.applied.out_of_time;
        }
        // What others were faster with is theirs; what nobody could do yet may be done later.
        let Some(wait) = wait(self.quiet, now, next_due) else { return false };
        self.quiet += 1;
        if !context.has_time(now.checked_add(wait).unwrap_or(Timestamp::MAX)) {
            return false;
        }
        aws.clock.sleep(wait).await;
        true
    }

    /// The wake of a successor, if there was more to do than time to do it.
    pub fn successor(&self, event: &WorkRequested) -> Decision {
        let mut decision = Decision::default();
        if self.applied.out_of_time {
            let WorkRequested { queue, hop } = event;
            let wake = Wake { queue: queue.clone(), hop: hop.saturating_add(1) };
            decision.command(Command::Wake(wake));
        }
        decision
    }
}

fn wait(quiet: u32, now: Timestamp, next_due: Option<Timestamp>) -> Option<SignedDuration> {
    let until_due = next_due.map(|due| due.duration_since(now));
    let soon = until_due.filter(|wait| wait.is_positive() && *wait <= WAIT_MAX);
    let lag = (quiet == 0).then_some(INDEX_LAG);
    // What is due before the index has caught up is seen together with what it shows then.
    soon.into_iter().chain(lag).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(secs: i64) -> SignedDuration {
        SignedDuration::from_secs(secs)
    }

    #[track_caller]
    fn check(quiet: u32, due_in: Option<i64>, expected: Option<SignedDuration>) {
        let now = Timestamp::from_second(1_767_225_600).expect("it is an instant");
        let due = due_in.map(|due| now.checked_add(secs(due)).expect("it is an instant"));
        assert_eq!(wait(quiet, now, due), expected, "{quiet} {due_in:?}");
    }

    #[test]
    fn an_index_is_given_time_to_catch_up_once() {
        check(0, None, Some(INDEX_LAG));
        check(1, None, None);
    }

    #[test]
    fn what_is_due_soon_is_waited_for_time_and_again() {
        check(0, Some(30), Some(secs(30)));
        check(7, Some(30), Some(secs(30)));
        check(7, Some(90), Some(secs(90)));
        check(7, Some(91), None);
        check(0, Some(91), Some(INDEX_LAG));
        check(0, Some(2), Some(INDEX_LAG));
    }

    #[test]
    fn what_is_due_and_left_alone_is_not_waited_for() {
        check(1, Some(0), None);
        check(1, Some(-60), None);
    }
}
