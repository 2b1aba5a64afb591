//! Where the events go that were given up.

use afterimage_cloud::Cloud;
use afterimage_cloud::Config;
use afterimage_cloud::lambda::FunctionError;
use afterimage_cloud::sqs::dead_letters;
use afterimage_cloud::trace::What;
use serde_json::{Value, json};

use crate::lambda::support::*;
use crate::raw;

const QUEUE: &str = "arn:aws:sqs:us-east-1:123456789012:lost";

fn make_queue(cloud: &Cloud) {
    let request = raw::json("us-east-1", "sqs", "AmazonSQS.CreateQueue", r#"{"QueueName":"lost"}"#);
    assert_eq!(raw::reply(cloud, &request).status, 200);
}

fn letters(cloud: &Cloud) -> Vec<Value> {
    cloud.with(|model| dead_letters(model)).as_array().cloned().unwrap_or_default()
}

fn allow_sending(cloud: &Cloud) {
    let policy = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "sqs:SendMessage", "Resource": QUEUE },
    ]});
    cloud.with(|model| model.principals.declare_role(ROLE, &[policy], None)).expect("a policy");
}

/// A function that always fails.
fn failing() -> afterimage_cloud::lambda::FunctionSpec {
    worker(code(async |_, _| Err(FunctionError::new("Boom", "it broke"))))
}

#[test]
fn the_destination_of_failures_gets_a_record_of_the_event_and_its_last_error() {
    Cloud::run(Config::seeded(1), async |cloud| {
        make_queue(&cloud);
        allow_sending(&cloud);
        let mut spec = failing();
        spec.on_failure = Some(QUEUE.to_string());
        let arn = add(&cloud, spec);
        let request_id = invoke(&cloud, &arn);
        cloud.advance(secs(180)).await;
        assert!(letters(&cloud).is_empty(), "the last try is still to come");
        cloud.advance(secs(1)).await;

        let letters = letters(&cloud);
        assert_eq!(letters.len(), 1, "{letters:#?}");
        let body = letters[0]["body"].as_str().unwrap_or_default();
        let expected = json!({
            "version": "1.0",
            "timestamp": "2026-01-01T00:03:00.250Z",
            "requestContext": {
                "requestId": request_id,
                "functionArn": format!("{arn}:$LATEST"),
                "condition": "RetriesExhausted",
                "approximateInvokeCount": 3,
            },
            "requestPayload": { "hello": "world" },
            "responseContext": {
                "statusCode": 200,
                "executedVersion": "$LATEST",
                "functionError": "Unhandled",
            },
            "responsePayload": { "errorType": "Boom", "errorMessage": "it broke" },
        });
        assert_eq!(serde_json::from_str::<Value>(body).ok(), Some(expected));
        assert_eq!(letters[0]["attributes"], json!({}));
    });
}

#[test]
fn the_dead_letter_queue_gets_the_event_as_it_is() {
    Cloud::run(Config::seeded(1), async |cloud| {
        make_queue(&cloud);
        allow_sending(&cloud);
        let mut spec = failing();
        spec.retry_attempts = 0;
        spec.dead_letter = Some(QUEUE.to_string());
        let arn = add(&cloud, spec);
        let request_id = invoke(&cloud, &arn);
        cloud.advance(secs(1)).await;
        let letters = letters(&cloud);
        assert_eq!(letters.len(), 1, "{letters:#?}");
        assert_eq!(letters[0]["body"], json!(r#"{"hello":"world"}"#));
        let attributes = json!({
            "RequestID": request_id,
            "ErrorCode": "200",
            "ErrorMessage": "it broke",
        });
        assert_eq!(letters[0]["attributes"], attributes);
    });
}

/// What the trace says became of a record, if the world is prepared by `prepare`.
fn outcome_of_sending(prepare: impl FnOnce(&Cloud)) -> Value {
    Cloud::run(Config::seeded(1), async |cloud| {
        prepare(&cloud);
        let mut spec = failing();
        spec.retry_attempts = 0;
        spec.on_failure = Some(QUEUE.to_string());
        let arn = add(&cloud, spec);
        invoke(&cloud, &arn);
        cloud.advance(secs(1)).await;
        let given_up = lines(&cloud, What::Delivery);
        assert_eq!(given_up.len(), 1);
        given_up[0].detail["told"].clone()
    })
}

#[test]
fn a_record_is_sent_in_the_functions_role() {
    let told = |outcome: &str| json!([{ "onFailure": QUEUE, "outcome": outcome }]);
    let allowed = outcome_of_sending(|cloud| {
        make_queue(cloud);
        allow_sending(cloud);
    });
    assert_eq!(allowed, told("ok"));
    assert_eq!(outcome_of_sending(make_queue), told("NO_PERMISSIONS"));
    assert_eq!(outcome_of_sending(allow_sending), told("NO_RESOURCE"));
}
