//! What follows from the outcome of a call.

use crate::scene::conclude;
use afterimage_core::call::Outcome;
use afterimage_core::command::Decision;
use afterimage_core::ids::{AmiId, ResourceId};
use afterimage_core::machine::{Grade, Machine};
use afterimage_core::point::{Point, ReplicaStatus, Step};
use afterimage_core::policy::Consistency;
use afterimage_core::reason::Code;
use afterimage_core::status::Status;

use crate::scene::{
    ami, answer, at, code, codes_said, hours, imaged, mins, point_in, registering, replica_in,
    requested, running, set, snap, snapshotting, stopped, volume,
};

/// What a step is like after an outcome: attempt, failures and when it is due.
type Counted = (u32, u32, Option<i64>);

/// An outcome; whether the step can be begun again, or is still open; why; and what it is like.
type Case<T> = (Outcome<T>, bool, Code, Counted);

fn counted(step: &Step) -> Counted {
    let due = step.due_at.map(|due_at| due_at.duration_since(at(0)).as_secs());
    (step.attempt, step.failures, due)
}

/// Outcomes of a call that made nothing, or perhaps nothing, of a step whose intent is due then.
fn unmade<T>(settle: i64, now: i64) -> Vec<Case<T>> {
    let throttled = (0, 0, Some(now + 30));
    let failed = (1, 1, Some(now + mins(1)));
    vec![
        (Outcome::Throttled(answer("RequestLimitExceeded")), true, Code::Throttled, throttled),
        (Outcome::Failed(answer("InternalError")), true, Code::CallFailed, failed),
        (Outcome::Unknown(answer("timeout")), false, Code::OutcomeUnknown, (0, 0, Some(settle))),
    ]
}

#[test]
fn a_whole_set_is_taken_down_with_the_instant_of_its_intent() {
    let made = |machine: &Machine| {
        point_in(&conclude::snapshots(&snapshotting(machine), Outcome::Made(set(11)), at(2)))
    };
    let ran = made(&running());
    assert_eq!((ran.status, ran.taken_at), (Status::Snapshotted, Some(at(0))));
    assert_eq!(ran.snapshots, [(volume(1), snap(11)), (volume(2), snap(12))].into());
    assert_eq!((ran.grade, ran.step.due_at), (Some(Grade::Crash), Some(at(2 + mins(5)))));
    // Whether its disks were at rest has to be seen first, and at once.
    let rested = made(&stopped());
    assert_eq!((rested.grade, rested.step.due_at), (None, Some(at(2))));
}

#[test]
fn a_set_of_other_volumes_is_left_and_made_anew() {
    for set in [vec![(volume(1), snap(11))], vec![(volume(1), snap(11)), (volume(3), snap(13))]] {
        let left: Vec<ResourceId> = set.iter().map(|(_, id)| id.clone().into()).collect();
        let point = snapshotting(&running());
        let after = point_in(&conclude::snapshots(&point, Outcome::Made(set), at(2)));
        assert_eq!((after.status, code(&after)), (Status::Requested, Some(Code::SnapshotFailed)));
        assert_eq!((after.leftovers, after.step.attempt), (left, 1));
    }
}

#[test]
fn snapshots_that_were_not_made_are_tried_again_or_looked_for() {
    for (outcome, again, reason, step) in unmade(mins(6), 2) {
        let decision = conclude::snapshots(&snapshotting(&running()), outcome.clone(), at(2));
        let after = point_in(&decision);
        let status = if again { Status::Requested } else { Status::Snapshotting };
        assert_eq!((after.status, code(&after)), (status, Some(reason)), "{outcome:?}");
        assert_eq!(counted(&after.step), step, "{outcome:?}");
        assert_eq!(codes_said(&decision), [reason]);
    }
}

