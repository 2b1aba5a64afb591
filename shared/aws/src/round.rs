//! When a worker that found nothing to do goes round its queue once more.
//!
//! An index shows what was written some seconds ago, so that whoever was woken by a write may come
//! too early to see it; and what is to be waited for may be due soon, in which case nobody else
//! would come for it before the sweep does.

use jiff::{SignedDuration, Timestamp};

use crate::Aws;
use crate::apply::Applied;
use crate::invocation::Context;
use crate::load::Loaded;

/// By then an index shows what was there when the worker was woken.
pub const INDEX_LAG: SignedDuration = SignedDuration::from_secs(6);

/// What is due within this time is waited for; for what comes later there is the sweep, and nobody
/// pays for the wait.
pub const WAIT_MAX: SignedDuration = SignedDuration::from_secs(90);

/// What is late already is not waited for; but there is time for others to be answered.
const AT_ONCE: SignedDuration = SignedDuration::from_millis(100);

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
        loaded: &Loaded,
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
        let may_lag = loaded.may_lag && self.quiet == 0;
        let Some(wait) = (match loaded.watches {
            true => watch(now, loaded.next_due),
            false => wait(may_lag, now, loaded.next_due),
        }) else {
            return false;
        };
        self.quiet += u32::from(!loaded.watches);
        if !context.has_time(now.checked_add(wait).unwrap_or(Timestamp::MAX)) {
            self.applied.out_of_time |= loaded.watches;
            return false;
        }
        aws.clock.sleep(wait).await;
        true
    }
}

/// What is watched is looked at when it was to be, or as soon as that has gone by.
fn watch(now: Timestamp, next_due: Option<Timestamp>) -> Option<SignedDuration> {
    next_due.map(|due| due.duration_since(now).max(AT_ONCE))
}

fn wait(may_lag: bool, now: Timestamp, next_due: Option<Timestamp>) -> Option<SignedDuration> {
    let until_due = next_due.map(|due| due.duration_since(now));
    let soon = until_due.filter(|wait| wait.is_positive() && *wait <= WAIT_MAX);
    let lag = may_lag.then_some(INDEX_LAG);
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
    fn check(may_lag: bool, due_in: Option<i64>, expected: Option<SignedDuration>) {
        let now = Timestamp::from_second(1_767_225_600).expect("it is an instant");
        let due = due_in.map(|due| now.checked_add(secs(due)).expect("it is an instant"));
        assert_eq!(wait(may_lag, now, due), expected, "{may_lag} {due_in:?}");
    }

    #[test]
    fn an_index_is_given_time_to_catch_up_once() {
        check(true, None, Some(INDEX_LAG));
        check(false, None, None);
    }

    #[test]
    fn what_is_due_soon_is_waited_for_time_and_again() {
        check(true, Some(30), Some(secs(30)));
        check(false, Some(30), Some(secs(30)));
        check(false, Some(90), Some(secs(90)));
        check(false, Some(91), None);
        check(true, Some(91), Some(INDEX_LAG));
        check(true, Some(2), Some(INDEX_LAG));
    }

    #[test]
    fn what_is_due_and_left_alone_is_not_waited_for() {
        check(false, Some(0), None);
        check(false, Some(-60), None);
    }
}
