//! Global secondary indexes that lag behind their table.
//!
//! A second database has the same tables. What is written to the first reaches it after the lag,
//! item by item, and reads of global secondary indexes go to it. So an index shows the table as it
//! was that long ago, which is what the eventual consistency of DynamoDB's indexes can come to.

use dynoxide::actions::delete_item::DeleteItemRequest;
use dynoxide::actions::get_item::GetItemRequest;
use dynoxide::actions::put_item::PutItemRequest;
use dynoxide::{Item, NativeDatabase};
use serde_json::Value;

use super::read;
use super::state::{Key, Region};
use crate::kernel::error::ApiError;
use crate::kernel::scope::Scope;
use crate::model::Model;

/// An item as a write left it.
#[derive(Clone, Debug)]
pub struct Write {
    table: String,
    /// The id of the table, so that a new table of the same name is not written to.
    table_id: String,
    key: Key,
    /// Nothing, if the item was deleted.
    item: Option<Item>,
}

/// A place that a successful call has written to.
pub struct Target {
    table: String,
    key: Key,
}

/// The targets of a write, read from its request. There are none without a shadow.
pub fn targets(region: &Region, action: &str, body: &Value) -> Vec<Target> {
    if region.shadow.is_none() {
        return Vec::new();
    }
    let found = match action {
        "PutItem" => vec![(&body["TableName"], &body["Item"])],
        "UpdateItem" | "DeleteItem" => vec![(&body["TableName"], &body["Key"])],
        "TransactWriteItems" => in_transaction(body),
        _ => return in_batch(region, body),
    };
    let named = found.into_iter().filter_map(|(table, holder)| Some((table.as_str()?, holder)));
    named.filter_map(|(table, holder)| target(region, table, holder)).collect()
}

fn in_transaction(body: &Value) -> Vec<(&Value, &Value)> {
    let items = body["TransactItems"].as_array().into_iter().flatten();
    let mut found = Vec::new();
    for item in items {
        for (action, holder) in [("Put", "Item"), ("Update", "Key"), ("Delete", "Key")] {
            if let Some(action) = item.get(action) {
                found.push((&action["TableName"], &action[holder]));
            }
        }
    }
    found
}

fn in_batch(region: &Region, body: &Value) -> Vec<Target> {
    let mut found = Vec::new();
    for (table, requests) in body["RequestItems"].as_object().into_iter().flatten() {
        for request in requests.as_array().into_iter().flatten() {
            let put = request.get("PutRequest").map(|put| &put["Item"]);
            let delete = request.get("DeleteRequest").map(|delete| &delete["Key"]);
            let holder = put.or(delete);
            found.extend(holder.and_then(|holder| target(region, table, holder)));
        }
    }
    found
}

fn target(region: &Region, table: &str, holder: &Value) -> Option<Target> {
    let mut key = Key::new();
    for name in &region.tables.get(table)?.key {
        let value = serde_json::from_value(holder.get(name)?.clone()).ok()?;
        key.insert(name.clone(), value);
    }
    Some(Target { table: table.to_string(), key })
}

/// Reads what a successful call has left, and plans that the indexes learn of it.
pub fn follow(model: &mut Model, scope: &Scope, targets: Vec<Target>) -> Result<(), ApiError> {
    for Target { table, key } in targets {
        let region = model.dynamodb.region(scope, None)?;
        let (Some(shadow), Some(known)) = (&region.shadow, region.tables.get(&table)) else {
            continue;
        };
        let request = GetItemRequest {
            table_name: table.clone(),
            key: key.clone(),
            consistent_read: Some(true),
            ..GetItemRequest::default()
        };
        let lag = shadow.lag;
        let item = region.primary.get_item(request).map_err(read::refusal)?.item;
        let write = Write { table_id: known.id.clone(), table, key, item };
        let scope = scope.clone();
        model.after(lag, "dynamodb: indexes learn of a write", move |model| {
            apply(model, &scope, &write);
        });
    }
    Ok(())
}

/// The indexes learn of a write.
fn apply(model: &mut Model, scope: &Scope, write: &Write) {
    let Ok(region) = model.dynamodb.region(scope, None) else { return };
    let Some(shadow) = &region.shadow else { return };
    if region.tables.get(&write.table).is_none_or(|table| table.id != write.table_id) {
        return;
    }
    let table_name = write.table.clone();
    // The table has accepted the same item under the same schema, so the shadow does too; were it
    // not to, the index would stay behind, which no reader of an index may rely on.
    let _same_as_primary = match write.item.clone() {
        Some(item) => {
            let request = PutItemRequest { table_name, item, ..PutItemRequest::default() };
            shadow.database.put_item(request).map(drop)
        }
        None => {
            let key = write.key.clone();
            let request = DeleteItemRequest { table_name, key, ..DeleteItemRequest::default() };
            shadow.database.delete_item(request).map(drop)
        }
    };
}

/// The database that a read goes to.
pub fn reader<'a>(region: &'a Region, table: &str, index: Option<&str>) -> &'a NativeDatabase {
    let lags = |index: &str| {
        region.tables.get(table).is_some_and(|table| table.global_indexes.contains_key(index))
    };
    match (&region.shadow, index) {
        (Some(shadow), Some(index)) if lags(index) => &shadow.database,
        _ => &region.primary,
    }
}
