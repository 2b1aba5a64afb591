//! How events get onto a bus: `PutEvents`, and what AWS services send by themselves.

use std::time::Duration;

use serde_json::{Value, json};

use super::deliver::{self, Arrival};
use super::errors::invalid;
use super::{DEFAULT_BUS, Envelope, Event, bus_arn, note, parse_bus_arn};
use crate::kernel::access::{Call, Want};
use crate::kernel::error::ApiError;
use crate::kernel::ids;
use crate::kernel::json::Members;
use crate::kernel::scope::Scope;
use crate::kernel::time::Time;
use crate::model::Model;

/// An AWS service sends an event to the default bus of the account in the region.
pub fn emit(model: &mut Model, scope: &Scope, event: Event) {
    let now = model.now;
    let delay = model.draw_ms(model.config.pace.event_delay_ms.clone());
    let sending = Sending {
        bus: DEFAULT_BUS.to_string(),
        envelope: envelope(model, scope, event, now),
        only_rule: None,
        delay,
    };
    send(model, scope, sending);
}

/// An event on its way to a bus.
#[derive(Clone, Debug)]
pub struct Sending {
    pub bus: String,
    pub envelope: Envelope,
    /// A scheduled event is for the rule whose schedule it is.
    pub only_rule: Option<String>,
    pub delay: Duration,
}

/// Sends as many copies of an event as the faults let through, which tell what they did to it.
pub fn send(model: &mut Model, scope: &Scope, sending: Sending) {
    let copies = model.faults.event_fate(&sending.envelope);
    if copies.is_empty() {
        let detail = json!({ "bus": bus_arn(scope, &sending.bus) });
        note(model, scope, &sending.envelope, "lost on its way to the bus", detail);
    }
    for extra in copies {
        let arrival = Arrival {
            bus: sending.bus.clone(),
            envelope: sending.envelope.clone(),
            only_rule: sending.only_rule.clone(),
            forwarded: false,
        };
        deliver::plan_arrival(model, scope, sending.delay.saturating_add(extra), arrival);
    }
}

/// The event with all that buses and targets see of it.
pub fn envelope(model: &mut Model, scope: &Scope, event: Event, time: Time) -> Envelope {
    let envelope = json!({
        "version": "0",
        "id": ids::uuid(&mut model.rng),
        "detail-type": event.detail_type,
        "source": event.source,
        "account": &*scope.account,
        "time": time.to_seconds_text(),
        "region": &*scope.region,
        "resources": event.resources,
        "detail": event.detail,
    });
    Envelope::new(envelope)
}

const ENTRIES_MAX: usize = 10;
/// Of all entries of a request together.
const BYTES_MAX: usize = 1_048_576;

/// An entry of `PutEvents`, on which the bus it is for has not yet been looked at.
struct Entry<'a> {
    scope: Scope,
    bus: &'a str,
    time: Option<Time>,
    source: &'a str,
    detail_type: &'a str,
    detail: &'a str,
    resources: Vec<&'a str>,
}

