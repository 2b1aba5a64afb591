//! Items and records: what DynamoDB keeps, and what the core knows, by way of JSON.
//!
//! The members of a record are the attributes of its item. What is null is left out. Numbers are
//! numbers, and whatever JSON cannot say (bytes, sets) was never written by us.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value};

pub type Item = HashMap<String, AttributeValue>;

/// The attributes of a record.
pub fn item_of(record: &impl Serialize) -> Result<Item, String> {
    match serde_json::to_value(record).map_err(|why| why.to_string())? {
        Value::Object(members) => Ok(attributes(members)),
        other => Err(format!("it is no record: {other}")),
    }
}

/// The record whose attributes these are. Those of our own bookkeeping are not part of it.
pub fn record_of<T: DeserializeOwned>(item: &Item, apart: &[&str]) -> Result<T, String> {
    let members = members(item, apart)?;
    serde_json::from_value(Value::Object(members)).map_err(|why| why.to_string())
}

/// A part of a record as one attribute.
pub fn attribute_of(part: &impl Serialize) -> Result<AttributeValue, String> {
    serde_json::to_value(part).map(attribute).map_err(|why| why.to_string())
}

/// The part of a record that one attribute is.
pub fn part_of<T: DeserializeOwned>(name: &str, attribute: &AttributeValue) -> Result<T, String> {
    let value = value_of(name, attribute)?;
    serde_json::from_value(value).map_err(|why| format!("`{name}`: {why}"))
}

fn attributes(members: Map<String, Value>) -> Item {
    let present = members.into_iter().filter(|(_, value)| !value.is_null());
    present.map(|(name, value)| (name, attribute(value))).collect()
}

fn attribute(value: Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(value) => AttributeValue::Bool(value),
        Value::Number(number) => AttributeValue::N(number.to_string()),
        Value::String(text) => AttributeValue::S(text),
        Value::Array(values) => AttributeValue::L(values.into_iter().map(attribute).collect()),
        Value::Object(members) => AttributeValue::M(attributes(members)),
    }
}

fn value_of(name: &str, attribute: &AttributeValue) -> Result<Value, String> {
    match attribute {
        AttributeValue::Null(_) => Ok(Value::Null),
        AttributeValue::Bool(value) => Ok(Value::Bool(*value)),
        AttributeValue::N(text) => number(text).ok_or_else(|| format!("`{name}` is {text}")),
        AttributeValue::S(text) => Ok(Value::String(text.clone())),
        AttributeValue::L(values) => {
            let values: Result<Vec<Value>, String> =
                values.iter().map(|value| value_of(name, value)).collect();
            values.map(Value::Array)
        }
        AttributeValue::M(inner) => members(inner, &[]).map(Value::Object),
        _ => Err(format!("`{name}` is of a type that is never written")),
    }
}

/// In the order of their names, so that of several mistakes the same one is told every time.
fn members(item: &Item, apart: &[&str]) -> Result<Map<String, Value>, String> {
    let sorted: BTreeMap<&String, &AttributeValue> = item.iter().collect();
    let mut members = Map::new();
    for (name, attribute) in sorted {
        if !apart.contains(&name.as_str()) {
            members.insert(name.clone(), value_of(name, attribute)?);
        }
    }
    Ok(members)
}

fn number(text: &str) -> Option<Value> {
    if let Ok(whole) = text.parse::<i64>() {
        return Some(Value::Number(whole.into()));
    }
    if let Ok(whole) = text.parse::<u64>() {
        return Some(Value::Number(whole.into()));
    }
    Number::from_f64(text.parse().ok()?).map(Value::Number)
}
