//! Aliases: names for keys that can be moved from one key to another.

use serde_json::{Value, json};

use super::state::{Alias, State};
use super::{Found, alias_arn, find_key, key, no_alias, page, policy, region};
use crate::kernel::access::{Call, Want};
use crate::kernel::error::ApiError;
use crate::kernel::json::Members;
use crate::model::Model;

const NAME_MAX: usize = 256;

/// The name of an alias that a caller may make, move or delete.
fn own_name<'a>(members: &Members<'a>) -> Result<&'a str, ApiError> {
    let name = members.required("AliasName")?;
    let Some(rest) = name.strip_prefix("alias/").filter(|rest| !rest.is_empty()) else {
        let text = "Alias must start with the prefix \"alias/\".";
        return Err(ApiError::bad("InvalidAliasNameException", text));
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-');
    if name.len() > NAME_MAX || !rest.chars().all(fits) {
        let bound = "Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$";
        return Err(members.unfit("AliasName", name, bound));
    }
    if rest.starts_with("aws/") {
        let text = format!("The alias {name} is reserved for AWS");
        return Err(ApiError::bad("NotAuthorizedException", text));
    }
    Ok(name)
}

/// Authorises what is done to an alias, and to the key it names.
fn authorise(model: &mut Model, call: &Call, name: &str, keys: &[&Found]) -> Result<(), ApiError> {
    let action = format!("kms:{}", call.action);
    model.permit(call, &[Want::new(&action, alias_arn(&call.scope, name))])?;
    for found in keys {
        policy::authorise(model, call, found, |want| want)?;
    }
    Ok(())
}

fn target(model: &mut Model, call: &Call, name: &str) -> Result<Found, ApiError> {
    let found = find_key(model, &call.scope, name)?;
    if found.scope != call.scope {
        return Err(ApiError::bad("ValidationException", "Aliases must be of keys of the account"));
    }
    Ok(found)
}

/// A key that is about to go can be given no name.
fn check_state(model: &mut Model, found: &Found) -> Result<(), ApiError> {
    let key = key(model, found)?;
    super::require(found, key, |state| !matches!(state, State::PendingDeletion(_)))
}

pub fn create(model: &mut Model, call: &Call, members: &Members<'_>) -> Result<Value, ApiError> {
    let name = own_name(members)?;
    let key_name = members.required("TargetKeyId")?;
    members.finish()?;
    let found = target(model, call, key_name)?;
    authorise(model, call, name, &[&found])?;
    check_state(model, &found)?;
    let now = model.now;
    let region = region(model, &call.scope);
    if region.aliases.contains_key(name) {
        let arn = alias_arn(&call.scope, name);
        let text = format!("An alias with the name {arn} already exists");
        return Err(ApiError::bad("AlreadyExistsException", text));
    }
    let alias = Alias { key_id: found.id, created_at: now, updated_at: now };
    region.aliases.insert(name.to_string(), alias);
    Ok(Value::Null)
}

/// The key that an alias of the caller's names now.
fn current(model: &mut Model, call: &Call, name: &str) -> Result<Found, ApiError> {
    match region(model, &call.scope).aliases.get(name) {
        Some(alias) => Ok(Found { scope: call.scope.clone(), id: alias.key_id.clone() }),
        None => Err(no_alias(&call.scope, name)),
    }
}

pub fn update(model: &mut Model, call: &Call, members: &Members<'_>) -> Result<Value, ApiError> {
    let name = own_name(members)?;
    let key_name = members.required("TargetKeyId")?;
    members.finish()?;
    let before = current(model, call, name)?;
    let found = target(model, call, key_name)?;
    authorise(model, call, name, &[&before, &found])?;
    check_state(model, &found)?;
    let now = model.now;
    if let Some(alias) = region(model, &call.scope).aliases.get_mut(name) {
        alias.key_id = found.id;
        alias.updated_at = now;
    }
    Ok(Value::Null)
}

pub fn delete(model: &mut Model, call: &Call, members: &Members<'_>) -> Result<Value, ApiError> {
    let name = own_name(members)?;
    members.finish()?;
    let before = current(model, call, name)?;
    authorise(model, call, name, &[&before])?;
    region(model, &call.scope).aliases.remove(name);
    Ok(Value::Null)
}

pub fn list(model: &mut Model, call: &Call, members: &Members<'_>) -> Result<Value, ApiError> {
    let of_key = members.text("KeyId")?;
    model.permit(call, &[Want::anywhere("kms:ListAliases")])?;
    let only = match of_key {
        None => None,
        Some(name) => Some(find_key(model, &call.scope, name)?.id),
    };
    let region = region(model, &call.scope);
    let wanted = region
        .aliases
        .iter()
        .filter(|(_, alias)| only.as_ref().is_none_or(|id| *id == alias.key_id));
    let shown = wanted.map(|(name, alias)| {
        let entry = json!({
            "AliasName": name,
            "AliasArn": alias_arn(&call.scope, name),
            "TargetKeyId": alias.key_id,
            "CreationDate": alias.created_at.epoch_secs(),
            "LastUpdatedDate": alias.updated_at.epoch_secs(),
        });
        (name.clone(), entry)
    });
    let page = page(members, 100, 50, shown)?;
    members.finish()?;
    Ok(page.answer("Aliases"))
}
