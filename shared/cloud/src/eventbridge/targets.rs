//! Operations on the targets of a rule.

use std::time::Duration;

use serde_json::{Value, json};

use super::errors::{invalid, no_such_bus, no_such_rule, too_many};
use super::input::Input;
use super::rules::{self, NAME_CHARS_MAX, pass_role};
use super::state::{Kind, Rule, Target};
use super::{check_name, name, own_bus, page, parse_bus_arn};
use crate::kernel::access::{Call, Want};
use crate::kernel::arn::Arn;
use crate::kernel::error::ApiError;
use crate::kernel::json::Members;
use crate::model::Model;

const ARN_CHARS_MAX: usize = 1600;
const AGE_SECONDS_MAX: i64 = 86_400;
const RETRIES_MAX: i64 = 185;

fn read(call: &Call, members: &Members) -> Result<(String, Target), ApiError> {
    let id = name(members, "Id", 64)?.to_string();
    let arn = members.required("Arn")?.to_string();
    if arn.chars().count() > ARN_CHARS_MAX {
        let constraint = format!("Member must have length less than or equal to {ARN_CHARS_MAX}");
        return Err(members.unfit("Arn", &arn, &constraint));
    }
    let kind = kind(call, &arn)?;
    let role_arn = members.text("RoleArn")?;
    let is_bus = matches!(kind, Kind::Bus { .. });
    let role_arn = match (is_bus, role_arn) {
        (true, Some(role_arn)) => role_arn.to_string(),
        (true, None) => return Err(invalid(format!("RoleArn is required for target {arn}."))),
        (false, None) => String::new(),
        (false, Some(_)) => {
            let text = format!(
                "RoleArn for target {arn} is not modelled here: functions and \
                                queues admit EventBridge by policies of their own."
            );
            return Err(invalid(text));
        }
    };
    let input = Input::read(members, &id)?;
    if is_bus && !matches!(input, Input::Whole) {
        return Err(invalid(format!("Event bus target {id} takes the event as it is.")));
    }
    let dead_letters = read_dead_letters(call, members)?;
    let (retries_max, age_max) = read_retry_policy(members)?;
    let given = members.to_value();
    let target = Target { arn, kind, role_arn, input, dead_letters, retries_max, age_max, given };
    Ok((id, target))
}

fn kind(call: &Call, text: &str) -> Result<Kind, ApiError> {
    let malformed = || {
        invalid(format!(
            "Parameter {text} is not valid. Reason: Provided Arn is not in correct format."
        ))
    };
    let arn = Arn::parse(text).ok_or_else(malformed)?;
    let kind = match arn.service {
        "events" => {
            let (scope, name) = parse_bus_arn(text).ok_or_else(malformed)?;
            return Ok(Kind::Bus { scope, name: name.to_string() });
        }
        "lambda" if arn.resource.starts_with("function:") => Kind::Function,
        "sqs" if arn.resource.ends_with(".fifo") => {
            return Err(invalid("First-in-first-out queues are not modelled here."));
        }
        "sqs" => Kind::Queue,
        service => {
            let text = format!("Targets of the service {service} are not modelled here: {text}");
            return Err(invalid(text));
        }
    };
    if !arn.is_in(&call.scope) {
        let text = format!(
            "Parameter {text} is not valid. Reason: a function or queue has to be in the account \
             and region of its rule."
        );
        return Err(invalid(text));
    }
    Ok(kind)
}

/// A standard queue in the region of the rule.
fn read_dead_letters(call: &Call, members: &Members) -> Result<Option<String>, ApiError> {
    let Some(config) = members.group("DeadLetterConfig")? else { return Ok(None) };
    let Some(text) = config.text("Arn")? else { return Ok(None) };
    let fits = |arn: &Arn| {
        let standard = arn.service == "sqs" && !arn.resource.ends_with(".fifo");
        standard && arn.region == &*call.scope.region
    };
    if !Arn::parse(text).as_ref().is_some_and(fits) {
        let text = format!(
            "Parameter DeadLetterConfig.Arn is not valid. Reason: {text} is not a standard queue \
             in the region of the rule."
        );
        return Err(invalid(text));
    }
    Ok(Some(text.to_string()))
}

fn read_retry_policy(members: &Members) -> Result<(u32, Duration), ApiError> {
    let (mut retries, mut age) = (RETRIES_MAX, AGE_SECONDS_MAX);
    if let Some(policy) = members.group("RetryPolicy")? {
        retries = within(&policy, "MaximumRetryAttempts", 0, RETRIES_MAX)?;
        age = within(&policy, "MaximumEventAgeInSeconds", 60, AGE_SECONDS_MAX)?;
    }
    let retries = u32::try_from(retries).unwrap_or_default();
    Ok((retries, Duration::from_secs(u64::try_from(age).unwrap_or_default())))
}

