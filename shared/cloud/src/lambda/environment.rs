//! Execution environments: started when no idle one is there, used again the last used first,
//! ended by their deadline, by their death, or when nothing comes for long.
//!
//! ```text
//! (none) ── assign ──> Assigned ── take ──> Running ── finished ──> Idle
//!                          ^                                          │
//!                          └───────────────── assign ─────────────────┘
//! any of them ── end: error, deadline, death, idle for long ──> (none)
//! ```
//!
//! Each has an access key of its own, which dies with it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Notify;

use super::code::{Code, Context, Environment, FunctionError};
use super::queue;
use super::spec::FunctionSpec;
use super::state::{Execution, InvocationId, Phase, Start, Try};
use crate::kernel::access::{Caller, Identity};
use crate::kernel::scope::EnvironmentId;
use crate::kernel::time::Time;
use crate::kernel::trace::What;
use crate::model::{Effect, Line, Model};

/// A start that takes longer has failed. (Lambda would start the code once more, in the time of the
/// invocation itself; what does not start in ten seconds is broken here.)
const START_LIMIT: Duration = Duration::from_secs(10);

/// One invocation, as an environment gets it.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    pub event: Value,
    pub context: Context,
    pub function_arn: String,
}

/// The reason why an environment gets no invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoJob {
    /// There is no such environment any more.
    Gone,
    /// It has one already, and has not said how that ended.
    Busy,
}

/// The answer to an environment that asks for work.
#[derive(Debug)]
pub enum Take {
    Job(Job),
    /// Nothing yet: ask again when this is notified.
    Wait(Arc<Notify>),
    Refused(NoJob),
}

/// The end of an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Its start failed.
    Failed(FunctionError),
    /// Its process ended by itself; how.
    Exited(String),
    /// It died from outside.
    Killed,
    /// Its deadline passed.
    TimedOut,
    /// Nothing came for long, or its settings are out of date.
    Unused,
}

/// Gives an invocation to an idle environment, or to a new one.
pub(super) fn assign(model: &mut Model, invocation: InvocationId) {
    let Some(arn) = model.lambda.queue.get(&invocation).map(|it| it.function.clone()) else {
        return;
    };
    let Some(function) = model.lambda.functions.get(&arn) else { return };
    let timeout = function.spec.timeout;
    let in_process = matches!(function.spec.code, Code::InProcess(_));
    let warm = last_used(model, &arn);
    let limit = match warm {
        Some(_) => timeout,
        None if in_process => model.config.pace.cold_start + START_LIMIT,
        None => START_LIMIT,
    };
    let Some(id) = warm.or_else(|| start(model, &arn)) else { return };
    let (began, deadline) = (model.now, model.now + limit);
    let this = Try { invocation, began, deadline, cold: warm.is_none() };
    if let Some(execution) = model.lambda.environments.get_mut(&id) {
        let turn = execution.enter(Phase::Assigned(this));
        execution.wake.notify_waiters();
        plan_deadline(model, deadline, id, turn);
    }
}

/// Finds the environment to use again: the idle one that was used last. It has the function's
/// present settings, since those with older ones end when they change, or after their work.
fn last_used(model: &Model, arn: &str) -> Option<EnvironmentId> {
    let usable =
        model.lambda.environments.iter().filter_map(|(id, execution)| match execution.phase {
            Phase::Idle { since } if execution.function == arn => Some((since, *id)),
            _ => None,
        });
    usable.max().map(|(_, id)| id)
}

/// Makes a new environment, with an access key of its own.
fn start(model: &mut Model, arn: &str) -> Option<EnvironmentId> {
    let id = EnvironmentId(model.lambda.number());
    let access_key = access_key(&mut model.rng);
    let log_stream = log_stream(model.now, &mut model.rng);
    let function = model.lambda.functions.get(arn)?;
    let spec = &function.spec;
    let clock_skew_ms = {
        let (least, most) = (*spec.clock_skew_ms.start(), *spec.clock_skew_ms.end());
        if least < most { model.rng.i64(least..=most) } else { least }
    };
    let role = spec.role_arn.rsplit('/').next().unwrap_or_default();
    let principal = format!("arn:aws:sts::{}:assumed-role/{role}/{}", spec.account, spec.name);
    let identity = Identity {
        account: function.scope.account.clone(),
        arn: principal.clone(),
        role: Some(spec.role_arn.clone()),
        environment: Some(id),
    };
    let region = spec.region.clone();
    let caller = Caller { access_key: access_key.clone(), region, clock_skew_ms };
    let start = Start {
        environment: id,
        code: spec.code.clone(),
        variables: variables(spec, &access_key, &log_stream),
        caller,
        log_stream: log_stream.clone(),
    };
    let execution = Execution {
        function: arn.to_string(),
        scope: function.scope.clone(),
        generation: function.generation,
        principal,
        access_key: access_key.clone(),
        log_stream,
        clock_skew_ms,
        phase: Phase::Idle { since: model.now },
        turn: 0,
        wake: Arc::default(),
    };
    model.principals.declare_key(&access_key, identity);
    model.lambda.environments.insert(id, execution);
    model.effects.push(Effect::Start(start));
    Some(id)
}