impl<'a> Entry<'a> {
    fn read(call: &Call, members: &Members<'a>) -> Result<Entry<'a>, ApiError> {
        let bus = members.text("EventBusName")?.unwrap_or(DEFAULT_BUS);
        let (scope, bus) = match parse_bus_arn(bus) {
            None => (call.scope.clone(), bus),
            Some((scope, name)) if scope.region == call.scope.region => (scope, name),
            Some(_) => return Err(invalid(format!("Event bus {bus} is in another region."))),
        };
        // Before the epoch there is no time here, and far ahead it ends.
        let time =
            members.number("Time")?.map(|seconds| Time::from_millis((seconds * 1000.0) as u64));
        let text = |name: &str| Ok(members.text(name)?.unwrap_or_default());
        Ok(Entry {
            scope,
            bus,
            time,
            source: text("Source")?,
            detail_type: text("DetailType")?,
            detail: text("Detail")?,
            resources: members.texts("Resources")?,
        })
    }

    /// The size as EventBridge counts it: the time for 14 bytes, texts in UTF-8.
    fn size(&self) -> usize {
        let resources: usize = self.resources.iter().map(|resource| resource.len()).sum();
        let time = if self.time.is_some() { 14 } else { 0 };
        time + self.source.len() + self.detail_type.len() + self.detail.len() + resources
    }

    fn want(&self) -> Want {
        Want::new("events:PutEvents", bus_arn(&self.scope, self.bus))
            .key("events:source", self.source)
            .key("events:detail-type", self.detail_type)
            .key("events:eventBusInvocation", "false")
    }

    /// The event, or the code and the message with which the entry fails.
    fn to_event(&self) -> Result<Event, (&'static str, String)> {
        let required =
            [("Source", self.source), ("DetailType", self.detail_type), ("Detail", self.detail)];
        if let Some((name, _)) = required.into_iter().find(|(_, text)| text.is_empty()) {
            let text =
                format!("Parameter {name} is not valid. Reason: {name} is a required argument.");
            return Err(("InvalidArgument", text));
        }
        if self.source.starts_with("aws.") {
            let text = "Not authorized for the source.".to_string();
            return Err(("NotAuthorizedForSourceException", text));
        }
        let Ok(detail @ Value::Object(_)) = serde_json::from_str(self.detail) else {
            return Err(("MalformedDetail", "Detail is malformed.".to_string()));
        };
        let resources = self.resources.iter().map(ToString::to_string).collect();
        Ok(Event::new(self.source, self.detail_type, resources, detail))
    }
}

/// Puts what it can, and says of each entry how it went. An event for a bus that does not exist is
/// accepted like any other, and lost.
pub fn put(model: &mut Model, call: &Call, members: &Members) -> Result<Value, ApiError> {
    let groups = members.groups("Entries")?;
    let mut entries = Vec::new();
    for group in &groups {
        entries.push(Entry::read(call, group)?);
    }
    members.finish()?;
    if entries.is_empty() {
        let constraint = "Member must have length greater than or equal to 1";
        return Err(members.unfit("Entries", "[]", constraint));
    }
    if entries.len() > ENTRIES_MAX {
        let constraint = format!("Member must have length less than or equal to {ENTRIES_MAX}");
        return Err(members.unfit("Entries", &format!("[{} entries]", entries.len()), &constraint));
    }
    if entries.iter().map(Entry::size).sum::<usize>() > BYTES_MAX {
        return Err(invalid("Total size of the entries in the request is over the limit."));
    }
    permit(model, call, &entries)?;
    let mut failed = 0;
    let mut results = Vec::new();
    for entry in &entries {
        results.push(match entry.to_event() {
            Ok(event) => json!({ "EventId": accept(model, call, entry, event) }),
            Err((code, message)) => {
                failed += 1;
                json!({ "ErrorCode": code, "ErrorMessage": message })
            }
        });
    }
    Ok(json!({ "FailedEntryCount": failed, "Entries": results }))
}

/// The policies of the caller and of the buses have to allow every entry; a bus of another account
/// lets nobody in unless its policy does.
fn permit(model: &Model, call: &Call, entries: &[Entry]) -> Result<(), ApiError> {
    let mut without_policy = Vec::new();
    for entry in entries {
        match model.bus_policy(&entry.scope, entry.bus) {
            Some(policy) => model.permit_on(call, &entry.want(), Some(policy))?,
            None if entry.scope.account == call.scope.account => without_policy.push(entry.want()),
            None => {
                let text = format!(
                    "User: {} is not authorized to perform: events:PutEvents on resource: {} \
                     because no resource-based policy allows the events:PutEvents action",
                    call.caller.arn,
                    bus_arn(&entry.scope, entry.bus)
                );
                return Err(ApiError::bad("AccessDeniedException", text));
            }
        }
    }
    model.permit(call, &without_policy)
}

/// Sends an accepted event, and gives its id. Its account is the sender's, whoever owns the bus.
fn accept(model: &mut Model, call: &Call, entry: &Entry, event: Event) -> Value {
    let time = entry.time.unwrap_or(model.now);
    let envelope = envelope(model, &call.scope, event, time);
    let id = envelope["id"].clone();
    let delay = model.draw_ms(model.config.pace.event_delay_ms.clone());
    let sending = Sending { bus: entry.bus.to_string(), envelope, only_rule: None, delay };
    send(model, &entry.scope, sending);
    id
}
