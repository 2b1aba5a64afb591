//! Reads groups of keys out of a tree, and collects everything that is wrong on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::ops::RangeInclusive;

use jiff::Timestamp;
use strsim::levenshtein;

use crate::ids::AccountId;
use crate::policy::print::span;
use crate::tags::{KEY_MAX, VALUE_MAX};
use crate::yaml::{Node, Position, Problem, Value};

/// A group of keys that is being read. What nobody asked for is an unknown key.
pub struct Group<'n> {
    at: Position,
    entries: Vec<(&'n str, &'n Node, &'n Node)>,
    known: Vec<&'static str>,
}

/// The most entries of one list or group: nobody writes more on purpose.
pub const ENTRIES_MAX: usize = 100;

/// The most letters by which a key may differ from the one that is suggested.
const TYPOS_MAX: usize = 2;

/// Longest duration: more than anything is kept or waited for, and short enough to count with.
const DURATION_SECS_MAX: u64 = 100 * 365 * 86_400;

/// Problems that were found so far, and the instant at which the file is read.
#[derive(Debug, Default)]
pub struct Problems {
    pub found: Vec<Problem>,
    /// None where nothing is refused for being over.
    pub now: Option<Timestamp>,
    /// The account of the stack, if it is known.
    pub stack: Option<AccountId>,
    /// The account of the first key that an ARN names, and the place of that key.
    pub first_key: Option<(AccountId, Position)>,
}

impl Problems {
    pub fn add(&mut self, at: Position, what: impl Into<String>, instead: impl Into<String>) {
        self.found.push(Problem::new(at, what, instead));
    }
}

impl<'n> Group<'n> {
    /// Begins to read a group; anything else in its place is a problem.
    pub fn of(node: &'n Node, what: &str, problems: &mut Problems) -> Option<Group<'n>> {
        let Value::Map(pairs) = &node.value else {
            let wrong = format!("{what} must be a group of keys, not {}", noun(node));
            problems.add(node.at, wrong, "write its keys below it, indented");
            return None;
        };
        let mut entries: Vec<(&str, &Node, &Node)> = Vec::new();
        let mut names = BTreeSet::new();
        for (key, value) in pairs {
            let Some(name) = key.text() else {
                problems.add(key.at, "a key must be a single word", "write `key: value`");
                continue;
            };
            if !names.insert(name) {
                let wrong = format!("`{name}` is given twice");
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

    /// Tells whether the group has no keys.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Reports a key that has its place elsewhere, and not here.
    pub fn forbid(&mut self, name: &'static str, why: &str, problems: &mut Problems) {
        let entries = std::mem::take(&mut self.entries);
        let (here, rest) = entries.into_iter().partition(|(key, ..)| *key == name);
        self.entries = rest;
        let here: Vec<(&str, &Node, &Node)> = here;
        for (_, key, _) in here {
            problems.add(key.at, format!("`{name}` {why}"), "leave it out here");
        }
    }

    /// The value of a key, if it is there.
    pub fn get(&mut self, name: &'static str) -> Option<&'n Node> {
        self.known.push(name);
        self.peek(name)
    }

    /// The same, where it is not sure yet that there may be such a key.
    pub fn peek(&self, name: &str) -> Option<&'n Node> {
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
            let near = self.known.iter().min_by_key(|known| levenshtein(known, name));
            let instead = match near {
                Some(near) if levenshtein(near, name) <= TYPOS_MAX => {
                    format!("did you mean `{near}`?")
                }
                _ => format!("known here: {}", self.known.join(", ")),
            };
            problems.add(key.at, format!("unknown key `{name}`"), instead);
        }
    }
}

/// Names the kind of a value as a person would.
pub fn noun(node: &Node) -> &'static str {
    if node.is_empty() { "nothing" } else { node.value.noun() }
}

/// The text of a single value.
pub fn text<'n>(node: &'n Node, what: &str, problems: &mut Problems) -> Option<&'n str> {
    if node.is_empty() {
        problems.add(node.at, format!("{what} is empty"), "write a value after the colon");
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
        Value::List(items) if items.len() > ENTRIES_MAX => {
            let wrong = format!("{what} has {} entries", items.len());
            problems.add(node.at, wrong, format!("the maximum is {ENTRIES_MAX}"));
            items
        }
        Value::List(items) if !items.is_empty() => items,
        Value::List(_) => {
            problems.add(node.at, format!("{what} is an empty list"), "name at least one");
            &[]
        }
        Value::Scalar { .. } | Value::Map(_) => {
            let wrong = format!("{what} must be a list, not {}", noun(node));
            problems.add(node.at, wrong, "write `[one, two]`, or one line with `- ` for each");
            &[]
        }
    }
}

/// Drops what stands in a list a second time, and reports it.
pub fn once_each<T: Display>(all: Vec<(Position, T)>, problems: &mut Problems) -> Vec<T> {
    let (mut once, mut texts) = (Vec::new(), BTreeSet::new());
    for (at, item) in all {
        if texts.insert(item.to_string()) {
            once.push(item);
        } else {
            problems.add(at, format!("`{item}` is given twice"), "keep one of them");
        }
    }
    once
}

/// Tags that are set: one value each.
pub fn tags(
    node: &Node,
    what: &str,
    max: usize,
    problems: &mut Problems,
) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::new();
    for (key, value) in pairs(node, what, max, problems) {
        if let Some(value) = tag_value(value, problems) {
            tags.insert(key.to_string(), value.to_string());
        }
    }
    tags
}

