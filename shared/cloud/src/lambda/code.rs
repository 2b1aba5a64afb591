//! The code of a function, and what it is given to run with.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use aws_types::SdkConfig;
use serde_json::Value;

use crate::kernel::time::Time;

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

/// The environment variables of a function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// The function's own variables, and those that Lambda sets.
    pub variables: BTreeMap<String, String>,
}

/// The facts that a function gets with an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// The time of the environment's clock, which may be off.
    pub now: Time,
    /// The time at which the environment is killed unless it is done, by the world's clock.
    pub deadline: Time,
    /// The same for every try of one event.
    pub request_id: String,
}

/// The failure of a function.
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

/// The code that a function runs.
#[derive(Clone)]
pub enum Code {
    /// In the world's own process, on its clock.
    InProcess(Factory),
    /// A program that speaks the Lambda Runtime API; one process is one execution environment.
    Binary(PathBuf),
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Code::InProcess(_) => f.write_str("InProcess"),
            Code::Binary(path) => f.debug_tuple("Binary").field(path).finish(),
        }
    }
}
