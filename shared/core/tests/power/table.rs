//! Every pair of status and event, and what holds of every record.

use afterimage_core::downtime::{
    Downtime, DowntimeEvent, DowntimeStatus, IllegalForDowntime, Roster, next,
};

use crate::scene::{at, down, point, wanted};

#[test]
fn every_pair_is_in_the_table_or_illegal() {
    use DowntimeEvent::{Disown, PutOff, Runs, Spare, Start, Stop, Stopped, Vanish, Withdraw};
    use DowntimeStatus::{Down, NotOurs, Over, Starting, Stopping, Waiting};
    let legal = [
        (Waiting, Stop, Stopping),
        (Waiting, Withdraw, Over),
        (Stopping, Stop, Stopping),
        (Stopping, Stopped, Down),
        (Stopping, PutOff, Waiting),
        (Stopping, Spare, Over),
        (Stopping, Disown, NotOurs),
        (Stopping, Start, Starting),
        (Stopping, Runs, Over),
        (Stopping, Vanish, Over),
        (Down, Start, Starting),
        (Down, Runs, Over),
        (Down, Vanish, Over),
        (Starting, Start, Starting),
        (Starting, Runs, Over),
        (Starting, Vanish, Over),
    ];
    for status in DowntimeStatus::ALL {
        for event in DowntimeEvent::ALL {
            let found = legal.iter().find(|(from, what, _)| (*from, *what) == (status, event));
            let expected = found.map(|(.., to)| *to).ok_or(IllegalForDowntime { status, event });
            assert_eq!(next(status, event), expected);
        }
    }
}

#[test]
fn once_it_may_be_down_a_machine_leaves_the_record_only_running_gone_or_disowned() {
    for status in DowntimeStatus::ALL.into_iter().filter(|status| status.is_held()) {
        for event in DowntimeEvent::ALL {
            let Ok(to) = next(status, event) else { continue };
            let ends = matches!(to, DowntimeStatus::Over);
            let seen = matches!(event, DowntimeEvent::Runs | DowntimeEvent::Vanish);
            // EC2 said that nothing was stopped: only of a call that has just been made.
            let spared = (status, event) == (DowntimeStatus::Stopping, DowntimeEvent::Spare);
            assert_eq!(ends, seen || spared, "{status:?} {event:?}");
        }
    }
}

#[track_caller]
fn broken(change: impl FnOnce(&mut Downtime), why: &str) {
    let mut downtime = down(at(0));
    assert_eq!(downtime.check(), Ok(()));
    change(&mut downtime);
    assert_eq!(downtime.check(), Err(why.to_string()));
}

#[test]
fn a_record_that_lacks_what_it_must_have_is_not_written() {
    broken(|downtime| downtime.version = 0, "status down requires a version of at least 1");
    broken(|downtime| downtime.step.due_at = None, "status down requires a due time");
    broken(
        |downtime| downtime.launched = None,
        "status down requires the launch time of the run that it ends",
    );
    broken(|downtime| downtime.begun_at = None, "status down requires the time of the intent");
    broken(
        |downtime| downtime.status = DowntimeStatus::Over,
        "status over requires the time of its end",
    );
    assert_eq!(wanted(&point("gold", 1)).check(), Ok(()));
    assert!(Roster::default().check().is_err(), "a roster that was never written");
}

#[test]
fn a_record_stands_in_the_queue_of_its_region_until_it_is_over() {
    for status in DowntimeStatus::ALL {
        let downtime = Downtime { status, ..down(at(0)) };
        let is_over = matches!(status, DowntimeStatus::Over | DowntimeStatus::NotOurs);
        let queue = downtime.queue().map(|queue| queue.to_string());
        assert_eq!(queue, (!is_over).then(|| "power us-east-1".to_string()), "{status:?}");
    }
}
