//! Limits: times, numbers of tries and sizes, each with its unit and its reason.
//!
//! Limits that EC2 or DynamoDB sets on one request (pages, batches, filters) stand where the
//! request is made.

use jiff::{SignedDuration, Timestamp};

/// Time after an intent from which a complete listing that shows nothing is believed. EC2 can take
/// about five minutes to show what it made. The worker that wrote the intent has long since stopped
/// by then, with a lease and a call at their longest.
pub const SETTLE: SignedDuration = SignedDuration::from_mins(6);

/// Wait before a copy without an outcome is requested again. The copy carries a token, so that this
/// is safe and the wait can be short.
pub const COPY_AGAIN: SignedDuration = SignedDuration::from_mins(2);

/// Time after which a set of snapshots that shows only in part is given up. Until then the rest may
/// still become visible.
pub const PARTIAL: SignedDuration = SignedDuration::from_mins(30);

/// Time for which an event is waited for before the sweep wakes a worker to look.
pub const LOOK_AFTER: SignedDuration = SignedDuration::from_mins(5);

/// Time after which the holder of a name is visible that EC2 said is taken.
pub const NAME_VISIBLE: SignedDuration = SignedDuration::from_secs(5);

/// Time after which a snapshot or an image that is still pending is reported. Large disks take
/// hours, in the worst case a day. It is waited for all the same.
pub const PENDING_MAX: SignedDuration = SignedDuration::from_hours(48);

/// The longest that EC2 may ask to wait before the next try comes only once in [`PROBE_EVERY`],
/// and the longest that a machine may be shown only in part.
pub const WAITING_MAX: SignedDuration = SignedDuration::from_hours(24);

/// The longest that a machine waits because its images may be unknown to a ledger that went back in
/// time. What tags and facts confirm is adopted within minutes; what is pending becomes available.
pub const DOUBT_MAX: SignedDuration = SignedDuration::from_hours(1);

/// Time after which a round that the witness has counted is over: the time limit of a function.
pub const ROUND_MAX: SignedDuration = SignedDuration::from_mins(15);

/// Time for which it is told that the ledger went back: a week, so that a person sees it who looks
/// on working days.
pub const WENT_BACK_TOLD: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Time for which it is told that the ledger lacked records.
pub const GAPS_TOLD: SignedDuration = WENT_BACK_TOLD;

/// The number of points that are not protected yet, and that one audit reads because somebody may
/// have deleted their records; and of machines of which something is missing.
pub const GAPS_READ_MAX: usize = 500;

/// The number of machines whose new names one audit writes.
pub const RENAMED_MAX: usize = 100;

/// The wait after EC2 asked to wait.
pub const THROTTLED_WAIT: SignedDuration = SignedDuration::from_secs(30);

/// The number of failed stops of a machine after which it is not stopped for its point. With their
/// waits they take two hours, in which most outages of a region pass. No other step is given up.
pub const FAILURES_MAX: u32 = 8;

/// The number of attempts of one step after which the next one waits for a day. A name that
/// somebody else holds is no failure, but a person who takes all names must not keep us busy.
pub const ATTEMPTS_MAX: u32 = 20;

/// A day: the wait between two tries of something that fails for a long time, or that a person has
/// to change; and the time in which losses and what is made again are counted.
pub const A_DAY: SignedDuration = SignedDuration::from_hours(24);

/// Time between two tries of the calls of a queue that meet the same obstacle, whatever the number
/// of records that wait.
pub const PROBE_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// The points that are looked at when one of them is tried for all that meet the same obstacle. The
/// first may be of a machine that is gone, or that cannot be imaged just now.
pub const TRIED_AMONG: usize = 20;

/// The number of tries under a key, and of tries that each leave an artefact of no use, after which
/// the next one waits for a day.
pub const PROBES_HOURLY: u32 = 3;

/// The number of tries of calls that met an obstacle after which a person is told. Before that it
/// may pass within minutes.
pub const PROBES_UNSEEN: u32 = 3;

