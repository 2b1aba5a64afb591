//! The pace of calls, and the lease under which they are made.

use afterimage_core::call::Pressure;
use afterimage_core::limits::{EC2_CALL_MAX, LEASE, LEDGER_CALL_MAX, WIND_UP};
use afterimage_core::work::Kind;
use afterimage_core::worker::has_time;
use afterimage_core::worker::pace::{Pace, is_to_renew, lease_until, outlasts_a_call};
use jiff::SignedDuration;

use super::at;

/// The wait after a call that is made now, in milliseconds.
fn wait(pace: &mut Pace, kind: Kind) -> i128 {
    pace.called(at(0));
    pace.wait(kind, at(0)).as_millis()
}

#[test]
fn calls_are_made_at_half_of_what_ec2_grants() {
    let mut pace = Pace::default();
    assert_eq!(pace.wait(Kind::Copy, at(0)), SignedDuration::ZERO, "the first");
    for (kind, millis) in [
        (Kind::Snapshot, 410),
        (Kind::Register, 410),
        (Kind::Copy, 2000),
        (Kind::Power, 1000),
        (Kind::Confirm, 0),
    ] {
        assert_eq!(wait(&mut pace, kind), millis, "{kind}");
    }
    assert_eq!(pace.wait(Kind::Copy, at(1)).as_millis(), 1000);
    assert_eq!(pace.wait(Kind::Copy, at(60)), SignedDuration::ZERO);
}

#[test]
fn being_asked_to_wait_halves_the_pace_down_to_a_sixteenth() {
    let mut pace = Pace::default();
    for millis in [820, 1640, 3280, 6560, 6560] {
        pace.heed(Pressure::Throttled);
        assert_eq!(wait(&mut pace, Kind::Snapshot), millis);
    }
}

#[test]
fn three_calls_on_end_that_were_not_asked_to_wait_double_it_again() {
    let mut pace = Pace::default();
    pace.heed(Pressure::Throttled);
    pace.heed(Pressure::Throttled);
    for (pressure, millis) in [
        (Pressure::Eased, 1640),
        (Pressure::Eased, 1640),
        (Pressure::Throttled, 3280),
        (Pressure::Eased, 3280),
        (Pressure::Unchanged, 3280),
        (Pressure::Eased, 3280),
        (Pressure::Eased, 1640),
        (Pressure::Eased, 1640),
        (Pressure::Eased, 1640),
        (Pressure::Eased, 820),
    ] {
        pace.heed(pressure);
        assert_eq!(wait(&mut pace, Kind::Snapshot), millis);
    }
}

#[test]
fn a_lease_is_renewed_while_it_still_outlasts_a_call() {
    let lease = lease_until(at(0));
    assert_eq!(lease.duration_since(at(0)), LEASE);
    for (secs, renew, call) in [
        (0, false, true),
        (29, false, true),
        (30, true, true),
        (39, true, true),
        (40, true, false),
        (60, true, false),
        (61, true, false),
    ] {
        let found = (is_to_renew(Some(lease), at(secs)), outlasts_a_call(Some(lease), at(secs)));
        assert_eq!(found, (renew, call), "after {secs} s");
    }
    assert_eq!((is_to_renew(None, at(0)), outlasts_a_call(None, at(0))), (true, false));
}

#[test]
fn what_has_time_reserves_is_a_call_and_the_write_of_its_outcome() {
    assert_eq!(WIND_UP, EC2_CALL_MAX + LEDGER_CALL_MAX);
    let deadline = at(900);
    assert!(has_time(deadline, deadline - WIND_UP - SignedDuration::from_millis(1)));
    assert!(!has_time(deadline, deadline - WIND_UP));
}
