//! Operations on queues.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::attributes::{self, Settings};
use super::state::Queue;
use super::{PAUSE, arn, named, no_such_queue, permit, queue, url};
use crate::kernel::access::{Call, Want};
use crate::kernel::error::ApiError;
use crate::kernel::json::Members;
use crate::kernel::page::Page;
use crate::model::Model;

const NAME_CHARS_MAX: usize = 80;

fn check_name(name: &str) -> Result<(), ApiError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.ends_with(".fifo") {
        let text = "First-in-first-out queues are not modelled here";
        return Err(ApiError::bad("UnsupportedOperation", text));
    }
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || !name.chars().all(plain) {
        let text = "Can only include alphanumeric characters, hyphens, or underscores. \
                    1 to 80 in length";
        return Err(ApiError::bad("InvalidParameterValue", text));
    }
    Ok(())
}

/// The same queue with the same attributes again is no error, and changes nothing.
pub fn create(model: &mut Model, call: &Call, members: &Members) -> Result<Value, ApiError> {
    let name = members.required("QueueName")?;
    let given = members.map("Attributes")?;
    members.finish()?;
    check_name(name)?;
    let mut settings = Settings::default();
    let policy = settings.set(&given)?;
    permit(model, call, name)?;
    let now = model.now;
    let region = model.sqs.entry(call.scope.clone()).or_default();
    if let Some(queue) = region.queues.get(name) {
        let have = queue.settings.to_map();
        let wanted = settings.to_map();
        let differs = |name: &&String| have.get(name.as_str()) != wanted.get(name.as_str());
        if let Some(name) = given.keys().find(differs) {
            let text = format!(
                "A queue already exists with the same name and a different value for attribute \
                 {name}"
            );
            return Err(ApiError::bad("QueueNameExists", text));
        }
        return Ok(json!({ "QueueUrl": url(&call.scope, name) }));
    }
    if region.deleted.get(name).is_some_and(|at| now < *at + PAUSE) {
        let text = "You must wait 60 seconds after deleting a queue before you can create another \
                    with the same name.";
        return Err(ApiError::bad("QueueDeletedRecently", text));
    }
    let queue = Queue {
        arn: arn(&call.scope, name),
        settings,
        policy,
        created: now,
        modified: now,
        purged: None,
        messages: Vec::new(),
    };
    region.queues.insert(name.to_string(), queue);
    Ok(json!({ "QueueUrl": url(&call.scope, name) }))
}

pub fn get_url(model: &mut Model, call: &Call, members: &Members) -> Result<Value, ApiError> {
    let name = members.required("QueueName")?;
    let owner = members.text("QueueOwnerAWSAccountId")?;
    members.finish()?;
    permit(model, call, name)?;
    queue(model, call, name)?;
    if owner.is_some_and(|owner| owner != &*call.scope.account) {
        return Err(no_such_queue());
    }
    Ok(json!({ "QueueUrl": url(&call.scope, name) }))
}

pub fn get_attributes(
    model: &mut Model,
    call: &Call,
    members: &Members,
) -> Result<Value, ApiError> {
    let name = named(call, members)?;
    let wanted = members.texts("AttributeNames")?;
    members.finish()?;
    let known = |name: &str| name == "All" || attributes::READABLE.contains(&name);
    if let Some(name) = wanted.iter().find(|name| !known(name)) {
        return Err(attributes::unknown(name));
    }
    permit(model, call, name)?;
    let now = model.now;
    let queue = queue(model, call, name)?;
    let mut all = queue.settings.to_map();
    let (mut visible, mut delayed, mut in_flight) = (0, 0, 0);
    for message in &queue.messages {
        match (message.visible_from <= now, message.received) {
            (true, _) => visible += 1,
            (false, 0) => delayed += 1,
            (false, _) => in_flight += 1,
        }
    }
    all.insert("QueueArn", queue.arn.clone());
    all.insert("CreatedTimestamp", queue.created.secs().to_string());
    all.insert("LastModifiedTimestamp", queue.modified.secs().to_string());
    all.insert("ApproximateNumberOfMessages", visible.to_string());
    all.insert("ApproximateNumberOfMessagesDelayed", delayed.to_string());
    all.insert("ApproximateNumberOfMessagesNotVisible", in_flight.to_string());
    all.retain(|name, _| wanted.contains(&"All") || wanted.contains(name));
    let attributes: BTreeMap<_, _> = all.into_iter().collect();
    Ok(if attributes.is_empty() { json!({}) } else { json!({ "Attributes": attributes }) })
}

pub fn set_attributes(
    model: &mut Model,
    call: &Call,
    members: &Members,
) -> Result<Value, ApiError> {
    let name = named(call, members)?;
    let given = members.map("Attributes")?;
    members.finish()?;
    permit(model, call, name)?;
    let now = model.now;
    let queue = queue(model, call, name)?;
    let mut settings = queue.settings.clone();
    queue.policy = settings.set(&given)?;
    queue.settings = settings;
    queue.modified = now;
    Ok(Value::Null)
}

pub fn list(model: &mut Model, call: &Call, members: &Members) -> Result<Value, ApiError> {
    let prefix = members.text("QueueNamePrefix")?.unwrap_or_default();
    let size = members.integer("MaxResults")?;
    let token = members.text("NextToken")?;
    members.finish()?;
    if size.is_some_and(|size| !(1..=1000).contains(&size)) {
        let text = "MaxResults must be between 1 and 1000";
        return Err(ApiError::bad("InvalidParameterValue", text));
    }
    let page = Page::resume(size.unwrap_or(1000), token)
        .map_err(|error| ApiError::bad("InvalidParameterValue", error.message))?;
    model.permit(call, &[Want::new("sqs:ListQueues", arn(&call.scope, "*"))])?;
    let region = model.sqs.entry(call.scope.clone()).or_default();
    let names = region.queues.keys().filter(|name| name.starts_with(prefix));
    let rest = names.filter(|name| page.after.as_ref().is_none_or(|after| *name > after));
    let (names, next) = page.take(rest, |name| name);
    let mut answer = json!({});
    if !names.is_empty() {
        let urls: Vec<_> = names.into_iter().map(|name| url(&call.scope, name)).collect();
        answer["QueueUrls"] = json!(urls);
    }
    if let Some(next) = next.filter(|_| size.is_some()) {
        answer["NextToken"] = json!(next);
    }
    Ok(answer)
}

pub fn purge(model: &mut Model, call: &Call, members: &Members) -> Result<Value, ApiError> {
    let name = named(call, members)?;
    members.finish()?;
    permit(model, call, name)?;
    let now = model.now;
    let queue = queue(model, call, name)?;
    if queue.purged.is_some_and(|at| now < at + PAUSE) {
        let text = format!(
            "Only one PurgeQueue operation on {name} is allowed every {} seconds.",
            PAUSE.as_secs()
        );
        return Err(ApiError::new(403, "PurgeQueueInProgress", text));
    }
    queue.purged = Some(now);
    queue.messages.clear();
    Ok(Value::Null)
}

pub fn delete(model: &mut Model, call: &Call, members: &Members) -> Result<Value, ApiError> {
    let name = named(call, members)?;
    members.finish()?;
    permit(model, call, name)?;
    queue(model, call, name)?;
    let now = model.now;
    if let Some(region) = model.sqs.get_mut(&call.scope) {
        region.queues.remove(name);
        region.deleted.insert(name.to_string(), now);
    }
    Ok(Value::Null)
}
