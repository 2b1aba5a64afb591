//! The Lambda Runtime API, version 2018-06-01: how a real program takes invocations and answers
//! them. Each execution environment has its own base path on the port.

use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::cloud::Cloud;
use crate::kernel::http::{Request, Response};
use crate::kernel::scope::EnvironmentId;
use crate::lambda::{self, FunctionError, Job, NoJob, PREFIX};
use crate::runtime;

const VERSION: &str = "/2018-06-01/runtime/";

/// The environment that a path of the port is for: `/_lambda/7/2018-06-01/…` is for 7.
pub fn environment_of(path: &str) -> Option<EnvironmentId> {
    let (number, _) = path.strip_prefix(PREFIX)?.split_once('/')?;
    number.parse().ok().map(EnvironmentId)
}

/// Answers a request of an environment's program. The next invocation may be long in coming, so
/// this is a task of the world, and not to be waited for by anything else in it.
pub async fn answer(cloud: &Cloud, environment: EnvironmentId, request: Request) -> Response {
    let rest = request.path.split_once(VERSION).map_or("", |(_, rest)| rest);
    let parts: Vec<&str> = rest.split('/').collect();
    match (request.method.as_str(), parts.as_slice()) {
        ("GET", ["invocation", "next"]) => next(cloud, environment).await,
        ("POST", ["invocation", request_id, "response"]) => {
            finish(cloud, environment, request_id, Ok(()))
        }
        ("POST", ["invocation", request_id, "error"]) => {
            finish(cloud, environment, request_id, Err(error_of(&request)))
        }
        ("POST", ["init", "error"]) => init_failed(cloud, environment, error_of(&request)),
        _ => {
            let text = format!("{} {} is not in the Runtime API", request.method, request.path);
            refuse(404, "InvalidPath", &text)
        }
    }
}

/// Answers as a task of the world. Whoever breaks off gets no invocation any more.
pub fn answer_to(
    cloud: &Cloud,
    environment: EnvironmentId,
    request: Request,
    mut reply: oneshot::Sender<Response>,
) {
    let world = cloud.clone();
    cloud.spawn(async move {
        let response = tokio::select! {
            biased;
            () = reply.closed() => return,
            response = answer(&world, environment, request) => response,
        };
        reply.send(response).ok();
    });
}

async fn next(cloud: &Cloud, environment: EnvironmentId) -> Response {
    match runtime::next(cloud, environment).await {
        Ok(job) => hand_over(&job),
        Err(NoJob::Gone) => gone(),
        Err(NoJob::Busy) => {
            let text = "the current invocation has not been answered";
            refuse(403, "InvalidStateTransition", text)
        }
    }
}

fn hand_over(job: &Job) -> Response {
    let context = &job.context;
    let id = &context.request_id;
    let digits: String = id.chars().filter(char::is_ascii_hexdigit).take(24).collect();
    let root = format!("Root=1-{:08x}-{digits};Sampled=0", context.now.secs());
    Response::new(200, "application/json", job.event.to_string())
        .with_header("Lambda-Runtime-Aws-Request-Id", id)
        .with_header("Lambda-Runtime-Deadline-Ms", &context.deadline.millis().to_string())
        .with_header("Lambda-Runtime-Invoked-Function-Arn", &job.function_arn)
        .with_header("Lambda-Runtime-Trace-Id", &root)
}

fn finish(
    cloud: &Cloud,
    environment: EnvironmentId,
    request_id: &str,
    result: Result<(), FunctionError>,
) -> Response {
    if cloud.with(|model| lambda::finished(model, environment, request_id, result)) {
        return accepted();
    }
    refuse(400, "InvalidRequestID", "Invalid request ID")
}

fn init_failed(cloud: &Cloud, environment: EnvironmentId, error: FunctionError) -> Response {
    if cloud.with(|model| lambda::start_failed(model, environment, error)) {
        return accepted();
    }
    refuse(403, "InvalidStateTransition", "The environment is not starting")
}

/// Reads the error that a program reports; each part may be missing.
fn error_of(request: &Request) -> FunctionError {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let header = request.header("lambda-runtime-function-error-type");
    let error_type = text("errorType").or(header).unwrap_or("Runtime.Unknown");
    FunctionError::new(error_type, text("errorMessage").unwrap_or_default())
}

fn accepted() -> Response {
    Response::new(202, "application/json", json!({ "status": "OK" }).to_string())
}

fn gone() -> Response {
    refuse(410, "EnvironmentGone", "This execution environment has ended")
}

fn refuse(status: u16, kind: &str, text: &str) -> Response {
    let body = json!({ "errorMessage": text, "errorType": kind });
    Response::new(status, "application/json", body.to_string())
}
