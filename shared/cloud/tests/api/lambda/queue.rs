//! The queue: tries, their times, and the end of what fails for good.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use afterimage_cloud::faults::Rule;
use afterimage_cloud::lambda::{FunctionError, Invoker, Refusal, add_permission, invoke_async};
use afterimage_cloud::trace::What;
use afterimage_cloud::{Cloud, Config};
use serde_json::json;

use crate::lambda::support::*;

#[test]
fn a_function_that_fails_is_tried_after_one_and_two_minutes_and_then_given_up() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let fail = code(async |_, _| Err(FunctionError::new("Boom", "it broke")));
        let arn = add(&cloud, worker(fail));
        let request_id = invoke(&cloud, &arn);
        cloud.advance(secs(3600)).await;

        let expected = [try_at(250, "Boom"), try_at(60_250, "Boom"), try_at(180_250, "Boom")];
        assert_eq!(tries(&cloud), expected);
        let lines_of = lines(&cloud, What::Invocation);
        assert!(lines_of.iter().all(|line| line.id == request_id && line.action == "worker"));
        let attempts: Vec<_> = lines_of.iter().map(|line| line.detail["attempt"].clone()).collect();
        assert_eq!(attempts, [json!(1), json!(2), json!(3)]);

        let given_up = lines(&cloud, What::Delivery);
        assert_eq!(given_up.len(), 1);
        assert_eq!(given_up[0].outcome, "RetriesExhausted");
        assert_eq!(given_up[0].id, request_id);
        assert_eq!(given_up[0].detail["tries"], json!(3));
    });
}

#[test]
fn a_function_that_recovers_is_not_tried_again() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let calls = Arc::new(AtomicUsize::new(0));
        let recover = code(move |_, _| {
            let first = calls.fetch_add(1, Ordering::Relaxed) == 0;
            async move {
                match first {
                    true => Err(FunctionError::new("Boom", "")),
                    false => Ok(json!(null)),
                }
            }
        });
        let arn = add(&cloud, worker(recover));
        invoke(&cloud, &arn);
        cloud.advance(secs(3600)).await;
        assert_eq!(tries(&cloud), [try_at(250, "Boom"), try_at(60_250, "ok")]);
        assert!(lines(&cloud, What::Delivery).is_empty());
    });
}

#[test]
fn the_number_of_further_tries_is_the_functions_own() {
    for (attempts, expected) in [(0, 1), (1, 2), (2, 3)] {
        Cloud::run(Config::seeded(1), async |cloud| {
            let mut spec = worker(code(async |_, _| Err(FunctionError::new("Boom", ""))));
            spec.retry_attempts = attempts;
            let arn = add(&cloud, spec);
            invoke(&cloud, &arn);
            cloud.advance(secs(3600)).await;
            assert_eq!(tries(&cloud).len(), expected, "with {attempts} further tries");
        });
    }
}

#[test]
fn reserved_concurrency_makes_events_wait_for_one_two_and_four_seconds() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let at_once = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(0));
        let (counter, highest) = (at_once.clone(), most.clone());
        let slow = code(move |_, _| {
            let counter = counter.clone();
            highest.fetch_max(counter.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            async move {
                tokio::time::sleep(millis(1500)).await;
                counter.fetch_sub(1, Ordering::Relaxed);
                Ok(json!(null))
            }
        });
        let mut spec = worker(slow);
        spec.reserved_concurrency = Some(1);
        let arn = add(&cloud, spec);
        invoke(&cloud, &arn);
        invoke(&cloud, &arn);
        cloud.advance(secs(60)).await;
        // The second is refused at 0 s and at 1 s, and begins at 3 s in the warm environment.
        assert_eq!(tries(&cloud), [try_at(1750, "ok"), try_at(4500, "ok")]);
        assert_eq!(cold_starts(&cloud), [true, false]);
        assert_eq!(most.load(Ordering::Relaxed), 1);
        assert_eq!(at_once.load(Ordering::Relaxed), 0);
    });
}

#[test]
fn functions_without_a_reservation_share_the_concurrency_of_account_and_region() {
    let mut config = Config::seeded(1);
    config.limits.lambda_concurrency = 1;
    Cloud::run(config, async |cloud| {
        let slow = code(async |_, _| {
            tokio::time::sleep(millis(500)).await;
            Ok(json!(null))
        });
        let first = add(&cloud, worker(slow.clone()));
        let mut other = worker(slow.clone());
        other.name = "other".to_string();
        let second = add(&cloud, other);
        let mut far = worker(slow);
        far.region = "eu-west-1".to_string();
        let third = add(&cloud, far);
        for arn in [first, second, third] {
            invoke(&cloud, &arn);
        }
        cloud.advance(secs(60)).await;
        let ended: Vec<_> = lines(&cloud, What::Invocation)
            .into_iter()
            .map(|line| (since_start(line.at), line.action, line.region))
            .collect();
        let end = |at, name: &str, region: &str| (at, name.to_string(), region.to_string());
        let expected = [
            end(750, "worker", "us-east-1"),
            end(750, "worker", "eu-west-1"),
            end(1750, "other", "us-east-1"),
        ];
        assert_eq!(ended, expected);
    });
}

