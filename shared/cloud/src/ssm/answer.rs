//! Every operation of SSM, by its name.

use serde_json::Value;

use super::{put, read};
use crate::kernel::access::Call;
use crate::kernel::error::ApiError;
use crate::kernel::json::Members;
use crate::model::Model;

/// Answers a call.
pub fn answer(model: &mut Model, call: &Call, body: &Value) -> Result<Value, ApiError> {
    let members = Members::of(body)?;
    match call.action.as_str() {
        "PutParameter" => put::put(model, call, &members),
        "DeleteParameter" => put::delete(model, call, &members),
        "DeleteParameters" => put::delete_many(model, call, &members),
        "GetParameter" => read::get(model, call, &members),
        "GetParameters" => read::get_many(model, call, &members),
        "GetParametersByPath" => read::get_by_path(model, call, &members),
        "DescribeParameters" => read::describe(model, call, &members),
        _ => Err(call.unknown_operation()),
    }
}
