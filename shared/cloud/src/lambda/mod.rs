//! Lambda: functions, their execution environments and asynchronous invocation.
//!
//! An event goes into the queue of asynchronous invocations ([`invoke_async`]), which gives it to
//! an execution environment when the concurrency allows. What runs in an environment *pulls*, as
//! the Lambda Runtime API has it: it asks for the next invocation, and says how it ended. Code in
//! process and real programs differ only in who asks.
//!
//! The model knows every invocation and its deadline, and whoever dies is told apart by what the
//! model has on record, so that each try ends exactly once: what is said later is not heard.

mod environment;
mod function;
mod process;
mod queue;
mod run;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use aws_types::SdkConfig;
use serde_json::Value;

pub use environment::{Ending, Take, end, finished, start_failed, take};
pub use function::{
    Code, FunctionSpec, add_function, add_permission, environments_of, exists, remove_function,
    set_variables,
};
pub use process::{Command, Exit, Launch, PREFIX, ProcessKeeper, Processes};
pub use queue::enqueue;

pub use crate::kernel::scope::{EnvironmentId, Invoker};

use crate::cloud::Cloud;
use crate::door::sdk::Caller;
use crate::kernel::error::ApiError;
use crate::kernel::scope::Scope;
use crate::kernel::time::Time;
use crate::model::{Effect, Model};

/// A future on the heap, of a type that nobody needs to name.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The cold start of a function in process.
pub type Factory = Arc<
    dyn Fn(Environment, SdkConfig) -> BoxFuture<'static, Result<Box<dyn Instance>, FunctionError>>
        + Send
        + Sync,
>;

/// A function in process that has been started: it takes one invocation at a time.
pub trait Instance: Send {
    fn handle(
        &mut self,
        event: Value,
        context: Context,
    ) -> BoxFuture<'_, Result<Value, FunctionError>>;
}

/// What a function finds around it when it starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// The function's own variables, and those that Lambda sets.
    pub variables: BTreeMap<String, String>,
}

/// What a function is told with an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// What the environment's clock shows, which may be off.
    pub now: Time,
    /// When the environment is killed unless it is done, by the world's clock.
    pub deadline: Time,
    /// The same for every try of one event.
    pub request_id: String,
}

/// How a function failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error_type}: {error_message}")]
pub struct FunctionError {
    pub error_type: String,
    pub error_message: String,
}

impl FunctionError {
    pub fn new(error_type: &str, error_message: impl Into<String>) -> FunctionError {
        let error_type = error_type.to_string();
        FunctionError { error_type, error_message: error_message.into() }
    }
}

/// One event in the queue, whichever try it is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InvocationId(u64);

/// All functions of all accounts and regions.
#[derive(Debug, Default)]
pub struct Functions {
    functions: BTreeMap<String, Function>,
    queue: BTreeMap<InvocationId, queue::Invocation>,
    environments: BTreeMap<EnvironmentId, environment::Execution>,
    next_number: u64,
}

impl Functions {
    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    /// Whether real programs are attached, whose own clocks would disagree with one that is moved.
    pub fn has_binaries(&self) -> bool {
        self.functions.values().any(|function| matches!(function.spec.code, Code::Binary(_)))
    }

    /// The concurrency that functions of the account and region have reserved.
    fn reserved_in(&self, scope: &Scope) -> usize {
        let own = self.functions.values().filter(|function| function.scope == *scope);
        own.filter_map(|function| function.spec.reserved_concurrency).sum()
    }
}

/// A function that has been declared.
#[derive(Debug)]
struct Function {
    spec: FunctionSpec,
    scope: Scope,
    /// The resource policy, by statement id.
    statements: BTreeMap<String, function::Statement>,
    /// Counts the changes of its settings: environments of an older one are not used again.
    generation: u64,
}

/// An execution environment that is to be started outside of the model.
#[derive(Debug)]
pub struct Start {
    environment: EnvironmentId,
    code: Code,
    variables: Environment,
    caller: Caller,
    log_stream: String,
}

/// Starts an execution environment.
pub fn begin(cloud: &Cloud, start: Start) {
    let environment = start.environment;
    match start.code {
        Code::InProcess(factory) => {
            let config = cloud.sdk_config_of(&start.caller);
            let life = run::live(cloud.clone(), environment, factory, start.variables, config);
            cloud.spawn_in(environment, life);
        }
        Code::Binary(program) => {
            launch(cloud, environment, program, start.variables, start.log_stream)
        }
    }
}

fn launch(
    cloud: &Cloud,
    environment: EnvironmentId,
    program: PathBuf,
    variables: Environment,
    log_stream: String,
) {
    let variables = variables.variables;
    let launch = Launch { environment, program, variables, log_stream };
    let sent = cloud.processes().is_some_and(|processes| processes.launch(launch));
    if !sent {
        let text = "Nobody starts real programs in this world: it is not served on a port";
        let error = FunctionError::new("Runtime.InvalidEntrypoint", text);
        cloud.with(|model| end(model, environment, Ending::Failed(error)));
    }
}

/// An execution environment died.
pub fn killed(model: &mut Model, environment: EnvironmentId) {
    end(model, environment, Ending::Killed);
}

/// Has an execution environment die on the spot.
pub fn kill(model: &mut Model, environment: EnvironmentId) {
    model.effects.push(Effect::Kill(environment));
}

/// Waits for the next invocation of an environment. An error means that there will be none.
pub async fn next(cloud: &Cloud, environment: EnvironmentId) -> Result<Job, NoJob> {
    loop {
        match cloud.with(|model| take(model, environment)) {
            Take::Job(job) => return Ok(job),
            Take::Wait(wake) => wake.notified().await,
            Take::Refused(why) => return Err(why),
        }
    }
}

/// One invocation, as an environment gets it.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    pub event: Value,
    pub context: Context,
    pub function_arn: String,
}

/// Why an environment gets no invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoJob {
    /// There is no such environment any more.
    Gone,
    /// It has one already, and has not said how that ended.
    Busy,
}

/// Why an asynchronous invocation was not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such function.
    NoFunction,
    /// The function's resource policy does not allow the caller.
    NotPermitted,
}

/// Puts an event into the function's queue of asynchronous invocations.
pub fn invoke_async(
    model: &mut Model,
    function_arn: &str,
    payload: Value,
    invoker: &Invoker,
) -> Result<(), Refusal> {
    let function = model.lambda.functions.get(function_arn).ok_or(Refusal::NoFunction)?;
    if !function.statements.values().any(|statement| statement.allows(invoker)) {
        return Err(Refusal::NotPermitted);
    }
    enqueue(model, function_arn, payload).map(drop)
}

impl Cloud {
    /// Declares a function; the result is its ARN.
    pub fn add_function(&self, spec: FunctionSpec) -> Result<String, ApiError> {
        self.with(|model| add_function(model, spec))
    }

    /// Whether the clock must go as the machine's does, because real programs are attached.
    pub fn clock_is_bound(&self) -> bool {
        self.with(|model| model.lambda.has_binaries())
    }
}
