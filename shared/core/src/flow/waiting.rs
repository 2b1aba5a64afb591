//! Points that wait for their machine to stop: what becomes of them once it has, whether an event
//! said so or the sweep saw it.
//!
//! Points that were withdrawn stand here too until their window closes: one that is wanted again by
//! then begins again.
//!
//! Whoever sees the stop makes them due at once and wakes the worker, who looks at the machine
//! himself. A machine that is gone will not stop any more: that too the worker finds, and it need
//! not wait for the window to close.

use jiff::Timestamp;

use super::wanted::{self, Verdict};
use super::{InFlight, InForce};
use crate::command::{Change, Command, Decision};
use crate::ids::ResourceId;
use crate::machine::{Instance, State};
use crate::point::{Point, Step};
use crate::reason::{Code, Reason};
use crate::slot::Occasion;
use crate::transition::{again, summary};

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

/// Takes up the points of this machine again that were withdrawn, and are wanted again within their
/// window.
pub(super) fn again(
    instance: &Instance,
    waiting: &[Point],
    in_force: &InForce,
    now: Timestamp,
) -> Decision {
    let mut decision = Decision::default();
    for point in waiting.iter().filter(|point| may_begin_again(point, instance, now)) {
        if wanted::point(point, Some(instance), in_force) != Verdict::Wanted {
            continue;
        }
        let text = format!("policy {} wants {} again", point.slot.policy, instance.id);
        let reason = Reason::new(Code::WantedAgain, text);
        // A point that is withdrawn always begins again.
        let Ok(point) = again::point(point, reason.clone(), now) else { continue };
        decision.say(&point.id, reason);
        let latest = summary::latest(&point);
        decision.command(Command::Record(Box::new(Change::point(point).telling(Some(latest)))));
    }
    decision
}

fn may_begin_again(point: &Point, instance: &Instance, now: Timestamp) -> bool {
    // The stop for which such a point was requested is over once the machine runs.
    let is_over =
        matches!(point.slot.occasion, Occasion::Stopped { .. }) && instance.state != State::Stopped;
    *point.instance() == instance.id
        && point.is_kept_to_begin_again()
        && point.waits_until() > now
        && !instance.state.is_gone()
        && !is_over
}

fn reason(instance: &Instance) -> Reason {
    let Instance { id, state, .. } = instance;
    if state.is_gone() {
        let text = format!("{id} is {}; the point waited for it to stop", state.as_str());
        return Reason::new(Code::MachineGone, text);
    }
    Reason::new(Code::MachineStopped, format!("{id} is stopped; the point waited for that"))
}
