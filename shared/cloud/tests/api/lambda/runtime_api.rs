//! The Lambda Runtime API, spoken to as a runtime does. The processes themselves are left out: the
//! keeper is never run.

use std::path::PathBuf;

use afterimage_cloud::door::runtime_api::{answer, environment_of};
use afterimage_cloud::http::{Request, Response};
use afterimage_cloud::lambda::{Code, EnvironmentId, FunctionSpec, ProcessKeeper, environments_of};
use afterimage_cloud::{Cloud, Config, Time};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::lambda::support::*;

fn real() -> FunctionSpec {
    let mut spec = worker(Code::Binary(PathBuf::from("/var/task/bootstrap")));
    spec.timeout = secs(30);
    spec
}

/// A world that can run real programs, with one function that has been invoked once.
fn invoked(cloud: &Cloud) -> (ProcessKeeper, String, EnvironmentId, String) {
    let keeper = cloud.attach_processes("http://127.0.0.1:4566");
    let arn = add(cloud, real());
    let request_id = invoke(cloud, &arn);
    let environment = only_environment(cloud, &arn);
    (keeper, arn, environment, request_id)
}

async fn get_next(cloud: &Cloud, environment: EnvironmentId) -> Response {
    let path = format!("/_lambda/{}/2018-06-01/runtime/invocation/next", environment.0);
    let request = Request { method: "GET".into(), path, ..Request::default() };
    answer(cloud, environment, request).await
}

async fn post(cloud: &Cloud, environment: EnvironmentId, path: &str, body: Value) -> Response {
    let path = format!("/_lambda/{}/2018-06-01/runtime/{path}", environment.0);
    let body = body.to_string().into_bytes();
    let request = Request { method: "POST".into(), path, body, ..Request::default() };
    answer(cloud, environment, request).await
}

fn waiting(cloud: &Cloud, environment: EnvironmentId) -> JoinHandle<Response> {
    let cloud = cloud.clone();
    tokio::spawn(async move { get_next(&cloud, environment).await })
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    let found = response.headers.iter().find(|(key, _)| key == name);
    found.map_or("", |(_, value)| value.as_str())
}

#[test]
fn a_path_names_its_environment() {
    let next = "/2018-06-01/runtime/invocation/next";
    assert_eq!(environment_of(&format!("/_lambda/12{next}")), Some(EnvironmentId(12)));
    assert_eq!(environment_of(&format!("/_lambda/x{next}")), None);
    assert_eq!(environment_of(&format!("/12{next}")), None);
    assert_eq!(environment_of("/_lambda/12"), None);
}

#[test]
fn a_runtime_takes_an_invocation_and_answers_it() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let (_keeper, arn, environment, request_id) = invoked(&cloud);
        cloud.advance(secs(2)).await;
        let next = get_next(&cloud, environment).await;
        assert_eq!(next.status, 200);
        assert_eq!(next.body, br#"{"hello":"world"}"#);
        assert_eq!(header(&next, "Lambda-Runtime-Aws-Request-Id"), request_id);
        assert_eq!(header(&next, "Lambda-Runtime-Invoked-Function-Arn"), arn);
        let deadline = (Time::START + secs(32)).millis().to_string();
        assert_eq!(header(&next, "Lambda-Runtime-Deadline-Ms"), deadline);
        assert!(header(&next, "Lambda-Runtime-Trace-Id").starts_with("Root=1-"));

        cloud.advance(secs(1)).await;
        let path = format!("invocation/{request_id}/response");
        assert_eq!(post(&cloud, environment, &path, json!({})).await.status, 202);
        assert_eq!(tries(&cloud), [try_at(3000, "ok")]);
        // The same answer again is for an invocation that it no longer has.
        assert_eq!(post(&cloud, environment, &path, json!({})).await.status, 400);
        assert_eq!(tries(&cloud).len(), 1);
    });
}

#[test]
fn a_runtime_waits_for_the_next_invocation() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let (_keeper, arn, environment, first) = invoked(&cloud);
        get_next(&cloud, environment).await;
        post(&cloud, environment, &format!("invocation/{first}/response"), json!({})).await;
        let next = waiting(&cloud, environment);
        cloud.advance(secs(60)).await;
        assert!(!next.is_finished());
        let second = invoke(&cloud, &arn);
        let next = next.await.expect("the task lives");
        assert_eq!(header(&next, "Lambda-Runtime-Aws-Request-Id"), second);
        post(&cloud, environment, &format!("invocation/{second}/response"), json!({})).await;
        assert_eq!(cold_starts(&cloud), [true, false]);
    });
}

