//! Points that are to be at rest: begun when their machine is stopped, and waited for until then.

use crate::scene::conclude;
use afterimage_core::call::{Call, Outcome};
use afterimage_core::command::{Command, Decision};
use afterimage_core::flow::work_requested::snapshot::decide;
use afterimage_core::machine::{Grade, Instance, Machine, State};
use afterimage_core::point::{Plan, Point};
use afterimage_core::policy::Consistency;
use afterimage_core::reason::Code;
use afterimage_core::slot::{Occasion, PointId, Slot};
use afterimage_core::status::Status;
use afterimage_core::summary::News;

use crate::render::render;
use crate::scene::{
    at, code, codes_said, hours, instance, mins, point_in, requested, running, set, snapshot_input,
    snapshotted, stopped,
};

const WINDOW: i64 = hours(4);

/// As the tick asks for it.
fn at_rest() -> Point {
    let plan = Plan { consistency: Consistency::AtRest, ..requested().plan };
    Point { plan, until: Some(at(WINDOW)), ..requested() }
}

/// As a stop asks for it, of the run that the machines of the scene are in.
fn of_stop() -> Point {
    let occasion = Occasion::Stopped { launched: running().instance.launched };
    let slot = Slot { occasion, ..requested().slot };
    Point { id: PointId::of(&slot), slot, until: None, ..at_rest() }
}

fn in_state(state: State) -> Machine {
    let running = running();
    Machine { instance: Instance { state, ..running.instance }, ..running }
}

fn look(point: &Point, machine: &Machine, secs: i64) -> Decision {
    decide(&snapshot_input(at(secs), vec![point.clone()], Some(machine)))
}

fn is_begun(decision: &Decision) -> bool {
    matches!(&decision.commands[..], [Command::Call(intent)]
        if matches!(intent.call, Call::CreateSnapshots(_)))
}

#[test]
fn a_machine_that_runs_is_waited_for_until_its_window_closes() {
    for state in [State::Pending, State::Running, State::Stopping] {
        let decision = look(&at_rest(), &in_state(state), 5);
        let waits = point_in(&decision);
        assert_eq!((waits.status, code(&waits)), (Status::Requested, Some(Code::WaitsForStop)));
        assert_eq!(waits.step.due_at, Some(at(WINDOW)), "{state:?}");
        assert_eq!(waits.awaits(), [instance().into()]);
        assert_eq!(codes_said(&decision), [Code::WaitsForStop]);
        let [Command::Record(change)] = &decision.commands[..] else { panic!("{decision:?}") };
        let summary = change.summary.as_ref().expect("told");
        let [News::Latest(latest)] = &summary.news[..] else { panic!("{summary:?}") };
        assert_eq!((latest.status, &latest.reason), (Status::Requested, &waits.reason));
        // It is written once: until something happens it is not due.
        assert_eq!(look(&waits, &in_state(state), WINDOW - 1), Decision::default());
        let missed = point_in(&look(&waits, &in_state(state), WINDOW));
        assert_eq!((missed.status, code(&missed)), (Status::Missed, Some(Code::WindowClosed)));
        assert_eq!((missed.step.due_at, missed.awaits()), (None, Vec::new()));
    }
}

#[test]
fn what_an_operator_reads_of_a_point_that_waits() {
    let expected = "\
~ gold-0123456789abcdef0-at-20260301T020000Z: requested, due 2026-03-01T06:00:00Z: \
i-0123456789abcdef0 is running; it is imaged when it stops, until 2026-03-01T06:00:00Z \
(waits-for-stop) [latest]
- gold-0123456789abcdef0-at-20260301T020000Z: i-0123456789abcdef0 is running; it is imaged when it \
stops, until 2026-03-01T06:00:00Z (waits-for-stop)
";
    assert_eq!(render(&look(&at_rest(), &running(), 5)), expected);
    let expected = "\
~ gold-0123456789abcdef0-at-20260301T020000Z: missed: i-0123456789abcdef0 is running, and has not \
stopped until 2026-03-01T06:00:00Z (window-closed) [latest]
- gold-0123456789abcdef0-at-20260301T020000Z: i-0123456789abcdef0 is running, and has not stopped \
until 2026-03-01T06:00:00Z (window-closed)
";
    assert_eq!(render(&look(&at_rest(), &running(), WINDOW)), expected);
}

#[test]
fn a_machine_that_is_stopped_is_imaged_whenever_that_is_seen() {
    assert!(is_begun(&look(&at_rest(), &stopped(), 5)));
    let waits = point_in(&look(&at_rest(), &running(), 5));
    let mut woken = waits.clone();
    woken.step.due_at = Some(at(mins(90)));
    assert_eq!(woken.awaits(), [], "it waits no longer");
    let begun = look(&woken, &stopped(), mins(90));
    assert!(is_begun(&begun));
    assert_eq!(point_in(&begun).reason, None, "what it waited for is no reason any more");
    // Whoever looks first when the window has closed finds it stopped: nothing is lost by imaging.
    assert!(is_begun(&look(&waits, &stopped(), WINDOW + mins(3))));
}

