//! What a target gets of an event: all of it, a constant, a part, or a text made from parts.
//!
//! The syntax is that of the EventBridge user guide ("Input transformation"). Where it is silent: a
//! part that is an object or a list is written into a string with its quotes escaped; an input path
//! that leads nowhere gives `null`; a placeholder whose path leads nowhere gives nothing at all.

use std::collections::BTreeMap;

use serde_json::Value;

use super::errors::invalid;
use crate::kernel::error::ApiError;
use crate::kernel::json::Members;

/// How a target's input is made.
#[derive(Clone, Debug)]
pub enum Input {
    Whole,
    /// JSON, as it was given.
    Constant(String),
    Part(Path),
    Template {
        paths: BTreeMap<String, Path>,
        pieces: Vec<Piece>,
    },
}

/// What a template knows beside the event.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    pub rule_arn: &'a str,
    pub rule_name: &'a str,
    pub ingested_at: &'a str,
}

/// A way into an event: `$.detail.list[0].key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Key(String),
    Item(usize),
    Every,
}

/// A stretch of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    Text(String),
    /// `<name>`, and whether it stands within a JSON string.
    Placeholder {
        name: String,
        quoted: bool,
    },
}

const INPUT_CHARS_MAX: usize = 8192;
const PATH_CHARS_MAX: usize = 256;
const PLACEHOLDERS_MAX: usize = 100;

const PREDEFINED: [&str; 5] = [
    "aws.events.rule-arn",
    "aws.events.rule-name",
    "aws.events.event.ingestion-time",
    "aws.events.event",
    "aws.events.event.json",
];

impl Input {
    pub fn read(members: &Members, target: &str) -> Result<Input, ApiError> {
        let constant = bounded(members, "Input", INPUT_CHARS_MAX)?;
        let part = bounded(members, "InputPath", PATH_CHARS_MAX)?;
        let transformer = members.group("InputTransformer")?;
        match (constant, part, transformer) {
            (None, None, None) => Ok(Input::Whole),
            (Some(text), None, None) => {
                let parsed: Result<Value, _> = serde_json::from_str(text);
                parsed.map_err(|_| {
                    invalid(format!("JSON syntax error in input for target {target}."))
                })?;
                Ok(Input::Constant(text.to_string()))
            }
            (None, Some(text), None) => Path::parse(text)
                .map(Input::Part)
                .ok_or_else(|| invalid(format!("Invalid InputPath for target {target}: {text}"))),
            (None, None, Some(transformer)) => read_template(&transformer, target),
            _ => {
                let text = format!(
                    "Only one of Input, InputPath, or InputTransformer must be provided for \
                     target {target}."
                );
                Err(invalid(text))
            }
        }
    }

    /// The input for an event: JSON, unless a template makes something else.
    pub fn render(&self, event: &Value, context: &Context) -> String {
        match self {
            Input::Whole => event.to_string(),
            Input::Constant(text) => text.clone(),
            Input::Part(path) => path.find(event).unwrap_or(Value::Null).to_string(),
            Input::Template { paths, pieces } => {
                let fill = |piece: &Piece| match piece {
                    Piece::Text(text) => text.clone(),
                    Piece::Placeholder { name, quoted } => {
                        let value = predefined(name, event, context)
                            .or_else(|| paths.get(name).and_then(|path| path.find(event)));
                        write(value, *quoted)
                    }
                };
                pieces.iter().map(fill).collect()
            }
        }
    }
}

fn bounded<'a>(
    members: &Members<'a>,
    member: &str,
    chars_max: usize,
) -> Result<Option<&'a str>, ApiError> {
    let text = members.text(member)?;
    match text {
        Some(text) if text.chars().count() > chars_max => {
            let constraint = format!("Member must have length less than or equal to {chars_max}");
            Err(members.unfit(member, text, &constraint))
        }
        other => Ok(other),
    }
}

