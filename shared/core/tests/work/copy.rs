//! Replicas that want to be copied.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::scene::conclude;
use afterimage_core::call::{Around, Call, CopyImage, Outcome, Reply, conclude};
use afterimage_core::change::{Change, Record};
use afterimage_core::command::{Command, Decision};
use afterimage_core::flow::work_requested::before_copy::There;
use afterimage_core::flow::work_requested::copy::{Input, decide};
use afterimage_core::flow::work_requested::keys::to_read;
use afterimage_core::flow::work_requested::power::KeyAccess;
use afterimage_core::flow::work_requested::{Input as Work, needs};
use afterimage_core::names::copy_token;
use afterimage_core::observed::{Complete, ImageState, ObservedImage};
use afterimage_core::obstacle::{Cause, Obstacles};
use afterimage_core::point::{Place, Point, Replica, ReplicaStatus, Step};
use afterimage_core::reason::{Code, Reason};
use afterimage_core::slot::{Occasion, PointId, Slot};
use afterimage_core::work::Kind;

use crate::scene::gold;
use crate::scene::{
    FRANKFURT, HOME, IRELAND, NAME, ami, answer, at, codes_said, from_home, hours, imaged,
    instance, mins, no_obstacles, only_call, our_tags, place, region, replica_in, reported,
    seen_image, written,
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
    decide(&Input { named, ..input_of(replicas, points, at(secs)) })
}

