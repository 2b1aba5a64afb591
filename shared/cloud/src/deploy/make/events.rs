//! The events of a function: a rule on a bus, the function as its target, and the permission that
//! lets the rule invoke it.

use serde_json::{Value as Json, json};

use super::super::eval::Eval;
use super::super::order::Step;
use super::super::props::Props;
use super::{Maker, blame, object, queue_policy_for_rule};
use crate::lambda;

const TYPES: [&str; 3] = ["CloudWatchEvent", "EventBridgeRule", "Schedule"];

impl Maker<'_> {
    pub(super) fn event(&mut self, step: &Step<'_>, name: &str) {
        let resource = step.resource;
        let errors = self.errors;
        let path = format!("{}.Events.{name}", resource.properties_path());
        let given = resource.properties.get("Events").and_then(|events| events.get(name));
        let eval = Eval { known: &self.known, errors, unused: false };
        let Some(node) = given.and_then(|node| eval.node(node, &path)) else { return };
        let event = Props::of(Some(&node), node.at, path, errors);
        event.require("Type");
        let kind = event.one_of("Type", &TYPES);
        event.require("Properties");
        let properties = event.group("Properties");
        event.finish();
        if let Some((kind, props)) = kind.zip(properties) {
            self.rule_of_event(step, &kind, &props);
        }
    }

    fn rule_of_event(&mut self, step: &Step<'_>, kind: &str, props: &Props<'_>) {
        let before = self.errors.count();
        let source = match kind {
            "Schedule" => "Schedule",
            _ => "Pattern",
        };
        props.require(source);
        let name = match kind {
            "Schedule" => props.text("Name"),
            "EventBridgeRule" => props.text("RuleName"),
            _ => None,
        };
        let name = self.name(&step.id, name, super::rule::NAME_MAX);
        let (bus, body) = match kind {
            "Schedule" => {
                let schedule = props.text("Schedule").map(Json::from);
                let description = props.text("Description").map(Json::from);
                let members = [("ScheduleExpression", schedule), ("Description", description)];
                (None, object(members))
            }
            _ => {
                let pattern = props.json("Pattern").map(|pattern| json!(pattern.to_string()));
                (props.text("EventBusName"), object([("EventPattern", pattern)]))
            }
        };
        let rule_arn = self.register_rule(&step.id, &name, bus.as_deref());
        let mut body = body;
        if let Some(state) = state(props, kind) {
            body["State"] = json!(state);
        }
        let (target, queue) = self.target_of_event(step, kind, props, &rule_arn);
        props.finish();
        if self.errors.count() > before {
            return;
        }
        let made = self.put_rule(props, &name, bus.as_deref(), body, (source, source));
        if !made {
            return;
        }
        self.put_target(props, &name, bus.as_deref(), &target);
        if let Some((queue_name, policy)) = queue {
            self.make_queue(&queue_name, &policy, props);
        }
        self.permit_rule(step, props, &rule_arn);
    }

    /// The target as `PutTargets` takes it, and the name and policy of the queue that is asked for.
    fn target_of_event(
        &mut self,
        step: &Step<'_>,
        kind: &str,
        props: &Props<'_>,
        rule_arn: &str,
    ) -> (Json, Option<(String, Json)>) {
        let function = self.known.made.get(&step.resource.id);
        let function = function.and_then(|made| made.attributes.get("Arn")).cloned();
        let mut id = None;
        let (mut path, mut transformer) = (None, None);
        if kind != "Schedule" {
            path = props.text("InputPath").map(Json::from);
            if let Some(target) = props.group("Target") {
                id = target.text("Id");
                target.finish();
            }
        }
        if kind == "EventBridgeRule" {
            transformer = super::rule::transformer(props);
        }
        let id = id.unwrap_or_else(|| {
            let id: String = step.id.chars().take(64 - "LambdaTarget".len()).collect();
            format!("{id}LambdaTarget")
        });
        let (letters, queue) = self.letters_of_event(step, props, rule_arn);
        let target = object([
            ("Id", Some(json!(id))),
            ("Arn", function.map(Json::from)),
            ("Input", props.text("Input").map(Json::from)),
            ("InputPath", path),
            ("InputTransformer", transformer),
            ("RetryPolicy", super::rule::retry_policy(props)),
            ("DeadLetterConfig", letters.map(|arn| json!({ "Arn": arn }))),
        ]);
        (target, queue)
    }

    /// Where the event's own dead letters go: a queue that there is, or one that SAM makes.
    fn letters_of_event(
        &mut self,
        step: &Step<'_>,
        props: &Props<'_>,
        rule_arn: &str,
    ) -> (Option<String>, Option<(String, Json)>) {
        let Some(config) = props.group("DeadLetterConfig") else { return (None, None) };
        let arn = config.text("Arn");
        let kind = config.one_of("Type", &["SQS"]);
        let id = config.text("QueueLogicalId");
        config.finish();
        if arn.is_some() == kind.is_some() || (arn.is_some() && id.is_some()) {
            let what = "takes either the Arn of a queue, or Type: SQS for a queue that SAM makes";
            props.wrong("DeadLetterConfig", what);
            return (None, None);
        }
        if arn.is_some() {
            return (arn, None);
        }
        let id = id.unwrap_or_else(|| format!("{}Queue", step.id));
        let name = self.made_up_name(&id, super::queue::NAME_MAX);
        let arn = self.register_queue(&id, &name);
        let policy = queue_policy_for_rule(&arn, rule_arn);
        (Some(arn), Some((name, policy)))
    }

    fn permit_rule(&mut self, step: &Step<'_>, props: &Props<'_>, rule_arn: &str) {
        let id = format!("{}Permission", step.id);
        self.register(&id, self.made_up_name(&id, 100), &[]);
        let function = self.known.made.get(&step.resource.id);
        let Some(function) = function.and_then(|made| made.attributes.get("Arn")).cloned() else {
            return;
        };
        // A function that could not be made was reported as such.
        if !lambda::exists(self.model, &function) {
            return;
        }
        let service = "events.amazonaws.com";
        let added = lambda::add_permission(self.model, &function, &id, service, Some(rule_arn));
        if let Err(error) = added {
            blame(self.errors, props, &error, &[]);
        }
    }
}

/// `State`, or the older `Enabled`, which the newest type of event does not have.
fn state(props: &Props<'_>, kind: &str) -> Option<&'static str> {
    let state = props.one_of("State", &["DISABLED", "ENABLED"]);
    let enabled = if kind == "EventBridgeRule" { None } else { props.flag("Enabled") };
    match (state.as_deref(), enabled) {
        (Some(_), Some(_)) => {
            props.wrong("Enabled", "says the same as State; give one of the two");
            None
        }
        (Some("DISABLED"), None) | (None, Some(false)) => Some("DISABLED"),
        (Some(_), None) | (None, Some(true)) => Some("ENABLED"),
        (None, None) => None,
    }
}
