//! The section `Parameters`: what a deployment may say, held against what it does say.

use std::collections::BTreeMap;

use regex_lite::Regex;

use super::deployment::Deployment;
use super::errors::Errors;
use super::eval::Given;
use super::props::Props;
use super::yaml::{Node, Position};

const TYPES: [&str; 3] = ["CommaDelimitedList", "Number", "String"];

/// Everything that `Ref` can mean beside resources.
pub fn read(
    section: Option<&Node>,
    deployment: &Deployment,
    errors: &Errors,
) -> BTreeMap<String, Given> {
    let text = |text: &str| Given::Text(text.to_string());
    let mut given = BTreeMap::from([
        ("AWS::AccountId".to_string(), text(&deployment.account)),
        ("AWS::NoValue".to_string(), Given::NoValue),
        ("AWS::Partition".to_string(), text("aws")),
        ("AWS::Region".to_string(), text(&deployment.region)),
        ("AWS::StackName".to_string(), text(&deployment.stack_name)),
        ("AWS::URLSuffix".to_string(), text("amazonaws.com")),
    ]);
    let entries = section.and_then(Node::map).unwrap_or_default();
    for (key, node) in entries {
        let path = format!("Parameters.{}", key.text);
        let props = Props::of(Some(node), key.at, path.as_str(), errors);
        let value = deployment.parameters.get(&key.text);
        let read = parameter(&props, value.map(String::as_str), errors);
        given.insert(key.text.clone(), read.unwrap_or(Given::Broken));
    }
    for name in deployment.parameters.keys() {
        if !entries.iter().any(|(key, _)| key.text == *name) {
            let at = section.map_or(Position { line: 1, column: 1 }, |node| node.at);
            let what = "given at deployment, and not a parameter of the template";
            errors.add(at, &format!("Parameters.{name}"), what);
        }
    }
    given
}

fn parameter(props: &Props, value: Option<&str>, errors: &Errors) -> Option<Given> {
    let before = errors.count();
    let kind = props.one_of("Type", &TYPES);
    props.require("Type");
    let default = props.text("Default");
    let allowed = props.has("AllowedValues").then(|| props.texts("AllowedValues"));
    let pattern = props.text("AllowedPattern");
    let lengths = (props.unsigned("MinLength"), props.unsigned("MaxLength"));
    let bounds = (number(props, "MinValue"), number(props, "MaxValue"));
    props.text("Description");
    props.text("ConstraintDescription");
    props.flag("NoEcho");
    props.finish();
    let Some(text) = value.map(str::to_string).or(default) else {
        errors.add(props.at, &props.path, "no value is given, and there is no Default");
        return None;
    };
    let wrong = |what: String| errors.add(props.at, &props.path, format!("'{text}' {what}"));
    let is_list = kind.as_deref() == Some("CommaDelimitedList");
    let parts: Vec<String> = match is_list {
        true => text.split(',').map(|part| part.trim().to_string()).collect(),
        false => vec![text.clone()],
    };
    if let Some(allowed) = allowed
        && parts.iter().any(|part| !allowed.contains(part))
    {
        wrong(format!("is not one of AllowedValues: {}", allowed.join(", ")));
    }
    check_pattern(props, pattern.as_deref(), &parts, &wrong);
    let length = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
    if lengths.0.is_some_and(|min| length < min) || lengths.1.is_some_and(|max| length > max) {
        wrong(format!("is {length} characters long, beyond MinLength or MaxLength"));
    }
    if kind.as_deref() == Some("Number") {
        match text.parse::<f64>() {
            Err(_) => wrong("is not a number".to_string()),
            Ok(value) => {
                let low = bounds.0.is_some_and(|min| value < min);
                if low || bounds.1.is_some_and(|max| value > max) {
                    wrong("is beyond MinValue or MaxValue".to_string());
                }
            }
        }
    }
    let fine = errors.count() == before;
    fine.then_some(if is_list { Given::List(parts) } else { Given::Text(text) })
}

fn number(props: &Props, name: &str) -> Option<f64> {
    let text = props.text(name)?;
    let number = text.parse().ok();
    if number.is_none() {
        props.wrong(name, format!("{text} is not a number"));
    }
    number
}

/// The pattern has to match the whole value.
fn check_pattern(props: &Props, pattern: Option<&str>, parts: &[String], wrong: &dyn Fn(String)) {
    let Some(pattern) = pattern else { return };
    match Regex::new(&format!("^(?:{pattern})$")) {
        Err(error) => props.wrong("AllowedPattern", format!("cannot be read here: {error}")),
        Ok(regex) => {
            if parts.iter().any(|part| !regex.is_match(part)) {
                wrong(format!("does not match AllowedPattern {pattern}"));
            }
        }
    }
}