#[test]
fn a_machine_that_was_started_again_before_the_look_is_waited_for_once_more() {
    let waits = point_in(&look(&at_rest(), &running(), 5));
    let mut woken = waits.clone();
    woken.step.due_at = Some(at(mins(90)));
    let again = point_in(&look(&woken, &running(), mins(90)));
    assert_eq!((again.step.due_at, again.awaits()), (waits.step.due_at, waits.awaits()));
}

#[test]
fn without_a_window_there_is_no_waiting() {
    let point = Point { until: None, ..at_rest() };
    let missed = point_in(&look(&point, &running(), 5));
    assert_eq!((missed.status, code(&missed)), (Status::Missed, Some(Code::WindowClosed)));
    let point = Point { until: Some(at(0)), ..at_rest() };
    let missed = point_in(&look(&point, &running(), 5));
    assert_eq!((missed.status, code(&missed)), (Status::Missed, Some(Code::WindowClosed)));
}

#[test]
fn who_asked_for_a_stop_that_is_over_has_missed_it() {
    assert!(is_begun(&look(&of_stop(), &stopped(), 5)));
    for state in [State::Pending, State::Running, State::Stopping] {
        let mut again = in_state(state);
        again.instance.launched = at(1);
        let missed = point_in(&look(&of_stop(), &again, 5));
        assert_eq!((missed.status, code(&missed)), (Status::Missed, Some(Code::StartedAgain)));
    }
}

#[test]
fn what_ec2_shows_of_before_the_stop_is_not_believed_for_some_minutes() {
    let waits = point_in(&look(&of_stop(), &running(), 5));
    assert_eq!((waits.status, code(&waits)), (Status::Requested, Some(Code::WaitsForStop)));
    assert_eq!(waits.step.due_at, Some(at(mins(6))));
    assert!(is_begun(&look(&waits, &stopped(), mins(6))));
    let missed = point_in(&look(&waits, &running(), mins(6)));
    assert_eq!((missed.status, code(&missed)), (Status::Missed, Some(Code::StartedAgain)));
}

#[test]
fn a_machine_that_shares_a_volume_is_imaged_and_the_point_tells_of_it() {
    let mut machine = in_state(State::Stopped);
    machine.volumes[1].shared = true;
    for consistency in [Consistency::AtRest, Consistency::StopStart, Consistency::Crash] {
        let plan = Plan { consistency, ..requested().plan };
        let point = Point { plan, ..requested() };
        let decision = look(&point, &machine, 5);
        assert!(is_begun(&decision), "{consistency:?}");
        let codes: Vec<Code> = point_in(&decision).findings.iter().map(|it| it.code).collect();
        let is_told = consistency != Consistency::Crash;
        assert_eq!(codes.contains(&Code::SharedVolume), is_told, "{consistency:?}: {codes:?}");
    }
}

#[test]
fn a_hibernated_machine_is_imaged_and_the_point_tells_what_it_is() {
    let mut machine = stopped();
    machine.instance.hibernated = true;
    for point in [at_rest(), of_stop()] {
        let decision = look(&point, &machine, 5);
        assert!(is_begun(&decision));
        let begun = point_in(&decision);
        let codes: Vec<Code> = begun.findings.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, [Code::Hibernated]);
        let made = point_in(&conclude::snapshots(&begun, Outcome::Made(set(11)), at(7)));
        assert_eq!((made.grade, made.findings), (Some(Grade::Crash), begun.findings));
    }
    // Nobody asked for more.
    assert_eq!(point_in(&look(&requested(), &machine, 5)).findings, []);
}

#[test]
fn a_machine_that_is_started_while_its_snapshots_are_made_is_told_of_where_rest_was_asked_for() {
    let after = |point: Point| point_in(&look(&point, &running(), 5)).findings;
    assert_eq!(after(snapshotted(&stopped())), []);
    let plan = at_rest().plan;
    let findings = after(Point { plan, ..snapshotted(&stopped()) });
    let codes: Vec<Code> = findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, [Code::NotStopped]);
}

#[test]
fn who_waits_for_nothing_does_not_await_the_machine() {
    for consistency in [Consistency::StopStart, Consistency::Reboot, Consistency::Crash] {
        let plan = Plan { consistency, ..at_rest().plan };
        let mut point = Point { plan, ..at_rest() };
        point.step.due_at = point.until;
        assert_eq!(point.awaits(), [], "{consistency:?}");
    }
}

#[test]
fn the_wait_for_a_stop_does_not_count_as_a_wait_for_ec2() {
    let mut point = Point { until: Some(at(hours(48))), ..at_rest() };
    point.step.due_at = Some(at(hours(30)));
    let look = |secs| {
        let mut input = snapshot_input(at(secs), vec![point.clone()], None);
        input.unsettled.insert(instance());
        decide(&input)
    };
    assert_eq!(look(hours(30)), Decision::default());
    let told = point_in(&look(hours(48 + 24)));
    assert_eq!((told.status, code(&told)), (Status::Requested, Some(Code::TooLong)));
}