fn read_template(members: &Members, target: &str) -> Result<Input, ApiError> {
    let bad =
        |what: String| invalid(format!("Invalid InputTransformer for target {target}: {what}"));
    let mut paths = BTreeMap::new();
    for (name, text) in members.map("InputPathsMap")? {
        if name.to_ascii_lowercase().starts_with("aws") {
            return Err(bad(format!("the name {name} is reserved")));
        }
        let path = Path::parse(&text).ok_or_else(|| bad(format!("{text} is not a path")))?;
        paths.insert(name, path);
    }
    if paths.len() > PLACEHOLDERS_MAX {
        return Err(bad(format!("it has more than {PLACEHOLDERS_MAX} paths")));
    }
    let template = bounded(members, "InputTemplate", INPUT_CHARS_MAX)?;
    let template = template.ok_or_else(|| members.missing("InputTemplate"))?;
    let pieces = parse_template(template);
    for piece in &pieces {
        if let Piece::Placeholder { name, .. } = piece
            && !paths.contains_key(name)
            && !PREDEFINED.contains(&name.as_str())
        {
            return Err(bad(format!("the placeholder <{name}> has no path")));
        }
    }
    Ok(Input::Template { paths, pieces })
}

/// Cuts a template at its placeholders. A quote that is not escaped begins or ends a string.
fn parse_template(template: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut quoted = false;
    let mut escaped = false;
    let mut rest = template;
    while let Some(c) = rest.chars().next() {
        if c == '<'
            && let Some((name, after)) = placeholder(rest)
        {
            pieces.push(Piece::Text(std::mem::take(&mut text)));
            pieces.push(Piece::Placeholder { name: name.to_string(), quoted });
            rest = after;
            escaped = false;
            continue;
        }
        if c == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = c == '\\' && !escaped;
        text.push(c);
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    pieces.push(Piece::Text(text));
    pieces
}

/// The name in `<name>`, with which the text begins, and what comes after.
fn placeholder(text: &str) -> Option<(&str, &str)> {
    let (name, after) = text.strip_prefix('<')?.split_once('>')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    (!name.is_empty() && name.chars().all(plain)).then_some((name, after))
}

fn predefined(name: &str, event: &Value, context: &Context) -> Option<Value> {
    match name {
        "aws.events.rule-arn" => Some(Value::from(context.rule_arn)),
        "aws.events.rule-name" => Some(Value::from(context.rule_name)),
        "aws.events.event.ingestion-time" => Some(Value::from(context.ingested_at)),
        "aws.events.event.json" => Some(event.clone()),
        "aws.events.event" => {
            let mut head = event.clone();
            if let Value::Object(members) = &mut head {
                members.shift_remove("detail");
            }
            Some(head)
        }
        _ => None,
    }
}

fn write(value: Option<Value>, quoted: bool) -> String {
    match value {
        None => String::new(),
        Some(Value::String(text)) if quoted => escape(&text),
        Some(value) if quoted => escape(&value.to_string()),
        Some(value) => value.to_string(),
    }
}

/// The text as it stands between the quotes of a JSON string.
fn escape(text: &str) -> String {
    let json = Value::from(text).to_string();
    let inside = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inside.unwrap_or_default().to_string()
}

impl Path {
    fn parse(text: &str) -> Option<Path> {
        let mut parts = Vec::new();
        let mut rest = text.strip_prefix('$')?;
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('.') {
                let end = after.find(['.', '[']).unwrap_or(after.len());
                let (key, left) = after.split_at_checked(end)?;
                parts.push(match key {
                    "*" => Part::Every,
                    key => Part::Key(check_key(key)?.to_string()),
                });
                rest = left;
            } else {
                let (index, left) = rest.strip_prefix('[')?.split_once(']')?;
                parts.push(match index {
                    "*" => Part::Every,
                    index => Part::Item(index.parse().ok()?),
                });
                rest = left;
            }
        }
        Some(Path(parts))
    }

    fn find(&self, event: &Value) -> Option<Value> {
        let mut found = vec![event];
        let mut many = false;
        for part in &self.0 {
            found = match part {
                Part::Key(key) => found.into_iter().filter_map(|value| value.get(key)).collect(),
                Part::Item(n) => found.into_iter().filter_map(|value| value.get(n)).collect(),
                Part::Every => {
                    many = true;
                    found.into_iter().flat_map(children).collect()
                }
            };
        }
        if many {
            return Some(Value::Array(found.into_iter().cloned().collect()));
        }
        found.first().map(|value| (*value).clone())
    }
}

fn check_key(key: &str) -> Option<&str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '/');
    (!key.is_empty() && key.chars().all(plain)).then_some(key)
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(members) => members.values().collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}
