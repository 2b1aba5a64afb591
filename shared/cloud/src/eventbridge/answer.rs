//! Every operation of EventBridge, by its name.

use serde_json::Value;

use super::{buses, put, rules, targets, throttle};
use crate::kernel::access::Call;
use crate::kernel::error::ApiError;
use crate::kernel::json::Members;
use crate::model::Model;

/// Answers a call.
pub fn answer(model: &mut Model, call: &Call, body: &Value) -> Result<Value, ApiError> {
    let members = Members::of(body)?;
    match call.action.as_str() {
        "CreateEventBus" => buses::create(model, call, &members),
        "DeleteEventBus" => buses::delete(model, call, &members),
        "DescribeEventBus" => buses::describe(model, call, &members),
        "ListEventBuses" => buses::list(model, call, &members),
        "PutPermission" => buses::put_permission(model, call, &members),
        "RemovePermission" => buses::remove_permission(model, call, &members),
        "PutRule" => rules::put(model, call, &members),
        "DeleteRule" => rules::delete(model, call, &members),
        "DescribeRule" => rules::describe(model, call, &members),
        "EnableRule" => rules::switch(model, call, &members, true),
        "DisableRule" => rules::switch(model, call, &members, false),
        "ListRules" => rules::list(model, call, &members),
        "ListRuleNamesByTarget" => rules::list_by_target(model, call, &members),
        "PutTargets" => targets::put(model, call, &members),
        "RemoveTargets" => targets::remove(model, call, &members),
        "ListTargetsByRule" => targets::list(model, call, &members),
        "PutEvents" => {
            throttle::admit(model, call)?;
            put::put(model, call, &members)
        }
        "TestEventPattern" => rules::test_pattern(model, call, &members),
        _ => Err(call.unknown_operation()),
    }
}
