//! The finding of a lost image and `afterimage heal` agree, whatever has become of a point: the
//! command refuses exactly the places that are said never to be made again.

use std::collections::BTreeMap;

use afterimage_core::brake::Brake;
use afterimage_core::command::Command;
use afterimage_core::flow::heal::{self, Healed};
use afterimage_core::flow::work_requested::confirm;
use afterimage_core::flow::work_requested::disk_keys::{Keys, KeysByRegion};
use afterimage_core::flow::work_requested::images::Healing;
use afterimage_core::flow::work_requested::power::KeyAccess;
use afterimage_core::flow::{InForce, Unreadable};
use afterimage_core::ids::SnapshotId;
use afterimage_core::machine::{Instance, State};
use afterimage_core::observed::{ImageState, ObservedSnapshot, SnapshotState};
use afterimage_core::point::{Place, Point, Replica, ReplicaStatus};
use afterimage_core::reason::{Code, Reason};
use afterimage_core::slot::{Occasion, PointId};
use afterimage_core::status::Status;
use jiff::Timestamp;

use super::scene::{
    FRANKFURT, HOME, IRELAND, ami, at, confirm_input, gold, hours, imaged, instance, point_in,
    region, replicate, running, seen_image, seen_snapshot, written,
};

const KEY: &str = "arn:aws:kms:us-east-1:123456789012:key/1";
const KEY_OF_COPY: &str = "alias/dr";

#[derive(Clone, Copy, Debug, PartialEq)]
enum Home {
    Good,
    LostWithSnapshots,
    Lost,
    CalledOff,
    Unusable,
    Underway,
    KeyDeleted,
    LostThenKeyDeleted,
}

#[derive(Clone, Copy, Debug)]
enum Key {
    Usable,
    Disabled,
    Gone,
    NotRead,
}

#[derive(Clone, Copy, Debug)]
enum Policy {
    Heals,
    LeavesToPerson,
    Elsewhere,
    Gone,
    Unreadable,
}

/// What is so of a point. Its replica in Frankfurt is lost.
#[derive(Clone, Copy, Debug)]
struct Case {
    home: Home,
    ireland: ReplicaStatus,
    is_missing: bool,
    key_at_home: Key,
    key_of_copy: Key,
    policy: Policy,
    machine: State,
    is_worn_out: bool,
    is_older: bool,
    is_braked: bool,
}

/// The same, as records and facts.
struct Known {
    now: Timestamp,
    point: Point,
    replicas: Vec<Replica>,
    others: Vec<Point>,
    in_force: InForce,
    snapshots: BTreeMap<SnapshotId, ObservedSnapshot>,
    machine: Instance,
    keys: Keys,
    sources: KeysByRegion,
}

const STATUSES: [ReplicaStatus; 6] = [
    ReplicaStatus::Available,
    ReplicaStatus::Unusable,
    ReplicaStatus::Pending,
    ReplicaStatus::Waiting,
    ReplicaStatus::Lost,
    ReplicaStatus::Withdrawn,
];

const HOMES: [Home; 8] = [
    Home::Good,
    Home::LostWithSnapshots,
    Home::Lost,
    Home::CalledOff,
    Home::Unusable,
    Home::Underway,
    Home::KeyDeleted,
    Home::LostThenKeyDeleted,
];

/// Distance from one case that is tried to the next. It has no divisor in common with the number of
/// answers to any question, so that all answers meet. All cases (1) take a minute.
const STRIDE: usize = 11;

/// Cases of all kinds. A mixed radix number tells one from the other.
fn cases() -> impl Iterator<Item = Case> {
    let keys = [Key::Usable, Key::Disabled, Key::Gone, Key::NotRead];
    let policies = [
        Policy::Heals,
        Policy::LeavesToPerson,
        Policy::Elsewhere,
        Policy::Gone,
        Policy::Unreadable,
    ];
    (0..8 * 6 * 2 * 4 * 4 * 5 * 2 * 2 * 2 * 2).step_by(STRIDE).map(move |number| {
        let mut rest = number;
        let mut digit = |base: usize| {
            let digit = rest % base;
            rest /= base;
            digit
        };
        Case {
            home: HOMES[digit(8)],
            ireland: STATUSES[digit(6)],
            is_missing: digit(2) == 1,
            key_at_home: keys[digit(4)],
            key_of_copy: keys[digit(4)],
            policy: policies[digit(5)],
            machine: [State::Running, State::Stopping][digit(2)],
            is_worn_out: digit(2) == 1,
            is_older: digit(2) == 1,
            is_braked: digit(2) == 1,
        }
    })
}

