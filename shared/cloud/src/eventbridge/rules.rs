//! Operations on rules, and the times at which scheduled ones fire.

use serde_json::{Map, Value, json};

use super::errors::{invalid, no_such_bus, no_such_rule, too_many};
use super::pattern::Pattern;
use super::put::{Sending, envelope, send};
use super::schedule::Schedule;
use super::state::Rule;
use super::{DEFAULT_BUS, Event, name, own_bus, page, rule_arn, short_text};
use crate::kernel::access::{Call, Want};
use crate::kernel::error::ApiError;
use crate::kernel::json::Members;
use crate::kernel::scope::Scope;
use crate::model::Model;

pub const NAME_CHARS_MAX: usize = 64;
const DESCRIPTION_CHARS_MAX: usize = 512;
const SCHEDULE_CHARS_MAX: usize = 256;
const TARGET_ARN_CHARS_MAX: usize = 1600;

pub fn want(call: &Call, bus: &str, rule: &str) -> Want {
    Want::new(&format!("events:{}", call.action), rule_arn(&call.scope, bus, rule))
}

/// What it takes to hand a role over to EventBridge.
pub fn pass_role(role_arn: &str) -> Want {
    Want::new("iam:PassRole", role_arn).key("iam:PassedToService", "events.amazonaws.com")
}

/// What `PutRule` says of a rule.
struct Given {
    pattern: Option<(String, Pattern)>,
    schedule: Option<(String, Schedule)>,
    enabled: bool,
    description: Option<String>,
    role_arn: Option<String>,
}

fn read(members: &Members, bus: &str) -> Result<Given, ApiError> {
    let pattern = members.text("EventPattern")?.filter(|text| !text.is_empty());
    let schedule = short_text(members, "ScheduleExpression", SCHEDULE_CHARS_MAX)?;
    let schedule = schedule.filter(|text| !text.is_empty());
    let state = members.text("State")?;
    let description = short_text(members, "Description", DESCRIPTION_CHARS_MAX)?;
    let role_arn = members.text("RoleArn")?.map(str::to_string);
    members.finish()?;
    let enabled = match state {
        None | Some("ENABLED") => true,
        Some("DISABLED") => false,
        Some(other) => {
            let constraint = "Member must satisfy enum value set: [ENABLED, DISABLED]";
            return Err(members.unfit("State", other, constraint));
        }
    };
    if pattern.is_none() && schedule.is_none() {
        let text = "Parameter(s) EventPattern or ScheduleExpression must be specified.";
        return Err(invalid(text));
    }
    let schedule = match schedule {
        None => None,
        Some(_) if bus != DEFAULT_BUS => {
            let text = "ScheduleExpression is supported only on the default event bus.";
            return Err(invalid(text));
        }
        Some(text) => match Schedule::parse(&text) {
            Ok(schedule) => Some((text, schedule)),
            Err(_) => return Err(invalid("Parameter ScheduleExpression is not valid.")),
        },
    };
    let pattern = match pattern {
        None => None,
        Some(text) => Some((text.to_string(), read_pattern(text)?)),
    };
    Ok(Given { pattern, schedule, enabled, description, role_arn })
}

fn read_pattern(text: &str) -> Result<Pattern, ApiError> {
    Pattern::parse(text).map_err(|reason| {
        let text = format!("Event pattern is not valid. Reason: {reason}");
        ApiError::bad("InvalidEventPatternException", text)
    })
}

/// Makes a rule, or changes one; what is not given goes back to its default. Targets stay.
pub fn put(model: &mut Model, call: &Call, members: &Members) -> Result<Value, ApiError> {
    let rule_name = name(members, "Name", NAME_CHARS_MAX)?;
    let bus_name = own_bus(call, members, "EventBusName")?;
    let given = read(members, bus_name)?;
    let mut wants = vec![want(call, bus_name, rule_name)];
    wants.extend(given.role_arn.as_deref().map(pass_role));
    model.permit(call, &wants)?;
    let (now, limit) = (model.now, model.config.limits.rules_per_bus);
    let region = model.event_region(&call.scope);
    let bus = region.buses.get_mut(bus_name).ok_or_else(|| no_such_bus(bus_name))?;
    if !bus.rules.contains_key(rule_name) && bus.rules.len() >= limit {
        return Err(too_many());
    }
    let before = bus.rules.remove(rule_name);
    region.generations += 1;
    let mut rule = Rule {
        arn: rule_arn(&call.scope, bus_name, rule_name),
        pattern: given.pattern,
        schedule: given.schedule,
        enabled: given.enabled,
        description: given.description,
        role_arn: given.role_arn,
        targets: Default::default(),
        generation: region.generations,
        anchor: now,
    };
    let mut goes_on = false;
    if let Some(before) = before {
        // A schedule that stays as it is keeps its rhythm.
        goes_on = before.enabled && rule.enabled && before.schedule == rule.schedule;
        if goes_on {
            (rule.generation, rule.anchor) = (before.generation, before.anchor);
        }
        rule.targets = before.targets;
    }
    bus.rules.insert(rule_name.to_string(), rule);
    if !goes_on {
        plan(model, &call.scope, rule_name);
    }
    Ok(json!({ "RuleArn": rule_arn(&call.scope, bus_name, rule_name) }))
}

