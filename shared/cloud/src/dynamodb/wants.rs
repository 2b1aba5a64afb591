//! The actions that each operation needs, on which tables, and on which of their partitions.

use std::collections::BTreeSet;

use serde_json::Value;

use super::table_arn;
use crate::kernel::access::{Call, Want};
use crate::model::Model;

/// The condition key with the partition keys of the items that a call names. Scans name none.
const LEADING_KEYS: &str = "dynamodb:LeadingKeys";

/// The actions that a call has to be allowed.
pub fn of(model: &Model, call: &Call, body: &Value) -> Vec<Want> {
    let action = format!("dynamodb:{}", call.action);
    let item = |member: &str| {
        let key = partition_key(model, call, table_name(body), None);
        let leading = key.and_then(|key| text(&body[member][key]));
        vec![with_leading(Want::new(&action, table(call, body)), leading)]
    };
    match call.action.as_str() {
        "ListTables" => vec![Want::anywhere(&action)],
        "GetItem" | "UpdateItem" | "DeleteItem" => item("Key"),
        "PutItem" => item("Item"),
        "BatchGetItem" | "BatchWriteItem" => {
            let tables = body["RequestItems"].as_object().into_iter().flatten();
            let want = |(table, requests): (&String, &Value)| {
                let key = partition_key(model, call, table, None);
                let keys = key.into_iter().flat_map(|key| in_batch(requests, key));
                with_leading(Want::new(&action, table_arn(&call.scope, table)), keys)
            };
            tables.map(want).collect()
        }
        "TransactWriteItems" | "TransactGetItems" => in_transaction(model, call, body),
        "TagResource" | "UntagResource" | "ListTagsOfResource" => {
            vec![Want::new(&action, body["ResourceArn"].as_str().unwrap_or_default())]
        }
        "CreateTable" if body["Tags"].as_array().is_some_and(|tags| !tags.is_empty()) => {
            let arn = table(call, body);
            vec![Want::new(&action, arn.as_str()), Want::new("dynamodb:TagResource", arn)]
        }
        "Query" => {
            let index = body["IndexName"].as_str();
            let key = partition_key(model, call, table_name(body), index);
            let leading = key.and_then(|key| queried(body, key));
            vec![with_leading(Want::new(&action, table_or_index(call, body)), leading)]
        }
        "Scan" => vec![Want::new(&action, table_or_index(call, body))],
        _ => vec![Want::new(&action, table(call, body))],
    }
}

fn table_name(body: &Value) -> &str {
    body["TableName"].as_str().unwrap_or_default()
}

fn table(call: &Call, body: &Value) -> String {
    table_arn(&call.scope, table_name(body))
}

fn table_or_index(call: &Call, body: &Value) -> String {
    match body["IndexName"].as_str() {
        None => table(call, body),
        Some(index) => format!("{}/index/{index}", table(call, body)),
    }
}

/// The name of the partition key of a table, or of one of its global indexes. Local indexes have
/// that of their table.
fn partition_key<'a>(
    model: &'a Model,
    call: &Call,
    table: &str,
    index: Option<&str>,
) -> Option<&'a str> {
    let table = model.dynamodb.table(&call.scope, table)?;
    let of_index = index.and_then(|index| table.global_indexes.get(index));
    of_index.or(table.key.first()).map(String::as_str)
}

fn with_leading(want: Want, keys: impl IntoIterator<Item = String>) -> Want {
    keys.into_iter().fold(want, |want, key| want.key(LEADING_KEYS, key))
}

/// The value of a key attribute as text.
fn text(value: &Value) -> Option<String> {
    let value = ["S", "N", "B"].into_iter().find_map(|kind| value[kind].as_str());
    value.map(str::to_string)
}

/// The partition keys that the requests of a batch name.
fn in_batch(requests: &Value, key: &str) -> Vec<String> {
    let read = requests["Keys"].as_array().into_iter().flatten();
    let written = requests.as_array().into_iter().flatten();
    let written = written.map(|request| match request.get("PutRequest") {
        Some(put) => &put["Item"],
        None => &request["DeleteRequest"]["Key"],
    });
    read.chain(written).filter_map(|holder| text(&holder[key])).collect()
}

/// The partition that a query reads: its expression compares the partition key by `=`.
fn queried(body: &Value, key: &str) -> Option<String> {
    let condition = &body["KeyConditions"][key]["AttributeValueList"][0];
    if !condition.is_null() {
        return text(condition);
    }
    let expression = body["KeyConditionExpression"].as_str()?;
    let spaced = expression.replace(['(', ')'], " ").replace('=', " = ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let names = &body["ExpressionAttributeNames"];
    words.windows(3).find_map(|words| match words {
        [name, "=", value] if names[*name].as_str().unwrap_or(name) == key => {
            text(&body["ExpressionAttributeValues"][*value])
        }
        _ => None,
    })
}

/// Each action of a transaction needs the permission of the operation that it stands for.
fn in_transaction(model: &Model, call: &Call, body: &Value) -> Vec<Want> {
    const ACTIONS: [(&str, &str, &str); 5] = [
        ("Put", "dynamodb:PutItem", "Item"),
        ("Update", "dynamodb:UpdateItem", "Key"),
        ("Delete", "dynamodb:DeleteItem", "Key"),
        ("ConditionCheck", "dynamodb:ConditionCheckItem", "Key"),
        ("Get", "dynamodb:GetItem", "Key"),
    ];
    let mut wanted = BTreeSet::new();
    for item in body["TransactItems"].as_array().into_iter().flatten() {
        for (member, action, holder) in ACTIONS {
            if let Some(operation) = item.get(member) {
                let key = partition_key(model, call, table_name(operation), None);
                let leading = key.and_then(|key| text(&operation[holder][key]));
                wanted.insert((action, table(call, operation), leading));
            }
        }
    }
    let want = |(action, table, leading)| with_leading(Want::new(action, table), leading);
    wanted.into_iter().map(want).collect()
}
