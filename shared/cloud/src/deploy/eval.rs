//! Works out intrinsic functions: what a template says once its parameters, conditions and the
//! resources made so far are known.

use std::collections::{BTreeMap, BTreeSet};

use super::errors::Errors;
use super::sub::{self, Piece};
use super::yaml::{Key, Node, Position, Value};

/// What a parameter or a pseudo parameter stands for.
#[derive(Clone, Debug, PartialEq)]
pub enum Given {
    Text(String),
    List(Vec<String>),
    /// `AWS::NoValue`: the property that has it is not there.
    NoValue,
    /// It was reported already.
    Broken,
}

/// A resource, as others refer to it.
#[derive(Clone, Debug, Default)]
pub struct Made {
    /// What `Ref` gives.
    pub reference: String,
    /// What `Fn::GetAtt` gives.
    pub attributes: BTreeMap<&'static str, String>,
}

/// Everything that intrinsic functions can ask for.
#[derive(Clone, Debug)]
pub struct Known<'a> {
    pub given: BTreeMap<String, Given>,
    pub conditions: BTreeMap<String, bool>,
    pub mappings: Option<&'a Node>,
    /// Every logical id, and whether its condition holds.
    pub resources: BTreeMap<String, bool>,
    pub made: BTreeMap<String, Made>,
}

/// One pass over some part of a template.
#[derive(Clone, Copy)]
pub struct Eval<'a> {
    pub known: &'a Known<'a>,
    pub errors: &'a Errors,
    /// The part is not used, and is only held against the names that there are.
    pub unused: bool,
}

