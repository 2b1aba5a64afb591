//! Events on their way to queues: matching, permissions, dead letters, faults, retries.

use afterimage_cloud::faults::Rule;
use serde_json::{Value, json};

use super::{
    ACCOUNT, FAR, HOME, OTHER_ACCOUNT, SOON, any_of, at, attribute, emit, outcomes, url, world,
};

#[test]
fn a_service_event_reaches_a_queue_as_it_was_sent() {
    world(async |cloud| {
        let home = at(&cloud, HOME);
        let queue = home.queue("q");
        home.rule("stops", any_of("aws.ec2"), json!({ "Arn": queue }));
        home.rule("others", any_of("aws.tag"), json!({ "Arn": queue }));
        emit(&cloud, HOME);
        emit(&cloud, FAR);
        assert_eq!(home.bodies("q"), [Value::Null; 0], "events take their time");
        cloud.advance(SOON).await;
        let bodies = home.bodies("q");
        assert_eq!(bodies.len(), 1, "one rule, and only of this region");
        let id = bodies[0]["id"].as_str().expect("an id");
        assert_eq!(id.len(), 36);
        assert_eq!(
            bodies[0],
            json!({
                "version": "0",
                "id": id,
                "detail-type": "EC2 Instance State-change Notification",
                "source": "aws.ec2",
                "account": ACCOUNT,
                "time": "2026-01-01T00:00:00Z",
                "region": HOME,
                "resources": [format!("arn:aws:ec2:{HOME}:{ACCOUNT}:instance/i-1234567890abcdef0")],
                "detail": { "instance-id": "i-1234567890abcdef0", "state": "stopped" },
            })
        );
        let mut told = outcomes(&cloud);
        told.sort();
        assert_eq!(told, ["delivered", "no rule"]);
    });
}

#[test]
fn a_custom_event_carries_what_its_sender_says() {
    world(async |cloud| {
        let home = at(&cloud, HOME);
        let queue = home.queue("q");
        home.rule("r", any_of("my.app"), json!({ "Arn": queue }));
        let entry = json!({
            "Source": "my.app", "DetailType": "T", "Detail": r#"{"b":1,"a":2}"#,
            "Resources": ["x"], "Time": 1_700_000_000.5,
        });
        let answer = home.events("PutEvents", json!({ "Entries": [entry] }));
        cloud.advance(SOON).await;
        assert_eq!(
            home.bodies("q"),
            [json!({
                "version": "0",
                "id": answer["Entries"][0]["EventId"],
                "detail-type": "T",
                "source": "my.app",
                "account": ACCOUNT,
                "time": "2023-11-14T22:13:20Z",
                "region": HOME,
                "resources": ["x"],
                "detail": { "b": 1, "a": 2 },
            })]
        );
    });
}

#[test]
fn a_disabled_rule_delivers_nothing() {
    world(async |cloud| {
        let home = at(&cloud, HOME);
        let queue = home.queue("q");
        home.rule("r", any_of("aws.ec2"), json!({ "Arn": queue }));
        home.events("DisableRule", json!({ "Name": "r" }));
        emit(&cloud, HOME);
        cloud.advance(SOON).await;
        assert!(home.bodies("q").is_empty());
    });
}

#[test]
fn a_queue_admits_the_rule_that_its_policy_names() {
    world(async |cloud| {
        let home = at(&cloud, HOME);
        let queue = home.queue("q");
        let policy = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": { "Service": "events.amazonaws.com" },
                "Action": "sqs:SendMessage",
                "Resource": queue,
                "Condition": { "ArnEquals": {
                    "aws:SourceArn": format!("arn:aws:events:{HOME}:{ACCOUNT}:rule/right"),
                } },
            }],
        });
        let attributes = json!({ "Policy": policy.to_string() });
        home.sqs("SetQueueAttributes", json!({ "QueueUrl": url("q"), "Attributes": attributes }));
        home.rule("right", any_of("aws.ec2"), json!({ "Arn": queue }));
        home.rule("wrong", any_of("aws.ec2"), json!({ "Arn": queue }));
        emit(&cloud, HOME);
        cloud.advance(SOON).await;
        assert_eq!(home.bodies("q").len(), 1);
        assert_eq!(outcomes(&cloud), ["delivered", "lost: NO_PERMISSIONS"]);
    });
}

#[test]
fn what_may_not_be_delivered_becomes_a_dead_letter_at_once() {
    world(async |cloud| {
        let home = at(&cloud, HOME);
        let dead = home.queue("dead");
        home.sqs("CreateQueue", json!({ "QueueName": "closed" }));
        let closed = format!("arn:aws:sqs:{HOME}:{ACCOUNT}:closed");
        let gone = format!("arn:aws:lambda:{HOME}:{ACCOUNT}:function:gone");
        let letters = json!({ "Arn": dead });
        let target = |arn: &str| json!({ "Arn": arn, "DeadLetterConfig": letters });
        home.rule("closed", any_of("aws.ec2"), target(&closed));
        home.rule("gone", any_of("aws.ec2"), target(&gone));
        emit(&cloud, HOME);
        cloud.advance(SOON).await;
        let messages = home.messages("dead");
        let found: Vec<_> = messages
            .iter()
            .map(|message| {
                let names = ["RULE_ARN", "TARGET_ARN", "ERROR_CODE", "RETRY_ATTEMPTS"];
                names.map(|name| attribute(message, name).unwrap_or_default().to_string())
            })
            .collect();
        let rule = |name: &str| format!("arn:aws:events:{HOME}:{ACCOUNT}:rule/{name}");
        let letter = |name: &str, target: &str, code: &str| {
            [rule(name), target.to_string(), code.to_string(), "0".to_string()]
        };
        let expected =
            [letter("closed", &closed, "NO_PERMISSIONS"), letter("gone", &gone, "NO_RESOURCE")];
        assert_eq!(found, expected);
        for message in &messages {
            assert!(attribute(message, "ERROR_MESSAGE").is_some_and(|text| !text.is_empty()));
            assert_eq!(attribute(message, "EXHAUSTED_RETRY_CONDITION"), None);
            let body: Value = serde_json::from_str(message["Body"].as_str().expect("a body"))
                .expect("the event in JSON");
            assert_eq!(body["detail"]["state"], "stopped");
        }
        assert_eq!(outcomes(&cloud), ["dead letter: NO_PERMISSIONS", "dead letter: NO_RESOURCE"]);
    });
}

