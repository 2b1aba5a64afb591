//! Operations on buses and on their policies.

use serde_json::{Value, json};

use super::errors::{invalid, no_such_bus, too_many};
use super::state::Bus;
use super::{DEFAULT_BUS, bus_arn, check_name, name, own_bus, page, short_text};
use crate::kernel::access::{Call, Want};
use crate::kernel::error::ApiError;
use crate::kernel::iam::PolicyDocument;
use crate::kernel::json::Members;
use crate::kernel::scope::Scope;
use crate::model::Model;

const NAME_CHARS_MAX: usize = 256;
const DESCRIPTION_CHARS_MAX: usize = 512;
const POLICY_CHARS_MAX: usize = 10_240;

fn want(call: &Call, bus: &str) -> Want {
    Want::new(&format!("events:{}", call.action), bus_arn(&call.scope, bus))
}

pub fn create(model: &mut Model, call: &Call, members: &Members) -> Result<Value, ApiError> {
    let bus_name = name(members, "Name", NAME_CHARS_MAX)?;
    let description = short_text(members, "Description", DESCRIPTION_CHARS_MAX)?;
    members.finish()?;
    model.permit(call, &[want(call, bus_name)])?;
    let (now, limit) = (model.now, model.config.limits.buses_per_region);
    let region = model.event_region(&call.scope);
    if region.buses.contains_key(bus_name) {
        let text = format!("Event bus {bus_name} already exists.");
        return Err(ApiError::bad("ResourceAlreadyExistsException", text));
    }
    if region.buses.len() >= limit {
        return Err(too_many());
    }
    let mut answer = json!({ "EventBusArn": bus_arn(&call.scope, bus_name) });
    if let Some(description) = &description {
        answer["Description"] = json!(description);
    }
    region.buses.insert(bus_name.to_string(), Bus { description, ..Bus::new(now) });
    Ok(answer)
}

/// A bus that is not there is no error.
pub fn delete(model: &mut Model, call: &Call, members: &Members) -> Result<Value, ApiError> {
    let bus_name = name(members, "Name", NAME_CHARS_MAX)?;
    members.finish()?;
    model.permit(call, &[want(call, bus_name)])?;
    if bus_name == DEFAULT_BUS {
        return Err(invalid("Cannot delete event bus default."));
    }
    if model.bus(&call.scope, bus_name).is_some_and(|bus| !bus.rules.is_empty()) {
        return Err(invalid("Event bus can't be deleted since it has rules."));
    }
    model.event_region(&call.scope).buses.remove(bus_name);
    Ok(Value::Null)
}

pub fn describe(model: &mut Model, call: &Call, members: &Members) -> Result<Value, ApiError> {
    let bus_name = own_bus(call, members, "Name")?;
    members.finish()?;
    model.permit(call, &[want(call, bus_name)])?;
    let bus = model.bus(&call.scope, bus_name).ok_or_else(|| no_such_bus(bus_name))?;
    Ok(render(&call.scope, bus_name, bus))
}

fn render(scope: &Scope, name: &str, bus: &Bus) -> Value {
    let mut shown = json!({
        "Name": name,
        "Arn": bus_arn(scope, name),
        "CreationTime": bus.created.secs(),
        "LastModifiedTime": bus.modified.secs(),
    });
    if let Some(description) = &bus.description {
        shown["Description"] = json!(description);
    }
    if let Some((policy, _)) = &bus.policy {
        shown["Policy"] = json!(policy.to_string());
    }
    shown
}

pub fn list(model: &mut Model, call: &Call, members: &Members) -> Result<Value, ApiError> {
    let prefix = members.text("NamePrefix")?.unwrap_or_default();
    let page = page(members)?;
    members.finish()?;
    model.permit(call, &[Want::anywhere("events:ListEventBuses")])?;
    let buses = model.event_region(&call.scope).buses.iter();
    let rest = buses
        .filter(|(name, _)| name.starts_with(prefix))
        .filter(|(name, _)| page.after.as_ref().is_none_or(|after| *name > after));
    let (buses, next) = page.take(rest, |(name, _)| name);
    let shown = buses.into_iter().map(|(name, bus)| render(&call.scope, name, bus));
    let mut answer = json!({ "EventBuses": shown.collect::<Vec<_>>() });
    if let Some(next) = next {
        answer["NextToken"] = json!(next);
    }
    Ok(answer)
}