fn access(key: Key) -> Option<KeyAccess> {
    match key {
        Key::Usable => Some(KeyAccess::State("Enabled".to_string())),
        Key::Disabled => Some(KeyAccess::State("Disabled".to_string())),
        Key::Gone => Some(KeyAccess::Refused("NotFoundException".to_string())),
        Key::NotRead => None,
    }
}

fn policies(case: Case, now: Timestamp) -> InForce {
    let mut in_force = gold();
    match case.policy {
        Policy::Heals => {}
        Policy::LeavesToPerson => in_force.policies[0].heal = false,
        Policy::Elsewhere => in_force.policies[0].replicate.clear(),
        Policy::Gone => drop(in_force.policies.remove(0)),
        Policy::Unreadable => {
            let name = in_force.policies.remove(0).name.to_string();
            in_force.unreadable.push(Unreadable { name, why: "no select".to_string() });
        }
    }
    if case.is_braked {
        let brake = |name| (region(name), Brake::new(region(name), now).holding(now));
        in_force.brakes = [HOME, IRELAND, FRANKFURT].map(brake).into();
    }
    in_force
}

/// Gives a replica the state that a case has for its region.
fn stand(replica: &mut Replica, case: Case, now: Timestamp) {
    let is_lost = replica.region == region(FRANKFURT);
    replica.status = if is_lost { ReplicaStatus::Lost } else { case.ireland };
    match replica.status {
        ReplicaStatus::Lost => replica.lost = Some(ami(if is_lost { 8 } else { 7 })),
        ReplicaStatus::Available | ReplicaStatus::Unusable | ReplicaStatus::Pending => {
            replica.image = Some(ami(7));
        }
        _ => {}
    }
    let is_missing = case.is_missing && replica.status == ReplicaStatus::Available;
    replica.missing_since = is_missing.then_some(now);
}

fn known(case: Case, base: &(Point, Vec<Replica>)) -> Known {
    let now = at(hours(9));
    let (mut point, mut replicas) = base.clone();
    let gone = || Some(Reason::new(Code::Lost, "gone"));
    let healed = if case.is_worn_out { vec![now, now] } else { Vec::new() };
    point.plan.replicate = vec![replicate(IRELAND, Some(KEY_OF_COPY)), replicate(FRANKFURT, None)];
    for volume in point.machine.iter_mut().flat_map(|machine| &mut machine.volumes) {
        (volume.encrypted, volume.kms_key) = (true, Some(KEY.to_string()));
    }
    point.taken_at = Some(at(0));
    (point.reason, point.healed) = (gone(), healed.clone());
    point.home_place = match case.home {
        Home::Good => Place::Available,
        Home::LostWithSnapshots | Home::Lost | Home::LostThenKeyDeleted => Place::Lost,
        Home::CalledOff => Place::Withdrawn,
        Home::Unusable | Home::KeyDeleted => Place::Unusable,
        Home::Underway => Place::Underway,
    };
    if matches!(case.home, Home::KeyDeleted | Home::LostThenKeyDeleted) {
        point.key_deleted = Some(Reason::new(Code::KeyDeleted, "its key was deleted"));
    }
    if matches!(point.home_place, Place::Lost | Place::Withdrawn) {
        point.lost = point.image.take();
    }
    for replica in &mut replicas {
        stand(replica, case, now);
        (replica.reason, replica.healed) = (gone(), healed.clone());
        if replica.status == ReplicaStatus::Withdrawn {
            replica.reason = Some(Reason::new(Code::Withdrawn, "not wanted"));
        }
        point.replicas.insert(replica.region.clone(), replica.status.into());
    }
    let left = point.replicas.values().chain([&point.home_place]);
    let is_left = left.into_iter().any(|place| !matches!(place, Place::Lost | Place::Withdrawn));
    point.status = if is_left { Status::Imaged } else { Status::Lost };
    let mut newer = base.0.clone();
    newer.slot.occasion = Occasion::Scheduled(at(hours(1)));
    newer.id = PointId::of(&newer.slot);
    (newer.requested_at, newer.taken_at) = (at(hours(1)), Some(at(hours(1))));
    let seen = [seen_snapshot(11, 1), seen_snapshot(12, 2)].map(|seen| ObservedSnapshot {
        state: SnapshotState::Completed,
        kms_key: Some(KEY.to_string()),
        ..seen
    });
    let are_there = !matches!(case.home, Home::Lost | Home::CalledOff);
    let seen = seen.into_iter().filter(|_| are_there);
    let keys: Keys =
        access(case.key_at_home).map(|access| (KEY.to_string(), access)).into_iter().collect();
    let copies = access(case.key_of_copy).map(|access| (KEY_OF_COPY.to_string(), access));
    Known {
        now,
        point,
        replicas,
        others: if case.is_older { vec![newer] } else { Vec::new() },
        in_force: policies(case, now),
        snapshots: seen.map(|seen| (seen.id.clone(), seen)).collect(),
        machine: Instance { state: case.machine, ..running().instance },
        sources: [(region(HOME), keys.clone()), (region(IRELAND), copies.into_iter().collect())]
            .into(),
        keys,
    }
}

