//! One machine: it waits, goes down, is imaged, and runs again; and what may come in between.

use afterimage_core::call::Outcome;
use afterimage_core::command::Command;
use afterimage_core::downtime::DowntimeStatus;
use afterimage_core::flow::work_requested::power::look_again;
use afterimage_core::machine::{Grade, State};
use afterimage_core::reason::{Code, Reason};
use afterimage_core::status::Status;
use jiff::SignedDuration;

use crate::scene::{World, answer, at, codes_said, id, is_snapshots};

/// Machine 1, which we stopped at second 0, is stopped by second 30.
fn down() -> World {
    let mut world = World::asked(&["gold"]);
    assert_eq!(world.round(), ["stop 1"]);
    assert_eq!(world.status(1), DowntimeStatus::Down);
    world.pass(30);
    world.set(1, State::Stopped);
    world
}

#[test]
fn a_point_that_wants_it_waits_until_its_window_closes() {
    let mut world = World::asked(&["gold"]);
    assert_eq!(world.point(1).step.due_at, Some(at(4 * 3600)));
    assert_eq!(world.status(1), DowntimeStatus::Waiting);
    world.at_once = 1;
    world.pass(4 * 3600);
    let decision = world.look_at_points();
    world.take(&decision);
    assert_eq!((world.point(1).status, world.code(1)), (Status::Missed, Some(Code::WindowClosed)));
    assert!(world.round().is_empty(), "whoever is missed is not stopped");
    assert_eq!(world.status(1), DowntimeStatus::Over);
}

#[test]
fn it_is_started_as_soon_as_its_snapshots_exist_and_were_graded() {
    let mut world = down();
    assert_eq!(world.point(1).step.due_at, Some(at(0)), "its point is due from the stop on");
    let decision = world.look_at_points();
    assert!(matches!(&decision.commands[..], [only] if is_snapshots(only)), "{decision:?}");
    assert!(world.round().is_empty(), "there are none yet");
    world.change_point(1, |point| point.status = Status::Snapshotted);
    assert!(world.round().is_empty(), "they were not graded yet");
    world.snapshotted(1);
    assert_eq!(world.round(), ["start 1"]);
    assert_eq!(world.status(1), DowntimeStatus::Starting);
    assert!(world.round().is_empty());
    world.pass(10);
    world.set(1, State::Running);
    assert!(world.round().is_empty());
    assert_eq!(world.status(1), DowntimeStatus::Over);
    assert_eq!(world.downtime(1).over_at, Some(at(40)));
    assert!(world.roster.places.is_empty());
    assert_eq!(look_again(&world.input()), None);
}

#[test]
fn it_is_looked_at_every_few_seconds_while_it_is_down() {
    let mut world = World::asked(&["gold", "gold"]);
    assert_eq!(look_again(&world.input()), Some(SignedDuration::from_secs(30)));
    world.round();
    assert_eq!(look_again(&world.input()), Some(SignedDuration::from_secs(5)));
    // One that is late by far is no longer a matter of seconds.
    world.pass(600 + 6 * 60 + 1);
    assert_eq!(look_again(&world.input()), Some(SignedDuration::from_secs(30)));
}

#[test]
fn of_an_image_that_ec2_makes_the_grade_says_that_its_snapshots_are_begun() {
    let mut world = down();
    let decision = world.look_at_points();
    world.take(&decision);
    world.snapshotted(1);
    let ami = afterimage_core::ids::AmiId::parse("ami-00000000000000007").expect("an id");
    world.change_point(1, |point| {
        point.status = Status::Created;
        point.image = Some(ami);
        point.grade = None;
    });
    assert!(world.round().is_empty(), "nobody knows yet when its snapshots are begun");
    world.change_point(1, |point| point.grade = Some(Grade::AtRest));
    assert_eq!(world.round(), ["start 1"]);
}

