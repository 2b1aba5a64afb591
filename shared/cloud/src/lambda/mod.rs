//! Lambda: functions, their execution environments and asynchronous invocation.

use crate::model::Model;

/// One execution environment of one function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnvironmentId(pub u64);

/// All functions of all accounts and regions.
#[derive(Debug, Default)]
pub struct Functions {}

/// What Lambda has on the agenda.
#[derive(Clone, Debug)]
pub enum Step {}

/// An invocation that is to begin now, in process.
#[derive(Debug)]
pub struct Start {}

pub fn happen(_model: &mut Model, step: Step) {
    match step {}
}

/// Begins an invocation in process.
pub fn begin(_cloud: &crate::cloud::Cloud, _start: Start) {}

/// An execution environment died.
pub fn killed(_model: &mut Model, _environment: EnvironmentId) {}

/// Why an asynchronous invocation was not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such function.
    NoFunction,
    /// The function's resource policy does not allow the caller.
    NotPermitted,
}

/// Who invokes a function asynchronously.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoker {
    /// `events.amazonaws.com`.
    pub service: String,
    /// The ARN of the rule, which `aws:SourceArn` of the function's permission is compared with.
    pub source_arn: String,
}

/// Puts an event into the function's queue of asynchronous invocations.
pub fn invoke_async(
    _model: &mut Model,
    _function_arn: &str,
    _payload: serde_json::Value,
    _invoker: &Invoker,
) -> Result<(), Refusal> {
    Err(Refusal::NoFunction)
}
