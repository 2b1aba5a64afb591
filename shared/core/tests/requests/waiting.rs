//! Points that wait for their machine to stop, and the stop: as its event tells, and as the sweep
//! sees it.

use std::collections::BTreeMap;

use afterimage_core::command::{Command, Decision};
use afterimage_core::flow::waiting::{Waiting, of_queue};
use afterimage_core::flow::work_requested::hinted;
use afterimage_core::flow::{
    InFlight, InForce, InstanceStateChanged, instance_state_changed, reconcile_tick,
};
use afterimage_core::hint::{Hint, Hinted};
use afterimage_core::machine::{Instance, State};
use afterimage_core::point::{Plan, Point};
use afterimage_core::policy::Consistency;
use afterimage_core::slot::{Occasion, Slot};

use crate::sweep::quiet;
use crate::{at, check, in_force, machine, region, resource};
use afterimage_core::ids::ResourceId;

const ON_STOP: &str = "
policies:
  silver:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{on: stopped}]
";

const NOW: &str = "2026-01-06T20:30:00Z";

/// A point of this machine that waits until midnight.
fn waiting(number: u8) -> Point {
    let slot = Slot {
        policy: "gold".to_string().try_into().expect("a policy name"),
        instance: machine(number, "us-east-1", State::Running).id,
        occasion: Occasion::Scheduled(at("2026-01-06T20:00:00Z")),
    };
    let plan = Plan { consistency: Consistency::AtRest, ..Plan::default() };
    let point = Point::requested(slot, region("us-east-1"), plan, at("2026-01-06T20:00:20Z"));
    let mut point = Point { until: Some(at("2026-01-07T00:00:20Z")), ..point };
    point.step.due_at = point.until;
    point
}

fn event(in_force: &InForce, shown: Option<Instance>, waiting: Vec<Point>) -> Decision {
    let stopped = machine(1, "us-east-1", State::Stopped);
    let Instance { region, id: instance, .. } = stopped;
    let hint = Hint { region, instance, hinted: Hinted::Stopped, at: at(NOW) };
    let mut decision = hinted::decide(&hinted::Input {
        now: at(NOW),
        hints: vec![hint.clone()],
        in_force: in_force.clone(),
        machines: shown.into_iter().map(|instance| (instance.id.clone(), instance)).collect(),
        summaries: BTreeMap::new(),
        waiting,
        counters: BTreeMap::new(),
    });
    assert_eq!(decision.commands.pop(), Some(Command::Forget(hint)));
    decision
}

#[test]
fn the_event_of_a_stop_that_is_waited_for_leaves_a_hint() {
    let stopped = machine(1, "us-east-1", State::Stopped);
    let event = InstanceStateChanged {
        region: stopped.region,
        instance: stopped.id.clone(),
        state: State::Stopped,
    };
    let waits = InFlight {
        point: waiting(1).id,
        due_at: at(NOW),
        awaits: vec![ResourceId::Machine(stopped.id)],
    };
    let decision = instance_state_changed::decide(&instance_state_changed::Input {
        now: at(NOW),
        event,
        in_force: InForce::default(),
        in_flight: vec![waits],
    });
    check(&decision, &["? us-east-1 i-0aaaaaaaaaaaaaaa1 stopped", "> snapshot us-east-1"]);
}

fn sweep(points: Vec<Point>, machines: Vec<Instance>) -> Decision {
    let waiting = Waiting { points, machines };
    reconcile_tick::decide(&reconcile_tick::Input { now: at(NOW), waiting, ..quiet() })
}

/// What becomes of the point of the first machine when it has stopped.
const DUE: [&str; 3] = [
    "~ gold-0aaaaaaaaaaaaaaa1-at-20260106T200000Z: requested, due 2026-01-06T20:30:00Z",
    "> snapshot us-east-1",
    "- gold-0aaaaaaaaaaaaaaa1-at-20260106T200000Z: i-0aaaaaaaaaaaaaaa1 is stopped; the point \
     waited for that (machine-stopped)",
];