#[test]
fn a_registration_that_was_not_made_is_tried_again_or_looked_for() {
    let now = mins(10) + 2;
    let gone = Outcome::Gone(answer("InvalidSnapshot.NotFound"));
    let taken = Outcome::NameTaken(answer("InvalidAMIName.Duplicate"));
    let more = [
        (gone, true, Code::CallFailed, (1, 1, Some(now + mins(1)))),
        (taken, false, Code::NameTaken, (0, 0, Some(now + 5))),
    ];
    for (outcome, again, reason, step) in unmade(mins(16), now).into_iter().chain(more) {
        let after = point_in(&conclude::image(&registering(), outcome.clone(), at(now)));
        let status = if again { Status::Ready } else { Status::Registering };
        assert_eq!((after.status, code(&after)), (status, Some(reason)), "{outcome:?}");
        assert_eq!(counted(&after.step), step, "{outcome:?}");
        assert_eq!(after.snapshots.len(), 2, "the snapshots are as good as before");
    }
}

#[test]
fn a_refused_call_is_tried_again_and_a_machine_that_is_gone_ends_its_point() {
    let outcome = Outcome::Gone(answer("InvalidInstanceID.NotFound"));
    let after = point_in(&conclude::snapshots(&snapshotting(&running()), outcome, at(2)));
    assert_eq!((after.status, code(&after)), (Status::Failed, Some(Code::MachineGone)));
    assert_eq!(after.step.due_at, None);
    let refused = || Outcome::Refused(answer("UnsupportedOperation"));
    let after = point_in(&conclude::snapshots(&snapshotting(&running()), refused(), at(2)));
    assert_eq!((after.status, code(&after)), (Status::Requested, Some(Code::CallRefused)));
    assert_eq!(after.step.due_at, Some(at(2 + mins(1))));
    let refused_image = Outcome::Refused(answer("InvalidBlockDeviceMapping"));
    let after = point_in(&conclude::image(&registering(), refused_image, at(mins(11))));
    assert_eq!((after.status, code(&after)), (Status::Ready, Some(Code::CallRefused)));
    // A machine that we hold down for the call is started again at once.
    let mut down = snapshotting(&running());
    down.plan.consistency = Consistency::StopStart;
    let after = point_in(&conclude::snapshots(&down, refused(), at(2)));
    assert_eq!((after.status, code(&after)), (Status::Failed, Some(Code::CallRefused)));
}

#[test]
fn who_is_asked_to_wait_tries_every_hour_from_a_day_after_the_request() {
    let throttled = || answer("RequestLimitExceeded");
    let snapshots = |secs| {
        let outcome = Outcome::Throttled(throttled());
        point_in(&conclude::snapshots(&snapshotting(&running()), outcome, at(secs)))
    };
    let due = |point: Point| (point.status, point.step.due_at);
    let (early, late) = (hours(24) - 1, hours(24));
    assert_eq!(due(snapshots(early)), (Status::Requested, Some(at(early + 30))));
    assert_eq!(due(snapshots(late)), (Status::Requested, Some(at(late + hours(1)))));
    let image = |secs| {
        point_in(&conclude::image(&registering(), Outcome::Throttled(throttled()), at(secs)))
    };
    assert_eq!(due(image(early)), (Status::Ready, Some(at(early + 30))));
    let waits = image(hours(24 * 50));
    assert_eq!((waits.status, code(&waits)), (Status::Ready, Some(Code::Throttled)));
}

#[test]
fn waits_double_from_a_minute_to_an_hour_and_then_there_is_a_try_a_day() {
    let first = [(0, 1), (1, 2), (2, 4), (3, 8), (4, 16), (5, 32), (6, 60)];
    for (failures, minutes) in first.into_iter().chain([(7, 60), (18, 60), (19, 24 * 60)]) {
        let step = Step { failures, ..snapshotting(&running()).step };
        let point = Point { step, ..snapshotting(&running()) };
        let outcome = Outcome::Failed(answer("InternalError"));
        let after = point_in(&conclude::snapshots(&point, outcome, at(2)));
        assert_eq!(after.step.due_at, Some(at(2 + mins(minutes))));
    }
    let step = Step { failures: 400, attempt: 400, first: 390, ..snapshotting(&running()).step };
    let point = Point { step, ..snapshotting(&running()) };
    let outcome = Outcome::Failed(answer("InternalError"));
    let after = point_in(&conclude::snapshots(&point, outcome, at(2)));
    assert_eq!((after.status, code(&after)), (Status::Requested, Some(Code::CallFailed)));
    assert!(after.reason.expect("said").text.contains("InternalError"), "the last answer is told");
}

