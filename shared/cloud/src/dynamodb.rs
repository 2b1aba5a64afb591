//! DynamoDB, by dynoxide: one database per account and region, on the world's clock.

use serde_json::Value;

use crate::access::Call;
use crate::error::ApiError;
use crate::model::{Model, Scope};
use crate::time::Time;

/// The tables of all accounts and regions.
#[derive(Debug, Default)]
pub struct Tables {}

impl Tables {
    pub fn set_clock(&mut self, _now: Time) {}
}

/// What DynamoDB has on the agenda.
#[derive(Clone, Debug)]
pub enum Step {}

pub fn happen(_model: &mut Model, _scope: &Scope, step: Step) {
    match step {}
}

pub fn answer(_model: &mut Model, call: &Call, _body: &Value) -> Result<Value, ApiError> {
    Err(crate::dispatch::unknown_operation(call))
}
