//! The life of an execution environment in process: it starts, and then takes one invocation after
//! the other until it ends.

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use aws_types::SdkConfig;

use super::work::next;
use crate::cloud::Cloud;
use crate::kernel::scope::EnvironmentId;
use crate::lambda::{Ending, Environment, Factory, Instance, end, finished};

/// From the cold start to the end.
pub(super) async fn live(
    cloud: Cloud,
    environment: EnvironmentId,
    factory: Factory,
    variables: Environment,
    config: SdkConfig,
) {
    let cold_start = cloud.with(|model| model.config.pace.cold_start);
    if !cold_start.is_zero() {
        tokio::time::sleep(cold_start).await;
    }
    let ending = match caught(async { factory(variables, config).await }).await {
        Ok(Ok(instance)) => serve(&cloud, environment, instance).await,
        Ok(Err(error)) => Some(Ending::Failed(error)),
        Err(panic) => Some(Ending::Exited(panic)),
    };
    if let Some(ending) = ending {
        cloud.with(|model| end(model, environment, ending));
    }
}

/// Takes invocations until the model says that there will be none, or the function panics.
async fn serve(
    cloud: &Cloud,
    environment: EnvironmentId,
    mut instance: Box<dyn Instance>,
) -> Option<Ending> {
    while let Ok(job) = next(cloud, environment).await {
        let request_id = job.context.request_id.clone();
        let result = match caught(async { instance.handle(job.event, job.context).await }).await {
            Ok(result) => result.map(drop),
            Err(panic) => return Some(Ending::Exited(panic)),
        };
        cloud.with(|model| finished(model, environment, &request_id, result));
    }
    None
}

/// Runs a future to its end, or to its panic, of which it says how the process would have ended.
async fn caught<T>(future: impl Future<Output = T>) -> Result<T, String> {
    let mut future = pin!(future);
    // After a panic the future is only dropped, so that nothing half done is ever seen.
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
        Err(panic) => Poll::Ready(Err(exit(panic.as_ref()))),
    })
    .await
}

/// The exit status of a Rust program that panicked is 101.
fn exit(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    let text = text.map_or_else(String::new, |text| format!(": {text}"));
    format!("with error: exit status 101{text}")
}
