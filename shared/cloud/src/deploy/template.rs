//! The sections of a template, before anything in them is worked out.

use super::errors::Errors;
use super::yaml::{self, Key, Node, Position, Value};

/// Every resource type that is modelled.
pub const TYPES: [&str; 16] = [
    "AWS::CloudWatch::Alarm",
    "AWS::DynamoDB::Table",
    "AWS::Events::EventBus",
    "AWS::Events::EventBusPolicy",
    "AWS::Events::Rule",
    "AWS::IAM::Policy",
    "AWS::IAM::Role",
    "AWS::KMS::Alias",
    "AWS::KMS::Key",
    "AWS::Lambda::Permission",
    "AWS::Logs::LogGroup",
    "AWS::Logs::MetricFilter",
    "AWS::SNS::Topic",
    "AWS::SQS::Queue",
    "AWS::SQS::QueuePolicy",
    "AWS::Serverless::Function",
];

pub const FUNCTION: &str = "AWS::Serverless::Function";

const SECTIONS: [&str; 10] = [
    "AWSTemplateFormatVersion",
    "Conditions",
    "Description",
    "Globals",
    "Mappings",
    "Metadata",
    "Outputs",
    "Parameters",
    "Resources",
    "Transform",
];

const RESOURCE_ATTRIBUTES: [&str; 7] = [
    "Condition",
    "DeletionPolicy",
    "DependsOn",
    "Metadata",
    "Properties",
    "Type",
    "UpdateReplacePolicy",
];

/// What `Globals` may say of functions.
const GLOBAL_PROPERTIES: [&str; 12] = [
    "Architectures",
    "CodeUri",
    "Environment",
    "EventInvokeConfig",
    "Handler",
    "LoggingConfig",
    "MemorySize",
    "PermissionsBoundary",
    "Runtime",
    "Tags",
    "Timeout",
    "Tracing",
];

#[derive(Debug)]
pub struct Template {
    pub root: Node,
    pub resources: Vec<Resource>,
    /// Resources that cannot be made, which was reported.
    pub unusable: Vec<String>,
}

#[derive(Debug)]
pub struct Resource {
    pub id: String,
    pub at: Position,
    pub kind: String,
    /// With what `Globals` adds; an empty map if there are none.
    pub properties: Node,
    pub condition: Option<String>,
    pub depends_on: Vec<Node>,
}

impl Resource {
    pub fn path(&self) -> String {
        format!("Resources.{}", self.id)
    }

    pub fn properties_path(&self) -> String {
        format!("Resources.{}.Properties", self.id)
    }
}

/// Reads the sections. Nothing if the text is not even a template.
pub fn read(text: &str, errors: &Errors) -> Option<Template> {
    let root = match yaml::parse(text) {
        Ok(root) => root,
        Err(fault) => {
            errors.add(fault.at, "the template", fault.what);
            return None;
        }
    };
    if root.map().is_none() {
        errors.add(root.at, "the template", "a map of sections is wanted here");
        return None;
    }
    refuse_others(&root, "", &SECTIONS, "not a section that is modelled", errors);
    check_fixed(&root, "AWSTemplateFormatVersion", "2010-09-09", errors);
    check_fixed(&root, "Transform", "AWS::Serverless-2016-10-31", errors);
    for section in ["Conditions", "Mappings", "Outputs", "Parameters", "Resources"] {
        if let Some(node) = root.get(section).filter(|node| node.map().is_none()) {
            errors.add(node.at, section, "a map is wanted here");
        }
    }
    let globals = globals(&root, errors);
    let entries = root.get("Resources").and_then(Node::map).unwrap_or_default();
    if entries.is_empty() {
        errors.add(root.at, "Resources", "there has to be at least one resource");
    }
    let resources = entries.iter().filter_map(|(key, node)| resource(key, node, globals, errors));
    let resources: Vec<_> = resources.collect();
    let function = resources.iter().find(|resource| resource.kind == FUNCTION);
    if let Some(function) = function.filter(|_| root.get("Transform").is_none()) {
        let what = "the template needs Transform: AWS::Serverless-2016-10-31";
        errors.add(function.at, &function.path(), what);
    }
    let is_usable = |key: &Key| resources.iter().any(|resource| resource.id == key.text);
    let unusable = entries.iter().filter(|(key, _)| !is_usable(key));
    let unusable = unusable.map(|(key, _)| key.text.clone()).collect();
    Some(Template { root, resources, unusable })
}