/// Puts the next time of a scheduled rule on the agenda.
fn plan(model: &mut Model, scope: &Scope, rule_name: &str) {
    let now = model.now;
    let Some(bus) = model.bus(scope, DEFAULT_BUS) else { return };
    let Some(rule) = bus.rules.get(rule_name).filter(|rule| rule.enabled) else { return };
    let Some((_, schedule)) = &rule.schedule else { return };
    let (anchor, generation) = (rule.anchor, rule.generation);
    if let Some(at) = schedule.next_after(now, anchor) {
        let (scope, rule) = (scope.clone(), rule_name.to_string());
        model.at(at, "events: rule fires", move |model| fire(model, &scope, &rule, generation));
    }
}

/// Fires a scheduled rule that has come to one of its times.
fn fire(model: &mut Model, scope: &Scope, rule_name: &str, generation: u64) {
    let Some(bus) = model.bus(scope, DEFAULT_BUS) else { return };
    let current = |rule: &&Rule| rule.generation == generation && rule.enabled;
    let Some(rule) = bus.rules.get(rule_name).filter(current) else { return };
    let event = Event::new(
        "aws.events",
        "Scheduled Event",
        vec![rule.arn.clone()],
        Value::Object(Map::new()),
    );
    plan(model, scope, rule_name);
    let now = model.now;
    let sending = Sending {
        bus: DEFAULT_BUS.to_string(),
        envelope: envelope(model, scope, event, now),
        only_rule: Some(rule_name.to_string()),
        delay: Default::default(),
    };
    send(model, scope, sending);
}

/// A rule that is not there is no error.
pub fn delete(model: &mut Model, call: &Call, members: &Members) -> Result<Value, ApiError> {
    let rule_name = name(members, "Name", NAME_CHARS_MAX)?;
    let bus_name = own_bus(call, members, "EventBusName")?;
    members.flag("Force")?;
    members.finish()?;
    model.permit(call, &[want(call, bus_name, rule_name)])?;
    let bus = model.bus(&call.scope, bus_name).ok_or_else(|| no_such_bus(bus_name))?;
    if bus.rules.get(rule_name).is_some_and(|rule| !rule.targets.is_empty()) {
        return Err(invalid("Rule can't be deleted since it has targets."));
    }
    bus.rules.remove(rule_name);
    Ok(Value::Null)
}

pub fn switch(
    model: &mut Model,
    call: &Call,
    members: &Members,
    enabled: bool,
) -> Result<Value, ApiError> {
    let rule_name = name(members, "Name", NAME_CHARS_MAX)?;
    let bus_name = own_bus(call, members, "EventBusName")?;
    members.finish()?;
    model.permit(call, &[want(call, bus_name, rule_name)])?;
    let now = model.now;
    let region = model.event_region(&call.scope);
    let bus = region.buses.get_mut(bus_name).ok_or_else(|| no_such_bus(bus_name))?;
    let rule = bus.rules.get_mut(rule_name).ok_or_else(|| no_such_rule(bus_name, rule_name))?;
    if rule.enabled == enabled {
        return Ok(Value::Null);
    }
    region.generations += 1;
    (rule.enabled, rule.generation, rule.anchor) = (enabled, region.generations, now);
    plan(model, &call.scope, rule_name);
    Ok(Value::Null)
}

