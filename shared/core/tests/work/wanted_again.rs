//! Withdrawn replicas of a policy that was applied of late: which of them are taken up again.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_core::brake::Brake;
use afterimage_core::command::Command;
use afterimage_core::flow::wanted_again::{WantedAgain, is_time, nominated, replicas_of};
use afterimage_core::flow::{InForce, Unreadable, reconcile_tick};
use afterimage_core::ids::Region;
use afterimage_core::limits::{BRAKE_FOR, WANTED_AGAIN_WITHIN};
use afterimage_core::point::{Place, Point, Replica, ReplicaEvent, ReplicaStatus, Step};
use afterimage_core::reason::{Code, Reason};
use afterimage_core::slot::PointId;
use afterimage_core::status::Status;
use afterimage_core::summary::{Good, Latest, MachineSummary};
use afterimage_core::transition::{loss, replicas, withdrawn};
use afterimage_core::work::{Kind, Queue};

use crate::scene::{FRANKFURT, IRELAND, ami, at, gold, hours, imaged, region, written};

/// A point whose replica in Ireland is withdrawn for that reason, as lost or before it was made.
fn withdrawn_in_ireland(code: Code, is_lost: bool) -> (Point, Vec<Replica>) {
    let (point, waiting) = imaged();
    let there = waiting.into_iter().map(|replica| {
        let is_made = is_lost || replica.region == region(FRANKFURT);
        Replica {
            status: if is_made { ReplicaStatus::Available } else { ReplicaStatus::Waiting },
            image: is_made.then(|| ami(7)),
            step: replica.step.settled(),
            ..replica
        }
    });
    let mut all: Vec<Replica> = there.collect();
    let made = all.iter().filter(|replica| replica.status == ReplicaStatus::Available);
    let change = replicas::settled(&point, made.cloned().collect()).expect("they are there");
    let mut point = change.point_written().expect("the point").clone();
    let ireland = all.iter_mut().find(|replica| replica.region == region(IRELAND)).expect("it");
    if is_lost {
        let gone = Reason::new(Code::Lost, "it is gone");
        let lost = loss::replica(&point, ireland, ReplicaEvent::Lose, gone, at(hours(1)));
        (point, *ireland) = lost.expect("it was there");
    }
    *ireland = withdrawn::replica(ireland, Reason::new(code, "why")).expect("it may be");
    let change = replicas::settled(&point, vec![ireland.clone()]).expect("it may be");
    (change.point_written().expect("the point").clone(), all)
}

fn applied(hour: i64) -> InForce {
    let mut in_force = gold();
    in_force.applied_at.insert(in_force.policies[0].name.clone(), at(hours(hour)));
    in_force
}

fn summary_of(point: &Point) -> MachineSummary {
    let policy = || point.slot.policy.clone();
    MachineSummary {
        instance: point.instance().clone(),
        home: point.home.clone(),
        name: None,
        latest: BTreeMap::from([(policy(), Latest::of(point))]),
        stops: BTreeMap::new(),
        good: Good::of(point).map(|good| (policy(), good)).into_iter().collect(),
    }
}

type Looked = (Vec<Point>, Vec<Replica>, Vec<Queue>);

/// Looks at a point an hour after its policy was applied, as the sweep does.
fn look(known: &(Point, Vec<Replica>)) -> Looked {
    look_with(applied(8), known, &summary_of(&known.0))
}

fn look_with(
    in_force: InForce,
    (point, replicas): &(Point, Vec<Replica>),
    summary: &MachineSummary,
) -> Looked {
    let now = at(hours(9));
    let named = nominated(&in_force, std::slice::from_ref(summary), now);
    let points: BTreeMap<PointId, Point> =
        named.iter().map(|id| (id.clone(), point.clone())).collect();
    let read: BTreeSet<_> = points.values().flat_map(replicas_of).collect();
    let replicas = replicas.iter().map(|replica| (key(replica), replica.clone()));
    sweep(in_force, points, replicas.filter(|(key, _)| read.contains(key)))
}

fn key(replica: &Replica) -> (PointId, Region) {
    (replica.point.clone(), replica.region.clone())
}

/// Decides as the sweep does that has read these.
fn sweep(
    in_force: InForce,
    points: impl IntoIterator<Item = (PointId, Point)>,
    replicas: impl IntoIterator<Item = ((PointId, Region), Replica)>,
) -> Looked {
    let points = points.into_iter().collect();
    let replicas = replicas.into_iter().collect();
    let decision = reconcile_tick::decide(&reconcile_tick::Input {
        now: at(hours(9)),
        in_force,
        overdue: Vec::new(),
        went_back: Default::default(),
        gaps: Default::default(),
        stopped: Vec::new(),
        summaries: BTreeMap::new(),
        tag_requests: Default::default(),
        waiting: Default::default(),
        ended: Default::default(),
        wanted_again: WantedAgain { points, replicas },
        tagged: None,
    });
    let (points, replicas) = written(&decision);
    let wakes = decision.commands.iter().filter_map(|command| match command {
        Command::Wake(wake) => Some(wake.queue.clone()),
        _ => None,
    });
    (points, replicas, wakes.collect())
}