impl Eval<'_> {
    /// The node without intrinsic functions; nothing if it is `AWS::NoValue`.
    pub fn node(&self, node: &Node, path: &str) -> Option<Node> {
        if let Some((name, argument)) = node.intrinsic() {
            return self.call(name, argument, path);
        }
        let value = match &node.value {
            Value::Map(entries) => {
                let one = |(key, value): &(Key, Node)| {
                    let path = format!("{path}.{}", key.text);
                    Some((key.clone(), self.node(value, &path)?))
                };
                Value::Map(entries.iter().filter_map(one).collect())
            }
            Value::List(items) => {
                let items = items.iter().enumerate();
                let one = |(index, item)| self.node(item, &format!("{path}[{index}]"));
                Value::List(items.filter_map(one).collect())
            }
            plain @ (Value::Scalar { .. } | Value::Broken) => plain.clone(),
        };
        Some(Node { at: node.at, value })
    }

    fn call(&self, name: &str, argument: &Node, path: &str) -> Option<Node> {
        let at = argument.at;
        match name {
            "Ref" => match argument.text() {
                Some(name) => self.reference(name, at, path),
                None => Some(self.broken(at, path, "Ref takes a name")),
            },
            "Fn::GetAtt" => Some(self.attribute_of(argument, path)),
            "Fn::Sub" => Some(self.substitute(argument, path)),
            "Fn::Join" => Some(self.join(argument, path)),
            "Fn::Select" => Some(self.select(argument, path)),
            "Fn::Split" => Some(self.split(argument, path)),
            "Fn::FindInMap" => Some(self.find_in_map(argument, path)),
            "Fn::If" => self.choose(argument, path),
            "Fn::ImportValue" => {
                let what = "Fn::ImportValue is not modelled: stacks share nothing here, \
                            pass the value as a parameter";
                Some(self.broken(at, path, what))
            }
            "Fn::Equals" | "Fn::Not" | "Fn::And" | "Fn::Or" => {
                Some(self.broken(at, path, format!("{name} belongs under Conditions")))
            }
            other => Some(self.broken(at, path, format!("{other} is not modelled"))),
        }
    }

    fn broken(&self, at: Position, path: &str, what: impl Into<String>) -> Node {
        self.errors.add(at, path, what);
        Node::broken(at)
    }

    fn reference(&self, name: &str, at: Position, path: &str) -> Option<Node> {
        match self.known.given.get(name) {
            Some(Given::Text(text)) => return Some(Node::text_node(at, text.as_str())),
            Some(Given::List(texts)) => {
                let items = texts.iter().map(|text| Node::text_node(at, text.as_str()));
                return Some(Node { at, value: Value::List(items.collect()) });
            }
            Some(Given::NoValue) => return None,
            Some(Given::Broken) => return Some(Node::broken(at)),
            None => {}
        }
        Some(match self.resource(name, at, path) {
            Some(made) => Node::text_node(at, made.reference.as_str()),
            None => Node::broken(at),
        })
    }

    /// A resource that was made. What is not there is reported, unless that was done before.
    fn resource(&self, name: &str, at: Position, path: &str) -> Option<&Made> {
        match self.known.resources.get(name) {
            None => {
                let what = format!("{name} is neither a parameter nor a resource of the template");
                self.errors.add(at, path, what);
            }
            Some(false) if !self.unused => {
                self.errors.add(at, path, format!("the condition of {name} does not hold"));
            }
            // Whatever is referred to is made before; unless it failed, which was reported.
            Some(true) if !self.known.made.contains_key(name) && !self.unused => {
                if self.errors.count() == 0 {
                    self.errors.add(at, path, format!("{name} cannot be referred to here"));
                }
            }
            Some(_) => {}
        }
        self.known.made.get(name)
    }

    fn attribute_of(&self, argument: &Node, path: &str) -> Node {
        let at = argument.at;
        let named = match &argument.value {
            Value::Scalar { text, .. } => text.split_once('.'),
            Value::List(items) => match items.as_slice() {
                [name, attribute] => name.text().zip(attribute.text()),
                _ => None,
            },
            Value::Map(_) | Value::Broken => None,
        };
        match named {
            Some((name, attribute)) => self.attribute(name, attribute, at, path),
            None => self.broken(at, path, "Fn::GetAtt takes a logical id and an attribute"),
        }
    }

    fn attribute(&self, name: &str, attribute: &str, at: Position, path: &str) -> Node {
        let Some(made) = self.resource(name, at, path) else { return Node::broken(at) };
        match made.attributes.get(attribute) {
            Some(text) => Node::text_node(at, text.as_str()),
            None => {
                let known: Vec<_> = made.attributes.keys().copied().collect();
                let known = if known.is_empty() { "none".to_string() } else { known.join(", ") };
                let what =
                    format!("{name} has no attribute {attribute} that is modelled; known: {known}");
                self.broken(at, path, what)
            }
        }
    }

    fn substitute(&self, argument: &Node, path: &str) -> Node {
        let at = argument.at;
        let (text, variables) = match &argument.value {
            Value::Scalar { text, .. } => (Some(text.as_str()), None),
            Value::List(items) => match items.as_slice() {
                [text, variables] => (text.text(), Some(variables)),
                _ => (None, None),
            },
            Value::Map(_) | Value::Broken => (None, None),
        };
        let Some(text) = text else {
            return self.broken(at, path, "Fn::Sub takes a text, or a text and its variables");
        };
        let mut out = String::new();
        for piece in sub::pieces(text) {
            match piece {
                Piece::Text(text) => out.push_str(&text),
                Piece::Variable(name) => {
                    let own = variables.and_then(|variables| variables.get(&name));
                    let value = match (own, name.split_once('.')) {
                        (Some(own), _) => self.node(own, path),
                        (None, Some((name, attribute))) => {
                            Some(self.attribute(name, attribute, at, path))
                        }
                        (None, None) => self.reference(&name, at, path),
                    };
                    match value.as_ref().map(|value| (value.text(), value.is_broken())) {
                        Some((Some(text), _)) => out.push_str(text),
                        Some((None, true)) => return Node::broken(at),
                        _ => {
                            let what = format!("${{{name}}} is not a single value");
                            return self.broken(at, path, what);
                        }
                    }
                }
            }
        }
        Node::text_node(at, out)
    }

    /// The arguments of a function that takes a list of so many.
    fn arguments<'n, const N: usize>(
        &self,
        argument: &'n Node,
        path: &str,
        usage: &str,
    ) -> Result<&'n [Node; N], Node> {
        let items = argument.list().and_then(|items| items.try_into().ok());
        items.ok_or_else(|| self.broken(argument.at, path, usage))
    }

    /// The text that a node comes to.
    fn text(&self, node: &Node, path: &str) -> Result<String, Node> {
        let value = self.node(node, path);
        match value {
            Some(value) if value.is_broken() => Err(value),
            Some(Node { value: Value::Scalar { text, .. }, .. }) => Ok(text),
            _ => Err(self.broken(node.at, path, "a single value is wanted here")),
        }
    }

    /// The items that a node comes to.
    fn items(&self, node: &Node, path: &str) -> Result<Vec<Node>, Node> {
        match self.node(node, path) {
            Some(value) if value.is_broken() => Err(value),
            Some(Node { value: Value::List(items), .. }) => Ok(items),
            _ => Err(self.broken(node.at, path, "a list is wanted here")),
        }
    }

    fn join(&self, argument: &Node, path: &str) -> Node {
        let joined = || {
            let usage = "Fn::Join takes a separator and a list";
            let [separator, list] = self.arguments(argument, path, usage)?;
            let separator = self.text(separator, path)?;
            let items = self.items(list, path)?;
            let texts: Result<Vec<_>, _> = items.iter().map(|item| self.text(item, path)).collect();
            Ok(Node::text_node(argument.at, texts?.join(&separator)))
        };
        joined().unwrap_or_else(|broken| broken)
    }

    fn select(&self, argument: &Node, path: &str) -> Node {
        let selected = || {
            let usage = "Fn::Select takes an index and a list";
            let [index, list] = self.arguments(argument, path, usage)?;
            let text = self.text(index, path)?;
            let items = self.items(list, path)?;
            let item = text.parse().ok().and_then(|index: usize| items.get(index).cloned());
            let length = items.len();
            item.ok_or_else(|| {
                let what = format!("there is no item {text} in a list of {length}");
                self.broken(index.at, path, what)
            })
        };
        selected().unwrap_or_else(|broken: Node| broken)
    }

    fn split(&self, argument: &Node, path: &str) -> Node {
        let at = argument.at;
        let split = || {
            let usage = "Fn::Split takes a separator and a text";
            let [separator, text] = self.arguments(argument, path, usage)?;
            let separator = self.text(separator, path)?;
            let text = self.text(text, path)?;
            if separator.is_empty() {
                return Err(self.broken(at, path, "the separator of Fn::Split is empty"));
            }
            let items = text.split(&separator).map(|part| Node::text_node(at, part));
            Ok(Node { at, value: Value::List(items.collect()) })
        };
        split().unwrap_or_else(|broken: Node| broken)
    }

    fn find_in_map(&self, argument: &Node, path: &str) -> Node {
        let found = || {
            let usage = "Fn::FindInMap takes a mapping and two keys";
            let keys: &[Node; 3] = self.arguments(argument, path, usage)?;
            let mut node = self.known.mappings;
            for key in keys {
                let text = self.text(key, path)?;
                node = node.and_then(|node| node.get(&text));
                if node.is_none() {
                    return Err(self.broken(key.at, path, format!("no mapping has {text} there")));
                }
            }
            Ok(node.cloned().unwrap_or_else(|| Node::broken(argument.at)))
        };
        found().unwrap_or_else(|broken: Node| broken)
    }

    fn choose(&self, argument: &Node, path: &str) -> Option<Node> {
        let usage = "Fn::If takes a condition and two values";
        let [condition, yes, no] = match self.arguments(argument, path, usage) {
            Ok(arguments) => arguments,
            Err(broken) => return Some(broken),
        };
        let name = condition.text().unwrap_or_default();
        let Some(holds) = self.known.conditions.get(name) else {
            let what = format!("{name} is not a condition of the template");
            return Some(self.broken(condition.at, path, what));
        };
        let (chosen, other) = if *holds { (yes, no) } else { (no, yes) };
        Eval { unused: true, ..*self }.node(other, path);
        self.node(chosen, path)
    }
}

