//! A machine stopped: the worker of its region is told to look at it.
//!
//! The event is a hint, and EC2 is not asked about it here: many machines may stop together, and a
//! worker describes all of them at once ([`super::work_requested::hinted`]). Nothing is written for
//! a machine that no policy and no point can be about.

use jiff::Timestamp;

use super::{InFlight, InForce, InstanceStateChanged, awaited, request, say_unreadable};
use crate::command::{Command, Decision};
use crate::hint::{Hint, Hinted};
use crate::ids::ResourceId;
use crate::machine::State;
use crate::policy::Trigger;
use crate::reason::{Code, Reason};

#[derive(Clone, Debug)]
pub struct Input {
    pub now: Timestamp,
    pub event: InstanceStateChanged,
    /// The policies in force; none if the event is about no stop, so that nobody asked.
    pub in_force: InForce,
    /// The records of the region's snapshot queue, some of which wait for their machine.
    pub in_flight: Vec<InFlight>,
}

pub fn decide(input: &Input) -> Decision {
    let mut decision = Decision::default();
    let InstanceStateChanged { region, instance, state } = &input.event;
    if *state != State::Stopped {
        return decision;
    }
    say_unreadable(&mut decision, &input.in_force.unreadable);
    let is_awaited = awaited(&input.in_flight, &ResourceId::Machine(instance.clone()));
    if !is_awaited && input.in_force.roster.has(instance) {
        let text = "this machine is stopped for another point, and will be started again";
        decision.say(instance, Reason::new(Code::StoppedForPoint, text));
        return decision;
    }
    let mut policies = input.in_force.policies.iter();
    let is_covered = policies.any(|policy| {
        let mut triggers = policy.triggers.iter();
        policy.select.regions.contains(region)
            && triggers.any(|trigger| matches!(trigger, Trigger::Stopped(_)))
    });
    if !is_awaited && !is_covered {
        let text = format!("no policy selects machines of {region} `on: stopped`");
        decision.say(instance, Reason::new(Code::NotCovered, text));
        return decision;
    }
    decision.command(Command::Hint(Hint {
        region: region.clone(),
        instance: instance.clone(),
        hinted: Hinted::Stopped,
        at: input.now,
    }));
    decision.command(request::wake(region));
    decision
}
