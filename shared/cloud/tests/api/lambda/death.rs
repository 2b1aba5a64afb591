//! Functions that die: each try ends exactly once, and the dead make no calls.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use afterimage_cloud::dispatch::Answer;
use afterimage_cloud::faults::{Rule, When};
use afterimage_cloud::http::Request;
use afterimage_cloud::lambda::{EnvironmentId, environments_of, remove_function};
use afterimage_cloud::trace::What;
use afterimage_cloud::{Cloud, Config};
use serde_json::{Value, json};

use crate::lambda::support::*;
use crate::raw;

#[test]
fn a_function_is_ended_at_its_deadline() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let survived = Arc::new(AtomicUsize::new(0));
        let counter = survived.clone();
        let mut spec = worker(code(move |_, _| {
            let counter = counter.clone();
            async move {
                tokio::time::sleep(millis(3001)).await;
                counter.fetch_add(1, Ordering::Relaxed);
                Ok(json!(null))
            }
        }));
        spec.timeout = secs(3);
        let arn = add(&cloud, spec);
        let request_id = invoke(&cloud, &arn);
        cloud.advance(secs(3600)).await;
        let out = "Sandbox.Timedout";
        // Each try needs a new environment, because the last one was killed.
        let expected = [try_at(3250, out), try_at(66_500, out), try_at(189_750, out)];
        assert_eq!(tries(&cloud), expected);
        assert_eq!(cold_starts(&cloud), [true, true, true]);
        assert_eq!(survived.load(Ordering::Relaxed), 0);
        let error = &lines(&cloud, What::Invocation)[0].detail["error"];
        let text = format!("RequestId: {request_id} Error: Task timed out after 3.00 seconds");
        assert_eq!(error, &json!(text));
    });
}

#[test]
fn a_function_that_needs_all_of_its_time_is_late() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let mut spec = worker(code(async |_, _| {
            tokio::time::sleep(secs(3)).await;
            Ok(json!(null))
        }));
        spec.timeout = secs(3);
        spec.retry_attempts = 0;
        let arn = add(&cloud, spec);
        invoke(&cloud, &arn);
        cloud.advance(secs(60)).await;
        assert_eq!(tries(&cloud), [try_at(3250, "Sandbox.Timedout")]);
    });
}

#[test]
fn a_deadline_that_was_kept_ends_nothing_later() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let mut spec = worker(code(async |_, _| {
            tokio::time::sleep(secs(2)).await;
            Ok(json!(null))
        }));
        spec.timeout = secs(3);
        let arn = add(&cloud, spec);
        for _ in 0..5 {
            invoke(&cloud, &arn);
            cloud.advance(millis(2500)).await;
        }
        assert_eq!(tries(&cloud).len(), 5);
        assert!(tries(&cloud).iter().all(|(_, outcome)| outcome == "ok"));
        assert_eq!(cold_starts(&cloud), [true, false, false, false, false]);
    });
}

/// A function that sleeps for five seconds the first time, and is quick after that.
fn slow_once() -> afterimage_cloud::lambda::FunctionSpec {
    let calls = Arc::new(AtomicUsize::new(0));
    let mut spec = worker(code(move |_, _| {
        let first = calls.fetch_add(1, Ordering::Relaxed) == 0;
        async move {
            tokio::time::sleep(if first { secs(5) } else { secs(0) }).await;
            Ok(json!(null))
        }
    }));
    spec.timeout = secs(60);
    spec
}

#[test]
fn a_function_killed_at_work_has_failed_and_is_tried_again() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let arn = add(&cloud, slow_once());
        invoke(&cloud, &arn);
        cloud.advance(secs(1)).await;
        kill_now(&cloud, only_environment(&cloud, &arn));
        assert!(cloud.with(|model| environments_of(model, &arn)).is_empty());
        cloud.advance(secs(3600)).await;
        assert_eq!(tries(&cloud), [try_at(1000, "Runtime.ExitError"), try_at(61_250, "ok")]);
        assert_eq!(cold_starts(&cloud), [true, true]);
    });
}

