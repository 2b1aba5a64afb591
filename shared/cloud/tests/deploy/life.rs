//! What was deployed works: schedules, patterns, permissions, dead letters, and other regions.

use afterimage_cloud::Cloud;
use afterimage_cloud::eventbridge::{self, Event};
use afterimage_cloud::lambda;
use afterimage_cloud::model::Scope;
use std::collections::BTreeMap;
use std::time::Duration;

use afterimage_cloud::deploy::Deployment;
use serde_json::{Value, json};

use super::{
    ACCOUNT, FAR, HOME, Log, SOON, TEMPLATE, changed, code, deployed, done, home, logged, world,
};

/// Puts an event of the shop on the bus; gives its id.
fn send(cloud: &Cloud, weight: u64) -> Value {
    let entry = json!({
        "EventBusName": "parcels", "Source": "shop", "DetailType": "Sent",
        "Detail": json!({ "weight": weight }).to_string(),
    });
    let answer = done(cloud, HOME, "AWSEvents.PutEvents", &json!({ "Entries": [entry] }));
    answer["Entries"][0]["EventId"].clone()
}

/// The messages of every queue whose name begins so.
fn letters(cloud: &Cloud, region: &str, prefix: &str) -> Vec<Value> {
    let all = cloud.with(|model| afterimage_cloud::sqs::dead_letters(model));
    let start = format!("arn:aws:sqs:{region}:{ACCOUNT}:{prefix}");
    let all = all.as_array().expect("a list").iter();
    all.filter(|one| one["queue"].as_str().is_some_and(|arn| arn.starts_with(&start)))
        .cloned()
        .collect()
}

fn items(cloud: &Cloud) -> Vec<Value> {
    let answer = done(cloud, HOME, "DynamoDB_20120810.Scan", &json!({ "TableName": "parcels" }));
    answer["Items"].as_array().expect("items").clone()
}

#[test]
fn a_scheduled_function_writes_to_its_table() {
    world(async |cloud| {
        let log = Log::default();
        let stack = deployed(&cloud, TEMPLATE, home(&cloud, &log));
        assert_eq!(stack.functions["Tick"], "arn:aws:lambda:us-east-1:123456789012:function:tick");
        cloud.advance(Duration::from_secs(3 * 60 + 30)).await;
        assert_eq!(items(&cloud).len(), 3);
        assert!(items(&cloud).iter().all(|item| item["owner"]["S"] == "tick"));
        assert!(logged(&log).iter().all(|(name, status, _)| name == "tick" && *status == 200));
    });
}

#[test]
fn a_pattern_lets_through_what_it_says() {
    world(async |cloud| {
        let log = Log::default();
        deployed(&cloud, TEMPLATE, home(&cloud, &log));
        send(&cloud, 5);
        let heavy = send(&cloud, 6);
        cloud.advance(SOON).await;
        let found = items(&cloud);
        assert_eq!(found.len(), 1);
        assert_eq!((&found[0]["pk"]["S"], &found[0]["owner"]["S"]), (&heavy, &json!("receive")));
    });
}

#[test]
fn what_the_template_does_not_allow_is_refused_and_named() {
    world(async |cloud| {
        let log = Log::default();
        let mut deployment = home(&cloud, &log);
        let body = json!({ "Key": { "pk": { "S": "x" } } });
        let deleting = code(&cloud, "receive", &log, "DynamoDB_20120810.DeleteItem", body);
        deployment.code.insert("receive".to_string(), deleting);
        let stack = deployed(&cloud, TEMPLATE, deployment);
        send(&cloud, 6);
        cloud.advance(SOON).await;
        let [(_, status, answer)] = logged(&log).try_into().expect("one call");
        let role = &stack.resources["ReceiveRole"];
        assert!(role.starts_with("post-ReceiveRole-"), "{role}");
        let message = format!(
            "User: arn:aws:sts::123456789012:assumed-role/{role}/receive is not authorized to \
             perform: dynamodb:DeleteItem on resource: \
             arn:aws:dynamodb:us-east-1:123456789012:table/parcels because no identity-based \
             policy allows the dynamodb:DeleteItem action"
        );
        assert_eq!(status, 400);
        let code = answer["__type"].as_str().expect("a code");
        assert!(code.ends_with("AccessDeniedException"), "{code}");
        assert_eq!(answer["message"], json!(message));
    });
}

