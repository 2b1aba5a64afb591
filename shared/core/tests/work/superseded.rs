//! Points of which nothing could be made: a newer one takes their place, and a key that cannot be
//! used is not tried again.

use afterimage_core::command::{Change, Command, Decision, Record};
use afterimage_core::flow::work_requested::keys;
use afterimage_core::flow::work_requested::power::KeyAccess;
use afterimage_core::flow::work_requested::snapshot::{Input, decide};
use afterimage_core::machine::{Machine, Volume};
use afterimage_core::obstacle::{Cause, Obstacles};
use afterimage_core::point::{Point, Step};
use afterimage_core::reason::{Code, Reason};
use afterimage_core::slot::{Occasion, Slot};
use afterimage_core::status::Status;

use crate::scene::{
    at, code, hours, mins, none_at_home, point_in, reported, requested, running, snapshot_input,
};

const KEY: &str = "arn:aws:kms:us-east-1:123456789012:key/disks";

/// A point of the same policy and machine, so many hours later.
fn next(hour: i64) -> Point {
    let slot = Slot { occasion: Occasion::Scheduled(at(hours(hour))), ..requested().slot };
    Point::requested(slot, requested().home, requested().plan, at(hours(hour)))
}

/// The first point, after so many tries whose snapshots failed.
fn failed(failures: u32) -> Point {
    let step = Step { failures, attempt: failures, ..Step::default() };
    let reason = Some(Reason::new(Code::SnapshotFailed, "snap-1 failed: no key"));
    Point { step, reason, ..requested() }
}

fn beside(point: Point, other: &Point) -> Decision {
    let input = snapshot_input(at(hours(2)), vec![point], Some(&running()));
    decide(&Input { others: [(other.id.clone(), other.clone())].into(), ..input })
}

#[test]
fn a_point_whose_try_failed_is_superseded_by_the_next_slot_wherever_that_stands() {
    for status in [Status::Requested, Status::Snapshotted, Status::Ready, Status::Protected] {
        let point = point_in(&beside(failed(1), &Point { status, ..next(1) }));
        assert_eq!((point.status, code(&point)), (Status::Withdrawn, Some(Code::Superseded)));
        let text = &point.reason.expect("a reason").text;
        assert!(text.contains(next(1).id.as_str()) && text.contains("no key"), "{text}");
        assert_eq!(point.step.due_at, None, "it is not taken up again");
    }
}

#[test]
fn a_point_is_not_superseded_by_one_that_ended_or_is_older_or_before_anything_failed() {
    let ended = Point { status: Status::Missed, ..next(1) };
    let older = Point { requested_at: at(-1), ..next(1) };
    for (point, other) in [(failed(1), ended), (failed(1), older), (failed(0), next(1))] {
        let point = Point { reason: None, ..point };
        assert_eq!(point_in(&beside(point, &other)).status, Status::Snapshotting, "{other:?}");
    }
}

fn under_the_key() -> Machine {
    let mut machine = running();
    let disk = machine.volumes.pop().expect("a disk");
    machine.volumes.push(Volume { encrypted: true, kms_key: Some(KEY.into()), ..disk });
    machine
}

/// The keys that are read for a point, and what is decided then.
fn looked(
    point: Point,
    obstacles: &Obstacles,
    access: Option<KeyAccess>,
    hour: i64,
) -> (Vec<String>, Decision) {
    let input = snapshot_input(at(hours(hour)), vec![point], Some(&under_the_key()));
    let read = keys::to_read_at_home(&input.points, &input.machines, obstacles, input.now);
    let keys = read.iter().filter_map(|key| Some((key.clone(), access.clone()?))).collect();
    let decision = decide(&Input { obstacles: obstacles.clone(), keys, ..input });
    (read.into_iter().collect(), decision)
}

fn calls(decision: &Decision) -> usize {
    decision.commands.iter().filter(|command| matches!(command, Command::Call(_))).count()
}

fn obstacles_in(decision: &Decision) -> Option<Obstacles> {
    let records = decision.commands.iter().filter_map(Command::change);
    let mut records = records.flat_map(|change: &Change| &change.writes).map(|it| &it.record);
    records.find_map(|record| match record {
        Record::Obstacles(obstacles) => Some((**obstacles).clone()),
        _ => None,
    })
}