#[test]
fn a_function_killed_at_its_cold_start_has_failed_and_is_tried_again() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let runs = Arc::new(AtomicUsize::new(0));
        let counter = runs.clone();
        let arn = add(
            &cloud,
            worker(code(move |_, _| {
                counter.fetch_add(1, Ordering::Relaxed);
                async { Ok(json!(null)) }
            })),
        );
        invoke(&cloud, &arn);
        cloud.advance(millis(100)).await;
        kill_now(&cloud, only_environment(&cloud, &arn));
        cloud.advance(secs(3600)).await;
        assert_eq!(tries(&cloud), [try_at(100, "Runtime.ExitError"), try_at(60_350, "ok")]);
        assert_eq!(runs.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_function_killed_before_its_start_was_carried_out_has_failed_once() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let arn = add(&cloud, worker(code(async |_, _| Ok(json!(null)))));
        invoke(&cloud, &arn);
        // Nothing in the world has run since.
        kill_now(&cloud, only_environment(&cloud, &arn));
        cloud.advance(secs(30)).await;
        assert_eq!(tries(&cloud), [try_at(0, "Runtime.ExitError")]);
    });
}

#[test]
fn a_function_killed_in_the_moment_it_is_done_has_failed_once() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let world = cloud.clone();
        let kills = Arc::new(AtomicUsize::new(0));
        let own_arn = worker(code(async |_, _| Ok(json!(null)))).arn();
        let arn = add(
            &cloud,
            worker(code(move |_, _| {
                let (world, arn) = (world.clone(), own_arn.clone());
                let first = kills.fetch_add(1, Ordering::Relaxed) == 0;
                async move {
                    if first {
                        kill_now(&world, only_environment(&world, &arn));
                    }
                    // Not a moment passes between the death and the answer.
                    Ok(json!(null))
                }
            })),
        );
        invoke(&cloud, &arn);
        cloud.advance(secs(3600)).await;
        assert_eq!(tries(&cloud), [try_at(250, "Runtime.ExitError"), try_at(60_500, "ok")]);
    });
}

#[test]
fn an_environment_killed_after_it_was_done_takes_nothing_back() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let arn = add(&cloud, worker(code(async |_, _| Ok(json!(null)))));
        invoke(&cloud, &arn);
        cloud.advance(millis(250)).await;
        assert_eq!(tries(&cloud), [try_at(250, "ok")]);
        let environment = only_environment(&cloud, &arn);
        kill_now(&cloud, environment);
        kill_now(&cloud, environment);
        kill_now(&cloud, EnvironmentId(4711));
        cloud.advance(secs(3600)).await;
        assert_eq!(tries(&cloud), [try_at(250, "ok")]);
        invoke(&cloud, &arn);
        cloud.advance(secs(1)).await;
        assert_eq!(cold_starts(&cloud), [true, true]);
    });
}

#[test]
fn a_panic_ends_the_environment_and_counts_as_a_failure() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let calls = Arc::new(AtomicUsize::new(0));
        let arn = add(
            &cloud,
            worker(code(move |_, _| {
                let first = calls.fetch_add(1, Ordering::Relaxed) == 0;
                async move {
                    tokio::time::sleep(secs(1)).await;
                    assert!(!first, "the first call panics");
                    Ok(json!(null))
                }
            })),
        );
        invoke(&cloud, &arn);
        cloud.advance(secs(3600)).await;
        assert_eq!(tries(&cloud), [try_at(1250, "Runtime.ExitError"), try_at(62_500, "ok")]);
        assert_eq!(cold_starts(&cloud), [true, true]);
    });
}

#[test]
fn a_panic_in_the_start_counts_as_a_failure() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let code =
            afterimage_cloud::lambda::Code::InProcess(Arc::new(|_, _| panic!("at the start")));
        let mut spec = worker(code);
        spec.retry_attempts = 0;
        let arn = add(&cloud, spec);
        invoke(&cloud, &arn);
        cloud.advance(secs(60)).await;
        assert_eq!(tries(&cloud), [try_at(250, "Runtime.ExitError")]);
        assert!(cloud.with(|model| environments_of(model, &arn)).is_empty());
    });
}

#[test]
fn a_function_taken_away_takes_its_environments_and_events_along() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let arn = add(&cloud, slow_once());
        invoke(&cloud, &arn);
        cloud.advance(secs(1)).await;
        cloud.with(|model| remove_function(model, &arn)).expect("it is there");
        cloud.advance(secs(3600)).await;
        assert_eq!(tries(&cloud), [try_at(1000, "Runtime.ExitError")]);
        let again = cloud.with(|model| remove_function(model, &arn));
        assert_eq!(again.expect_err("it is gone").code, "ResourceNotFoundException");
    });
}

/// The status and the text of the answer to a call with that key.
fn reply(cloud: &Cloud, request: &Request) -> (u16, String) {
    let response = raw::reply(cloud, request);
    (response.status, raw::text(&response).to_string())
}

