//! Machines that may have stopped, as events told: policies that wait for that ask for a point, and
//! points that wait for it are due. The sweep does the same for stops of which no event told.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::command::{Command, Decision};
use crate::flow::{InForce, request, say_unreadable, stop, waiting};
use crate::hint::Hint;
use crate::ids::InstanceId;
use crate::machine::{Instance, State};
use crate::point::Point;
use crate::reason::{Code, Reason};
use crate::summary::MachineSummary;

#[derive(Clone, Debug)]
pub struct Input {
    pub now: Timestamp,
    pub hints: Vec<Hint>,
    pub in_force: InForce,
    /// The machines of the hints as EC2 shows them now. A machine that is missing is gone.
    pub machines: BTreeMap<InstanceId, Instance>,
    pub summaries: BTreeMap<InstanceId, MachineSummary>,
    /// The points of the region that wait for one of these machines to stop.
    pub waiting: Vec<Point>,
}

/// Decides about each machine, and removes its hint after that.
pub fn decide(input: &Input) -> Decision {
    let mut decision = Decision::default();
    say_unreadable(&mut decision, &input.in_force.unreadable);
    for hint in &input.hints {
        decision.add(follow(input, &hint.instance));
        decision.command(Command::Forget(hint.clone()));
    }
    decision
}

fn follow(input: &Input, id: &InstanceId) -> Decision {
    let shown = match input.machines.get(id) {
        Some(instance) if instance.state == State::Stopped => return stopped(input, instance),
        Some(instance) => format!("EC2 shows this machine as {}", instance.state.as_str()),
        None => "EC2 shows no such instance".to_string(),
    };
    let gone = input.machines.get(id).filter(|instance| instance.state.is_gone());
    let summary = input.summaries.get(id);
    let mut decision = gone.map_or_else(Decision::default, |instance| {
        stop::missed(instance, &input.in_force, summary, input.now)
    });
    decision.say(id, Reason::new(Code::NotStopped, shown));
    decision
}

fn stopped(input: &Input, instance: &Instance) -> Decision {
    let mut decision = waiting::due(instance, &input.waiting, input.now);
    decision.add(waiting::again(instance, &input.waiting, &input.in_force, input.now));
    let waited = !decision.commands.is_empty();
    let summary = input.summaries.get(&instance.id);
    let mut requests = stop::requests(instance, &input.in_force, summary, input.now);
    if waited {
        // A policy that has waited for the stop covers the machine, if not `on: stopped`.
        requests.explanations.retain(|said| said.reason.code != Code::NotCovered);
        if requests.commands.is_empty() {
            requests.command(request::wake(&instance.region));
        }
    }
    decision.add(requests);
    decision
}
