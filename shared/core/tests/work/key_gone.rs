//! Places whose key KMS does not know: of no use at the first look, and for ever after the second.

use std::collections::BTreeMap;

use afterimage_core::command::{Command, Decision};
use afterimage_core::flow::heal;
use afterimage_core::flow::work_requested::confirm::decide;
use afterimage_core::flow::work_requested::power::KeyAccess;
use afterimage_core::limits::LOST_AFTER;
use afterimage_core::observed::{ImageState, ObservedSnapshot, SnapshotState};
use afterimage_core::point::{Place, Point, Replica, ReplicaStatus};
use afterimage_core::reason::Code;
use jiff::Timestamp;

use super::scene::{
    IRELAND, ami, at, code, confirm_input, gold, hours, imaged, region, seen_image, seen_snapshot,
    written,
};

const KEY: &str = "arn:aws:kms:us-east-1:123456789012:key/1";

fn unknown() -> KeyAccess {
    KeyAccess::Refused("NotFoundException".to_string())
}

/// Looks at a point and a replica of it whose image is under a key.
fn look(
    point: &Point,
    replica: Option<&Replica>,
    access: KeyAccess,
    now: Timestamp,
) -> (Vec<Point>, Vec<Replica>) {
    written(&looked(point, replica, access, ImageState::Available, now))
}

fn looked(
    point: &Point,
    replica: Option<&Replica>,
    access: KeyAccess,
    state: ImageState,
    now: Timestamp,
) -> Decision {
    let points = if replica.is_none() { vec![point.due_now(now)] } else { Vec::new() };
    let mut input = confirm_input(now, points, &[seen_image(1, state)]);
    let seen = [seen_snapshot(11, 1), seen_snapshot(12, 2)];
    let seen = seen.map(|seen| ObservedSnapshot { kms_key: Some(KEY.to_string()), ..seen });
    input.snapshots = seen.into_iter().map(|seen| (seen.id.clone(), seen)).collect();
    input.healing.keys = [(KEY.to_string(), access)].into();
    input.healing.in_force = gold();
    if let Some(replica) = replica {
        input.replicas.push(replica.due_now(now));
        input.points_of_replicas.insert(point.id.clone(), point.clone());
    }
    decide(&input)
}

/// What is told of the image, and what is over, of being disabled.
fn told_of_disabled(decision: &Decision) -> [usize; 2] {
    let code_of = |command: &Command| match command {
        Command::Report(finding) => Some((0, finding.reason.code)),
        Command::Resolve(resolved) => Some((1, resolved.code)),
        _ => None,
    };
    let codes = decision.commands.iter().filter_map(code_of);
    let [told, over] = [0, 1].map(|way| (way, Code::ImageDisabled));
    let codes: Vec<_> = codes.collect();
    [told, over].map(|wanted| codes.iter().filter(|code| **code == wanted).count())
}

#[test]
fn a_place_of_no_use_is_told_for_what_stands_in_its_way_now() {
    let (enabled, off) = ["Enabled", "Disabled"].map(|it| KeyAccess::State(it.into())).into();
    let now = at(hours(9));
    let (point, _) = imaged();
    let replica = available(&point);
    for replica in [None, Some(&replica)] {
        let after = |decision: &Decision| match (replica, written(decision)) {
            (None, (mut points, _)) => (points.remove(0), None),
            (Some(_), (mut points, mut replicas)) => (points.remove(0), Some(replicas.remove(0))),
        };
        let first = looked(&point, replica, enabled.clone(), ImageState::Disabled, now);
        assert_eq!(told_of_disabled(&first), [1, 0]);
        let (point, replica) = after(&first);
        assert_eq!(code(&point), Some(Code::ImageDisabled));
        // It is enabled after its key was disabled.
        let second = looked(&point, replica.as_ref(), off.clone(), ImageState::Available, now);
        assert_eq!(told_of_disabled(&second), [0, 1], "{second:#?}");
        let (point, replica) = after(&second);
        assert_eq!(code(&point), Some(Code::KeyUnusable));
        // And the other way round.
        let third = looked(&point, replica.as_ref(), enabled.clone(), ImageState::Disabled, now);
        assert_eq!(told_of_disabled(&third), [1, 0]);
        let (point, replica) = after(&third);
        assert_eq!(code(&point), Some(Code::ImageDisabled));
        let reasons = replica.map(|it| it.reason);
        assert!(reasons.is_none_or(|reason| reason == point.reason));
    }
}

