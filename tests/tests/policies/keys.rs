//! The keys of the language, as paths from a policy: `image.exclude_volumes.tags`. What stands in a
//! list has the path of the list, and tags are no keys of the language.

use std::collections::BTreeSet;

use afterimage_core::yaml::{Node, Value, parse};
use serde_json::Value as Json;

/// The keys that the schema knows.
pub fn of_schema(schema: &Json) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    add(schema, &schema["$defs"]["policy"], "", &mut keys);
    keys
}

/// What a reference stands for; anything else stands for itself.
pub fn resolved<'s>(schema: &'s Json, node: &'s Json) -> &'s Json {
    let Some(name) = node["$ref"].as_str() else { return node };
    let path = name.strip_prefix('#').expect("it refers to itself");
    schema.pointer(path).unwrap_or_else(|| panic!("there is no {name}"))
}

fn add(schema: &Json, node: &Json, path: &str, keys: &mut BTreeSet<String>) {
    let node = resolved(schema, node);
    for variant in node["oneOf"].as_array().into_iter().flatten() {
        add(schema, variant, path, keys);
    }
    if !node["items"].is_null() {
        add(schema, &node["items"], path, keys);
    }
    for (key, value) in node["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        add(schema, value, &path, keys);
        keys.insert(path);
    }
}

/// The keys that a file uses, of those that there are.
pub fn of_file(text: &str, known: &BTreeSet<String>) -> BTreeSet<String> {
    let root = parse(text).unwrap_or_else(|problem| panic!("{problem}\n{text}"));
    let mut used = BTreeSet::new();
    for (_, policies) in pairs(&root) {
        for (_, policy) in pairs(policies) {
            walk(policy, "", known, &mut used);
        }
    }
    used
}

fn pairs(node: &Node) -> &[(Node, Node)] {
    if let Value::Map(pairs) = &node.value { pairs } else { &[] }
}

fn walk(node: &Node, path: &str, known: &BTreeSet<String>, used: &mut BTreeSet<String>) {
    if let Value::List(items) = &node.value {
        items.iter().for_each(|item| walk(item, path, known, used));
    }
    for (key, value) in pairs(node) {
        let key = key.text().expect("a key is a text");
        let path = if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
        walk(value, &path, known, used);
        if known.contains(&path) {
            used.insert(path);
        }
    }
}
