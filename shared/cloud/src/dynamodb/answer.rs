//! Every operation, by its name.

use dynoxide::NativeDatabase;
use serde_json::Value;

use super::plain::{simple, simple_of_arn, tagged};
use super::{items, tables};
use crate::kernel::access::Call;
use crate::kernel::error::ApiError;
use crate::model::Model;

/// Answers a call.
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
