//! EventBridge: buses, rules, targets and the events that AWS services send.

pub mod pattern;
mod pattern_parts;
pub mod schedule;

use serde_json::Value;

use crate::access::Call;
use crate::error::ApiError;
use crate::model::{Model, Scope};

/// The buses of one account in one region.
#[derive(Debug, Default)]
pub struct Region {}

/// What EventBridge has on the agenda.
#[derive(Clone, Debug)]
pub enum Step {}

pub fn happen(_model: &mut Model, _scope: &Scope, step: Step) {
    match step {}
}

/// An event on its way to a bus; id, time, account and region are added when it is sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub source: String,
    pub detail_type: String,
    pub resources: Vec<String>,
    pub detail: Value,
}

impl Event {
    pub fn new(source: &str, detail_type: &str, resources: Vec<String>, detail: Value) -> Event {
        let (source, detail_type) = (source.to_string(), detail_type.to_string());
        Event { source, detail_type, resources, detail }
    }
}

/// An AWS service sends an event to the default bus of the account in the region.
pub fn emit(_model: &mut Model, _scope: &Scope, _event: Event) {}

pub fn answer(_model: &mut Model, call: &Call, _body: &Value) -> Result<Value, ApiError> {
    Err(crate::dispatch::unknown_operation(call))
}
