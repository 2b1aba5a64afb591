//! Every operation, by its name.

use dynoxide::{DynoxideError, NativeDatabase};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{items, read, tables, wants};
use crate::kernel::access::Call;
use crate::kernel::error::ApiError;
use crate::model::Model;

pub fn answer(model: &mut Model, call: &Call, body: &Value) -> Result<Value, ApiError> {
    let answered = tables::answer(model, call, body).or_else(|| items::answer(model, call, body));
    if let Some(result) = answered {
        return result;
    }
    match call.action.as_str() {
        "ListTables" => simple(model, call, body, NativeDatabase::list_tables),
        "DescribeTimeToLive" => simple(model, call, body, NativeDatabase::describe_time_to_live),
        "TagResource" => tagged(model, call, body, NativeDatabase::tag_resource),
        "UntagResource" => tagged(model, call, body, NativeDatabase::untag_resource),
        "ListTagsOfResource" => {
            simple_of_arn(model, call, body, NativeDatabase::list_tags_of_resource)
        }
        _ => Err(call.unknown_operation()),
    }
}

/// An operation that dynoxide does by itself.
pub fn simple<Q: DeserializeOwned, A: Serialize>(
    model: &mut Model,
    call: &Call,
    body: &Value,
    operation: fn(&NativeDatabase, Q) -> Result<A, DynoxideError>,
) -> Result<Value, ApiError> {
    let request = read::request(call, body)?;
    model.permit(call, &wants::of(call, body))?;
    let region = model.dynamodb.region(&call.scope, model.config.lag.index_reads)?;
    let done = operation(&region.primary, request);
    read::answer(&done.map_err(|error| read::refusal_of(call, error))?)
}

/// The same, of a table that is named by its ARN.
fn simple_of_arn<Q: DeserializeOwned, A: Serialize>(
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
fn tagged<Q: DeserializeOwned, A: Serialize>(
    model: &mut Model,
    call: &Call,
    body: &Value,
    operation: fn(&NativeDatabase, Q) -> Result<A, DynoxideError>,
) -> Result<Value, ApiError> {
    simple_of_arn(model, call, body, operation).map(|_| Value::Null)
}
