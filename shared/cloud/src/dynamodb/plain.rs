//! Operations that dynoxide does by itself.

use dynoxide::{DynoxideError, NativeDatabase};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{read, wants};
use crate::kernel::access::Call;
use crate::kernel::error::ApiError;
use crate::model::Model;

/// An operation that dynoxide does by itself.
pub fn simple<Q: DeserializeOwned, A: Serialize>(
    model: &mut Model,
    call: &Call,
    body: &Value,
    operation: fn(&NativeDatabase, Q) -> Result<A, DynoxideError>,
) -> Result<Value, ApiError> {
    let request = read::request(call, body)?;
    model.permit(call, &wants::of(model, call, body))?;
    let region = model.dynamodb.region(&call.scope, model.config.lag.index_reads)?;
    let done = operation(&region.primary, request);
    read::answer(&done.map_err(|error| read::refusal_of(call, error))?)
}

/// The same, of a table that is named by its ARN.
pub fn simple_of_arn<Q: DeserializeOwned, A: Serialize>(
    model: &mut Model,
    call: &Call,
    body: &Value,
    operation: fn(&NativeDatabase, Q) -> Result<A, DynoxideError>,
) -> Result<Value, ApiError> {
    let arn = body["ResourceArn"].as_str().unwrap_or_default();
    let here = super::table_arn(&call.scope, "");
    if arn.starts_with("arn:aws:dynamodb:") && !arn.starts_with(&here) {
        let text = format!("Requested resource not found: ResourcArn: {arn} not found");
        return Err(ApiError::bad("ResourceNotFoundException", text));
    }
    simple(model, call, body, operation)
}

/// The same, which has no answer but that it is done.
pub fn tagged<Q: DeserializeOwned, A: Serialize>(
    model: &mut Model,
    call: &Call,
    body: &Value,
    operation: fn(&NativeDatabase, Q) -> Result<A, DynoxideError>,
) -> Result<Value, ApiError> {
    simple_of_arn(model, call, body, operation).map(|_| Value::Null)
}
