//! Points and copies that are begun only if somebody still wants them.

use std::collections::BTreeMap;

use afterimage_core::flow::cancel::{self, Cancelled, Scope, Target};
use afterimage_core::flow::work_requested::{copy, snapshot};
use afterimage_core::flow::{InForce, Unreadable};
use afterimage_core::machine::State;
use afterimage_core::point::{Place, Point, ReplicaStatus};
use afterimage_core::reason::Code;
use afterimage_core::status::Status;
use afterimage_core::summary::Good;

use crate::scene::{
    FRANKFURT, IRELAND, at, gold, hours, imaged, mins, no_obstacles, point_in, region, replica_in,
    requested, running, snapshot_input, tags,
};

/// Policies of which none is in force but this one.
fn only(change: impl FnOnce(&mut InForce)) -> InForce {
    let mut in_force = gold();
    change(&mut in_force);
    in_force
}

/// What is decided on a point that is due, by these policies, of a machine with these tags.
fn begin(in_force: InForce, machine_tags: &[(&str, &str)]) -> Point {
    let mut machine = running();
    machine.instance.tags = tags(machine_tags);
    let input = snapshot_input(at(5), vec![requested()], Some(&machine));
    point_in(&snapshot::decide(&snapshot::Input { in_force, ..input }))
}

#[test]
fn only_what_was_read_withdraws_and_it_says_why() {
    let gone = begin(InForce::default(), &[("Name", "web")]);
    let excluding = only(|in_force| {
        let pause = BTreeMap::from([("pause".to_string(), vec!["*".to_string()])]);
        in_force.policies[0].select.exclude_tags = pause;
    });
    let excluded = begin(excluding, &[("pause", "yes")]);
    let lacking = begin(gold(), &[("pause", "yes")]);
    let moved = only(|in_force| in_force.policies[0].select.regions = vec![region(IRELAND)]);
    let elsewhere = begin(moved, &[("Name", "web")]);
    let whys = [
        (gone, "policy gold is no longer in force"),
        (excluded, "policy gold excludes tag `pause`; this machine has `pause=yes`"),
        (lacking, "policy gold requires tag `Name` = `*`; this machine has no tag `Name`"),
        (elsewhere, "policy gold covers eu-west-1; this machine is in us-east-1"),
    ];
    for (point, why) in whys {
        let reason = point.reason.clone().expect("a reason");
        assert_eq!((point.status, reason.code), (Status::Withdrawn, Code::Withdrawn));
        assert_eq!(reason.text, why);
        assert_eq!(point.step.due_at, Some(point.waits_until()), "it may be wanted again");
        point.check().expect("it is as it must be");
    }
}

#[test]
fn the_state_of_the_machine_does_not_withdraw() {
    let running_only = only(|in_force| in_force.policies[0].select.states = vec![State::Stopped]);
    assert_eq!(begin(running_only, &[("Name", "web")]).status, Status::Snapshotting);
}

#[test]
fn a_policy_that_cannot_be_read_is_waited_for_and_told_of_after_a_day() {
    let unreadable = InForce {
        unreadable: vec![Unreadable { name: "gold".to_string(), why: "no JSON".to_string() }],
        ..InForce::default()
    };
    let look = |secs| {
        let input = snapshot_input(at(secs), vec![requested()], Some(&running()));
        snapshot::decide(&snapshot::Input { in_force: unreadable.clone(), ..input })
    };
    for secs in [5, mins(30), hours(23)] {
        assert_eq!(look(secs).commands, []);
    }
    let point = point_in(&look(hours(24)));
    assert_eq!(point.reason.map(|reason| reason.code), Some(Code::PolicyUnreadable));
    assert_eq!((point.status, point.step.due_at), (Status::Requested, Some(at(hours(25)))));
}

#[test]
fn a_withdrawn_point_leaves_its_queue_when_its_window_closes() {
    let point = begin(InForce::default(), &[("Name", "web")]);
    let look = |secs, point: &Point| {
        snapshot::decide(&snapshot_input(at(secs), vec![point.clone()], Some(&running())))
    };
    assert_eq!(look(hours(3), &point).commands, []);
    let over = point_in(&look(hours(5), &point));
    assert_eq!((over.status, over.queue()), (Status::Withdrawn, None));
}

