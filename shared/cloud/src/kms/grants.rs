//! Grants: leave to use a key, given to one principal. They are recorded and listed; the callers of
//! this world use keys only through EBS, whose leave is worked out from policies.

use serde_json::{Map, Value, json};

use super::state::{Grant, State};
use super::{Found, find_key, key, page, policy, require};
use crate::kernel::access::Call;
use crate::kernel::error::ApiError;
use crate::kernel::json::Members;
use crate::model::Model;

/// The operations that a grant for a symmetric key can give.
const OPERATIONS: [&str; 9] = [
    "Decrypt",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
    "CreateGrant",
    "RetireGrant",
    "DescribeKey",
];

/// A grant id: 64 hex digits.
pub fn fresh_id(rng: &mut fastrand::Rng) -> String {
    format!("{:032x}{:032x}", rng.u128(..), rng.u128(..))
}

pub fn create(model: &mut Model, call: &Call, members: &Members<'_>) -> Result<Value, ApiError> {
    let name = members.required("KeyId")?;
    let text = |name: &str| members.text(name).map(|text| text.map(str::to_string));
    let grant = Grant {
        created_at: model.now,
        name: text("Name")?,
        grantee: members.required("GranteePrincipal")?.to_string(),
        retiring: text("RetiringPrincipal")?,
        issuing_account: format!("arn:aws:iam::{}:root", call.caller.account),
        operations: members.texts("Operations")?.into_iter().map(str::to_string).collect(),
        constraints: members.any("Constraints").cloned(),
    };
    members.texts("GrantTokens")?;
    members.finish()?;
    if grant.operations.is_empty() {
        return Err(members.missing("Operations"));
    }
    let known = |one: &String| OPERATIONS.contains(&one.as_str());
    if let Some(unknown) = grant.operations.iter().find(|one| !known(one)) {
        let bound = format!("Member must satisfy enum value set: [{}]", OPERATIONS.join(", "));
        return Err(members.unfit("Operations", unknown, &bound));
    }
    let found = find_key(model, &call.scope, name)?;
    policy::authorise(model, call, &found, |want| {
        let want = want.key("kms:GrantIsForAWSResource", "false");
        let operations = grant.operations.iter();
        operations.fold(want, |want, one| want.key("kms:GrantOperations", one.as_str()))
    })?;
    require(&found, key(model, &found)?, |state| state == State::Enabled)?;
    let id = add(model, &found, grant)?;
    // A token is spent at once: there is no time in which a grant is not yet known everywhere.
    let token = format!("AQpA{id}");
    Ok(json!({ "GrantId": id, "GrantToken": token }))
}

/// Records a grant. One that has a name and is the same in all else exists only once.
pub fn add(model: &mut Model, found: &Found, grant: Grant) -> Result<String, ApiError> {
    let fresh = fresh_id(&mut model.rng);
    let key = key(model, found)?;
    let same = key.grants.iter().find(|(_, other)| {
        let stamped = Grant { created_at: other.created_at, ..grant.clone() };
        grant.name.is_some() && stamped.is_same(other)
    });
    if let Some((id, _)) = same {
        return Ok(id.clone());
    }
    key.grants.insert(fresh.clone(), grant);
    Ok(fresh)
}

impl Grant {
    fn is_same(&self, other: &Grant) -> bool {
        self.name == other.name
            && self.grantee == other.grantee
            && self.retiring == other.retiring
            && self.issuing_account == other.issuing_account
            && self.operations == other.operations
            && self.constraints == other.constraints
    }

    fn to_json(&self, found: &Found, id: &str) -> Value {
        let mut shown = Map::new();
        shown.insert("KeyId".into(), json!(found.arn()));
        shown.insert("GrantId".into(), json!(id));
        shown.insert("Name".into(), json!(self.name.as_deref().unwrap_or_default()));
        shown.insert("CreationDate".into(), json!(self.created_at.epoch_secs()));
        shown.insert("GranteePrincipal".into(), json!(self.grantee));
        if let Some(retiring) = &self.retiring {
            shown.insert("RetiringPrincipal".into(), json!(retiring));
        }
        shown.insert("IssuingAccount".into(), json!(self.issuing_account));
        shown.insert("Operations".into(), json!(self.operations));
        if let Some(constraints) = &self.constraints {
            shown.insert("Constraints".into(), constraints.clone());
        }
        Value::Object(shown)
    }
}

pub fn list(model: &mut Model, call: &Call, members: &Members<'_>) -> Result<Value, ApiError> {
    let name = members.required("KeyId")?;
    let only_id = members.text("GrantId")?;
    let only_grantee = members.text("GranteePrincipal")?;
    let found = find_key(model, &call.scope, name)?;
    policy::authorise(model, call, &found, |want| want)?;
    let key = key(model, &found)?;
    let wanted = key.grants.iter().filter(|(id, grant)| {
        only_id.is_none_or(|only| only == id.as_str())
            && only_grantee.is_none_or(|only| only == grant.grantee)
    });
    let shown = wanted.map(|(id, grant)| (id.clone(), grant.to_json(&found, id)));
    let page = page(members, 100, 50, shown)?;
    members.finish()?;
    Ok(page.answer("Grants"))
}

pub fn revoke(model: &mut Model, call: &Call, members: &Members<'_>) -> Result<Value, ApiError> {
    let name = members.required("KeyId")?;
    let id = members.required("GrantId")?;
    members.finish()?;
    let found = find_key(model, &call.scope, name)?;
    policy::authorise(model, call, &found, |want| want)?;
    match key(model, &found)?.grants.remove(id) {
        Some(_) => Ok(Value::Null),
        None => Err(super::not_found(format!("Grant ID {id} not found"))),
    }
}
