//! Machines that events told of. The sweep does the same for those of which no event told.
//!
//! - A machine that may have stopped: policies that wait for that ask for a point, and points that
//!   wait for it are due.
//! - A machine that may carry a request: it is taken, or refused ([`on_demand`]).

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::command::{Command, Decision};
use crate::flow::on_demand::{self, RequestCounters};
use crate::flow::{InForce, request, say_unreadable, stop, waiting};
use crate::hint::{Hint, Hinted};
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
    /// The counters of the requests that these machines carry.
    pub counters: RequestCounters,
}

/// Decides about each machine, and removes its hint after that.
pub fn decide(input: &Input) -> Decision {
    let mut decision = Decision::default();
    say_unreadable(&mut decision, &input.in_force.unreadable);
    for hint in &input.hints {
        decision.add(match hint.hinted {
            Hinted::Stopped => may_have_stopped(input, &hint.instance),
            Hinted::Tagged => may_be_tagged(input, &hint.instance),
        });
        decision.command(Command::Forget(hint.clone()));
    }
    decision
}

fn may_be_tagged(input: &Input, id: &InstanceId) -> Decision {
    if let Some(instance) = input.machines.get(id) {
        return on_demand::by_tag(instance, &input.in_force, &input.counters, input.now);
    }
    let mut decision = Decision::default();
    decision.say(id, Reason::new(Code::MachineGone, "EC2 shows no such instance"));
    decision
}

fn may_have_stopped(input: &Input, id: &InstanceId) -> Decision {
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