#[test]
fn it_is_started_whatever_becomes_of_its_point() {
    for status in [Status::Failed, Status::Refused, Status::Missed, Status::Protected] {
        let mut world = down();
        world.change_point(1, |point| point.status = status);
        assert_eq!(world.round(), ["start 1"], "{status}");
    }
    let mut world = down();
    let key = world.point(1).id.clone();
    world.points.remove(&key);
    assert_eq!(world.round(), ["start 1"], "a point that is not there");
}

#[test]
fn its_time_is_over_and_the_point_has_not_begun() {
    let mut world = down();
    world.pass(569);
    assert!(world.round().is_empty());
    world.pass(1);
    assert_eq!(world.round(), ["start 1"]);
    assert_eq!((world.point(1).status, world.code(1)), (Status::Missed, Some(Code::StopTimeout)));
}

#[test]
fn its_time_is_over_and_the_outcome_of_its_snapshots_is_not_known() {
    let mut world = down();
    let decision = world.look_at_points();
    world.take(&decision);
    assert_eq!(world.point(1).status, Status::Snapshotting);
    world.pass(570);
    assert_eq!(world.round(), ["start 1"]);
    assert_eq!(world.point(1).status, Status::Snapshotting, "they may be found yet");
}

#[test]
fn a_point_whose_next_try_comes_too_late_is_not_waited_for() {
    let mut world = down();
    let image_failed = |world: &mut World, failures: u32, due_at: i64| {
        world.change_point(1, |point| {
            point.step.failures = failures;
            point.step.due_at = Some(at(due_at));
            point.reason = Some(Reason::new(Code::ImageFailed, "ami-1 failed: Internal error"));
        });
    };
    image_failed(&mut world, 1, 600);
    assert!(world.round().is_empty(), "there is time for another try");
    image_failed(&mut world, 2, 3600);
    assert_eq!(world.round(), ["start 1"]);
    let point = world.point(1);
    let reason = point.reason.as_ref().map(ToString::to_string).expect("a reason");
    assert_eq!(point.status, Status::Missed);
    assert!(reason.starts_with("ami-1 failed: Internal error; no try of the point is left "));
    assert!(reason.ends_with("(image-failed)"), "{reason}");
}

#[test]
fn one_that_hangs_in_stopping_is_started_when_it_has_stopped() {
    let mut world = World::asked(&["gold"]);
    world.round();
    world.pass(600);
    assert!(world.round().is_empty(), "it cannot be started");
    assert_eq!(world.status(1), DowntimeStatus::Starting);
    assert_eq!((world.point(1).status, world.code(1)), (Status::Missed, Some(Code::StopTimeout)));
    let reported = world.decided.commands.iter();
    let reported = reported.filter(|command| matches!(command, Command::Report(_)));
    assert_eq!(reported.count(), 1, "a person is told");
    world.pass(7200);
    assert!(world.round().is_empty());
    world.set(1, State::Stopped);
    assert_eq!(world.round(), ["start 1"]);
    world.set(1, State::Running);
    world.pass(15);
    world.round();
    let resolved = world.decided.commands.iter();
    let resolved = resolved.filter(|command| matches!(command, Command::Resolve(_)));
    assert_eq!(resolved.count(), 2, "and what they were told is no longer so");
}

#[test]
fn whoever_else_stopped_it_starts_it() {
    let mut world = World::asked(&["gold"]);
    let called = world.round_with(|world, command| {
        // Somebody was faster, after it was seen to run.
        world.set(1, State::Stopping);
        world.call(command)
    });
    assert_eq!(called, ["stop 1"]);
    assert_eq!(world.status(1), DowntimeStatus::NotOurs);
    assert!(world.roster.places.is_empty());
    world.set(1, State::Stopped);
    world.pass(3600);
    assert!(world.round().is_empty());
    // It is imaged as it is.
    let decision = world.look_at_points();
    assert!(matches!(&decision.commands[..], [only] if is_snapshots(only)), "{decision:?}");
}