#[test]
fn a_replica_that_had_lost_its_image_is_lost_again_and_looked_at() {
    let (points, replicas, wakes) = look(&withdrawn_in_ireland(Code::Withdrawn, true));
    assert_eq!(replicas[0].status, ReplicaStatus::Lost);
    assert_eq!(replicas[0].step.due_at, Some(at(hours(9))));
    assert_eq!(points[0].replicas[&region(IRELAND)], Place::Lost);
    points[0].check().expect("it is as it must be");
    assert_eq!(wakes, [Queue { region: region(IRELAND), kind: Kind::Confirm }]);
}

#[test]
fn a_copy_that_was_never_made_waits_again_under_a_new_name() {
    let before = withdrawn_in_ireland(Code::Withdrawn, false);
    let (points, replicas, wakes) = look(&before);
    assert_eq!(replicas[0].status, ReplicaStatus::Waiting);
    assert!(replicas[0].step.attempt > 0);
    assert_eq!(points[0].replicas[&region(IRELAND)], Place::Underway);
    points[0].check().expect("it is as it must be");
    assert_eq!(wakes, [Queue { region: region(IRELAND), kind: Kind::Copy }]);
}

#[test]
fn a_lost_copy_that_was_put_off_is_looked_at_once_its_policy_is_applied_anew() {
    let (point, mut all) = withdrawn_in_ireland(Code::Withdrawn, true);
    let ireland = all.iter_mut().find(|replica| replica.region == region(IRELAND)).expect("it");
    let lost = ireland.due_now(at(hours(7))).after(ReplicaEvent::Lose).expect("it may be");
    let put_off = |hour| Step { due_at: Some(at(hours(hour))), ..lost.step.clone() };
    let reason = Some(Reason::new(Code::Lost, "the policy says that it stays lost"));
    let mut point = Point { reason: reason.clone(), status: Status::Imaged, ..point };
    point.replicas.insert(region(IRELAND), Place::Lost);
    for (hour, looks) in [(13, 1), (9, 0)] {
        *ireland = Replica { step: put_off(hour), reason: reason.clone(), ..lost.clone() };
        let (_, replicas, wakes) = look(&(point.clone(), vec![ireland.clone()]));
        assert_eq!((replicas.len(), wakes.len()), (looks, looks), "due at {hour}");
        assert!(replicas.iter().all(|replica| replica.step.due_at == Some(at(hours(9)))));
    }
}

/// A point whose copy in Ireland is lost, and waits for the brake of the region until hour 13; and
/// the summary of its machine.
fn waits_for_the_brake() -> (Point, Vec<Replica>, MachineSummary) {
    let (mut point, all) = withdrawn_in_ireland(Code::Withdrawn, true);
    let ireland = all.iter().find(|replica| replica.region == region(IRELAND)).expect("it");
    let lost = ireland.due_now(at(hours(13))).after(ReplicaEvent::Lose).expect("it may be");
    let reason = Some(Reason::new(Code::MassLoss, "many others are gone"));
    let lost = Replica { reason, ..lost };
    (point.status, point.reason) = (Status::Imaged, None);
    point.replicas.insert(region(IRELAND), Place::Lost);
    let mut summary = summary_of(&point);
    summary.latest.values_mut().for_each(|latest| latest.reason = lost.reason.clone());
    (point, vec![lost], summary)
}

#[test]
fn a_copy_that_waits_for_the_brake_is_looked_at_once_nobody_wants_it() {
    let (point, replicas, summary) = waits_for_the_brake();
    let known = (point, replicas);
    let looks = |in_force: InForce| {
        let (points, replicas, wakes) = look_with(in_force, &known, &summary);
        assert!(points.iter().all(|point| point.replicas[&region(IRELAND)] == Place::Lost));
        assert!(replicas.iter().all(|replica| replica.step.due_at == Some(at(hours(9)))));
        assert_eq!(replicas.len(), wakes.len());
        replicas.len()
    };
    let long_ago = || applied(1);
    assert_eq!(looks(long_ago()), 0, "it is wanted, and waits");
    let mut left = long_ago();
    left.policies[0].replicate.retain(|place| place.region != region(IRELAND));
    assert_eq!(looks(left), 1, "its policy has left the region");
    assert_eq!(looks(InForce::default()), 1, "its policy is gone");
    let unreadable = Unreadable { name: "gold".into(), why: "it has an unknown key".into() };
    let unreadable = InForce { unreadable: vec![unreadable], ..InForce::default() };
    assert_eq!(looks(unreadable), 0, "nobody knows what its policy says");
}

