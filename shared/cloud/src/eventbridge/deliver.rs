//! From a bus to the targets of its rules: matching, delivery, retries, dead letters.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::input::Context;
use super::state::{Kind, Target};
use super::{Envelope, bus_arn, note};
use crate::kernel::access::Want;
use crate::kernel::arn::Arn;
use crate::kernel::scope::{Invoker, Scope};
use crate::kernel::time::Time;
use crate::kernel::trace::What;
use crate::lambda::{self, Refusal};
use crate::model::{Line, Model};
use crate::sqs;

/// An event that reaches a bus.
#[derive(Clone, Debug)]
pub struct Arrival {
    pub bus: String,
    pub envelope: Envelope,
    pub only_rule: Option<String>,
    /// It comes from another bus, and goes on to none.
    pub forwarded: bool,
}

/// An event on its way to one target of a rule that matched it.
#[derive(Clone, Debug)]
pub struct Delivery {
    rule_name: String,
    rule_arn: String,
    target: Target,
    envelope: Envelope,
    forwarded: bool,
    since: Time,
    retries: u32,
    /// Why the last try failed.
    failure: Failure,
}

/// Why a target did not take an event.
#[derive(Clone, Debug, Default)]
struct Failure {
    code: &'static str,
    message: String,
    /// Trying again may help.
    passing: bool,
}

impl Failure {
    fn lasting(code: &'static str, message: impl Into<String>) -> Failure {
        Failure { code, message: message.into(), passing: false }
    }

    fn passing(code: &'static str, message: impl Into<String>) -> Failure {
        Failure { code, message: message.into(), passing: true }
    }
}

/// Time after which an event in a dark region is tried again.
const DARK_REGION_WAIT: Duration = Duration::from_secs(60);

/// Plans that an event reaches its bus.
pub fn plan_arrival(model: &mut Model, scope: &Scope, delay: Duration, arrival: Arrival) {
    let scope = scope.clone();
    model.after(delay, "events: event arrives", move |model| {
        // A region that is dark keeps its events until it is up again.
        if model.dark_regions.contains(&*scope.region) {
            plan_arrival(model, &scope, DARK_REGION_WAIT, arrival);
        } else {
            arrive(model, &scope, &arrival);
        }
    });
}

/// Gives an event that reaches its bus to the targets of every rule that matches it.
fn arrive(model: &mut Model, scope: &Scope, arrival: &Arrival) {
    let envelope = &arrival.envelope;
    let text = |name: &str| envelope[name].as_str().unwrap_or_default();
    let since = model.now;
    let Some(bus) = model.bus(scope, &arrival.bus) else {
        let detail = json!({ "bus": bus_arn(scope, &arrival.bus) });
        note(model, scope, envelope, "lost: there is no such bus", detail);
        return;
    };
    let mut deliveries = Vec::new();
    for (rule_name, rule) in bus.rules.iter().filter(|(_, rule)| rule.enabled) {
        let wanted = match &arrival.only_rule {
            Some(only) => only == rule_name,
            None => rule.pattern.as_ref().is_some_and(|(_, pattern)| pattern.matches(envelope)),
        };
        let targets = rule.targets.values().filter(|_| wanted);
        deliveries.extend(targets.map(|target| Delivery {
            rule_name: rule_name.clone(),
            rule_arn: rule.arn.clone(),
            target: target.clone(),
            envelope: envelope.clone(),
            forwarded: arrival.forwarded,
            since,
            retries: 0,
            failure: Failure::default(),
        }));
    }
    let line = Line {
        principal: text("source"),
        service: "events",
        action: text("detail-type"),
        outcome: &format!("on bus {}", arrival.bus),
        id: text("id"),
        detail: Value::clone(envelope),
    };
    model.note(What::Event, scope, line);
    if deliveries.is_empty() {
        let detail = json!({ "bus": bus_arn(scope, &arrival.bus) });
        note(model, scope, envelope, "no rule", detail);
    }
    for delivery in deliveries {
        attempt(model, scope, delivery);
    }
}

