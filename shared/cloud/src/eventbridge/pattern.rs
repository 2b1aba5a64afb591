//! Event patterns, the filters of EventBridge rules.
//!
//! The syntax and the meaning follow the EventBridge user guide ("Event pattern syntax" and
//! "Comparison operators"). Where the guide is silent, they follow the rule engine that AWS
//! publishes, and so do the messages of refused patterns, without the position in the text that
//! EventBridge appends to them.
//!
//! What is easily missed:
//!
//! - A pattern and an event are both flattened to paths joined by dots, so a key that holds a dot
//!   equals two nested keys. Only leaf values have a path: an object, and an empty array, are
//!   absent.
//! - A leaf of an array stands for the field, any leaf may satisfy the pattern; but all paths of a
//!   pattern that lead through one array of objects must be satisfied by one and the same element.
//! - A field that is absent satisfies `exists: false` and nothing else, above all not
//!   `anything-but`.
//! - Plain numbers match by value. The guide says that 300 and 3.0e2 differ; the engine, since it
//!   became public, compares values.
//! - A numeric range sees only numbers from -5e9 to 5e9, as the guide says.
//!
//! Deliberately absent: the limit on the complexity of wildcards, whose measure is not published.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use serde_json::{Map, Number, Value};

use super::pattern_parts::{Cidr, Range, Wildcard};

/// The service quota on the length of a pattern, in characters.
pub const PATTERN_CHARS_MAX: usize = 2048;

/// How many combinations of `$or` alternatives EventBridge accepts.
pub const COMBINATIONS_MAX: usize = 1000;

const ONE_KEY: &str = "Only one key allowed in match expression";
const TOO_MANY: &str = "Too many elements in numeric expression";

/// Field names that EventBridge refuses below `$or`, because a forgotten field name there would
/// otherwise turn an operator into a field.
const RESERVED_BELOW_OR: [&str; 24] = [
    "exactly",
    "equals-ignore-case",
    "prefix",
    "suffix",
    "anything-but",
    "exists",
    "wildcard",
    "numeric",
    "cidr",
    "=",
    "<",
    "<=",
    ">",
    ">=",
    "regex",
    "not-wildcard",
    "not-equals-ignore-case",
    "date-after",
    "date-on-or-after",
    "date-before",
    "date-on-or-before",
    "in-date-range",
    "ip-address-in-range",
    "ip-address-not-in-range",
];

/// A valid event pattern.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// One branch per combination of `$or` alternatives; one branch that holds is enough.
    branches: Vec<Branch>,
}

/// The tests of one combination of alternatives by path. All paths must be satisfied, each by any
/// of its tests.
type Branch = BTreeMap<String, Arc<Vec<Test>>>;

/// What a single leaf value of an event is held against.
#[derive(Clone, Debug)]
enum Test {
    Equals(Value),
    EqualsIgnoreCase(String),
    Prefix(String),
    PrefixIgnoreCase(String),
    Suffix(String),
    SuffixIgnoreCase(String),
    Wildcard(Wildcard),
    Numeric(Range),
    Cidr(Cidr),
    Present,
    Absent,
    AnythingBut(Vec<Test>),
}

impl Pattern {
    /// Reads a pattern. The error is the reason that EventBridge gives after
    /// `Event pattern is not valid. Reason: `.
    pub fn parse(text: &str) -> Result<Pattern, String> {
        if text.chars().count() > PATTERN_CHARS_MAX {
            return Err(format!("Event pattern is longer than {PATTERN_CHARS_MAX} characters"));
        }
        let pattern: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let Value::Object(fields) = pattern else {
            return Err("Filter is not an object".to_owned());
        };
        let mut branches = vec![Branch::new()];
        parse_fields(&mut branches, "", &fields, Place::Outside)?;
        Ok(Pattern { branches })
    }

    /// Whether the event satisfies the pattern. An event that is not an object satisfies none.
    pub fn matches(&self, event: &Value) -> bool {
        let Value::Object(fields) = event else {
            return false;
        };
        let wanted = self.branches.iter().flat_map(|branch| branch.keys().map(String::as_str));
        let mut event = FlatEvent { wanted: wanted.collect(), ..FlatEvent::default() };
        event.add_fields("", fields, &Elements::new());
        self.branches.iter().any(|branch| event.satisfies(branch))
    }
}

