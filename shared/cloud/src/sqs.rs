//! SQS, as far as it is needed.

use serde_json::Value;

use crate::access::Call;
use crate::error::ApiError;
use crate::model::Model;

/// What SQS has in one account and region.
#[derive(Debug, Default)]
pub struct Region {}

pub fn answer(_model: &mut Model, call: &Call, _body: &Value) -> Result<Value, ApiError> {
    Err(crate::dispatch::unknown_operation(call))
}

/// Puts a message into the queue with that ARN, as an AWS service does for a dead letter.
/// The error is the code that EventBridge or Lambda would report: no such queue, or no permission.
pub fn deliver(
    _model: &mut Model,
    _queue_arn: &str,
    _body: String,
    _attributes: std::collections::BTreeMap<String, String>,
) -> Result<(), &'static str> {
    Err("NO_RESOURCE")
}

/// Every message in every queue, for people and tests outside.
pub fn dead_letters(_model: &Model) -> Value {
    Value::Array(Vec::new())
}