/// Tries a target again, unless the event has grown too old.
fn retry(model: &mut Model, scope: &Scope, mut delivery: Delivery) {
    if model.now >= delivery.since + delivery.target.age_max {
        bury(model, scope, &delivery, Some("MaximumEventAgeInSeconds"));
        return;
    }
    delivery.retries += 1;
    attempt(model, scope, delivery);
}

fn attempt(model: &mut Model, scope: &Scope, mut delivery: Delivery) {
    let Err(failure) = reach(model, scope, &delivery) else {
        conclude(model, scope, &delivery, "delivered", json!({}));
        return;
    };
    delivery.failure = failure;
    if !delivery.failure.passing {
        bury(model, scope, &delivery, None);
    } else if delivery.retries >= delivery.target.retries_max {
        bury(model, scope, &delivery, Some("MaximumRetryAttempts"));
    } else {
        let next = model.now + pause(model, delivery.retries);
        let at = next.min(delivery.since + delivery.target.age_max);
        let scope = scope.clone();
        model.at(at, "events: target is tried again", move |model| {
            retry(model, &scope, delivery);
        });
    }
}

/// Pauses double from a second on. The longest is such that 185 tries take about a day, the two
/// limits that EventBridge publishes for itself; jitter takes or adds up to a fifth.
fn pause(model: &mut Model, retries: u32) -> Duration {
    const LONGEST_MS: u64 = 480_000;
    let doubled = 1000u64.checked_shl(retries.min(20)).unwrap_or(LONGEST_MS);
    let base = doubled.min(LONGEST_MS);
    model.draw_ms(base - base / 5..=base + base / 5)
}

fn reach(model: &mut Model, scope: &Scope, delivery: &Delivery) -> Result<(), Failure> {
    let target = &delivery.target;
    let invoker = sender(delivery);
    match &target.kind {
        Kind::Bus { scope: there, name } => forward(model, scope, delivery, there, name),
        Kind::Queue => {
            let input = input(model, delivery);
            let sent = sqs::deliver_as(model, &invoker, &target.arn, input, BTreeMap::new());
            sent.map_err(|code| Failure::lasting(code, queue_message(code, &target.arn)))
        }
        Kind::Function => {
            let input = input(model, delivery);
            let payload = serde_json::from_str(&input).map_err(|error| {
                Failure::lasting("INVALID_JSON", format!("The input is not JSON: {error}"))
            })?;
            let sent = lambda::invoke_async(model, &target.arn, payload, &invoker);
            sent.map_err(|refusal| match refusal {
                Refusal::NoFunction => {
                    Failure::lasting("NO_RESOURCE", format!("Function not found: {}", target.arn))
                }
                Refusal::NotPermitted => Failure::lasting(
                    "NO_PERMISSIONS",
                    format!("The policy of {} does not let the rule invoke it.", target.arn),
                ),
            })
        }
    }
}

fn sender(delivery: &Delivery) -> Invoker {
    let source_arn = delivery.rule_arn.clone();
    Invoker { service: "events.amazonaws.com".to_string(), source_arn }
}

fn queue_message(code: &str, arn: &str) -> String {
    match code {
        "NO_RESOURCE" => format!("The queue {arn} does not exist."),
        _ => format!("The policy of {arn} does not let the rule send messages."),
    }
}

fn input(model: &Model, delivery: &Delivery) -> String {
    let context = Context {
        rule_arn: &delivery.rule_arn,
        rule_name: &delivery.rule_name,
        ingested_at: &model.now.to_seconds_text(),
    };
    delivery.target.input.render(&delivery.envelope, &context)
}