/// Whether a field stands below an `$or`, where operators are no field names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Outside,
    BelowOr,
}

fn parse_fields(
    branches: &mut Vec<Branch>,
    path: &str,
    fields: &Map<String, Value>,
    place: Place,
) -> Result<(), String> {
    if fields.is_empty() {
        return Err("Empty objects are not allowed".to_owned());
    }
    for (name, value) in fields {
        if name == "$or" {
            parse_or(branches, path, value)?;
            continue;
        }
        if place == Place::BelowOr && RESERVED_BELOW_OR.contains(&name.as_str()) {
            return Err(format!(
                "{name} is Ruler reserved fieldName which cannot be used inside $or."
            ));
        }
        let path = join(path, name);
        match value {
            Value::Object(fields) => parse_fields(branches, &path, fields, place)?,
            Value::Array(values) => {
                let tests = Arc::new(parse_tests(values)?);
                for branch in branches.iter_mut() {
                    branch.insert(path.clone(), Arc::clone(&tests));
                }
            }
            _ => return Err(format!("\"{name}\" must be an object or an array")),
        }
    }
    Ok(())
}

/// Multiplies the branches so far by the alternatives.
fn parse_or(branches: &mut Vec<Branch>, path: &str, value: &Value) -> Result<(), String> {
    let Value::Array(alternatives) = value else {
        return Err("It must be an Array followed with $or.".to_owned());
    };
    let mut combinations = Vec::new();
    for alternative in alternatives {
        let Value::Object(fields) = alternative else {
            let reason = "Only JSON object is allowed in array of $or relationship.";
            return Err(reason.to_owned());
        };
        let mut copies = branches.clone();
        parse_fields(&mut copies, path, fields, Place::BelowOr)?;
        combinations.append(&mut copies);
        if combinations.len() > COMBINATIONS_MAX {
            return Err(format!("$or results in more than {COMBINATIONS_MAX} rule combinations"));
        }
    }
    if alternatives.len() < 2 {
        return Err("There must have at least 2 Objects in $or relationship.".to_owned());
    }
    *branches = combinations;
    Ok(())
}

fn parse_tests(values: &[Value]) -> Result<Vec<Test>, String> {
    if values.is_empty() {
        return Err("Empty arrays are not allowed".to_owned());
    }
    values
        .iter()
        .map(|value| match value {
            Value::Object(expression) => parse_expression(expression),
            Value::Array(_) => {
                Err("Match value must be String, number, true, false, or null".to_owned())
            }
            scalar => Ok(Test::Equals(scalar.clone())),
        })
        .collect()
}

fn parse_expression(expression: &Map<String, Value>) -> Result<Test, String> {
    let Some((operator, operand)) = expression.iter().next() else {
        return Err("Match expression name not found".to_owned());
    };
    let test = match operator.as_str() {
        "prefix" => parse_affix(operator, operand, Test::Prefix, Test::PrefixIgnoreCase)?,
        "suffix" => parse_affix(operator, operand, Test::Suffix, Test::SuffixIgnoreCase)?,
        "equals-ignore-case" => Test::EqualsIgnoreCase(fold(text_operand(operator, operand)?)),
        "wildcard" => Test::Wildcard(Wildcard::parse(text_operand(operator, operand)?)?),
        "numeric" => Test::Numeric(Range::parse(operand)?),
        // EventBridge blames the wrong operator here.
        "cidr" => Test::Cidr(Cidr::parse(text_operand("prefix", operand)?)?),
        "exists" => match operand {
            Value::Bool(true) => Test::Present,
            Value::Bool(false) => Test::Absent,
            _ => return Err("exists match pattern must be either true or false.".to_owned()),
        },
        "anything-but" => parse_anything_but(operand)?,
        _ => return Err(format!("Unrecognized match type {operator}")),
    };
    if expression.len() > 1 {
        let counted = matches!(operator.as_str(), "numeric" | "anything-but");
        return Err(if counted { TOO_MANY } else { ONE_KEY }.to_owned());
    }
    Ok(test)
}

