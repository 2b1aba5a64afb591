//! JSON requests into dynoxide's types, and its answers and errors back into JSON.

use dynoxide::DynoxideError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::kernel::access::Call;
use crate::kernel::error::ApiError;
use crate::kernel::json;

/// The members of each operation that are modelled. Whatever else a request carries is refused: a
/// member that is silently ignored would be a promise that nobody keeps.
fn members(action: &str) -> &'static [&'static str] {
    match action {
        "CreateTable" => &[
            "TableName",
            "KeySchema",
            "AttributeDefinitions",
            "GlobalSecondaryIndexes",
            "LocalSecondaryIndexes",
            "BillingMode",
            "ProvisionedThroughput",
            "OnDemandThroughput",
            "StreamSpecification",
            "SSESpecification",
            "TableClass",
            "Tags",
            "DeletionProtectionEnabled",
        ],
        "UpdateTable" => &[
            "TableName",
            "AttributeDefinitions",
            "GlobalSecondaryIndexUpdates",
            "BillingMode",
            "ProvisionedThroughput",
            "OnDemandThroughput",
            "StreamSpecification",
            "TableClass",
            "DeletionProtectionEnabled",
        ],
        "DeleteTable" | "DescribeTable" | "DescribeTimeToLive" | "DescribeContinuousBackups" => {
            &["TableName"]
        }
        "ListTables" => &["ExclusiveStartTableName", "Limit"],
        "UpdateTimeToLive" => &["TableName", "TimeToLiveSpecification"],
        "UpdateContinuousBackups" => &["TableName", "PointInTimeRecoverySpecification"],
        "TagResource" => &["ResourceArn", "Tags"],
        "UntagResource" => &["ResourceArn", "TagKeys"],
        "ListTagsOfResource" => &["ResourceArn", "NextToken"],
        _ => item_members(action),
    }
}

fn item_members(action: &str) -> &'static [&'static str] {
    match action {
        "GetItem" => &[
            "TableName",
            "Key",
            "AttributesToGet",
            "ConsistentRead",
            "ReturnConsumedCapacity",
            "ProjectionExpression",
            "ExpressionAttributeNames",
        ],
        "PutItem" | "UpdateItem" | "DeleteItem" => &[
            "TableName",
            "Item",
            "Key",
            "Expected",
            "ConditionalOperator",
            "AttributeUpdates",
            "UpdateExpression",
            "ConditionExpression",
            "ExpressionAttributeNames",
            "ExpressionAttributeValues",
            "ReturnValues",
            "ReturnConsumedCapacity",
            "ReturnItemCollectionMetrics",
            "ReturnValuesOnConditionCheckFailure",
        ],
        "Query" | "Scan" => &[
            "TableName",
            "IndexName",
            "Select",
            "AttributesToGet",
            "Limit",
            "ConsistentRead",
            "KeyConditions",
            "KeyConditionExpression",
            "QueryFilter",
            "ScanFilter",
            "ConditionalOperator",
            "ScanIndexForward",
            "ExclusiveStartKey",
            "Segment",
            "TotalSegments",
            "ReturnConsumedCapacity",
            "ProjectionExpression",
            "FilterExpression",
            "ExpressionAttributeNames",
            "ExpressionAttributeValues",
        ],
        "BatchGetItem" => &["RequestItems", "ReturnConsumedCapacity"],
        "BatchWriteItem" => {
            &["RequestItems", "ReturnConsumedCapacity", "ReturnItemCollectionMetrics"]
        }
        "TransactGetItems" => &["TransactItems", "ReturnConsumedCapacity"],
        "TransactWriteItems" => &[
            "TransactItems",
            "ClientRequestToken",
            "ReturnConsumedCapacity",
            "ReturnItemCollectionMetrics",
        ],
        _ => &[],
    }
}

/// Reads the request of an operation.
pub fn request<Q: DeserializeOwned>(call: &Call, body: &Value) -> Result<Q, ApiError> {
    check_members(call, body)?;
    serde_json::from_value(body.clone()).map_err(|error| unreadable(call, &error.to_string()))
}

