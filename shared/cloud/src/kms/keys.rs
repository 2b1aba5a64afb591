//! Keys: made, described, switched off and on, and deleted after a waiting period.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::state::{Key, State};
use super::{Found, document, find, find_key, key, material_id, page, policy, region, require};
use crate::kernel::access::{Call, Tags, Want};
use crate::kernel::error::ApiError;
use crate::kernel::ids;
use crate::kernel::json::Members;
use crate::model::Model;

const SPEC: &str = "SYMMETRIC_DEFAULT";
const USAGE: &str = "ENCRYPT_DECRYPT";
const DESCRIPTION_MAX: usize = 8192;
const TAGS_MAX: usize = 50;

pub fn create(model: &mut Model, call: &Call, members: &Members<'_>) -> Result<Value, ApiError> {
    for (name, only) in [("KeyUsage", USAGE), ("KeySpec", SPEC), ("CustomerMasterKeySpec", SPEC)] {
        if let Some(given) = members.text(name)?.filter(|given| *given != only) {
            return Err(unsupported(format!("{name} {given} is not modelled here, only {only}")));
        }
    }
    let external = match members.text("Origin")?.unwrap_or("AWS_KMS") {
        "AWS_KMS" => false,
        "EXTERNAL" => true,
        other => return Err(unsupported(format!("The origin {other} is not modelled here"))),
    };
    if members.flag("MultiRegion")? == Some(true) {
        return Err(unsupported("Keys of several regions are not modelled here".into()));
    }
    let description = members.text("Description")?.unwrap_or_default();
    if description.chars().count() > DESCRIPTION_MAX {
        let bound = format!("Member must have length less than or equal to {DESCRIPTION_MAX}");
        return Err(members.unfit("Description", description, &bound));
    }
    let text = match members.text("Policy")? {
        Some(text) => text.to_string(),
        None => document::default_text(&call.scope),
    };
    let document = document::parse(&text)?;
    let unchecked = members.flag("BypassPolicyLockoutSafetyCheck")?.unwrap_or(false);
    let tags = read_tags(members)?;
    members.finish()?;
    let mut wants = vec![Want::anywhere("kms:CreateKey").request_tags(&tags)];
    if !tags.is_empty() {
        wants.push(Want::anywhere("kms:TagResource").request_tags(&tags));
    }
    model.permit(call, &wants)?;
    let made = Key {
        state: if external { State::PendingImport } else { State::Enabled },
        created_at: model.now,
        description: description.to_string(),
        service: None,
        external,
        policy: text,
        document,
        tags,
        grants: BTreeMap::new(),
        material_id: material_id(&mut model.rng),
    };
    let found = Found { scope: call.scope.clone(), id: ids::uuid(&mut model.rng) };
    if !unchecked {
        policy::check_lockout(model, call, &found, &made.document)?;
    }
    let answer = json!({ "KeyMetadata": metadata(&found, &made) });
    region(model, &found.scope).keys.insert(found.id, made);
    Ok(answer)
}

fn unsupported(text: String) -> ApiError {
    ApiError::bad("UnsupportedOperationException", text)
}

fn read_tags(members: &Members<'_>) -> Result<Tags, ApiError> {
    let mut tags = Tags::new();
    for tag in members.groups("Tags")? {
        let (name, value) = (tag.required("TagKey")?, tag.required("TagValue")?);
        if name.is_empty() || name.starts_with("aws:") {
            let text = format!("The tag key '{name}' is not valid");
            return Err(ApiError::bad("TagException", text));
        }
        if tags.insert(name.to_string(), value.to_string()).is_some() {
            return Err(ApiError::bad("TagException", "Duplicate tag keys"));
        }
    }
    match tags.len() > TAGS_MAX {
        true => Err(ApiError::bad("TagException", "Too many tags")),
        false => Ok(tags),
    }
}

fn metadata(found: &Found, key: &Key) -> Value {
    let mut shown = json!({
        "AWSAccountId": &*found.scope.account,
        "KeyId": found.id,
        "Arn": found.arn(),
        "CreationDate": key.created_at.epoch_secs(),
        "Enabled": key.state == State::Enabled,
        "Description": key.description,
        "KeyUsage": USAGE,
        "KeyState": key.state.name(),
        "Origin": if key.external { "EXTERNAL" } else { "AWS_KMS" },
        "KeyManager": if key.service.is_some() { "AWS" } else { "CUSTOMER" },
        "CustomerMasterKeySpec": SPEC,
        "KeySpec": SPEC,
        "EncryptionAlgorithms": [SPEC],
        "MultiRegion": false,
    });
    if let State::PendingDeletion(at) = key.state {
        shown["DeletionDate"] = json!(at.epoch_secs());
    }
    if !key.external {
        shown["CurrentKeyMaterialId"] = json!(key.material_id);
    }
    shown
}

impl State {
    pub const fn name(self) -> &'static str {
        match self {
            State::Enabled => "Enabled",
            State::Disabled => "Disabled",
            State::PendingDeletion(_) => "PendingDeletion",
            State::PendingImport => "PendingImport",
        }
    }
}

pub fn describe(model: &mut Model, call: &Call, members: &Members<'_>) -> Result<Value, ApiError> {
    let name = members.required("KeyId")?;
    members.texts("GrantTokens")?;
    members.finish()?;
    let found = find(model, &call.scope, name)?;
    policy::authorise(model, call, &found, |want| want)?;
    let key = key(model, &found)?;
    Ok(json!({ "KeyMetadata": metadata(&found, key) }))
}