fn text_operand<'a>(operator: &str, operand: &'a Value) -> Result<&'a str, String> {
    operand.as_str().ok_or_else(|| format!("{operator} match pattern must be a string"))
}

/// Reads the operand of `prefix` or `suffix`: a string, or an object that asks to ignore case.
fn parse_affix(
    operator: &str,
    operand: &Value,
    exact: fn(String) -> Test,
    ignore_case: fn(String) -> Test,
) -> Result<Test, String> {
    let Value::Object(inner) = operand else {
        return Ok(exact(text_operand(operator, operand)?.to_owned()));
    };
    let Some((name, operand)) = inner.iter().next() else {
        let title = if operator == "prefix" { "Prefix" } else { "Suffix" };
        return Err(format!("{title} expression name not found"));
    };
    if name != "equals-ignore-case" {
        return Err(format!("Unsupported {operator} pattern: {name}"));
    }
    let test = ignore_case(fold(text_operand(name, operand)?));
    if inner.len() > 1 {
        return Err(ONE_KEY.to_owned());
    }
    Ok(test)
}

fn parse_anything_but(operand: &Value) -> Result<Test, String> {
    let excluded = match operand {
        Value::String(_) | Value::Number(_) => vec![Test::Equals(operand.clone())],
        Value::Array(values) => parse_excluded_values(values)?,
        Value::Object(inner) => parse_excluded_texts(inner)?,
        Value::Bool(_) | Value::Null => return Err(no_single_value()),
    };
    Ok(Test::AnythingBut(excluded))
}

fn no_single_value() -> String {
    "Value of anything-but must be an array or single string/number value.".to_owned()
}

fn parse_excluded_values(values: &[Value]) -> Result<Vec<Test>, String> {
    if !values.iter().all(|value| value.is_string() || value.is_number()) {
        let reason = "Inside anything but list, start|null|boolean is not supported.";
        return Err(reason.to_owned());
    }
    let numbers = values.iter().filter(|value| value.is_number()).count();
    if values.is_empty() || (numbers > 0 && numbers < values.len()) {
        let reason = "Inside anything but list, either all values are number or string, \
                      mixed type is not supported";
        return Err(reason.to_owned());
    }
    Ok(values.iter().cloned().map(Test::Equals).collect())
}

/// Reads the object below `anything-but`: one operator on strings with one string or a list.
fn parse_excluded_texts(inner: &Map<String, Value>) -> Result<Vec<Test>, String> {
    let Some((operator, operand)) = inner.iter().next() else {
        return Err("Anything-But expression name not found".to_owned());
    };
    let one: fn(&str) -> Result<Test, String> = match operator.as_str() {
        "equals-ignore-case" => |text| Ok(Test::EqualsIgnoreCase(fold(text))),
        "prefix" => |text| Ok(Test::Prefix(affix(text)?)),
        "suffix" => |text| Ok(Test::Suffix(affix(text)?)),
        "wildcard" => |text| Ok(Test::Wildcard(Wildcard::parse(text)?)),
        _ => return Err(format!("Unsupported anything-but pattern: {operator}")),
    };
    let texts = match operand {
        Value::Array(texts) if texts.is_empty() => {
            return Err("Empty arrays are not allowed".to_owned());
        }
        Value::Array(texts) => texts.iter().collect(),
        Value::String(_) | Value::Number(_) => vec![operand],
        _ => return Err(no_single_value()),
    };
    if inner.len() > 1 {
        return Err(TOO_MANY.to_owned());
    }
    texts
        .into_iter()
        .map(|text| one(text.as_str().ok_or_else(|| excluded_text_expected(operator))?))
        .collect()
}

fn excluded_text_expected(operator: &str) -> String {
    match operator {
        "equals-ignore-case" => {
            "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not \
             supported."
        }
        "wildcard" => "wildcard match pattern must be a string",
        _ => "prefix/suffix match pattern must be a string",
    }
    .to_owned()
}

/// An empty prefix would exclude every string, so EventBridge refuses it below `anything-but`.
fn affix(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("Null prefix/suffix not allowed".to_owned());
    }
    Ok(text.to_owned())
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// The array elements that a leaf lies in: the number of the array, and the index of the element.
type Elements = BTreeMap<usize, usize>;

struct Leaf<'a> {
    value: &'a Value,
    elements: Elements,
}

