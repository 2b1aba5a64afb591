//! Reads groups of keys out of a tree, and collects everything that is wrong on the way.

use std::collections::BTreeMap;

use crate::yaml::{Node, Position, Problem, Value};

/// A group of keys that is being read. What nobody asked for is an unknown key.
pub struct Group<'n> {
    at: Position,
    entries: Vec<(&'n str, &'n Node, &'n Node)>,
    known: Vec<&'static str>,
}

/// What was wrong so far.
#[derive(Debug, Default)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    pub fn add(&mut self, at: Position, what: impl Into<String>, instead: impl Into<String>) {
        self.0.push(Problem::new(at, what, instead));
    }
}

impl<'n> Group<'n> {
    /// Begins to read a group; anything else in its place is a problem.
    pub fn of(node: &'n Node, what: &str, problems: &mut Problems) -> Option<Group<'n>> {
        let Value::Map(pairs) = &node.value else {
            let found = if node.is_empty() { "nothing" } else { node.value.noun() };
            let wrong = format!("{what} must be a group of keys, not {found}");
            problems.add(node.at, wrong, "write its keys below it, indented");
            return None;
        };
        let mut entries: Vec<(&str, &Node, &Node)> = Vec::new();
        for (key, value) in pairs {
            let Some(name) = key.text() else {
                problems.add(key.at, "a key must be a single word", "write `key: value`");
                continue;
            };
            if entries.iter().any(|(known, ..)| *known == name) {
                let wrong = format!("`{name}` stands here twice");
                problems.add(key.at, wrong, "keep one of them");
                continue;
            }
            entries.push((name, key, value));
        }
        Some(Group { at: node.at, entries, known: Vec::new() })
    }

    pub fn at(&self) -> Position {
        self.at
    }

    /// The value of a key, if it is there.
    pub fn get(&mut self, name: &'static str) -> Option<&'n Node> {
        self.known.push(name);
        self.entries.iter().find(|(key, ..)| *key == name).map(|(_, _, value)| *value)
    }

    /// The value of a key that must be there.
    pub fn need(&mut self, name: &'static str, problems: &mut Problems) -> Option<&'n Node> {
        let found = self.get(name);
        if found.is_none() {
            problems.add(self.at, format!("`{name}` is missing"), format!("add `{name}:`"));
        }
        found
    }

    /// Reports every key that nobody asked for.
    pub fn finish(self, problems: &mut Problems) {
        for (name, key, _) in &self.entries {
            if self.known.contains(name) {
                continue;
            }
            let near = self.known.iter().min_by_key(|known| distance(known, name));
            let instead = match near {
                Some(near) if distance(near, name) <= 2 => format!("did you mean `{near}`?"),
                _ => format!("known here: {}", self.known.join(", ")),
            };
            problems.add(key.at, format!("unknown key `{name}`"), instead);
        }
    }
}

/// How many letters differ between two words (Levenshtein).
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = i;
        let mut before = i + 1;
        let mut next = vec![before];
        for (b, above) in right.iter().zip(row.iter().skip(1)) {
            let cost = diagonal + usize::from(a != *b);
            diagonal = *above;
            before = cost.min(above + 1).min(before + 1);
            next.push(before);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

/// The text of a single value.
pub fn text<'n>(node: &'n Node, what: &str, problems: &mut Problems) -> Option<&'n str> {
    if node.is_empty() {
        problems.add(node.at, format!("{what} is empty"), "write a value behind the colon");
        return None;
    }
    let found = node.text();
    if found.is_none() {
        let wrong = format!("{what} must be a single value, not {}", node.value.noun());
        problems.add(node.at, wrong, "write it on the same line");
    }
    found
}

/// The items of a list that may not be empty.
pub fn list<'n>(node: &'n Node, what: &str, problems: &mut Problems) -> &'n [Node] {
    match &node.value {
        Value::List(items) if !items.is_empty() => items,
        Value::List(_) => {
            problems.add(node.at, format!("{what} is an empty list"), "name at least one");
            &[]
        }
        Value::Scalar { .. } | Value::Map(_) => {
            let found = if node.is_empty() { "nothing" } else { node.value.noun() };
            let wrong = format!("{what} must be a list, not {found}");
            problems.add(node.at, wrong, "write `[one, two]`, or one line with `- ` for each");
            &[]
        }
    }
}

/// Tags that are set: one value each.
pub fn tags(node: &Node, what: &str, problems: &mut Problems) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::new();
    for (key, value) in pairs(node, what, problems) {
        // An empty value is a good tag, if it is written as one.
        let empty = matches!(&value.value, Value::Scalar { text, quoted: true } if text.is_empty());
        let value = if empty { Some("") } else { text(value, what, problems) };
        if let Some(value) = value {
            tags.insert(key.to_string(), value.to_string());
        }
    }
    tags
}

/// Tags that are looked for: one pattern or a list of them each.
pub fn patterns(node: &Node, what: &str, problems: &mut Problems) -> BTreeMap<String, Vec<String>> {
    let mut all = BTreeMap::new();
    for (key, value) in pairs(node, what, problems) {
        let values: Vec<String> = match &value.value {
            Value::Scalar { .. } => {
                text(value, what, problems).map(str::to_string).into_iter().collect()
            }
            Value::List(_) | Value::Map(_) => {
                let items = list(value, what, problems).iter();
                items.filter_map(|item| text(item, what, problems)).map(str::to_string).collect()
            }
        };
        all.insert(key.to_string(), values);
    }
    all
}

fn pairs<'n>(node: &'n Node, what: &str, problems: &mut Problems) -> Vec<(&'n str, &'n Node)> {
    match Group::of(node, what, problems) {
        Some(group) => group.entries.iter().map(|(name, _, value)| (*name, *value)).collect(),
        None => Vec::new(),
    }
}

/// `90s`, `10m`, `4h`, `2d`, `1w`, in seconds.
pub fn duration(node: &Node, what: &str, problems: &mut Problems) -> Option<u64> {
    let text = text(node, what, problems)?;
    let units = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400), ("w", 604_800)];
    let read = units.iter().find_map(|(unit, secs)| {
        let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(*secs).filter(|span| *span > 0)
    });
    if read.is_none() {
        let wrong = format!("{what}: `{text}` is not a length of time");
        problems.add(node.at, wrong, "write a number with its unit, like 90s, 10m, 4h or 2d");
    }
    read
}