#[test]
fn one_that_is_stopped_before_its_turn_is_imaged_as_it_is() {
    let mut world = World::asked(&["gold"]);
    world.set(1, State::Stopped);
    assert!(world.round().is_empty());
    assert_eq!(world.status(1), DowntimeStatus::Over);
    assert_eq!(world.point(1).step.due_at, Some(at(0)));
    let decision = world.look_at_points();
    assert!(matches!(&decision.commands[..], [only] if is_snapshots(only)), "{decision:?}");
}

#[test]
fn one_that_is_stopped_already_never_asks_for_a_downtime() {
    let mut world = World::of(&["gold"]);
    world.set(1, State::Stopped);
    let decision = world.look_at_points();
    assert!(matches!(&decision.commands[..], [only] if is_snapshots(only)), "{decision:?}");
}

#[test]
fn a_call_whose_outcome_never_came_makes_it_ours() {
    // The call was made, and its answer lost.
    let mut world = World::asked(&["gold"]);
    world.round_with(|world, command| {
        world.call(command);
        Outcome::Unknown(answer("no-answer"))
    });
    assert_eq!(world.status(1), DowntimeStatus::Stopping);
    assert!(world.round().is_empty(), "who called may still be writing what it brought");
    world.pass(30);
    world.set(1, State::Stopped);
    world.round();
    assert_eq!(world.status(1), DowntimeStatus::Down);
    world.snapshotted(1);
    assert_eq!(world.round(), ["start 1"]);
}

#[test]
fn a_call_that_was_perhaps_never_made_is_made_again_and_is_ours_whatever_is_answered() {
    let mut world = World::asked(&["gold"]);
    world.round_with(|_, _| Outcome::Unknown(answer("no-answer")));
    world.pass(30);
    let called = world.round_with(|world, command| {
        // What EC2 shows is late: the first call has stopped it.
        world.set(1, State::Stopping);
        world.call(command)
    });
    assert_eq!(called, ["stop 1"]);
    assert_eq!(world.status(1), DowntimeStatus::Down);
    assert!(world.downtime(1).unsure);
}

#[test]
fn a_call_that_stopped_nothing_is_put_off_or_given_up() {
    for (outcome, status, point) in [
        (Outcome::Throttled(answer("Throttled")), DowntimeStatus::Waiting, Status::Requested),
        (Outcome::Failed(answer("Blocked")), DowntimeStatus::Waiting, Status::Requested),
        (Outcome::Refused(answer("Refused")), DowntimeStatus::Over, Status::Refused),
        (Outcome::Gone(answer("NotFound")), DowntimeStatus::Over, Status::Missed),
    ] {
        let mut world = World::asked(&["gold", "gold"]);
        world.round_with(|_, _| outcome.clone());
        assert_eq!((world.status(1), world.point(1).status), (status, point), "{outcome:?}");
        assert!(world.roster.places.is_empty(), "{outcome:?}");
        assert_eq!(world.round(), ["stop 2"], "the other is not held up: {outcome:?}");
    }
}

#[test]
fn a_stop_that_fails_time_and_again_is_given_up() {
    let mut world = World::asked(&["gold"]);
    let mut tries = 0;
    while world.status(1) == DowntimeStatus::Waiting && tries < 100 {
        let called = world.round_with(|_, _| Outcome::Failed(answer("UnauthorizedOperation")));
        tries += called.len();
        world.pass(600);
    }
    assert_eq!((tries, world.point(1).status), (8, Status::Failed));
}

#[test]
fn a_start_that_fails_is_made_again_for_as_long_as_it_takes() {
    let mut world = down();
    world.snapshotted(1);
    let mut tries = 0;
    for _ in 0..200 {
        tries += world.round_with(|_, _| Outcome::Failed(answer("InsufficientCapacity"))).len();
        assert_eq!(world.status(1), DowntimeStatus::Starting);
        world.pass(30);
    }
    assert!(tries > 20, "only {tries} in a hundred minutes");
    world.pass(300);
    assert_eq!(world.round(), ["start 1"]);
    world.set(1, State::Running);
    world.pass(5);
    world.round();
    assert_eq!(world.status(1), DowntimeStatus::Over);
}

