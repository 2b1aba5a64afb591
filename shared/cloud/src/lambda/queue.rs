//! The queue of asynchronous invocations.
//!
//! An event is tried as soon as the concurrency allows; while it does not, it is tried again after
//! 1 s, 2 s, 4 s and so on up to 5 min. A function that fails is tried again after 1 min and then
//! after 2 min. An event that is too old, or has failed every time, is given up: the function's
//! on-failure destination and dead-letter queue are told. All tries have the same request id.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::code::FunctionError;
use super::environment;
use super::state::{Invocation, InvocationId};
use crate::kernel::access::Want;
use crate::kernel::ids;
use crate::kernel::scope::{Invoker, Scope};
use crate::kernel::time::Time;
use crate::kernel::trace::What;
use crate::model::{Line, Model};
use crate::sqs;

const AFTER_FIRST_FAILURE: Duration = Duration::from_secs(60);
const AFTER_LATER_FAILURE: Duration = Duration::from_secs(120);
const THROTTLE_BACK_OFF_MIN: Duration = Duration::from_secs(1);
const THROTTLE_BACK_OFF_MAX: Duration = Duration::from_secs(300);
/// More than enough doublings to reach the longest back-off.
const DOUBLINGS_MAX: u32 = 16;
/// A dead letter carries no more than this of the error's message.
const DEAD_LETTER_MESSAGE_BYTES_MAX: usize = 1024;

/// The reason why an event is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    RetriesExhausted,
    EventAgeExceeded,
}

impl Condition {
    const fn name(self) -> &'static str {
        match self {
            Condition::RetriesExhausted => "RetriesExhausted",
            Condition::EventAgeExceeded => "EventAgeExceeded",
        }
    }
}

/// The reason why an asynchronous invocation was not accepted.
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

/// Time after which an event whose function's region is dark is tried again.
const DARK_REGION_WAIT: Duration = Duration::from_secs(60);

/// Puts an event into a function's queue, without asking whether the caller may: what an
/// administrator of the function's account does. The result is the request id.
///
/// The real queue is consistent only in the end, so that an event can come out of it twice; here
/// that is a fault. Copies have one request id and are tried and given up each by itself.
pub fn enqueue(model: &mut Model, function_arn: &str, payload: Value) -> Result<String, Refusal> {
    let function = model.lambda.functions.get(function_arn).ok_or(Refusal::NoFunction)?;
    let copies = model.faults.invocation_copies(&function.spec.name);
    let request_id = ids::uuid(&mut model.rng);
    for _ in 0..copies {
        let id = InvocationId(model.lambda.number());
        let invocation = Invocation {
            function: function_arn.to_string(),
            request_id: request_id.clone(),
            payload: payload.clone(),
            accepted: model.now,
            tries: 0,
            throttles: 0,
            last_error: None,
        };
        model.lambda.queue.insert(id, invocation);
        model.after(Duration::ZERO, TRY, move |model| attempt(model, id));
    }
    Ok(request_id)
}

/// Name of the deed that tries an event, for the first time or again.
const TRY: &str = "lambda: event is tried";

/// Tries an event.
fn attempt(model: &mut Model, id: InvocationId) {
    let Some(invocation) = model.lambda.queue.get(&id) else { return };
    let Some(function) = model.lambda.functions.get(&invocation.function) else { return };
    if model.now >= invocation.accepted + function.spec.event_age_max {
        give_up(model, id, Condition::EventAgeExceeded);
    } else if function.spec.reserved_concurrency == Some(0) {
        // Nothing is gained by waiting: a function without any concurrency is one turned off.
        give_up(model, id, Condition::RetriesExhausted);
    } else if model.dark_regions.contains(&function.spec.region) {
        try_again(model, id, DARK_REGION_WAIT);
    } else if has_room(model, id) {
        if let Some(invocation) = model.lambda.queue.get_mut(&id) {
            invocation.tries += 1;
            invocation.throttles = 0;
        }
        environment::assign(model, id);
    } else {
        let Some(invocation) = model.lambda.queue.get_mut(&id) else { return };
        let doublings = invocation.throttles.min(DOUBLINGS_MAX);
        invocation.throttles += 1;
        let wait = THROTTLE_BACK_OFF_MIN.saturating_mul(1 << doublings);
        try_again(model, id, wait.min(THROTTLE_BACK_OFF_MAX));
    }
}

