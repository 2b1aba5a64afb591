//! The start of a function, and the glue to Lambda's runtime: an event and its context in, a
//! response or a failure out.

use std::collections::BTreeMap;
use std::future::Future;

use aws_types::SdkConfig;
use jiff::Timestamp;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::Value;

use crate::clock::Clock;
use crate::environment::Environment;
use crate::error::{Failure, chain};
use crate::{Context, log};

pub use lambda_runtime::Error;

/// Starts a function and hands it the events that Lambda delivers, one at a time, for as long as
/// the execution environment lives.
///
/// Every `functions/*/src/main.rs` calls this with the variables of its process, the configuration
/// that it loads from them, and its own `start` and `handle`. Logging begins before the
/// configuration is loaded.
///
/// # Errors
/// The environment is incomplete, or Lambda's runtime interface cannot be reached.
pub async fn main<F>(
    variables: impl IntoIterator<Item = (String, String)>,
    config: impl Future<Output = SdkConfig>,
    start: fn(Environment, &SdkConfig) -> F,
    handle: impl AsyncFn(&F, Value, Context) -> Result<Value, Failure>,
) -> Result<(), Error> {
    let variables: BTreeMap<String, String> = variables.into_iter().collect();
    log::start(&variables);
    let config = config.await;
    let environment = Environment::read(&variables).inspect_err(log::failure)?;
    let function = start(environment, &config);
    let clock = Clock::of(&config);
    let service = service_fn(|event: LambdaEvent<Value>| {
        let context = context(&event.context, clock.now());
        // On the heap: a future of so many nested calls is too deep for the compiler.
        let handled = Box::pin(handle(&function, event.payload, context));
        async { handled.await.inspect_err(log::failure).map_err(Diagnostic::from) }
    });
    lambda_runtime::run(service).await
}

fn context(lambda: &lambda_runtime::Context, now: Timestamp) -> Context {
    let deadline = i64::try_from(lambda.deadline).unwrap_or(i64::MAX);
    Context {
        now,
        deadline: Timestamp::from_millisecond(deadline).unwrap_or(Timestamp::MAX),
        request_id: lambda.request_id.clone(),
    }
}

impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Diagnostic {
        Diagnostic { error_type: failure.code().to_string(), error_message: chain(&failure) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(millis).expect("it is an instant")
    }

    #[test]
    fn an_invocation_is_what_lambda_says_of_it() {
        let mut lambda = lambda_runtime::Context::default();
        lambda.request_id = "request".to_string();
        lambda.deadline = 1_767_225_600_123;
        let now = millis(1_767_225_000_000);
        let deadline = millis(1_767_225_600_123);
        let expected = Context { now, deadline, request_id: "request".to_string() };
        assert_eq!(context(&lambda, now), expected);
        lambda.deadline = u64::MAX;
        assert_eq!(context(&lambda, now).deadline, Timestamp::MAX);
    }

    #[test]
    fn a_failure_has_its_code_as_error_type() {
        let diagnostic = Diagnostic::from(Failure::environment("NAME", "is not set"));
        assert_eq!(diagnostic.error_type, "environment-incomplete");
        assert_eq!(diagnostic.error_message, "environment variable NAME is not set");
    }
}