/// The most records of a queue that are read to see if an obstacle holds up none of them. If there
/// are more, some of them surely wait.
pub const HELD_UP_READ_MAX: usize = 200;

/// The number of tries in a row, a minute apart, for which too many snapshots are pending, after
/// which a person is told.
pub const PENDING_UNSEEN: u32 = 60;

/// The most sets of snapshots of one machine that are pending when another is begun is one less:
/// half of the snapshots of a volume that EC2 makes at a time (5), because the volume has other
/// users.
pub const SETS_PENDING_MAX: usize = 2;

/// The same for volumes of which EC2 makes one snapshot at a time.
pub const SETS_PENDING_COLD_MAX: usize = 1;

/// The most records of ended points that one sweep takes up again.
pub const TAKEN_UP_MAX: usize = 50;

/// The time after a policy was applied in which places that it had given up are taken up again: two
/// looks of the sweep at everything. Each of them reads the summaries of all machines.
pub const WANTED_AGAIN_WITHIN: SignedDuration = SignedDuration::from_hours(2);

/// The most points whose places one sweep takes up again. Each is a write of some milliseconds, and
/// the sweep has five minutes.
pub const WANTED_AGAIN_MAX: usize = 1_000;

/// The first wait after a failed try. The wait doubles with each failure, up to [`BACKOFF_MAX`].
pub const BACKOFF: SignedDuration = SignedDuration::from_mins(1);

pub const BACKOFF_MAX: SignedDuration = SignedDuration::from_hours(1);

/// The most that the clocks of EC2 and of the function may differ when the start of an artefact is
/// compared with its intent.
pub const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(30);

/// Wait before a call that stops or starts a machine, and had no outcome, is made again. The worker
/// that made it has long since stopped by then, and making either call twice does no harm.
pub const CALL_AGAIN: SignedDuration = SignedDuration::from_secs(30);

/// The longest wait between two calls to start a machine that does not start. There is no limit to
/// their number.
pub const START_AGAIN_MAX: SignedDuration = SignedDuration::from_mins(5);

/// The number of failed starts after which a person is told.
pub const STARTS_UNSEEN: u32 = 2;

/// Time between two looks at the machines that are down for their images.
pub const LOOK_DOWN: SignedDuration = SignedDuration::from_secs(5);

/// Time between two looks at machines that should long since run again, and do not.
pub const LOOK_HUNG: SignedDuration = SignedDuration::from_secs(30);

/// Time between two looks for a place for the machines that wait for one.
pub const LOOK_WAITING: SignedDuration = SignedDuration::from_secs(30);

/// The shortest time between two requests by tag for one machine and policy, if the policy stops or
/// reboots the machine. Whoever may set a tag can then take a machine down once an hour, and not
/// again and again. It is longer than most downtimes, and short enough to ask again the same day. A
/// person who may write the ledger can use `afterimage capture` at any time.
pub const ASKED_AGAIN: SignedDuration = SignedDuration::from_hours(1);

/// The most volumes that CreateSnapshots can be told to leave out, not counting the root.
pub const LEFT_OUT_MAX: usize = 40;

/// Age from which a slot that is first seen counts as late: nothing ran when it came. Between two
/// ticks there is a minute, and a tick that failed is tried again within three.
pub const LATE: SignedDuration = SignedDuration::from_mins(5);

/// The most slots of a schedule that are looked after at one tick; the rest follow at the next. The
/// number is one a minute for nearly two years.
pub const SLOTS_MAX: usize = 1_000_000;

// The pace of calls, and of the sweep.

/// The wait between two sets of snapshots, and between two registrations: with [`TRIAL_PACE`], half
/// of what EC2 allows an account and region (5 a second of each), because the account has other
/// users.
pub const SNAPSHOT_PACE: SignedDuration = SignedDuration::from_millis(410);

