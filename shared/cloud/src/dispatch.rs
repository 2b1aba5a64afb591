//! The way of every call, whichever door it came through: who calls what, faults, throttles,
//! the operation itself, the trace, and the answer in the service's own format.

use std::time::Duration;

use serde_json::{Value, json};

use crate::kernel::access::Call;
use crate::kernel::error::ApiError;
use crate::kernel::faults::{Blow, Struck, When};
use crate::kernel::http::{Request, Response, Signature};
use crate::kernel::query::Fields;
use crate::kernel::scope::Scope;
use crate::kernel::time::Time;
use crate::kernel::trace::{Entry, What};
use crate::kernel::wire::{EC2_VERSION, FormStyle, JsonStyle, Style};
use crate::kernel::{ids, json, regions};
use crate::model::{Effect, Model};
use crate::services::{self, FormAnswer, JsonAnswer, Protocol, Row};

/// The answer to a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Reply(Response),
    /// No answer, ever: the caller's own timeout has to end it.
    Silence,
    /// No connection: the region is dark.
    Unreachable,
    /// The caller itself is dead.
    Killed,
}

/// A body, decoded, with the protocol and the function that answer it.
enum Input {
    Form(Fields, FormStyle, FormAnswer),
    Json(Value, JsonStyle, JsonAnswer),
}

impl Input {
    /// Carries out the call and writes the answer.
    fn operate(&self, model: &mut Model, call: &Call) -> Result<Response, ApiError> {
        match self {
            Input::Form(fields, style, answer) => {
                let xml = answer(model, call, fields)?;
                Ok(style.answer(&call.action, xml, &call.request_id))
            }
            Input::Json(body, style, answer) => {
                let body = answer(model, call, body)?;
                Ok(style.answer(&body, &call.request_id))
            }
        }
    }

    /// An error in the format of the service.
    fn refuse(&self, call: &Call, error: &ApiError) -> Response {
        let style = match self {
            Input::Form(_, style, _) => Style::Form(*style),
            Input::Json(_, style, _) => Style::Json(*style),
        };
        style.error(error, &call.request_id)
    }

    /// The decoded request, as the trace has it.
    fn detail(&self) -> Value {
        match self {
            Input::Form(fields, ..) => {
                let known = |key: &str| key == "Action" || key == "Version";
                let rest = fields.iter().filter(|(key, _)| !known(key));
                Value::Object(rest.map(|(key, value)| (key.to_string(), json!(value))).collect())
            }
            Input::Json(body, ..) => json::sorted(body),
        }
    }
}

/// Answers a request. The model must have been brought to the present before.
pub fn answer(model: &mut Model, request: &Request) -> Answer {
    let request_id = ids::uuid(&mut model.rng);
    let Some(signature) = Signature::of(request) else {
        let error = ApiError::new(
            403,
            "MissingAuthenticationToken",
            "Missing Authentication Token: sign the request with any credentials, as every AWS \
             client does; a browser may look at /_cloud/health",
        );
        return turn_away(model, None, Style::guess(request, ""), &error, &request_id);
    };
    let dark = model.dark_regions.contains(&signature.region);
    let Some(row) = services::find(&signature.service) else {
        if dark {
            note_unserved(model, Some(&signature), DARK, &request_id);
            return Answer::Unreachable;
        }
        let known = services::names().collect::<Vec<_>>().join(", ");
        let text =
            format!("The service {} is not modelled here; known: {known}", signature.service);
        let error = ApiError::bad("UnknownService", text);
        let style = Style::guess(request, &signature.service);
        return turn_away(model, Some(&signature), style, &error, &request_id);
    };
    match decode(model, row, &signature, request, &request_id) {
        Ok((call, input)) if dark => {
            let mut entry = entry(model, &call, &input, DARK);
            entry.what = What::Fault;
            model.trace.add(entry);
            Answer::Unreachable
        }
        Ok((call, input)) => carry_out(model, &call, &input),
        Err(_) if dark => {
            note_unserved(model, Some(&signature), DARK, &request_id);
            Answer::Unreachable
        }
        Err(error) => {
            let style = row.protocol.style();
            turn_away(model, Some(&signature), style, &error, &request_id)
        }
    }
}

/// Outcome in the trace of a request to a region that is dark.
const DARK: &str = "no connection: the region is dark";

