//! Points that want snapshots.

use afterimage_core::call::Call;
use afterimage_core::command::{Command, Decision, Record};
use afterimage_core::flow::work_requested::snapshot::{self, Input, decide};
use afterimage_core::flow::work_requested::{self, needs};
use afterimage_core::machine::{Grade, Machine, State};
use afterimage_core::observed::{Complete, ObservedSnapshot};
use afterimage_core::obstacle::{Cause, Obstacles};
use afterimage_core::point::{Point, Step};
use afterimage_core::reason::{Code, Reason};
use afterimage_core::status::Status;
use afterimage_core::summary::News;
use afterimage_core::work::Kind;

use crate::render::render;
use crate::scene::{
    HOME, NAME, at, code, codes_said, hours, instance, mins, none_at_home, only_call, our_tags,
    point_in, region, reported, requested, requested_of, running, seen_snapshot, snap,
    snapshot_input, snapshotted, snapshotting, stopped, volume, written,
};

fn begin(point: Point, machine: &Machine) -> Decision {
    decide(&snapshot_input(at(5), vec![point], Some(machine)))
}

/// The first try had no outcome; what carries its tag, so many minutes after the intent.
fn look(point: &Point, tagged: Vec<ObservedSnapshot>, minutes: i64) -> Decision {
    let input = snapshot_input(at(mins(minutes)), vec![point.clone()], None);
    let tagged = [(point.id.clone(), Complete(tagged))].into();
    decide(&Input { tagged, ..input })
}

#[test]
fn a_due_point_is_begun_with_one_call_for_all_volumes() {
    let decision = begin(requested(), &running());
    let Call::CreateSnapshots(call) = only_call(&decision) else { panic!("{decision:?}") };
    assert_eq!(call.region, region(HOME));
    assert_eq!(call.instance, instance());
    assert!(call.description.contains(NAME) && call.description.len() <= 255);
    let devices = format!("/dev/xvda={} /dev/sdf={}", volume(1), volume(2));
    let expected = our_tags(&[("afterimage:devices-1", &devices)]);
    assert_eq!(call.tags, expected);
    let point = point_in(&decision);
    assert_eq!((point.status, point.version), (Status::Snapshotting, 2));
    assert_eq!(decision.commands[0].change().expect("an intent").writes[0].expected, 1);
    assert_eq!(point.step.begun_at, Some(at(5)));
    assert_eq!(point.step.due_at, Some(at(5 + mins(6))));
    assert_eq!(point.machine, Some(running()));
}

#[test]
fn an_intent_counts_from_when_it_is_written() {
    let decision = begin(requested(), &running());
    let change = decision.commands.first().and_then(Command::change).expect("an intent").clone();
    let Record::Point(point) = &change.begun(at(65)).writes[0].record else { panic!("no point") };
    let step = &point.step;
    assert_eq!((step.begun_at, step.due_at), (Some(at(65)), Some(at(65 + mins(6)))));
}

#[test]
fn what_is_not_due_is_left_alone() {
    let waiting = Step { due_at: Some(at(6)), ..Step::default() };
    for point in [Point { step: waiting, ..requested() }, snapshotting(&running())] {
        assert_eq!(begin(point.clone(), &running()), Decision::default());
        let points = [point];
        let wanted = needs(Kind::Snapshot, &points, &[], at(5));
        assert!(wanted.tagged.is_empty() && wanted.machines.is_empty());
    }
    assert_eq!(
        needs(Kind::Snapshot, &[requested(), requested()], &[], at(0)).machines,
        [instance()]
    );
    assert_eq!(
        needs(Kind::Snapshot, &[snapshotting(&running())], &[], at(mins(6))).tagged.len(),
        1
    );
}

