//! Images and replicas that are pending.

use std::collections::BTreeMap;

use crate::scene::conclude;
use afterimage_core::call::Outcome;
use afterimage_core::change::Change;
use afterimage_core::command::{Command, Decision, Wake};
use afterimage_core::flow::work_requested::confirm::{Input, decide};
use afterimage_core::flow::work_requested::copy;
use afterimage_core::flow::work_requested::missing::{Shown, machines_to_recall};
use afterimage_core::flow::work_requested::needs;
use afterimage_core::observed::{ImageState, ObservedImage};
use afterimage_core::point::{Place, Plan, Point, Replica, ReplicaStatus, Step};
use afterimage_core::reason::{Code, Reason};
use afterimage_core::status::Status;
use afterimage_core::summary::{Good, Latest, News};
use afterimage_core::work::{Kind, Queue};

use crate::render::render;
use crate::scene::gold;
use crate::scene::{
    FRANKFURT, IRELAND, ami, at, code, codes_said, confirm_input, hours, imaged, mins,
    no_obstacles, place, point_in, region, registered, replica_in, seen_image, written,
};

fn look(point: &Point, seen: &[ObservedImage], secs: i64) -> Decision {
    decide(&confirm_input(at(secs), vec![point.clone()], seen))
}

/// The replica there, pending since minute 20, as this image.
fn pending(name: &str, number: u32) -> Replica {
    let (point, replicas) = imaged();
    let replica = replicas.into_iter().find(|replica| replica.region == region(name));
    let points = BTreeMap::from([(point.id.clone(), point)]);
    let replicas = vec![replica.expect("a replica")];
    let (named, summaries) = (BTreeMap::new(), BTreeMap::new());
    let (in_force, obstacles) = (gold(), no_obstacles(IRELAND));
    let input = copy::Input {
        now: at(mins(20)),
        replicas,
        points,
        in_force,
        named,
        obstacles,
        keys: BTreeMap::new(),
        summaries,
        there: Some(Default::default()),
    };
    let copying = replica_in(&copy::decide(&input));
    replica_in(&conclude::copy(&copying, Outcome::Made(ami(number)), at(mins(20))))
}

fn look_at_replicas(
    point: &Point,
    replicas: &[Replica],
    seen: &[ObservedImage],
    secs: i64,
) -> Decision {
    let input = confirm_input(at(secs), Vec::new(), seen);
    let points_of_replicas = BTreeMap::from([(point.id.clone(), point.clone())]);
    decide(&Input { replicas: replicas.to_vec(), points_of_replicas, ..input })
}

fn good(decision: &Decision) -> Option<Good> {
    let summaries =
        decision.commands.iter().filter_map(Command::change).filter_map(|c| c.summary.as_ref());
    let mut news = summaries.flat_map(|summary| &summary.news);
    news.find_map(|news| match news {
        News::Good(good) => Some(good.clone()),
        News::Latest(_) | News::LatestInstead { .. } | News::Stop(_) | News::Instead { .. } => None,
    })
}

fn latest_told(change: &Change) -> Option<Latest> {
    let news = change.summary.iter().flat_map(|summary| &summary.news);
    news.filter_map(|news| match news {
        News::Latest(latest) => Some(latest.clone()),
        _ => None,
    })
    .next()
}

#[test]
fn an_available_image_wants_its_replicas_in_the_same_write() {
    let decision = look(&registered(), &[seen_image(1, ImageState::Available)], mins(20));
    let expected = "\
~ gold-0123456789abcdef0-at-20260301T020000Z: imaged, crash, ami-00000000000000001; \
gold-0123456789abcdef0-at-20260301T020000Z in eu-central-1: new -> waiting, \
due 2026-03-01T02:20:00Z; \
gold-0123456789abcdef0-at-20260301T020000Z in eu-west-1: new -> waiting, \
due 2026-03-01T02:20:00Z \
[latest, good]
> copy eu-central-1
> copy eu-west-1
";
    assert_eq!(render(&decision), expected);
    let (points, replicas) = written(&decision);
    let [point] = &points[..] else { panic!("{points:?}") };
    assert_eq!(place(point, IRELAND), Some(Place::Underway));
    assert_eq!(place(point, FRANKFURT), Some(Place::Underway));
    assert!(replicas.iter().all(|replica| replica.source == ami(1) && replica.version == 1));
    let good = good(&decision).expect("told");
    assert_eq!((&good.image, good.taken_at), (&Some(ami(1)), at(0)));
    assert_eq!((good.replicas, good.replicas_wanted), (vec![], 2));
}

