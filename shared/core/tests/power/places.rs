//! How many machines are down together.

use afterimage_core::downtime::DowntimeStatus;
use afterimage_core::machine::State;
use afterimage_core::status::Status;

use crate::scene::{World, at, id};

/// Lets the machine through a downtime in which all goes well.
fn all_through(world: &mut World, machine: u32) {
    world.set(machine, State::Stopped);
    world.snapshotted(machine);
    world.pass(5);
    world.round();
    world.set(machine, State::Running);
    world.pass(5);
    world.round();
    assert_eq!(world.status(machine), DowntimeStatus::Over);
}

#[test]
fn a_policy_has_no_more_down_than_it_says_and_takes_them_in_turn() {
    let mut world = World::asked(&["gold", "gold", "gold"]);
    assert_eq!(world.round(), ["stop 1"]);
    assert!(world.round().is_empty(), "one at a time");
    assert_eq!(world.roster.places.len(), 1);
    all_through(&mut world, 1);
    // The place is free in the same transaction, and the next has it.
    assert_eq!(world.round(), ["stop 2"]);
    all_through(&mut world, 2);
    assert_eq!(world.round(), ["stop 3"]);
    all_through(&mut world, 3);
    assert!(world.roster.places.is_empty());
}

#[test]
fn a_policy_may_have_several_down() {
    let mut world = World::of(&["gold", "gold", "gold"]);
    for machine in 1..=3 {
        world.change_point(machine, |point| point.plan.stop_start.at_once = 2);
    }
    let decision = world.look_at_points();
    world.take(&decision);
    // One in a round: what is asked before is as fresh as can be.
    assert_eq!(world.round(), ["stop 1"]);
    assert_eq!(world.round(), ["stop 2"]);
    assert!(world.round().is_empty());
}

#[test]
fn policies_do_not_wait_for_each_other_but_the_account_has_its_bound() {
    let mut world = World::asked(&["gold", "gold", "silver", "tin"]);
    world.at_once = 2;
    assert_eq!(world.round(), ["stop 1"]);
    assert_eq!(world.round(), ["stop 3"]);
    assert!(world.round().is_empty(), "two in the account");
    all_through(&mut world, 3);
    assert_eq!(world.round(), ["stop 4"]);
}

#[test]
fn a_machine_that_is_down_for_one_policy_is_not_stopped_for_another() {
    let mut world = World::asked(&["gold", "silver"]);
    // Both points are of machine 1.
    let mut other = crate::scene::point("silver", 1);
    other.requested_at = at(1);
    let downtime = crate::scene::wanted(&other);
    world.downtimes.insert(other.id.clone(), downtime);
    world.points.insert(other.id.clone(), other);
    world.change_point(2, |point| point.status = Status::Missed);
    assert_eq!(world.round(), ["stop 1"]);
    world.round();
    assert_eq!(world.roster.places.len(), 1);
    assert!(world.roster.has(&id(1)));
}

#[test]
fn two_workers_that_decide_on_the_same_place_stop_one_machine() {
    let world = World::asked(&["gold", "gold"]);
    let (mut one, mut other) = (world.clone(), world);
    other.set(1, State::Pending);
    assert_eq!(one.round(), ["stop 1"]);
    // The other has not seen that machine run, and decided on the second before the first wrote.
    let decided = afterimage_core::flow::work_requested::power::decide(&other.input());
    let before = one.roster.clone();
    one.take(&decided);
    assert_eq!(one.roster, before, "the roster is not what the other has read");
    assert_eq!(one.status(2), DowntimeStatus::Waiting);
}
