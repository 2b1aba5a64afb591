//! Machines that stopped, as their event tells, and as the sweep sees them.

use afterimage_core::command::{Command, Decision};
use afterimage_core::flow::work_requested::hinted;
use afterimage_core::flow::{
    InForce, InstanceStateChanged, Unreadable, instance_state_changed, reconcile_tick,
};
use afterimage_core::hint::{Hint, Hinted};
use afterimage_core::machine::{Grade, Instance, State};
use afterimage_core::status::Status;
use afterimage_core::summary::Good;

use crate::ledger::Ledger;
use crate::sweep::quiet;
use crate::{at, check, in_force, machine, tags};

const GOLD: &str = "
policies:
  gold:
    select:
      regions: [us-east-1]
      tags: {backup: gold}
      exclude_tags: {backup-pause: \"*\"}
    triggers:
      - on: stopped
        min_interval: 12h
";

const TWO: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{on: stopped, min_interval: 12h}]
  golden:
    select: {regions: [us-east-1], tags: {backup: gold*}}
    triggers: [{on: stopped, min_interval: 1h}, {schedule: rate(1 day), timezone: UTC}]
";

/// What the event of a stop leads to, once its hint is followed.
fn event(in_force: &InForce, ledger: &Ledger, instance: &Instance, now: &str) -> Decision {
    follow(in_force, ledger, Some(instance), now)
}

/// What the worker makes of the hint of the first machine, or of the machine that is shown, beside
/// removing the hint.
fn follow(in_force: &InForce, ledger: &Ledger, shown: Option<&Instance>, now: &str) -> Decision {
    let first = stopped(1);
    let Instance { region, id, .. } = shown.unwrap_or(&first);
    let (region, instance) = (region.clone(), id.clone());
    let hint = Hint { region, instance, hinted: Hinted::Stopped, at: at(now) };
    let machines = shown.map(|instance| (instance.id.clone(), instance.clone()));
    let mut decision = hinted::decide(&hinted::Input {
        now: at(now),
        hints: vec![hint.clone()],
        in_force: in_force.clone(),
        machines: machines.into_iter().collect(),
        summaries: ledger.summaries.clone(),
        waiting: Vec::new(),
        counters: Default::default(),
    });
    // The hint is removed last, when all that follows from it is written.
    assert_eq!(decision.commands.pop(), Some(Command::Forget(hint)));
    decision
}

/// What the sweep makes of the same machines.
fn sweep(in_force: &InForce, ledger: &Ledger, stopped: &[Instance], now: &str) -> Decision {
    reconcile_tick::decide(&reconcile_tick::Input {
        now: at(now),
        in_force: in_force.clone(),
        stopped: stopped.to_vec(),
        summaries: ledger.summaries.clone(),
        ..quiet()
    })
}

fn stopped(number: u8) -> Instance {
    machine(number, "us-east-1", State::Stopped)
}

/// What the first stop leads to.
const FIRST: [&str; 3] = [
    "~ gold-0aaaaaaaaaaaaaaa1-run-20260105T080000Z: new -> requested, \
     due 2026-01-06T20:00:05Z [latest, stop]",
    "> snapshot us-east-1",
    "- gold-0aaaaaaaaaaaaaaa1-run-20260105T080000Z: i-0aaaaaaaaaaaaaaa1 stopped; it was launched \
     at 2026-01-05T08:00:00Z (machine-stopped)",
];

#[test]
fn a_machine_that_stopped_asks_for_a_point() {
    let decision = event(&in_force(GOLD), &Ledger::default(), &stopped(1), "2026-01-06T20:00:05Z");
    check(&decision, &FIRST);
}

#[test]
fn a_hibernated_machine_has_stopped_as_well() {
    let instance = Instance { hibernated: true, ..stopped(1) };
    let decision = event(&in_force(GOLD), &Ledger::default(), &instance, "2026-01-06T20:00:05Z");
    check(&decision, &FIRST);
}

#[test]
fn the_sweep_does_what_the_event_would_have_done() {
    let sweep = sweep(&in_force(GOLD), &Ledger::default(), &[stopped(1)], "2026-01-06T20:00:05Z");
    check(&sweep, &FIRST);
}

