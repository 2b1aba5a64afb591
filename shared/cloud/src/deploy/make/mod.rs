//! Makes the resources of a template, one after the other.

mod events;
mod function;
mod keys;
mod permission;
mod queue;
mod quiet;
mod role;
mod rule;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use super::deployment::{Deployment, Stack};
use super::errors::Errors;
use super::eval::{Eval, Known, Made};
use super::order::{Part, Step};
use super::props::Props;
use super::template::{Resource, Template};
use super::yaml::{Node, Position, Value};
use crate::kernel::access::{Call, Identity};
use crate::kernel::error::ApiError;
use crate::kernel::scope::Scope;
use crate::kernel::{hash, ids};
use crate::model::Model;
use crate::services::{self, Protocol, Row};

/// One pass over a template, in one world.
pub struct Maker<'a> {
    model: &'a mut Model,
    /// The world that it is rehearsed for; nothing when it is made in earnest.
    world: Option<&'a mut Model>,
    known: Known<'a>,
    deployment: &'a Deployment,
    scope: Scope,
    errors: &'a Errors,
    stack: Stack,
    used_code: BTreeSet<String>,
    /// Names and ARNs of what could not be made: what is missing for that is not told again.
    failed: BTreeSet<String>,
}

/// What in the message of an error speaks of which property.
type Hints<'h> = &'h [(&'h str, &'h str)];