fn healed(known: &Known) -> Healed {
    let shown = heal::Shown { snapshots: &known.snapshots, machine: Some(&known.machine) };
    let facts = heal::Facts {
        now: known.now,
        point: &known.point,
        replicas: known.replicas.iter().collect(),
        others: known.others.iter().collect(),
        in_force: &known.in_force,
        shown: Some(shown),
        keys: &known.keys,
        sources: &known.sources,
        obstacles: Vec::new(),
    };
    heal::decide(&facts).expect("its places can be judged")
}

/// The finding of the lost image in a region, after the look of the worker of that region; none if
/// the worker says nothing of it, because it waits for its brake.
fn found(known: &Known, name: &str) -> Option<String> {
    let now = known.now;
    let mut point = known.point.clone();
    let lost = known.replicas.iter().find(|replica| replica.region == region(name));
    let artefact = lost.map_or_else(|| point.lost.clone(), |replica| replica.lost.clone());
    let artefact = artefact.expect("it is lost").to_string();
    // A point of which nothing is left after all is looked at once more.
    for _ in 0..2 {
        let points = if lost.is_none() { vec![point.due_now(now)] } else { Vec::new() };
        let mut input = confirm_input(now, points, &[seen_image(1, ImageState::Available)]);
        if let Some(lost) = lost {
            input.replicas.push(lost.due_now(now));
            input.points_of_replicas.insert(point.id.clone(), point.clone());
        } else {
            input.images.clear();
            input.snapshots = known.snapshots.clone();
            input.instances.insert(instance(), known.machine.clone());
        }
        let mut history = vec![(point.clone(), known.replicas.clone())];
        history.extend(known.others.iter().map(|other| (other.clone(), Vec::new())));
        input.history.insert(instance(), history);
        input.healing = Healing {
            in_force: known.in_force.clone(),
            keys: known.keys.clone(),
            sources: known.sources.clone(),
            ..Healing::default()
        };
        let decision = confirm::decide(&input);
        let told = decision.commands.iter().rev().find_map(|command| match command {
            Command::Reword(finding) | Command::Report(finding)
                if finding.artefact.to_string() == artefact =>
            {
                Some(finding.reason.text.clone())
            }
            _ => None,
        });
        if told.is_some() {
            return told;
        }
        point = written(&decision).0.into_iter().find(|written| written.id == point.id)?;
    }
    None
}

