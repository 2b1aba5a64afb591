//! The code of the functions, as the embedded cloud runs it in process.

use std::collections::BTreeMap;
use std::sync::Arc;

use afterimage_aws::error::chain;
use afterimage_aws::{Context, Environment, Failure};
use afterimage_cloud::lambda::{self, BoxFuture, Code, FunctionError, Instance};
use aws_types::SdkConfig;
use serde_json::Value;

/// Cold start of a function.
type Start<F> = fn(Environment, &SdkConfig) -> F;
/// Invocation of a function.
type Handle<F> = for<'a> fn(&'a F, Value, Context) -> BoxFuture<'a, Result<Value, Failure>>;

/// Wraps the crate of a function. Every such crate has `start` and `handle`, with types of its own.
macro_rules! code {
    ($function:ident) => {
        in_process($function::start, |function, event, context| {
            Box::pin(function.handle(event, context))
        })
    };
}

/// Maps the name of every function of the template to its code. The names begin with the stack's.
pub fn of_stack(stack: &str) -> BTreeMap<String, Code> {
    let all = [
        ("backup-tick", code!(backup_tick)),
        ("image-state-changed", code!(image_state_changed)),
        ("instance-state-changed", code!(instance_state_changed)),
        ("instance-tagged", code!(instance_tagged)),
        ("reconcile-tick", code!(reconcile_tick)),
        ("snapshots-completed", code!(snapshots_completed)),
        ("work-requested", code!(work_requested)),
    ];
    all.into_iter().map(|(name, code)| (format!("{stack}-{name}"), code)).collect()
}

fn in_process<F: Send + Sync + 'static>(start: Start<F>, handle: Handle<F>) -> Code {
    Code::InProcess(Arc::new(move |variables: lambda::Environment, config: SdkConfig| {
        Box::pin(async move {
            let environment = Environment::read(&variables.variables);
            let environment = environment.map_err(|failure| to_error(&failure))?;
            let function = start(environment, &config);
            Ok(Box::new(Started { function, handle }) as Box<dyn Instance>)
        })
    }))
}

/// Started function.
struct Started<F> {
    function: F,
    handle: Handle<F>,
}

impl<F: Send + Sync> Instance for Started<F> {
    fn handle(
        &mut self,
        event: Value,
        context: lambda::Context,
    ) -> BoxFuture<'_, Result<Value, FunctionError>> {
        let lambda::Context { now, deadline, request_id } = context;
        let context = Context { now: now.stamp(), deadline: deadline.stamp(), request_id };
        let answer = (self.handle)(&self.function, event, context);
        Box::pin(async move { answer.await.map_err(|failure| to_error(&failure)) })
    }
}

/// Turns a failure into the error that Lambda shows: the code, and the failure with its causes.
fn to_error(failure: &Failure) -> FunctionError {
    FunctionError::new(failure.code(), chain(failure))
}
