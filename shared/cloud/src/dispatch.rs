//! What happens to every call, whichever door it came through: who calls what, faults, throttles,
//! the operation itself, the trace, and the answer in the service's own format.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::kernel::access::Call;
use crate::kernel::error::ApiError;
use crate::kernel::faults::{Blow, Struck, When};
use crate::kernel::http::{Request, Response, Signature};
use crate::kernel::query::Fields;
use crate::kernel::scope::Scope;
use crate::kernel::time::Time;
use crate::kernel::trace::{Entry, What};
use crate::kernel::xml::Xml;
use crate::kernel::{ids, json, regions};
use crate::model::{Effect, Model};
use crate::{dynamodb, ec2, eventbridge, kms, sqs, ssm, sts};

/// What a caller gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Reply(Response),
    /// Nothing, ever: the caller's own timeout has to end it.
    Silence,
    /// No connection: the region is dark.
    Unreachable,
    /// The caller itself is dead.
    Killed,
}

/// A service: its name in signatures, and how it talks.
#[derive(Clone, Copy, Debug)]
struct Service {
    name: &'static str,
    protocol: Protocol,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Ec2,
    /// The query protocol of the older services; the namespace of its answers.
    Query(&'static str),
    /// The prefix of `x-amz-target`, and the version in the content type.
    Json(&'static str, &'static str),
}

const EC2_VERSION: &str = "2016-11-15";

const SERVICES: [Service; 7] = [
    Service { name: "ec2", protocol: Protocol::Ec2 },
    Service { name: "sts", protocol: Protocol::Query("https://sts.amazonaws.com/doc/2011-06-15/") },
    Service { name: "events", protocol: Protocol::Json("AWSEvents.", "1.1") },
    Service { name: "dynamodb", protocol: Protocol::Json("DynamoDB_20120810.", "1.0") },
    Service { name: "kms", protocol: Protocol::Json("TrentService.", "1.1") },
    Service { name: "ssm", protocol: Protocol::Json("AmazonSSM.", "1.1") },
    Service { name: "sqs", protocol: Protocol::Json("AmazonSQS.", "1.0") },
];

/// The services that are modelled.
pub fn services() -> impl Iterator<Item = &'static str> {
    SERVICES.into_iter().map(|service| service.name)
}

fn service_of(signature: &Signature) -> Option<Service> {
    SERVICES.into_iter().find(|service| service.name == signature.service)
}

/// A body, decoded.
enum Input {
    Form(Fields),
    Json(Value),
}

enum Output {
    Xml(Xml),
    Json(Value),
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
        return turn_away(model, None, guess_protocol(request, ""), &error, &request_id);
    };
    let dark = model.dark_regions.contains(&signature.region);
    let Some(service) = service_of(&signature) else {
        if dark {
            note_unserved(model, Some(&signature), DARK, &request_id);
            return Answer::Unreachable;
        }
        let known = services().collect::<Vec<_>>().join(", ");
        let text = format!("The service {} is not modelled here; {known} are", signature.service);
        let error = ApiError::bad("UnknownService", text);
        let protocol = guess_protocol(request, &signature.service);
        return turn_away(model, Some(&signature), protocol, &error, &request_id);
    };
    match decode(model, service, &signature, request, &request_id) {
        Ok((call, input)) if dark => {
            let mut entry = entry(model, &call, &input, DARK);
            entry.what = What::Fault;
            model.trace.add(entry);
            Answer::Unreachable
        }
        Ok((call, input)) => carry_out(model, service, &call, &input),
        Err(_) if dark => {
            note_unserved(model, Some(&signature), DARK, &request_id);
            Answer::Unreachable
        }
        Err(error) => turn_away(model, Some(&signature), service.protocol, &error, &request_id),
    }
}

/// What the trace says of a request to a region that is dark.
const DARK: &str = "no connection: the region is dark";

/// Refuses a request before it is known as a call.
fn turn_away(
    model: &mut Model,
    signature: Option<&Signature>,
    protocol: Protocol,
    error: &ApiError,
    request_id: &str,
) -> Answer {
    note_unserved(model, signature, &error.code, request_id);
    Answer::Reply(render_error(protocol, error, request_id))
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
    let service = service_of(&signature).filter(|_| !dark);
    match (service, stale(model.now, request)) {
        (Some(service), Some(why)) => {
            let error = match service.protocol {
                Protocol::Ec2 => ApiError::bad("RequestExpired", "Request has expired."),
                Protocol::Query(_) => ApiError::new(403, "SignatureDoesNotMatch", why),
                Protocol::Json(..) => ApiError::bad("InvalidSignatureException", why),
            };
            let request_id = ids::uuid(&mut model.rng);
            turn_away(model, Some(&signature), service.protocol, &error, &request_id)
        }
        _ => answer(model, request),
    }
}