/// The variables of an environment: the function's own and Lambda's.
fn variables(spec: &FunctionSpec, access_key: &str, log_stream: &str) -> Environment {
    let log_group = format!("/aws/lambda/{}", spec.name);
    let memory = spec.memory_mb.to_string();
    let own: [(&str, &str); 14] = [
        ("AWS_ACCESS_KEY_ID", access_key),
        ("AWS_DEFAULT_REGION", &spec.region),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &memory),
        ("AWS_LAMBDA_FUNCTION_NAME", &spec.name),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", &log_group),
        ("AWS_LAMBDA_LOG_STREAM_NAME", log_stream),
        ("AWS_REGION", &spec.region),
        ("AWS_SECRET_ACCESS_KEY", "not-verified"),
        ("AWS_SESSION_TOKEN", "not-verified"),
        ("LANG", "en_US.UTF-8"),
        ("TZ", ":UTC"),
        ("_HANDLER", "bootstrap"),
    ];
    let mut variables: BTreeMap<String, String> = spec.variables.clone();
    variables.extend(own.map(|(name, value)| (name.to_string(), value.to_string())));
    Environment { variables }
}

/// Temporary credentials begin with `ASIA`.
fn access_key(rng: &mut fastrand::Rng) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let letter = |_| rng.choice(LETTERS).copied().map_or('A', char::from);
    let rest: String = (0..16).map(letter).collect();
    format!("ASIA{rest}")
}

fn log_stream(now: Time, rng: &mut fastrand::Rng) -> String {
    let day = now.stamp().strftime("%Y/%m/%d");
    format!("{day}/[$LATEST]{:032x}", rng.u128(..))
}

/// An environment asks for its next invocation; the first time, that ends its start.
pub fn take(model: &mut Model, id: EnvironmentId) -> Take {
    let now = model.now;
    let Some(execution) = model.lambda.environments.get_mut(&id) else {
        return Take::Refused(NoJob::Gone);
    };
    let mut this = match execution.phase {
        Phase::Idle { .. } => return Take::Wait(execution.wake.clone()),
        Phase::Running(_) => return Take::Refused(NoJob::Busy),
        Phase::Assigned(this) => this,
    };
    let function = model.lambda.functions.get(&execution.function);
    let invocation = model.lambda.queue.get(&this.invocation);
    let (Some(function), Some(invocation)) = (function, invocation) else {
        return Take::Refused(NoJob::Gone);
    };
    this.began = now;
    this.deadline = now + function.spec.timeout;
    let turn = execution.enter(Phase::Running(this));
    let skew = Duration::from_millis(execution.clock_skew_ms.unsigned_abs());
    let job = Job {
        event: invocation.payload.clone(),
        context: Context {
            now: if execution.clock_skew_ms < 0 { now - skew } else { now + skew },
            deadline: this.deadline,
            request_id: invocation.request_id.clone(),
        },
        function_arn: execution.function.clone(),
    };
    plan_deadline(model, this.deadline, id, turn);
    Take::Job(job)
}

/// An environment says how its invocation ended. Whether that was heard: not if the request id is
/// not that of the invocation it has.
pub fn finished(
    model: &mut Model,
    id: EnvironmentId,
    request_id: &str,
    result: Result<(), FunctionError>,
) -> bool {
    let now = model.now;
    let Some(execution) = model.lambda.environments.get_mut(&id) else { return false };
    let Phase::Running(this) = execution.phase else { return false };
    let invocation = model.lambda.queue.get(&this.invocation);
    if invocation.is_none_or(|invocation| invocation.request_id != request_id) {
        return false;
    }
    let turn = execution.enter(Phase::Idle { since: now });
    let idles = model.config.pace.environment_idles;
    model.after(idles, "lambda: environment grows cold", move |model| {
        end_at(model, id, turn, Ending::Unused);
    });
    tried(model, id, this, result);
    retire_if_outdated(model, id);
    true
}

