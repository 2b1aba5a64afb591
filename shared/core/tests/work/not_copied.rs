//! Copies that nobody wants any more: held up, or called for without an answer.

use std::collections::BTreeMap;

use afterimage_core::command::{Command, Decision};
use afterimage_core::flow::InForce;
use afterimage_core::flow::cancel::{self, Scope, Target};
use afterimage_core::flow::work_requested::before_copy::There;
use afterimage_core::flow::work_requested::copy::{Input, decide, to_find};
use afterimage_core::observed::{Complete, ImageState, ObservedImage};
use afterimage_core::obstacle::Obstacles;
use afterimage_core::point::{Place, Replica, ReplicaStatus, Step};
use afterimage_core::reason::{Code, Reason};

use crate::scene::{
    HOME, IRELAND, NAME, ami, at, from_home, imaged, mins, no_obstacles, place, region, replica_in,
    seen_image, written,
};

fn waiting() -> Replica {
    let (_, replicas) = imaged();
    replicas.into_iter().find(|replica| replica.region == region(IRELAND)).expect("a replica")
}

/// A copy whose call was begun in minute 20, and not answered.
fn open() -> Replica {
    let (begun_at, due_at) = (Some(at(mins(20))), Some(at(mins(22))));
    Replica {
        status: ReplicaStatus::Copying,
        step: Step { begun_at, due_at, ..Step::default() },
        reason: Some(Reason::new(Code::OutcomeUnknown, "timed-out")),
        ..waiting()
    }
}

/// All copies wait from minute 20 on, and one is tried in minute 50.
fn held() -> Obstacles {
    let reason = Reason::new(Code::OutcomeUnknown, "timed-out");
    let mut obstacles = no_obstacles(IRELAND);
    for _ in 0..5 {
        obstacles.causes.values_mut().for_each(|known| known.probe_at = at(0));
        let met = obstacles.met(&from_home(), reason.clone(), at(mins(20)), at(mins(20)));
        obstacles = met.expect("it is due");
    }
    obstacles
}

/// What is decided on a copy of a policy that is no longer in force. `named` are the images with
/// its name; none if EC2 does not answer.
fn unwanted(
    replica: &Replica,
    named: Option<Vec<ObservedImage>>,
    obstacles: &Obstacles,
    minute: i64,
) -> (Vec<String>, Decision) {
    let (point, now) = (imaged().0, at(mins(minute)));
    let (replicas, points) = (vec![replica.clone()], BTreeMap::from([(point.id.clone(), point)]));
    let in_force = InForce::default();
    let names = to_find(&replicas, &points, &in_force, obstacles, now);
    let listed = |name: &String| Some((name.clone(), Complete(named.clone()?)));
    let decision = decide(&Input {
        now,
        replicas,
        points,
        in_force,
        named: names.iter().filter_map(listed).collect(),
        obstacles: obstacles.clone(),
        keys: BTreeMap::new(),
        summaries: BTreeMap::new(),
        there: Some(There::default()),
    });
    (names, decision)
}

fn assert_withdrawn(decision: &Decision) {
    let (points, replicas) = written(decision);
    assert_eq!(replicas[0].status, ReplicaStatus::Withdrawn, "{decision:?}");
    assert_eq!(place(&points[0], IRELAND), Some(Place::Withdrawn));
    assert!(!decision.commands.iter().any(|command| matches!(command, Command::Call(_))));
}

#[test]
fn a_copy_that_waits_is_withdrawn_while_its_obstacle_stands() {
    let (names, decision) = unwanted(&waiting(), None, &held(), 30);
    assert!(names.is_empty());
    assert_withdrawn(&decision);
}

#[test]
fn a_copy_whose_call_was_not_answered_is_withdrawn_only_if_it_made_nothing() {
    let none = no_obstacles(IRELAND);
    let (names, decision) = unwanted(&open(), Some(Vec::new()), &none, 26);
    assert_eq!(names, [format!("{NAME}-0")]);
    assert_withdrawn(&decision);

    let (_, decision) = unwanted(&open(), Some(Vec::new()), &none, 25);
    let waits = replica_in(&decision);
    assert_eq!(waits.status, ReplicaStatus::Copying, "it may not be visible yet");
    assert_eq!(waits.step.due_at, Some(at(mins(26))));

    let source = Some((region(HOME), ami(1)));
    let made = ObservedImage { source, snapshots: vec![], ..seen_image(9, ImageState::Pending) };
    let (_, decision) = unwanted(&open(), Some(vec![made]), &none, 26);
    let adopted = replica_in(&decision);
    assert_eq!((adopted.status, adopted.image), (ReplicaStatus::Pending, Some(ami(9))));
}

#[test]
fn while_a_region_does_not_answer_one_listing_is_made_when_its_obstacle_is_due() {
    let (names, decision) = unwanted(&open(), None, &held(), 30);
    assert!(names.is_empty() && decision.commands.is_empty(), "{decision:?}");
    let (names, decision) = unwanted(&open(), None, &held(), 90);
    assert_eq!(names.len(), 1);
    let (points, replicas) = written(&decision);
    assert!(points.is_empty() && replicas.is_empty(), "nothing is known of the copy");
    assert_eq!(decision.commands.len(), 1, "the next look: {decision:?}");
}

#[test]
fn a_person_calls_off_a_copy_whose_call_has_made_nothing() {
    let (point, now) = (imaged().0, at(mins(30)));
    let replicas = vec![open()];
    let scope = Scope::Place(region(IRELAND));
    assert_eq!(cancel::open_calls(&replicas, &scope, at(mins(25))).count(), 0, "too early");
    assert_eq!(cancel::open_calls(&replicas, &scope, now).count(), 1);
    let target =
        |made_nothing| Target { point: point.clone(), replicas: vec![open()], made_nothing };
    let unknown = cancel::decide(&target([].into()), &scope, now).expect("it is legal");
    assert_eq!((&unknown.change, unknown.copies_unknown.len()), (&None, 1));
    assert!(unknown.not[&region(IRELAND)].contains("not answered"), "{:?}", unknown.not);
    let off = cancel::decide(&target([region(IRELAND)].into()), &scope, now).expect("it is legal");
    assert_eq!(off.places, [region(IRELAND)].into());
    let replica = off.change.as_ref().and_then(|change| change.replica_written());
    let replica = replica.expect("it is written");
    assert_eq!(replica.status, ReplicaStatus::Withdrawn);
    assert_eq!(replica.reason.as_ref().map(|reason| reason.code), Some(Code::Cancelled));
}
