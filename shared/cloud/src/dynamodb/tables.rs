//! Tables: what we know about them beside dynoxide, and how they are described.

use std::collections::BTreeMap;
use std::time::Duration;

use dynoxide::{DynoxideError, NativeDatabase};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::state::{Recovery, Region, Shadow, Table};
use super::{read, ttl, wants};
use crate::kernel::access::Call;
use crate::kernel::error::ApiError;
use crate::kernel::ids;
use crate::kernel::scope::Scope;
use crate::kernel::time::Time;
use crate::kms;
use crate::model::Model;

impl Table {
    fn new(now: Time, id: String) -> Table {
        Table {
            id,
            created_at: now,
            key: Vec::new(),
            global_indexes: BTreeMap::new(),
            expiry: None,
            on_demand_since: None,
            throughput_changes: BTreeMap::new(),
            recovery: None,
        }
    }

    /// Learns from a description of the table, and makes it a description in our world.
    fn describe(&mut self, now: Time, scope: &Scope, description: &mut Value) {
        self.learn(now, description);
        // dynoxide says the billing mode twice, once under a name that the API does not have.
        if let Some(description) = description.as_object_mut() {
            description.shift_remove("TableThroughputModeSummary");
        }
        for (name, list) in [
            ("TableArn", None),
            ("IndexArn", Some("GlobalSecondaryIndexes")),
            ("IndexArn", Some("LocalSecondaryIndexes")),
        ] {
            match list {
                None => localise(scope, description, name),
                Some(list) => {
                    let indexes = description.get_mut(list).and_then(Value::as_array_mut);
                    indexes.into_iter().flatten().for_each(|one| localise(scope, one, name));
                }
            }
        }
        description["CreationDateTime"] = json!(self.created_at.epoch_secs());
        description["TableId"] = json!(self.id);
        if let Some(since) = self.on_demand_since
            && let Some(summary) = description.get_mut("BillingModeSummary")
        {
            summary["LastUpdateToPayPerRequestDateTime"] = json!(since.epoch_secs());
        }
    }