/// The start of an environment failed, as it says itself. Whether that was heard: not if it is past
/// its start.
pub fn start_failed(model: &mut Model, id: EnvironmentId, error: FunctionError) -> bool {
    let execution = model.lambda.environments.get(&id);
    let phase = execution.map(|execution| execution.phase);
    let starting = matches!(phase, Some(Phase::Assigned(this)) if this.cold);
    if starting {
        end(model, id, Ending::Failed(error));
    }
    starting
}

/// An environment ends, and with it what it was doing. One that has ended already stays as it is.
pub fn end(model: &mut Model, id: EnvironmentId, ending: Ending) {
    let Some(execution) = model.lambda.environments.get(&id) else { return };
    if let Some(this) = execution.current() {
        let invocation = model.lambda.queue.get(&this.invocation);
        let request_id = invocation.map(|it| it.request_id.as_str()).unwrap_or_default();
        let error = ending.into_error(request_id, model.now.since(this.began));
        tried(model, id, this, Err(error));
    }
    let Some(execution) = model.lambda.environments.remove(&id) else { return };
    model.principals.retire_key(&execution.access_key);
    execution.wake.notify_waiters();
    model.effects.push(Effect::Kill(id));
}

/// Has an execution environment die on the spot.
pub fn kill(model: &mut Model, environment: EnvironmentId) {
    model.effects.push(Effect::Kill(environment));
}

impl Ending {
    fn into_error(self, request_id: &str, after: Duration) -> FunctionError {
        let exit = |how: &str| {
            let text = format!("RequestId: {request_id} Error: Runtime exited {how}");
            FunctionError::new("Runtime.ExitError", text)
        };
        match self {
            Ending::Failed(error) => error,
            Ending::Exited(how) => exit(&how),
            Ending::Killed => exit("with error: signal: killed"),
            Ending::TimedOut => {
                let seconds = after.as_secs_f64();
                let text = format!(
                    "RequestId: {request_id} Error: Task timed out after {seconds:.2} seconds"
                );
                FunctionError::new("Sandbox.Timedout", text)
            }
            Ending::Unused => exit("without providing a reason"),
        }
    }
}

/// Writes a try that ended into the trace, and lets the queue go on with it.
fn tried(model: &mut Model, id: EnvironmentId, this: Try, result: Result<(), FunctionError>) {
    let Some(execution) = model.lambda.environments.get(&id) else { return };
    let Some(invocation) = model.lambda.queue.get(&this.invocation) else { return };
    let name = execution.function.rsplit(':').next().unwrap_or_default().to_string();
    let outcome = result.as_ref().map_or_else(|error| error.error_type.clone(), |()| "ok".into());
    let millis = u64::try_from(model.now.since(this.began).as_millis()).unwrap_or(u64::MAX);
    let detail = json!({
        "attempt": invocation.tries,
        "coldStart": this.cold,
        "durationMs": millis,
        "environment": id.0,
        "error": result.as_ref().err().map(|error| error.error_message.as_str()),
        "event": invocation.payload,
        "logStream": execution.log_stream,
    });
    let (scope, principal) = (execution.scope.clone(), execution.principal.clone());
    let request_id = invocation.request_id.clone();
    let line = Line {
        principal: &principal,
        service: "lambda",
        action: &name,
        outcome: &outcome,
        id: &request_id,
        detail,
    };
    model.note(What::Invocation, &scope, line);
    queue::settle(model, this.invocation, result);
}

/// Plans the end of an environment that is still at this turn when its deadline comes.
fn plan_deadline(model: &mut Model, deadline: Time, id: EnvironmentId, turn: u64) {
    model.at(deadline, "lambda: deadline passes", move |model| {
        end_at(model, id, turn, Ending::TimedOut);
    });
}

/// Ends an environment, unless it has had another turn since.
fn end_at(model: &mut Model, id: EnvironmentId, turn: u64, ending: Ending) {
    let execution = model.lambda.environments.get(&id);
    if execution.is_some_and(|execution| execution.turn == turn) {
        end(model, id, ending);
    }
}

/// The function's settings have changed: an environment that does nothing has no future.
pub(super) fn retire_if_idle(model: &mut Model, id: EnvironmentId) {
    if model.lambda.environments.get(&id).is_some_and(|execution| !execution.is_busy()) {
        end(model, id, Ending::Unused);
    }
}

fn retire_if_outdated(model: &mut Model, id: EnvironmentId) {
    let lambda = &model.lambda;
    let Some(execution) = lambda.environments.get(&id) else { return };
    let function = lambda.functions.get(&execution.function);
    if function.is_none_or(|function| function.generation != execution.generation) {
        end(model, id, Ending::Unused);
    }
}
