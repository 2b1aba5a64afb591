//! The bounds on everything, each with its unit and its reason.

use jiff::{SignedDuration, Timestamp};

/// How long after an intent a complete listing may be believed when it shows nothing. EC2 can take
/// about five minutes to show what it made; and whoever wrote the intent has, with a lease and a
/// call at their longest, long since stopped.
pub const SETTLE: SignedDuration = SignedDuration::from_mins(6);

/// A copy carries a token, so that asking again is safe: no reason to wait for long.
pub const COPY_AGAIN: SignedDuration = SignedDuration::from_mins(2);

/// A set of snapshots that shows only in part may still come to light; then it is given up.
pub const PARTIAL: SignedDuration = SignedDuration::from_mins(30);

/// So long is an event waited for before the sweep has somebody look.
pub const LOOK_AFTER: SignedDuration = SignedDuration::from_mins(5);

/// EC2 answered that a name is taken; what holds it should be visible by then.
pub const NAME_VISIBLE: SignedDuration = SignedDuration::from_secs(5);

/// Snapshots and images of large disks take hours, in the worst case a day. After two it is over.
pub const PENDING_MAX: SignedDuration = SignedDuration::from_hours(48);

/// Being asked to wait is no failure, but it cannot go on for ever either.
pub const WAITING_MAX: SignedDuration = SignedDuration::from_hours(24);

/// The same for registrations and copies, which begin only when snapshots, and then the image, have
/// been made: either may take up to [`PENDING_MAX`]. It too counts from the request.
pub const WAITING_LATER_MAX: SignedDuration = SignedDuration::from_hours(24 + 2 * 48);

/// How long to stay away after being asked to wait.
pub const THROTTLED_WAIT: SignedDuration = SignedDuration::from_secs(30);

/// Tries of one step that may fail before it is given up: with their waits, two hours, in which
/// most outages of a region pass.
pub const FAILURES_MAX: u32 = 8;

/// Names that others took do not count as failures, but whoever takes them all must not keep us
/// busy for ever.
pub const ATTEMPTS_MAX: u32 = 20;

/// The first wait after a failed try; it doubles with each, up to [`BACKOFF_MAX`].
pub const BACKOFF: SignedDuration = SignedDuration::from_mins(1);

pub const BACKOFF_MAX: SignedDuration = SignedDuration::from_hours(1);

/// The clock of EC2 and ours may differ by so much when the start of a snapshot is held against
/// the intent for it.
pub const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(30);

/// A call that stops or starts a machine, and of which nothing was heard: whoever made it has long
/// since stopped, and it is made again. Either is the same when it is made twice.
pub const CALL_AGAIN: SignedDuration = SignedDuration::from_secs(30);

/// A machine that does not start is started again for as long as it takes, at most so long apart.
pub const START_AGAIN_MAX: SignedDuration = SignedDuration::from_mins(5);

/// A machine that did not start so often is something that a person should see.
pub const STARTS_UNSEEN: u32 = 2;

/// How often the machines are looked at that are down for their images.
pub const LOOK_DOWN: SignedDuration = SignedDuration::from_secs(5);

/// How often those are looked at that should long since run again, and do not.
pub const LOOK_HUNG: SignedDuration = SignedDuration::from_secs(30);

/// How often it is looked whether there is a place for those that wait.
pub const LOOK_WAITING: SignedDuration = SignedDuration::from_secs(30);

/// CreateSnapshots can be told so many volumes to leave out, the root apart.
pub const LEFT_OUT_MAX: usize = 40;

/// How far back slots are looked for that were missed while nothing ran; older ones are past.
pub const CATCH_UP: SignedDuration = SignedDuration::from_hours(24 * 7);
/// A slot that is older than that when it is first seen came while nothing ran: between two ticks
/// there is a minute, and one that failed is tried again within three.
pub const LATE: SignedDuration = SignedDuration::from_mins(5);

/// So many slots of a schedule are looked after at one tick, and the rest at the next: one a minute
/// for nearly two years.
pub const SLOTS_MAX: usize = 1_000_000;

/// The wait before the next try of a step that failed so often.
pub fn backoff(failures: u32) -> SignedDuration {
    let doubled = 1_i32.checked_shl(failures.saturating_sub(1)).unwrap_or(i32::MAX);
    BACKOFF.saturating_mul(doubled.max(1)).min(BACKOFF_MAX)
}

/// The wait before a machine is started again that did not start so often.
pub fn start_again(failures: u32) -> SignedDuration {
    let doubled = 1_i32.checked_shl(failures).unwrap_or(i32::MAX);
    CALL_AGAIN.saturating_mul(doubled.max(1)).min(START_AGAIN_MAX)
}

/// So much later, or at the end of time.
pub fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}