    fn learn(&mut self, now: Time, description: &mut Value) {
        let names = |list: &Value, name: &str| -> Vec<String> {
            let entries = list.as_array().into_iter().flatten();
            entries.filter_map(|entry| entry[name].as_str().map(Into::into)).collect()
        };
        self.key = names(&description["KeySchema"], "AttributeName");
        let indexes = description["GlobalSecondaryIndexes"].as_array().into_iter().flatten();
        let index = |index: &Value| {
            let key = names(&index["KeySchema"], "AttributeName").into_iter().next();
            Some((index["IndexName"].as_str()?.to_string(), key?))
        };
        self.global_indexes = indexes.filter_map(index).collect();
        let on_demand = description["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST";
        self.on_demand_since = match (on_demand, self.on_demand_since) {
            (false, _) => None,
            (true, since) => Some(since.unwrap_or(now)),
        };
        let Some(throughput) = description.get_mut("ProvisionedThroughput") else { return };
        for name in ["LastIncreaseDateTime", "LastDecreaseDateTime"] {
            if let Some(theirs) = throughput[name].as_f64() {
                let ours = self.throughput_changes.entry(theirs.to_bits()).or_insert(now);
                throughput[name] = json!(ours.epoch_secs());
            }
        }
    }
}

fn localise(scope: &Scope, holder: &mut Value, name: &str) {
    if let Some(Value::String(text)) = holder.get_mut(name) {
        *text = read::in_scope(scope, text);
    }
}

/// Answers the operations on tables; nothing if it is none of them.
pub fn answer(model: &mut Model, call: &Call, body: &Value) -> Option<Result<Value, ApiError>> {
    Some(match call.action.as_str() {
        "CreateTable" => create(model, call, body),
        "DescribeTable" => described(model, call, body, "Table", NativeDatabase::describe_table),
        "UpdateTable" => update(model, call, body),
        "DeleteTable" => delete(model, call, body),
        "UpdateTimeToLive" => update_time_to_live(model, call, body),
        "DescribeContinuousBackups" => describe_backups(model, call, body),
        "UpdateContinuousBackups" => update_backups(model, call, body),
        _ => return None,
    })
}

/// Carries out an operation whose answer has a description of a table under `member`.
fn described<Q: DeserializeOwned, A: Serialize>(
    model: &mut Model,
    call: &Call,
    body: &Value,
    member: &str,
    operation: fn(&NativeDatabase, Q) -> Result<A, DynoxideError>,
) -> Result<Value, ApiError> {
    let request = read::request(call, body)?;
    model.permit(call, &wants::of(model, call, body))?;
    let now = model.now;
    let region = model.dynamodb.region(&call.scope, model.config.lag.index_reads)?;
    let done = operation(&region.primary, request);
    let mut answer = read::answer(&done.map_err(|error| read::refusal_of(call, error))?)?;
    let table = region.tables.get_mut(body["TableName"].as_str().unwrap_or_default());
    if let (Some(table), Some(description)) = (table, answer.get_mut(member)) {
        table.describe(now, &call.scope, description);
    }
    Ok(answer)
}

fn create(model: &mut Model, call: &Call, body: &Value) -> Result<Value, ApiError> {
    check_schema(body)?;
    let body = &with_key_arn(model, call, body)?;
    let name = body["TableName"].as_str().unwrap_or_default();
    let fresh = Table::new(model.now, ids::uuid(&mut model.rng));
    let region = model.dynamodb.region(&call.scope, model.config.lag.index_reads)?;
    let is_new = !region.tables.contains_key(name);
    if is_new {
        region.tables.insert(name.to_string(), fresh);
    }
    let created = described(model, call, body, "TableDescription", NativeDatabase::create_table);
    let region = model.dynamodb.region(&call.scope, None)?;
    match &created {
        Err(_) if is_new => drop(region.tables.remove(name)),
        Err(_) => {}
        Ok(_) => mirror(region, call, body, NativeDatabase::create_table)?,
    }
    created
}

/// Does the same to the tables of the shadow, at once: only items lag.
fn mirror<Q: DeserializeOwned, A>(
    region: &Region,
    call: &Call,
    body: &Value,
    operation: fn(&NativeDatabase, Q) -> Result<A, DynoxideError>,
) -> Result<(), ApiError> {
    let Some(Shadow { database, .. }) = &region.shadow else { return Ok(()) };
    let done = operation(database, read::request(call, body)?);
    done.map(drop).map_err(|error| read::refusal_of(call, error))
}

/// Refuses parts of a table that dynoxide would accept and forget, and streams, which nobody could
/// read here.
fn check_schema(body: &Value) -> Result<(), ApiError> {
    if body["StreamSpecification"]["StreamEnabled"].as_bool() == Some(true) {
        return Err(read::not_modelled("A stream of a table"));
    }
    let known = ["IndexName", "KeySchema", "Projection", "ProvisionedThroughput"];
    let created = body["GlobalSecondaryIndexUpdates"].as_array().into_iter().flatten();
    let indexes = ["GlobalSecondaryIndexes", "LocalSecondaryIndexes"]
        .into_iter()
        .flat_map(|list| body[list].as_array().into_iter().flatten())
        .chain(created.filter_map(|update| update.get("Create")));
    for index in indexes {
        let members = index.as_object().into_iter().flat_map(Map::keys);
        if let Some(name) = members.into_iter().find(|name| !known.contains(&name.as_str())) {
            return Err(read::not_modelled(&format!("The member {name} of an index")));
        }
    }
    Ok(())
}

/// A request with the ARN of the key in it: dynoxide would make one up.
fn with_key_arn(model: &mut Model, call: &Call, body: &Value) -> Result<Value, ApiError> {
    let mut body = body.clone();
    if body["SSESpecification"]["Enabled"].as_bool() != Some(true) {
        return Ok(body);
    }
    let given = body["SSESpecification"]["KMSMasterKeyId"].as_str();
    let name = given.unwrap_or("alias/aws/dynamodb").to_string();
    let arn = kms::resolve(model, &call.scope, &name).ok_or_else(|| {
        let text = format!("KMS key access denied or not found: {name}");
        ApiError::bad("ValidationException", text)
    })?;
    body["SSESpecification"]["KMSMasterKeyId"] = json!(arn);
    Ok(body)
}

fn update(model: &mut Model, call: &Call, body: &Value) -> Result<Value, ApiError> {
    check_schema(body)?;
    let updated = described(model, call, body, "TableDescription", NativeDatabase::update_table)?;
    let region = model.dynamodb.region(&call.scope, None)?;
    mirror(region, call, body, NativeDatabase::update_table)?;
    Ok(updated)
}

fn delete(model: &mut Model, call: &Call, body: &Value) -> Result<Value, ApiError> {
    let deleted = described(model, call, body, "TableDescription", NativeDatabase::delete_table)?;
    let region = model.dynamodb.region(&call.scope, None)?;
    mirror(region, call, body, NativeDatabase::delete_table)?;
    region.tables.remove(body["TableName"].as_str().unwrap_or_default());
    Ok(deleted)
}

fn update_time_to_live(model: &mut Model, call: &Call, body: &Value) -> Result<Value, ApiError> {
    let operation = NativeDatabase::update_time_to_live;
    let answer = described(model, call, body, "", operation)?;
    let region = model.dynamodb.region(&call.scope, None)?;
    mirror(region, call, body, operation)?;
    if let Some(table) = region.tables.get_mut(body["TableName"].as_str().unwrap_or_default()) {
        let specification = &body["TimeToLiveSpecification"];
        let enabled = specification["Enabled"].as_bool() == Some(true);
        let attribute = specification["AttributeName"].as_str().map(str::to_string);
        table.expiry = attribute.filter(|_| enabled);
    }
    ttl::plan(model, &call.scope);
    Ok(answer)
}

fn known_table<'a>(
    model: &'a mut Model,
    call: &Call,
    body: &Value,
) -> Result<&'a mut Table, ApiError> {
    let name = body["TableName"].as_str().unwrap_or_default();
    let region = model.dynamodb.region(&call.scope, model.config.lag.index_reads)?;
    region
        .tables
        .get_mut(name)
        .ok_or_else(|| ApiError::bad("TableNotFoundException", format!("Table not found: {name}")))
}

