//! Bounds of the promises. Each comes from docs/ARCHITECTURE.md and from the named limits there,
//! and not from what runs show. `docs/simulation.md` has the same table.

use std::time::Duration;

const fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

/// The audit comes every hour. A suspect is lost at a second look 6 minutes later. A sweep that
/// failed is made again 5 minutes later; that leaves half an hour for the workers.
pub const TRUE_WITHIN: Duration = minutes(120);

/// A policy is read again before each call that begins something. A worker may have read it up to
/// its time limit (15 minutes) before; the rest is the bound of the truth.
pub const WANTED_WITHIN: Duration = minutes(120);

/// A machine is down for the timeout of its policy (15 minutes) and until it runs; a start that
/// failed is made again within 5 minutes, by a worker that the sweep wakes within 5 minutes.
pub const DOWN_MAX: Duration = minutes(60);

/// No function lives longer than 15 minutes, so that nobody holds a lease at two steps that are 30
/// minutes apart. The worker of a dead function may have left one before the quiet time.
pub const LEASED_MAX: Duration = minutes(60);

/// What waits longest for its next try waits for a day (after 20 failures, and after three probes
/// under a key). Then come an audit (1 hour), a probe (1 hour), the copies, and one more backoff
/// (1 hour).
pub const WHOLE_WITHIN: Duration = minutes(30 * 60);

/// A slot is requested within the tick (30 minutes at most), and is protected within the hour; a
/// machine that is held up by another takes its turn. What is open in the quiet time has to be open
/// for as long to count, because new slots keep coming.
pub const SLOT_MADE_WITHIN: Duration = minutes(3 * 60);

/// The shortest quiet time: long enough for the bound of the truth and two audits.
pub const QUIET_MIN: Duration = minutes(180);

/// The longest: all bounds are over by then.
pub const QUIET_MAX: Duration = minutes(34 * 60);