pub fn describe(model: &mut Model, call: &Call, members: &Members) -> Result<Value, ApiError> {
    let rule_name = name(members, "Name", NAME_CHARS_MAX)?;
    let bus_name = own_bus(call, members, "EventBusName")?;
    members.finish()?;
    model.permit(call, &[want(call, bus_name, rule_name)])?;
    let bus = model.bus(&call.scope, bus_name).ok_or_else(|| no_such_bus(bus_name))?;
    let rule = bus.rules.get(rule_name).ok_or_else(|| no_such_rule(bus_name, rule_name))?;
    let mut shown = render(bus_name, rule_name, rule);
    shown["CreatedBy"] = json!(&*call.scope.account);
    Ok(shown)
}

fn render(bus_name: &str, rule_name: &str, rule: &Rule) -> Value {
    let mut shown = json!({
        "Name": rule_name,
        "Arn": rule.arn,
        "EventBusName": bus_name,
        "State": if rule.enabled { "ENABLED" } else { "DISABLED" },
    });
    if let Some((pattern, _)) = &rule.pattern {
        shown["EventPattern"] = json!(pattern);
    }
    if let Some((schedule, _)) = &rule.schedule {
        shown["ScheduleExpression"] = json!(schedule);
    }
    if let Some(description) = &rule.description {
        shown["Description"] = json!(description);
    }
    if let Some(role_arn) = &rule.role_arn {
        shown["RoleArn"] = json!(role_arn);
    }
    shown
}

pub fn list(model: &mut Model, call: &Call, members: &Members) -> Result<Value, ApiError> {
    let prefix = members.text("NamePrefix")?.unwrap_or_default();
    let bus_name = own_bus(call, members, "EventBusName")?;
    let page = page(members)?;
    members.finish()?;
    model.permit(call, &[Want::anywhere("events:ListRules")])?;
    let bus = model.bus(&call.scope, bus_name).ok_or_else(|| no_such_bus(bus_name))?;
    let named = bus.rules.iter().filter(|(name, _)| name.starts_with(prefix));
    let rest = named.filter(|(name, _)| page.after.as_ref().is_none_or(|after| *name > after));
    let (rules, next) = page.take(rest, |(name, _)| name);
    let shown = rules.into_iter().map(|(name, rule)| render(bus_name, name, rule));
    let mut answer = json!({ "Rules": shown.collect::<Vec<_>>() });
    if let Some(next) = next {
        answer["NextToken"] = json!(next);
    }
    Ok(answer)
}

/// Lists the names of the rules of a bus that have a target.
pub fn list_by_target(
    model: &mut Model,
    call: &Call,
    members: &Members,
) -> Result<Value, ApiError> {
    let target_arn = members.required("TargetArn")?;
    if target_arn.chars().count() > TARGET_ARN_CHARS_MAX {
        let constraint =
            format!("Member must have length less than or equal to {TARGET_ARN_CHARS_MAX}");
        return Err(members.unfit("TargetArn", target_arn, &constraint));
    }
    let bus_name = own_bus(call, members, "EventBusName")?;
    let page = page(members)?;
    members.finish()?;
    model.permit(call, &[Want::anywhere("events:ListRuleNamesByTarget")])?;
    let bus = model.bus(&call.scope, bus_name).ok_or_else(|| no_such_bus(bus_name))?;
    let has_target = |rule: &Rule| rule.targets.values().any(|target| target.arn == target_arn);
    let named = bus.rules.iter().filter(|(_, rule)| has_target(rule));
    let rest = named.filter(|(name, _)| page.after.as_ref().is_none_or(|after| *name > after));
    let (rules, next) = page.take(rest, |(name, _)| name);
    let mut answer = json!({ "RuleNames": rules.iter().map(|(name, _)| name).collect::<Vec<_>>() });
    if let Some(next) = next {
        answer["NextToken"] = json!(next);
    }
    Ok(answer)
}

pub fn test_pattern(model: &mut Model, call: &Call, members: &Members) -> Result<Value, ApiError> {
    let pattern = members.required("EventPattern")?;
    let event = members.required("Event")?;
    members.finish()?;
    model.permit(call, &[Want::anywhere("events:TestEventPattern")])?;
    let pattern = read_pattern(pattern)?;
    let event: Map<String, Value> = serde_json::from_str(event)
        .map_err(|_| invalid("Parameter Event is not valid. Reason: it is not a JSON object."))?;
    let required = ["id", "account", "source", "time", "region", "resources", "detail-type"];
    if let Some(name) = required.into_iter().find(|name| !event.contains_key(*name)) {
        let text = format!("Parameter Event is not valid. Reason: {name} is a required argument.");
        return Err(invalid(text));
    }
    Ok(json!({ "Result": pattern.matches(&Value::Object(event)) }))
}
