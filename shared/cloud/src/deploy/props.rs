//! Reads the properties of a resource, or of one structure in it, after they were evaluated.
//!
//! What a resource does not read is an error that names what it knows; so is a value of the wrong
//! shape. Both are added to the errors, and reading goes on.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde_json::{Map, Number, Value as Json};

use super::errors::Errors;
use super::yaml::{Node, Position, Value};

pub struct Props<'a> {
    pub path: String,
    pub at: Position,
    node: Option<&'a Node>,
    known: RefCell<Vec<String>>,
    errors: &'a Errors,
}

impl<'a> Props<'a> {
    /// The entries of a map; no node at all is an empty one.
    pub fn of(
        node: Option<&'a Node>,
        at: Position,
        path: impl Into<String>,
        errors: &'a Errors,
    ) -> Props<'a> {
        let path = path.into();
        let fits = |node: &Node| node.map().is_some() || node.is_broken();
        if let Some(node) = node.filter(|node| !fits(node)) {
            errors.add(node.at, &path, format!("a map is wanted here, not {}", node.noun()));
        }
        let at = node.map_or(at, |node| node.at);
        Props { path, at, node, known: RefCell::default(), errors }
    }

    pub fn path_of(&self, name: &str) -> String {
        format!("{}.{name}", self.path)
    }

    /// Where a property is, or where it would be.
    pub fn at_of(&self, name: &str) -> Position {
        self.node.and_then(|node| node.get(name)).map_or(self.at, |node| node.at)
    }

    pub fn wrong(&self, name: &str, what: impl Into<String>) {
        self.errors.add(self.at_of(name), &self.path_of(name), what);
    }

    pub fn has(&self, name: &str) -> bool {
        self.node.is_some_and(|node| node.get(name).is_some())
    }

    /// A property as it is.
    pub fn any(&self, name: &str) -> Option<&'a Node> {
        self.known.borrow_mut().push(name.to_string());
        self.node?.get(name).filter(|node| !node.is_broken())
    }

    /// Properties that are accepted whatever they say: they change nothing that is modelled.
    pub fn accept(&self, names: &[&str]) {
        self.known.borrow_mut().extend(names.iter().map(|name| (*name).to_string()));
    }

    /// Complains of a property that is not there.
    pub fn require(&self, name: &str) {
        let broken = self.node.is_some_and(Node::is_broken);
        if !self.has(name) && !broken {
            self.errors.add(self.at, &self.path, format!("the property {name} is missing"));
        }
    }

    pub fn text(&self, name: &str) -> Option<String> {
        let node = self.any(name)?;
        if node.text().is_none() {
            self.wrong(name, format!("a text is wanted here, not {}", node.noun()));
        }
        node.text().map(str::to_string)
    }

    pub fn required(&self, name: &str) -> Option<String> {
        self.require(name);
        self.text(name)
    }

    pub fn one_of(&self, name: &str, all: &[&str]) -> Option<String> {
        let text = self.text(name)?;
        if all.contains(&text.as_str()) {
            return Some(text);
        }
        self.wrong(name, format!("{text} is not modelled here; known: {}", all.join(", ")));
        None
    }

    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.text(name)?.as_str() {
            "true" => Some(true),
            "false" => Some(false),
            other => {
                self.wrong(name, format!("{other} is neither true nor false"));
                None
            }
        }
    }

    pub fn integer(&self, name: &str) -> Option<i64> {
        let text = self.text(name)?;
        let number = text.parse().ok();
        if number.is_none() {
            self.wrong(name, format!("{text} is not a whole number"));
        }
        number
    }

    pub fn unsigned(&self, name: &str) -> Option<u64> {
        let number = self.integer(name)?;
        let unsigned = u64::try_from(number).ok();
        if unsigned.is_none() {
            self.wrong(name, format!("{number} is less than 0"));
        }
        unsigned
    }

    /// The items of a list; a single value where a list is wanted is an error.
    pub fn list(&self, name: &str) -> Vec<(String, &'a Node)> {
        let Some(node) = self.any(name) else { return Vec::new() };
        let Some(items) = node.list() else {
            self.wrong(name, format!("a list is wanted here, not {}", node.noun()));
            return Vec::new();
        };
        let path = self.path_of(name);
        let items = items.iter().enumerate();
        items.map(|(index, item)| (format!("{path}[{index}]"), item)).collect()
    }

    pub fn texts(&self, name: &str) -> Vec<String> {
        let read = |(path, item): (String, &'a Node)| {
            if item.text().is_none() && !item.is_broken() {
                let what = format!("a text is wanted here, not {}", item.noun());
                self.errors.add(item.at, &path, what);
            }
            item.text().map(str::to_string)
        };
        self.list(name).into_iter().filter_map(read).collect()
    }

    pub fn groups(&self, name: &str) -> Vec<Props<'a>> {
        let items = self.list(name).into_iter();
        items.map(|(path, item)| Props::of(Some(item), item.at, path, self.errors)).collect()
    }

    pub fn group(&self, name: &str) -> Option<Props<'a>> {
        let node = self.any(name)?;
        Some(Props::of(Some(node), node.at, self.path_of(name), self.errors))
    }

    /// A map with free keys, from text to text.
    pub fn texts_by_name(&self, name: &str) -> BTreeMap<String, String> {
        let Some(group) = self.group(name) else { return BTreeMap::new() };
        let entries = group.node.and_then(Node::map).unwrap_or_default();
        let names = entries.iter().map(|(key, _)| key.text.as_str());
        names.filter_map(|name| Some((name.to_string(), group.text(name)?))).collect()
    }

    /// Tags as a list of `Key` and `Value`, as most resources have them.
    pub fn tags(&self) -> Vec<(String, String)> {
        let read = |tag: Props<'a>| {
            let pair = tag.required("Key").zip(tag.required("Value"));
            tag.finish();
            pair
        };
        self.groups("Tags").into_iter().filter_map(read).collect()
    }

    pub fn json(&self, name: &str) -> Option<Json> {
        let node = self.any(name)?;
        Some(to_json(node, &self.path_of(name), self.errors))
    }

    /// Refuses what nobody read.
    pub fn finish(&self) {
        let mut known = self.known.borrow().clone();
        known.sort();
        known.dedup();
        for (key, _) in self.node.and_then(Node::map).unwrap_or_default() {
            if !known.contains(&key.text) {
                let what = format!("not a property that is modelled; known: {}", known.join(", "));
                self.errors.add(key.at, &self.path_of(&key.text), what);
            }
        }
    }
}

