//! The life sign of a function, the number of the format, and the answer to a test event. Of these
//! only the number makes an event fail, if a newer version has written the ledger.

use serde_json::Value;

use crate::error::chain;
use crate::ledger::{Heartbeat, TestAnswer};
use crate::{Aws, Context, Failure, response};

/// Writes that the function has received an event, and the number of the format: at the first event
/// of an execution environment, and then once an hour. A write that fails is logged and nothing
/// more.
///
/// # Errors
/// A newer version has written the ledger. The next event looks again.
pub async fn heartbeat(aws: &Aws, context: &Context) -> Result<(), Failure> {
    if !aws.beats.take(context.now) {
        return Ok(());
    }
    let heartbeat = Heartbeat {
        function: aws.environment.function.clone(),
        version: env!("CARGO_PKG_VERSION").to_string(),
        template: aws.environment.template.clone(),
        bus: aws.environment.bus.clone(),
        at: context.now,
    };
    log(aws.ledger.beat(&heartbeat).await, "the heartbeat");
    match aws.ledger.claim_format().await {
        Err(refused @ (Failure::Format { .. } | Failure::Item { .. })) => {
            aws.beats.forget();
            Err(refused)
        }
        claimed => {
            log(claimed, "the number of the format");
            Ok(())
        }
    }
}

/// Answers a test event. A write that fails is logged and not tried again: anybody who may put
/// events on our bus can send any number of test events.
pub async fn answer_test(aws: &Aws, id: String, context: &Context) -> Value {
    let answer = TestAnswer { id, at: context.now };
    log(aws.ledger.answer_test(&answer).await, "the answer to a test event");
    response::tested()
}

fn log(written: Result<(), Failure>, what: &str) {
    if let Err(failure) = written {
        tracing::warn!(code = failure.code(), "{what} was not written: {}", chain(&failure));
    }
}
