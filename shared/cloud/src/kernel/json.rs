//! Reads the members of a JSON request (EventBridge, SQS, KMS, SSM).
//!
//! A member that an operation did not read is an error, as with the forms of
//! [`crate::kernel::query`]. AWS itself ignores unknown members; here they are either a mistake or
//! something that is not modelled. A member that is `null` counts as absent, as it does there.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde_json::{Map, Value};

use crate::kernel::error::ApiError;

/// The members of a request, or of one structure in it.
#[derive(Clone, Debug)]
pub struct Members<'a> {
    map: &'a Map<String, Value>,
    /// Path of the structure in the request: empty, or ending in a dot.
    prefix: String,
    seen: Rc<RefCell<Seen>>,
}

/// The paths of the members that were read.
#[derive(Debug, Default)]
struct Seen {
    members: BTreeSet<String>,
    /// Members whose inside is not looked into: maps with free keys, and plain JSON.
    whole: BTreeSet<String>,
}

impl<'a> Members<'a> {
    /// The body of a request.
    pub fn of(body: &'a Value) -> Result<Members<'a>, ApiError> {
        let map = body.as_object().ok_or_else(|| wrong_type("the request", "a structure"))?;
        Ok(Members { map, prefix: String::new(), seen: Rc::default() })
    }

    /// The full name of a member, for messages.
    pub fn path(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// A member as it came, with all that it holds.
    pub fn any(&self, name: &str) -> Option<&'a Value> {
        self.seen.borrow_mut().whole.insert(self.path(name));
        self.get(name)
    }

    /// The structure with all that it holds, as it came.
    pub fn to_value(&self) -> Value {
        let present = self.map.iter().filter(|(_, value)| !value.is_null());
        Value::Object(present.map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    pub fn text(&self, name: &str) -> Result<Option<&'a str>, ApiError> {
        self.read(name, "a string", Value::as_str)
    }

    /// The text of a member without which the request has no meaning; it may be empty.
    pub fn required(&self, name: &str) -> Result<&'a str, ApiError> {
        self.text(name)?.ok_or_else(|| self.missing(name))
    }

    pub fn flag(&self, name: &str) -> Result<Option<bool>, ApiError> {
        self.read(name, "a boolean", Value::as_bool)
    }

    pub fn integer(&self, name: &str) -> Result<Option<i64>, ApiError> {
        self.read(name, "an integer", Value::as_i64)
    }

    /// A number, as instants are sent: seconds since the epoch.
    pub fn number(&self, name: &str) -> Result<Option<f64>, ApiError> {
        self.read(name, "a number", Value::as_f64)
    }

    /// A list of strings; absent is empty.
    pub fn texts(&self, name: &str) -> Result<Vec<&'a str>, ApiError> {
        let read = |list: &'a Value| list.as_array()?.iter().map(Value::as_str).collect();
        Ok(self.read(name, "a list of strings", read)?.unwrap_or_default())
    }

    /// A map from string to string; absent is empty.
    pub fn map(&self, name: &str) -> Result<BTreeMap<String, String>, ApiError> {
        self.seen.borrow_mut().whole.insert(self.path(name));
        let pair =
            |(key, value): (&String, &'a Value)| Some((key.clone(), value.as_str()?.to_string()));
        let read = |map: &'a Value| map.as_object()?.iter().map(pair).collect();
        Ok(self.read(name, "a map of strings", read)?.unwrap_or_default())
    }

    /// A structure.
    pub fn group(&self, name: &str) -> Result<Option<Members<'a>>, ApiError> {
        let map = self.read(name, "a structure", Value::as_object)?;
        Ok(map.map(|map| self.within(map, self.path(name))))
    }

