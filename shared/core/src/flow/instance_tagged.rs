//! Somebody put the tag on a machine that asks for a point of it now.
//!
//! The event says where to look and nothing else: what the tag says, the machine is asked. It may
//! have changed since; and an event that comes late or twice finds no tag.

use jiff::Timestamp;

use super::{InForce, InstanceTagged, on_demand, say_unreadable};
use crate::command::Decision;
use crate::machine::Instance;
use crate::reason::{Code, Reason};

#[derive(Clone, Debug)]
pub struct Input {
    pub now: Timestamp,
    pub event: InstanceTagged,
    pub in_force: InForce,
    /// The machine as EC2 shows it now; none if it is gone.
    pub instance: Option<Instance>,
    pub counters: on_demand::RequestCounters,
}

pub fn decide(input: &Input) -> Decision {
    let mut decision = Decision::default();
    say_unreadable(&mut decision, &input.in_force.unreadable);
    match &input.instance {
        Some(instance) => {
            decision.add(on_demand::by_tag(instance, &input.in_force, &input.counters, input.now));
        }
        None => {
            let text = "EC2 shows no such instance";
            decision.say(&input.event.instance, Reason::new(Code::MachineGone, text));
        }
    }
    decision
}
