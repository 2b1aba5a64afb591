//! The control of a served world, for people and for tests outside: clock, trace, faults, regions.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::handle::{Ended, World};
use crate::kernel::access::Identity;
use crate::kernel::http::{Request, Response};
use crate::kernel::regions;
use crate::services;

/// Path below which the control answers; no AWS service has such a path.
pub const PREFIX: &str = "/_cloud/";

/// A year at a time is plenty, and keeps a mistyped number from running for hours.
const ADVANCE_SECONDS_MAX: u64 = 366 * 24 * 3600;

/// The refusal of a control request: its status and a sentence.
struct Refused(u16, String);

impl From<Ended> for Refused {
    fn from(ended: Ended) -> Refused {
        Refused(503, ended.to_string())
    }
}

/// Answers one control request, always in JSON.
pub async fn answer(world: &World, request: &Request) -> Response {
    match route(world, request).await {
        Ok(body) => Response::new(200, "application/json", format!("{body}\n")),
        Err(Refused(status, text)) => {
            Response::new(status, "application/json", format!("{}\n", json!({ "error": text })))
        }
    }
}

async fn route(world: &World, request: &Request) -> Result<Value, Refused> {
    let path = request.path.strip_prefix(PREFIX).unwrap_or_default();
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    match (request.method.as_str(), parts.as_slice()) {
        ("GET", ["health"]) => health(world).await,
        ("GET", ["clock"]) => clock(world).await,
        ("POST", ["clock"]) => advance(world, &body(request)?).await,
        ("GET", ["trace"]) => trace(world, &request.query).await,
        ("GET", ["dead-letters"]) => {
            Ok(world.with(|model| crate::sqs::dead_letters(model)).await?)
        }
        ("PUT", ["faults"]) => faults(world, body(request)?).await,
        ("POST", ["regions", region]) => switch_region(world, region, &body(request)?).await,
        ("POST", ["accounts"]) => declare_account(world, &body(request)?).await,
        ("POST", ["roles"]) => declare_role(world, &body(request)?).await,
        (method, _) => Err(Refused(
            404,
            format!(
                "no such request: {method} {PREFIX}{path}; known: GET health, GET clock, \
                 POST clock, GET trace, GET dead-letters, PUT faults, POST regions/REGION, \
                 POST accounts and POST roles"
            ),
        )),
    }
}

fn body(request: &Request) -> Result<Map<String, Value>, Refused> {
    if request.body.is_empty() {
        return Err(Refused(400, "the body is missing: a JSON object".into()));
    }
    match serde_json::from_slice(&request.body) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(Refused(400, "the body must be a JSON object".into())),
        Err(error) => Err(Refused(400, format!("the body is not JSON: {error}"))),
    }
}

async fn health(world: &World) -> Result<Value, Refused> {
    let speed = world.speed;
    let (now, seed) = world.with(|model| (model.now, model.config.seed)).await?;
    Ok(json!({ "status": "ok", "now": now.to_seconds_text(), "speed": speed, "seed": seed }))
}

async fn clock(world: &World) -> Result<Value, Refused> {
    let now = world.with(|model| model.now).await?;
    Ok(json!({ "now": now.to_seconds_text() }))
}

async fn advance(world: &World, body: &Map<String, Value>) -> Result<Value, Refused> {
    only(body, &["advance_seconds"])?;
    let seconds = body.get("advance_seconds").and_then(Value::as_u64);
    let Some(seconds) = seconds.filter(|seconds| *seconds <= ADVANCE_SECONDS_MAX) else {
        let text =
            format!("advance_seconds must be a whole number from 0 to {ADVANCE_SECONDS_MAX}");
        return Err(Refused(400, text));
    };
    if world.act(crate::cloud::Cloud::clock_is_bound).await? {
        let text = "the clock cannot be moved: real programs run here, by the machine's clock";
        return Err(Refused(409, text.into()));
    }
    let now = world.advance(Duration::from_secs(seconds)).await?;
    Ok(json!({ "now": now.to_seconds_text() }))
}

/// The whole trace, or what came from line `?since=N` on.
async fn trace(world: &World, query: &str) -> Result<Value, Refused> {
    let since = match query.strip_prefix("since=") {
        None if query.is_empty() => 0,
        None => return Err(Refused(400, "the only parameter is since=NUMBER".into())),
        Some(text) => {
            let number: Result<usize, _> = text.parse();
            number.map_err(|_| Refused(400, format!("since={text} is not a number of a line")))?
        }
    };
    let lines = world.with(move |model| {
        let entries = model.trace.entries().iter().skip(since);
        entries.map(crate::kernel::trace::Entry::to_json).collect::<Vec<_>>()
    });
    Ok(Value::Array(lines.await?))
}

async fn faults(world: &World, body: Map<String, Value>) -> Result<Value, Refused> {
    let rules = Value::Object(body);
    let result = world.with(move |model| services::replace_faults(model, &rules)).await?;
    match result {
        Ok(count) => Ok(json!({ "rules": count })),
        Err(text) => Err(Refused(400, text)),
    }
}

async fn switch_region(
    world: &World,
    region: &str,
    body: &Map<String, Value>,
) -> Result<Value, Refused> {
    only(body, &["up"])?;
    if !regions::is_known(region) {
        return Err(Refused(404, format!("there is no region {region}")));
    }
    let Some(up) = body.get("up").and_then(Value::as_bool) else {
        return Err(Refused(400, "up must be true or false".into()));
    };
    let name = region.to_string();
    let switch = world.with(move |model| {
        if up { model.dark_regions.remove(&name) } else { model.dark_regions.insert(name) }
    });
    switch.await?;
    Ok(json!({ "region": region, "up": up }))
}

/// Declares an access key that is the administrator of an account.
async fn declare_account(world: &World, body: &Map<String, Value>) -> Result<Value, Refused> {
    only(body, &["account"])?;
    let account = body.get("account").and_then(Value::as_str).unwrap_or_default().to_string();
    if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refused(400, "account must be a text of twelve digits".into()));
    }
    let access_key = format!("AKIA{account}ROOT");
    let key = access_key.clone();
    let declared = account.clone();
    let declare = world.with(move |model| {
        model.principals.declare_key(&key, Identity::administrator(&declared));
    });
    declare.await?;
    Ok(json!({ "account": account, "access_key": access_key }))
}

/// Declares a role with its policies, since rules and functions act in roles, and IAM is not
/// served.
async fn declare_role(world: &World, body: &Map<String, Value>) -> Result<Value, Refused> {
    only(body, &["arn", "policies", "trust"])?;
    let arn = body.get("arn").and_then(Value::as_str).unwrap_or_default().to_string();
    if !arn.starts_with("arn:aws:iam::") || !arn.contains(":role/") {
        return Err(Refused(400, "arn must be the ARN of a role".into()));
    }
    let Some(policies) = body.get("policies").and_then(Value::as_array).cloned() else {
        return Err(Refused(400, "policies must be a list of policy documents".into()));
    };
    let (role, trust) = (arn.clone(), body.get("trust").cloned());
    let declare =
        world.with(move |model| model.principals.declare_role(&role, &policies, trust.as_ref()));
    match declare.await? {
        Ok(()) => Ok(json!({ "arn": arn })),
        Err(error) => Err(Refused(400, error.to_string())),
    }
}

fn only(body: &Map<String, Value>, known: &[&str]) -> Result<(), Refused> {
    match body.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => {
            let text = format!("unknown member {key}; known: {}", known.join(", "));
            Err(Refused(400, text))
        }
    }
}
