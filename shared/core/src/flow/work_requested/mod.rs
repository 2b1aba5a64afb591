//! The work of one queue: each of its records, and the decision on it, by the kind of the queue.
//! The worker decides when to look, to load and to decide: see [`crate::worker`].

pub mod again;
pub mod apart;
pub mod before_copy;
mod begin_again;
mod braking;
mod compare;
pub mod confirm;
pub mod copy;
pub mod copy_source;
pub(crate) mod decision_builder;
pub mod disk_keys;
mod due;
mod gate;
mod grade_tag;
mod guards;
mod healing;
mod held_up;
pub mod hinted;
pub mod images;
mod key_gone;
pub mod keys;
mod losses;
mod may_be_back;
mod method;
pub mod missing;
pub mod needs;
mod not_begun;
pub mod power;
pub mod power_batch;
pub(super) mod prospect;
mod ready;
pub mod register;
pub(super) mod restored;
mod sharing;
pub mod snapshot;
pub mod sources;
mod stop_gate;
mod stop_start;
mod superseded;
mod there;

use jiff::Timestamp;

use super::WorkRequested;
use crate::command::{Command, Decision, Wake};
use crate::limits::HOPS_MAX;
use crate::machine::{Instance, Machine};
use crate::observed::ObservedMachine;
use crate::point::{Chosen, Point, Replica};
use crate::reason::{Code, Reason};
use crate::work::Kind;
use again::Again;
use guards::Guarded;
use needs::Needs;

/// The facts that a worker has loaded, by its kind.
#[derive(Clone, Debug)]
pub enum Input {
    Snapshot(snapshot::Input),
    Register(register::Input),
    Confirm(confirm::Input),
    Copy(copy::Input),
    Power(Box<power::Input>),
    /// The machines that events told of.
    Hinted(Box<hinted::Input>),
}

/// Returns the facts that have to be read before anything is decided, by the kind of the queue. The
/// worker of `Power` goes by the roster instead of the queue: see [`power_batch::to_look_at`].
pub fn needs(kind: Kind, points: &[Point], replicas: &[Replica], now: Timestamp) -> Needs {
    match kind {
        Kind::Snapshot => snapshot::needs(points, now),
        Kind::Register => register::needs(points, now),
        Kind::Confirm => confirm::needs(points, replicas, now),
        Kind::Copy => copy::needs(replicas, now),
        Kind::Power => Needs::default(),
    }
}

impl Input {
    /// Returns the time that is decided on.
    pub fn now(&self) -> Timestamp {
        match self {
            Input::Snapshot(input) => input.now,
            Input::Register(input) => input.now,
            Input::Confirm(input) => input.now,
            Input::Copy(input) => input.now,
            Input::Power(input) => input.now,
            Input::Hinted(input) => input.now,
        }
    }

    /// Returns when the worker looks again, as far as the loaded facts tell.
    pub fn again(&self) -> Again {
        match self {
            Input::Snapshot(input) => snapshot::again(input),
            Input::Power(input) => power::again(input),
            Input::Copy(input) => copy::again(input),
            Input::Register(_) | Input::Confirm(_) | Input::Hinted(_) => Again::default(),
        }
    }
}

pub fn decide(input: &Input) -> Decision {
    match input {
        Input::Snapshot(input) => snapshot::decide(input),
        Input::Register(input) => register::decide(input),
        Input::Confirm(input) => confirm::decide(input),
        Input::Copy(input) => copy::decide(input),
        Input::Power(input) => power::decide(input),
        Input::Hinted(input) => hinted::decide(input),
    }
}

/// Returns the wake of a successor, for a worker that ran out of time. After too many successors
/// something must be wrong, and there is none.
pub fn successor(event: &WorkRequested) -> Decision {
    let mut decision = Decision::default();
    let WorkRequested { queue, hop } = event;
    let hop = hop.saturating_add(1);
    if hop <= HOPS_MAX {
        decision.command(Command::Wake(Wake { queue: queue.clone(), hop }));
    } else {
        let text = format!("the worker has been handed over {HOPS_MAX} times");
        decision.say(queue, Reason::new(Code::TooManyHops, text));
    }
    decision
}

/// Tells whether a machine may be stopped for its snapshots, as far as is known of it. Everything
/// is asked again right before the stop.
///
/// # Errors
/// The machine must not be stopped; with the reason.
pub fn foresee_stop(seen: &ObservedMachine, guarded: Option<&Guarded>) -> Result<(), Reason> {
    guards::check(seen)?;
    let instance_type = &seen.instance.instance_type;
    guarded.map_or(Ok(()), |guarded| guards::check_asked(guarded, instance_type))
}

/// Tells whether EC2 may reboot a machine for its image, as far as a listing shows and if the stack
/// allows it.
///
/// # Errors
/// The machine must not be rebooted; with the reason.
pub fn foresee_reboot(instance: &Instance) -> Result<(), Reason> {
    guards::check_reboot(instance, true)
}

/// Returns how an image of a machine would be made for a point; none if there is to be no image.
///
/// # Errors
/// The image would be refused; with the reason.
pub fn foresee(point: &Point, machine: &Machine) -> Result<Option<Chosen>, Reason> {
    method::choose(point, machine).map(|choice| choice.method)
}
