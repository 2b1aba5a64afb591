//! Functions, their execution environments and the events that wait, as Lambda remembers them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::Notify;

use super::code::{Code, Environment, FunctionError};
use super::spec::FunctionSpec;
use crate::kernel::access::Caller;
use crate::kernel::scope::{EnvironmentId, Scope};
use crate::kernel::time::Time;

/// All functions of all accounts and regions.
#[derive(Debug, Default)]
pub struct Functions {
    pub(super) functions: BTreeMap<String, Function>,
    pub(super) queue: BTreeMap<InvocationId, Invocation>,
    pub(super) environments: BTreeMap<EnvironmentId, Execution>,
    pub(super) next_number: u64,
}

impl Functions {
    pub(super) fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    /// Tells whether real programs are attached, whose own clocks would disagree with one that is
    /// moved.
    pub fn has_binaries(&self) -> bool {
        self.functions.values().any(|function| matches!(function.spec.code, Code::Binary(_)))
    }

    /// The concurrency that functions of the account and region have reserved.
    pub(super) fn reserved_in(&self, scope: &Scope) -> usize {
        let own = self.functions.values().filter(|function| function.scope == *scope);
        own.filter_map(|function| function.spec.reserved_concurrency).sum()
    }
}

/// A function that has been declared.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) spec: FunctionSpec,
    pub(super) scope: Scope,
    /// The resource policy, by statement id.
    pub(super) statements: BTreeMap<String, Statement>,
    /// Counts the changes of its settings: environments of an older one are not used again.
    pub(super) generation: u64,
}

/// One statement of a function's resource policy: who may invoke it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) service: String,
    /// `ArnLike` on `aws:SourceArn`.
    pub(super) source_arn: Option<String>,
}

/// One event in the queue, whichever try it is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InvocationId(pub(super) u64);

/// An event that has not been dealt with.
#[derive(Debug)]
pub(super) struct Invocation {
    pub(super) function: String,
    pub(super) request_id: String,
    pub(super) payload: Value,
    pub(super) accepted: Time,
    /// Number of times it was given to an environment.
    pub(super) tries: u32,
    /// Number of times in a row that there was no room.
    pub(super) throttles: u32,
    pub(super) last_error: Option<FunctionError>,
}

/// One execution environment.
#[derive(Debug)]
pub(super) struct Execution {
    pub(super) function: String,
    pub(super) scope: Scope,
    /// The function's when it was started.
    pub(super) generation: u64,
    pub(super) principal: String,
    pub(super) access_key: String,
    pub(super) log_stream: String,
    pub(super) clock_skew_ms: i64,
    pub(super) phase: Phase,
    /// Counts the changes of its phase, so that what was put on the agenda for an earlier one is
    /// told from what holds.
    pub(super) turn: u64,
    /// Wakes the waiter for the next invocation.
    pub(super) wake: Arc<Notify>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Phase {
    Idle {
        since: Time,
    },
    /// Something is to be done, and the environment has not asked for it yet.
    Assigned(Try),
    Running(Try),
}

/// One try of one invocation in this environment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Try {
    pub(super) invocation: InvocationId,
    pub(super) began: Time,
    pub(super) deadline: Time,
    pub(super) cold: bool,
}

impl Execution {
    pub(super) fn is_busy(&self) -> bool {
        self.current().is_some()
    }

    pub(super) fn current(&self) -> Option<Try> {
        match self.phase {
            Phase::Idle { .. } => None,
            Phase::Assigned(this) | Phase::Running(this) => Some(this),
        }
    }

    pub(super) fn enter(&mut self, phase: Phase) -> u64 {
        self.phase = phase;
        self.turn += 1;
        self.turn
    }
}

/// An execution environment that is to be started outside of the model.
#[derive(Debug)]
pub struct Start {
    pub environment: EnvironmentId,
    pub code: Code,
    pub variables: Environment,
    pub caller: Caller,
    pub log_stream: String,
}