/// The least time between two trials of snapshots, which are made before a machine is stopped while
/// an obstacle of the snapshots stands. A trial that fails is not made again for longer.
pub const TRIAL_PACE: SignedDuration = LOOK_WAITING;

/// The least time between two sets of snapshots of one machine. EC2 takes no snapshot of a volume
/// within 15 seconds of the last one; the rest is for the time between an intent and its call.
pub const SNAPSHOTS_APART: SignedDuration = SignedDuration::from_secs(18);

/// The wait between two machines that are stopped or started: half of what EC2 allows (2 a second).
pub const POWER_PACE: SignedDuration = SignedDuration::from_secs(1);

/// The wait between two copies into a region: half of what EC2 allows (1 a second).
pub const COPY_PACE: SignedDuration = SignedDuration::from_secs(2);

/// Time after the first look at which an artefact that was good is missing, before it is called
/// lost: EC2 may hide for minutes what it has.
pub const LOST_AFTER: SignedDuration = SETTLE;

/// Time between two looks at a place that is lost and cannot be made again yet. One that waits for
/// a key, or whose machine no policy selects, is looked at every [`PROBE_EVERY`].
pub const HEAL_AGAIN: SignedDuration = SignedDuration::from_hours(6);

/// The part of the age of a point after which a lost place of it is looked at again once a newer
/// point is good: a quarter. So a place costs thirty looks in a year, and not four a day.
const LOOK_AT_OLDER_PART: i32 = 4;

/// Returns the time after which a lost place of a point of this age is looked at again while a
/// newer point is good: nothing is made again, and only the text of its finding may have changed.
pub fn look_at_older(age: SignedDuration) -> SignedDuration {
    HEAL_AGAIN.max(age / LOOK_AT_OLDER_PART)
}

/// Time in which a place that is lost may be made again [`HEALS_MAX`] times. After that somebody is
/// at work, and a person has to look.
pub const HEALS_WITHIN: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The most times that a place is made again within [`HEALS_WITHIN`].
pub const HEALS_MAX: usize = 2;

/// The most images of a region that may be lost within a day before healing is slowed down there. A
/// person who tidies up by hand deletes fewer.
pub const MASS_LOSS: u32 = 10;

/// Healing is slowed down if the losses, times this, are more than the good images of the region: a
/// tenth.
pub const MASS_LOSS_TENTHS: u64 = 10;

/// Time after the last mass loss, or the last image that had to wait, in which healing is still
/// slowed down. What waits is due again after one day.
pub const BRAKE_FOR: SignedDuration = SignedDuration::from_hours(48);

/// The most that is made again in a region in a day once many images are lost there, unless the
/// stack says otherwise, in GiB. It is a few dozen machines, and some tens of dollars a month.
pub const HEAL_GIB_PER_DAY_DEFAULT: u32 = 1024;

/// The most keys of a region whose state one audit reads; if there are more, they take turns. Few
/// accounts have more keys for disks.
pub const KEYS_MAX: usize = 200;

/// Number of keys in a row of which KMS tells nothing, after which an audit asks for no more of
/// that region: each may take 15 seconds, and the other regions wait.
pub const KEYS_UNANSWERED_MAX: usize = 3;

/// The most keys of a region that the record of an audit names because their state is not known: 4
/// KiB of the 400 that it may have.
pub const UNREAD_KEYS_MAX: usize = 50;

/// The window of a point that begins again because everything of it was lost.
pub const HEAL_WINDOW: SignedDuration = SignedDuration::from_hours(1);

/// The most copies that are begun by one decision: a minute's work. The next decision asks the
/// policies in force again.
pub const COPIES_AT_ONCE: usize = 30;

/// The wait between two reads that EC2 answers for one machine or image at a time: less than half
/// of what EC2 allows an account and region (20 a second), so that the commands of people are
/// within that half too.
pub const ITEM_READ_PACE: SignedDuration = SignedDuration::from_millis(125);

// Parts of the listings. EC2 allows 20 calls a second of each action; these are half of that in
// sum. A call lists up to 200 things by their ids, or a page of 1000.