#[test]
fn an_event_that_a_function_gives_up_reaches_its_destination() {
    world(async |cloud| {
        let log = Log::default();
        // Without its permission it fails, and SAM's own grant lets Lambda tell the queue.
        let template = changed("[dynamodb:PutItem, dynamodb:GetItem]", "dynamodb:GetItem");
        deployed(&cloud, &template, home(&cloud, &log));
        let id = send(&cloud, 6);
        cloud.advance(SOON).await;
        assert_eq!(logged(&log).len(), 1, "it is not tried again");
        let found = letters(&cloud, HOME, "undelivered");
        assert_eq!(found.len(), 1);
        let body: Value = serde_json::from_str(found[0]["body"].as_str().expect("a body"))
            .expect("a body in JSON");
        assert_eq!(body["requestContext"]["condition"], "RetriesExhausted");
        assert_eq!(body["requestPayload"]["id"], id);
    });
}

#[test]
fn an_event_that_finds_no_function_reaches_the_queue_of_its_rule() {
    world(async |cloud| {
        let stack = deployed(&cloud, TEMPLATE, home(&cloud, &Log::default()));
        let arn = &stack.functions["Receive"];
        cloud.with(|model| lambda::remove_function(model, arn)).expect("the function is there");
        let id = send(&cloud, 6);
        cloud.advance(SOON).await;
        let found = letters(&cloud, HOME, "post-Missed-");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0]["attributes"]["ERROR_CODE"], "NO_RESOURCE");
        let body = found[0]["body"].as_str().expect("a body");
        assert_eq!(serde_json::from_str::<Value>(body).expect("JSON")["id"], id);
        assert!(stack.resources["Missed"].contains("/post-Missed-"), "Ref of a queue is its URL");
    });
}

#[test]
fn a_rule_that_is_disabled_does_not_fire() {
    world(async |cloud| {
        let log = Log::default();
        let template = changed("rate(1 minute)", "rate(1 minute)\n            State: DISABLED");
        deployed(&cloud, &template, home(&cloud, &log));
        cloud.advance(Duration::from_secs(600)).await;
        assert_eq!(logged(&log), []);
    });
}

/// The stack in another region, which sends to the bus at home.
fn far(stack_outputs: &BTreeMap<String, String>) -> Deployment {
    Deployment {
        account: ACCOUNT.to_string(),
        region: FAR.to_string(),
        stack_name: "post".to_string(),
        parameters: BTreeMap::from([("HomeBus".to_string(), stack_outputs["BusArn"].clone())]),
        code: BTreeMap::new(),
    }
}

fn machine_stops(cloud: &Cloud) {
    let detail = json!({ "instance-id": "i-1234567890abcdef0", "state": "stopped" });
    let event = Event::new("aws.ec2", "EC2 Instance State-change Notification", vec![], detail);
    cloud.with(|model| eventbridge::put::emit(model, &Scope::new(ACCOUNT, FAR), event));
}

#[test]
fn a_stack_in_another_region_forwards_to_the_bus_at_home() {
    world(async |cloud| {
        let log = Log::default();
        let stack = deployed(&cloud, TEMPLATE, home(&cloud, &log));
        deployed(&cloud, include_str!("far.yaml"), far(&stack.outputs));
        machine_stops(&cloud);
        cloud.advance(SOON).await;
        assert_eq!(items(&cloud).len(), 1);
        assert_eq!(logged(&log).len(), 1);
        assert_eq!(letters(&cloud, FAR, ""), [] as [Value; 0]);
    });
}

#[test]
fn a_role_that_may_not_forward_leaves_a_dead_letter() {
    world(async |cloud| {
        let log = Log::default();
        let stack = deployed(&cloud, TEMPLATE, home(&cloud, &log));
        let template = include_str!("far.yaml").replace("events:PutEvents", "events:PutRule");
        deployed(&cloud, &template, far(&stack.outputs));
        machine_stops(&cloud);
        cloud.advance(SOON).await;
        assert_eq!(logged(&log), []);
        let found = letters(&cloud, FAR, "post-Undelivered-");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0]["attributes"]["ERROR_CODE"], "NO_PERMISSIONS");
    });
}