/// How far the date of a signature may be off, either way.
const SKEW_MAX: Duration = Duration::from_secs(15 * 60);

/// Why the date of a request is not near enough to now. One without a date is left alone.
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

/// Faults, throttle, the operation, the trace.
fn carry_out(model: &mut Model, service: Service, call: &Call, input: &Input) -> Answer {
    let fate = model.faults.fate(call);
    if let Some(struck) = fate.before {
        return strike(model, service, call, input, struck, When::Before);
    }
    let result = operate(model, call, input);
    model.note_faults();
    if let Some(struck) = fate.after {
        let outcome = result.as_ref().map_or_else(|error| error.code.clone(), |_| "ok".into());
        record(model, call, input, &outcome);
        return strike(model, service, call, input, struck, When::After);
    }
    let outcome = result.as_ref().map_or_else(|error| error.code.as_str(), |_| "ok");
    record(model, call, input, outcome);
    Answer::Reply(match result {
        Ok(output) => render(service.protocol, call, output),
        Err(error) => render_error(service.protocol, &error, &call.request_id),
    })
}

fn strike(
    model: &mut Model,
    service: Service,
    call: &Call,
    input: &Input,
    struck: Struck,
    when: When,
) -> Answer {
    let when = when.name();
    let (outcome, answer) = match struck.blow {
        Blow::Fail { status, code, message } => {
            let error = ApiError::new(status, &code, message);
            let reply = render_error(service.protocol, &error, &call.request_id);
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

fn operate(model: &mut Model, call: &Call, input: &Input) -> Result<Output, ApiError> {
    match (call.service, input) {
        ("ec2", Input::Form(fields)) => ec2::answer(model, call, fields).map(Output::Xml),
        ("sts", Input::Form(fields)) => sts::answer(model, call, fields).map(Output::Xml),
        ("events", Input::Json(body)) => eventbridge::answer(model, call, body).map(Output::Json),
        ("dynamodb", Input::Json(body)) => dynamodb::answer(model, call, body).map(Output::Json),
        ("kms", Input::Json(body)) => kms::answer(model, call, body).map(Output::Json),
        ("ssm", Input::Json(body)) => ssm::answer(model, call, body).map(Output::Json),
        ("sqs", Input::Json(body)) => sqs::answer(model, call, body).map(Output::Json),
        _ => Err(call.unknown_operation()),
    }
}

fn decode(
    model: &Model,
    service: Service,
    signature: &Signature,
    request: &Request,
    request_id: &str,
) -> Result<(Call, Input), ApiError> {
    if !regions::is_known(&signature.region) {
        let text = "AWS was not able to validate the provided access credentials";
        return Err(ApiError::new(401, "AuthFailure", text));
    }
    if model.principals.is_retired(&signature.access_key) {
        return Err(retired_key(service.protocol));
    }
    let (action, input, dry_run) = match service.protocol {
        Protocol::Ec2 | Protocol::Query(_) => decode_form(service, request)?,
        Protocol::Json(prefix, _) => {
            let (action, body) = decode_json(prefix, request)?;
            (action, Input::Json(body), false)
        }
    };
    let caller = model.principals.identity(&signature.access_key);
    let call = Call {
        scope: Scope::new(&caller.account, &signature.region),
        service: service.name,
        action,
        caller,
        request_id: request_id.to_string(),
        dry_run,
    };
    Ok((call, input))
}

fn retired_key(protocol: Protocol) -> ApiError {
    let text = "The security token included in the request is invalid.";
    match protocol {
        Protocol::Ec2 => {
            let text = "AWS was not able to validate the provided access credentials";
            ApiError::new(401, "AuthFailure", text)
        }
        Protocol::Query(_) => ApiError::new(403, "InvalidClientTokenId", text),
        Protocol::Json(..) => ApiError::bad("UnrecognizedClientException", text),
    }
}

fn decode_form(service: Service, request: &Request) -> Result<(String, Input, bool), ApiError> {
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
    if service.protocol == Protocol::Ec2 && version != EC2_VERSION {
        let text = match version {
            "" => format!("The parameter Version is missing: only {EC2_VERSION} is modelled here"),
            _ => format!("The version {version} is not modelled here, only {EC2_VERSION}"),
        };
        return Err(ApiError::bad("NoSuchVersion", text));
    }
    let dry_run = match service.protocol {
        Protocol::Ec2 => fields.flag("DryRun")?.unwrap_or(false),
        Protocol::Query(_) | Protocol::Json(..) => false,
    };
    Ok((action, Input::Form(fields), dry_run))
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
        service: call.service.to_string(),
        action: call.action.clone(),
        account: call.scope.account.to_string(),
        region: call.scope.region.to_string(),
        outcome: outcome.to_string(),
        id: call.request_id.clone(),
        detail: detail(input),
    }
}

/// The decoded request with its keys in order, since clients serialise maps in any.
fn detail(input: &Input) -> Value {
    match input {
        Input::Form(fields) => {
            let known = |key: &str| key == "Action" || key == "Version";
            let rest = fields.iter().filter(|(key, _)| !known(key));
            Value::Object(rest.map(|(key, value)| (key.to_string(), json!(value))).collect())
        }
        Input::Json(body) => json::sorted(body),
    }
}

fn render(protocol: Protocol, call: &Call, output: Output) -> Response {
    let id = &call.request_id;
    let response = match (protocol, output) {
        (Protocol::Ec2, Output::Xml(xml)) => {
            let action = &call.action;
            let text = format!(
                "{XML_HEAD}<{action}Response xmlns=\"http://ec2.amazonaws.com/doc/{EC2_VERSION}/\">\
                 <requestId>{id}</requestId>{}</{action}Response>",
                xml.into_text()
            );
            Response::new(200, "text/xml;charset=UTF-8", text)
        }
        (Protocol::Query(namespace), Output::Xml(xml)) => {
            let action = &call.action;
            let text = format!(
                "{XML_HEAD}<{action}Response xmlns=\"{namespace}\">\
                 <{action}Result>{}</{action}Result>\
                 <ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata>\
                 </{action}Response>",
                xml.into_text()
            );
            Response::new(200, "text/xml", text)
        }
        (Protocol::Json(_, version), Output::Json(Value::Null)) => {
            Response::new(200, &json_type(version), "")
        }
        (Protocol::Json(_, version), Output::Json(body)) => {
            Response::new(200, &json_type(version), body.to_string())
        }
        (Protocol::Ec2 | Protocol::Query(_), Output::Json(_))
        | (Protocol::Json(..), Output::Xml(_)) => {
            let error = ApiError::new(500, "InternalFailure", "Answered in the wrong protocol");
            render_error(protocol, &error, id)
        }
    };
    response.with_header("x-amzn-requestid", id)
}

const XML_HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

fn json_type(version: &str) -> String {
    format!("application/x-amz-json-{version}")
}

fn render_error(protocol: Protocol, error: &ApiError, request_id: &str) -> Response {
    let mut what = Xml::new();
    let response = match protocol {
        Protocol::Ec2 => {
            what.leaf("Code", &error.code).leaf("Message", &error.message);
            let text = format!(
                "{XML_HEAD}<Response><Errors><Error>{}</Error></Errors>\
                 <RequestID>{request_id}</RequestID></Response>",
                what.into_text()
            );
            Response::new(error.status, "text/xml;charset=UTF-8", text)
        }
        Protocol::Query(namespace) => {
            let kind = if error.status < 500 { "Sender" } else { "Receiver" };
            what.leaf("Type", kind).leaf("Code", &error.code).leaf("Message", &error.message);
            let text = format!(
                "{XML_HEAD}<ErrorResponse xmlns=\"{namespace}\"><Error>{}</Error>\
                 <RequestId>{request_id}</RequestId></ErrorResponse>",
                what.into_text()
            );
            Response::new(error.status, "text/xml", text)
        }
        Protocol::Json(prefix, version) => {
            let mut body = Map::new();
            let type_name = match prefix {
                "DynamoDB_20120810." => format!("com.amazonaws.dynamodb.v20120810#{}", error.code),
                "AmazonSQS." => format!("com.amazonaws.sqs#{}", error.code),
                _ => error.code.clone(),
            };
            body.insert("__type".into(), json!(type_name));
            body.insert("message".into(), json!(error.message));
            if let Some(extra) = &error.extra {
                body.extend((**extra).clone());
            }
            let response =
                Response::new(error.status, &json_type(version), Value::Object(body).to_string());
            match prefix {
                "AmazonSQS." => {
                    let code = format!("{};Sender", sqs::query_code(&error.code));
                    response.with_header("x-amzn-query-error", &code)
                }
                // The newer services are told by a header which error it is.
                "" => response.with_header("x-amzn-errortype", &error.code),
                _ => response,
            }
        }
    };
    response.with_header("x-amzn-requestid", request_id)
}

/// The format for an error of a service that is not modelled, so that its client can read it.
fn guess_protocol(request: &Request, service: &str) -> Protocol {
    let form = request.header("content-type").is_some_and(|kind| kind.contains("form-urlencoded"));
    match service {
        "" if form || request.method == "GET" => Protocol::Ec2,
        _ if form || service == "s3" => Protocol::Query(""),
        _ => Protocol::Json("", "1.1"),
    }
}
