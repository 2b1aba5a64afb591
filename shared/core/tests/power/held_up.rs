//! Machines are not stopped for snapshots that would be refused.

use afterimage_core::call::{Answer, Call, Outcome};
use afterimage_core::command::{Command, Decision, Record};
use afterimage_core::flow::work_requested::power::{self, StopGate};
use afterimage_core::obstacle::{Cause, Obstacles};
use afterimage_core::reason::{Code, Reason};

use crate::scene::{World, at};

fn stops(decision: &Decision) -> usize {
    let is_stop = |command: &&Command| match command {
        Command::Call(intent) => matches!(intent.call, Call::StopInstance(_)),
        _ => false,
    };
    decision.commands.iter().filter(is_stop).count()
}

/// Number of stops that are decided so many seconds later.
fn stopped(obstacles: Option<Obstacles>, trial: Option<Outcome<()>>, secs: i64) -> usize {
    let mut world = World::asked(&["gold", "silver"]);
    world.pass(secs);
    let stop_gate = StopGate { obstacles, trial };
    stops(&power::decide(&power::Input { stop_gate, ..world.input() }))
}

fn answer() -> Answer {
    Answer { code: "No".to_string(), message: String::new() }
}

#[test]
fn while_snapshots_are_held_up_no_machine_is_stopped_but_to_see_if_they_still_are() {
    let none = World::asked(&["gold"]).obstacles;
    let reason = Reason::new(Code::CallFailed, "UnauthorizedOperation");
    let met = none.met(&Cause::Calls, reason, at(0), at(0)).expect("it is new");
    assert_eq!(stopped(Some(none), None, 30), 1);
    assert_eq!(stopped(None, None, 30), 0, "it is not known");
    assert_eq!(stopped(Some(met.clone()), Some(Outcome::Made(())), 59), 0);
    assert_eq!(stopped(Some(met.clone()), None, 60), 0, "no answer");
    assert_eq!(stopped(Some(met.clone()), Some(Outcome::Failed(answer())), 60), 0);
    assert_eq!(stopped(Some(met), Some(Outcome::Made(())), 60), 1);
}

#[test]
fn a_trial_that_does_not_pass_is_not_made_again_before_the_obstacle_is_due_again() {
    let mut world = World::asked(&["gold", "silver"]);
    let reason = Reason::new(Code::CallFailed, "UnauthorizedOperation");
    let met = world.obstacles.met(&Cause::Calls, reason, at(0), at(0)).expect("it is new");
    world.pass(60);
    let outcomes = [
        Outcome::Unknown(answer()),
        Outcome::Throttled(answer()),
        Outcome::Failed(answer()),
        Outcome::Refused(answer()),
        Outcome::Gone(answer()),
    ];
    for trial in outcomes {
        let stop_gate = StopGate { obstacles: Some(met.clone()), trial: Some(trial.clone()) };
        let input = power::Input { stop_gate, ..world.input() };
        let decision = power::decide(&input);
        let changes = decision.commands.iter().filter_map(|command| match command {
            Command::Record(change) => Some(change),
            _ => None,
        });
        let written =
            changes.flat_map(|change| &change.writes).find_map(|write| match &write.record {
                Record::Obstacles(obstacles) => Some((**obstacles).clone()),
                _ => None,
            });
        let after = written.unwrap_or_else(|| panic!("{trial:?} is not recorded"));
        assert!(after.causes[&Cause::Calls].probe_at > at(60), "{trial:?}: {after:?}");
        let stop_gate = StopGate { obstacles: Some(after), trial: None };
        assert_eq!(power::needs_trial(&power::Input { stop_gate, ..input }), None, "{trial:?}");
    }
}