/// The wait between two listings of `backup-tick`, which lists the machines of a region once.
pub const LIST_PACE_BACKUP: SignedDuration = SignedDuration::from_millis(2000);

/// The wait between two listings of the sweep: it reads everything of an account, page by page.
pub const LIST_PACE_SWEEP: SignedDuration = SignedDuration::from_millis(500);

/// The wait between two listings of the worker of snapshots, which describes whole fleets.
pub const LIST_PACE_SNAPSHOT: SignedDuration = SignedDuration::from_millis(500);

/// The wait between two listings of the worker that registers images. It rests between two looks.
pub const LIST_PACE_REGISTER: SignedDuration = SignedDuration::from_millis(1000);

/// The wait between two listings of the worker that confirms images. Its queue is the longest: the
/// images of a region and all replicas into it.
pub const LIST_PACE_CONFIRM: SignedDuration = SignedDuration::from_millis(500);

/// The wait between two listings of the worker of copies, which lists what has no outcome.
pub const LIST_PACE_COPY: SignedDuration = SignedDuration::from_millis(2000);

/// The wait between two listings of the worker of power, which looks every [`LOOK_DOWN`].
pub const LIST_PACE_POWER: SignedDuration = SignedDuration::from_millis(1000);

/// The wait between two reads of a person's command, of one action in one region.
pub const COMMAND_PACE: SignedDuration = SignedDuration::from_millis(1000);

/// The wait between two reads of one machine before it is stopped: one for each stop.
pub const GUARD_PACE: SignedDuration = POWER_PACE;

/// Listing everything of ours, and every machine, costs three describes a region; what it finds is
/// in no hurry.
pub const LOOK_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// The most snapshots of a region that one audit looks at by their ids because the listing by our
/// tag does not show them: five calls. There are more only if somebody removes tags by the
/// thousand, and a person who is told of these knows it.
pub const UNLISTED_MAX: usize = 1000;

/// Time without an audit of a region after which a person is told: three audits in a row failed. A
/// region that misses one or two may have been busy.
pub const AUDIT_LATE: SignedDuration = SignedDuration::from_hours(3);

/// Time without an audit from which `doctor` warns: once [`LOOK_EVERY`] is over, each sweep makes
/// one, and six have not. From [`AUDIT_LATE`] on, it fails.
pub const AUDIT_MISSED: SignedDuration = SignedDuration::from_mins(90);

/// Age of a slot that nobody has requested from which `doctor` fails. The tick comes every minute,
/// and one that fails is tried again within three: three ticks in a row failed.
pub const SLOT_OVERDUE: SignedDuration = SignedDuration::from_mins(10);

/// Time between two heartbeats of an execution environment. Each is a write of the ledger; one an
/// hour leaves the cost of an idle system as it is.
pub const HEARTBEAT_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// Age of the heartbeat of a function that a schedule invokes from which `doctor` fails: two of
/// [`HEARTBEAT_EVERY`] were not written, with two of the ticks that write them.
pub const HEARTBEAT_LATE: SignedDuration = SignedDuration::from_mins(130);

/// Time for which `doctor` waits for its test event: a cold start and a try that failed are over by
/// then, unless EventBridge or Lambda is in trouble.
pub const TEST_EVENT_MAX: SignedDuration = SignedDuration::from_secs(30);

/// The longest id of a test event, in characters. Anybody who may put events on our bus chooses it.
pub const TEST_ID_CHARS_MAX: usize = 64;

/// Time without a look at a place that EC2 does not show after which a person is told. The worker
/// that confirms needs some minutes, and the next audit comes an hour after the one that found it.
pub const UNCONFIRMED_LATE: SignedDuration = SignedDuration::from_mins(50);

