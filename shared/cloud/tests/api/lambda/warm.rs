//! Environments: when they are started, used again, and let go.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use afterimage_cloud::lambda::{Environment, FunctionError, environments_of, set_variables};
use afterimage_cloud::trace::What;
use afterimage_cloud::{Cloud, Config};
use serde_json::{Value, json};

use crate::lambda::support::*;

/// The log streams of all tries, in the order in which they ended.
fn log_streams(cloud: &Cloud) -> Vec<Value> {
    let all = lines(cloud, What::Invocation).into_iter();
    all.map(|line| line.detail["logStream"].clone()).collect()
}

#[test]
fn an_idle_environment_is_used_again_without_a_cold_start() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let arn = add(&cloud, worker(code(async |_, _| Ok(json!(null)))));
        invoke(&cloud, &arn);
        cloud.advance(secs(10)).await;
        invoke(&cloud, &arn);
        cloud.advance(secs(10)).await;
        assert_eq!(tries(&cloud), [try_at(250, "ok"), try_at(10_000, "ok")]);
        assert_eq!(cold_starts(&cloud), [true, false]);
        let streams = log_streams(&cloud);
        assert_eq!(streams[0], streams[1]);
    });
}

#[test]
fn an_environment_ends_when_nothing_comes_for_fifteen_minutes() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let arn = add(&cloud, worker(code(async |_, _| Ok(json!(null)))));
        invoke(&cloud, &arn);
        cloud.advance(millis(250) + secs(15 * 60) - millis(1)).await;
        only_environment(&cloud, &arn);
        cloud.advance(millis(1)).await;
        assert!(cloud.with(|model| environments_of(model, &arn)).is_empty());
        invoke(&cloud, &arn);
        cloud.advance(secs(1)).await;
        assert_eq!(cold_starts(&cloud), [true, true]);
        let streams = log_streams(&cloud);
        assert_ne!(streams[0], streams[1]);
        assert!(lines(&cloud, What::Delivery).is_empty());
    });
}

#[test]
fn use_puts_the_end_of_an_environment_off() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let arn = add(&cloud, worker(code(async |_, _| Ok(json!(null)))));
        for _ in 0..4 {
            invoke(&cloud, &arn);
            cloud.advance(secs(10 * 60)).await;
        }
        assert_eq!(cold_starts(&cloud), [true, false, false, false]);
    });
}

#[test]
fn of_two_idle_environments_the_last_used_is_taken() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let slow = code(async |event: Value, _| {
            tokio::time::sleep(secs(event["seconds"].as_u64().unwrap_or(0))).await;
            Ok(json!(null))
        });
        let arn = add(&cloud, worker(slow));
        let invoke = |seconds: u64| {
            let event = json!({ "seconds": seconds });
            let enqueue = afterimage_cloud::lambda::enqueue;
            cloud.with(|model| enqueue(model, &arn, event)).expect("the function exists");
        };
        // The first to be started is the last to be done.
        invoke(2);
        invoke(1);
        cloud.advance(secs(10)).await;
        invoke(0);
        cloud.advance(secs(10)).await;
        let streams = log_streams(&cloud);
        assert_eq!(cold_starts(&cloud), [true, true, false]);
        assert_ne!(streams[0], streams[1]);
        assert_eq!(streams[2], streams[1]);
    });
}

#[test]
fn a_start_that_fails_is_a_failure_of_the_function_and_the_environment_is_thrown_away() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let starts = Arc::new(Mutex::new(0));
        let counter = starts.clone();
        let code = started(move |_| {
            let mut starts = counter.lock().expect("nobody panics with it");
            *starts += 1;
            match *starts {
                1 => Err(FunctionError::new("Config.Missing", "TABLE is not set")),
                _ => Ok(async |_: Value, _| Ok(json!(null))),
            }
        });
        let arn = add(&cloud, worker(code));
        invoke(&cloud, &arn);
        cloud.advance(secs(1)).await;
        assert!(cloud.with(|model| environments_of(model, &arn)).is_empty());
        cloud.advance(secs(3600)).await;
        assert_eq!(tries(&cloud), [try_at(250, "Config.Missing"), try_at(60_500, "ok")]);
        assert_eq!(*starts.lock().expect("nobody panics with it"), 2);
    });
}