#[test]
fn a_machine_of_which_no_image_boots_is_refused() {
    type Edit = fn(&mut Machine);
    let cases: [(Code, Edit); 5] = [
        (Code::Paravirtual, |machine| machine.build.virtualization = "paravirtual".into()),
        (Code::InstanceStore, |machine| {
            machine.build.root_device_type = "instance-store".into();
        }),
        (Code::NoVolumes, |machine| machine.volumes.clear()),
        (Code::NoVolumes, |machine| machine.build.root_device = "/dev/sda1".into()),
        // The root device is what cannot be helped; that it has no volumes follows from it.
        (Code::InstanceStore, |machine| {
            machine.build.root_device_type = "instance-store".into();
            machine.volumes.clear();
        }),
    ];
    for (expected, edit) in cases {
        let mut machine = running();
        edit(&mut machine);
        let decision = begin(requested(), &machine);
        let point = point_in(&decision);
        assert_eq!((point.status, code(&point)), (Status::Refused, Some(expected)));
        assert_eq!(point.step.due_at, None);
        assert_eq!(codes_said(&decision), [expected]);
        let [Command::Record(change)] = &decision.commands[..] else { panic!("{decision:?}") };
        let summary = change.summary.as_ref().expect("told");
        assert_eq!(summary.name.as_deref(), Some("web"));
        let [News::Latest(latest)] = &summary.news[..] else { panic!("{summary:?}") };
        assert_eq!((latest.status, &latest.reason), (Status::Refused, &point.reason));
    }
}

#[test]
fn a_machine_that_is_not_shown_as_a_whole_is_waited_for_and_told_of_after_a_day() {
    let look = |point: Point, now| {
        let mut input = snapshot_input(at(now), vec![point], None);
        input.unsettled.insert(instance());
        decide(&input)
    };
    assert_eq!(look(requested(), hours(24) - 1), Decision::default());
    let after = point_in(&look(requested(), hours(24)));
    assert_eq!((after.status, code(&after)), (Status::Requested, Some(Code::TooLong)));
    assert_eq!((after.step.failures, after.step.due_at), (1, Some(at(hours(25)))));
    assert_eq!(look(snapshotted(&stopped()), hours(24) - 1), Decision::default());
    let after = point_in(&look(snapshotted(&stopped()), hours(24)));
    assert_eq!((after.status, after.grade), (Status::Snapshotted, Some(Grade::Crash)));
}

#[test]
fn a_machine_that_is_gone_is_missed() {
    let in_state = |state| {
        let mut machine = running();
        machine.instance.state = state;
        Some(machine)
    };
    for machine in [None, in_state(State::ShuttingDown), in_state(State::Terminated)] {
        let decision = decide(&snapshot_input(at(5), vec![requested()], machine.as_ref()));
        let point = point_in(&decision);
        assert_eq!((point.status, code(&point)), (Status::Missed, Some(Code::MachineGone)));
        assert_eq!(point.step.due_at, None);
    }
}

#[test]
fn who_asked_first_comes_first() {
    let later = Point { requested_at: at(1), ..requested_of("a") };
    let points = vec![later.clone(), requested_of("c"), requested_of("b")];
    let mut input = snapshot_input(at(5), points, None);
    input.machines.clear();
    let (points, _) = written(&decide(&input));
    let order: Vec<&str> = points.iter().map(|point| point.slot.policy.as_str()).collect();
    assert_eq!(order, ["b", "c", "a"]);
}

#[test]
fn a_machine_that_was_snapshotted_a_moment_ago_is_left_alone_until_ec2_takes_the_next_set() {
    let waits = |taken: Option<i64>, points: Vec<Point>, now: i64| {
        let taken = taken.map(|secs| (instance(), at(secs))).into_iter().collect();
        let input = snapshot_input(at(now), points, Some(&running()));
        let input = Input { taken, ..input };
        let begun = written(&decide(&input)).0.len();
        (begun, work_requested::Input::Snapshot(input).again().next_due)
    };
    let silver = || requested_of("silver");
    assert_eq!(waits(None, vec![silver()], 20), (1, None));
    // This worker has made a set for another policy.
    assert_eq!(waits(Some(5), vec![silver()], 20), (0, Some(at(23))));
    assert_eq!(waits(Some(5), vec![silver()], 23), (1, None));
    // Another worker has, or may have: the point of that set is in the queue.
    let calling = || snapshotting(&running());
    assert_eq!(waits(None, vec![calling(), silver()], 5), (0, Some(at(18))));
    assert_eq!(waits(None, vec![calling(), silver()], 18), (1, None));
}