/// A replica in Ireland.
fn available(point: &Point) -> Replica {
    let (_, replicas) = imaged();
    let replica = replicas.into_iter().find(|one| one.region == region(IRELAND)).expect("it is");
    assert_eq!(replica.point, point.id);
    Replica { status: ReplicaStatus::Available, image: Some(ami(1)), ..replica }
}

fn second(first: Timestamp) -> Timestamp {
    first + LOST_AFTER
}

#[test]
fn an_image_at_home_is_of_no_use_for_ever_after_the_second_look() {
    let now = at(hours(9));
    let (point, _) = imaged();
    let (points, _) = look(&point, None, unknown(), now);
    let first = &points[0];
    assert_eq!((first.home_place, code(first)), (Place::Unusable, Some(Code::KeyUnusable)));
    assert_eq!(first.step.due_at, Some(second(now)), "it is looked at again");
    assert_eq!(first.key_deleted, None);

    let (points, _) = look(first, None, unknown(), second(now));
    let last = &points[0];
    assert_eq!((last.home_place, code(last)), (Place::Unusable, Some(Code::KeyDeleted)));
    assert_eq!(last.step.due_at, None);
    assert_eq!(last.key_deleted, last.reason);
    let text = &last.key_deleted.as_ref().expect("it is recorded").text;
    assert!(text.contains(KEY) && text.contains("can never be used again"), "{text}");
    let (points, _) = look(last, None, unknown(), second(second(now)));
    assert_eq!(points[0].reason, last.reason, "it is as it was");

    let why = not_healed(last, &[]);
    assert!(why.starts_with(text.as_str()), "{why}");
    assert!(why.ends_with("No image of the point is left that can be used"), "{why}");
    // Somebody deregisters the image, and its snapshots are left.
    let lost = Point { home_place: Place::Lost, ..last.clone() };
    let why = not_healed(&lost, &[available(&point)]);
    assert!(why.ends_with("Images that are left: eu-west-1"), "{why}");
}

/// The reason why `afterimage heal` does not make the image at home again.
fn not_healed(point: &Point, replicas: &[Replica]) -> String {
    let seen = [seen_snapshot(11, 1), seen_snapshot(12, 2)];
    let snapshots = seen.map(|seen| {
        (
            seen.id.clone(),
            ObservedSnapshot {
                state: SnapshotState::Completed,
                kms_key: Some(KEY.to_string()),
                ..seen
            },
        )
    });
    let snapshots = snapshots.into();
    let shown = heal::Shown { snapshots: &snapshots, machine: None };
    let keys = [(KEY.to_string(), unknown())].into();
    let healed = heal::decide(&heal::Facts {
        now: at(hours(9)),
        point,
        replicas: replicas.iter().collect(),
        others: Vec::new(),
        in_force: &gold(),
        shown: Some(shown),
        keys: &keys,
        sources: &BTreeMap::new(),
        obstacles: Vec::new(),
    })
    .expect("its places can be judged");
    assert_eq!(healed.change, None, "{healed:?}");
    healed.not[&region("us-east-1")].clone()
}

#[test]
fn a_key_that_is_known_again_at_the_second_look_was_not_deleted() {
    let now = at(hours(9));
    let (point, _) = imaged();
    let (points, _) = look(&point, None, unknown(), now);
    let enabled = KeyAccess::State("Enabled".to_string());
    let (points, _) = look(&points[0], None, enabled, second(now));
    assert_eq!((points[0].home_place, &points[0].key_deleted), (Place::Available, &None));
}

#[test]
fn a_replica_is_lost_at_the_second_look_and_its_image_is_left_over() {
    let now = at(hours(9));
    let (mut point, _) = imaged();
    let replica = available(&point);
    point.replicas.insert(region(IRELAND), Place::Available);
    let (points, replicas) = look(&point, Some(&replica), unknown(), now);
    assert_eq!(replicas[0].status, ReplicaStatus::Unusable);
    let (points, replicas) = look(&points[0], Some(&replicas[0]), unknown(), second(now));
    assert_eq!(points[0].replicas[&region(IRELAND)], Place::Lost);
    let lost = &replicas[0];
    assert_eq!((lost.status, &lost.image, &lost.lost), (ReplicaStatus::Lost, &None, &None));
    assert_eq!(lost.leftovers, [ami(1).into()]);
    assert_eq!(lost.step.due_at, Some(second(now)), "it is made again at once");
}