#[test]
fn a_start_that_never_ends_is_ended_after_ten_seconds() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let code = afterimage_cloud::lambda::Code::InProcess(Arc::new(|_, _| {
            Box::pin(std::future::pending())
        }));
        let arn = add(&cloud, worker(code));
        invoke(&cloud, &arn);
        cloud.advance(secs(30)).await;
        assert_eq!(tries(&cloud), [try_at(10_250, "Sandbox.Timedout")]);
    });
}

#[test]
fn an_environment_has_the_functions_variables_and_those_that_lambda_sets() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let seen: Arc<Mutex<Vec<Environment>>> = Arc::default();
        let kept = seen.clone();
        let mut spec = worker(started(move |environment| {
            kept.lock().expect("nobody panics with it").push(environment);
            Ok(async |_: Value, _| Ok(json!(null)))
        }));
        spec.memory_mb = 256;
        spec.variables = BTreeMap::from([("TABLE".to_string(), "points".to_string())]);
        let arn = add(&cloud, spec);
        invoke(&cloud, &arn);
        cloud.advance(secs(1)).await;
        let changed = BTreeMap::from([("TABLE".to_string(), "other".to_string())]);
        cloud.with(|model| set_variables(model, &arn, changed)).expect("they are allowed");
        invoke(&cloud, &arn);
        cloud.advance(secs(1)).await;

        let seen = seen.lock().expect("nobody panics with it");
        assert_eq!(seen.len(), 2, "new variables need a new environment");
        let value = |at: usize, name: &str| seen[at].variables[name].clone();
        assert_eq!(value(0, "TABLE"), "points");
        assert_eq!(value(1, "TABLE"), "other");
        assert_eq!(value(0, "AWS_REGION"), "us-east-1");
        assert_eq!(value(0, "AWS_LAMBDA_FUNCTION_NAME"), "worker");
        assert_eq!(value(0, "AWS_LAMBDA_FUNCTION_VERSION"), "$LATEST");
        assert_eq!(value(0, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"), "256");
        assert_eq!(value(0, "AWS_LAMBDA_LOG_GROUP_NAME"), "/aws/lambda/worker");
        assert_ne!(value(0, "AWS_ACCESS_KEY_ID"), value(1, "AWS_ACCESS_KEY_ID"));
        let stream = value(0, "AWS_LAMBDA_LOG_STREAM_NAME");
        let number = stream.strip_prefix("2026/01/01/[$LATEST]").expect("the day and the version");
        assert_eq!(number.len(), 32);
        assert!(number.bytes().all(|byte| byte.is_ascii_hexdigit()));
    });
}

#[test]
fn a_busy_environment_keeps_its_old_variables_until_it_is_done() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let arn = add(
            &cloud,
            worker(code(async |_, _| {
                tokio::time::sleep(secs(2)).await;
                Ok(json!(null))
            })),
        );
        invoke(&cloud, &arn);
        cloud.advance(secs(1)).await;
        cloud.with(|model| set_variables(model, &arn, BTreeMap::new())).expect("none is allowed");
        only_environment(&cloud, &arn);
        cloud.advance(secs(2)).await;
        assert_eq!(tries(&cloud), [try_at(2250, "ok")]);
        assert!(cloud.with(|model| environments_of(model, &arn)).is_empty());
    });
}

#[test]
fn a_function_is_told_the_time_its_deadline_and_its_request() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let seen: Arc<Mutex<Vec<afterimage_cloud::lambda::Context>>> = Arc::default();
        let kept = seen.clone();
        let mut spec = worker(code(move |_, context| {
            kept.lock().expect("nobody panics with it").push(context);
            async { Ok(json!(null)) }
        }));
        spec.timeout = secs(30);
        spec.clock_skew_ms = -500..=-500;
        let arn = add(&cloud, spec);
        let request_id = invoke(&cloud, &arn);
        cloud.advance(secs(1)).await;
        let seen = seen.lock().expect("nobody panics with it");
        assert_eq!(seen.len(), 1);
        let began = afterimage_cloud::Time::START + millis(250);
        assert_eq!(seen[0].now, began - millis(500));
        assert_eq!(seen[0].deadline, began + secs(30));
        assert_eq!(seen[0].request_id, request_id);
    });
}
