//! The actions that each operation needs, and on which tables.

use std::collections::BTreeSet;

use serde_json::Value;

use super::table_arn;
use crate::kernel::access::{Call, Want};

/// The actions that a call has to be allowed.
pub fn of(call: &Call, body: &Value) -> Vec<Want> {
    let action = format!("dynamodb:{}", call.action);
    match call.action.as_str() {
        "ListTables" => vec![Want::anywhere(&action)],
        "BatchGetItem" | "BatchWriteItem" => {
            let tables = body["RequestItems"].as_object().into_iter().flat_map(|map| map.keys());
            tables.map(|table| Want::new(&action, table_arn(&call.scope, table))).collect()
        }
        "TransactWriteItems" | "TransactGetItems" => in_transaction(call, body),
        "TagResource" | "UntagResource" | "ListTagsOfResource" => {
            vec![Want::new(&action, body["ResourceArn"].as_str().unwrap_or_default())]
        }
        "CreateTable" if body["Tags"].as_array().is_some_and(|tags| !tags.is_empty()) => {
            let arn = table(call, body);
            vec![Want::new(&action, arn.as_str()), Want::new("dynamodb:TagResource", arn)]
        }
        "Query" | "Scan" => vec![Want::new(&action, table_or_index(call, body))],
        _ => vec![Want::new(&action, table(call, body))],
    }
}

fn table(call: &Call, body: &Value) -> String {
    table_arn(&call.scope, body["TableName"].as_str().unwrap_or_default())
}

fn table_or_index(call: &Call, body: &Value) -> String {
    match body["IndexName"].as_str() {
        None => table(call, body),
        Some(index) => format!("{}/index/{index}", table(call, body)),
    }
}

/// Each action of a transaction needs the permission of the operation that it stands for.
fn in_transaction(call: &Call, body: &Value) -> Vec<Want> {
    const ACTIONS: [(&str, &str); 5] = [
        ("Put", "dynamodb:PutItem"),
        ("Update", "dynamodb:UpdateItem"),
        ("Delete", "dynamodb:DeleteItem"),
        ("ConditionCheck", "dynamodb:ConditionCheckItem"),
        ("Get", "dynamodb:GetItem"),
    ];
    let mut wanted = BTreeSet::new();
    for item in body["TransactItems"].as_array().into_iter().flatten() {
        for (member, action) in ACTIONS {
            if let Some(operation) = item.get(member) {
                wanted.insert((action, table(call, operation)));
            }
        }
    }
    wanted.into_iter().map(|(action, table)| Want::new(action, table)).collect()
}