    /// The structures of a map with free keys, each with its key; absent is empty.
    pub fn named_groups(&self, name: &str) -> Result<Vec<(&'a str, Members<'a>)>, ApiError> {
        let Some(all) = self.group(name)? else { return Ok(Vec::new()) };
        let keys = all.map.keys().map(String::as_str);
        let read = |key| Ok(all.group(key)?.map(|members| (key, members)));
        keys.filter_map(|key| read(key).transpose()).collect()
    }

    /// A list of structures; absent is empty.
    pub fn groups(&self, name: &str) -> Result<Vec<Members<'a>>, ApiError> {
        let read = |list: &'a Value| list.as_array()?.iter().map(Value::as_object).collect();
        let maps: Option<Vec<_>> = self.read(name, "a list of structures", read)?;
        let numbered = maps.unwrap_or_default().into_iter().enumerate();
        let path = self.path(name);
        Ok(numbered.map(|(n, map)| self.within(map, item_path(&path, n))).collect())
    }

    /// Refuses what nobody read. Called by every operation once it has read what it knows.
    pub fn finish(&self) -> Result<(), ApiError> {
        match unread(&self.seen.borrow(), self.map, &self.prefix) {
            None => Ok(()),
            Some(path) => {
                let text = format!("The member {path} is not recognized (or not modelled here)");
                Err(ApiError::bad("ValidationException", text))
            }
        }
    }

    /// The error for a required member that is not there.
    pub fn missing(&self, name: &str) -> ApiError {
        self.unfit(name, "null", "Member must not be null")
    }

    /// The error for a value that breaks a constraint of the service's model.
    pub fn unfit(&self, name: &str, value: &str, constraint: &str) -> ApiError {
        let value = if value == "null" { value.to_string() } else { format!("'{value}'") };
        let text = format!(
            "1 validation error detected: Value {value} at '{}' failed to satisfy constraint: \
             {constraint}",
            lower_first(&self.path(name))
        );
        ApiError::bad("ValidationException", text)
    }

    fn get(&self, name: &str) -> Option<&'a Value> {
        self.seen.borrow_mut().members.insert(self.path(name));
        self.map.get(name).filter(|value| !value.is_null())
    }

    fn read<T>(
        &self,
        name: &str,
        wanted: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, ApiError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| wrong_type(&self.path(name), wanted))
    }

    fn within(&self, map: &'a Map<String, Value>, path: String) -> Members<'a> {
        Members { map, prefix: format!("{path}."), seen: self.seen.clone() }
    }
}

/// A value with the keys of its objects in order, since clients serialise maps in any.
pub fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| key.as_str());
            let entries = entries.into_iter().map(|(key, value)| (key.clone(), sorted(value)));
            Value::Object(entries.collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// Items are counted from one, as AWS does in its messages.
fn item_path(path: &str, index: usize) -> String {
    format!("{path}.{}.member", index + 1)
}

fn wrong_type(path: &str, wanted: &str) -> ApiError {
    ApiError::bad("SerializationException", format!("{path} is not {wanted}"))
}

/// Constraints name members by the words of the service's inside, which begin in lower case.
fn lower_first(path: &str) -> String {
    let lower = |part: &str| {
        let mut chars = part.chars();
        let first = chars.next().map(|c| c.to_ascii_lowercase());
        first.into_iter().chain(chars).collect::<String>()
    };
    path.split('.').map(lower).collect::<Vec<_>>().join(".")
}

/// The path of the first member that was not read.
fn unread(seen: &Seen, map: &Map<String, Value>, prefix: &str) -> Option<String> {
    map.iter().filter(|(_, value)| !value.is_null()).find_map(|(key, value)| {
        let path = format!("{prefix}{key}");
        if !seen.members.contains(&path) {
            return Some(path);
        }
        if seen.whole.contains(&path) {
            return None;
        }
        match value {
            Value::Object(inside) => unread(seen, inside, &format!("{path}.")),
            Value::Array(items) => items.iter().enumerate().find_map(|(n, item)| {
                unread(seen, item.as_object()?, &format!("{}.", item_path(&path, n)))
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        }
    })
}
