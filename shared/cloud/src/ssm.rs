//! SSM, as far as it is needed.

use serde_json::Value;

use crate::access::Call;
use crate::error::ApiError;
use crate::model::Model;

/// What SSM has in one account and region.
#[derive(Debug, Default)]
pub struct Region {}

pub fn answer(_model: &mut Model, call: &Call, _body: &Value) -> Result<Value, ApiError> {
    Err(crate::dispatch::unknown_operation(call))
}
