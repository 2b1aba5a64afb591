//! Replicas that want to be copied.

use std::collections::{BTreeMap, BTreeSet};

use crate::scene::conclude;
use afterimage_core::call::{Call, CopyImage, Outcome};
use afterimage_core::command::{Command, Decision};
use afterimage_core::flow::work_requested::copy::{Input, decide};
use afterimage_core::flow::work_requested::needs;
use afterimage_core::names::copy_token;
use afterimage_core::observed::{Complete, ImageState, ObservedImage};
use afterimage_core::point::{Place, Point, Replica, ReplicaStatus, Step};
use afterimage_core::reason::Code;
use afterimage_core::slot::{Occasion, PointId, Slot};
use afterimage_core::work::Kind;

use crate::scene::{
    FRANKFURT, HOME, IRELAND, NAME, ami, answer, at, codes_said, hours, imaged, instance, mins,
    no_obstacles, only_call, our_tags, place, region, replica_in, reported, seen_image, written,
};

fn waiting(name: &str) -> Replica {
    let (_, replicas) = imaged();
    replicas.into_iter().find(|replica| replica.region == region(name)).expect("a replica")
}

fn look_with(point: Point, replica: &Replica, named: &[ObservedImage], secs: i64) -> Decision {
    let replicas = vec![replica.clone()];
    let of_name = |name: String| {
        let images = named.iter().filter(|image| image.name == name).cloned().collect();
        (name, Complete(images))
    };
    let named =
        needs(Kind::Copy, &[], &replicas, at(secs)).names.into_iter().map(of_name).collect();
    let points = BTreeMap::from([(point.id.clone(), point)]);
    let (obstacles, summaries) = (no_obstacles(IRELAND), BTreeMap::new());
    decide(&Input { now: at(secs), replicas, points, named, obstacles, summaries })
}

fn look(replica: &Replica, named: &[ObservedImage], secs: i64) -> Decision {
    look_with(imaged().0, replica, named, secs)
}

fn call(decision: &Decision) -> CopyImage {
    let Call::CopyImage(call) = only_call(decision) else { panic!("{decision:?}") };
    call.clone()
}

/// A copy whose name turned out to be taken, in minute 20.
fn taken() -> Replica {
    let copying = replica_in(&look(&waiting(IRELAND), &[], mins(20)));
    let outcome = Outcome::NameTaken(answer("InvalidAMIName.Duplicate"));
    replica_in(&conclude::copy(&copying, outcome, at(mins(20))))
}

fn copy_of(number: u32, source: (&str, u32)) -> ObservedImage {
    let source = Some((region(source.0), ami(source.1)));
    ObservedImage { source, snapshots: vec![], ..seen_image(number, ImageState::Pending) }
}

#[test]
fn a_waiting_replica_is_copied_where_it_will_be() {
    let decision = look(&waiting(IRELAND), &[], mins(20));
    let expected = CopyImage {
        region: region(IRELAND),
        source_region: region(HOME),
        source: ami(1),
        name: format!("{NAME}-0"),
        description: format!("Afterimage: {NAME} from {HOME}"),
        token: format!("{NAME}-0"),
        kms_key: None,
        tags: our_tags(&[("afterimage:replicas-1", "eu-west-1 eu-central-1")]),
    };
    assert_eq!(call(&decision), expected);
    let replica = replica_in(&decision);
    assert_eq!((replica.status, replica.version), (ReplicaStatus::Copying, 2));
    assert_eq!(replica.step.due_at, Some(at(mins(22))));
    assert_eq!(look(&waiting(IRELAND), &[], mins(20) - 1), Decision::default(), "not due");
}

#[test]
fn an_encrypted_copy_always_names_its_key() {
    let cases = [
        (IRELAND, false, None),
        (IRELAND, true, Some("alias/aws/ebs")),
        (FRANKFURT, false, Some("alias/dr")),
        (FRANKFURT, true, Some("alias/dr")),
    ];
    for (name, encrypted, expected) in cases {
        let (mut point, _) = imaged();
        point.machine.as_mut().expect("a machine").volumes[1].encrypted = encrypted;
        let call = call(&look_with(point, &waiting(name), &[], mins(20)));
        assert_eq!(call.kms_key.as_deref(), expected, "{name} {encrypted}");
    }
}

