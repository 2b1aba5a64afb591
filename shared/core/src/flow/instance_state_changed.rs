//! A machine stopped: its disks are at rest, and policies that wait for that ask for a point.

use jiff::Timestamp;

use super::{InForce, InstanceStateChanged, say_unreadable, stop};
use crate::command::Decision;
use crate::machine::{Instance, State};
use crate::reason::{Code, Reason};
use crate::summary::MachineSummary;

#[derive(Clone, Debug)]
pub struct Input {
    pub now: Timestamp,
    pub event: InstanceStateChanged,
    pub in_force: InForce,
    /// As EC2 shows it now; none if it is gone, or if the event is about no stop, so that nobody
    /// asked.
    pub instance: Option<Instance>,
    pub summary: Option<MachineSummary>,
}

pub fn decide(input: &Input) -> Decision {
    let mut decision = Decision::default();
    if input.event.state != State::Stopped {
        return decision;
    }
    say_unreadable(&mut decision, &input.in_force.unreadable);
    let shown = match &input.instance {
        Some(instance) if instance.state == State::Stopped => {
            let summary = input.summary.as_ref();
            decision.add(stop::requests(instance, &input.in_force, summary, input.now));
            return decision;
        }
        Some(instance) => format!("EC2 shows it {}", instance.state.as_str()),
        None => "EC2 shows no such instance".to_string(),
    };
    decision.say(&input.event.instance, Reason::new(Code::NotStopped, shown));
    decision
}
