//! Every operation of KMS, by its name.

use serde_json::Value;

use super::{aliases, grants, keys};
use crate::kernel::access::Call;
use crate::kernel::error::ApiError;
use crate::kernel::json::Members;
use crate::model::Model;

/// Answers a call.
pub fn answer(model: &mut Model, call: &Call, body: &Value) -> Result<Value, ApiError> {
    let members = Members::of(body)?;
    match call.action.as_str() {
        "CreateKey" => keys::create(model, call, &members),
        "DescribeKey" => keys::describe(model, call, &members),
        "ListKeys" => keys::list(model, call, &members),
        "EnableKey" => keys::enable(model, call, &members),
        "DisableKey" => keys::disable(model, call, &members),
        "ScheduleKeyDeletion" => keys::schedule_deletion(model, call, &members),
        "CancelKeyDeletion" => keys::cancel_deletion(model, call, &members),
        "GetKeyPolicy" => keys::get_policy(model, call, &members),
        "PutKeyPolicy" => keys::put_policy(model, call, &members),
        "CreateAlias" => aliases::create(model, call, &members),
        "UpdateAlias" => aliases::update(model, call, &members),
        "DeleteAlias" => aliases::delete(model, call, &members),
        "ListAliases" => aliases::list(model, call, &members),
        "CreateGrant" => grants::create(model, call, &members),
        "ListGrants" => grants::list(model, call, &members),
        "RevokeGrant" => grants::revoke(model, call, &members),
        _ => Err(call.unknown_operation()),
    }
}