#[test]
fn dead_letters_can_be_seen_from_outside() {
    world(async |cloud| {
        let home = at(&cloud, HOME);
        let dead = home.queue("dead");
        let gone = format!("arn:aws:sqs:{HOME}:{ACCOUNT}:gone");
        let target = json!({ "Arn": gone, "DeadLetterConfig": { "Arn": dead } });
        home.rule("r", any_of("aws.ec2"), target);
        emit(&cloud, HOME);
        cloud.advance(SOON).await;
        let letters = cloud.with(|model| afterimage_cloud::sqs::dead_letters(model));
        let letters = letters.as_array().expect("letters");
        assert_eq!(letters.len(), 1);
        assert_eq!(letters[0]["queue"], json!(dead));
        assert_eq!(letters[0]["attributes"]["TARGET_ARN"], json!(gone));
    });
}

#[test]
fn a_lost_event_is_lost_and_a_doubled_one_comes_twice() {
    world(async |cloud| {
        let home = at(&cloud, HOME);
        let queue = home.queue("q");
        home.rule("r", any_of("aws.ec2"), json!({ "Arn": queue }));
        cloud.with(|model| model.faults.set(vec![Rule::lose()]));
        emit(&cloud, HOME);
        cloud.advance(SOON).await;
        assert!(home.bodies("q").is_empty());
        cloud.with(|model| model.faults.set(vec![Rule::duplicate(1, 0..=0)]));
        emit(&cloud, HOME);
        cloud.advance(SOON).await;
        let bodies = home.bodies("q");
        assert_eq!(bodies.len(), 2);
        assert_eq!(bodies[0], bodies[1], "a copy has the id of the first");
    });
}

#[test]
fn what_is_put_arrives_at_least_once() {
    world(async |cloud| {
        let home = at(&cloud, HOME);
        let queue = home.queue("q");
        home.rule("r", any_of("my.app"), json!({ "Arn": queue }));
        cloud.with(|model| model.faults.set(vec![Rule::lose()]));
        home.put("default", &json!({}));
        cloud.advance(SOON).await;
        assert_eq!(home.bodies("q").len(), 1);
    });
}

#[test]
fn a_bus_of_another_account_admits_by_its_policy() {
    world(async |cloud| {
        let home = at(&cloud, HOME);
        let queue = home.queue("q");
        home.rule("r", any_of("my.app"), json!({ "Arn": queue }));
        let stranger = super::Client { access_key: "AKIASTRANGER", ..at(&cloud, HOME) };
        cloud.with(|model| {
            let identity = afterimage_cloud::access::Identity::administrator(OTHER_ACCOUNT);
            model.principals.declare_key("AKIASTRANGER", identity);
        });
        let bus = format!("arn:aws:events:{HOME}:{ACCOUNT}:event-bus/default");
        let entry = json!({
            "EventBusName": bus, "Source": "my.app", "DetailType": "T", "Detail": "{}",
        });
        let body = json!({ "Entries": [entry] });
        let (status, answer) = stranger.raw("events", "PutEvents", &body);
        assert_eq!((status, &answer["__type"]), (400, &json!("AccessDeniedException")));
        let permission = json!({
            "StatementId": "s", "Principal": OTHER_ACCOUNT, "Action": "events:PutEvents",
        });
        home.events("PutPermission", permission);
        stranger.events("PutEvents", body);
        cloud.advance(SOON).await;
        let bodies = home.bodies("q");
        assert_eq!(bodies.len(), 1);
        assert_eq!(bodies[0]["account"], OTHER_ACCOUNT);
    });
}

#[test]
fn a_role_puts_events_as_its_policy_says() {
    world(async |cloud| {
        let role = format!("arn:aws:iam::{ACCOUNT}:role/sender");
        let policy = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Action": "events:PutEvents",
                "Resource": format!("arn:aws:events:{HOME}:{ACCOUNT}:event-bus/default"),
                "Condition": { "StringEquals": { "events:source": "my.app" } },
            }],
        });
        cloud.with(|model| {
            model.principals.declare_role(&role, &[policy], None).expect("a policy");
            let identity = afterimage_cloud::access::Identity {
                account: ACCOUNT.into(),
                arn: format!("arn:aws:sts::{ACCOUNT}:assumed-role/sender/one"),
                role: Some(role.clone()),
                environment: None,
            };
            model.principals.declare_key("AKIASENDER", identity);
        });
        let sender = super::Client { access_key: "AKIASENDER", ..at(&cloud, HOME) };
        let put = |source: &str| {
            let entry = json!({ "Source": source, "DetailType": "T", "Detail": "{}" });
            sender.raw("events", "PutEvents", &json!({ "Entries": [entry] }))
        };
        assert_eq!(put("my.app").0, 200);
        let (status, answer) = put("other.app");
        assert_eq!((status, &answer["__type"]), (400, &json!("AccessDeniedException")));
    });
}