/// An event as EventBridge sees it: the leaf values of every path that a pattern asks for. The
/// others are not even spelled out: a large event can have very many, and very long ones.
#[derive(Default)]
struct FlatEvent<'a> {
    wanted: BTreeSet<&'a str>,
    leaves: BTreeMap<String, Vec<Leaf<'a>>>,
    arrays: usize,
}

impl<'a> FlatEvent<'a> {
    fn add_fields(&mut self, path: &str, fields: &'a Map<String, Value>, elements: &Elements) {
        for (name, value) in fields {
            let path = join(path, name);
            if self.leads_on(&path) {
                self.add(&path, value, elements);
            }
        }
    }

    /// Whether a wanted path is this one, or goes through it.
    fn leads_on(&self, path: &str) -> bool {
        let below = format!("{path}.");
        self.wanted.contains(path)
            || self.wanted.range(below.as_str()..).next().is_some_and(|it| it.starts_with(&below))
    }

    fn add(&mut self, path: &str, value: &'a Value, elements: &Elements) {
        match value {
            Value::Object(fields) => self.add_fields(path, fields, elements),
            Value::Array(values) => self.add_array(path, values, elements),
            scalar => {
                let leaf = Leaf { value: scalar, elements: elements.clone() };
                self.leaves.entry(path.to_owned()).or_default().push(leaf);
            }
        }
    }

    /// Scalars of an array belong to the field itself, so that different paths may be satisfied by
    /// different scalars; what lies deeper belongs to its element.
    fn add_array(&mut self, path: &str, values: &'a [Value], elements: &Elements) {
        let array = self.arrays;
        self.arrays += 1;
        for (index, value) in values.iter().enumerate() {
            if value.is_object() || value.is_array() {
                let mut elements = elements.clone();
                elements.insert(array, index);
                self.add(path, value, &elements);
            } else {
                self.add(path, value, elements);
            }
        }
    }

    fn satisfies(&self, branch: &Branch) -> bool {
        let mut choices = Vec::with_capacity(branch.len());
        for (path, tests) in branch {
            let leaves = self.leaves.get(path).map_or(&[][..], Vec::as_slice);
            let choice = Choice::new(leaves, tests);
            if choice.is_hopeless() {
                return false;
            }
            choices.push(choice);
        }
        Search::of(&choices).succeeds(0, &Elements::new())
    }
}

/// The ways to satisfy one path.
struct Choice<'a> {
    /// The array elements of the leaves that pass a test, each once.
    passing: Vec<&'a Elements>,
    /// The array elements of all leaves, if the path may also be absent.
    absent: Option<Vec<&'a Elements>>,
}

impl<'a> Choice<'a> {
    fn new(leaves: &'a [Leaf<'_>], tests: &[Test]) -> Choice<'a> {
        let mut passing: Vec<&Elements> = leaves
            .iter()
            .filter(|leaf| tests.iter().any(|test| test.passes(leaf.value)))
            .map(|leaf| &leaf.elements)
            .collect();
        passing.sort();
        passing.dedup();
        let may_be_absent = tests.iter().any(|test| matches!(test, Test::Absent));
        let mut present: Vec<&Elements> = leaves.iter().map(|leaf| &leaf.elements).collect();
        present.sort();
        Choice { passing, absent: may_be_absent.then_some(present) }
    }

    /// Seen before any combination is tried: most events fail at one field, whatever the others do.
    fn is_hopeless(&self) -> bool {
        self.passing.is_empty() && self.absent.is_none()
    }
}

/// The search for array elements that satisfy all paths together. What failed once is not tried
/// again, or a few paths through large arrays would take longer than anybody waits.
struct Search<'a> {
    choices: &'a [Choice<'a>],
    /// For each path, the arrays that it or a later one goes through.
    arrays: Vec<BTreeSet<usize>>,
    /// Paths, with the elements chosen before them, from which nothing leads to the end.
    failed: BTreeSet<(usize, Elements)>,
}