/// Works out the section `Conditions`.
pub fn conditions(section: Option<&Node>, known: &Known<'_>, errors: &Errors) -> Found {
    let mut found = Found::default();
    let entries = section.and_then(Node::map).unwrap_or_default();
    let reader = Conditions { section, eval: Eval { known, errors, unused: false } };
    for (key, node) in entries {
        let path = format!("Conditions.{}", key.text);
        let mut open = BTreeSet::from([key.text.clone()]);
        let holds = reader.holds(node, &path, &mut open).unwrap_or(false);
        found.insert(key.text.clone(), holds);
    }
    found
}

/// Which conditions hold.
pub type Found = BTreeMap<String, bool>;

struct Conditions<'a> {
    section: Option<&'a Node>,
    eval: Eval<'a>,
}

impl Conditions<'_> {
    /// Nothing if it cannot be told, which was reported. `open` are the conditions being asked.
    fn holds(&self, node: &Node, path: &str, open: &mut BTreeSet<String>) -> Option<bool> {
        let call = match node.map() {
            Some([(key, argument)]) => Some((key.text.as_str(), argument)),
            _ => None,
        };
        let items = call.and_then(|(_, argument)| argument.list()).unwrap_or_default();
        match (call, items) {
            (Some(("Condition", name)), _) => self.named(name, path, open),
            (Some(("Fn::Not", _)), [one]) => Some(!self.holds(one, path, open)?),
            (Some(("Fn::And", _)), [_, _, ..]) => {
                let all: Option<Vec<_>> =
                    items.iter().map(|item| self.holds(item, path, open)).collect();
                Some(all?.into_iter().all(|holds| holds))
            }
            (Some(("Fn::Or", _)), [_, _, ..]) => {
                let all: Option<Vec<_>> =
                    items.iter().map(|item| self.holds(item, path, open)).collect();
                Some(all?.into_iter().any(|holds| holds))
            }
            (Some(("Fn::Equals", _)), [left, right]) => {
                let left = self.eval.node(left, path)?;
                let right = self.eval.node(right, path)?;
                match (left.text(), right.text()) {
                    (Some(left), Some(right)) => Some(left == right),
                    _ => None,
                }
            }
            _ => {
                let what = "a condition is Fn::Equals of two values, Fn::Not of one condition, \
                            Fn::And or Fn::Or of several, or the name of another (!Condition)";
                self.eval.errors.add(node.at, path, what);
                None
            }
        }
    }

    fn named(&self, name: &Node, path: &str, open: &mut BTreeSet<String>) -> Option<bool> {
        let text = name.text().unwrap_or_default();
        let Some(node) = self.section.and_then(|section| section.get(text)) else {
            let what = format!("{text} is not a condition of the template");
            self.eval.errors.add(name.at, path, what);
            return None;
        };
        if !open.insert(text.to_string()) {
            self.eval.errors.add(name.at, path, format!("{text} depends on itself"));
            return None;
        }
        let holds = self.holds(node, &format!("Conditions.{text}"), open);
        open.remove(text);
        holds
    }
}
