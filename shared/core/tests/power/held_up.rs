//! Machines are not stopped for snapshots that would be refused.

use afterimage_core::call::Call;
use afterimage_core::command::{Command, Decision};
use afterimage_core::flow::work_requested::power::{self, StopGate, Trial};
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
fn stopped(obstacles: Option<Obstacles>, trial: Option<Trial>, secs: i64) -> usize {
    let mut world = World::asked(&["gold", "silver"]);
    world.pass(secs);
    let stop_gate = StopGate { obstacles, trial };
    stops(&power::decide(&power::Input { stop_gate, ..world.input() }))
}

#[test]
fn while_snapshots_are_held_up_no_machine_is_stopped_but_to_see_if_they_still_are() {
    let none = World::asked(&["gold"]).obstacles;
    let reason = Reason::new(Code::CallFailed, "UnauthorizedOperation");
    let met = none.met(&Cause::Calls, reason, at(0), at(0)).expect("it is new");
    assert_eq!(stopped(Some(none), None, 30), 1);
    assert_eq!(stopped(None, None, 30), 0, "it is not known");
    assert_eq!(stopped(Some(met.clone()), Some(Trial::Passed), 59), 0);
    assert_eq!(stopped(Some(met.clone()), None, 60), 0, "no answer");
    assert_eq!(stopped(Some(met.clone()), Some(Trial::Refused("No".to_string())), 60), 0);
    assert_eq!(stopped(Some(met), Some(Trial::Passed), 60), 1);
}