fn input_of(replicas: Vec<Replica>, points: BTreeMap<PointId, Point>, now: Timestamp) -> Input {
    Input {
        now,
        replicas,
        points,
        in_force: gold(),
        named: BTreeMap::new(),
        obstacles: no_obstacles(IRELAND),
        keys: BTreeMap::new(),
        summaries: BTreeMap::new(),
        there: Some(There::default()),
    }
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
fn a_copy_that_waits_and_whose_source_is_gone_looks_for_another() {
    let (mut point, _) = imaged();
    let lost = Point { image: None, home_place: Place::Lost, ..point.clone() };
    let decision = look_with(lost, &waiting(IRELAND), &[], mins(20));
    assert_eq!(replica_in(&decision).status, ReplicaStatus::Lost, "there is nothing to copy from");
    point.image = None;
    point.home_place = Place::Underway;
    let source_region = Some(region(FRANKFURT));
    let back = Replica { region: region(HOME), source_region, ..waiting(IRELAND) };
    point.replicas.insert(region(FRANKFURT), Place::Available);
    assert_eq!(call(&look_with(point.clone(), &back, &[], mins(20))).region, region(HOME));
    point.replicas.insert(region(FRANKFURT), Place::Lost);
    let decision = look_with(point, &back, &[], mins(20));
    let (points, replicas) = written(&decision);
    assert_eq!(replicas[0].status, ReplicaStatus::Lost);
    assert_eq!(points[0].home_place, Place::Lost);
    assert_eq!(points[0].step.due_at, Some(at(mins(20))), "it is looked at again at once");
}

#[test]
fn a_lost_copy_whose_source_cannot_be_reached_looks_for_another_if_there_is_one() {
    let lost = Replica { lost: Some(ami(77)), healed: vec![at(0)], ..waiting(IRELAND) };
    let reason = Reason::new(Code::CallFailed, "the source region cannot be reached");
    let met = no_obstacles(IRELAND).met(&from_home(), reason, at(0), at(mins(20) - 1));
    let obstacles = met.expect("it is new");
    for (other, looks) in [(Place::Available, true), (Place::Underway, false)] {
        let (mut point, _) = imaged();
        point.replicas.insert(region(FRANKFURT), other);
        let points = BTreeMap::from([(point.id.clone(), point)]);
        let input = input_of(vec![lost.clone()], points, at(mins(20)));
        let decision = decide(&Input { obstacles: obstacles.clone(), ..input });
        assert_eq!(decision == Decision::default(), !looks, "{other:?}: {decision:#?}");
        if looks {
            let after = replica_in(&decision);
            assert_eq!(after.status, ReplicaStatus::Lost, "it is made from the other");
            assert_eq!(after.healed, [], "nothing was made again");
        }
    }
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
fn a_call_without_an_outcome_is_made_again_with_the_same_token_every_hour_in_the_end() {
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
    replica.step.failures = 400;
    let decision = look(&replica, &[], now + mins(60));
    assert_eq!(call(&decision).token, format!("{NAME}-0"));
    assert_eq!(replica_in(&decision).step.due_at, Some(at(now + mins(120))));
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
fn a_copy_that_is_not_encrypted_under_our_name_is_foreign_where_a_key_is_asked_for() {
    let copying = replica_in(&look(&waiting(FRANKFURT), &[], mins(20)));
    let outcome = Outcome::NameTaken(answer("InvalidAMIName.Duplicate"));
    let taken = replica_in(&conclude::copy(&copying, outcome, at(mins(20))));
    let shows = |encrypted: &[Option<bool>]| {
        let mut image = copy_of(2, (HOME, 1));
        image.devices.truncate(encrypted.len());
        for (device, encrypted) in image.devices.iter_mut().zip(encrypted) {
            device.encrypted = *encrypted;
        }
        image
    };
    let plain = look(&taken, &[shows(&[Some(true), Some(false)])], mins(21));
    assert_eq!(reported(&plain), [ami(2).to_string()]);
    let replica = replica_in(&plain);
    assert_eq!((replica.status, replica.step.attempt), (ReplicaStatus::Waiting, 1));
    let same = look(&taken, &[shows(&[Some(true), Some(true)])], mins(21));
    assert_eq!(replica_in(&same).image, Some(ami(2)));
    // One that is pending may not show its disks yet, and is looked at again.
    for unfinished in [shows(&[]), shows(&[Some(true), None])] {
        let decision = look(&taken, std::slice::from_ref(&unfinished), mins(21));
        assert_eq!(reported(&decision), Vec::<String>::new());
        let replica = replica_in(&decision);
        assert_eq!((replica.status, replica.image.as_ref()), (ReplicaStatus::Copying, None));
        assert_eq!(replica.step.due_at, Some(at(mins(26))));
        let late = replica_in(&look(&taken, &[unfinished], mins(20) + hours(48)));
        assert_eq!(late.status, ReplicaStatus::Waiting, "another name is tried in the end");
    }
    // Where no key is asked for, a copy that is not encrypted is ours.
    let (region, source_region) = (region(IRELAND), None);
    let taken = Replica { region, source_region, ..taken };
    let plain = look(&taken, &[shows(&[Some(false), Some(false)])], mins(21));
    assert_eq!(replica_in(&plain).image, Some(ami(2)));
}

#[test]
fn whoever_takes_all_names_does_not_keep_us_busy_for_ever() {
    let step = Step { attempt: 19, ..taken().step };
    let taken = Replica { step, ..taken() };
    let foreign = ObservedImage { name: format!("{NAME}-19"), ..copy_of(2, (HOME, 9)) };
    let replica = replica_in(&look(&taken, &[foreign], mins(21)));
    assert_eq!(replica.status, ReplicaStatus::Waiting);
    assert_eq!(replica.step.due_at, Some(at(mins(21) + hours(24))));
    let decision = look(&replica, &[], mins(21) + hours(24));
    assert_eq!(call(&decision).name, format!("{NAME}-20"));
}

#[test]
fn a_taken_name_that_nothing_visible_has_is_looked_up_again_and_then_the_next_is_asked_for() {
    let decision = look(&taken(), &[], mins(20) + 5);
    let replica = replica_in(&decision);
    assert_eq!((replica.status, replica.step.due_at), (ReplicaStatus::Copying, Some(at(mins(26)))));
    let gone = ObservedImage { state: ImageState::Deregistered, ..copy_of(2, (HOME, 9)) };
    let decision = look(&replica, &[gone], mins(26));
    let request = call(&decision);
    let next = format!("{NAME}-1");
    assert_eq!((&request.name, &request.token), (&next, &next), "EC2 remembers the first token");
    assert!(reported(&decision).is_empty());
}

#[test]
fn a_replica_that_was_refused_or_asked_to_wait_is_tried_again_however_long_it_takes() {
    let copying = replica_in(&look(&waiting(IRELAND), &[], mins(20)));
    let refused = Outcome::Refused(answer("InvalidRequest"));
    let throttled = Outcome::Throttled(answer("RequestLimitExceeded"));
    for (outcome, attempt) in [(refused, 1), (throttled, 0)] {
        let late = hours(24 * 50);
        let replica = replica_in(&conclude::copy(&copying, outcome, at(late)));
        assert_eq!(replica.status, ReplicaStatus::Waiting);
        let decision = look(&replica, &[], late + mins(1));
        assert_eq!(call(&decision).name, format!("{NAME}-{attempt}"));
    }
}

/// Of these replicas, those that are begun now.
fn begun(obstacles: &Obstacles, replicas: &[Replica], secs: i64) -> Vec<Replica> {
    let (point, _) = imaged();
    let points: BTreeMap<PointId, Point> = replicas
        .iter()
        .map(|replica| {
            let id = replica.point.clone();
            let mut slot = point.slot.clone();
            slot.policy = id
                .to_string()
                .split("-012")
                .next()
                .expect("a name")
                .to_string()
                .try_into()
                .expect("a policy name");
            (id.clone(), Point { id, slot, ..point.clone() })
        })
        .collect();
    let (named, summaries) = (BTreeMap::new(), BTreeMap::new());
    let (replicas, obstacles) = (replicas.to_vec(), obstacles.clone());
    let input = Input {
        now: at(secs),
        replicas,
        points,
        in_force: gold(),
        named,
        obstacles,
        keys: BTreeMap::new(),
        summaries,
        there: Some(There::default()),
    };
    let decision = decide(&input);
    assert!(decision.commands.iter().all(|command| matches!(command, Command::Call(_))));
    written(&decision).1
}

/// A replica of the point that another policy made of the same machine.
fn of_policy(name: &str, failures: u32) -> Replica {
    let (point, _) = imaged();
    let policy = name.to_string().try_into().expect("a policy name");
    let id = PointId::of(&Slot { policy, ..point.slot });
    let waiting = waiting(IRELAND);
    Replica { point: id, step: Step { failures, ..waiting.step.clone() }, ..waiting }
}

#[test]
fn while_an_obstacle_stands_one_is_tried_when_it_is_due_and_all_follow_when_it_is_gone() {
    let replicas = [of_policy("gold", 2), of_policy("iron", 0), of_policy("zinc", 1)];
    let names = |replicas: &[Replica]| -> Vec<String> {
        let name = |replica: &Replica| replica.point.to_string();
        replicas.iter().map(|replica| name(replica)[..4].to_string()).collect()
    };
    let reason = || Reason::new(Code::OutcomeUnknown, "no-answer");
    let of_calls = [from_home(), Cause::Calls].map(|cause| (cause, mins(1), mins(2)));
    let of_key = (Cause::Key("none".into()), hours(1), hours(1));
    for (cause, first, later) in of_calls.into_iter().chain([of_key]) {
        let none = no_obstacles(IRELAND);
        let start = mins(30);
        let once = none.met(&cause, reason(), at(start), at(start)).expect("it is new");
        assert_eq!(begun(&once, &replicas, start + first - 1), []);
        let tried = begun(&once, &replicas, start + first);
        assert_eq!(names(&tried), ["iron"], "{cause:?}: the one that was tried least");
        assert_eq!(once.met(&cause, reason(), at(start), at(start)), None, "counted once");
        let probed = at(start + first);
        let twice = once.met(&cause, reason(), probed, probed).expect("it is met again");
        assert_eq!(begun(&twice, &replicas, start + first + later - 1), []);
        assert_eq!(twice.passed(&cause, probed), None, "no later try has succeeded");
        let gone = twice.passed(&cause, at(start + first + 1)).expect("it is gone");
        assert_eq!(names(&begun(&gone, &replicas, mins(30))), ["gold", "iron", "zinc"]);
        let other = none.met(&Cause::Key("alias/other".into()), reason(), at(0), at(mins(30)));
        assert_eq!(begun(&other.expect("new"), &replicas, mins(30)).len(), 3, "another key");
    }
}

/// The decision on a copy under a key of a policy, of which KMS tells this.
fn under_a_key(obstacles: &Obstacles, access: Option<KeyAccess>, secs: i64) -> (Input, Decision) {
    let (point, _) = imaged();
    let (named, summaries) = (BTreeMap::new(), BTreeMap::new());
    let keys = access.map(|access| ("alias/dr".to_string(), access)).into_iter().collect();
    let points = BTreeMap::from([(point.id.clone(), point)]);
    let (replicas, obstacles) = (vec![waiting(FRANKFURT)], obstacles.clone());
    let in_force = gold();
    let (now, there) = (at(secs), Some(There::default()));
    let input = Input { now, replicas, points, in_force, named, obstacles, keys, summaries, there };
    let decision = decide(&input);
    (input, decision)
}

fn is_called(decision: &Decision) -> bool {
    decision.commands.iter().any(|command| matches!(command, Command::Call(_)))
}

fn obstacles_of(decision: &Decision) -> Option<Obstacles> {
    decision.commands.iter().find_map(|command| match command {
        Command::Record(change) => match &change.writes.first()?.record {
            Record::Obstacles(obstacles) => Some((**obstacles).clone()),
            _ => None,
        },
        _ => None,
    })
}

#[test]
fn nothing_is_copied_under_a_key_that_cannot_be_used_until_a_read_shows_that_it_can() {
    let state = |state: &str| Some(KeyAccess::State(state.to_string()));
    let refused = |code: &str| Some(KeyAccess::Refused(code.to_string()));
    let none = no_obstacles(FRANKFURT);
    for unusable in [state("Disabled"), state("PendingDeletion"), refused("NotFoundException")] {
        let (_, decision) = under_a_key(&none, unusable.clone(), mins(20));
        assert!(!is_called(&decision), "{decision:?}");
        assert_eq!(reported(&decision), ["copies under key alias/dr"]);
        let shown = obstacles_of(&decision).expect("it is recorded");
        let (input, early) = under_a_key(&shown, state("Enabled"), mins(79));
        assert!(to_read(&input.replicas, &input.points, &shown, at(mins(79))).is_empty());
        assert_eq!(early, Decision::default(), "it is looked at every hour");
        let (input, again) = under_a_key(&shown, unusable, mins(80));
        let read = to_read(&input.replicas, &input.points, &shown, at(mins(80)));
        assert_eq!(read, BTreeSet::from(["alias/dr".to_string()]));
        assert!(!is_called(&again) && reported(&again).is_empty(), "told once");
        let next = obstacles_of(&again).expect("the next look is recorded");
        assert_eq!(next.causes.values().next().expect("one").probe_at, at(mins(140)));
        let (input, unread) = under_a_key(&shown, None, mins(80));
        assert_eq!(unread, Decision::default(), "KMS did not answer");
        assert_eq!(Work::Copy(input).again().look_after, Some(SignedDuration::from_mins(5)));
        let (_, usable) = under_a_key(&shown, state("Enabled"), mins(80));
        assert!(is_called(&usable), "one is tried at once");
    }
    // What stands in a policy that our role does not see, only a copy can show.
    for unclear in [refused("AccessDeniedException"), Some(KeyAccess::ForeignAccount), None] {
        assert!(is_called(&under_a_key(&none, unclear, mins(20)).1));
    }
}

/// What an earlier release kept for copies from whatever region is over at the next try, which
/// shows the region whose copies fail.
#[test]
fn an_obstacle_of_an_earlier_release_is_over_once_a_copy_is_tried() {
    let reason = Reason::new(Code::CallFailed, "denied");
    let known = no_obstacles(IRELAND).met(&Cause::Calls, reason, at(0), at(0)).expect("it is new");
    let [from, calls] = [from_home(), Cause::Calls];
    let cases = [
        (Outcome::Failed(answer("Unavailable")), vec![&from]),
        (Outcome::Made(ami(5)), vec![]),
        (Outcome::Throttled(answer("RequestLimitExceeded")), vec![&calls]),
    ];
    for (outcome, left) in cases {
        let copying = replica_in(&look(&waiting(IRELAND), &[], mins(20)));
        let around = Around::Copy { obstacles: known.clone(), point: Box::new(imaged().0) };
        let reply = Reply::CopyImage(outcome.clone());
        let begun = Change::replica(copying);
        let decision: Decision = conclude(Some(&around), &begun, reply, at(mins(20))).into();
        let after = obstacles_of(&decision).unwrap_or_else(|| known.clone());
        assert_eq!(after.causes.keys().collect::<Vec<_>>(), left, "{outcome:?}");
        let resolved = decision.commands.iter().any(|command| match command {
            Command::Resolve(it) => it.artefact.to_string() == "all copies",
            _ => false,
        });
        assert_eq!(resolved, !left.contains(&&calls), "{outcome:?}");
    }
}

#[test]
fn tries_under_a_key_come_every_hour_three_times_and_then_every_day() {
    let cause = Cause::Key("alias/dr".into());
    let (mut obstacles, mut now) = (no_obstacles(IRELAND), at(0));
    let mut waits = Vec::new();
    for _ in 0..6 {
        let reason = Reason::new(Code::ImageFailed, "ami-1 failed");
        obstacles = obstacles.met(&cause, reason, now, now).expect("it is due");
        let next = obstacles.causes[&cause].probe_at;
        waits.push(next.duration_since(now).as_hours());
        now = next;
    }
    assert_eq!(waits, [1, 1, 1, 24, 24, 24]);
}

/// Decides about the copy of a point that waits, and about that of a point that is six hours newer.
fn with_a_newer_one(older: Replica) -> (PointId, Decision) {
    let (old, _) = imaged();
    let mut new = Point { requested_at: at(hours(6)), taken_at: Some(at(hours(6))), ..old.clone() };
    new.slot.occasion = Occasion::Scheduled(at(hours(6)));
    new.id = PointId::of(&new.slot);
    let newer = Replica { point: new.id.clone(), ..older.clone() };
    let points: BTreeMap<PointId, Point> =
        [&old, &new].map(|point| (point.id.clone(), point.clone())).into();
    let (named, summaries) = (BTreeMap::new(), BTreeMap::new());
    let (replicas, obstacles) = (vec![older, newer], no_obstacles(IRELAND));
    let now = at(hours(7));
    let decision = decide(&Input {
        now,
        replicas,
        points,
        in_force: gold(),
        named,
        obstacles,
        keys: BTreeMap::new(),
        summaries,
        there: Some(There::default()),
    });
    (new.id, decision)
}

fn statuses(replicas: &[Replica]) -> Vec<ReplicaStatus> {
    replicas.iter().map(|replica| replica.status).collect()
}

#[test]
fn of_the_copies_of_one_machine_and_policy_that_wait_only_the_newest_is_made() {
    let (newer, decision) = with_a_newer_one(waiting(IRELAND));
    let (points, replicas) = written(&decision);
    assert_eq!(place(&points[0], IRELAND), Some(Place::Withdrawn));
    assert_eq!(points[0].findings[0].code, Code::Superseded);
    assert_eq!(statuses(&replicas), [ReplicaStatus::Withdrawn, ReplicaStatus::Copying]);
    assert_eq!(replicas[1].point, newer);
}

#[test]
fn a_copy_that_had_lost_its_image_and_makes_way_is_lost_again_and_looked_at() {
    let lost = Some(ami(9));
    let (_, decision) = with_a_newer_one(Replica { lost, ..waiting(IRELAND) });
    let (points, replicas) = written(&decision);
    assert_eq!(place(&points[0], IRELAND), Some(Place::Lost));
    assert_eq!(points[0].findings, []);
    assert_eq!(statuses(&replicas), [ReplicaStatus::Lost, ReplicaStatus::Copying]);
    assert_eq!(replicas[0].step.due_at, Some(at(hours(7))));
}

#[test]
fn a_copy_that_a_person_asks_for_is_made_beside_the_newest() {
    let (_, decision) = with_a_newer_one(Replica { heal_asked: true, ..waiting(IRELAND) });
    let (_, replicas) = written(&decision);
    assert_eq!(statuses(&replicas), [ReplicaStatus::Copying, ReplicaStatus::Copying]);
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
        let (now, in_force) = (at(mins(20)), gold());
        let input = Input {
            now,
            replicas,
            points,
            in_force,
            named,
            obstacles,
            keys: BTreeMap::new(),
            summaries,
            there: Some(There::default()),
        };
        let decision = decide(&input);
        let Some(Command::Call(intent)) = decision.commands.first() else { panic!("{decision:?}") };
        let Call::CopyImage(call) = &intent.call else { panic!("{decision:?}") };
        assert_eq!(call.name, format!("{}-0", first.point), "{secs:?}");
    }
}