/// Looks at a copy that waits until hour 13, with these policies; tells whether it is looked at.
fn looks_at_copy(in_force: InForce) -> bool {
    let (point, replicas) = imaged();
    let ireland = replicas.iter().find(|replica| replica.region == region(IRELAND)).expect("it");
    let step = Step { due_at: Some(at(hours(13))), failures: 3, ..ireland.step.clone() };
    let waits = Replica { step, ..ireland.clone() };
    let (points, replicas, wakes) =
        sweep(in_force, [(point.id.clone(), point.clone())], [(key(&waits), waits.clone())]);
    assert!(points.iter().all(|it| Point { version: point.version, ..it.clone() } == point));
    assert_eq!(replicas.len(), wakes.len());
    let due_now = waits.due_now(at(hours(9)));
    assert!(replicas.iter().all(|it| it.status == due_now.status && it.step == due_now.step));
    assert!(wakes.iter().all(|it| it.kind == Kind::Copy && it.region == region(IRELAND)));
    !replicas.is_empty()
}

#[test]
fn a_copy_that_waits_for_its_next_try_is_looked_at_once_nobody_wants_it_as_it_is() {
    assert!(!looks_at_copy(applied(8)), "it is wanted as it is");
    let removed = InForce { removed_at: Some(at(hours(8))), ..InForce::default() };
    assert!(looks_at_copy(removed), "its policy is gone");
    let mut left = applied(8);
    left.policies[0].replicate.retain(|place| place.region != region(IRELAND));
    assert!(looks_at_copy(left), "its policy has left the region");
    let mut other = applied(8);
    let places = other.policies[0].replicate.iter_mut();
    places.for_each(|place| place.kms_key = Some("alias/new".to_string()));
    assert!(looks_at_copy(other), "its policy names a key");
    let unreadable = Unreadable { name: "gold".into(), why: "it has an unknown key".into() };
    let unreadable = InForce { unreadable: vec![unreadable], ..InForce::default() };
    assert!(!looks_at_copy(unreadable), "nobody knows what its policy says");
}

#[test]
fn what_was_lost_is_looked_at_once_its_policy_was_removed() {
    let (point, replicas, summary) = waits_for_the_brake();
    let reason = Some(Reason::new(Code::Lost, "the policy says that it stays lost"));
    let replicas = replicas.into_iter().map(|it| Replica { reason: reason.clone(), ..it });
    let known = (point, replicas.collect());
    let removed_at = |hour| InForce { removed_at: Some(at(hours(hour))), ..InForce::default() };
    let (_, replicas, _) = look_with(removed_at(8), &known, &summary);
    assert_eq!(replicas[0].step.due_at, Some(at(hours(9))));
    let (_, replicas, _) = look_with(removed_at(1), &known, &summary);
    assert_eq!(replicas, [], "that was looked at long ago");
}

#[test]
fn the_summaries_are_read_after_a_policy_was_applied_and_while_a_brake_is_engaged() {
    let now = at(hours(9));
    assert!(is_time(&applied(8), now));
    assert!(!is_time(&applied(1), now));
    let brake = Brake { engaged_at: Some(at(hours(8))), ..Brake::new(region(IRELAND), at(0)) };
    let mut in_force = applied(1);
    in_force.brakes.insert(region(IRELAND), brake);
    assert!(is_time(&in_force, now));
    assert!(!is_time(&in_force, now + BRAKE_FOR));
}

#[test]
fn what_a_person_called_off_or_a_newer_point_made_needless_stays_withdrawn() {
    for code in [Code::Cancelled, Code::Superseded] {
        for is_lost in [true, false] {
            let (points, replicas, wakes) = look(&withdrawn_in_ireland(code, is_lost));
            assert_eq!((points, replicas, wakes), (vec![], vec![], vec![]), "{code} {is_lost}");
        }
    }
}

#[test]
fn nothing_is_read_unless_a_policy_was_applied_of_late_that_wants_the_place() {
    let (point, _) = withdrawn_in_ireland(Code::Withdrawn, true);
    let fleet = [summary_of(&point)];
    let names = |in_force: &InForce, now| nominated(in_force, &fleet, now);
    assert_eq!(names(&applied(8), at(hours(9))), std::slice::from_ref(&point.id));
    let late = at(hours(8)) + WANTED_AGAIN_WITHIN;
    assert_eq!(names(&applied(8), late), Vec::<PointId>::new());
    let mut without = applied(8);
    without.policies[0].replicate.retain(|place| place.region != region(IRELAND));
    assert_eq!(names(&without, at(hours(9))), Vec::<PointId>::new());
}