/// Refuses a request before it is known as a call.
fn turn_away(
    model: &mut Model,
    signature: Option<&Signature>,
    style: Style,
    error: &ApiError,
    request_id: &str,
) -> Answer {
    note_unserved(model, signature, &error.code, request_id);
    Answer::Reply(style.error(error, request_id))
}

/// The line in the trace for a request that never came to be a call.
fn note_unserved(
    model: &mut Model,
    signature: Option<&Signature>,
    outcome: &str,
    request_id: &str,
) {
    let who = |signature: &Signature| model.principals.identity(&signature.access_key).arn;
    let entry = Entry {
        number: 0,
        at: model.now,
        what: What::Call,
        principal: signature.map(who).unwrap_or_default(),
        service: signature.map(|it| it.service.clone()).unwrap_or_default(),
        action: String::new(),
        account: String::new(),
        region: signature.map(|it| it.region.clone()).unwrap_or_default(),
        outcome: outcome.to_string(),
        id: request_id.to_string(),
        detail: Value::Null,
    };
    model.trace.add(entry);
}

/// Answers a request of a caller in process, whose clock is the world's, or off by the skew that it
/// was given: a date that is too far off is refused. A client of the port has another clock.
pub fn answer_in_process(model: &mut Model, request: &Request) -> Answer {
    let Some(signature) = Signature::of(request) else { return answer(model, request) };
    let dark = model.dark_regions.contains(&signature.region);
    let row = services::find(&signature.service).filter(|_| !dark);
    match (row, stale(model.now, request)) {
        (Some(row), Some(why)) => {
            let style = row.protocol.style();
            let request_id = ids::uuid(&mut model.rng);
            let error = style.stale_signature(why);
            turn_away(model, Some(&signature), style, &error, &request_id)
        }
        _ => answer(model, request),
    }
}

/// Largest difference between the date of a signature and now, either way.
const SKEW_MAX: Duration = Duration::from_secs(15 * 60);

/// Says why the date of a request is too far from now. A request without a date passes.
fn stale(now: Time, request: &Request) -> Option<String> {
    const FORM: &str = "%Y%m%dT%H%M%SZ";
    let date = request.header("x-amz-date")?;
    let signed = Time::parse_as(FORM, date)?;
    let shown = |time: Time| time.stamp().strftime(FORM).to_string();
    let minutes = SKEW_MAX.as_secs() / 60;
    if now.since(signed) > SKEW_MAX {
        let bound = shown(now - SKEW_MAX);
        let now = shown(now);
        Some(format!(
            "Signature expired: {date} is now earlier than {bound} ({now} - {minutes} min.)"
        ))
    } else if signed.since(now) > SKEW_MAX {
        let bound = shown(now + SKEW_MAX);
        let now = shown(now);
        Some(format!(
            "Signature not yet current: {date} is still later than {bound} ({now} + {minutes} min.)"
        ))
    } else {
        None
    }
}

/// Carries out a call, unless a fault strikes it, and writes it into the trace.
fn carry_out(model: &mut Model, call: &Call, input: &Input) -> Answer {
    let fate = model.faults.fate(call);
    if let Some(struck) = fate.before {
        return strike(model, call, input, struck, When::Before);
    }
    let result = input.operate(model, call);
    model.note_faults();
    if let Some(struck) = fate.after {
        let outcome = result.as_ref().map_or_else(|error| error.code.clone(), |_| "ok".into());
        record(model, call, input, &outcome);
        return strike(model, call, input, struck, When::After);
    }
    let outcome = result.as_ref().map_or_else(|error| error.code.as_str(), |_| "ok");
    record(model, call, input, outcome);
    Answer::Reply(result.unwrap_or_else(|error| input.refuse(call, &error)))
}

fn strike(model: &mut Model, call: &Call, input: &Input, struck: Struck, when: When) -> Answer {
    let when = when.name();
    let (outcome, answer) = match struck.blow {
        Blow::Fail { status, code, message } => {
            let error = ApiError::new(status, &code, message);
            let reply = input.refuse(call, &error);
            (format!("failed {when} its effect: {code}"), Answer::Reply(reply))
        }
        Blow::TimeOut => (format!("no answer, {when} its effect"), Answer::Silence),
        Blow::Kill => {
            let Some(environment) = call.caller.environment else {
                return Answer::Silence;
            };
            model.effects.push(Effect::Kill(environment));
            (format!("caller killed {when} its effect"), Answer::Killed)
        }
    };
    let mut entry = entry(model, call, input, &format!("{outcome}, by {}", struck.rule));
    entry.what = What::Fault;
    model.trace.add(entry);
    answer
}