/// Sends the event on to another bus, by the target's role.
fn forward(
    model: &mut Model,
    scope: &Scope,
    delivery: &Delivery,
    there: &Scope,
    name: &str,
) -> Result<(), Failure> {
    if delivery.forwarded {
        let code = match scope.region == there.region {
            true => "THIRD_ACCOUNT_HOP_DETECTED",
            false => "THIRD_REGION_HOP_DETECTED",
        };
        return Err(Failure::lasting(code, "The event comes from another bus already."));
    }
    let far = scope.region != there.region;
    let dark = |region: &str| model.dark_regions.contains(region);
    if far && (dark(&there.region) || dark(&scope.region)) {
        let text = format!("{} cannot be reached from {}.", there.region, scope.region);
        return Err(Failure::passing("CROSS_REGION_INGESTION_FAILED", text));
    }
    let role_arn = &delivery.target.role_arn;
    let ours = Arn::parse(role_arn).is_some_and(|arn| arn.account == &*scope.account);
    if !ours || !model.role_trusts(role_arn, "events.amazonaws.com") {
        let text = format!("The role {role_arn} cannot be assumed.");
        return Err(Failure::lasting("FAILED_TO_ASSUME_ROLE", text));
    }
    let text = |name: &str| delivery.envelope[name].as_str().unwrap_or_default();
    let want = Want::new("events:PutEvents", delivery.target.arn.as_str())
        .key("events:source", text("source"))
        .key("events:detail-type", text("detail-type"))
        .key("events:eventBusInvocation", "true");
    if !model.role_may(role_arn, there, &want) {
        let text = format!("The role {role_arn} may not put events on {}.", want.resource);
        return Err(Failure::lasting("NO_PERMISSIONS", text));
    }
    if model.bus(there, name).is_none() {
        let text = format!("Event bus {} does not exist.", want.resource);
        return Err(Failure::lasting("NO_RESOURCE", text));
    }
    let admitted = match model.bus_policy(there, name) {
        None => scope.account == there.account,
        policy => model.role_may_on(role_arn, there, &want, policy),
    };
    if !admitted {
        let text = format!("The policy of {} does not admit {role_arn}.", want.resource);
        return Err(Failure::lasting("NO_PERMISSIONS", text));
    }
    let arrival = Arrival {
        bus: name.to_string(),
        envelope: delivery.envelope.clone(),
        only_rule: None,
        forwarded: true,
    };
    let delay = model.draw_ms(model.config.pace.event_delay_ms.clone());
    plan_arrival(model, there, delay, arrival);
    Ok(())
}

/// Gives up: the event goes to the dead letter queue of the target, if it has one.
fn bury(model: &mut Model, scope: &Scope, delivery: &Delivery, exhausted: Option<&str>) {
    let failure = &delivery.failure;
    let mut attributes = BTreeMap::from([
        ("RULE_ARN", delivery.rule_arn.clone()),
        ("TARGET_ARN", delivery.target.arn.clone()),
        ("ERROR_CODE", failure.code.to_string()),
        ("ERROR_MESSAGE", failure.message.clone()),
        ("RETRY_ATTEMPTS", delivery.retries.to_string()),
    ]);
    if let Some(condition) = exhausted {
        attributes.insert("EXHAUSTED_RETRY_CONDITION", condition.to_string());
    }
    let attributes = attributes.into_iter().map(|(name, text)| (name.to_string(), text)).collect();
    let mut detail = json!({ "error": failure.message });
    let outcome = match &delivery.target.dead_letters {
        None => format!("lost: {}", failure.code),
        Some(queue) => {
            let body = delivery.envelope.to_string();
            detail["dead-letter-queue"] = json!(queue);
            match sqs::deliver_as(model, &sender(delivery), queue, body, attributes) {
                Ok(()) => format!("dead letter: {}", failure.code),
                Err(code) => {
                    detail["dead-letter-error"] = json!(queue_message(code, queue));
                    format!("lost: {}", failure.code)
                }
            }
        }
    };
    conclude(model, scope, delivery, &outcome, detail);
}

fn conclude(model: &mut Model, scope: &Scope, delivery: &Delivery, outcome: &str, detail: Value) {
    let mut all = json!({
        "rule": delivery.rule_arn,
        "target": delivery.target.arn,
        "retries": delivery.retries,
    });
    if let (Value::Object(all), Value::Object(detail)) = (&mut all, detail) {
        all.extend(detail);
    }
    note(model, scope, &delivery.envelope, outcome, all);
}
