//! Operations on messages.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Value, json};

use super::digest::hex;
use super::message::{self, Attribute, Message};
use super::{attributes, named, permit, queue};
use crate::kernel::access::Call;
use crate::kernel::error::ApiError;
use crate::kernel::ids;
use crate::kernel::json::Members;
use crate::model::Model;

pub fn send(model: &mut Model, call: &Call, members: &Members) -> Result<Value, ApiError> {
    let name = named(call, members)?;
    let body = members.required("MessageBody")?;
    let delay = bounded(members, "DelaySeconds", 0..=900)?;
    let attributes = message::read(members)?;
    members.finish()?;
    if body.is_empty() {
        let text = "The request must contain the parameter MessageBody.";
        return Err(ApiError::bad("MissingParameter", text));
    }
    permit(model, call, name)?;
    let now = model.now;
    let id = ids::uuid(&mut model.rng);
    let queue = queue(model, call, name)?;
    let limit = queue.settings.message_bytes_max;
    if message::size(body, &attributes) as u64 > limit {
        let text = format!(
            "One or more parameters are invalid. Reason: Message must be shorter than {limit} \
             bytes."
        );
        return Err(ApiError::bad("InvalidParameterValue", text));
    }
    let mut answer = json!({ "MessageId": id, "MD5OfMessageBody": hex(body.as_bytes()) });
    let all = attributes.iter().map(|(name, one)| (name.as_str(), one)).collect();
    if let Some(digest) = message::digest(&all) {
        answer["MD5OfMessageAttributes"] = json!(digest);
    }
    let visible_from = now + delay.map_or(queue.settings.delay, Duration::from_secs);
    queue.messages.push(Message::new(id, body.to_string(), attributes, now, visible_from));
    Ok(answer)
}

pub fn receive(model: &mut Model, call: &Call, members: &Members) -> Result<Value, ApiError> {
    let name = named(call, members)?;
    let count = bounded(members, "MaxNumberOfMessages", 1..=10)?.unwrap_or(1);
    let visibility = bounded(members, "VisibilityTimeout", 0..=43_200)?;
    bounded(members, "WaitTimeSeconds", 0..=20)?;
    let wanted = members.texts("MessageAttributeNames")?;
    let mut system = members.texts("MessageSystemAttributeNames")?;
    system.extend(members.texts("AttributeNames")?);
    members.finish()?;
    if let Some(name) = system.iter().find(|name| !SYSTEM_ATTRIBUTES.contains(name)) {
        return Err(attributes::unknown(name));
    }
    permit(model, call, name)?;
    let now = model.now;
    let sender = call.caller.arn.clone();
    let queue = queue(model, call, name)?;
    let hidden = visibility.map_or(queue.settings.visibility, Duration::from_secs);
    let ready = queue.messages.iter_mut().filter(|message| message.visible_from <= now);
    let mut messages = Vec::new();
    for message in ready.take(usize::try_from(count).unwrap_or(usize::MAX)) {
        message.received = message.received.saturating_add(1);
        message.first_received.get_or_insert(now);
        message.visible_from = now + hidden;
        messages.push(render(message, &wanted, &system, &sender));
    }
    Ok(if messages.is_empty() { json!({}) } else { json!({ "Messages": messages }) })
}

const SYSTEM_ATTRIBUTES: [&str; 5] = [
    "All",
    "SenderId",
    "SentTimestamp",
    "ApproximateReceiveCount",
    "ApproximateFirstReceiveTimestamp",
];

fn render(message: &Message, wanted: &[&str], system: &[&str], sender: &str) -> Value {
    let mut shown = json!({
        "MessageId": message.id,
        "ReceiptHandle": message.handle(),
        "MD5OfBody": hex(message.body.as_bytes()),
        "Body": message.body,
    });
    let first = message.first_received.map_or(0, |time| time.millis());
    let all = BTreeMap::from([
        ("SenderId", sender.to_string()),
        ("SentTimestamp", message.sent.millis().to_string()),
        ("ApproximateReceiveCount", message.received.to_string()),
        ("ApproximateFirstReceiveTimestamp", first.to_string()),
    ]);
    let asked = |name: &str| system.contains(&"All") || system.contains(&name);
    let asked: BTreeMap<_, _> = all.into_iter().filter(|(name, _)| asked(name)).collect();
    if !asked.is_empty() {
        shown["Attributes"] = json!(asked);
    }
    let attributes: BTreeMap<&str, &Attribute> = message
        .attributes
        .iter()
        .filter(|(name, _)| wanted.iter().any(|pattern| fits(pattern, name)))
        .map(|(name, attribute)| (name.as_str(), attribute))
        .collect();
    if let Some(digest) = message::digest(&attributes) {
        shown["MD5OfMessageAttributes"] = json!(digest);
        shown["MessageAttributes"] = message::to_json(&attributes);
    }
    shown
}

/// `All`, `.*`, a beginning as `bar.*`, or a name.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix(".*") {
        Some(start) => name.starts_with(start),
        None => pattern == "All" || pattern == name,
    }
}

/// A handle that has been replaced by a later receipt is accepted, and deletes nothing.
pub fn delete(model: &mut Model, call: &Call, members: &Members) -> Result<Value, ApiError> {
    let name = named(call, members)?;
    let handle = members.required("ReceiptHandle")?;
    members.finish()?;
    permit(model, call, name)?;
    let queue = queue(model, call, name)?;
    let count = handle.split_once('.').and_then(|(_, count)| count.parse::<u32>().ok());
    if count.is_none() {
        let text = format!("The input receipt handle \"{handle}\" is not a valid receipt handle.");
        return Err(ApiError::new(404, "ReceiptHandleIsInvalid", text));
    }
    queue.messages.retain(|message| message.handle() != handle);
    Ok(Value::Null)
}

fn bounded(
    members: &Members,
    name: &str,
    range: RangeInclusive<u64>,
) -> Result<Option<u64>, ApiError> {
    let Some(number) = members.integer(name)? else { return Ok(None) };
    match u64::try_from(number).ok().filter(|number| range.contains(number)) {
        Some(number) => Ok(Some(number)),
        None => {
            let text = format!(
                "Value {number} for parameter {name} is invalid. Reason: Must be between {} and \
                 {}, if provided.",
                range.start(),
                range.end()
            );
            Err(ApiError::bad("InvalidParameterValue", text))
        }
    }
}