fn decode(
    model: &Model,
    row: &Row,
    signature: &Signature,
    request: &Request,
    request_id: &str,
) -> Result<(Call, Input), ApiError> {
    if !regions::is_known(&signature.region) {
        let text = "AWS was not able to validate the provided access credentials";
        return Err(ApiError::new(401, "AuthFailure", text));
    }
    if model.principals.is_retired(&signature.access_key) {
        return Err(row.protocol.style().retired_key());
    }
    let (action, input, dry_run) = match row.protocol {
        Protocol::Form(style, answer) => {
            let (action, fields, dry_run) = decode_form(style, request)?;
            (action, Input::Form(fields, style, answer), dry_run)
        }
        Protocol::Json(style, answer) => {
            let (action, body) = decode_json(style.target, request)?;
            (action, Input::Json(body, style, answer), false)
        }
    };
    let caller = model.principals.identity(&signature.access_key);
    let call = Call {
        scope: Scope::new(&caller.account, &signature.region),
        service: row.service,
        action,
        caller,
        request_id: request_id.to_string(),
        dry_run,
    };
    Ok((call, input))
}

fn decode_form(style: FormStyle, request: &Request) -> Result<(String, Fields, bool), ApiError> {
    let body = if request.body.is_empty() { request.query.as_bytes() } else { &request.body };
    let fields = Fields::parse(body)?;
    let action = match fields.text("Action") {
        Some(action) if !action.is_empty() => action.to_string(),
        _ => {
            let text = "The request is missing an action or operation parameter";
            return Err(ApiError::bad("MissingAction", text));
        }
    };
    let version = fields.text("Version").unwrap_or_default();
    if style == FormStyle::Ec2 && version != EC2_VERSION {
        let text = match version {
            "" => format!("The parameter Version is missing: only {EC2_VERSION} is modelled here"),
            _ => format!("The version {version} is not modelled here, only {EC2_VERSION}"),
        };
        return Err(ApiError::bad("NoSuchVersion", text));
    }
    let dry_run = match style {
        FormStyle::Ec2 => fields.flag("DryRun")?.unwrap_or(false),
        FormStyle::Query(_) => false,
    };
    Ok((action, fields, dry_run))
}

fn decode_json(prefix: &str, request: &Request) -> Result<(String, Value), ApiError> {
    let target = request.header("x-amz-target").unwrap_or_default();
    let action = target.strip_prefix(prefix).filter(|action| !action.is_empty());
    let Some(action) = action else {
        let text = match target {
            "" => format!("The header x-amz-target is missing: it begins with {prefix}"),
            _ => format!("The target '{target}' is not an operation: {prefix}* are"),
        };
        return Err(ApiError::bad("UnknownOperationException", text));
    };
    let body: &[u8] = if request.body.is_empty() { b"{}" } else { &request.body };
    match serde_json::from_slice(body) {
        Ok(body @ Value::Object(_)) => Ok((action.to_string(), body)),
        Ok(_) => {
            let text = "Start of structure or map found where not expected.";
            Err(ApiError::bad("SerializationException", text))
        }
        Err(error) => {
            let text = format!("The request body is not JSON: {error}");
            Err(ApiError::bad("SerializationException", text))
        }
    }
}

fn record(model: &mut Model, call: &Call, input: &Input, outcome: &str) {
    let entry = entry(model, call, input, outcome);
    model.trace.add(entry);
}

fn entry(model: &Model, call: &Call, input: &Input, outcome: &str) -> Entry {
    Entry {
        number: 0,
        at: model.now,
        what: What::Call,
        principal: call.caller.arn.clone(),
        service: call.service.name.to_string(),
        action: call.action.clone(),
        account: call.scope.account.to_string(),
        region: call.scope.region.to_string(),
        outcome: outcome.to_string(),
        id: call.request_id.clone(),
        detail: input.detail(),
    }
}