/// A number, or its largest value if there is none.
fn within(members: &Members, member: &str, min: i64, max: i64) -> Result<i64, ApiError> {
    let number = members.integer(member)?.unwrap_or(max);
    let bound = match number {
        low if low < min => format!("greater than or equal to {min}"),
        high if high > max => format!("less than or equal to {max}"),
        fits => return Ok(fits),
    };
    let constraint = format!("Member must have value {bound}");
    Err(members.unfit(member, &number.to_string(), &constraint))
}

fn rule<'m>(
    model: &'m mut Model,
    call: &Call,
    bus_name: &str,
    rule_name: &str,
) -> Result<&'m mut Rule, ApiError> {
    let bus = model.bus(&call.scope, bus_name).ok_or_else(|| no_such_bus(bus_name))?;
    bus.rules.get_mut(rule_name).ok_or_else(|| no_such_rule(bus_name, rule_name))
}

/// Adds targets to a rule; one with the id of another takes its place.
pub fn put(model: &mut Model, call: &Call, members: &Members) -> Result<Value, ApiError> {
    let rule_name = name(members, "Rule", NAME_CHARS_MAX)?;
    let bus_name = own_bus(call, members, "EventBusName")?;
    let mut targets = Vec::new();
    for group in members.groups("Targets")? {
        targets.push(read(call, &group)?);
    }
    members.finish()?;
    if targets.is_empty() {
        let constraint = "Member must have length greater than or equal to 1";
        return Err(members.unfit("Targets", "[]", constraint));
    }
    let mut wants = vec![Want {
        keys: targets
            .iter()
            .map(|(_, target)| ("events:TargetArn".to_string(), target.arn.clone()))
            .collect(),
        ..rules::want(call, bus_name, rule_name)
    }];
    let roles = targets.iter().map(|(_, target)| target.role_arn.as_str());
    wants.extend(roles.filter(|role_arn| !role_arn.is_empty()).map(pass_role));
    model.permit(call, &wants)?;
    let limit = model.config.limits.targets_per_rule;
    let rule = rule(model, call, bus_name, rule_name)?;
    let mut all = rule.targets.clone();
    all.extend(targets);
    if all.len() > limit {
        return Err(too_many());
    }
    rule.targets = all;
    Ok(json!({ "FailedEntryCount": 0, "FailedEntries": [] }))
}

/// Takes targets off a rule; an id that it does not have fails by itself.
pub fn remove(model: &mut Model, call: &Call, members: &Members) -> Result<Value, ApiError> {
    let rule_name = name(members, "Rule", NAME_CHARS_MAX)?;
    let bus_name = own_bus(call, members, "EventBusName")?;
    let ids = members.texts("Ids")?;
    members.flag("Force")?;
    members.finish()?;
    if ids.is_empty() {
        let constraint = "Member must have length greater than or equal to 1";
        return Err(members.unfit("Ids", "[]", constraint));
    }
    for id in &ids {
        check_name(members, "Ids", id, 64)?;
    }
    model.permit(call, &[rules::want(call, bus_name, rule_name)])?;
    let rule = rule(model, call, bus_name, rule_name)?;
    let mut failed = Vec::new();
    for id in ids {
        if rule.targets.remove(id).is_none() {
            failed.push(json!({
                "TargetId": id,
                "ErrorCode": "ResourceNotFoundException",
                "ErrorMessage": format!("Target {id} does not exist on rule {rule_name}."),
            }));
        }
    }
    Ok(json!({ "FailedEntryCount": failed.len(), "FailedEntries": failed }))
}

pub fn list(model: &mut Model, call: &Call, members: &Members) -> Result<Value, ApiError> {
    let rule_name = name(members, "Rule", NAME_CHARS_MAX)?;
    let bus_name = own_bus(call, members, "EventBusName")?;
    let page = page(members)?;
    members.finish()?;
    model.permit(call, &[rules::want(call, bus_name, rule_name)])?;
    let rule = rule(model, call, bus_name, rule_name)?;
    let targets = rule.targets.iter();
    let rest = targets.filter(|(id, _)| page.after.as_ref().is_none_or(|after| *id > after));
    let (targets, next) = page.take(rest, |(id, _)| id);
    let shown: Vec<_> = targets.into_iter().map(|(_, target)| &target.given).collect();
    let mut answer = json!({ "Targets": shown });
    if let Some(next) = next {
        answer["NextToken"] = json!(next);
    }
    Ok(answer)
}