#[test]
fn a_stop_that_is_told_five_times_has_one_point() {
    let (in_force, mut ledger) = (in_force(GOLD), Ledger::default());
    let now = |minute: usize| format!("2026-01-06T20:{minute:02}:05Z");
    assert_eq!(ledger.keep(&event(&in_force, &ledger, &stopped(1), &now(0))), 1);
    for minute in 1..5 {
        check(
            &event(&in_force, &ledger, &stopped(1), &now(minute)),
            &["- i-0aaaaaaaaaaaaaaa1: this stop has its point already: \
               gold-0aaaaaaaaaaaaaaa1-run-20260105T080000Z (already-requested)"],
        );
        check(&sweep(&in_force, &ledger, &[stopped(1)], &now(minute)), &[]);
    }
}

#[test]
fn a_stop_that_is_told_five_times_at_once_has_one_point() {
    let in_force = in_force(GOLD);
    // Nobody has seen what the others have written.
    let told = |second: usize| {
        let now = format!("2026-01-06T20:00:{second:02}Z");
        event(&in_force, &Ledger::default(), &stopped(1), &now)
    };
    let mut ledger = Ledger::default();
    let new: usize = (0..5).map(|second| ledger.keep(&told(second))).sum();
    assert_eq!(new, 1);
}

#[test]
fn a_scheduled_point_does_not_make_the_sweep_forget_a_stop() {
    let (in_force, mut ledger) = (in_force(GOLD), Ledger::default());
    ledger.keep(&event(&in_force, &ledger, &stopped(1), "2026-01-06T20:00:05Z"));
    let summary = ledger.summaries.get_mut(&stopped(1).id).expect("it was told");
    let latest = summary.latest.values_mut().next().expect("it was told");
    latest.point =
        "gold-0aaaaaaaaaaaaaaa1-at-20260107T020000Z".to_string().try_into().expect("an id");
    latest.requested_at = at("2026-01-07T02:00:03Z");
    check(&sweep(&in_force, &ledger, &[stopped(1)], "2026-01-09T00:00:00Z"), &[]);
}

#[test]
fn the_next_stop_of_a_machine_is_another_stop() {
    let (in_force, mut ledger) = (in_force(GOLD), Ledger::default());
    ledger.keep(&event(&in_force, &ledger, &stopped(1), "2026-01-06T20:00:05Z"));
    let again = Instance { launched: at("2026-01-07T08:00:00Z"), ..stopped(1) };
    check(
        &event(&in_force, &ledger, &again, "2026-01-07T20:00:05Z"),
        &[
            "~ gold-0aaaaaaaaaaaaaaa1-run-20260107T080000Z: new -> requested, \
             due 2026-01-07T20:00:05Z [latest, stop]",
            "> snapshot us-east-1",
            "- gold-0aaaaaaaaaaaaaaa1-run-20260107T080000Z: i-0aaaaaaaaaaaaaaa1 stopped; it was \
             launched at 2026-01-07T08:00:00Z (machine-stopped)",
        ],
    );
    // A listing that is older than what the ledger knows asks for nothing.
    ledger.keep(&event(&in_force, &ledger, &again, "2026-01-07T20:00:05Z"));
    check(&sweep(&in_force, &ledger, &[stopped(1)], "2026-01-09T00:00:00Z"), &[]);
}