/// Refuses members of the request that are not modelled.
pub fn check_members(call: &Call, body: &Value) -> Result<(), ApiError> {
    let known = members(&call.action);
    let given = body.as_object().into_iter().flat_map(Map::keys);
    match given.into_iter().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(not_modelled(&format!("The member {name} of {}", call.action))),
    }
}

pub fn not_modelled(what: &str) -> ApiError {
    ApiError::bad("ValidationException", format!("{what} is not modelled here"))
}

pub fn internal(why: &str) -> ApiError {
    ApiError::new(500, "InternalServerError", why)
}

/// A request that dynoxide's types refuse. The kind of error is marked at the front of the message.
fn unreadable(call: &Call, message: &str) -> ApiError {
    let marked = [
        ("VALIDATION_REQUEST:", "ValidationException"),
        ("VALIDATION_AS_READ:", "ValidationException"),
        ("VALIDATION:", "ValidationException"),
        ("SERIALIZATION_AS_READ:", "SerializationException"),
        ("SERIALIZATION:", "SerializationException"),
    ];
    for (mark, code) in marked {
        if let Some(text) = message.strip_prefix(mark) {
            let text = match mark {
                "VALIDATION_REQUEST:" => enveloped(call, text),
                _ => text.to_string(),
            };
            return ApiError::bad(code, text);
        }
    }
    let invalid = ["missing field", "unknown variant", "invalid type: null", "AttributeValue"];
    let code = if invalid.iter().any(|part| message.contains(part)) {
        "ValidationException"
    } else {
        "SerializationException"
    };
    ApiError::bad(code, message)
}

/// PutItem, UpdateItem and DeleteItem put some refusals of a value into an envelope.
fn enveloped(call: &Call, text: &str) -> String {
    match call.action.as_str() {
        "PutItem" | "UpdateItem" | "DeleteItem" => {
            format!("1 validation error detected: {text}")
        }
        _ => text.to_string(),
    }
}

/// An error of dynoxide as the service reports it, with the members beside its message.
pub fn refusal(error: DynoxideError) -> ApiError {
    let parsed: Value = serde_json::from_str(&error.to_json()).unwrap_or_default();
    let mut extra = match json::sorted(&parsed) {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    for known in ["__type", "message", "Message"] {
        extra.remove(known);
    }
    let code = error.error_type().rsplit('#').next().unwrap_or_default();
    let mut refusal = ApiError::new(error.status_code(), code, error.to_string());
    refusal.extra = (!extra.is_empty()).then(|| Box::new(extra));
    refusal
}

/// The same in the words of the operation that was called.
pub fn refusal_of(call: &Call, error: DynoxideError) -> ApiError {
    match error {
        DynoxideError::EnvelopedValidation(text) => {
            ApiError::bad("ValidationException", enveloped(call, &text))
        }
        error => {
            let mut refusal = refusal(error);
            refusal.message = in_scope(&call.scope, &refusal.message);
            refusal
        }
    }
}

/// An answer of dynoxide as JSON. Attributes are sorted by name: dynoxide keeps them in hash maps,
/// whose order differs from run to run.
pub fn answer<A: Serialize>(answer: &A) -> Result<Value, ApiError> {
    let value = serde_json::to_value(answer).map_err(|error| internal(&error.to_string()))?;
    let mut value = json::sorted(&value);
    if let Some(Value::Array(list)) = value.get_mut("ConsumedCapacity") {
        list.sort_by_key(|one| one["TableName"].as_str().unwrap_or_default().to_string());
    }
    Ok(value)
}

/// The account and region that dynoxide puts into ARNs.
const LOCAL: &str = "arn:aws:dynamodb:dynoxide:000000000000:";

/// A text with the ARNs of the account and region instead of dynoxide's.
pub fn in_scope(scope: &crate::kernel::scope::Scope, text: &str) -> String {
    let prefix = format!("arn:aws:dynamodb:{}:{}:", scope.region, scope.account);
    text.replace(LOCAL, &prefix)
}
