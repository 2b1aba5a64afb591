//! The records of one queue, and what is done with each of them, by the kind of the queue. When a
//! worker sees, loads and decides is its own matter: see [`crate::worker`].

pub mod again;
mod compare;
pub mod confirm;
pub mod copy;
pub(crate) mod decision_builder;
mod grade_tag;
mod guards;
mod method;
pub mod needs;
pub mod power;
mod ready;
pub mod register;
pub mod snapshot;
mod stop_start;

use jiff::Timestamp;

use super::WorkRequested;
use crate::command::{Command, Decision, Wake};
use crate::facts::RootDeviceType;
use crate::limits::HOPS_MAX;
use crate::machine::{Instance, Machine};
use crate::observed::ObservedMachine;
use crate::point::{Chosen, Point, Replica};
use crate::reason::{Code, Reason};
use crate::work::Kind;
use again::Again;
use needs::Needs;

/// What a worker knows, by its kind.
#[derive(Clone, Debug)]
pub enum Input {
    Snapshot(snapshot::Input),
    Register(register::Input),
    Confirm(confirm::Input),
    Copy(copy::Input),
    Power(Box<power::Input>),
}

/// What has to be read before anything is decided, by the kind of the queue. The worker of `Power`
/// goes by the roster instead of the queue: see [`power::to_look_at`].
pub fn needs(kind: Kind, points: &[Point], replicas: &[Replica], now: Timestamp) -> Needs {
    match kind {
        Kind::Snapshot => snapshot::needs(points, now),
        Kind::Register => register::needs(points, now),
        Kind::Confirm => confirm::needs(points, replicas),
        Kind::Copy => copy::needs(replicas, now),
        Kind::Power => Needs::default(),
    }
}

impl Input {
    /// The instant that is decided on.
    pub fn now(&self) -> Timestamp {
        match self {
            Input::Snapshot(input) => input.now,
            Input::Register(input) => input.now,
            Input::Confirm(input) => input.now,
            Input::Copy(input) => input.now,
            Input::Power(input) => input.now,
        }
    }

    /// When this is looked at again, as far as what was loaded tells.
    pub fn again(&self) -> Again {
        match self {
            Input::Snapshot(input) => snapshot::again(input),
            Input::Power(input) => power::again(input),
            Input::Register(_) | Input::Confirm(_) | Input::Copy(_) => Again::default(),
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
    }
}

/// What a worker leaves behind whose time was over before its work was: a successor, unless there
/// have been so many that something must be wrong.
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

/// Whether a machine may be stopped for its snapshots, as far as a listing shows it. Whether it is
/// protected against that is asked right before.
///
/// # Errors
/// Why it must not be.
pub fn foresee_stop(instance: &Instance, root_device_type: RootDeviceType) -> Result<(), Reason> {
    guards::check(&ObservedMachine {
        instance: instance.clone(),
        root_device_type,
        state_reason: None,
    })
}

/// How an image of a machine would be made for a point; none where there is to be no image.
///
/// # Errors
/// Why it would be refused.
pub fn foresee(point: &Point, machine: &Machine) -> Result<Option<Chosen>, Reason> {
    method::choose(point, machine).map(|choice| choice.method)
}