#[test]
fn without_replicas_a_point_is_protected_at_once() {
    let point = Point { plan: Plan::default(), ..registered() };
    let decision = look(&point, &[seen_image(1, ImageState::Available)], mins(20));
    let after = point_in(&decision);
    assert_eq!((after.status, after.step.due_at), (Status::Protected, None));
    assert_eq!(decision.commands.len(), 1);
    assert!(good(&decision).is_some());
}

#[test]
fn an_image_that_is_lost_is_left_and_the_next_is_registered_after_a_wait() {
    let failed = ObservedImage {
        message: Some("Internal error".into()),
        ..seen_image(1, ImageState::Failed)
    };
    let cases = [
        (vec![failed], Code::ImageFailed),
        (vec![seen_image(1, ImageState::Deregistered)], Code::ArtefactGone),
        (vec![], Code::ArtefactGone),
    ];
    assert_eq!(needs(Kind::Confirm, &[registered()], &[], at(0)).images, [ami(1)]);
    for (seen, expected) in cases {
        let decision = look(&registered(), &seen, mins(16));
        let after = point_in(&decision);
        assert_eq!((after.status, code(&after)), (Status::Ready, Some(expected)));
        assert_eq!((after.image, after.leftovers), (None, vec![ami(1).into()]));
        assert_eq!((after.step.attempt, after.step.failures), (1, 1));
        assert_eq!(after.step.due_at, Some(at(mins(17))));
        assert_eq!(codes_said(&decision), [expected]);
        let step = Step { attempt: 7, failures: 7, ..registered().step };
        let after = point_in(&look(&Point { step, ..registered() }, &seen, mins(16)));
        let wait = if expected == Code::ImageFailed { hours(24) } else { hours(1) };
        assert_eq!((after.status, code(&after)), (Status::Ready, Some(expected)));
        assert_eq!(after.step.due_at, Some(at(mins(16) + wait)));
        assert_eq!(after.leftovers, [ami(1).into()]);
    }
}

#[test]
fn an_image_that_is_disabled_before_it_was_seen_available_is_of_no_use_until_it_is_enabled() {
    let disabled = [seen_image(1, ImageState::Disabled)];
    let told = |decision: &Decision| {
        let subject = |it: &Command| match it {
            Command::Report(it) => Some((true, it.artefact.to_string(), it.reason.code)),
            Command::Resolve(it) => Some((false, it.artefact.to_string(), it.code)),
            _ => None,
        };
        decision.commands.iter().filter_map(subject).collect::<Vec<_>>()
    };
    let of = |is_open, number| vec![(is_open, ami(number).to_string(), Code::ImageDisabled)];
    let decision = look(&registered(), &disabled, mins(16));
    assert_eq!(told(&decision), of(true, 1));
    let after = point_in(&decision);
    assert_eq!((after.status, code(&after)), (Status::Registered, Some(Code::ImageDisabled)));
    assert_eq!((&after.image, after.step.attempt), (&Some(ami(1)), 0), "no other is made");
    assert_eq!(look(&after, &disabled, mins(30)), Decision::default(), "told once");
    let decision = look(&after, &[seen_image(1, ImageState::Available)], mins(40));
    assert_eq!(told(&decision), of(false, 1));
    let enabled = point_in(&decision);
    assert_eq!((enabled.status, code(&enabled)), (Status::Imaged, None));
    let (point, replica) = (imaged().0, pending(IRELAND, 2));
    let disabled = [seen_image(2, ImageState::Disabled)];
    let decision = look_at_replicas(&point, &[replica], &disabled, mins(30));
    assert_eq!(told(&decision), of(true, 2));
    let latest = decision.commands.iter().filter_map(Command::change).find_map(latest_told);
    let latest = latest.expect("the machine is told of");
    assert_eq!(
        (latest.failures, latest.next_at),
        (0, None),
        "nothing failed, and nothing is tried"
    );
    let (points, after) = written(&decision);
    assert_eq!((after[0].status, &after[0].image), (ReplicaStatus::Unusable, &Some(ami(2))));
    assert_eq!(place(&points[0], IRELAND), Some(Place::Unusable));
    // The other replica arrives.
    let available = [seen_image(3, ImageState::Available)];
    let (points, _) =
        written(&look_at_replicas(&points[0], &[pending(FRANKFURT, 3)], &available, mins(31)));
    assert_eq!((points[0].status, code(&points[0])), (Status::Imaged, Some(Code::ImageDisabled)));
    let again =
        look_at_replicas(&points[0], &[after[0].due_now(at(mins(40)))], &disabled, mins(40));
    assert_eq!(told(&again), of(true, 2), "a report is told once");
    let enabled = [seen_image(2, ImageState::Available)];
    let decision =
        look_at_replicas(&points[0], &[after[0].due_now(at(mins(41)))], &enabled, mins(41));
    assert_eq!(told(&decision), of(false, 2));
    let (points, replicas) = written(&decision);
    assert_eq!((points[0].status, code(&points[0])), (Status::Protected, None));
    assert_eq!(replicas[0].status, ReplicaStatus::Available);
}

