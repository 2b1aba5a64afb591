//! EventBridge and SQS as their references describe them. Messages of errors are those that AWS has
//! been seen to give.

mod api;
mod delivery;
mod forwarding;
mod inputs;
mod queues;
mod schedules;

use std::time::Duration;

use afterimage_cloud::eventbridge::{self, Event};
use afterimage_cloud::model::Scope;
use afterimage_cloud::trace::What;
use afterimage_cloud::{Cloud, Config};
use serde_json::{Value, json};

use crate::raw;

const ACCOUNT: &str = "123456789012";
const OTHER_ACCOUNT: &str = "111122223333";
const HOME: &str = "us-east-1";
const FAR: &str = "eu-west-1";

/// Longer than any event takes to its bus.
const SOON: Duration = Duration::from_secs(10);

/// Lives through a scenario in a world of its own.
fn world(scenario: impl AsyncFnOnce(Cloud)) {
    Cloud::run(Config::seeded(1), scenario);
}

/// A caller in a region, by its access key.
struct Client<'a> {
    cloud: &'a Cloud,
    access_key: &'a str,
    region: &'a str,
}

/// The administrator of the default account.
fn at<'a>(cloud: &'a Cloud, region: &'a str) -> Client<'a> {
    Client { cloud, access_key: raw::ADMINISTRATOR, region }
}

impl Client<'_> {
    /// The status and the body of a call's answer.
    fn raw(&self, service: &str, action: &str, body: &Value) -> (u16, Value) {
        let target = match service {
            "events" => format!("AWSEvents.{action}"),
            _ => format!("AmazonSQS.{action}"),
        };
        let body = body.to_string();
        let request = raw::json_of(self.access_key, self.region, service, &target, &body);
        let response = raw::reply(self.cloud, &request);
        let body = match response.body.as_slice() {
            [] => Value::Null,
            body => serde_json::from_slice(body).expect("a reply in JSON"),
        };
        (response.status, body)
    }

    fn ok(&self, service: &str, action: &str, body: Value) -> Value {
        let (status, answer) = self.raw(service, action, &body);
        assert_eq!(status, 200, "{action} {body}: {answer}");
        answer
    }

    fn events(&self, action: &str, body: Value) -> Value {
        self.ok("events", action, body)
    }

    fn sqs(&self, action: &str, body: Value) -> Value {
        self.ok("sqs", action, body)
    }

    /// Holds a refusal against its code and message.
    #[track_caller]
    fn refused(&self, action: &str, body: Value, code: &str, message: &str) {
        let (status, answer) = self.raw("events", action, &body);
        assert_eq!(status, 400, "{action} {body}: {answer}");
        assert_eq!((&answer["__type"], &answer["message"]), (&json!(code), &json!(message)));
    }

    /// Makes a queue that EventBridge may write to; gives its ARN.
    fn queue(&self, name: &str) -> String {
        self.sqs("CreateQueue", json!({ "QueueName": name }));
        let arn = format!("arn:aws:sqs:{}:{ACCOUNT}:{name}", self.region);
        let policy = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": { "Service": "events.amazonaws.com" },
                "Action": "sqs:SendMessage",
                "Resource": arn,
            }],
        });
        let attributes = json!({ "Policy": policy.to_string() });
        self.sqs("SetQueueAttributes", json!({ "QueueUrl": url(name), "Attributes": attributes }));
        arn
    }

    /// Makes a rule on the default bus, with one target.
    fn rule(&self, name: &str, rule: Value, target: Value) {
        let mut rule = rule;
        rule["Name"] = json!(name);
        self.events("PutRule", rule);
        self.target(name, target);
    }

    fn target(&self, rule: &str, mut target: Value) {
        target["Id"] = json!("target");
        let answer = self.events("PutTargets", json!({ "Rule": rule, "Targets": [target] }));
        assert_eq!(answer["FailedEntryCount"], 0);
    }

    /// Puts one event on a bus; gives its id.
    fn put(&self, bus: &str, detail: &Value) -> Value {
        let entry = json!({
            "EventBusName": bus, "Source": "my.app", "DetailType": "Test",
            "Detail": detail.to_string(),
        });
        let answer = self.events("PutEvents", json!({ "Entries": [entry] }));
        assert_eq!(answer["FailedEntryCount"], 0);
        answer["Entries"][0]["EventId"].clone()
    }

    /// Takes every message out of a queue.
    fn messages(&self, queue: &str) -> Vec<Value> {
        let mut all = Vec::new();
        loop {
            let body = json!({
                "QueueUrl": url(queue),
                "MaxNumberOfMessages": 10,
                "MessageAttributeNames": ["All"],
            });
            let answer = self.sqs("ReceiveMessage", body);
            let Some(messages) = answer["Messages"].as_array() else { return all };
            for message in messages {
                let handle = &message["ReceiptHandle"];
                let body = json!({ "QueueUrl": url(queue), "ReceiptHandle": handle });
                self.sqs("DeleteMessage", body);
                all.push(message.clone());
            }
        }
    }

    /// Takes every message out of a queue; gives the bodies, which are JSON.
    fn bodies(&self, queue: &str) -> Vec<Value> {
        let body = |message: &Value| {
            let text = message["Body"].as_str().expect("a body");
            serde_json::from_str(text).expect("a body in JSON")
        };
        self.messages(queue).iter().map(body).collect()
    }
}

fn url(queue: &str) -> String {
    format!("http://localhost:4566/{ACCOUNT}/{queue}")
}

/// The texts of a message's attributes.
fn attribute<'a>(message: &'a Value, name: &str) -> Option<&'a str> {
    message["MessageAttributes"][name]["StringValue"].as_str()
}

fn any_of(source: &str) -> Value {
    json!({ "EventPattern": json!({ "source": [source] }).to_string() })
}

/// EC2 tells of an instance.
fn emit(cloud: &Cloud, region: &str) {
    let instance = format!("arn:aws:ec2:{region}:{ACCOUNT}:instance/i-1234567890abcdef0");
    let detail = json!({ "instance-id": "i-1234567890abcdef0", "state": "stopped" });
    let name = "EC2 Instance State-change Notification";
    let event = Event::new("aws.ec2", name, vec![instance], detail);
    cloud.with(|model| eventbridge::put::emit(model, &Scope::new(ACCOUNT, region), event));
}

/// What the trace tells of deliveries.
fn outcomes(cloud: &Cloud) -> Vec<String> {
    cloud.with(|model| {
        let entries = model.trace.entries().iter();
        let deliveries = entries.filter(|entry| entry.what == What::Delivery);
        deliveries.map(|entry| entry.outcome.clone()).collect()
    })
}