/// Time for which work of a queue is overdue, and no worker has shown that it is at it, before the
/// queue is called still. The sweep wakes the worker every five minutes, so that one event that was
/// lost, or an outage that passes, is not told of.
pub const STILL_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// Number of audits in a row that find the work of a region still after which a person is told. At
/// the first after an outage of all functions, the workers are only being woken.
pub const STILL_AUDITS: u32 = 2;

/// Time for which work is overdue before its worker shows that it is at it, and the time between
/// two such writes: half of [`STILL_AFTER`]. Work that waits for an image or for its turn can be
/// overdue for hours.
pub const AT_WORK_EVERY: SignedDuration = SignedDuration::from_mins(30);

/// The most gaps that are reported at one look, the others at the next: their reader has enough to
/// do.
pub const GAP_REPORTS_MAX: usize = 50;

/// The most images that a place had before, and that are asked for when it has lost the last one.
pub const LEFTOVERS_ASKED_MAX: usize = 20;

/// The most foreign artefacts that are reported at one look; the others are reported at the next.
/// Somebody who plants thousands must not keep the sweep from its other work.
pub const FOREIGN_REPORTS_MAX: usize = 200;

// A worker and its rounds.

/// The longest that a call that creates something may take, with all its tries. No such call begins
/// unless its lease is sure to last longer.
pub const EC2_CALL_MAX: SignedDuration = SignedDuration::from_secs(20);

/// The longest that a call of DynamoDB may take, with all its tries: two tries without an answer,
/// and one more that is answered.
pub const LEDGER_CALL_MAX: SignedDuration = SignedDuration::from_secs(28);

/// Time before the Lambda deadline in which nothing new begins: a call at its longest, and the
/// write of its outcome at its longest.
pub const WIND_UP: SignedDuration =
    SignedDuration::from_secs(EC2_CALL_MAX.as_secs() + LEDGER_CALL_MAX.as_secs());

/// Time for which a worker has a queue to itself. The lease is long enough for many calls, and
/// short enough that a worker that died does not keep the next one off for long.
pub const LEASE: SignedDuration = SignedDuration::from_secs(60);

/// Time from now up to which a lease is believed. A worker takes it for [`LEASE`]: one that ends
/// later was written by a hand, or by a clock that was wrong, and must not end the work of a queue.
pub const LEASE_BELIEVED_MAX: SignedDuration = SignedDuration::from_mins(5);

/// The same for a claim, which a worker takes until the next try of what stands in its way: a day
/// at most.
pub const CLAIM_BELIEVED_MAX: SignedDuration = SignedDuration::from_hours(25);

/// Time for the write of an intent. A lease that does not last for it and for the call is renewed.
pub const LEASE_MARGIN: SignedDuration = SignedDuration::from_secs(10);

/// Time after which an index shows what was written when the worker was woken.
pub const INDEX_LAG: SignedDuration = SignedDuration::from_secs(6);

/// The longest wait of a worker for a record that is due later. Records that are due after that are
/// left to the sweep, so that nobody pays for the wait.
pub const WAIT_FOR_DUE_MAX: SignedDuration = SignedDuration::from_secs(90);

/// Wait before a look that is late already. The wait leaves time for the other calls to be
/// answered.
pub const AT_ONCE: SignedDuration = SignedDuration::from_millis(100);

/// The most rounds of one worker: far more than there is time for, if every round does something.
pub const ROUNDS_MAX: u32 = 1000;

/// The most records that a worker of a kind that does not look takes up in one round: at the pace
/// of snapshots, less than two minutes' work.
pub const ROUND_RECORDS_MAX: usize = 250;

/// The same for copies. Those that an obstacle holds up must not hide the others.
pub const ROUND_COPIES_MAX: usize = 5000;

/// Time that a worker of snapshots needs for one round: to describe as many machines as it takes
/// up, and to begin their snapshots. A worker with less time left hands over to its successor
/// first, because the successor would have to describe the same machines again.
pub const SNAPSHOT_ROUND: SignedDuration = SignedDuration::from_secs(150);