#[test]
fn the_event_of_a_stop_makes_what_waited_for_it_due() {
    let stopped = machine(1, "us-east-1", State::Stopped);
    check(&event(&InForce::default(), Some(stopped.clone()), vec![waiting(1)]), &DUE);
    // However its disks are: the grade will tell.
    let hibernated = Instance { hibernated: true, ..stopped };
    check(&event(&InForce::default(), Some(hibernated), vec![waiting(1)]), &DUE);
}

#[test]
fn a_stop_that_is_asked_for_and_waited_for_wakes_one_worker_once() {
    let stopped = machine(1, "us-east-1", State::Stopped);
    check(
        &event(&in_force(ON_STOP), Some(stopped), vec![waiting(1)]),
        &[
            DUE[0],
            "~ silver-0aaaaaaaaaaaaaaa1-run-20260105T080000Z: new -> requested, \
             due 2026-01-06T20:30:00Z [latest, stop]",
            DUE[1],
            DUE[2],
            "- silver-0aaaaaaaaaaaaaaa1-run-20260105T080000Z: i-0aaaaaaaaaaaaaaa1 stopped; it was \
             launched at 2026-01-05T08:00:00Z (machine-stopped)",
        ],
    );
}

#[test]
fn the_event_is_not_believed_before_ec2_shows_the_stop() {
    let running = machine(1, "us-east-1", State::Running);
    check(
        &event(&InForce::default(), Some(running), vec![waiting(1)]),
        &["- i-0aaaaaaaaaaaaaaa1: EC2 shows this machine as running (not-stopped)"],
    );
}

#[test]
fn the_sweep_sees_what_no_event_told_of() {
    check(&sweep(vec![waiting(1)], vec![machine(1, "us-east-1", State::Stopped)]), &DUE);
    for state in [State::Pending, State::Running, State::Stopping] {
        check(&sweep(vec![waiting(1)], vec![machine(1, "us-east-1", state)]), &[]);
    }
    // Nothing is known of it.
    check(&sweep(vec![waiting(1)], Vec::new()), &[]);
    check(&sweep(vec![waiting(1)], vec![machine(2, "us-east-1", State::Stopped)]), &[]);
}

#[test]
fn a_machine_that_is_gone_is_not_waited_for() {
    for state in [State::ShuttingDown, State::Terminated] {
        let said = format!(
            "- gold-0aaaaaaaaaaaaaaa1-at-20260106T200000Z: i-0aaaaaaaaaaaaaaa1 is {}; the point \
             waited for it to stop (machine-gone)",
            state.as_str()
        );
        let gone = sweep(vec![waiting(1)], vec![machine(1, "us-east-1", state)]);
        check(&gone, &[DUE[0], DUE[1], &said]);
    }
}

#[test]
fn what_is_due_already_or_begun_is_left_alone() {
    let stopped = machine(1, "us-east-1", State::Stopped);
    let mut due = waiting(1);
    due.step.due_at = Some(at("2026-01-06T20:29:00Z"));
    check(&sweep(vec![due], vec![stopped.clone()]), &[]);
    let begun = Point { status: afterimage_core::status::Status::Snapshotting, ..waiting(1) };
    check(&sweep(vec![begun], vec![stopped]), &[]);
}

#[test]
fn only_what_awaits_its_own_machine_waits_for_it() {
    let in_flight = |awaits: Vec<ResourceId>| InFlight {
        point: waiting(1).id,
        due_at: at("2026-01-07T00:00:20Z"),
        awaits,
    };
    let waits = in_flight(waiting(1).awaits());
    let others = [in_flight(Vec::new()), in_flight(vec![resource("snap-0123456789abcdef0")])];
    let queue = [others.to_vec(), vec![waits.clone()]].concat();
    assert_eq!(of_queue(&queue), [waits]);
}
