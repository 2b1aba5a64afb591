//! Reads the elements of a policy document, and says where one is not as IAM would take it.

use serde_json::{Map, Value};
use thiserror::Error;

/// A mistake in a document, and where it is.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{path}: {problem}")]
pub struct PolicyError {
    pub path: String,
    pub problem: String,
}

impl PolicyError {
    pub(super) fn new(path: impl Into<String>, problem: impl Into<String>) -> PolicyError {
        PolicyError { path: path.into(), problem: problem.into() }
    }
}

pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

pub(super) fn object<'a>(
    path: &str,
    value: &'a Value,
) -> Result<&'a Map<String, Value>, PolicyError> {
    value.as_object().ok_or_else(|| PolicyError::new(path, "not an object"))
}

pub(super) fn refuse_others(
    fields: &Map<String, Value>,
    path: &str,
    known: &[&str],
) -> Result<(), PolicyError> {
    match fields.keys().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(PolicyError::new(join(path, name), "not an element of a policy")),
    }
}

pub(super) fn optional_text<'a>(
    fields: &'a Map<String, Value>,
    path: &str,
    name: &str,
) -> Result<Option<&'a str>, PolicyError> {
    match fields.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(PolicyError::new(join(path, name), "not a text")),
    }
}

/// A text or a list of texts, each of them read; errors in a list name the entry.
pub(super) fn texts<T>(
    path: &str,
    value: &Value,
    read: impl Fn(String) -> Result<T, String>,
) -> Result<Vec<T>, PolicyError> {
    let one = |path: &str, value: &Value| match value {
        Value::String(text) => {
            read(text.clone()).map_err(|problem| PolicyError::new(path, problem))
        }
        _ => Err(PolicyError::new(path, "not a text")),
    };
    each(path, value, one)
}

/// A scalar or a list of scalars; numbers and booleans count as their text.
pub(super) fn scalars(path: &str, value: &Value) -> Result<Vec<String>, PolicyError> {
    each(path, value, |path, value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(truth) => Ok(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            Err(PolicyError::new(path, "neither a text, a number nor a boolean"))
        }
    })
}

fn each<T>(
    path: &str,
    value: &Value,
    read: impl Fn(&str, &Value) -> Result<T, PolicyError>,
) -> Result<Vec<T>, PolicyError> {
    match value {
        Value::Array(all) if all.is_empty() => Err(PolicyError::new(path, "the list is empty")),
        Value::Array(all) => {
            all.iter().enumerate().map(|(i, one)| read(&format!("{path}[{i}]"), one)).collect()
        }
        one => Ok(vec![read(path, one)?]),
    }
}
