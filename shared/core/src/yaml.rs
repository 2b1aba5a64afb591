//! YAML as a tree in which every node knows its line and column, so that everything that is wrong
//! with a file can be told at once, each at its place.
//!
//! Scalars are their source text: whether `1.10`, `yes` or `on` is a number, a truth or a word is
//! for the reader of the tree to say, not for YAML. Anchors, aliases, tags and second documents are
//! refused: a policy is read by people, top to bottom.

use std::fmt;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

/// Deeper than any policy, and shallow enough for the stack.
const DEPTH_MAX: usize = 32;

/// A place in a file, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Problem in a file: where, what, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    pub at: Position,
    pub what: String,
    pub instead: String,
}

impl Problem {
    pub fn new(at: Position, what: impl Into<String>, instead: impl Into<String>) -> Problem {
        Problem { at, what: what.into(), instead: instead.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.at, self.what, self.instead)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub at: Position,
    pub value: Value,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Scalar { text: String, quoted: bool },
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

impl Value {
    /// Name of its kind, as a person would say it.
    pub const fn noun(&self) -> &'static str {
        match self {
            Value::Scalar { .. } => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a group of keys",
        }
    }
}

impl Node {
    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            Value::List(_) | Value::Map(_) => None,
        }
    }

    /// `key:` with nothing behind it.
    pub fn is_empty(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, quoted: false } if text.is_empty())
    }
}

/// Reads one document.
///
/// # Errors
/// The first place at which the text is not YAML, or not the part of YAML that is read here.
pub fn parse(text: &str) -> Result<Node, Problem> {
    let mut events = Events { parser: Parser::new_from_str(text) };
    loop {
        let (event, at) = events.next()?;
        match event {
            Event::StreamEnd => {
                return Err(Problem::new(at, "the file is empty", "write `policies:` first"));
            }
            Event::StreamStart | Event::DocumentStart(_) => {}
            event => {
                let root = events.node(event, at, 0)?;
                return events.end(root);
            }
        }
    }
}

struct Events<'input> {
    parser: Parser<'input, saphyr_parser::StrInput<'input>>,
}

impl<'input> Events<'input> {
    fn next(&mut self) -> Result<(Event<'input>, Position), Problem> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, position(span))),
            Some(Err(error)) => {
                let marker = error.marker();
                let at = Position { line: marker.line(), column: marker.col() + 1 };
                let what = format!("this is not YAML: {}", error.info());
                Err(Problem::new(at, what, "check indentation, colons and quotes here"))
            }
            None => {
                let at = Position { line: 1, column: 1 };
                Err(Problem::new(at, "the file ends too early", "check its last lines"))
            }
        }
    }

    fn node(&mut self, event: Event<'input>, at: Position, depth: usize) -> Result<Node, Problem> {
        if depth > DEPTH_MAX {
            let what = format!("more than {DEPTH_MAX} levels are not supported");
            return Err(Problem::new(at, what, "use fewer levels"));
        }
        let value = match event {
            Event::Scalar(text, style, anchor, tag) => {
                plain_only(at, anchor, tag.is_some())?;
                let quoted = !matches!(style, ScalarStyle::Plain);
                Value::Scalar { text: text.into_owned(), quoted }
            }
            Event::SequenceStart(anchor, tag) => {
                plain_only(at, anchor, tag.is_some())?;
                self.list(depth)?
            }
            Event::MappingStart(anchor, tag) => {
                plain_only(at, anchor, tag.is_some())?;
                self.map(depth)?
            }
            Event::Alias(_) => {
                return Err(Problem::new(
                    at,
                    "an alias (`*name`) is not supported",
                    "write the value out",
                ));
            }
            other => {
                let what = format!("the file ends unexpectedly ({other:?})");
                return Err(Problem::new(at, what, "check its last lines"));
            }
        };
        Ok(Node { at, value })
    }

    fn list(&mut self, depth: usize) -> Result<Value, Problem> {
        let mut items = Vec::new();
        loop {
            let (event, at) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                return Ok(Value::List(items));
            }
            items.push(self.node(event, at, depth + 1)?);
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, Problem> {
        let mut entries = Vec::new();
        loop {
            let (event, at) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                return Ok(Value::Map(entries));
            }
            let key = self.node(event, at, depth + 1)?;
            let (event, at) = self.next()?;
            entries.push((key, self.node(event, at, depth + 1)?));
        }
    }

    fn end(&mut self, root: Node) -> Result<Node, Problem> {
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(root),
                (Event::DocumentStart(_), at) => {
                    let what = "a second document (`---`) is not supported";
                    return Err(Problem::new(at, what, "put all policies into one"));
                }
                _ => {}
            }
        }
    }
}

fn plain_only(at: Position, anchor: usize, tagged: bool) -> Result<(), Problem> {
    if anchor > 0 {
        return Err(Problem::new(
            at,
            "an anchor (`&name`) is not supported",
            "write the value where it is used",
        ));
    }
    if tagged {
        return Err(Problem::new(at, "a tag of YAML (`!name`) is not supported", "leave it out"));
    }
    Ok(())
}

fn position(span: Span) -> Position {
    Position { line: span.start.line(), column: span.start.col() + 1 }
}
