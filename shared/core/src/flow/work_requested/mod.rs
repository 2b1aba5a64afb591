//! The worker of one queue: what is in it, and what is to be done with each of it.
//!
//! A worker is woken by an event that names the queue and nothing else. It goes round until there
//! is nothing left that it could do: load what is in the queue, decide, apply.

pub mod confirm;
pub mod copy;
mod eligible;
mod guards;
pub(crate) mod made;
pub(crate) mod news;
mod places;
pub mod power;
pub mod register;
pub(crate) mod retry;
mod round;
pub mod snapshot;
mod stop_start;

use crate::command::Decision;

/// What a worker knows, by its kind.
#[derive(Clone, Debug)]
pub enum Input {
    Snapshot(snapshot::Input),
    Register(register::Input),
    Confirm(confirm::Input),
    Copy(copy::Input),
    Power(Box<power::Input>),
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
