//! Buses, their policies, and rules with their targets.

use serde_json::{Value as Json, json};

use super::super::order::Step;
use super::super::props::Props;
use super::{Hints, Maker, object};
use crate::kernel::arn::Arn;
use crate::kernel::iam::PolicyDocument;

pub(super) const NAME_MAX: usize = 64;
const DEFAULT_BUS: &str = "default";

/// What in the errors of `PutTargets` speaks of which property of a target.
const TARGET_HINTS: Hints<'static> = &[
    ("DeadLetterConfig", "DeadLetterConfig"),
    ("etryPolicy", "RetryPolicy"),
    ("RoleArn", "RoleArn"),
    ("nputTransformer", "InputTransformer"),
    ("nputPath", "InputPath"),
    ("nput", "Input"),
    ("'targets.1.member.id'", "Id"),
    ("Arn", "Arn"),
];

/// The name of a bus that is given by name or by ARN.
fn bus_name(bus: Option<&str>) -> &str {
    let bus = bus.unwrap_or(DEFAULT_BUS);
    bus.rsplit_once("event-bus/").map_or(bus, |(_, name)| name)
}

/// How often and for how long the target is tried.
pub(super) fn retry_policy(props: &Props<'_>) -> Option<Json> {
    let policy = props.group("RetryPolicy")?;
    let members = [
        ("MaximumRetryAttempts", policy.integer("MaximumRetryAttempts").map(Json::from)),
        ("MaximumEventAgeInSeconds", policy.integer("MaximumEventAgeInSeconds").map(Json::from)),
    ];
    policy.finish();
    Some(object(members))
}

pub(super) fn transformer(props: &Props<'_>) -> Option<Json> {
    let transformer = props.group("InputTransformer")?;
    let paths =
        transformer.has("InputPathsMap").then(|| transformer.texts_by_name("InputPathsMap"));
    let template = transformer.required("InputTemplate");
    transformer.finish();
    let paths = paths.map(|paths| json!(paths));
    Some(object([("InputPathsMap", paths), ("InputTemplate", template.map(Json::from))]))
}

