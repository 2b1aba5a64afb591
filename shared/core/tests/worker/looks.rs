//! Looks of kinds that ask EC2 about everything in flight.

use afterimage_core::limits::LOOK_AT_ONCE;
use afterimage_core::work::Kind;
use afterimage_core::worker::Seen;

use super::{alone, at, next, registers, seen};

#[test]
fn an_empty_queue_is_loaded_without_a_claim() {
    let mut worker = alone(Kind::Register);
    worker.saw(seen(0, 0), at(0));
    assert_eq!(next(&worker, 0), "load 0");
}

/// So many in flight, and the look that was claimed last, if any; then the next move.
fn check(count: usize, claimed: Option<i64>, expected: &str) {
    let mut worker = alone(Kind::Confirm);
    // Due or not: everything in flight is looked at.
    worker.saw(seen(count, 300), at(0));
    assert_eq!(next(&worker, 0), "see the claim");
    worker.saw(Seen::Claim { until: claimed.map(at) }, at(0));
    assert_eq!(next(&worker, 0), expected, "{count} {claimed:?}");
}

#[test]
fn a_handful_is_looked_at_at_once_and_a_fleet_is_rested_upon() {
    check(1, None, "load 1");
    check(LOOK_AT_ONCE, None, "load 10");
    check(LOOK_AT_ONCE + 1, None, "claim until 60");
    check(100, None, "claim until 100");
    check(1000, None, "claim until 180");
}

#[test]
fn the_last_few_of_a_fleet_are_rested_upon_too() {
    check(1, Some(-299), "claim until 60");
    check(1, Some(-300), "load 1");
}

#[test]
fn a_look_that_another_has_claimed_is_left_to_it() {
    check(1, Some(1), "quit");
    check(100, Some(1), "quit");
    check(100, Some(0), "claim until 100");
}

#[test]
fn after_the_rest_the_queue_is_read_once_more() {
    let mut worker = alone(Kind::Confirm);
    worker.saw(seen(100, 0), at(0));
    worker.saw(Seen::Claim { until: None }, at(0));
    let mut other = worker.clone();
    other.claimed(at(100), false);
    assert_eq!(next(&other, 0), "quit");
    worker.claimed(at(100), true);
    assert_eq!(next(&worker, 0), "wait until 100");
    assert_eq!(next(&worker, 100), "see the queue");
    worker.saw(seen(120, 0), at(100));
    assert_eq!(next(&worker, 100), "load 120");
}

#[test]
fn a_rest_that_would_outlast_the_function_is_not_begun() {
    let mut worker = alone(Kind::Confirm);
    worker.saw(seen(100, 0), at(751));
    // Until 900 less 48 something new may begin.
    for (secs, then) in [(751, "claim until 851"), (752, "quit")] {
        worker.saw(Seen::Claim { until: None }, at(secs));
        assert_eq!(next(&worker, secs), then);
    }
}

#[test]
fn other_kinds_take_up_what_is_due_without_a_claim() {
    for kind in [Kind::Copy, Kind::Snapshot] {
        for (due_at, then) in [(0, "load 100"), (1, "load 0")] {
            let mut worker = alone(kind);
            worker.saw(Seen::Hints(Vec::new()), at(0));
            worker.saw(seen(100, due_at), at(0));
            if kind == Kind::Snapshot && due_at == 0 {
                worker.leased(Some(at(60)));
            }
            assert_eq!(next(&worker, 0), then, "{kind}");
        }
    }
}

/// So many seconds for which the oldest record is overdue, and the look that was claimed last, if
/// any; then the move before the worker decides.
fn before_deciding(overdue: i64, claimed: Option<i64>, expected: &str) {
    let mut worker = alone(Kind::Register);
    worker.saw(seen(1, -overdue), at(0));
    worker.saw(Seen::Claim { until: claimed.map(at) }, at(0));
    worker.loaded(registers(0, None));
    assert_eq!(next(&worker, 0), expected, "{overdue} {claimed:?}");
}

#[test]
fn a_worker_shows_every_half_hour_that_it_is_at_work_that_is_long_overdue() {
    before_deciding(1799, None, "decide");
    before_deciding(1800, None, "claim until 0");
    before_deciding(7200, Some(-1800), "claim until 0");
    before_deciding(7200, Some(-1799), "decide");
}

#[test]
fn a_worker_of_a_kind_that_does_not_look_reads_the_last_claim_for_that() {
    let mut worker = alone(Kind::Copy);
    worker.saw(seen(1, -1800), at(0));
    worker.loaded(registers(0, None));
    assert_eq!(next(&worker, 0), "see the claim");
    worker.saw(Seen::Claim { until: None }, at(0));
    assert_eq!(next(&worker, 0), "claim until 0");
    worker.claimed(at(0), true);
    assert_eq!(next(&worker, 0), "decide");
}