/// The most machines with a hint that a worker describes and decides about in one round. All that
/// follows is written within the lease.
pub const HINTS_MAX: usize = 100;

/// The most items in flight that are looked at whenever something happens to one of them.
pub const LOOK_AT_ONCE: usize = 10;

/// The shortest rest before a look at a fleet: long enough for several machines to complete.
pub const REST_MIN: SignedDuration = SignedDuration::from_secs(60);

/// The longest rest before a look at a fleet: well below the time limit of a function.
pub const REST_MAX: SignedDuration = SignedDuration::from_secs(180);

/// Time without a rest after which no fleet is under way any more.
pub const FLEET_PASSES: SignedDuration = SignedDuration::from_mins(5);

/// Time after a claimed look in which its worker claims the next one, unless the worker died.
pub const CLAIM_GRACE: SignedDuration = SignedDuration::from_secs(3);

/// Time for which a worker uses the description of a machine that it has not imaged yet. A change
/// since then is found in the set that comes back, and by the look after it.
pub const BELIEVED_FOR: SignedDuration = SignedDuration::from_mins(5);

/// Wait before a machine is described again that EC2 shows only in part. The missing parts become
/// visible within seconds.
pub const UNSETTLED_WAIT: SignedDuration = SignedDuration::from_secs(10);

/// The most downtimes that wait for a place and are looked at in one round: more than can begin
/// before the next.
pub const DOWNTIMES_WAITING_MAX: usize = 50;

/// The most times that the pace is halved when EC2 asks to wait: down to a sixteenth.
pub const SLOWED_MAX: u32 = 4;

/// Number of calls in a row, none of them asked to wait, after which the pace is doubled again.
pub const STEADY: u32 = 3;

// Parts of the changes of tags. EC2 allows 10 calls of either kind a second (CreateTags,
// DeleteTags); these are half of that in sum.

/// The wait between two machines whose requests are answered by a worker. A round of hints takes
/// less than the lease.
pub const TAG_PACE: SignedDuration = SignedDuration::from_millis(400);

/// The same for the sweep, which answers only what a worker left.
pub const TAG_PACE_SWEEP: SignedDuration = SignedDuration::from_millis(1000);

/// The wait between two corrections of the grades of snapshots. They are rare.
pub const TAG_PACE_REGISTER: SignedDuration = SignedDuration::from_millis(2000);

/// The wait between two corrections of the grades of images and their snapshots.
pub const TAG_PACE_CONFIRM: SignedDuration = SignedDuration::from_millis(1000);

/// The most hand-overs from a worker to a successor before only the sweep goes on. AWS does not
/// stop functions that wake each other for ever.
pub const HOPS_MAX: u32 = 50;

/// Returns the wait before the next try of a step that failed `failures` times.
pub fn backoff(failures: u32) -> SignedDuration {
    let doubled = 1_i32.checked_shl(failures.saturating_sub(1)).unwrap_or(i32::MAX);
    BACKOFF.saturating_mul(doubled.max(1)).min(BACKOFF_MAX)
}

/// Returns the wait before a step of a point is begun again that failed `failures` times.
pub fn backoff_of_point(failures: u32) -> SignedDuration {
    if failures < ATTEMPTS_MAX { backoff(failures) } else { A_DAY }
}

/// Returns the wait before the next try of a step whose tries leave artefacts of no use. One may
/// have failed by chance.
pub fn backoff_sparing(failures: u32) -> SignedDuration {
    match failures {
        0 | 1 => BACKOFF,
        _ if failures < PROBES_HOURLY => PROBE_EVERY,
        _ => A_DAY,
    }
}

/// Returns the wait before a machine is started again after `failures` failed starts.
pub fn start_again(failures: u32) -> SignedDuration {
    let doubled = 1_i32.checked_shl(failures).unwrap_or(i32::MAX);
    CALL_AGAIN.saturating_mul(doubled.max(1)).min(START_AGAIN_MAX)
}

/// Returns a later time, or the end of time.
pub fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}