impl Maker<'_> {
    pub(super) fn bus(&mut self, step: &Step<'_>, props: &Props<'_>) {
        let before = self.errors.count();
        let name = props.required("Name");
        let description = props.text("Description");
        props.tags();
        props.finish();
        let Some(name) = name else { return };
        let (region, account) = (&self.scope.region, &self.scope.account);
        let arn = format!("arn:aws:events:{region}:{account}:event-bus/{name}");
        self.register(&step.id, name.as_str(), &[("Arn", &arn), ("Name", &name)]);
        if self.errors.count() > before {
            return;
        }
        let body = json!({ "Name": name });
        self.refuse_taken(("events", "DescribeEventBus"), &body, props, ("Name", &name));
        let body = json!({ "Name": name, "Description": description });
        let hints = [("'description'", "Description"), ("", "Name")];
        self.ask(("events", "CreateEventBus"), &body, props, &hints);
    }

    /// In a rehearsal, a bus of the world that the template has not made stands on the stage too.
    fn borrow_bus(&mut self, bus: Option<&str>) {
        let body = json!({ "Name": bus_name(bus) });
        if self.call("events", "DescribeEventBus", &body).is_err()
            && self.call_world("events", "DescribeEventBus", &body).is_some()
        {
            // If it cannot be made, then neither can the rule be put on it, which is reported.
            self.call("events", "CreateEventBus", &body).ok();
        }
    }

    pub(super) fn bus_policy(&mut self, step: &Step<'_>, props: &Props<'_>) {
        let before = self.errors.count();
        let bus = props.text("EventBusName");
        let id = props.required("StatementId");
        let statement = self.bus_statement(props, bus.as_deref(), id.as_deref());
        props.finish();
        self.register(&step.id, self.made_up_name(&step.id, 100), &[]);
        let Some((statement, id)) = statement.zip(id) else { return };
        let failed = bus.as_ref().is_some_and(|bus| self.failed.contains(bus));
        if failed || self.errors.count() > before {
            return;
        }
        self.borrow_bus(bus.as_deref());
        let name = bus_name(bus.as_deref());
        let hints =
            [("Event bus", "EventBusName"), ("rincipal", "Principal"), ("tatement", "Statement")];
        let body = json!({ "Name": name });
        let Some(shown) = self.ask(("events", "DescribeEventBus"), &body, props, &hints) else {
            return;
        };
        let policy = shown["Policy"].as_str().and_then(|text| serde_json::from_str(text).ok());
        let mut policy: Json =
            policy.unwrap_or_else(|| json!({ "Version": "2012-10-17", "Statement": [] }));
        let Some(statements) = policy["Statement"].as_array_mut() else { return };
        if statements.iter().any(|other| other["Sid"] == json!(id)) {
            props.wrong("StatementId", format!("the policy of {name} has a statement {id}"));
            return;
        }
        statements.push(statement);
        let body = json!({ "EventBusName": name, "Policy": policy.to_string() });
        self.ask(("events", "PutPermission"), &body, props, &hints);
    }

    /// The statement in full, whichever way it is written.
    fn bus_statement(
        &self,
        props: &Props<'_>,
        bus: Option<&str>,
        id: Option<&str>,
    ) -> Option<Json> {
        let (region, account) = (&self.scope.region, &self.scope.account);
        let bus_arn = format!("arn:aws:events:{region}:{account}:event-bus/{}", bus_name(bus));
        let mut statement = match props.json("Statement") {
            Some(statement) => statement,
            None => {
                let principal = props.required("Principal")?;
                let action = props.required("Action")?;
                let account = principal.len() == 12;
                let principal = match account {
                    true => json!({ "AWS": format!("arn:aws:iam::{principal}:root") }),
                    false => json!(principal),
                };
                json!({
                    "Effect": "Allow",
                    "Principal": principal,
                    "Action": action,
                    "Resource": bus_arn,
                })
            }
        };
        if statement.get("Sid").is_none_or(Json::is_null) {
            statement.as_object_mut()?.insert("Sid".to_string(), json!(id?));
        } else if statement["Sid"] != json!(id?) {
            props.wrong("StatementId", "is not the Sid of the Statement");
        }
        let document = json!({ "Version": "2012-10-17", "Statement": statement });
        match PolicyDocument::parse_resource(&document) {
            Ok(_) => Some(statement),
            Err(error) => {
                let inner = error.path.trim_start_matches("Statement[0]");
                let inner = inner.trim_start_matches("Statement").trim_start_matches('.');
                let at = props.any("Statement").map_or(props.at, |node| node.nearest(inner).at);
                let path = format!("{}.{}", props.path_of("Statement"), inner);
                self.errors.add(at, path.trim_end_matches('.'), error.problem);
                None
            }
        }
    }

    pub(super) fn rule(&mut self, step: &Step<'_>, props: &Props<'_>) {
        let before = self.errors.count();
        let name = self.name(&step.id, props.text("Name"), NAME_MAX);
        let bus = props.text("EventBusName");
        let pattern = props.json("EventPattern").map(|pattern| json!(pattern.to_string()));
        let role_arn = props.text("RoleArn");
        let body = object([
            ("EventPattern", pattern),
            ("ScheduleExpression", props.text("ScheduleExpression").map(Json::from)),
            ("State", props.one_of("State", &["DISABLED", "ENABLED"]).map(Json::from)),
            ("Description", props.text("Description").map(Json::from)),
            ("RoleArn", role_arn.clone().map(Json::from)),
        ]);
        if let Some(role_arn) = &role_arn {
            self.check_trust(role_arn, "events.amazonaws.com", props, "RoleArn");
        }
        props.tags();
        let targets: Vec<_> =
            props.groups("Targets").into_iter().map(|one| (self.target(&one), one)).collect();
        props.finish();
        self.register_rule(&step.id, &name, bus.as_deref());
        if self.errors.count() > before {
            return;
        }
        let sources = ("EventPattern", "ScheduleExpression");
        if self.put_rule(props, &name, bus.as_deref(), body, sources) {
            for (target, props) in &targets {
                self.put_target(props, &name, bus.as_deref(), target);
            }
        }
    }

    fn target(&self, props: &Props<'_>) -> Json {
        let role_arn = props.text("RoleArn");
        if let Some(role_arn) = &role_arn {
            self.check_trust(role_arn, "events.amazonaws.com", props, "RoleArn");
        }
        let letters = props.group("DeadLetterConfig").map(|config| {
            let arn = config.required("Arn");
            config.finish();
            json!({ "Arn": arn })
        });
        let target = object([
            ("Id", props.required("Id").map(Json::from)),
            ("Arn", props.required("Arn").map(Json::from)),
            ("RoleArn", role_arn.map(Json::from)),
            ("Input", props.text("Input").map(Json::from)),
            ("InputPath", props.text("InputPath").map(Json::from)),
            ("InputTransformer", transformer(props)),
            ("RetryPolicy", retry_policy(props)),
            ("DeadLetterConfig", letters),
        ]);
        props.finish();
        target
    }

    /// Gives the ARN of the rule. On a bus of one's own, `Ref` gives the name of the bus with it.
    pub(super) fn register_rule(&mut self, id: &str, name: &str, bus: Option<&str>) -> String {
        let (region, account) = (&self.scope.region, &self.scope.account);
        let start = format!("arn:aws:events:{region}:{account}:rule");
        let (arn, reference) = match bus_name(bus) {
            DEFAULT_BUS => (format!("{start}/{name}"), name.to_string()),
            bus => (format!("{start}/{bus}/{name}"), format!("{bus}|{name}")),
        };
        self.register(id, reference, &[("Arn", &arn)]);
        arn
    }

    /// Whether the rule was made. `pattern` and `schedule` are what the template calls the two.
    pub(super) fn put_rule(
        &mut self,
        props: &Props<'_>,
        name: &str,
        bus: Option<&str>,
        mut body: Json,
        (pattern, schedule): (&str, &str),
    ) -> bool {
        if bus.is_some_and(|bus| self.failed.contains(bus)) {
            return false;
        }
        self.borrow_bus(bus);
        let rule = json!({ "Name": name, "EventBusName": bus });
        self.refuse_taken(("events", "DescribeRule"), &rule, props, ("Name", name));
        body["Name"] = json!(name);
        body["EventBusName"] = json!(bus);
        let hints = [
            ("InvalidEventPatternException", pattern),
            ("or ScheduleExpression must", pattern),
            ("ScheduleExpression", schedule),
            ("'scheduleExpression'", schedule),
            ("Event bus", "EventBusName"),
            ("'eventBusName'", "EventBusName"),
            ("'description'", "Description"),
            ("'name'", "Name"),
        ];
        self.ask(("events", "PutRule"), &body, props, &hints).is_some()
    }

    /// Adds a target to a rule. A queue for its dead letters has to be in the region; EventBridge
    /// does not look whether there is one, and neither does this.
    pub(super) fn put_target(
        &mut self,
        props: &Props<'_>,
        rule: &str,
        bus: Option<&str>,
        target: &Json,
    ) {
        let arn = target["Arn"].as_str().unwrap_or_default();
        if Arn::parse(arn).is_none() {
            props.wrong("Arn", format!("{arn} is not an ARN"));
            return;
        }
        let body = json!({ "Rule": rule, "EventBusName": bus, "Targets": [target] });
        self.ask(("events", "PutTargets"), &body, props, TARGET_HINTS);
    }
}
