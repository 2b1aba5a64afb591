//! SQS, as far as it is needed: standard queues with their policies, as targets and dead letter
//! queues of other services, and what a client needs to read them.
//!
//! Messages come out in the order in which they went in, which a standard queue may do and does not
//! promise. A wait for messages (`WaitTimeSeconds`) ends at once.

pub mod answer;
mod attributes;
mod digest;
mod message;
mod queues;
mod receive;
pub(crate) mod state;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::kernel::access::{Call, Want};
use crate::kernel::arn::Arn;
use crate::kernel::error::ApiError;
use crate::kernel::iam::PrincipalRef;
use crate::kernel::ids;
use crate::kernel::json::Members;
use crate::kernel::permit::{OnResource, resource_admits};
use crate::kernel::scope::{Invoker, Scope};
use crate::model::Model;

use message::{Attribute, Message};
use state::{Queue, Region};

/// The code that clients of the older query protocol know an error by. SQS sends it along in the
/// header `x-amzn-query-error`, and SDKs put it in place of the other.
pub fn query_code(code: &str) -> &str {
    match code {
        "QueueDoesNotExist" => "AWS.SimpleQueueService.NonExistentQueue",
        "QueueDeletedRecently" => "AWS.SimpleQueueService.QueueDeletedRecently",
        "PurgeQueueInProgress" => "AWS.SimpleQueueService.PurgeQueueInProgress",
        "QueueNameExists" => "QueueAlreadyExists",
        other => other,
    }
}

fn arn(scope: &Scope, name: &str) -> String {
    format!("arn:aws:sqs:{}:{}:{name}", scope.region, scope.account)
}

fn url(scope: &Scope, name: &str) -> String {
    format!("https://sqs.{}.amazonaws.com/{}/{name}", scope.region, scope.account)
}

fn no_such_queue() -> ApiError {
    ApiError::bad("QueueDoesNotExist", "The specified queue does not exist.")
}

/// The name of the queue that a call means by `QueueUrl`. The host is of no account: clients that
/// are told another endpoint go by the path alone.
fn named<'a>(call: &Call, members: &Members<'a>) -> Result<&'a str, ApiError> {
    let url = members.required("QueueUrl")?;
    let mut parts = url.rsplit('/');
    match (parts.next(), parts.next()) {
        (Some(name), Some(account)) if account == &*call.scope.account => Ok(name),
        _ => Err(no_such_queue()),
    }
}

/// The queue that a call means, brought to the present.
fn queue<'m>(model: &'m mut Model, call: &Call, name: &str) -> Result<&'m mut Queue, ApiError> {
    let now = model.now;
    let region = model.sqs.get_mut(&call.scope).ok_or_else(no_such_queue)?;
    let queue = region.queues.get_mut(name).ok_or_else(no_such_queue)?;
    queue.expire(now);
    Ok(queue)
}

fn permit(model: &Model, call: &Call, name: &str) -> Result<(), ApiError> {
    let want = Want::new(&format!("sqs:{}", call.action), arn(&call.scope, name));
    let queue = model.sqs.get(&call.scope).and_then(|region| region.queues.get(name));
    let policy = queue.and_then(|queue| queue.policy.as_ref());
    let owner = &*call.scope.account;
    let on_queue = policy.map(|policy| OnResource { policy, owner, gated: false });
    model.permit_on(call, &want, on_queue)
}

/// Puts a message into the queue with that ARN, for a service that has seen to its permission
/// itself, as Lambda does by the function's role.
/// The error is the code that EventBridge or Lambda would report: no such queue.
pub fn deliver(
    model: &mut Model,
    queue_arn: &str,
    body: String,
    attributes: BTreeMap<String, String>,
) -> Result<(), &'static str> {
    let now = model.now;
    let id = ids::uuid(&mut model.rng);
    let queue = find_mut(&mut model.sqs, queue_arn).ok_or("NO_RESOURCE")?;
    queue.expire(now);
    let text = |(name, value)| (name, Attribute::text(value));
    let attributes = attributes.into_iter().map(text).collect();
    let visible_from = now + queue.settings.delay;
    queue.messages.push(Message::new(id, body, attributes, now, visible_from));
    Ok(())
}

/// Puts a message into the queue with that ARN, if the queue's policy lets the service do so on
/// behalf of its resource. The error is `NO_RESOURCE` or `NO_PERMISSIONS`.
pub fn deliver_as(
    model: &mut Model,
    sender: &Invoker,
    queue_arn: &str,
    body: String,
    attributes: BTreeMap<String, String>,
) -> Result<(), &'static str> {
    let queue = find_mut(&mut model.sqs, queue_arn).ok_or("NO_RESOURCE")?;
    let account = Arn::parse(&sender.source_arn).map_or("", |arn| arn.account);
    let want = Want::new("sqs:SendMessage", queue_arn)
        .key("aws:SourceArn", sender.source_arn.as_str())
        .key("aws:SourceAccount", account);
    let service = PrincipalRef::Service(sender.service.clone());
    let admits = |policy| resource_admits(policy, &service, &want);
    if !queue.policy.as_ref().is_some_and(admits) {
        return Err("NO_PERMISSIONS");
    }
    deliver(model, queue_arn, body, attributes)
}

fn find_mut<'a>(all: &'a mut BTreeMap<Scope, Region>, queue_arn: &str) -> Option<&'a mut Queue> {
    let arn = Arn::parse(queue_arn).filter(|arn| arn.service == "sqs")?;
    all.get_mut(&arn.scope())?.queues.get_mut(arn.resource)
}

/// Every message in every queue, for people and tests outside.
pub fn dead_letters(model: &Model) -> Value {
    let queues = model.sqs.values().flat_map(|region| region.queues.values());
    let letters = queues.flat_map(|queue| {
        let kept = |message: &&Message| !message.is_expired(model.now, queue.settings.retention);
        queue.messages.iter().filter(kept).map(|message| {
            json!({
                "queue": queue.arn,
                "id": message.id,
                "sent": message.sent.to_millis_text(),
                "body": message.body,
                "attributes": message.texts(),
            })
        })
    });
    Value::Array(letters.collect())
}

/// Names of queues stay taken, and a queue is not purged again, for this long.
const PAUSE: Duration = Duration::from_secs(60);