#[test]
fn an_image_or_a_copy_that_was_made_is_pending() {
    let now = mins(10) + 2;
    let after = point_in(&conclude::image(&registering(), Outcome::Made(ami(1)), at(now)));
    assert_eq!((after.status, after.image), (Status::Registered, Some(ami(1))));
    assert_eq!(after.step.due_at, Some(at(now + mins(5))));
    assert_eq!(after.step.begun_at, Some(at(mins(10))), "how long it is pending counts from then");
}

#[test]
fn a_copy_that_was_not_made_is_tried_again_asked_for_again_or_looked_up() {
    let (_, replicas) = imaged();
    let begun = Step { begun_at: Some(at(0)), due_at: Some(at(mins(2))), ..Step::default() };
    let mut copying = replicas.into_iter().next().expect("a replica");
    copying.status = ReplicaStatus::Copying;
    copying.step = begun;
    let more = [
        (
            Outcome::Gone(answer("InvalidAMIID.NotFound")),
            true,
            Code::CallFailed,
            (1, 1, Some(2 + mins(1))),
        ),
        (Outcome::NameTaken(answer("")), false, Code::NameTaken, (0, 0, Some(7))),
        (
            Outcome::Refused(answer("InvalidRequest")),
            true,
            Code::CallRefused,
            (1, 1, Some(2 + mins(1))),
        ),
    ];
    for (outcome, again, reason, step) in unmade::<AmiId>(mins(2), 2).into_iter().chain(more) {
        let after = replica_in(&conclude::copy(&copying, outcome.clone(), at(2)));
        let status = if again { ReplicaStatus::Waiting } else { ReplicaStatus::Copying };
        assert_eq!(after.status, status, "{outcome:?}");
        assert_eq!(after.reason.map(|reason| reason.code), Some(reason), "{outcome:?}");
        assert_eq!(counted(&after.step), step, "{outcome:?}");
    }
}

#[test]
fn a_copy_that_failed_many_times_is_tried_every_hour() {
    let (_, replicas) = imaged();
    let mut copying = replicas.into_iter().next().expect("a replica");
    copying.status = ReplicaStatus::Copying;
    copying.step = Step { attempt: 7, failures: 7, begun_at: Some(at(0)), ..copying.step };
    let outcome = Outcome::Failed(answer("InternalError"));
    let after = replica_in(&conclude::copy(&copying, outcome, at(2)));
    assert_eq!(counted(&after.step), (8, 8, Some(2 + hours(1))));
}

#[test]
fn an_outcome_that_cannot_be_changes_nothing_and_is_logged() {
    let check = |decision: Decision| {
        assert!(decision.commands.is_empty(), "{decision:?}");
        assert_eq!(codes_said(&decision), [Code::IllegalTransition]);
    };
    let made = || Outcome::Made(set(11));
    check(conclude::snapshots(&requested(), made(), at(2)));
    check(conclude::snapshots(&registering(), made(), at(2)));
    let image = Outcome::Made(ami(1));
    check(conclude::image(&requested(), image.clone(), at(2)));
    check(conclude::image(&requested(), Outcome::Unknown(answer("")), at(2)));
    check(conclude::created(&requested(), image.clone(), at(9)));
    let (_, replicas) = imaged();
    check(conclude::copy(&replicas[0], image, at(2)));
}
