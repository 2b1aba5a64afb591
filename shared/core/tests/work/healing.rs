//! What is lost, under a brake: the newest first, within the budget of the day.

use std::collections::BTreeMap;

use afterimage_core::brake::Brake;
use afterimage_core::command::{Command, Record};
use afterimage_core::flow::work_requested::confirm::decide;
use afterimage_core::flow::work_requested::images::Healing;
use afterimage_core::limits::{later, look_at_older};
use afterimage_core::observed::ImageState;
use afterimage_core::point::{Place, Point, Replica, ReplicaStatus};
use afterimage_core::reason::{Code, Reason};
use afterimage_core::slot::{Occasion, PointId};
use jiff::SignedDuration;

use super::scene::{
    IRELAND, ami, at, confirm_input, gold, hours, imaged, region, replica_in, seen_image, written,
};

/// The size of the two volumes of the machine.
const GIB: u32 = 40;

/// A point of so many hours later whose replica in Ireland is lost.
fn lost(policy: &str, hour: i64) -> (Point, Replica) {
    let (mut point, replicas) = imaged();
    let mut replica = replicas.into_iter().find(|one| one.region == region(IRELAND)).unwrap();
    point.slot.policy = afterimage_core::ids::PolicyName::parse(policy).unwrap();
    point.slot.occasion = Occasion::Scheduled(at(hours(hour)));
    point.id = PointId::of(&point.slot);
    point.taken_at = Some(at(hours(hour)));
    point.replicas.insert(region(IRELAND), Place::Lost);
    replica.point = point.id.clone();
    replica.status = ReplicaStatus::Lost;
    replica.reason = Some(Reason::new(Code::Lost, "gone"));
    (point, replica.due_now(at(hours(9))))
}

/// Looks at them with a brake that is engaged, and a budget.
fn look(all: &[(Point, Replica)], gib_per_day: u32) -> (Vec<Replica>, Vec<Brake>) {
    let now = at(hours(9));
    let mut input = confirm_input(now, Vec::new(), &[seen_image(1, ImageState::Available)]);
    let mut in_force = gold();
    let first = in_force.policies.first().cloned().unwrap();
    for (point, replica) in all {
        let mut policy = first.clone();
        policy.name = point.slot.policy.clone();
        in_force.policies.push(policy);
        input.replicas.push(replica.clone());
        input.points_of_replicas.insert(point.id.clone(), point.clone());
        let history = input.history.entry(point.instance().clone()).or_default();
        history.push((point.clone(), vec![replica.clone()]));
    }
    let brake = Brake { version: 1, ..Brake::new(region(IRELAND), now) };
    in_force.brakes = BTreeMap::from([(region(IRELAND), brake.holding(now))]);
    input.healing = Healing { in_force, gib_per_day, ..Healing::default() };
    let decision = decide(&input);
    let changes = decision.commands.iter().filter_map(Command::change);
    let brakes =
        changes.flat_map(|change| &change.writes).filter_map(|write| match &write.record {
            Record::Brake(brake) => Some((**brake).clone()),
            _ => None,
        });
    (written(&decision).1, brakes.collect())
}

#[test]
fn the_newest_is_made_again_first_and_the_rest_waits_for_the_next_day() {
    let all = [lost("gold", 1), lost("silver", 3), lost("iron", 2)];
    let (replicas, brakes) = look(&all, 2 * GIB);
    let by = |status| {
        let of = replicas.iter().filter(move |replica| replica.status == status);
        of.map(|replica| replica.point.clone()).collect::<Vec<_>>()
    };
    assert_eq!(by(ReplicaStatus::Waiting), [all[1].0.id.clone(), all[2].0.id.clone()]);
    assert_eq!(by(ReplicaStatus::Lost), [all[0].0.id.clone()]);
    let held = replicas.iter().find(|replica| replica.status == ReplicaStatus::Lost).unwrap();
    assert_eq!(held.step.due_at, Some(later(at(hours(9)), afterimage_core::limits::A_DAY)));
    assert_eq!(held.reason.as_ref().map(|reason| reason.code), Some(Code::MassLoss));
    let spent: Vec<(u64, u32)> = brakes.iter().map(|one| (one.version, one.spent_gib)).collect();
    assert_eq!(spent, [(2, GIB), (3, 2 * GIB)], "each write builds on the one before");
}

/// A finding says that the image is made again, and it was made again too often.
#[test]
fn the_finding_of_a_place_that_was_made_again_too_often_takes_the_place_of_the_one_before() {
    let (point, mut replica) = lost("gold", 1);
    replica.lost = Some(ami(5));
    replica.healed = vec![at(hours(7)), at(hours(8))];
    let now = at(hours(9));
    let seen = [seen_image(1, ImageState::Available)];
    let mut input = confirm_input(now, Vec::new(), &seen);
    input.points_of_replicas = [(point.id.clone(), point.clone())].into();
    input.history = [(point.instance().clone(), vec![(point, vec![replica.clone()])])].into();
    input.replicas = vec![replica];
    input.healing.in_force = gold();
    let decision = decide(&input);
    let told = decision.commands.iter().filter_map(|command| match command {
        Command::Report(finding) => Some(finding),
        _ => None,
    });
    let told: Vec<_> = told.collect();
    let [told] = &told[..] else { panic!("{decision:#?}") };
    assert_eq!((told.reason.code, &told.artefact), (Code::LostAgain, &(&ami(5)).into()));
    assert!(told.replaces().contains(&Code::Lost), "that it is made again is not so");
}

#[test]
fn a_person_who_asks_is_not_held_up() {
    let (point, mut replica) = lost("gold", 1);
    replica.heal_asked = true;
    let (replicas, brakes) = look(&[(point, replica)], 0);
    assert_eq!(replicas[0].status, ReplicaStatus::Waiting);
    assert!(replicas[0].heal_asked, "it is asked for until it is there");
    assert_eq!(brakes, []);
}

#[test]
fn a_lost_place_of_an_older_point_is_looked_at_less_and_less_often() {
    let looks = |days: i64| {
        let ages = std::iter::successors(Some(SignedDuration::ZERO), |age| {
            Some(*age + look_at_older(*age))
        });
        ages.skip(1).take_while(|age| *age <= SignedDuration::from_hours(24 * days)).count()
    };
    assert_eq!((looks(1), looks(7), looks(365)), (4, 12, 30));
}

#[test]
fn a_copy_that_failed_and_whose_source_is_gone_looks_for_another() {
    use afterimage_core::flow::work_requested::copy::{Input, decide};
    let (mut point, replicas) = imaged();
    let replica = replicas.into_iter().find(|one| one.region == region(IRELAND)).unwrap();
    let mut input = Input {
        now: at(hours(1)),
        replicas: vec![replica],
        points: BTreeMap::new(),
        in_force: gold(),
        named: BTreeMap::new(),
        obstacles: super::scene::no_obstacles(IRELAND),
        keys: BTreeMap::new(),
        summaries: BTreeMap::new(),
        there: Some(Default::default()),
    };
    input.replicas[0].step.failures = 1;
    point.home_place = Place::Lost;
    point.lost = point.image.take();
    point.reason = Some(Reason::new(Code::Lost, "gone"));
    input.points.insert(point.id.clone(), point);
    let after = replica_in(&decide(&input));
    assert_eq!((after.status, after.step.due_at), (ReplicaStatus::Lost, Some(at(hours(1)))));
}