#[test]
fn an_event_that_waits_for_too_long_is_given_up_at_its_age() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let mut spec = worker(code(async |_, _| {
            tokio::time::sleep(secs(300)).await;
            Ok(json!(null))
        }));
        spec.timeout = secs(900);
        spec.reserved_concurrency = Some(1);
        spec.event_age_max = secs(100);
        let arn = add(&cloud, spec);
        invoke(&cloud, &arn);
        let late = invoke(&cloud, &arn);
        cloud.advance(secs(1000)).await;
        assert_eq!(tries(&cloud), [try_at(300_250, "ok")]);
        let given_up = lines(&cloud, What::Delivery);
        assert_eq!(given_up.len(), 1);
        assert_eq!(given_up[0].id, late);
        assert_eq!(given_up[0].outcome, "EventAgeExceeded");
        assert_eq!(since_start(given_up[0].at), 100_000);
        assert_eq!(given_up[0].detail["tries"], json!(0));
    });
}

#[test]
fn an_event_that_would_be_too_old_for_its_next_try_is_not_tried_again() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let mut spec = worker(code(async |_, _| Err(FunctionError::new("Boom", ""))));
        spec.event_age_max = secs(90);
        let arn = add(&cloud, spec);
        invoke(&cloud, &arn);
        cloud.advance(secs(3600)).await;
        assert_eq!(tries(&cloud), [try_at(250, "Boom"), try_at(60_250, "Boom")]);
        let given_up = lines(&cloud, What::Delivery);
        assert_eq!(given_up.len(), 1);
        assert_eq!(given_up[0].outcome, "EventAgeExceeded");
        assert_eq!(since_start(given_up[0].at), 90_000);
    });
}

#[test]
fn a_function_with_no_concurrency_at_all_gives_up_at_once() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let mut spec = worker(code(async |_, _| Ok(json!(null))));
        spec.reserved_concurrency = Some(0);
        let arn = add(&cloud, spec);
        invoke(&cloud, &arn);
        cloud.advance(secs(1)).await;
        assert!(tries(&cloud).is_empty());
        let given_up = lines(&cloud, What::Delivery);
        assert_eq!(given_up.len(), 1);
        assert_eq!(since_start(given_up[0].at), 0);
    });
}

#[test]
fn only_whom_the_resource_policy_names_may_invoke() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let arn = add(&cloud, worker(code(async |_, _| Ok(json!(null)))));
        let from = |service: &str, rule: &str| Invoker {
            service: service.to_string(),
            source_arn: format!("arn:aws:events:us-east-1:123456789012:rule/{rule}"),
        };
        let try_it =
            |invoker: &Invoker| cloud.with(|model| invoke_async(model, &arn, json!({}), invoker));
        let tick = from("events.amazonaws.com", "tick-1");
        assert_eq!(try_it(&tick), Err(Refusal::NotPermitted));

        let source = "arn:aws:events:us-east-1:123456789012:rule/tick-*";
        let allow = |id: &str| {
            let service = "events.amazonaws.com";
            cloud.with(|model| add_permission(model, &arn, id, service, Some(source)))
        };
        assert_eq!(allow("rules"), Ok(()));
        assert_eq!(allow("rules").expect_err("the id is taken").code, "ResourceConflictException");
        assert_eq!(try_it(&tick), Ok(()));
        assert_eq!(try_it(&from("events.amazonaws.com", "tock-1")), Err(Refusal::NotPermitted));
        assert_eq!(try_it(&from("s3.amazonaws.com", "tick-1")), Err(Refusal::NotPermitted));
        let mut elsewhere = tick.clone();
        elsewhere.source_arn = "arn:aws:events:eu-west-1:123456789012:rule/tick-1".to_string();
        assert_eq!(try_it(&elsewhere), Err(Refusal::NotPermitted));

        let nowhere = format!("{arn}-2");
        let result = cloud.with(|model| invoke_async(model, &nowhere, json!({}), &tick));
        assert_eq!(result, Err(Refusal::NoFunction));
    });
}

#[test]
fn the_wildcard_of_a_source_does_not_reach_across_colons() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let arn = add(&cloud, worker(code(async |_, _| Ok(json!(null)))));
        let source = Some("arn:aws:events:*:rule/tick");
        let service = "events.amazonaws.com";
        cloud
            .with(|model| add_permission(model, &arn, "rules", service, source))
            .expect("the function exists");
        let invoker = Invoker {
            service: service.to_string(),
            source_arn: "arn:aws:events:us-east-1:123456789012:rule/tick".to_string(),
        };
        let result = cloud.with(|model| invoke_async(model, &arn, json!({}), &invoker));
        assert_eq!(result, Err(Refusal::NotPermitted));
    });
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_seed_another() {
    let live = |seed| {
        Cloud::run(Config::seeded(seed), async |cloud| {
            let fail = code(async |_, _| Err(FunctionError::new("Boom", "")));
            let arn = add(&cloud, worker(fail));
            for _ in 0..5 {
                invoke(&cloud, &arn);
                cloud.advance(secs(7)).await;
            }
            cloud.advance(secs(3600)).await;
            cloud.with(|model| model.trace.hash())
        })
    };
    assert_eq!(live(7), live(7));
    assert_ne!(live(7), live(8));
}

#[test]
fn an_event_that_the_queue_gives_out_twice_runs_twice_under_one_request_id() {
    let config = Config { faults: vec![Rule::duplicate_invocation()], ..Config::seeded(1) };
    Cloud::run(config, async |cloud| {
        let arn = add(&cloud, worker(code(async |_, _| Ok(json!(null)))));
        let request_id = invoke(&cloud, &arn);
        cloud.advance(secs(3600)).await;
        assert_eq!(tries(&cloud), [try_at(250, "ok"), try_at(250, "ok")]);
        assert_eq!(cold_starts(&cloud), [true, true]);
        let ran = lines(&cloud, What::Invocation);
        assert!(ran.iter().all(|line| line.id == request_id));
    });
}