#[test]
fn what_was_learnt_comes_first_then_what_is_created_then_the_wakes() {
    let graded = Point { requested_at: at(1), ..snapshotted(&stopped()) };
    let points = vec![requested_of("silver"), graded];
    let decision = decide(&snapshot_input(at(20), points, Some(&stopped())));
    let expected = "\
~ gold-0123456789abcdef0-at-20260301T020000Z: snapshotted, at-rest, due 2026-03-01T02:05:20Z
+ us-east-1: snapshots of i-0123456789abcdef0; silver-0123456789abcdef0-at-20260301T020000Z: \
snapshotting, due 2026-03-01T02:06:20Z
> register us-east-1
";
    assert_eq!(render(&decision), expected);
}

#[test]
fn a_whole_set_of_a_try_without_an_outcome_is_adopted() {
    let point = snapshotting(&running());
    let decision = look(&point, vec![seen_snapshot(11, 1), seen_snapshot(12, 2)], 6);
    let after = point_in(&decision);
    assert_eq!(after.status, Status::Snapshotted);
    assert_eq!(after.snapshots, [(volume(1), snap(11)), (volume(2), snap(12))].into());
    // Their data is from the call on, not from when they were found.
    assert_eq!((after.taken_at, after.grade), (Some(at(0)), Some(Grade::Crash)));
    assert_eq!(after.step.due_at, Some(at(mins(6 + 5))));
    assert_eq!(codes_said(&decision), [Code::Adopted]);
}

#[test]
fn what_carries_the_tag_and_is_not_ours_is_reported_and_never_adopted() {
    type Edit = fn(&mut ObservedSnapshot);
    let cases: [Edit; 6] = [
        |planted| planted.volume = Some(volume(7)),
        |planted| planted.volume = None,
        // Clocks may differ by half a minute, not by more.
        |planted| planted.started_at = at(-31),
        |planted| {
            planted.tags.insert("afterimage:attempt".into(), "1".into());
        },
        |planted| {
            planted.tags.remove("afterimage:attempt");
        },
        |planted| {
            planted.tags.insert("afterimage:point".into(), "another".into());
        },
    ];
    let point = snapshotting(&running());
    for edit in cases {
        let mut planted = seen_snapshot(12, 2);
        edit(&mut planted);
        // Alone, it is as if nothing were there.
        let decision = look(&point, vec![planted.clone()], 6);
        let after = point_in(&decision);
        assert_eq!((after.status, after.step.attempt), (Status::Requested, 1), "{planted:?}");
        assert_eq!(reported(&decision), [snap(12).to_string()]);
        assert!(after.leftovers.is_empty(), "{planted:?}");
        // Beside a part of our set, it does not make it whole.
        let decision = look(&point, vec![planted.clone(), seen_snapshot(11, 1)], 6);
        assert_eq!(point_in(&decision).status, Status::Snapshotting, "{planted:?}");
        // Beside our set, it does not spoil it.
        let ours = [seen_snapshot(21, 1), seen_snapshot(22, 2)];
        let decision = look(&point, [vec![planted], ours.into()].concat(), 6);
        assert_eq!(point_in(&decision).snapshots.get(&volume(2)), Some(&snap(22)));
        assert_eq!(reported(&decision), [snap(12).to_string()]);
    }
}

