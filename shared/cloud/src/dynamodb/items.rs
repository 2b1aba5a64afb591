//! Items: single, in batches, in transactions; queries and scans.

use dynoxide::{DynoxideError, NativeDatabase};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::plain::simple;
use super::{read, shadow, wants};
use crate::kernel::access::Call;
use crate::kernel::error::ApiError;
use crate::kernel::json;
use crate::model::Model;

/// Answers the operations on items; nothing if it is none of them.
pub fn answer(model: &mut Model, call: &Call, body: &Value) -> Option<Result<Value, ApiError>> {
    Some(match call.action.as_str() {
        "GetItem" => simple(model, call, body, NativeDatabase::get_item),
        "BatchGetItem" => simple(model, call, body, NativeDatabase::batch_get_item),
        "TransactGetItems" => simple(model, call, body, NativeDatabase::transact_get_items),
        "Query" => search(model, call, body, NativeDatabase::query),
        "Scan" => search(model, call, body, NativeDatabase::scan),
        "PutItem" => write(model, call, body, NativeDatabase::put_item),
        "UpdateItem" => write(model, call, body, NativeDatabase::update_item),
        "DeleteItem" => write(model, call, body, NativeDatabase::delete_item),
        "BatchWriteItem" => write(model, call, body, NativeDatabase::batch_write_item),
        "TransactWriteItems" => transact(model, call, body),
        _ => return None,
    })
}

/// A read of a table or an index.
fn search<Q: DeserializeOwned, A: Serialize>(
    model: &mut Model,
    call: &Call,
    body: &Value,
    operation: fn(&NativeDatabase, Q) -> Result<A, DynoxideError>,
) -> Result<Value, ApiError> {
    let request = read::request(call, body)?;
    model.permit(call, &wants::of(model, call, body))?;
    let region = model.dynamodb.region(&call.scope, model.config.lag.index_reads)?;
    let table = body["TableName"].as_str().unwrap_or_default();
    let database = shadow::reader(region, table, body["IndexName"].as_str());
    let done = operation(database, request);
    read::answer(&done.map_err(|error| read::refusal_of(call, error))?)
}

/// A write, of which the indexes learn.
fn write<Q: DeserializeOwned, A: Serialize>(
    model: &mut Model,
    call: &Call,
    body: &Value,
    operation: fn(&NativeDatabase, Q) -> Result<A, DynoxideError>,
) -> Result<Value, ApiError> {
    let answer = simple(model, call, body, operation)?;
    let region = model.dynamodb.region(&call.scope, None)?;
    let targets = shadow::targets(region, &call.action, body);
    shadow::follow(model, &call.scope, targets)?;
    Ok(answer)
}

fn transact(model: &mut Model, call: &Call, body: &Value) -> Result<Value, ApiError> {
    // A token that is too long, or not a text, is left in for dynoxide to refuse.
    const LONGEST: usize = 36;
    let token = body["ClientRequestToken"].as_str().filter(|token| token.len() <= LONGEST);
    let Some(token) = token else {
        return write(model, call, body, NativeDatabase::transact_write_items);
    };
    // dynoxide would remember the token by the clock of the machine.
    let mut bare = body.clone();
    if let Some(members) = bare.as_object_mut() {
        members.remove("ClientRequestToken");
    }
    let items = json::sorted(&body["TransactItems"]).to_string();
    let now = model.now;
    let lag = model.config.lag.index_reads;
    let replay = model.dynamodb.region(&call.scope, lag)?.tokens.replay(now, token, &items);
    match replay {
        Ok(None) => {}
        Ok(Some(_)) | Err(_) => {
            model.permit(call, &wants::of(model, call, body))?;
            return replay.map(Option::unwrap_or_default);
        }
    }
    let answer = write(model, call, &bare, NativeDatabase::transact_write_items)?;
    let region = model.dynamodb.region(&call.scope, lag)?;
    region.tokens.remember(now, token.to_string(), items, answer.clone());
    Ok(answer)
}
