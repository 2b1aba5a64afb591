//! The functions in process: what each of them runs, as the embedded cloud starts it.

use std::collections::BTreeMap;
use std::sync::Arc;

use afterimage_aws::error::chain;
use afterimage_aws::{Context, Environment, Failure};
use afterimage_cloud::lambda::{self, BoxFuture, Code, FunctionError, Instance};
use aws_types::SdkConfig;
use serde_json::Value;

/// How a function starts, and how it handles an event.
type Start<F> = fn(Environment, &SdkConfig) -> F;
type Handle<F> = for<'a> fn(&'a F, Value, Context) -> BoxFuture<'a, Result<Value, Failure>>;

/// Every crate of a function has these two; their types are its own.
macro_rules! code {
    ($function:ident) => {
        in_process($function::start, |function, event, context| {
            Box::pin(function.handle(event, context))
        })
    };
}

/// The code of every function of the template, by its name there, which begins with the stack's.
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

/// A function that has been started.
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

/// As Lambda shows it: the code, and the error with what led to it.
fn to_error(failure: &Failure) -> FunctionError {
    FunctionError::new(failure.code(), chain(failure))
}
