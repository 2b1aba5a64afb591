//! Machines that two points want stopped at the same time, and points that nobody wants any more.

use afterimage_core::downtime::DowntimeStatus;
use afterimage_core::flow::work_requested::power;
use afterimage_core::machine::{Grade, State};
use afterimage_core::point::Point;
use afterimage_core::reason::Code;
use afterimage_core::status::Status;

use crate::scene::{World, at, id, is_snapshots, point, wanted};

/// Two points of one machine, of `gold` and of `silver`, whose downtimes were requested.
fn both() -> (World, Point) {
    let mut world = World::asked(&["gold"]);
    let mut silver = point("silver", 1);
    silver.step.due_at = silver.until;
    world.downtimes.insert(silver.id.clone(), wanted(&silver));
    world.points.insert(silver.id.clone(), silver.clone());
    (world, silver)
}

fn graded(world: &mut World, point: &Point) {
    let point = world.points.get_mut(&point.id).expect("a point");
    point.status = Status::Snapshotted;
    point.grade = Some(Grade::AtRest);
    point.version += 1;
}

#[test]
fn the_machine_is_started_once_both_have_their_data() {
    let (mut world, silver) = both();
    let gold = world.points.values().find(|point| **point != silver).expect("gold").clone();
    assert_eq!(world.round(), ["stop 1"]);
    world.set(1, State::Stopped);
    world.pass(5);
    assert!(world.round().is_empty());
    assert_eq!(world.points[&silver.id].step.due_at, Some(at(5)), "it is imaged in this stop");
    graded(&mut world, &gold);
    world.pass(5);
    assert!(world.round().is_empty(), "the other has no data yet");
    world.points.get_mut(&silver.id).expect("a point").status = Status::Snapshotting;
    world.pass(5);
    assert!(world.round().is_empty(), "its call is under way");
    graded(&mut world, &silver);
    world.pass(5);
    world.round();
    assert_eq!(world.downtimes[&silver.id].status, DowntimeStatus::Over);
    assert_eq!(world.downtimes[&silver.id].begun_at, None);
    let called = world.round();
    let started = world.machines[&id(1)].instance.state == State::Pending;
    assert!(started, "{called:?}");
}

#[test]
fn the_shortest_timeout_counts() {
    let (mut world, silver) = both();
    let gold = world.points.values().find(|point| **point != silver).expect("gold").clone();
    world.downtimes.get_mut(&silver.id).expect("a downtime").stop_start.timeout_secs = 120;
    world.round();
    world.set(1, State::Stopped);
    world.pass(5);
    world.round();
    graded(&mut world, &gold);
    world.pass(110);
    assert!(world.round().is_empty());
    world.pass(5);
    assert_eq!(world.round(), ["start 1"]);
}

#[test]
fn a_downtime_that_was_over_without_a_stop_is_requested_again() {
    let (mut world, silver) = both();
    let over = world.downtimes.get_mut(&silver.id).expect("a downtime");
    over.status = DowntimeStatus::Over;
    over.over_at = Some(at(0));
    over.step.due_at = None;
    world.points.get_mut(&silver.id).expect("a point").step.due_at = Some(at(0));
    let decision = world.look_at_points();
    world.take(&decision);
    assert_eq!(world.downtimes[&silver.id].status, DowntimeStatus::Waiting);
    assert_eq!(world.points[&silver.id].status, Status::Requested);
}

#[test]
fn a_point_of_a_machine_that_is_down_already_joins_the_stop() {
    let mut world = World::asked(&["gold"]);
    world.round();
    world.set(1, State::Stopped);
    let late = point("silver", 1);
    world.points.insert(late.id.clone(), late.clone());
    for _ in 0..2 {
        let decision = world.look_at_points();
        world.pass(18);
        let begun = decision.commands.iter().filter(|one| is_snapshots(one)).count();
        assert_eq!(begun, 1, "first the other, and then this one");
        world.take(&decision);
        assert_eq!(world.downtimes[&late.id].status, DowntimeStatus::Waiting);
    }
}

#[test]
fn what_nobody_wants_is_not_stopped_and_the_others_are() {
    let mut world = World::asked(&["gold", "gold", "silver"]);
    world.seen(1).instance.tags.clear();
    assert_eq!(world.round(), ["stop 2"], "the turn of the first goes to the next");
    assert_eq!((world.point(1).status, world.code(1)), (Status::Withdrawn, Some(Code::Withdrawn)));
    assert_eq!(world.status(1), DowntimeStatus::Over);
}

#[test]
fn without_the_policies_no_machine_is_stopped() {
    let world = World::asked(&["gold"]);
    let input = power::Input { in_force: None, ..world.input() };
    assert_eq!(power::decide(&input).commands, []);
}

#[test]
fn the_worker_of_snapshots_is_woken_when_its_point_is_overdue() {
    let mut world = World::asked(&["gold"]);
    world.round();
    world.set(1, State::Stopped);
    world.change_point(1, |point| {
        point.status = Status::Snapshotting;
        point.step.due_at = Some(at(360));
    });
    world.pass(355);
    world.round();
    assert!(world.decided.commands.is_empty() || world.now < at(360), "it is not due yet");
    world.pass(6);
    world.round();
    let wakes = world.decided.commands.iter();
    let wakes = wakes.filter(|one| format!("{one:?}").starts_with("Wake(")).count();
    assert_eq!(wakes, 1);
    world.pass(5);
    world.round();
    assert!(world.decided.commands.is_empty(), "once a minute");
}
