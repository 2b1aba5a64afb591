//! The differences between two policies, key by key and in the words of the file.
//!
//! Both are printed as they would be written, and what is printed is compared: so a difference is
//! told in words that its reader knows, and no key can be forgotten here.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Policy, print};
use crate::yaml::{self, Node, Value};

/// Key whose value has changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Path of the key: `select.tags.backup`, `replicate(eu-west-1).kms_key`.
    pub key: String,
    /// Old value; none where the default held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    /// New value; none where the key is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is: Option<String>,
}

/// Lists the keys that differ, in the order of the file; all keys of a new policy.
pub fn between(was: Option<&Policy>, is: &Policy) -> Vec<Difference> {
    let before = was.map(keys).unwrap_or_default();
    let after = keys(is);
    let old: BTreeMap<&str, &str> = by_key(&before);
    let new: BTreeMap<&str, &str> = by_key(&after);
    let value = |of: &BTreeMap<&str, &str>, key: &str| of.get(key).map(ToString::to_string);
    let gone = before.iter().filter(|(key, _)| !new.contains_key(key.as_str()));
    let differences = after.iter().chain(gone).map(|(key, _)| Difference {
        key: key.clone(),
        was: value(&old, key),
        is: value(&new, key),
    });
    differences.filter(|difference| difference.was != difference.is).collect()
}

fn by_key(keys: &[(String, String)]) -> BTreeMap<&str, &str> {
    keys.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

/// Lists the keys of a policy in the order in which it is printed.
fn keys(policy: &Policy) -> Vec<(String, String)> {
    let mut keys = Vec::new();
    // What we print can be read; if it could not, there would be nothing to compare.
    if let Ok(file) = yaml::parse(&print::file(std::slice::from_ref(policy)))
        && let Some(node) = inside(&file).and_then(inside)
    {
        add(&mut keys, "", node);
    }
    keys
}

/// Returns the value of the only key of a group.
fn inside(node: &Node) -> Option<&Node> {
    match &node.value {
        Value::Map(pairs) => pairs.first().map(|(_, value)| value),
        Value::Scalar { .. } | Value::List(_) => None,
    }
}

fn add(keys: &mut Vec<(String, String)>, path: &str, node: &Node) {
    match &node.value {
        Value::Scalar { text, .. } => keys.push((path.to_string(), text.clone())),
        Value::Map(pairs) => {
            for (key, value) in pairs {
                let key = key.text().unwrap_or_default();
                let path = if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
                add(keys, &path, value);
            }
        }
        Value::List(items) => {
            let texts: Option<Vec<&str>> = items.iter().map(Node::text).collect();
            match texts {
                Some(texts) => keys.push((path.to_string(), texts.join(", "))),
                None => items.iter().for_each(|item| add_item(keys, path, item)),
            }
        }
    }
}

/// A replica is known by its region, a trigger by its schedule or event: its place in the list says
/// nothing.
fn add_item(keys: &mut Vec<(String, String)>, path: &str, item: &Node) {
    let Value::Map(pairs) = &item.value else { return };
    let Some((key, name)) = pairs.first() else { return };
    let name = name.text().unwrap_or_default();
    let name = if key.text() == Some("on") { format!("on {name}") } else { name.to_string() };
    let path = format!("{path}({name})");
    keys.push((path.clone(), String::new()));
    for (key, value) in pairs.iter().skip(1) {
        add(keys, &format!("{path}.{}", key.text().unwrap_or_default()), value);
    }
}
