//! A machine stopped: its disks are at rest, policies that wait for that ask for a point, and
//! points that wait for it are begun.

use jiff::Timestamp;

use super::{InForce, InstanceStateChanged, request, say_unreadable, stop, waiting};
use crate::command::Decision;
use crate::machine::{Instance, State};
use crate::point::Point;
use crate::reason::{Code, Reason};
use crate::summary::MachineSummary;

#[derive(Clone, Debug)]
pub struct Input {
    pub now: Timestamp,
    pub event: InstanceStateChanged,
    pub in_force: InForce,
    /// The machine as EC2 shows it now. None if it is gone, or if the event is about no stop, so
    /// that nobody asked.
    pub instance: Option<Instance>,
    pub summary: Option<MachineSummary>,
    /// The points that wait for it to stop.
    pub waiting: Vec<Point>,
}

pub fn decide(input: &Input) -> Decision {
    let mut decision = Decision::default();
    if input.event.state != State::Stopped {
        return decision;
    }
    say_unreadable(&mut decision, &input.in_force.unreadable);
    let shown = match &input.instance {
        Some(instance) if instance.state == State::Stopped => {
            decision.add(stopped(input, instance));
            return decision;
        }
        Some(instance) => format!("EC2 shows this machine as {}", instance.state.as_str()),
        None => "EC2 shows no such instance".to_string(),
    };
    decision.say(&input.event.instance, Reason::new(Code::NotStopped, shown));
    decision
}

fn stopped(input: &Input, instance: &Instance) -> Decision {
    let mut decision = waiting::due(instance, &input.waiting, input.now);
    decision.add(waiting::again(instance, &input.waiting, &input.in_force, input.now));
    let waited = !decision.commands.is_empty();
    let mut requests = stop::requests(instance, &input.in_force, input.summary.as_ref(), input.now);
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
