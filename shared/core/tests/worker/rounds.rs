//! Another round, and the wait before it.

use afterimage_core::limits::ROUNDS_MAX;
use afterimage_core::work::Kind;
use afterimage_core::worker::{Applied, Worker};

use super::{alone, at, next, registers, seen};

const NOTHING: Applied =
    Applied { made: 0, wrote: 0, lost: 0, no_lease: false, out_of_time: false };
const WROTE: Applied = Applied { wrote: 1, ..NOTHING };

/// A worker that has decided on a queue in which so many records are due then.
fn decided(kind: Kind, count: usize, due_at: i64, secs: i64) -> Worker {
    let mut worker = alone(kind);
    worker.saw(seen(count, due_at), at(secs));
    worker.loaded(registers(secs, None));
    assert_eq!(next(&worker, secs), "decide");
    worker
}

#[test]
fn a_round_that_did_something_is_followed_by_another_at_once() {
    for applied in [WROTE, Applied { made: 1, ..NOTHING }] {
        let mut worker = decided(Kind::Copy, 1, 0, 10);
        worker.applied(applied, at(11));
        assert_eq!(next(&worker, 11), "see the queue");
    }
}

#[test]
fn a_round_that_did_nothing_is_the_last_unless_something_is_due_soon() {
    for (due_at, then) in
        [(10, "quit"), (-60, "quit"), (11, "wait until 11"), (100, "wait until 100"), (101, "quit")]
    {
        let mut worker = decided(Kind::Copy, 1, due_at, 10);
        worker.applied(NOTHING, at(10));
        assert_eq!(next(&worker, 10), then, "due at {due_at}");
    }
}

#[test]
fn an_index_is_given_time_to_catch_up_once() {
    let mut worker = decided(Kind::Register, 0, 0, 10);
    worker.applied(NOTHING, at(10));
    assert_eq!(next(&worker, 10), "wait until 16");
    assert_eq!(next(&worker, 16), "see the queue");
    worker.saw(seen(0, 0), at(16));
    worker.loaded(registers(16, None));
    worker.applied(NOTHING, at(16));
    assert_eq!(next(&worker, 16), "quit");
}

#[test]
fn a_record_that_was_put_off_is_waited_for_as_well() {
    let mut worker = alone(Kind::Copy);
    worker.saw(seen(1, 0), at(10));
    worker.loaded(registers(10, Some(at(40))));
    worker.applied(NOTHING, at(10));
    assert_eq!(next(&worker, 10), "wait until 40");
}

#[test]
fn a_worker_without_its_lease_quits() {
    let mut worker = decided(Kind::Copy, 1, 0, 10);
    worker.applied(Applied { no_lease: true, ..WROTE }, at(10));
    assert_eq!(next(&worker, 10), "quit");
    assert!(!worker.total().out_of_time, "it leaves no successor");
}

#[test]
fn a_worker_whose_time_is_over_quits_and_leaves_a_successor() {
    // 48 seconds before the deadline nothing new begins.
    for (secs, then, out_of_time) in [(851, "see the queue", false), (852, "quit", true)] {
        let mut worker = decided(Kind::Copy, 1, 0, secs);
        worker.applied(WROTE, at(secs));
        assert_eq!((next(&worker, secs).as_str(), worker.total().out_of_time), (then, out_of_time));
    }
    let mut worker = decided(Kind::Copy, 1, 0, 10);
    worker.applied(Applied { out_of_time: true, ..WROTE }, at(10));
    assert_eq!(next(&worker, 10), "quit");
}

#[test]
fn a_wait_that_would_outlast_the_function_is_not_begun_and_is_left_to_the_sweep() {
    let mut worker = decided(Kind::Copy, 1, 860, 800);
    worker.applied(NOTHING, at(800));
    assert_eq!(next(&worker, 800), "quit");
    assert!(!worker.total().out_of_time);
}

#[test]
fn a_worker_does_not_go_round_for_ever() {
    let mut worker = decided(Kind::Copy, 1, 0, 10);
    for _ in 1..ROUNDS_MAX {
        worker.applied(WROTE, at(10));
        assert_eq!(next(&worker, 10), "see the queue");
    }
    worker.applied(WROTE, at(10));
    assert_eq!(next(&worker, 10), "quit");
    assert_eq!(worker.total().wrote, ROUNDS_MAX as usize);
}