#[test]
fn what_is_pending_or_not_visible_yet_is_waited_for_without_a_write() {
    let pending = [seen_image(1, ImageState::Pending)];
    assert_eq!(look(&registered(), &[], mins(16) - 1), Decision::default());
    assert_eq!(look(&registered(), &pending, mins(10) + hours(48) - 1), Decision::default());
    let after = point_in(&look(&registered(), &pending, mins(10) + hours(48)));
    let codes: Vec<Code> = after.findings.iter().map(|finding| finding.code).collect();
    assert_eq!((after.status, codes.as_slice()), (Status::Registered, &[Code::TooLong][..]));
    assert_eq!(look(&after, &pending, mins(10) + hours(480)), Decision::default(), "told once");
}

#[test]
fn a_replica_takes_its_place_and_the_last_one_protects_the_point() {
    let (point, _) = imaged();
    let available = |number| [seen_image(number, ImageState::Available)];
    let first = look_at_replicas(&point, &[pending(IRELAND, 2)], &available(2), mins(30));
    let (points, replicas) = written(&first);
    assert_eq!(points[0].status, Status::Imaged);
    assert_eq!(place(&points[0], IRELAND), Some(Place::Available));
    assert_eq!((replicas[0].status, replicas[0].step.due_at), (ReplicaStatus::Available, None));
    assert_eq!(first.commands.len(), 1, "one transaction");
    assert_eq!(good(&first).expect("told").replicas, [region(IRELAND)]);
    let last = look_at_replicas(&points[0], &[pending(FRANKFURT, 3)], &available(3), mins(31));
    let (points, _) = written(&last);
    assert_eq!((points[0].status, points[0].version), (Status::Protected, point.version + 2));
    assert_eq!(good(&last).expect("told").replicas, [region(FRANKFURT), region(IRELAND)]);
}

/// Frankfurt has lost its image, and would be looked at hours later.
#[test]
fn a_lost_replica_is_looked_at_once_another_that_it_can_be_copied_from_is_there() {
    let (mut point, replicas) = imaged();
    let frankfurt = replicas.into_iter().find(|it| it.region == region(FRANKFURT)).expect("it");
    let step = Step { due_at: Some(at(hours(6))), ..frankfurt.step.clone() };
    let lost = Replica { status: ReplicaStatus::Lost, lost: Some(ami(9)), step, ..frankfurt };
    point.replicas.insert(region(FRANKFURT), Place::Lost);
    let mut input =
        confirm_input(at(mins(30)), Vec::new(), &[seen_image(2, ImageState::Available)]);
    input.replicas = vec![pending(IRELAND, 2)];
    input.points_of_replicas = [(point.id.clone(), point.clone())].into();
    let shown =
        Shown { images: &input.images, snapshots: &BTreeMap::new(), keys: &BTreeMap::new() };
    let of_replicas = (input.replicas.as_slice(), &input.points_of_replicas);
    let recalled = machines_to_recall(&[], of_replicas, &shown, input.now);
    assert!(recalled.contains(point.instance()), "its replicas are read");
    let all = vec![lost.clone(), input.replicas[0].clone()];
    input.history = [(point.instance().clone(), vec![(point, all)])].into();
    let decision = decide(&input);
    let (_, replicas) = written(&decision);
    let due = |name: &str| replicas.iter().find(|it| it.region == region(name)).map(|it| &it.step);
    assert_eq!(due(IRELAND).expect("it is there").due_at, None);
    assert_eq!(due(FRANKFURT).expect("it is looked at").due_at, Some(at(mins(30))));
    let wake = Queue { region: region(FRANKFURT), kind: Kind::Confirm };
    assert!(decision.commands.contains(&Command::Wake(Wake { queue: wake, hop: 0 })));
}