#[test]
fn a_call_without_an_outcome_is_made_again_with_the_same_token_but_not_for_ever() {
    let mut replica = replica_in(&look(&waiting(IRELAND), &[], mins(20)));
    let mut now = mins(20);
    for (failures, wait) in [(1, 2), (2, 2), (3, 4), (4, 8), (5, 16), (6, 32), (7, 60)] {
        let due_at = replica.step.due_at.expect("due");
        assert_eq!(look(&replica, &[], now), Decision::default());
        now = due_at.duration_since(at(0)).as_secs();
        let decision = look(&replica, &[], now);
        assert_eq!(call(&decision).token, format!("{NAME}-0"));
        replica = replica_in(&decision);
        assert_eq!((replica.step.attempt, replica.step.failures), (0, failures));
        assert_eq!(replica.step.due_at, Some(at(now + mins(wait))));
    }
    let (points, replicas) = written(&look(&replica, &[], now + mins(60)));
    assert_eq!(replicas[0].status, ReplicaStatus::Failed);
    assert_eq!(place(&points[0], IRELAND), Some(Place::Failed));
}

#[test]
fn a_copy_of_ours_that_has_our_name_is_adopted() {
    let taken = taken();
    assert_eq!(taken.step.due_at, Some(at(mins(20) + 5)));
    let replicas = std::slice::from_ref(&taken);
    assert!(needs(Kind::Copy, &[], replicas, at(mins(20) + 4)).names.is_empty());
    let decision = look(&taken, &[copy_of(2, (HOME, 1))], mins(20) + 5);
    let replica = replica_in(&decision);
    assert_eq!((replica.status, replica.image), (ReplicaStatus::Pending, Some(ami(2))));
    assert_eq!(replica.step.due_at, Some(at(mins(25) + 5)));
    assert_eq!(codes_said(&decision), [Code::Adopted]);
}

#[test]
fn another_image_of_our_name_is_reported_and_the_next_name_is_tried_at_once() {
    let own = ObservedImage { source: None, ..copy_of(2, (HOME, 1)) };
    for foreign in [copy_of(2, (HOME, 9)), copy_of(2, (FRANKFURT, 1)), own] {
        let decision = look(&taken(), &[foreign], mins(21));
        assert_eq!(reported(&decision), [ami(2).to_string()]);
        let replica = replica_in(&decision);
        assert_eq!((replica.status, replica.image.as_ref()), (ReplicaStatus::Waiting, None));
        let Step { attempt, failures, due_at, .. } = replica.step.clone();
        assert_eq!((attempt, failures, due_at), (1, 0, Some(at(mins(21)))));
        assert_eq!(call(&look(&replica, &[], mins(21))).name, format!("{NAME}-1"));
    }
}

#[test]
fn whoever_takes_all_names_does_not_keep_us_busy_for_ever() {
    let step = Step { attempt: 19, ..taken().step };
    let taken = Replica { step, ..taken() };
    let foreign = ObservedImage { name: format!("{NAME}-19"), ..copy_of(2, (HOME, 9)) };
    let replica = replica_in(&look(&taken, &[foreign], mins(21)));
    let (points, replicas) = written(&look(&replica, &[], mins(21)));
    assert_eq!(replicas[0].status, ReplicaStatus::Failed);
    assert_eq!(replicas[0].reason.as_ref().expect("said").code, Code::TriesUsedUp);
    assert_eq!(place(&points[0], IRELAND), Some(Place::Failed));
}

#[test]
fn a_taken_name_that_nothing_visible_has_is_looked_up_again_and_then_asked_for_again() {
    let decision = look(&taken(), &[], mins(20) + 5);
    let replica = replica_in(&decision);
    assert_eq!((replica.status, replica.step.due_at), (ReplicaStatus::Copying, Some(at(mins(26)))));
    let gone = ObservedImage { state: ImageState::Deregistered, ..copy_of(2, (HOME, 9)) };
    let decision = look(&replica, &[gone], mins(26));
    assert_eq!(call(&decision).token, format!("{NAME}-0"));
    assert!(reported(&decision).is_empty());
}