#[test]
fn the_last_place_that_is_withdrawn_makes_the_point_protected() {
    let (point, replicas) = imaged();
    let without = only(|in_force| {
        in_force.policies[0].replicate.retain(|place| place.region == region(IRELAND))
    });
    let look = |point: &Point, name: &str| {
        let of = replicas.iter().find(|replica| replica.region == region(name));
        let replicas = of.cloned().into_iter().collect();
        let (points, in_force) = ([(point.id.clone(), point.clone())].into(), without.clone());
        copy::decide(&copy::Input {
            now: at(mins(20)),
            replicas,
            points,
            in_force,
            named: BTreeMap::new(),
            obstacles: no_obstacles(IRELAND),
            keys: BTreeMap::new(),
            summaries: BTreeMap::new(),
            there: Some(Default::default()),
        })
    };
    let copying = replica_in(&look(&point, IRELAND));
    assert_eq!(copying.status, ReplicaStatus::Copying);
    let decision = look(&point, FRANKFURT);
    let withdrawn = replica_in(&decision);
    assert_eq!((withdrawn.status, withdrawn.queue()), (ReplicaStatus::Withdrawn, None));
    let after = point_in(&decision);
    assert_eq!(after.replicas[&region(FRANKFURT)], Place::Withdrawn);
    assert_eq!(after.status, Status::Imaged, "the other is under way");
    let mut last = point;
    last.replicas.insert(region(IRELAND), Place::Available);
    let protected = point_in(&look(&last, FRANKFURT));
    assert_eq!(protected.status, Status::Protected);
    assert_eq!(Good::of(&protected).expect("it is good").replicas_wanted, 1);
    protected.check().expect("it is as it must be");
}

fn call_off(point: &Point, scope: &Scope) -> Cancelled {
    let replicas = if point.status == Status::Imaged { imaged().1 } else { Vec::new() };
    let target = Target { point: point.clone(), replicas, made_nothing: Default::default() };
    cancel::decide(&target, scope, at(mins(20))).expect("it can be called off")
}

#[test]
fn a_person_calls_off_what_has_not_begun_and_it_is_not_taken_up_again() {
    let off = call_off(&requested(), &Scope::All);
    let change = off.change.expect("something is written");
    let after = change.point_written().expect("the point");
    assert_eq!((after.status, after.queue()), (Status::Withdrawn, None));
    assert_eq!(after.reason.as_ref().map(|reason| reason.code), Some(Code::Cancelled));

    let kept = begin(InForce::default(), &[("Name", "web")]);
    let off = call_off(&kept, &Scope::All).change.expect("something is written");
    assert_eq!(off.point_written().expect("the point").queue(), None);

    let begun = begin(gold(), &[("Name", "web")]);
    let off = call_off(&begun, &Scope::All);
    assert_eq!((off.change, off.image_goes_on), (None, true));
}

#[test]
fn a_person_calls_off_the_copies_that_wait() {
    let (point, _) = imaged();
    let off = call_off(&point, &Scope::Place(region(IRELAND)));
    assert_eq!(off.places, [region(IRELAND)].into());
    let all = call_off(&point, &Scope::All);
    assert_eq!(all.places.len(), 2);
    let after = all.change.expect("something is written");
    assert_eq!(after.point_written().expect("the point").status, Status::Protected);
}

#[test]
fn a_point_that_had_lost_everything_is_lost_and_not_withdrawn_when_nobody_wants_it() {
    let again = Point {
        home_place: Place::Underway,
        healed: vec![at(1)],
        replicas: BTreeMap::from([(region(IRELAND), Place::Lost)]),
        ..requested()
    };
    let excluded = |point: &Point| {
        let mut machine = running();
        machine.instance.tags = tags(&[("pause", "yes")]);
        let input = snapshot_input(at(5), vec![point.clone()], Some(&machine));
        point_in(&snapshot::decide(&input))
    };
    let after = excluded(&again);
    assert_eq!((after.status, after.home_place), (Status::Lost, Place::Lost));
    assert_eq!(after.reason.as_ref().map(|reason| reason.code), Some(Code::Withdrawn));
    assert_eq!(after.step.due_at, Some(at(5)), "it is looked at, and its finding tells why");
    after.check().expect("it is as it must be");
    let target =
        Target { point: again.clone(), replicas: Vec::new(), made_nothing: Default::default() };
    let cancelled = cancel::decide(&target, &Scope::All, at(5)).expect("legal");
    let change = cancelled.change.expect("a change");
    let after = change.point_written().expect("the point");
    assert_eq!((after.status, after.step.due_at), (Status::Lost, None));
    assert_eq!(after.reason.as_ref().map(|reason| reason.code), Some(Code::Cancelled));
    // A replica that is left can be recovered from.
    let left = Point { replicas: BTreeMap::from([(region(IRELAND), Place::Available)]), ..again };
    assert_eq!(excluded(&left).status, Status::Withdrawn);
}