impl<'a> Maker<'a> {
    pub fn new(
        model: &'a mut Model,
        world: Option<&'a mut Model>,
        known: Known<'a>,
        deployment: &'a Deployment,
        errors: &'a Errors,
    ) -> Maker<'a> {
        let scope = deployment.scope();
        let (stack, used_code, failed) = (Stack::default(), BTreeSet::new(), BTreeSet::new());
        Maker { model, world, known, deployment, scope, errors, stack, used_code, failed }
    }

    pub fn run(mut self, template: &Template, order: &[Step<'_>]) -> Stack {
        for step in order {
            let before = self.errors.count();
            self.make(step);
            let failed = self.errors.count() > before;
            if let Some(made) = self.known.made.get(&step.id).filter(|_| failed) {
                self.failed.insert(made.reference.clone());
                self.failed.extend(made.attributes.values().cloned());
            }
        }
        for name in self.deployment.code.keys().filter(|name| !self.used_code.contains(*name)) {
            let what = "given at deployment, and no function of the template is called so";
            self.errors.add(Position { line: 1, column: 1 }, &format!("code.{name}"), what);
        }
        self.stack.outputs = self.outputs(template);
        let made = self.known.made.into_iter();
        self.stack.resources = made.map(|(id, made)| (id, made.reference)).collect();
        self.stack
    }

    fn make(&mut self, step: &Step<'_>) {
        let resource = step.resource;
        match &step.part {
            Part::Role => return self.function_role(step),
            Part::Function => return self.function(step),
            Part::Event(name) => return self.event(step, name),
            Part::Whole => {}
        }
        let node = self.evaluated(resource, |_| true);
        let errors = self.errors;
        let props = Props::of(Some(&node), resource.at, resource.properties_path(), errors);
        match resource.kind.as_str() {
            "AWS::CloudWatch::Alarm" => self.alarm(step, &props),
            "AWS::DynamoDB::Table" => self.table(step, &props),
            "AWS::Events::EventBus" => self.bus(step, &props),
            "AWS::Events::EventBusPolicy" => self.bus_policy(step, &props),
            "AWS::Events::Rule" => self.rule(step, &props),
            "AWS::IAM::Policy" => self.policy(step, &props),
            "AWS::IAM::Role" => self.role(step, &props),
            "AWS::KMS::Alias" => self.alias(step, &props),
            "AWS::KMS::Key" => self.key(step, &props),
            "AWS::Lambda::Permission" => self.permission(step, &props),
            "AWS::Logs::LogGroup" => self.log_group(step, &props),
            "AWS::Logs::MetricFilter" => self.metric_filter(step, &props),
            "AWS::SNS::Topic" => self.topic(step, &props),
            "AWS::SQS::Queue" => self.queue(step, &props),
            "AWS::SQS::QueuePolicy" => self.queue_policy(step, &props),
            other => errors.add(resource.at, &resource.path(), format!("{other} is not made")),
        }
    }

    fn outputs(&self, template: &Template) -> BTreeMap<String, String> {
        let mut outputs = BTreeMap::new();
        for (key, node) in template.root.get("Outputs").and_then(Node::map).unwrap_or_default() {
            let path = format!("Outputs.{}", key.text);
            let condition = node.get("Condition").and_then(Node::text);
            let holds = condition.map_or(Some(&true), |name| self.known.conditions.get(name));
            let Some(holds) = holds else {
                let what = "not a condition of the template";
                self.errors.add(node.at, &format!("{path}.Condition"), what);
                continue;
            };
            let eval = Eval { known: &self.known, errors: self.errors, unused: !holds };
            let value = eval.node(node, &path);
            let props = Props::of(value.as_ref(), key.at, path, self.errors);
            props.accept(&["Condition", "Description"]);
            let text = props.required("Value");
            props.finish();
            outputs.extend(text.filter(|_| *holds).map(|text| (key.text.clone(), text)));
        }
        outputs
    }

    /// Some of the properties of a resource, worked out.
    fn evaluated(&self, resource: &Resource, wanted: impl Fn(&str) -> bool) -> Node {
        let path = resource.properties_path();
        let eval = Eval { known: &self.known, errors: self.errors, unused: false };
        let entries = resource.properties.map().unwrap_or_default().iter();
        let entries = entries.filter(|(key, _)| wanted(&key.text)).filter_map(|(key, node)| {
            Some((key.clone(), eval.node(node, &format!("{path}.{}", key.text))?))
        });
        Node { at: resource.properties.at, value: Value::Map(entries.collect()) }
    }

    /// Lets others refer to a resource.
    fn register(
        &mut self,
        id: &str,
        reference: impl Into<String>,
        attributes: &[(&'static str, &str)],
    ) {
        let attributes = attributes.iter().map(|(name, text)| (*name, (*text).to_string()));
        let made = Made { reference: reference.into(), attributes: attributes.collect() };
        self.known.made.insert(id.to_string(), made);
    }

    /// The name of a resource: its own, or one that CloudFormation would make up.
    fn name(&self, id: &str, given: Option<String>, chars_max: usize) -> String {
        given.unwrap_or_else(|| self.made_up_name(id, chars_max))
    }

    fn made_up_name(&self, id: &str, chars_max: usize) -> String {
        const DIGITS: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
        const LENGTH: usize = 12;
        let stack = &self.deployment.stack_name;
        let mut hash = hash::of_texts(&[&self.scope.account, &self.scope.region, stack, id]);
        let mut tail = String::new();
        for _ in 0..LENGTH {
            let digit = usize::try_from(hash % 36).unwrap_or_default();
            tail.extend(DIGITS.get(digit).map(|digit| char::from(*digit)));
            hash /= 36;
        }
        let head: String =
            format!("{stack}-{id}").chars().take(chars_max.saturating_sub(LENGTH + 1)).collect();
        format!("{head}-{tail}")
    }

    fn call(&mut self, service: &'static str, action: &str, body: &Json) -> Result<Json, ApiError> {
        call(self.model, &self.scope, service, action, body)
    }

    /// A call in the world that is rehearsed for.
    fn call_world(&mut self, service: &'static str, action: &str, body: &Json) -> Option<Json> {
        let world = self.world.as_mut()?;
        call(world, &self.scope, service, action, body).ok()
    }

    /// Calls, and reports an error at the property that it speaks of.
    fn ask(
        &mut self,
        (service, action): (&'static str, &str),
        body: &Json,
        props: &Props<'_>,
        hints: Hints<'_>,
    ) -> Option<Json> {
        let answer = self.call(service, action, body);
        answer.map_err(|error| blame(self.errors, props, &error, hints)).ok()
    }

    /// Reports that the world has something already.
    fn refuse_taken(
        &mut self,
        (service, action): (&'static str, &str),
        body: &Json,
        props: &Props<'_>,
        (property, name): (&str, &str),
    ) {
        if self.call_world(service, action, body).is_some() {
            props.wrong(property, format!("{name} exists already"));
        }
    }
}

/// Reports an error of the API at the property that its code or message speaks of.
fn blame(errors: &Errors, props: &Props<'_>, error: &ApiError, hints: Hints<'_>) {
    let what = format!("{}: {}", error.code, error.message);
    let hint = hints.iter().find(|(word, _)| what.contains(word));
    match hint {
        Some((_, property)) => props.wrong(property, what),
        None => errors.add(props.at, &props.path, what),
    }
}

/// Carries out a call of a JSON service as the administrator of the account; no fault meets it, and
/// the trace does not tell of it.
fn call(
    model: &mut Model,
    scope: &Scope,
    service: &'static str,
    action: &str,
    body: &Json,
) -> Result<Json, ApiError> {
    let Some(Row { service, protocol: Protocol::Json(_, answer) }) = services::find(service) else {
        let text = format!("{service}:{action} is not an operation of a JSON service");
        return Err(ApiError::bad("UnknownOperationException", text));
    };
    let call = Call {
        scope: scope.clone(),
        service: *service,
        action: action.to_string(),
        caller: Identity::administrator(&scope.account),
        request_id: ids::uuid(&mut model.rng),
        dry_run: false,
    };
    answer(model, &call, body)
}

/// An object of what is there.
fn object<const N: usize>(members: [(&str, Option<Json>); N]) -> Json {
    let present = members.into_iter().filter_map(|(name, value)| Some((name.to_string(), value?)));
    Json::Object(present.collect())
}

/// `sqs:SendMessage` to a queue for EventBridge, on behalf of a rule.
fn queue_policy_for_rule(queue_arn: &str, rule_arn: &str) -> Json {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "Service": "events.amazonaws.com" },
            "Action": "sqs:SendMessage",
            "Resource": queue_arn,
            "Condition": { "ArnEquals": { "aws:SourceArn": rule_arn } },
        }],
    })
}