#[test]
fn after_a_set_failed_nothing_is_snapshotted_under_a_key_until_a_read_shows_that_it_can_be_used() {
    let state = |state: &str| Some(KeyAccess::State(state.to_string()));
    let none = none_at_home(afterimage_core::work::Kind::Snapshot);
    let (read, first) = looked(requested(), &none, None, 0);
    assert_eq!((read.len(), calls(&first)), (0, 1), "no key is read before anything failed");

    let (read, held) = looked(failed(1), &none, state("Disabled"), 1);
    assert_eq!((read, calls(&held)), (vec![KEY.to_string()], 0));
    let shown = obstacles_in(&held).expect("an obstacle");
    assert_eq!(reported(&held), [format!("snapshots under key {KEY}")]);
    let point = point_in(&held);
    assert_eq!((point.status, code(&point)), (Status::Requested, Some(Code::CallsHeldUp)));
    assert_eq!(point.step.due_at, Some(at(hours(2))), "the key is looked at every hour");

    // Half an hour later a point of another policy is due: nothing is read and nothing tried.
    let other = Point { requested_at: at(hours(1)), ..requested() };
    let input = snapshot_input(at(hours(1) + mins(30)), vec![other], Some(&under_the_key()));
    let wanted = keys::to_read_at_home(&input.points, &input.machines, &shown, input.now);
    let waits = decide(&Input { obstacles: shown.clone(), ..input });
    assert_eq!((wanted.len(), calls(&waits)), (0, 0));
    assert_eq!(point_in(&waits).step.due_at, Some(at(hours(2))));

    let (read, still) = looked(point.clone(), &shown, state("Disabled"), 2);
    assert_eq!((read.len(), calls(&still), reported(&still).len()), (1, 0, 0));
    let shown = obstacles_in(&still).expect("the next look");
    assert_eq!(shown.causes[&Cause::Key(KEY.into())].probe_at, at(hours(3)));

    let (_, gone) = looked(point, &shown, state("Enabled"), 3);
    assert_eq!(calls(&gone), 1);
    assert!(obstacles_in(&gone).expect("it is over").causes.is_empty());
    assert!(gone.commands.iter().any(|command| matches!(command, Command::Resolve(_))));
}

#[test]
fn a_machine_under_another_key_is_snapshotted() {
    let none = none_at_home(afterimage_core::work::Kind::Snapshot);
    let (_, held) =
        looked(failed(1), &none, Some(KeyAccess::State("PendingDeletion".to_string())), 1);
    let obstacles = obstacles_in(&held).expect("an obstacle");
    let input = snapshot_input(at(hours(1) + 60), vec![next(1)], Some(&running()));
    assert_eq!(calls(&decide(&Input { obstacles, ..input })), 1);
}

#[test]
fn a_key_of_disks_that_does_not_exist_is_not_to_be_created() {
    let none = none_at_home(afterimage_core::work::Kind::Snapshot);
    let unknown = KeyAccess::Refused("NotFoundException".to_string());
    let (_, held) = looked(failed(1), &none, Some(unknown), 1);
    let reason = point_in(&held).reason.expect("it waits").text;
    assert!(reason.contains(&format!("key {KEY} does not exist; use another key: ")), "{reason}");
}

#[test]
fn a_finding_of_a_key_says_what_the_key_is_now() {
    let none = none_at_home(afterimage_core::work::Kind::Snapshot);
    let pending = || Some(KeyAccess::State("PendingDeletion".to_string()));
    let (_, held) = looked(failed(1), &none, pending(), 1);
    let reworded = |decision: &Decision| {
        let texts = decision.commands.iter().filter_map(|command| match command {
            Command::Reword(finding) => Some(finding.reason.text.clone()),
            _ => None,
        });
        texts.collect::<Vec<_>>()
    };
    let obstacles = obstacles_in(&held).expect("an obstacle");
    let (_, still) = looked(point_in(&held), &obstacles, pending(), 2);
    assert_eq!(reworded(&still), Vec::<String>::new());
    let obstacles = obstacles_in(&still).expect("an obstacle");
    let unknown = Some(KeyAccess::Refused("NotFoundException".to_string()));
    let (_, gone) = looked(point_in(&held), &obstacles, unknown, 3);
    let told = reworded(&gone);
    assert_eq!((told.len(), reported(&gone).len()), (1, 0), "{gone:#?}");
    assert!(told[0].contains("does not exist; use another key"), "{told:?}");
}