/// The JSON that CloudFormation would make of it, by the rules of YAML 1.1: plain numbers and truth
/// values are such. What those rules make something surprising of has to be quoted.
pub fn to_json(node: &Node, path: &str, errors: &Errors) -> Json {
    match &node.value {
        Value::Broken => Json::Null,
        Value::Scalar { text, quoted: true } => Json::String(text.clone()),
        Value::Scalar { text, quoted: false } => plain(text).unwrap_or_else(|what| {
            errors.add(node.at, path, format!("{text} is read as {what}; quote it"));
            Json::Null
        }),
        Value::List(items) => {
            let items = items.iter().enumerate();
            let one = |(index, item)| to_json(item, &format!("{path}[{index}]"), errors);
            Json::Array(items.map(one).collect())
        }
        Value::Map(entries) => {
            let mut map = Map::new();
            for (key, node) in entries {
                let path = format!("{path}.{}", key.text);
                map.insert(key.text.clone(), to_json(node, &path, errors));
            }
            Json::Object(map)
        }
    }
}

fn plain(text: &str) -> Result<Json, &'static str> {
    let lower = text.to_ascii_lowercase();
    match lower.as_str() {
        "true" => return Ok(Json::Bool(true)),
        "false" => return Ok(Json::Bool(false)),
        "" | "~" | "null" => return Ok(Json::Null),
        "yes" | "no" | "on" | "off" => return Err("a truth value by YAML 1.1"),
        _ => {}
    }
    let digits = text.trim_start_matches(['-', '+']);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Ok(Json::String(text.to_string()));
    }
    if digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err("an octal number by YAML 1.1");
    }
    if let Ok(number) = text.parse::<i64>() {
        return Ok(Json::Number(number.into()));
    }
    let number = text.parse::<f64>().ok().and_then(Number::from_f64);
    Ok(number.map_or_else(|| Json::String(text.to_string()), Json::Number))
}