fn describe_backups(model: &mut Model, call: &Call, body: &Value) -> Result<Value, ApiError> {
    read::check_members(call, body)?;
    model.permit(call, &wants::of(model, call, body))?;
    let now = model.now;
    let table = known_table(model, call, body)?;
    Ok(backups(now, table))
}

fn update_backups(model: &mut Model, call: &Call, body: &Value) -> Result<Value, ApiError> {
    read::check_members(call, body)?;
    let specification = &body["PointInTimeRecoverySpecification"];
    let Some(enabled) = specification["PointInTimeRecoveryEnabled"].as_bool() else {
        let text = "1 validation error detected: Value at \
                    'pointInTimeRecoverySpecification.pointInTimeRecoveryEnabled' failed to \
                    satisfy constraint: Member must not be null";
        return Err(ApiError::bad("ValidationException", text));
    };
    let days = match &specification["RecoveryPeriodInDays"] {
        Value::Null => 35,
        given => match given.as_u64().and_then(|days| u32::try_from(days).ok()) {
            Some(days @ 1..=35) => days,
            _ => {
                let text = "RecoveryPeriodInDays must be between 1 and 35";
                return Err(ApiError::bad("ValidationException", text));
            }
        },
    };
    model.permit(call, &wants::of(model, call, body))?;
    let now = model.now;
    let table = known_table(model, call, body)?;
    table.recovery = match (enabled, &table.recovery) {
        (false, _) => None,
        (true, None) => Some(Recovery { since: now, days }),
        (true, Some(on)) => Some(Recovery { since: on.since, days }),
    };
    Ok(backups(now, table))
}

fn backups(now: Time, table: &Table) -> Value {
    // A table can be brought back as it was up to about five minutes ago.
    const LATEST: Duration = Duration::from_secs(300);
    let recovery = match &table.recovery {
        None => json!({ "PointInTimeRecoveryStatus": "DISABLED" }),
        Some(recovery) => {
            let period = Duration::from_secs(u64::from(recovery.days) * 86_400);
            let earliest = recovery.since.max(now - period);
            let latest = earliest.max(now - LATEST);
            json!({
                "PointInTimeRecoveryStatus": "ENABLED",
                "RecoveryPeriodInDays": recovery.days,
                "EarliestRestorableDateTime": earliest.epoch_secs(),
                "LatestRestorableDateTime": latest.epoch_secs(),
            })
        }
    };
    json!({ "ContinuousBackupsDescription": {
        "ContinuousBackupsStatus": "ENABLED",
        "PointInTimeRecoveryDescription": recovery,
    } })
}