pub fn list(model: &mut Model, call: &Call, members: &Members<'_>) -> Result<Value, ApiError> {
    model.permit(call, &[Want::anywhere("kms:ListKeys")])?;
    let scope = &call.scope;
    let keys = region(model, scope).keys.keys();
    let shown =
        keys.map(|id| (id.clone(), json!({ "KeyId": id, "KeyArn": super::key_arn(scope, id) })));
    let page = page(members, 1000, 100, shown)?;
    members.finish()?;
    Ok(page.answer("Keys"))
}

/// Reads the key of an operation that has no other parameters, and authorises it.
fn only_key(model: &mut Model, call: &Call, members: &Members<'_>) -> Result<Found, ApiError> {
    let name = members.required("KeyId")?;
    members.finish()?;
    let found = find_key(model, &call.scope, name)?;
    policy::authorise(model, call, &found, |want| want)?;
    Ok(found)
}

fn is_ready(state: State) -> bool {
    matches!(state, State::Enabled | State::Disabled)
}

pub fn enable(model: &mut Model, call: &Call, members: &Members<'_>) -> Result<Value, ApiError> {
    let found = only_key(model, call, members)?;
    let key = key(model, &found)?;
    require(&found, key, is_ready)?;
    key.state = State::Enabled;
    Ok(Value::Null)
}

pub fn disable(model: &mut Model, call: &Call, members: &Members<'_>) -> Result<Value, ApiError> {
    let found = only_key(model, call, members)?;
    let key = key(model, &found)?;
    require(&found, key, is_ready)?;
    key.state = State::Disabled;
    Ok(Value::Null)
}

pub fn schedule_deletion(
    model: &mut Model,
    call: &Call,
    members: &Members<'_>,
) -> Result<Value, ApiError> {
    let name = members.required("KeyId")?;
    let days = match members.integer("PendingWindowInDays")?.unwrap_or(30) {
        days @ 7..=30 => u64::try_from(days).unwrap_or(30),
        days => {
            let bound = "Member must have value between 7 and 30";
            return Err(members.unfit("PendingWindowInDays", &days.to_string(), bound));
        }
    };
    members.finish()?;
    let found = find_key(model, &call.scope, name)?;
    policy::authorise(model, call, &found, |want| {
        want.key("kms:ScheduleKeyDeletionPendingWindowInDays", days.to_string())
    })?;
    let waits = Duration::from_secs(days * 86_400);
    let at = model.now + waits;
    let key = key(model, &found)?;
    require(&found, key, |state| !matches!(state, State::PendingDeletion(_)))?;
    key.state = State::PendingDeletion(at);
    let gone = found.clone();
    model.after(waits, "kms: key is deleted", move |model| delete(model, &gone));
    Ok(json!({
        "KeyId": found.arn(),
        "DeletionDate": at.epoch_secs(),
        "KeyState": "PendingDeletion",
        "PendingWindowInDays": days,
    }))
}

/// Deletes a key whose waiting period is over, unless the deletion was cancelled.
fn delete(model: &mut Model, found: &Found) {
    let now = model.now;
    let region = region(model, &found.scope);
    let key = region.keys.get(&found.id);
    if key.is_some_and(|key| matches!(key.state, State::PendingDeletion(at) if at <= now)) {
        region.keys.remove(&found.id);
        region.aliases.retain(|_, alias| alias.key_id != found.id);
    }
}

pub fn cancel_deletion(
    model: &mut Model,
    call: &Call,
    members: &Members<'_>,
) -> Result<Value, ApiError> {
    let found = only_key(model, call, members)?;
    let key = key(model, &found)?;
    if !matches!(key.state, State::PendingDeletion(_)) {
        let text = format!("{} is not pending deletion.", found.arn());
        return Err(super::invalid_state(text));
    }
    key.state = if key.external { State::PendingImport } else { State::Disabled };
    Ok(json!({ "KeyId": found.arn() }))
}

/// The only name that a policy of a key can have.
fn check_policy_name(members: &Members<'_>) -> Result<(), ApiError> {
    match members.text("PolicyName")?.unwrap_or("default") {
        "default" => Ok(()),
        other => Err(super::not_found(format!("No such policy exists: {other}"))),
    }
}

pub fn get_policy(
    model: &mut Model,
    call: &Call,
    members: &Members<'_>,
) -> Result<Value, ApiError> {
    check_policy_name(members)?;
    let found = only_key(model, call, members)?;
    let key = key(model, &found)?;
    Ok(json!({ "Policy": key.policy, "PolicyName": "default" }))
}

pub fn put_policy(
    model: &mut Model,
    call: &Call,
    members: &Members<'_>,
) -> Result<Value, ApiError> {
    check_policy_name(members)?;
    let text = members.required("Policy")?;
    let document = document::parse(text)?;
    let unchecked = members.flag("BypassPolicyLockoutSafetyCheck")?.unwrap_or(false);
    let found = only_key(model, call, members)?;
    if !unchecked {
        policy::check_lockout(model, call, &found, &document)?;
    }
    let key = key(model, &found)?;
    key.policy = text.to_string();
    key.document = document;
    Ok(Value::Null)
}