fn refuse_others(node: &Node, path: &str, known: &[&str], what: &str, errors: &Errors) {
    for (key, _) in node.map().unwrap_or_default() {
        if !known.contains(&key.text.as_str()) {
            let path = match path {
                "" => key.text.clone(),
                path => format!("{path}.{}", key.text),
            };
            errors.add(key.at, &path, format!("{what}; known: {}", known.join(", ")));
        }
    }
}

fn check_fixed(root: &Node, name: &str, value: &str, errors: &Errors) {
    if let Some(node) = root.get(name)
        && node.text() != Some(value)
    {
        errors.add(node.at, name, format!("only {value} is modelled"));
    }
}

fn globals<'a>(root: &'a Node, errors: &Errors) -> Option<&'a Node> {
    let section = root.get("Globals")?;
    let what = "not modelled";
    refuse_others(section, "Globals", &["Function"], what, errors);
    let function = section.get("Function")?;
    refuse_others(function, "Globals.Function", &GLOBAL_PROPERTIES, what, errors);
    Some(function)
}

fn resource(key: &Key, node: &Node, globals: Option<&Node>, errors: &Errors) -> Option<Resource> {
    let id = key.text.clone();
    let path = format!("Resources.{id}");
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        errors.add(key.at, &path, "a logical id has letters and digits only");
    }
    if node.map().is_none() {
        errors.add(node.at, &path, "a resource is a map with a Type");
        return None;
    }
    refuse_others(node, &path, &RESOURCE_ATTRIBUTES, "not modelled of a resource", errors);
    let Some(kind) = node.get("Type").and_then(Node::text) else {
        errors.add(node.at, &path, "the resource has no Type");
        return None;
    };
    if !TYPES.contains(&kind) {
        let at = node.get("Type").map_or(node.at, |node| node.at);
        let what = format!("{kind} is not a type that is modelled; known: {}", TYPES.join(", "));
        errors.add(at, &format!("{path}.Type"), what);
        return None;
    }
    for name in ["DeletionPolicy", "UpdateReplacePolicy"] {
        let known = ["Delete", "Retain", "RetainExceptOnCreate", "Snapshot"];
        if let Some(policy) = node.get(name)
            && !policy.text().is_some_and(|text| known.contains(&text))
        {
            let what = format!("known: {}", known.join(", "));
            errors.add(policy.at, &format!("{path}.{name}"), what);
        }
    }
    let empty = Node { at: key.at, value: Value::Map(Vec::new()) };
    let mut properties = node.get("Properties").cloned().unwrap_or(empty);
    if properties.map().is_none() || properties.intrinsic().is_some() {
        errors.add(properties.at, &format!("{path}.Properties"), "a map is wanted here");
        return None;
    }
    if let Some(globals) = globals.filter(|_| kind == FUNCTION) {
        properties = merged(globals, &properties);
    }
    let depends_on = match node.get("DependsOn") {
        None => Vec::new(),
        Some(Node { value: Value::List(items), .. }) => items.clone(),
        Some(one) => vec![one.clone()],
    };
    let condition = node.get("Condition").map(|node| node.text().unwrap_or_default().to_string());
    Some(Resource { id, at: key.at, kind: kind.to_string(), properties, condition, depends_on })
}

/// What holds for all, overlaid with what one says: maps are joined, lists are strung together, and
/// anything else of one's own takes the place of the common one.
fn merged(common: &Node, own: &Node) -> Node {
    if common.intrinsic().is_some() || own.intrinsic().is_some() {
        return own.clone();
    }
    let value = match (&common.value, &own.value) {
        (Value::Map(common), Value::Map(mine)) => {
            let mut entries = mine.clone();
            for (key, node) in common {
                match entries.iter_mut().find(|(own, _)| own.text == key.text) {
                    Some((_, own)) => *own = merged(node, own),
                    None => entries.push((key.clone(), node.clone())),
                }
            }
            Value::Map(entries)
        }
        (Value::List(common), Value::List(mine)) => {
            Value::List(common.iter().chain(mine).cloned().collect())
        }
        _ => own.value.clone(),
    };
    Node { at: own.at, value }
}