#[test]
fn a_replica_that_was_refused_or_asked_to_wait_for_too_long_fails_with_its_place() {
    let copying = replica_in(&look(&waiting(IRELAND), &[], mins(20)));
    let refused = Outcome::Refused(answer("InvalidRequest"));
    let throttled = Outcome::Throttled(answer("RequestLimitExceeded"));
    let late = hours(24 * 5);
    let cases =
        [(refused, mins(20), Code::CallRefused), (throttled.clone(), late, Code::Throttled)];
    for (outcome, secs, expected) in cases {
        let replica = replica_in(&conclude::copy(&copying, outcome, at(secs)));
        assert_eq!(replica.status, ReplicaStatus::Waiting);
        let (points, replicas) = written(&look(&replica, &[], secs + 30));
        assert_eq!(replicas[0].status, ReplicaStatus::Failed);
        assert_eq!(replicas[0].reason.as_ref().expect("said").code, expected);
        assert_eq!(place(&points[0], IRELAND), Some(Place::Failed));
        assert_eq!(place(&points[0], FRANKFURT), Some(Place::Underway));
    }
    let replica = replica_in(&conclude::copy(&copying, throttled, at(late - 31)));
    assert_eq!(call(&look(&replica, &[], late - 1)).name, format!("{NAME}-0"), "the same try");
}

#[test]
fn tokens_are_short_and_no_two_attempts_share_one() {
    let mut tokens = BTreeSet::new();
    let (_, replicas) = imaged();
    // The longest names of policies, which differ only at their beginning.
    for policy in [
        "gold",
        "a-very-long-name-of-a-policy-for-backups",
        "b-very-long-name-of-a-policy-for-backups",
    ] {
        let policy = policy.to_string().try_into().expect("a policy name");
        let slot = Slot { policy, instance: instance(), occasion: Occasion::Scheduled(at(0)) };
        for attempt in [0, 1, 19] {
            let step = Step { attempt, ..Step::default() };
            let replica = Replica { point: PointId::of(&slot), step, ..replicas[0].clone() };
            let token = copy_token(&replica);
            assert!(token.len() <= 64 && token.is_ascii(), "{token}");
            assert_eq!(token, copy_token(&replica));
            assert!(tokens.insert(token.clone()), "{token}");
        }
    }
}

#[test]
fn the_replica_that_is_wanted_first_is_copied_first() {
    let relaxed = waiting(IRELAND);
    let (point, _) = imaged();
    let mut urgent_point = point.clone();
    let policy = "urgent".to_string().try_into().expect("a policy name");
    urgent_point.slot = Slot { policy, ..point.slot.clone() };
    urgent_point.id = PointId::of(&urgent_point.slot);
    let hurry = |point: &mut Point, secs| {
        point.plan.replicate.iter_mut().for_each(|place| place.deadline_secs = secs);
    };
    hurry(&mut urgent_point, Some(3600));
    let mut urgent = Replica { point: urgent_point.id.clone(), ..relaxed.clone() };
    // Due later, but wanted earlier.
    urgent.step.due_at = Some(at(mins(19)));
    for (secs, first) in [(None, &urgent), (Some(7200), &urgent), (Some(1800), &relaxed)] {
        let mut point = point.clone();
        hurry(&mut point, secs);
        let points = [&point, &urgent_point].map(|point| (point.id.clone(), point.clone()));
        let replicas = vec![relaxed.clone(), urgent.clone()];
        let (points, named) = (BTreeMap::from(points), BTreeMap::new());
        let (obstacles, summaries) = (no_obstacles(IRELAND), BTreeMap::new());
        let input = Input { now: at(mins(20)), replicas, points, named, obstacles, summaries };
        let decision = decide(&input);
        let Some(Command::Call(intent)) = decision.commands.first() else { panic!("{decision:?}") };
        let Call::CopyImage(call) = &intent.call else { panic!("{decision:?}") };
        assert_eq!(call.name, format!("{}-0", first.point), "{secs:?}");
    }
}