#[test]
fn a_stop_that_follows_too_soon_is_left_alone_until_the_interval_has_passed() {
    let (in_force, mut ledger) = (in_force(GOLD), Ledger::default());
    ledger.keep(&event(&in_force, &ledger, &stopped(1), "2026-01-06T20:00:05Z"));
    let again = Instance { launched: at("2026-01-06T21:00:00Z"), ..stopped(1) };
    check(
        &event(&in_force, &ledger, &again, "2026-01-07T08:00:04Z"),
        &["- i-0aaaaaaaaaaaaaaa1: gold-0aaaaaaaaaaaaaaa1-run-20260105T080000Z was requested at \
           2026-01-06T20:00:05Z; policy gold leaves at least 12h between points (too-soon)"],
    );
    check(&sweep(&in_force, &ledger, std::slice::from_ref(&again), "2026-01-07T08:00:04Z"), &[]);
    let later = sweep(&in_force, &ledger, std::slice::from_ref(&again), "2026-01-07T08:00:05Z");
    assert_eq!(ledger.keep(&later), 1, "it is still stopped when the interval has passed");
    // And a clock that is behind the one that asked last does not make it any sooner.
    let behind = Instance { launched: at("2026-01-07T09:00:00Z"), ..stopped(1) };
    let behind = event(&in_force, &ledger, &behind, "2026-01-07T08:00:01Z");
    assert_eq!(behind.commands, []);
}

#[test]
fn a_point_that_made_nothing_keeps_no_stop_waiting_but_the_last_good_one_does() {
    for ended in [Status::Missed, Status::Refused, Status::Failed] {
        a_point_that_ended_keeps_no_stop_waiting(ended);
    }
}

fn a_point_that_ended_keeps_no_stop_waiting(ended: Status) {
    let (in_force, mut ledger) = (in_force(GOLD), Ledger::default());
    ledger.keep(&event(&in_force, &ledger, &stopped(1), "2026-01-06T20:00:05Z"));
    let summary = ledger.summaries.get_mut(&stopped(1).id).expect("it was told");
    let latest = summary.latest.values_mut().next().expect("it was told");
    latest.status = ended;
    let again = Instance { launched: at("2026-01-06T20:30:00Z"), ..stopped(1) };
    let asks = |ledger: &Ledger, now| event(&in_force, ledger, &again, now).commands.len();
    assert_eq!(asks(&ledger, "2026-01-06T21:00:00Z"), 2, "a point and a worker after {ended}");
    let policy = in_force.policies[0].name.clone();
    let good = Good {
        point: "gold-0aaaaaaaaaaaaaaa1-at-20260106T180000Z".to_string().try_into().expect("an id"),
        taken_at: at("2026-01-06T18:00:00Z"),
        grade: Grade::AtRest,
        image: None,
        replicas: Vec::new(),
        replicas_wanted: 0,
        home_lost: false,
        lost: Vec::new(),
        withdrawn: Vec::new(),
        unverified: false,
    };
    let summary = ledger.summaries.get_mut(&stopped(1).id).expect("it was told");
    summary.good.insert(policy, good);
    assert_eq!(asks(&ledger, "2026-01-07T05:59:59Z"), 0);
    assert_eq!(asks(&ledger, "2026-01-07T06:00:00Z"), 2);
}

#[test]
fn policies_on_one_machine_are_asked_each_by_itself_and_one_worker_is_woken_once() {
    let (in_force, mut ledger) = (in_force(TWO), Ledger::default());
    let first = event(&in_force, &ledger, &stopped(1), "2026-01-06T20:00:00Z");
    check(
        &first,
        &[
            "~ gold-0aaaaaaaaaaaaaaa1-run-20260105T080000Z: new -> requested, \
             due 2026-01-06T20:00:00Z [latest, stop]",
            "~ golden-0aaaaaaaaaaaaaaa1-run-20260105T080000Z: new -> requested, \
             due 2026-01-06T20:00:00Z [latest, stop]",
            "> snapshot us-east-1",
            "- gold-0aaaaaaaaaaaaaaa1-run-20260105T080000Z: i-0aaaaaaaaaaaaaaa1 stopped; it was \
             launched at 2026-01-05T08:00:00Z (machine-stopped)",
            "- golden-0aaaaaaaaaaaaaaa1-run-20260105T080000Z: i-0aaaaaaaaaaaaaaa1 stopped; it was \
             launched at 2026-01-05T08:00:00Z (machine-stopped)",
        ],
    );
    ledger.keep(&first);
    let again = Instance { launched: at("2026-01-06T20:30:00Z"), ..stopped(1) };
    check(
        &event(&in_force, &ledger, &again, "2026-01-06T22:00:00Z"),
        &[
            "~ golden-0aaaaaaaaaaaaaaa1-run-20260106T203000Z: new -> requested, \
             due 2026-01-06T22:00:00Z [latest, stop]",
            "> snapshot us-east-1",
            "- i-0aaaaaaaaaaaaaaa1: gold-0aaaaaaaaaaaaaaa1-run-20260105T080000Z was requested at \
             2026-01-06T20:00:00Z; policy gold leaves at least 12h between points (too-soon)",
            "- golden-0aaaaaaaaaaaaaaa1-run-20260106T203000Z: i-0aaaaaaaaaaaaaaa1 stopped; it was \
             launched at 2026-01-06T20:30:00Z (machine-stopped)",
        ],
    );
}

