//! Every operation of SQS, by its name.

use serde_json::Value;

use super::{queues, receive};
use crate::kernel::access::Call;
use crate::kernel::error::ApiError;
use crate::kernel::json::Members;
use crate::model::Model;

/// Answers a call.
pub fn answer(model: &mut Model, call: &Call, body: &Value) -> Result<Value, ApiError> {
    let members = Members::of(body)?;
    match call.action.as_str() {
        "CreateQueue" => queues::create(model, call, &members),
        "GetQueueUrl" => queues::get_url(model, call, &members),
        "GetQueueAttributes" => queues::get_attributes(model, call, &members),
        "SetQueueAttributes" => queues::set_attributes(model, call, &members),
        "ListQueues" => queues::list(model, call, &members),
        "PurgeQueue" => queues::purge(model, call, &members),
        "DeleteQueue" => queues::delete(model, call, &members),
        "SendMessage" => receive::send(model, call, &members),
        "ReceiveMessage" => receive::receive(model, call, &members),
        "DeleteMessage" => receive::delete(model, call, &members),
        _ => Err(call.unknown_operation()),
    }
}