#[test]
fn replicas_of_one_point_that_are_available_together_are_one_change() {
    let (point, _) = imaged();
    let seen = [2, 3].map(|number| seen_image(number, ImageState::Available));
    let replicas = [pending(IRELAND, 2), pending(FRANKFURT, 3)];
    let decision = look_at_replicas(&point, &replicas, &seen, mins(30));
    assert_eq!(decision.commands.len(), 1);
    let (points, replicas) = written(&decision);
    assert_eq!((points.len(), points[0].status), (1, Status::Protected));
    assert_eq!(replicas.len(), 2);
}

#[test]
fn a_replica_that_fails_is_tried_again_and_touches_nothing_else() {
    let (point, _) = imaged();
    let seen = [seen_image(2, ImageState::Failed), seen_image(3, ImageState::Available)];
    let replicas = [pending(IRELAND, 2), pending(FRANKFURT, 3)];
    let decision = look_at_replicas(&point, &replicas, &seen, mins(30));
    let (points, replicas) = written(&decision);
    assert_eq!(points[0].status, Status::Imaged);
    assert_eq!(place(&points[0], IRELAND), Some(Place::Underway));
    assert_eq!(place(&points[0], FRANKFURT), Some(Place::Available));
    let failed = replicas.iter().find(|replica| replica.region == region(IRELAND));
    let failed = failed.expect("written");
    assert_eq!((failed.status, failed.image.as_ref()), (ReplicaStatus::Waiting, None));
    assert_eq!(failed.leftovers, [ami(2).into()]);
    assert_eq!((failed.step.attempt, failed.step.due_at), (1, Some(at(mins(31)))));
    assert_eq!(codes_said(&decision), [Code::ImageFailed]);
}

#[test]
fn a_replica_that_fails_again_and_again_is_tried_once_a_day() {
    let (point, _) = imaged();
    let seen = [seen_image(2, ImageState::Failed)];
    for (failures, wait) in [(0, mins(1)), (1, hours(1)), (2, hours(24)), (90, hours(24))] {
        let step = Step { attempt: failures, failures, ..pending(IRELAND, 2).step };
        let replica = Replica { step, ..pending(IRELAND, 2) };
        let (points, after) = written(&look_at_replicas(&point, &[replica], &seen, mins(30)));
        assert_eq!(points, [], "its point is not touched");
        assert_eq!(after[0].status, ReplicaStatus::Waiting);
        assert_eq!(after[0].step.due_at, Some(at(mins(30) + wait)));
        assert_eq!(after[0].leftovers, [ami(2).into()]);
    }
}

#[test]
fn a_replica_that_stays_pending_is_told_of_once_and_waited_for() {
    let (point, _) = imaged();
    let seen = [seen_image(2, ImageState::Pending)];
    let replicas = [pending(IRELAND, 2)];
    let before = look_at_replicas(&point, &replicas, &seen, mins(20) + hours(48) - 1);
    assert_eq!(before, Decision::default());
    let (_, after) = written(&look_at_replicas(&point, &replicas, &seen, mins(20) + hours(48)));
    let reason = after[0].reason.clone().map(|Reason { code, .. }| code);
    assert_eq!((after[0].status, reason), (ReplicaStatus::Pending, Some(Code::TooLong)));
    let later = look_at_replicas(&point, &after, &seen, hours(480));
    assert_eq!(later, Decision::default());
}

#[test]
fn a_replica_whose_point_is_not_known_is_left_alone() {
    let input = confirm_input(at(mins(30)), Vec::new(), &[seen_image(2, ImageState::Available)]);
    let decision = decide(&Input { replicas: vec![pending(IRELAND, 2)], ..input });
    assert_eq!(decision, Decision::default());
}

#[test]
fn the_wakes_come_last_and_once_for_each_queue() {
    let other = Point { requested_at: at(-1), ..registered() };
    let points = vec![registered(), other];
    let seen = [seen_image(1, ImageState::Available)];
    let decision = decide(&confirm_input(at(mins(20)), points, &seen));
    let is_wake: Vec<bool> =
        decision.commands.iter().map(|command| matches!(command, Command::Wake(_))).collect();
    assert_eq!(is_wake, [false, false, true, true]);
}