#[test]
fn a_function_is_killed_at_a_call_of_its_own_and_does_nothing_after_it() {
    for (when, expected) in [(When::Before, 1), (When::After, 2)] {
        let rule = Rule::kill(when).service("sqs").nth(1);
        let config = Config { faults: vec![rule], ..Config::seeded(1) };
        Cloud::run(config, async |cloud| {
            let create =
                raw::json("us-east-1", "sqs", "AmazonSQS.CreateQueue", r#"{"QueueName":"out"}"#);
            // The rule is for functions: the administrator has no environment that could die.
            assert_eq!(raw::reply(&cloud, &create).status, 200);
            let policy = json!({ "Version": "2012-10-17", "Statement": [
                { "Effect": "Allow", "Action": "sqs:*", "Resource": "*" },
            ]});
            cloud
                .with(|model| model.principals.declare_role(ROLE, &[policy], None))
                .expect("a policy");
            let world = cloud.clone();
            let after = Arc::new(AtomicUsize::new(0));
            let counter = after.clone();
            let arn = add(
                &cloud,
                worker(started(move |environment| {
                    let key = environment.variables["AWS_ACCESS_KEY_ID"].clone();
                    let (world, counter) = (world.clone(), counter.clone());
                    Ok(move |_: Value, _| {
                        let send = raw::json_of(
                            &key,
                            "us-east-1",
                            "sqs",
                            "AmazonSQS.SendMessage",
                            r#"{"QueueUrl":"https://sqs/123456789012/out","MessageBody":"x"}"#,
                        );
                        let (world, counter) = (world.clone(), counter.clone());
                        async move {
                            if let Answer::Killed = world.answer(&send) {
                                std::future::pending::<()>().await;
                            }
                            counter.fetch_add(1, Ordering::Relaxed);
                            Ok(json!(null))
                        }
                    })
                })),
            );
            invoke(&cloud, &arn);
            cloud.advance(secs(3600)).await;
            assert_eq!(tries(&cloud), [try_at(250, "Runtime.ExitError"), try_at(60_500, "ok")]);
            assert_eq!(after.load(Ordering::Relaxed), 1);
            let letters = cloud.with(|model| afterimage_cloud::sqs::dead_letters(model));
            assert_eq!(letters.as_array().map(Vec::len), Some(expected), "killed {when:?}");
        });
    }
}

#[test]
fn the_key_of_a_dead_environment_opens_nothing() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let keys: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = keys.clone();
        let arn = add(
            &cloud,
            worker(started(move |environment| {
                let key = environment.variables["AWS_ACCESS_KEY_ID"].clone();
                kept.lock().expect("nobody panics with it").push(key);
                Ok(async |_: Value, _| {
                    tokio::time::sleep(secs(2)).await;
                    Ok(json!(null))
                })
            })),
        );
        invoke(&cloud, &arn);
        cloud.advance(secs(1)).await;
        let key = keys.lock().expect("nobody panics with it")[0].clone();
        let describe = raw::ec2_of(&key, "us-east-1", "DescribeTags", "");

        let identity = cloud.with(|model| model.principals.identity(&key));
        assert_eq!(identity.arn, "arn:aws:sts::123456789012:assumed-role/worker-role/worker");
        assert_eq!(identity.role.as_deref(), Some(ROLE));
        assert_eq!(identity.environment, Some(only_environment(&cloud, &arn)));

        kill_now(&cloud, only_environment(&cloud, &arn));
        let (status, body) = reply(&cloud, &describe);
        assert_eq!(status, 401);
        assert!(body.contains("<Code>AuthFailure</Code>"), "{body}");
        let list =
            raw::json_of(&key, "us-east-1", "dynamodb", "DynamoDB_20120810.ListTables", "{}");
        let (status, body) = reply(&cloud, &list);
        assert_eq!(status, 400);
        assert!(body.contains("UnrecognizedClientException"), "{body}");
        let mut whoami = raw::json_of(&key, "us-east-1", "sts", "", "");
        whoami.body = b"Action=GetCallerIdentity&Version=2011-06-15".to_vec();
        let (status, body) = reply(&cloud, &whoami);
        assert_eq!(status, 403);
        assert!(body.contains("<Code>InvalidClientTokenId</Code>"), "{body}");
        assert_eq!(reply(&cloud, &raw::ec2("DescribeTags", "")).0, 200, "others still may");
    });
}