/// Tells whether the function's reserved concurrency, or what the account has left, allows one
/// more.
fn has_room(model: &Model, id: InvocationId) -> bool {
    let lambda = &model.lambda;
    let function = lambda.queue.get(&id).and_then(|it| lambda.functions.get(&it.function));
    let Some(function) = function else { return false };
    let arn = function.spec.arn();
    let busy = lambda.environments.values().filter(|execution| execution.is_busy());
    if let Some(reserved) = function.spec.reserved_concurrency {
        return busy.filter(|execution| execution.function == arn).count() < reserved;
    }
    let unreserved = |name: &String| {
        let function = lambda.functions.get(name);
        function.is_some_and(|function| function.spec.reserved_concurrency.is_none())
    };
    let limit = model.config.limits.lambda_concurrency;
    let shared = limit.saturating_sub(lambda.reserved_in(&function.scope));
    let own = busy.filter(|execution| execution.scope == function.scope);
    own.filter(|execution| unreserved(&execution.function)).count() < shared
}

/// An event that grows too old in the meantime is looked at when it does.
fn try_again(model: &mut Model, id: InvocationId, wait: Duration) {
    let Some(invocation) = model.lambda.queue.get(&id) else { return };
    let Some(function) = model.lambda.functions.get(&invocation.function) else { return };
    let too_old = invocation.accepted + function.spec.event_age_max;
    let at = (model.now + wait).min(too_old);
    model.at(at, TRY, move |model| attempt(model, id));
}

/// A try has ended.
pub(super) fn settle(model: &mut Model, id: InvocationId, result: Result<(), FunctionError>) {
    let Err(error) = result else {
        model.lambda.queue.remove(&id);
        return;
    };
    let Some(invocation) = model.lambda.queue.get_mut(&id) else { return };
    invocation.last_error = Some(error);
    let tries = invocation.tries;
    let Some(function) = model.lambda.functions.get(&invocation.function) else { return };
    if tries > function.spec.retry_attempts {
        give_up(model, id, Condition::RetriesExhausted);
    } else {
        let wait = if tries == 1 { AFTER_FIRST_FAILURE } else { AFTER_LATER_FAILURE };
        try_again(model, id, wait);
    }
}

fn give_up(model: &mut Model, id: InvocationId, condition: Condition) {
    let Some(invocation) = model.lambda.queue.remove(&id) else { return };
    let Some(function) = model.lambda.functions.get(&invocation.function) else { return };
    let spec = &function.spec;
    let (on_failure, dead_letter) = (spec.on_failure.clone(), spec.dead_letter.clone());
    let (scope, name, role) = (function.scope.clone(), spec.name.clone(), spec.role_arn.clone());
    let mut told = Vec::new();
    if let Some(queue) = on_failure {
        let body = record(model.now, &invocation, condition).to_string();
        let outcome = tell(model, (&scope, &role), &queue, body, BTreeMap::new());
        told.push(json!({ "onFailure": queue, "outcome": outcome }));
    }
    if let Some(queue) = dead_letter {
        let body = invocation.payload.to_string();
        let attributes = dead_letter_attributes(&invocation);
        let outcome = tell(model, (&scope, &role), &queue, body, attributes);
        told.push(json!({ "deadLetter": queue, "outcome": outcome }));
    }
    let line = Line {
        principal: "lambda.amazonaws.com",
        service: "lambda",
        action: &name,
        outcome: condition.name(),
        id: &invocation.request_id,
        detail: json!({ "tries": invocation.tries, "told": told, "event": invocation.payload }),
    };
    model.note(What::Delivery, &scope, line);
}

/// Sends to a queue in the function's role, which must be allowed to. What became of it.
fn tell(
    model: &mut Model,
    (scope, role_arn): (&Scope, &str),
    queue_arn: &str,
    body: String,
    attributes: BTreeMap<String, String>,
) -> &'static str {
    if !model.role_may(role_arn, scope, &Want::new("sqs:SendMessage", queue_arn)) {
        return "NO_PERMISSIONS";
    }
    sqs::deliver(model, queue_arn, body, attributes).err().unwrap_or("ok")
}

