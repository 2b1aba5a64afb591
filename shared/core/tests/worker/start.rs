//! The first moves of a worker.

use afterimage_core::work::Kind;
use afterimage_core::worker::Seen;

use super::{at, next, powers, worker};

#[test]
fn a_kind_that_is_woken_by_a_write_waits_for_the_index() {
    for (kind, hop, first) in [
        (Kind::Snapshot, 0, "wait until 6"),
        (Kind::Copy, 0, "wait until 6"),
        (Kind::Power, 0, "wait until 6"),
        (Kind::Register, 0, "see the lease"),
        (Kind::Confirm, 0, "see the lease"),
        (Kind::Snapshot, 1, "see the lease"),
        (Kind::Power, 50, "see the lease"),
    ] {
        let worker = worker(kind, hop);
        assert_eq!(next(&worker, 0), first, "{kind} {hop}");
        assert_eq!(next(&worker, 6), "see the lease", "{kind} {hop}");
    }
}

#[test]
fn a_worker_quits_where_another_has_the_lease() {
    for kind in Kind::ALL {
        let mut worker = worker(kind, 1);
        worker.saw(Seen::Lease { is_anothers: true }, at(0));
        assert_eq!(next(&worker, 0), "quit", "{kind}");
    }
}

#[test]
fn a_worker_of_any_other_queue_reads_it_next() {
    for kind in [Kind::Snapshot, Kind::Register, Kind::Confirm, Kind::Copy] {
        let mut worker = worker(kind, 1);
        worker.saw(Seen::Lease { is_anothers: false }, at(0));
        if kind == Kind::Snapshot {
            assert_eq!(next(&worker, 0), "see the hints");
            worker.saw(Seen::Hints(Vec::new()), at(0));
        }
        assert_eq!(next(&worker, 0), "see the queue", "{kind}");
    }
}

#[test]
fn what_is_down_is_left_to_the_worker_that_goes_on_claiming_the_next_look() {
    // The claim at first, and again after the look: not renewed, or renewed.
    for (first, again, then) in [
        (None, None, "load 0"),
        (Some(-1), None, "load 0"),
        (Some(5), Some(5), "load 0"),
        (Some(5), Some(10), "quit"),
    ] {
        let mut worker = worker(Kind::Power, 1);
        worker.saw(Seen::Lease { is_anothers: false }, at(0));
        assert_eq!(next(&worker, 0), "see the claim");
        worker.saw(Seen::Claim { until: first.map(at) }, at(0));
        if first == Some(5) {
            assert_eq!(next(&worker, 0), "wait until 8", "three seconds of grace");
            assert_eq!(next(&worker, 8), "see the claim");
            worker.saw(Seen::Claim { until: again.map(at) }, at(8));
        }
        assert_eq!(next(&worker, 8), then, "{first:?} {again:?}");
    }
}

#[test]
fn the_next_look_at_what_is_down_is_claimed_before_anything_is_decided() {
    let mut worker = worker(Kind::Power, 1);
    worker.saw(Seen::Lease { is_anothers: false }, at(0));
    worker.saw(Seen::Claim { until: None }, at(0));
    worker.loaded(powers(1, true, None));
    assert_eq!(next(&worker, 1), "claim until 6");
    let mut other = worker.clone();
    other.claimed(at(6), false);
    assert_eq!(next(&other, 1), "quit", "another worker has claimed it");
    worker.claimed(at(6), true);
    assert_eq!(next(&worker, 1), "decide");
    // In the next round, before that look is due, there is nothing to claim.
    worker.applied(afterimage_core::worker::Applied { wrote: 1, ..Default::default() }, at(2));
    assert_eq!(next(&worker, 2), "load 0");
    worker.loaded(powers(2, true, None));
    assert_eq!(next(&worker, 2), "decide");
    worker.applied(Default::default(), at(2));
    assert_eq!(next(&worker, 2), "wait until 6");
    assert_eq!(next(&worker, 6), "load 0");
}