/// Adds one statement, or replaces the whole policy.
pub fn put_permission(
    model: &mut Model,
    call: &Call,
    members: &Members,
) -> Result<Value, ApiError> {
    let bus_name = own_bus(call, members, "EventBusName")?;
    let policy = members.text("Policy")?;
    let single = ["Action", "Principal", "StatementId"];
    let given = [members.text(single[0])?, members.text(single[1])?, members.text(single[2])?];
    let condition = read_condition(members)?;
    members.finish()?;
    let change = match (policy, given) {
        (Some(text), [None, None, None]) if condition.is_none() => {
            let policy = serde_json::from_str(text);
            Change::Whole(policy.map_err(|error| invalid(format!("Policy is not JSON: {error}")))?)
        }
        (None, [Some(action), Some(principal), Some(id)]) => {
            check_name(members, "StatementId", id, 64)?;
            let resource = bus_arn(&call.scope, bus_name);
            Change::Statement(statement(members, action, principal, id, &resource, condition)?)
        }
        _ => {
            let text = "Either Policy, or Action, Principal and StatementId must be given.";
            return Err(invalid(text));
        }
    };
    model.permit(call, &[want(call, bus_name)])?;
    let now = model.now;
    let bus = model.bus(&call.scope, bus_name).ok_or_else(|| no_such_bus(bus_name))?;
    let policy = match change {
        Change::Whole(policy) => policy,
        Change::Statement(statement) => {
            let mut statements = statements(bus);
            statements.retain(|old| old["Sid"] != statement["Sid"]);
            statements.push(statement);
            document(&statements)
        }
    };
    if policy.to_string().chars().count() > POLICY_CHARS_MAX {
        let text = "The policy size exceeds the maximum size.";
        return Err(ApiError::bad("PolicyLengthExceededException", text));
    }
    bus.policy = Some(read_policy(policy)?);
    bus.modified = now;
    Ok(Value::Null)
}

enum Change {
    Whole(Value),
    Statement(Value),
}

/// The one condition that the short form knows: membership of an organization.
fn read_condition(members: &Members) -> Result<Option<Value>, ApiError> {
    let Some(condition) = members.group("Condition")? else { return Ok(None) };
    let (kind, key) = (condition.required("Type")?, condition.required("Key")?);
    let value = condition.required("Value")?;
    if (kind, key) != ("StringEquals", "aws:PrincipalOrgID") {
        return Err(invalid("Condition takes StringEquals of aws:PrincipalOrgID only."));
    }
    Ok(Some(json!({ kind: { key: value } })))
}

fn statement(
    members: &Members,
    action: &str,
    principal: &str,
    id: &str,
    resource: &str,
    condition: Option<Value>,
) -> Result<Value, ApiError> {
    if action != "events:PutEvents" {
        return Err(invalid(format!(
            "Provided value in parameter 'action' is not supported: {action}"
        )));
    }
    let is_account = principal.len() == 12 && principal.bytes().all(|byte| byte.is_ascii_digit());
    let who = match principal {
        "*" => json!("*"),
        account if is_account => json!({ "AWS": format!("arn:aws:iam::{account}:root") }),
        other => {
            let constraint = r"Member must satisfy regular expression pattern: (\d{12}|\*)";
            return Err(members.unfit("Principal", other, constraint));
        }
    };
    let mut statement = json!({
        "Sid": id, "Effect": "Allow", "Principal": who, "Action": action, "Resource": resource,
    });
    if let Some(condition) = condition {
        statement["Condition"] = condition;
    }
    Ok(statement)
}

fn read_policy(policy: Value) -> Result<(Value, PolicyDocument), ApiError> {
    match PolicyDocument::parse_resource(&policy) {
        Ok(document) => Ok((policy, document)),
        Err(error) => Err(invalid(format!("The policy is not valid: {error}"))),
    }
}

fn statements(bus: &Bus) -> Vec<Value> {
    match bus.policy.as_ref().map(|(policy, _)| &policy["Statement"]) {
        Some(Value::Array(statements)) => statements.clone(),
        Some(statement @ Value::Object(_)) => vec![statement.clone()],
        _ => Vec::new(),
    }
}

fn document(statements: &[Value]) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements })
}

pub fn remove_permission(
    model: &mut Model,
    call: &Call,
    members: &Members,
) -> Result<Value, ApiError> {
    let bus_name = own_bus(call, members, "EventBusName")?;
    let id = members.text("StatementId")?;
    let all = members.flag("RemoveAllPermissions")?.unwrap_or(false);
    members.finish()?;
    model.permit(call, &[want(call, bus_name)])?;
    let now = model.now;
    let bus = model.bus(&call.scope, bus_name).ok_or_else(|| no_such_bus(bus_name))?;
    let mut left = statements(bus);
    if all {
        left.clear();
    } else {
        let Some(id) = id else {
            return Err(invalid("Parameter StatementId is required."));
        };
        let before = left.len();
        left.retain(|statement| statement["Sid"] != id);
        if left.len() == before {
            let text = "Statement with the provided id does not exist.";
            return Err(ApiError::bad("ResourceNotFoundException", text));
        }
    }
    bus.policy = match left.as_slice() {
        [] => None,
        left => Some(read_policy(document(left))?),
    };
    bus.modified = now;
    Ok(Value::Null)
}
