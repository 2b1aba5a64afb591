//! Points that wait for their machine to stop: what becomes of them once it has, whether an event
//! said so or the sweep saw it.
//!
//! Whoever sees the stop makes them due at once and wakes the worker, who looks at the machine
//! himself. A machine that is gone will not stop any more: that too the worker finds, and it need
//! not wait for the window to close.

use jiff::Timestamp;

use super::InFlight;
use crate::command::{Change, Command, Decision};
use crate::ids::ResourceId;
use crate::machine::{Instance, State};
use crate::point::{Point, Step};
use crate::reason::{Code, Reason};

/// Points that wait for machines, and those machines as far as EC2 shows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    pub points: Vec<Point>,
    pub machines: Vec<Instance>,
}

/// Lists the records of a queue that wait for their machine.
pub fn of_queue(in_flight: &[InFlight]) -> Vec<InFlight> {
    let waits = |record: &&InFlight| {
        let machine = ResourceId::Machine(record.point.instance().clone());
        record.awaits.contains(&machine)
    };
    in_flight.iter().filter(waits).cloned().collect()
}

/// The points that waited for this machine are due now.
pub(super) fn due(instance: &Instance, waiting: &[Point], now: Timestamp) -> Decision {
    let mut decision = Decision::default();
    if instance.state != State::Stopped && !instance.state.is_gone() {
        return decision;
    }
    let of_instance = |point: &&Point| *point.instance() == instance.id && point.waits_for_stop();
    for point in waiting.iter().filter(of_instance) {
        decision.say(&point.id, reason(instance));
        let step = Step { due_at: Some(now), ..point.step.clone() };
        let point = Point { step, reason: None, ..point.clone() };
        decision.command(Command::Record(Box::new(Change::point(point))));
    }
    decision
}

fn reason(instance: &Instance) -> Reason {
    let Instance { id, state, .. } = instance;
    if state.is_gone() {
        let text = format!("{id} is {}; the point waited for it to stop", state.as_str());
        return Reason::new(Code::MachineGone, text);
    }
    Reason::new(Code::MachineStopped, format!("{id} is stopped; the point waited for that"))
}