#[test]
fn a_machine_that_no_policy_covers_is_told_once_and_left_alone() {
    let paused = tags(&[("backup", "gold"), ("backup-pause", "")]);
    let not = ["- i-0aaaaaaaaaaaaaaa1: no policy selects this machine `on: stopped` (not-covered)"];
    let elsewhere = machine(1, "eu-west-1", State::Stopped);
    for instance in [
        Instance { tags: tags(&[]), ..stopped(1) },
        Instance { tags: paused, ..stopped(1) },
        elsewhere,
    ] {
        let decision =
            event(&in_force(GOLD), &Ledger::default(), &instance, "2026-01-06T20:00:05Z");
        check(&decision, &not);
        let decision =
            sweep(&in_force(GOLD), &Ledger::default(), &[instance], "2026-01-06T20:00:05Z");
        check(&decision, &[]);
    }
    let scheduled = GOLD.replace("on: stopped", "schedule: rate(1 hour)");
    let scheduled = in_force(&scheduled.replace("min_interval: 12h", "timezone: UTC"));
    check(&event(&scheduled, &Ledger::default(), &stopped(1), "2026-01-06T20:00:05Z"), &not);
}

#[test]
fn only_what_ec2_shows_as_stopped_counts() {
    let shown = |instance: Option<Instance>| {
        let nothing = Ledger::default();
        follow(&in_force(GOLD), &nothing, instance.as_ref(), "2026-01-06T20:00:05Z")
    };
    use State::{Pending, Running, Stopping};
    let gone = ["- i-0aaaaaaaaaaaaaaa1: EC2 shows no such instance (not-stopped)"];
    check(&shown(None), &gone);
    for state in [Pending, Running, Stopping] {
        let line = format!(
            "- i-0aaaaaaaaaaaaaaa1: EC2 shows this machine as {} (not-stopped)",
            state.as_str()
        );
        check(&shown(Some(Instance { state, ..stopped(1) })), &[&line]);
    }
}

#[test]
fn a_machine_that_is_terminated_right_after_its_stop_has_missed_its_point_once() {
    let terminated = Instance { state: State::Terminated, ..stopped(1) };
    let now = "2026-01-06T20:00:05Z";
    let mut ledger = Ledger::default();
    let decision = follow(&in_force(GOLD), &ledger, Some(&terminated), now);
    let id = "gold-0aaaaaaaaaaaaaaa1-run-20260105T080000Z";
    let why = "i-0aaaaaaaaaaaaaaa1 stopped, and was terminated before it was imaged (machine-gone)";
    let shown = "- i-0aaaaaaaaaaaaaaa1: EC2 shows this machine as terminated (not-stopped)";
    let missed = format!("~ {id}: new -> missed: {why} [latest, stop]");
    check(&decision, &[&missed, &format!("- {id}: {why}"), shown]);
    ledger.keep(&decision);
    let again = follow(&in_force(GOLD), &ledger, Some(&terminated), now);
    assert!(again.commands.is_empty(), "{again:?}");
    let silver = Instance { tags: tags(&[("backup", "silver")]), ..terminated };
    check(&follow(&in_force(GOLD), &Ledger::default(), Some(&silver), now), &[shown]);
}

/// What the function makes of an event about the first machine.
fn told(in_force: InForce, state: State) -> Decision {
    instance_state_changed::decide(&instance_state_changed::Input {
        now: at("2026-01-06T20:00:05Z"),
        event: InstanceStateChanged { region: stopped(1).region, instance: stopped(1).id, state },
        in_force,
        in_flight: Vec::new(),
    })
}

