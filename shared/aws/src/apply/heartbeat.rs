//! The life sign of a function, and the answer to a test event. Neither makes an event fail.

use serde_json::Value;

use crate::error::chain;
use crate::ledger::{Heartbeat, TestAnswer};
use crate::{Aws, Context, Failure, response};

/// Writes that the function has received an event: at the first one of an execution environment,
/// and then once an hour. A write that fails is logged and nothing more.
pub async fn heartbeat(aws: &Aws, context: &Context) {
    if !aws.beats.take(context.now) {
        return;
    }
    let heartbeat = Heartbeat {
        function: aws.environment.function.clone(),
        version: env!("CARGO_PKG_VERSION").to_string(),
        bus: aws.environment.bus.clone(),
        at: context.now,
    };
    log(aws.ledger.beat(&heartbeat).await, "the heartbeat");
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