#[test]
fn a_snapshot_that_starts_within_the_skew_of_clocks_is_ours() {
    let early = |number, of| ObservedSnapshot { started_at: at(-30), ..seen_snapshot(number, of) };
    let decision = look(&snapshotting(&running()), vec![early(11, 1), early(12, 2)], 6);
    assert_eq!(point_in(&decision).status, Status::Snapshotted);
}

#[test]
fn of_two_snapshots_of_a_volume_the_set_is_what_started_together() {
    let planted = ObservedSnapshot { started_at: at(9), ..seen_snapshot(5, 1) };
    let tagged = vec![planted, seen_snapshot(11, 1), seen_snapshot(12, 2)];
    let decision = look(&snapshotting(&running()), tagged, 6);
    assert_eq!(point_in(&decision).snapshots.get(&volume(1)), Some(&snap(11)));
    assert_eq!(reported(&decision), [snap(5).to_string()]);
    // Where nothing tells them apart, neither is taken.
    let tagged = vec![seen_snapshot(5, 1), seen_snapshot(11, 1), seen_snapshot(12, 2)];
    let decision = look(&snapshotting(&running()), tagged, 30);
    let after = point_in(&decision);
    assert_eq!((after.status, after.leftovers), (Status::Requested, vec![snap(12).into()]));
}

#[test]
fn what_an_earlier_try_left_is_neither_adopted_nor_foreign() {
    let step =
        Step { attempt: 1, begun_at: Some(at(0)), due_at: Some(at(0)), failures: 1, first: 0 };
    let point = Point { step, ..snapshotting(&running()) };
    let decision = look(&point, vec![seen_snapshot(11, 1), seen_snapshot(12, 2)], 6);
    assert_eq!(point_in(&decision).status, Status::Requested);
    assert!(reported(&decision).is_empty());
}

#[test]
fn a_set_that_shows_in_part_is_waited_for_and_then_remembered_as_left_over() {
    let point = snapshotting(&running());
    let part = || vec![seen_snapshot(11, 1)];
    let waiting = point_in(&look(&point, part(), 29));
    assert_eq!((waiting.status, waiting.step.attempt), (Status::Snapshotting, 0));
    assert_eq!(waiting.step.due_at, Some(at(mins(29 + 5))));
    let after = point_in(&look(&point, part(), 30));
    assert_eq!((after.status, after.leftovers), (Status::Requested, vec![snap(11).into()]));
}

#[test]
fn a_try_that_left_nothing_is_made_again_at_once_and_later_every_hour() {
    let mut point = snapshotting(&running());
    for failures in 1..8 {
        point = point_in(&look(&point, Vec::new(), 6));
        let Step { attempt, failures: failed, begun_at, due_at, .. } = point.step.clone();
        assert_eq!((point.status, attempt, failed), (Status::Requested, failures, failures));
        assert_eq!((begun_at, due_at), (None, Some(at(mins(6)))));
        point.status = Status::Snapshotting;
        point.step.begun_at = Some(at(0));
    }
    let decision = look(&point, Vec::new(), 6);
    point = point_in(&decision);
    assert_eq!((point.status, code(&point)), (Status::Requested, Some(Code::OutcomeUnknown)));
    assert_eq!(point.step.due_at, Some(at(6 * 60 + 3600)));
}

#[test]
fn the_grade_is_at_rest_only_in_one_and_the_same_stop() {
    type Edit = fn(&mut Machine);
    let cases: [(Grade, Edit); 5] = [
        (Grade::AtRest, |_| {}),
        (Grade::Crash, |machine| machine.instance.state = State::Running),
        (Grade::Crash, |machine| machine.instance.launched = at(1)),
        (Grade::Crash, |machine| machine.instance.hibernated = true),
        (Grade::Crash, |machine| machine.volumes[0].shared = true),
    ];
    let point = snapshotted(&stopped());
    assert_eq!((point.grade, point.step.due_at), (None, Some(at(2))));
    for (expected, edit) in cases {
        let mut machine = stopped();
        edit(&mut machine);
        let decision = decide(&snapshot_input(at(5), vec![point.clone()], Some(&machine)));
        let after = point_in(&decision);
        assert_eq!((after.status, after.grade), (Status::Snapshotted, Some(expected)));
        assert_eq!(after.taken_at, Some(at(0)));
        assert_eq!(after.step.due_at, Some(at(5 + mins(5))));
    }
    let decision = decide(&snapshot_input(at(5), vec![point], None));
    assert_eq!(point_in(&decision).grade, Some(Grade::Crash));
}