#[test]
fn heal_refuses_exactly_what_its_finding_says_is_never_made_again() {
    let base = imaged();
    let mut told = [0_usize; 5];
    for case in cases() {
        let known = known(case, &base);
        let healed = healed(&known);
        let mut lost = vec![FRANKFURT];
        lost.extend((case.ireland == ReplicaStatus::Lost).then_some(IRELAND));
        lost.extend((known.point.home_place == Place::Lost).then_some(HOME));
        for name in lost {
            let is_accepted = healed.again.contains_key(&region(name));
            assert_ne!(is_accepted, healed.not.contains_key(&region(name)), "{name}: {case:?}");
            let Some(found) = found(&known, name) else {
                assert!(case.is_braked && is_accepted, "{name}: {case:?}: {healed:?}");
                told[0] += 1;
                continue;
            };
            let of_home = format!("if the image in {HOME} is made again");
            let about = || format!("{name}: {case:?}\n{found}\n{healed:?}");
            let says = ["made again: ", "made again now: ", "made again by itself: "];
            let says = says.map(|words| found.contains(words));
            let is_never = found.contains("not made again: ");
            // Another region does not know what becomes of the home; the command does.
            let is_of_home = name != HOME && found.contains(&of_home);
            match is_of_home && !is_accepted {
                true => assert!(!healed.again.contains_key(&region(HOME)), "{}", about()),
                false => assert_eq!(is_accepted, !is_never, "{}", about()),
            }
            // Of what a policy gave up, the finding says when.
            let is_given_up = found.contains("the place was given up");
            let reason = healed.not.get(&region(name)).filter(|_| !is_of_home && !is_given_up);
            let reason = reason.map_or("", |why| why.split("; run `").next().unwrap_or_default());
            assert!(found.contains(reason), "{}", about());
            let is_told_to = found.contains("afterimage heal");
            assert!(is_accepted || !is_told_to, "{}", about());
            assert_eq!(says.iter().filter(|says| **says).count(), 1, "{}", about());
            let kind = says.iter().position(|says| *says).expect("one of them");
            told[kind + 1 + usize::from(is_never) * 3] += 1;
        }
    }
    assert!(told.iter().all(|count| *count > 0), "each answer is given somewhere: {told:?}");
}

/// The home image is lost with its snapshots, and the one in Ireland is there.
const TO_BE_COPIED_BACK: Case = Case {
    home: Home::Lost,
    ireland: ReplicaStatus::Available,
    is_missing: false,
    key_at_home: Key::Usable,
    key_of_copy: Key::Usable,
    policy: Policy::Heals,
    machine: State::Running,
    is_worn_out: false,
    is_older: false,
    is_braked: false,
};

#[test]
fn a_key_that_could_not_be_read_is_said_to_be_unknown() {
    let base = imaged();
    let says = |case| healed(&known(case, &base)).again[&region(HOME)].clone();
    let known = "copied back from eu-west-1, within minutes";
    assert_eq!(says(TO_BE_COPIED_BACK), known);
    let unknown = format!("{known}, if its key can be used, which could not be read");
    assert_eq!(says(Case { key_at_home: Key::NotRead, ..TO_BE_COPIED_BACK }), unknown);
    assert_eq!(says(Case { key_of_copy: Key::NotRead, ..TO_BE_COPIED_BACK }), unknown);
}

#[test]
fn an_image_that_was_lost_before_its_key_was_deleted_is_not_copied_back() {
    let known = known(Case { key_at_home: Key::Gone, ..TO_BE_COPIED_BACK }, &imaged());
    let healed = healed(&known);
    assert!(healed.not[&region(HOME)].contains(&format!("key {KEY} does not exist")), "{healed:?}");
    assert!(found(&known, HOME).expect("it is told").contains(&healed.not[&region(HOME)]));
}

#[test]
fn an_image_that_was_made_again_and_differs_is_not_said_to_be_made_again() {
    let (point, _) = imaged();
    let remade = Point {
        status: Status::Registered,
        home_place: Place::Underway,
        lost: Some(ami(5)),
        image: Some(ami(1)),
        ..point
    };
    let mut seen = seen_image(1, ImageState::Available);
    seen.attributes.architecture = Some("arm64".into());
    let decision = confirm::decide(&confirm_input(at(hours(9)), vec![remade], &[seen]));
    let told = decision.commands.iter().find_map(|command| match command {
        Command::Reword(finding) if finding.artefact == (&ami(5)).into() => Some(&finding.reason),
        _ => None,
    });
    let point = point_in(&decision);
    let why = point.reason.clone().expect("it has one");
    assert_eq!((point.status, why.code), (Status::Failed, Code::ImageDiffers));
    let told = told.expect("the finding of the lost image follows");
    assert_eq!(told.code, Code::Lost);
    let not = format!("It is not made again: {}", why.text);
    assert!(told.text.contains(&not), "{told}");
    let facts = heal::Facts {
        now: at(hours(9)),
        point: &point,
        replicas: Vec::new(),
        others: Vec::new(),
        in_force: &gold(),
        shown: None,
        keys: &Keys::new(),
        sources: &KeysByRegion::new(),
        obstacles: Vec::new(),
    };
    let healed = heal::decide(&facts).expect("it can be judged");
    assert_eq!(healed.not, [(region(HOME), why.text)].into());
}