impl<'a> Search<'a> {
    fn of(choices: &'a [Choice<'a>]) -> Search<'a> {
        let mut arrays = Vec::with_capacity(choices.len());
        let mut later = BTreeSet::new();
        for choice in choices.iter().rev() {
            let elements = choice.passing.iter().chain(choice.absent.iter().flatten());
            later.extend(elements.flat_map(|elements| elements.keys().copied()));
            arrays.push(later.clone());
        }
        arrays.reverse();
        Search { choices, arrays, failed: BTreeSet::new() }
    }

    /// Whether the paths from `at` on can be satisfied from within the array elements chosen so
    /// far. Paths come in their order, as in the rule engine, so a path is absent if the elements
    /// that the paths before it chose have no such leaf.
    fn succeeds(&mut self, at: usize, chosen: &Elements) -> bool {
        let (Some(choice), Some(arrays)) = (self.choices.get(at), self.arrays.get(at)) else {
            return true;
        };
        // Elements of arrays that no path goes through any more make no difference.
        let chosen = chosen.iter().filter(|(array, _)| arrays.contains(array));
        let state = (at, chosen.map(|(&array, &index)| (array, index)).collect());
        if self.failed.contains(&state) {
            return false;
        }
        let chosen = &state.1;
        let absent = choice.absent.as_ref();
        let absent = absent.is_some_and(|present| first_fit(present, 0, chosen).is_none());
        let found = (absent && self.succeeds(at + 1, chosen))
            || std::iter::successors(first_fit(&choice.passing, 0, chosen), |(index, _)| {
                first_fit(&choice.passing, index + 1, chosen)
            })
            .any(|(_, chosen)| self.succeeds(at + 1, &chosen));
        if !found {
            self.failed.insert(state);
        }
        found
    }
}

/// From an index on, the first of the sorted sets that names no other element of an array than
/// `chosen` does: its index, and both together. Sets that cannot fit are skipped many at a time.
fn first_fit(
    sorted: &[&Elements],
    mut index: usize,
    chosen: &Elements,
) -> Option<(usize, Elements)> {
    loop {
        let rest = sorted.get(index..)?;
        let elements = *rest.first()?;
        let differs = |(array, element): &(&usize, &usize)| {
            chosen.get(array).is_some_and(|chosen| chosen != *element)
        };
        let Some((&array, &element)) = elements.iter().find(differs) else {
            let mut all = chosen.clone();
            all.extend(elements);
            return Some((index, all));
        };
        let wanted = chosen.get(&array).copied().filter(|wanted| *wanted > element);
        let mut next: Elements = elements.range(..array).map(|(a, e)| (*a, *e)).collect();
        next.insert(array, wanted.unwrap_or(usize::MAX));
        index += rest.partition_point(|elements| **elements < next);
    }
}

impl Test {
    fn passes(&self, value: &Value) -> bool {
        match (self, value) {
            (Test::Present, _) => true,
            (Test::Absent, _) => false,
            (Test::AnythingBut(excluded), _) => !excluded.iter().any(|test| test.passes(value)),
            (Test::Equals(Value::Number(wanted)), Value::Number(number)) => {
                same_number(wanted, number)
            }
            (Test::Equals(wanted), _) => wanted == value,
            (Test::Numeric(range), Value::Number(number)) => range.contains(number),
            (Test::Cidr(block), Value::String(text)) => {
                text.parse::<IpAddr>().is_ok_and(|address| block.contains(address))
            }
            (test, Value::String(text)) => test.passes_text(text),
            _ => false,
        }
    }

    fn passes_text(&self, text: &str) -> bool {
        match self {
            Test::EqualsIgnoreCase(wanted) => fold(text) == *wanted,
            Test::Prefix(prefix) => text.starts_with(prefix.as_str()),
            Test::PrefixIgnoreCase(prefix) => fold(text).starts_with(prefix.as_str()),
            Test::Suffix(suffix) => text.ends_with(suffix.as_str()),
            Test::SuffixIgnoreCase(suffix) => fold(text).ends_with(suffix.as_str()),
            Test::Wildcard(wildcard) => wildcard.matches(text),
            _ => false,
        }
    }
}

/// Compares by value. Integers are compared as such, because a float cannot tell large ones apart.
fn same_number(left: &Number, right: &Number) -> bool {
    let integers = (left.is_i64() || left.is_u64()) && (right.is_i64() || right.is_u64());
    if integers { left == right } else { left.as_f64() == right.as_f64() }
}
