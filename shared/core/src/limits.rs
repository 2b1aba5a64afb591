//! Bounds: how long, how often and how many, each with its unit and its reason.
//!
//! Bounds that EC2 or DynamoDB sets on one request (pages, batches, filters) stand where the request
//! is made.

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

/// A slot that is older than that when it is first seen came while nothing ran: between two ticks
/// there is a minute, and one that failed is tried again within three.
pub const LATE: SignedDuration = SignedDuration::from_mins(5);

/// So many slots of a schedule are looked after at one tick, and the rest at the next: one a minute
/// for nearly two years.
pub const SLOTS_MAX: usize = 1_000_000;

// A worker and its rounds.

/// The longest that a call that makes something may take, with all its tries. No such call begins
/// unless the lease that it is made under is sure to last longer.
pub const EC2_CALL_MAX: SignedDuration = SignedDuration::from_secs(20);

/// The longest that a call of DynamoDB may take, with all its tries: two tries that were lost, and
/// one more that is answered.
pub const LEDGER_CALL_MAX: SignedDuration = SignedDuration::from_secs(28);

/// The time before the Lambda deadline in which nothing new begins: a call at its longest, and the
/// write of its outcome at its longest.
pub const WIND_UP: SignedDuration =
    SignedDuration::from_secs(EC2_CALL_MAX.as_secs() + LEDGER_CALL_MAX.as_secs());

/// The time for which a worker has a queue to itself. Long enough for many calls, short enough that
/// a worker that died does not keep the next one off for long.
pub const LEASE: SignedDuration = SignedDuration::from_secs(60);

/// The time that the write of an intent may take beside the call before the lease has to be renewed.
pub const LEASE_MARGIN: SignedDuration = SignedDuration::from_secs(10);

/// The time after which an index shows what was there when the worker was woken.
pub const INDEX_LAG: SignedDuration = SignedDuration::from_secs(6);

/// The longest that a worker waits for what is due. For what comes later there is the sweep, and
/// nobody pays for the wait.
pub const WAIT_FOR_DUE_MAX: SignedDuration = SignedDuration::from_secs(90);

/// The wait before a look that is late already: there is time for others to be answered.
pub const AT_ONCE: SignedDuration = SignedDuration::from_millis(100);

/// The rounds of one worker: far more than there is time for, if every round does something.
pub const ROUNDS_MAX: u32 = 1000;

/// The records that a worker of a kind that does not look takes up in one round: with the pace of
/// snapshots, less than two minutes' work.
pub const ROUND_RECORDS_MAX: usize = 250;

/// The items in flight that are looked at whenever something happens to one of them.
pub const LOOK_AT_ONCE: usize = 10;

/// The shortest rest before a look at a fleet: long enough for several machines to complete.
pub const REST_MIN: SignedDuration = SignedDuration::from_secs(60);

/// The longest rest before a look at a fleet: well below the time limit of a function.
pub const REST_MAX: SignedDuration = SignedDuration::from_secs(180);

/// The time without a rest after which no fleet is on its way any more.
pub const FLEET_PASSES: SignedDuration = SignedDuration::from_mins(5);

/// The time after a claimed look in which its worker claims the next one, unless it died.
pub const CLAIM_GRACE: SignedDuration = SignedDuration::from_secs(3);

/// The time for which a worker believes what EC2 said of a machine that it has not got round to yet.
/// What has changed since is found out: by the set that comes back, and by the look after it.
pub const BELIEVED_FOR: SignedDuration = SignedDuration::from_mins(5);

/// The wait before a machine is described again that EC2 does not show as a whole: what it does not
/// show yet comes to light within seconds.
pub const UNSETTLED_WAIT: SignedDuration = SignedDuration::from_secs(10);

/// The downtimes that wait for a place and are looked at in one round: more than can begin before
/// the next.
pub const DOWNTIMES_WAITING_MAX: usize = 50;

/// How often the pace is halved at most when EC2 asks to wait: down to a sixteenth.
pub const SLOWED_MAX: u32 = 4;

/// The calls on end that were not asked to wait after which the pace is doubled again.
pub const STEADY: u32 = 3;

/// The wait between two machines whose tags are changed: half of what EC2 grants an account and
/// region (10 calls of either kind a second).
pub const TAG_PACE: SignedDuration = SignedDuration::from_millis(200);

/// How often a worker may hand over to a successor before only the sweep goes on: AWS does not stop
/// functions that wake each other for ever.
pub const HOPS_MAX: u32 = 50;

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
