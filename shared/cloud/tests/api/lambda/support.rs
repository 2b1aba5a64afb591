//! Functions to be tested with, and what the trace says of their invocations.

use std::sync::Arc;
use std::time::Duration;

use afterimage_cloud::lambda::{
    BoxFuture, Code, Context, Environment, EnvironmentId, FunctionError, FunctionSpec, Instance,
    enqueue, environments_of, kill,
};
use afterimage_cloud::model::Scope;
use afterimage_cloud::trace::{Entry, What};
use afterimage_cloud::{Cloud, Time};
use serde_json::{Value, json};

pub const ROLE: &str = "arn:aws:iam::123456789012:role/worker-role";

pub type Outcome = Result<Value, FunctionError>;

/// A function in process whose instances do nothing but `handle`.
pub fn code<F, R>(handle: F) -> Code
where
    F: Fn(Value, Context) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Outcome> + Send + 'static,
{
    started(move |_| Ok(handle.clone()))
}

/// A function in process: `start` gets the environment and gives what handles its events.
pub fn started<S, F, R>(start: S) -> Code
where
    S: Fn(Environment) -> Result<F, FunctionError> + Send + Sync + 'static,
    F: Fn(Value, Context) -> R + Send + Sync + 'static,
    R: Future<Output = Outcome> + Send + 'static,
{
    Code::InProcess(Arc::new(move |environment, _config| {
        let made = start(environment);
        Box::pin(async move { made.map(|handle| Box::new(Plain(handle)) as Box<dyn Instance>) })
    }))
}

struct Plain<F>(F);

impl<F, R> Instance for Plain<F>
where
    F: Fn(Value, Context) -> R + Send + Sync,
    R: Future<Output = Outcome> + Send + 'static,
{
    fn handle(&mut self, event: Value, context: Context) -> BoxFuture<'_, Outcome> {
        Box::pin((self.0)(event, context))
    }
}

pub fn scope() -> Scope {
    Scope::new("123456789012", "us-east-1")
}

/// A function named `worker`.
pub fn worker(code: Code) -> FunctionSpec {
    FunctionSpec::new(&scope(), "worker", ROLE, code)
}

pub fn add(cloud: &Cloud, spec: FunctionSpec) -> String {
    cloud.add_function(spec).expect("the function is within the limits")
}

pub fn invoke(cloud: &Cloud, arn: &str) -> String {
    let event = json!({ "hello": "world" });
    cloud.with(|model| enqueue(model, arn, event)).expect("the function exists")
}

pub fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The lines of one kind, in order.
pub fn lines(cloud: &Cloud, what: What) -> Vec<Entry> {
    cloud.with(|model| {
        let entries = model.trace.entries().iter();
        entries.filter(|entry| entry.what == what).cloned().collect()
    })
}

/// When each try ended, in milliseconds since the beginning of the world, and how.
pub fn tries(cloud: &Cloud) -> Vec<(u64, String)> {
    let all = lines(cloud, What::Invocation).into_iter();
    all.map(|entry| (since_start(entry.at), entry.outcome)).collect()
}

/// Which tries had to start an environment first.
pub fn cold_starts(cloud: &Cloud) -> Vec<bool> {
    let all = lines(cloud, What::Invocation).into_iter();
    all.map(|entry| entry.detail["coldStart"] == json!(true)).collect()
}

pub fn since_start(at: Time) -> u64 {
    at.millis() - Time::START.millis()
}

pub fn try_at(millis: u64, outcome: &str) -> (u64, String) {
    (millis, outcome.to_string())
}

pub fn only_environment(cloud: &Cloud, arn: &str) -> EnvironmentId {
    let all = cloud.with(|model| environments_of(model, arn));
    assert_eq!(all.len(), 1, "{all:?}");
    all[0]
}

pub fn kill_now(cloud: &Cloud, environment: EnvironmentId) {
    cloud.with(|model| kill(model, environment));
}
