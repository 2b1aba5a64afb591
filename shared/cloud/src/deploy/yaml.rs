//! YAML as CloudFormation reads it: a tree in which every node knows its line and column.
//!
//! Scalars keep their source text. A short tag is its long form: `!Ref X` is `{Ref: X}`, `!Sub X`
//! is `{Fn::Sub: X}`. Anchors, aliases, other tags and second documents are refused, as
//! CloudFormation refuses them or nobody needs them.

use std::fmt;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag};

/// Deeper than any template, and shallow enough for the stack.
const DEPTH_MAX: usize = 48;

/// A place in a template, counted from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub at: Position,
    pub value: Value,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A plain scalar may be a number or a truth value to whoever reads it; a quoted one is a text.
    Scalar {
        text: String,
        quoted: bool,
    },
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
    /// What could not be worked out, and was reported; it passes for anything.
    Broken,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    pub at: Position,
    pub text: String,
}

impl Node {
    pub fn text_node(at: Position, text: impl Into<String>) -> Node {
        Node { at, value: Value::Scalar { text: text.into(), quoted: true } }
    }

    pub fn broken(at: Position) -> Node {
        Node { at, value: Value::Broken }
    }

    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            Value::List(_) | Value::Map(_) | Value::Broken => None,
        }
    }

    pub fn map(&self) -> Option<&[(Key, Node)]> {
        match &self.value {
            Value::Map(entries) => Some(entries),
            Value::Scalar { .. } | Value::List(_) | Value::Broken => None,
        }
    }

    pub fn list(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(items) => Some(items),
            Value::Scalar { .. } | Value::Map(_) | Value::Broken => None,
        }
    }

    /// The value of a key of a map.
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.map()?.iter().find(|(key, _)| key.text == name).map(|(_, node)| node)
    }

    pub fn is_broken(&self) -> bool {
        matches!(self.value, Value::Broken)
    }

    /// The intrinsic function that the node calls, and what it is given.
    pub fn intrinsic(&self) -> Option<(&str, &Node)> {
        match self.map()? {
            [(key, argument)] if key.text == "Ref" || key.text.starts_with("Fn::") => {
                Some((&key.text, argument))
            }
            _ => None,
        }
    }

    /// What a person would call it.
    pub fn noun(&self) -> &'static str {
        match &self.value {
            Value::Scalar { .. } => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
            Value::Broken => "nothing",
        }
    }

    /// The node that a path such as `Statement[0].Effect` leads to, or as near as there is one.
    pub fn nearest(&self, path: &str) -> &Node {
        let mut node = self;
        for part in path.split(['.', '[']).map(|part| part.trim_end_matches(']')) {
            let item = part.parse().ok().and_then(|index: usize| node.list()?.get(index));
            match node.get(part).or(item) {
                Some(inner) => node = inner,
                None => return node,
            }
        }
        node
    }
}

/// Something that is wrong with the text, before anything of it is understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    pub at: Position,
    pub what: String,
}

impl Fault {
    fn new(at: Position, what: impl Into<String>) -> Fault {
        Fault { at, what: what.into() }
    }
}

/// Reads one document.
pub fn parse(text: &str) -> Result<Node, Fault> {
    let mut events = Events { parser: Parser::new_from_str(text) };
    loop {
        let (event, at) = events.next()?;
        match event {
            Event::StreamEnd => return Err(Fault::new(at, "the template is empty")),
            Event::StreamStart | Event::DocumentStart(_) => {}
            event => {
                let root = events.node(event, at, 0)?;
                return events.end(root);
            }
        }
    }
}

struct Events<'input> {
    parser: Parser<'input, StrInput<'input>>,
}

impl<'input> Events<'input> {
    fn next(&mut self) -> Result<(Event<'input>, Position), Fault> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, position(span))),
            Some(Err(error)) => {
                let marker = error.marker();
                let at = Position { line: marker.line(), column: marker.col() + 1 };
                Err(Fault::new(at, format!("not YAML: {}", error.info())))
            }
            None => Err(Fault::new(Position { line: 1, column: 1 }, "the template breaks off")),
        }
    }

    fn node(&mut self, event: Event<'input>, at: Position, depth: usize) -> Result<Node, Fault> {
        if depth > DEPTH_MAX {
            return Err(Fault::new(at, format!("more than {DEPTH_MAX} levels, one in the other")));
        }
        let (value, anchor, tag) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let quoted = !matches!(style, ScalarStyle::Plain);
                (Value::Scalar { text: text.into_owned(), quoted }, anchor, tag)
            }
            Event::SequenceStart(anchor, tag) => (self.list(depth)?, anchor, tag),
            Event::MappingStart(anchor, tag) => (self.map(depth)?, anchor, tag),
            Event::Alias(_) => return Err(Fault::new(at, "an alias (`*name`) is not modelled")),
            _ => return Err(Fault::new(at, "the template breaks off")),
        };
        if anchor > 0 {
            return Err(Fault::new(at, "an anchor (`&name`) is not modelled"));
        }
        let node = Node { at, value };
        let Some(tag) = tag else { return Ok(node) };
        let text = long_form(at, &tag)?;
        Ok(Node { at, value: Value::Map(vec![(Key { at, text }, node)]) })
    }

    fn list(&mut self, depth: usize) -> Result<Value, Fault> {
        let mut items = Vec::new();
        loop {
            let (event, at) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                return Ok(Value::List(items));
            }
            items.push(self.node(event, at, depth + 1)?);
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, Fault> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        loop {
            let (event, at) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                return Ok(Value::Map(entries));
            }
            let Value::Scalar { text, .. } = self.node(event, at, depth + 1)?.value else {
                return Err(Fault::new(at, "a key has to be a single value"));
            };
            if let Some((before, _)) = entries.iter().find(|(key, _)| key.text == text) {
                let what = format!("the key {text} is there twice, first at {}", before.at);
                return Err(Fault::new(at, what));
            }
            let (event, value_at) = self.next()?;
            let value = self.node(event, value_at, depth + 1)?;
            entries.push((Key { at, text }, value));
        }
    }

    fn end(&mut self, root: Node) -> Result<Node, Fault> {
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(root),
                (Event::DocumentStart(_), at) => {
                    return Err(Fault::new(at, "a second document (`---`)"));
                }
                _ => {}
            }
        }
    }
}

const SHORT_TAGS: [&str; 17] = [
    "And",
    "Base64",
    "Cidr",
    "Equals",
    "FindInMap",
    "GetAZs",
    "GetAtt",
    "If",
    "ImportValue",
    "Join",
    "Length",
    "Not",
    "Or",
    "Select",
    "Split",
    "Sub",
    "Transform",
];

fn long_form(at: Position, tag: &Tag) -> Result<String, Fault> {
    let name = tag.suffix.as_str();
    match tag.handle.as_str() {
        "!" if matches!(name, "Ref" | "Condition") => Ok(name.to_string()),
        "!" if SHORT_TAGS.contains(&name) => Ok(format!("Fn::{name}")),
        handle => Err(Fault::new(at, format!("the tag {handle}{name} is no intrinsic function"))),
    }
}

fn position(span: Span) -> Position {
    Position { line: span.start.line(), column: span.start.col() + 1 }
}