#[test]
fn a_runtime_has_one_invocation_at_a_time() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let (_keeper, _, environment, _) = invoked(&cloud);
        assert_eq!(get_next(&cloud, environment).await.status, 200);
        assert_eq!(get_next(&cloud, environment).await.status, 403);
    });
}

#[test]
fn a_runtime_reports_an_error_and_lives_on() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let (_keeper, arn, environment, request_id) = invoked(&cloud);
        get_next(&cloud, environment).await;
        let error = json!({ "errorType": "Table.Gone", "errorMessage": "no table" });
        let path = format!("invocation/{request_id}/error");
        assert_eq!(post(&cloud, environment, &path, error).await.status, 202);
        assert_eq!(tries(&cloud), [try_at(0, "Table.Gone")]);
        assert_eq!(only_environment(&cloud, &arn), environment);

        // The next try goes to the same environment, with the same request id.
        let next = waiting(&cloud, environment);
        cloud.advance(secs(60)).await;
        let next = next.await.expect("the task lives");
        assert_eq!(header(&next, "Lambda-Runtime-Aws-Request-Id"), request_id);
    });
}

#[test]
fn a_runtime_whose_start_fails_is_thrown_away() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let (_keeper, arn, environment, _) = invoked(&cloud);
        let error = json!({ "errorType": "Config.Missing", "errorMessage": "no TABLE" });
        assert_eq!(post(&cloud, environment, "init/error", error.clone()).await.status, 202);
        assert_eq!(tries(&cloud), [try_at(0, "Config.Missing")]);
        assert!(cloud.with(|model| environments_of(model, &arn)).is_empty());
        assert_eq!(post(&cloud, environment, "init/error", error).await.status, 403);
        assert_eq!(get_next(&cloud, environment).await.status, 410);
    });
}

#[test]
fn a_runtime_that_waits_is_told_when_its_environment_ends() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let (_keeper, _, environment, request_id) = invoked(&cloud);
        get_next(&cloud, environment).await;
        post(&cloud, environment, &format!("invocation/{request_id}/response"), json!({})).await;
        let next = waiting(&cloud, environment);
        cloud.advance(secs(1)).await;
        kill_now(&cloud, environment);
        assert_eq!(next.await.expect("the task lives").status, 410);
        assert_eq!(tries(&cloud), [try_at(0, "ok")]);
    });
}

#[test]
fn a_runtime_that_is_late_is_not_heard() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let (_keeper, _, environment, request_id) = invoked(&cloud);
        get_next(&cloud, environment).await;
        cloud.advance(secs(30)).await;
        assert_eq!(tries(&cloud), [try_at(30_000, "Sandbox.Timedout")]);
        let path = format!("invocation/{request_id}/response");
        assert_eq!(post(&cloud, environment, &path, json!({})).await.status, 400);
        assert_eq!(tries(&cloud).len(), 1);
    });
}

#[test]
fn wrong_ids_and_paths_are_refused() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let (_keeper, _, environment, request_id) = invoked(&cloud);
        let own = format!("invocation/{request_id}/response");
        // Not handed over yet.
        assert_eq!(post(&cloud, environment, &own, json!({})).await.status, 400);
        get_next(&cloud, environment).await;
        let wrong = "invocation/00000000-0000-4000-8000-000000000000/response";
        assert_eq!(post(&cloud, environment, wrong, json!({})).await.status, 400);
        assert_eq!(post(&cloud, EnvironmentId(99), &own, json!({})).await.status, 400);
        assert_eq!(post(&cloud, environment, "invocation/next", json!({})).await.status, 404);
        assert_eq!(post(&cloud, environment, "restore/next", json!({})).await.status, 404);
        assert_eq!(get_next(&cloud, EnvironmentId(99)).await.status, 410);
        assert_eq!(tries(&cloud), []);
    });
}

#[test]
fn without_a_keeper_a_real_program_cannot_be_started() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let arn = add(&cloud, real());
        invoke(&cloud, &arn);
        cloud.advance(secs(1)).await;
        assert_eq!(tries(&cloud), [try_at(0, "Runtime.InvalidEntrypoint")]);
        let keeper = cloud.attach_processes("http://127.0.0.1:4566");
        drop(keeper);
        cloud.advance(secs(60)).await;
        assert_eq!(tries(&cloud)[1], try_at(60_000, "Runtime.InvalidEntrypoint"));
    });
}