#[test]
fn one_that_ec2_cannot_bring_up_is_started_again() {
    let mut world = down();
    world.snapshotted(1);
    assert_eq!(world.round(), ["start 1"]);
    world.pass(30);
    world.set(1, State::Stopped);
    world.seen(1).state_reason = Some("Server.InsufficientInstanceCapacity".into());
    assert_eq!(world.round(), ["start 1"]);
    assert_eq!(world.downtime(1).reason.as_ref().map(|why| why.code), Some(Code::NotStarted));
}

#[test]
fn one_that_somebody_stops_after_it_was_started_stays_stopped() {
    let mut world = down();
    world.snapshotted(1);
    assert_eq!(world.round(), ["start 1"]);
    world.pass(10);
    crate::scene::begin_stop(world.seen(1));
    world.pass(30);
    world.set(1, State::Stopped);
    assert!(world.round().is_empty());
    assert_eq!(world.status(1), DowntimeStatus::Over);
}

#[test]
fn one_that_somebody_starts_meanwhile_is_not_stopped_again() {
    let mut world = down();
    let launched = world.now;
    world.set(1, State::Running);
    world.seen(1).instance.launched = launched;
    assert!(world.round().is_empty());
    assert_eq!(world.status(1), DowntimeStatus::Over);
    assert_eq!((world.point(1).status, world.code(1)), (Status::Missed, Some(Code::RunsAgain)));
}

#[test]
fn one_that_is_terminated_meanwhile_is_over() {
    for state in [State::ShuttingDown, State::Terminated] {
        let mut world = down();
        world.set(1, state);
        assert!(world.round().is_empty());
        assert_eq!(world.status(1), DowntimeStatus::Over);
        assert_eq!(
            (world.point(1).status, world.code(1)),
            (Status::Missed, Some(Code::MachineGone))
        );
        assert!(codes_said(&world.decided).contains(&Code::MachineGone));
    }
}

#[test]
fn one_that_is_not_shown_is_not_taken_for_gone() {
    let mut world = down();
    let seen = world.machines.remove(&id(1)).expect("a machine");
    world.snapshotted(1);
    let not_found =
        |_: &mut World, _: &Command| Outcome::Gone(answer("InvalidInstanceID.NotFound"));
    assert_eq!(world.round_with(not_found), ["start 1"]);
    world.pass(30);
    assert_eq!(world.round_with(not_found), ["start 1"]);
    assert_eq!(world.status(1), DowntimeStatus::Starting);
    let mut shown = world.clone();
    shown.machines.insert(id(1), seen);
    shown.pass(300);
    assert_eq!(shown.round(), ["start 1"], "it was there all the time");
    // Minutes after it was there for certain, EC2 is believed.
    world.pass(300);
    world.round_with(not_found);
    world.pass(300);
    world.round_with(not_found);
    assert_eq!(world.status(1), DowntimeStatus::Over);
}

#[test]
fn one_that_was_never_stopped_is_let_alone_once_that_is_certain() {
    let mut world = World::asked(&["gold"]);
    world.round_with(|_, _| Outcome::Unknown(answer("no-answer")));
    world.change_point(1, |point| point.status = Status::Failed);
    world.pass(30);
    // The outcome is not known: it is started, which does nothing to a machine that runs.
    assert_eq!(world.round(), ["start 1"]);
    world.pass(60);
    assert!(world.round().is_empty());
    assert_eq!(world.status(1), DowntimeStatus::Starting, "the call may show yet");
    world.pass(6 * 60);
    world.round();
    assert_eq!(world.status(1), DowntimeStatus::Over);
}