/// Tags that are looked for: one pattern or a list of them each.
pub fn patterns(
    node: &Node,
    what: &str,
    max: usize,
    problems: &mut Problems,
) -> BTreeMap<String, Vec<String>> {
    let mut all = BTreeMap::new();
    for (key, value) in pairs(node, what, max, problems) {
        let values: Vec<String> = match &value.value {
            Value::Scalar { .. } => {
                tag_value(value, problems).map(str::to_string).into_iter().collect()
            }
            Value::List(_) | Value::Map(_) => {
                let what = format!("the values of `{key}`");
                let items = list(value, &what, problems).iter();
                items.filter_map(|item| tag_value(item, problems)).map(str::to_string).collect()
            }
        };
        all.insert(key.to_string(), values);
    }
    all
}

fn pairs<'n>(
    node: &'n Node,
    what: &str,
    max: usize,
    problems: &mut Problems,
) -> Vec<(&'n str, &'n Node)> {
    let Some(group) = Group::of(node, what, problems) else { return Vec::new() };
    if group.entries.len() > max {
        let wrong = format!("{what} has {} tags", group.entries.len());
        problems.add(node.at, wrong, format!("the maximum is {max}"));
    }
    for (name, key, _) in &group.entries {
        let chars = name.chars().count();
        if chars == 0 {
            problems.add(key.at, "the key of a tag is empty", "write the key before the colon");
        }
        if chars > KEY_MAX {
            let wrong = format!("the key of a tag has {chars} characters");
            problems.add(key.at, wrong, format!("the maximum is {KEY_MAX}"));
        }
    }
    group.entries.iter().map(|(name, _, value)| (*name, *value)).collect()
}

/// An empty value is a good one, if it is written as one: in quotes.
fn tag_value<'n>(node: &'n Node, problems: &mut Problems) -> Option<&'n str> {
    if node.is_empty() {
        let instead = "write a value after the colon, or \"\" for an empty one";
        problems.add(node.at, "the value of a tag is missing", instead);
        return None;
    }
    let value = text(node, "the value of a tag", problems)?;
    let chars = value.chars().count();
    if chars > VALUE_MAX {
        let wrong = format!("the value of a tag has {chars} characters");
        problems.add(node.at, wrong, format!("the maximum is {VALUE_MAX}"));
    }
    Some(value)
}

/// Reads one of a few words.
pub fn choice<T: Copy>(
    node: &Node,
    what: &str,
    choices: &[(&str, T)],
    problems: &mut Problems,
) -> Option<T> {
    let text = text(node, what, problems)?;
    let found = choices.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
    if found.is_none() {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let (last, first) = words.split_last().map_or(("", &[][..]), |(last, rest)| (*last, rest));
        let instead = format!("write {} or {last}", first.join(", "));
        problems.add(node.at, format!("{what} cannot be `{text}`"), instead);
    }
    found
}

/// `true` or `false`. What other readers of YAML take for the same (`yes`, `on`) is a word here.
pub fn flag(node: &Node, what: &str, problems: &mut Problems) -> Option<bool> {
    let text = text(node, what, problems)?;
    match (&node.value, text) {
        (Value::Scalar { quoted: false, .. }, "true") => Some(true),
        (Value::Scalar { quoted: false, .. }, "false") => Some(false),
        _ => {
            let wrong = format!("{what} cannot be `{text}`");
            problems.add(node.at, wrong, "write true or false, without quotes");
            None
        }
    }
}

/// A whole number, written with digits.
pub fn number(
    node: &Node,
    what: &str,
    within: RangeInclusive<u32>,
    problems: &mut Problems,
) -> Option<u32> {
    let text = text(node, what, problems)?;
    let plain = matches!(&node.value, Value::Scalar { quoted: false, .. });
    let digits = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    let number: Option<u32> = if plain && digits { text.parse().ok() } else { None };
    let number = number.filter(|number| within.contains(number));
    if number.is_none() {
        let wrong = format!("{what} cannot be `{text}`");
        let (least, most) = (within.start(), within.end());
        let instead = format!("write a whole number from {least} to {most}, without quotes");
        problems.add(node.at, wrong, instead);
    }
    number
}

/// `90s`, `10m`, `4h`, `2d`, `1w`, in seconds.
pub fn duration(node: &Node, what: &str, problems: &mut Problems) -> Option<u64> {
    duration_within(node, what, (1, DURATION_SECS_MAX), problems)
}

/// A length of time that is neither shorter nor longer than that.
pub fn duration_within(
    node: &Node,
    what: &str,
    (least, most): (u64, u64),
    problems: &mut Problems,
) -> Option<u64> {
    let text = text(node, what, problems)?;
    let units = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400), ("w", 604_800)];
    let read = units.iter().find_map(|(unit, secs)| {
        let digits = text.strip_suffix(unit)?;
        let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        // What cannot be counted is too long, whatever it is.
        is_number.then(|| digits.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(*secs))
    });
    let Some(secs) = read else {
        let wrong = format!("{what}: `{text}` is not a duration");
        problems.add(node.at, wrong, "write a number with its unit, like 90s, 10m, 4h or 2d");
        return None;
    };
    if (least..=most).contains(&secs) {
        return Some(secs);
    }
    let (wrong, bound) = match secs < least {
        true => ("too short", format!("the minimum is {}", span(least))),
        false => ("too long", format!("the maximum is {}", span(most))),
    };
    problems.add(node.at, format!("{what}: {text} is {wrong}"), bound);
    None
}