/// The message for an on-failure destination. An event that was never run has no response.
fn record(now: Time, invocation: &Invocation, condition: Condition) -> Value {
    let mut record = json!({
        "version": "1.0",
        "timestamp": now.to_millis_text(),
        "requestContext": {
            "requestId": invocation.request_id,
            "functionArn": format!("{}:$LATEST", invocation.function),
            "condition": condition.name(),
            "approximateInvokeCount": invocation.tries,
        },
        "requestPayload": invocation.payload,
    });
    if let (Some(error), Some(record)) = (&invocation.last_error, record.as_object_mut()) {
        let context = json!({
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        });
        record.insert("responseContext".to_string(), context);
        let payload = json!({
            "errorType": error.error_type,
            "errorMessage": error.error_message,
        });
        record.insert("responsePayload".to_string(), payload);
    }
    record
}

/// The status is that of the invocation itself: 200 if the function ran and failed.
fn dead_letter_attributes(invocation: &Invocation) -> BTreeMap<String, String> {
    let (code, message) = match &invocation.last_error {
        Some(error) => ("200", shortened(&error.error_message).to_string()),
        None => ("429", "Rate Exceeded.".to_string()),
    };
    BTreeMap::from([
        ("RequestID".to_string(), invocation.request_id.clone()),
        ("ErrorCode".to_string(), code.to_string()),
        ("ErrorMessage".to_string(), message),
    ])
}

fn shortened(text: &str) -> &str {
    text.get(..text.floor_char_boundary(DEAD_LETTER_MESSAGE_BYTES_MAX)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(message: &str) -> Invocation {
        Invocation {
            function: "arn:aws:lambda:us-east-1:123456789012:function:worker".to_string(),
            request_id: "e4b46cbf-b738-4880-8880-a18cdf61200e".to_string(),
            payload: json!({ "a": 1 }),
            accepted: Time::START,
            tries: 3,
            throttles: 0,
            last_error: Some(FunctionError::new("Boom", message)),
        }
    }

    #[test]
    fn a_destination_is_told_the_event_and_the_last_error() {
        let now = Time::START + Duration::from_millis(180_250);
        let expected = json!({
            "version": "1.0",
            "timestamp": "2026-01-01T00:03:00.250Z",
            "requestContext": {
                "requestId": "e4b46cbf-b738-4880-8880-a18cdf61200e",
                "functionArn":
                    "arn:aws:lambda:us-east-1:123456789012:function:worker:$LATEST",
                "condition": "RetriesExhausted",
                "approximateInvokeCount": 3,
            },
            "requestPayload": { "a": 1 },
            "responseContext": {
                "statusCode": 200,
                "executedVersion": "$LATEST",
                "functionError": "Unhandled",
            },
            "responsePayload": { "errorType": "Boom", "errorMessage": "it broke" },
        });
        assert_eq!(record(now, &failed("it broke"), Condition::RetriesExhausted), expected);
    }

    #[test]
    fn an_event_that_was_never_run_has_no_response() {
        let mut invocation = failed("");
        (invocation.tries, invocation.last_error) = (0, None);
        let record = record(Time::START, &invocation, Condition::EventAgeExceeded);
        assert_eq!(record["requestContext"]["condition"], json!("EventAgeExceeded"));
        assert_eq!(record["requestContext"]["approximateInvokeCount"], json!(0));
        assert_eq!(record.get("responseContext"), None);
        assert_eq!(record.get("responsePayload"), None);
    }

    #[test]
    fn a_dead_letter_has_three_attributes_and_a_short_message() {
        let attributes = dead_letter_attributes(&failed(&"ü".repeat(600)));
        let expected = BTreeMap::from([
            ("RequestID".to_string(), "e4b46cbf-b738-4880-8880-a18cdf61200e".to_string()),
            ("ErrorCode".to_string(), "200".to_string()),
            ("ErrorMessage".to_string(), "ü".repeat(512)),
        ]);
        assert_eq!(attributes, expected);
    }
}