#[test]
fn a_hibernated_machine_was_never_at_rest() {
    let mut machine = stopped();
    machine.instance.hibernated = true;
    assert_eq!(snapshotted(&machine).grade, Some(Grade::Crash));
    assert_eq!(snapshotted(&running()).grade, Some(Grade::Crash));
}

#[test]
fn the_sets_of_one_machine_are_begun_one_after_the_other_and_few_are_pending() {
    let begin = |volume_type: &str, pending: usize| {
        let mut machine = running();
        machine.volumes[0].volume_type = volume_type.into();
        let mut input = snapshot_input(at(5), vec![requested_of("a")], Some(&machine));
        input.sets.insert(instance(), pending);
        let point = point_in(&decide(&input));
        (point.status, code(&point), point.step.due_at)
    };
    let begun = (Status::Snapshotting, None, Some(at(5 + mins(6))));
    let waits = (Status::Requested, Some(Code::Throttled), Some(at(5 + mins(1))));
    for (volume_type, pending, expected) in
        [("gp3", 0, &begun), ("gp3", 1, &begun), ("gp3", 2, &waits), ("st1", 1, &waits)]
    {
        assert_eq!(begin(volume_type, pending), *expected, "{volume_type} {pending}");
    }
    let points = vec![requested_of("a"), requested_of("b")];
    let (points, _) = written(&decide(&snapshot_input(at(5), points, Some(&running()))));
    let statuses: Vec<Status> = points.iter().map(|point| point.status).collect();
    assert_eq!(statuses, [Status::Snapshotting], "the other waits for its turn");
}

/// The points that are begun while these obstacles stand.
fn begun_while(obstacles: &Obstacles, secs: i64) -> Vec<String> {
    let often = Point { step: Step { failures: 3, ..requested().step }, ..requested_of("a") };
    let points = vec![often, requested_of("b"), requested_of("c")];
    let looked_at = snapshot::looked_at(&points, obstacles, at(secs));
    let is_described = needs(Kind::Snapshot, &looked_at, &[], at(secs)).machines.len();
    let obstacles = obstacles.clone();
    let input = snapshot_input(at(secs), points, Some(&running()));
    let decision = decide(&Input { obstacles, ..input });
    let calls = decision.commands.iter().filter(|it| matches!(it, Command::Call(_))).count();
    assert_eq!(is_described, usize::from(calls > 0), "described only for a call");
    let (points, _) = written(&decision);
    let points = points.iter().filter(|point| point.status == Status::Snapshotting);
    points.map(|point| point.slot.policy.as_str().to_string()).collect()
}

#[test]
fn while_an_obstacle_stands_at_home_one_point_is_tried_when_it_is_due() {
    let none = none_at_home(Kind::Snapshot);
    let reason = |code| Reason::new(code, "EC2 says why");
    let start = mins(30);
    for (cause, code) in [(Cause::Calls, Code::CallFailed), (Cause::Pending, Code::Throttled)] {
        let met = none.met(&cause, reason(code), at(start), at(start)).expect("it is new");
        assert_eq!(begun_while(&met, start + mins(1) - 1), [""; 0]);
        assert_eq!(begun_while(&met, start + mins(1)), ["b"], "one that has not failed");
        let gone = met.passed(&cause, at(start + 1)).expect("it is gone");
        assert_eq!(gone.causes.len(), 0);
    }
}