#[test]
fn an_event_leaves_a_hint_for_the_worker_of_the_region() {
    let hint = ["? us-east-1 i-0aaaaaaaaaaaaaaa1 stopped", "> snapshot us-east-1"];
    check(&told(in_force(GOLD), State::Stopped), &hint);
    use State::{Pending, Running, ShuttingDown, Stopping, Terminated};
    for state in [Pending, Running, Stopping, ShuttingDown, Terminated] {
        check(&told(in_force(GOLD), state), &[]);
    }
}

#[test]
fn an_event_that_no_policy_can_be_about_leaves_nothing() {
    let not = "- i-0aaaaaaaaaaaaaaa1: no policy selects machines of us-east-1 `on: stopped` \
               (not-covered)";
    let elsewhere = GOLD.replace("us-east-1", "eu-west-1");
    let scheduled = GOLD.replace("on: stopped", "schedule: rate(1 hour)");
    let scheduled = scheduled.replace("min_interval: 12h", "timezone: UTC");
    for policies in [elsewhere, scheduled] {
        check(&told(in_force(&policies), State::Stopped), &[not]);
    }
}

#[test]
fn machines_that_are_stopped_when_a_policy_is_applied_count_as_one_stop_each() {
    let (in_force, mut ledger) = (in_force(GOLD), Ledger::default());
    let other = Instance { tags: tags(&[("backup", "none")]), ..stopped(2) };
    let machines = [stopped(1), other, stopped(3)];
    let first = sweep(&in_force, &ledger, &machines, "2026-01-06T20:00:05Z");
    check(
        &first,
        &[
            "~ gold-0aaaaaaaaaaaaaaa1-run-20260105T080000Z: new -> requested, \
             due 2026-01-06T20:00:05Z [latest, stop]",
            "~ gold-0aaaaaaaaaaaaaaa3-run-20260105T080000Z: new -> requested, \
             due 2026-01-06T20:00:05Z [latest, stop]",
            "> snapshot us-east-1",
            "- gold-0aaaaaaaaaaaaaaa1-run-20260105T080000Z: i-0aaaaaaaaaaaaaaa1 stopped; it was \
             launched at 2026-01-05T08:00:00Z (machine-stopped)",
            "- gold-0aaaaaaaaaaaaaaa3-run-20260105T080000Z: i-0aaaaaaaaaaaaaaa3 stopped; it was \
             launched at 2026-01-05T08:00:00Z (machine-stopped)",
        ],
    );
    assert_eq!(ledger.keep(&first), 2);
    check(&sweep(&in_force, &ledger, &machines, "2026-01-06T20:05:05Z"), &[]);
}

#[test]
fn the_summary_of_a_machine_knows_the_name_that_people_gave_it() {
    let (in_force, mut ledger) = (in_force(GOLD), Ledger::default());
    let named = tags(&[("backup", "gold"), ("Name", "db-1")]);
    let instance = Instance { tags: named, ..stopped(1) };
    let decision = event(&in_force, &ledger, &instance, "2026-01-06T20:00:05Z");
    ledger.keep(&decision);
    assert_eq!(ledger.summaries[&instance.id].name.as_deref(), Some("db-1"));
}

#[test]
fn a_policy_that_cannot_be_read_is_told_when_a_machine_stops() {
    let mut in_force = in_force(GOLD);
    let why = "no triggers".to_string();
    in_force.unreadable.push(Unreadable { name: "silver".into(), why });
    let said = ["- silver: no triggers (policy-unreadable)"];
    let other = Instance { tags: tags(&[]), ..stopped(1) };
    check(&sweep(&in_force, &Ledger::default(), &[other], "2026-01-06T20:00:05Z"), &said);
    let decision = event(&in_force, &Ledger::default(), &stopped(1), "2026-01-06T20:00:05Z");
    check(&decision, &[FIRST[0], FIRST[1], said[0], FIRST[2]]);
}
