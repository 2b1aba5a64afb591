//! Buses as targets: one hop, by a role, and what happens while a region is dark.

use std::time::Duration;

use afterimage_cloud::Cloud;
use serde_json::{Value, json};

use super::{
    ACCOUNT, Client, FAR, HOME, OTHER_ACCOUNT, SOON, any_of, at, attribute, emit, outcomes, world,
};

const THIRD: &str = "eu-central-1";

fn bus_arn(region: &str, account: &str, name: &str) -> String {
    format!("arn:aws:events:{region}:{account}:event-bus/{name}")
}

/// Declares a role that may put events on some buses.
fn role(cloud: &Cloud, resource: &str) -> String {
    let arn = format!("arn:aws:iam::{ACCOUNT}:role/forward");
    let policy = json!({
        "Version": "2012-10-17",
        "Statement":
            [{ "Effect": "Allow", "Action": "events:PutEvents", "Resource": resource }],
    });
    cloud.with(|model| {
        model.principals.declare_role(&arn, &[policy], None).expect("a policy");
    });
    arn
}

/// A bus `own` whose every event from EC2 goes to the queue `q`.
fn own_bus(client: &Client) -> String {
    client.events("CreateEventBus", json!({ "Name": "own" }));
    let queue = client.queue("q");
    let pattern = json!({ "source": ["aws.ec2"] }).to_string();
    let rule = json!({ "Name": "in", "EventBusName": "own", "EventPattern": pattern });
    client.events("PutRule", rule);
    let targets = json!([{ "Id": "q", "Arn": queue }]);
    client.events("PutTargets", json!({ "Rule": "in", "EventBusName": "own", "Targets": targets }));
    bus_arn(client.region, ACCOUNT, "own")
}

#[test]
fn an_event_goes_to_another_region_as_it_is() {
    world(async |cloud| {
        let (far, home) = (at(&cloud, FAR), at(&cloud, HOME));
        let own = own_bus(&home);
        let role = role(&cloud, &own);
        far.rule("out", any_of("aws.ec2"), json!({ "Arn": own, "RoleArn": role }));
        let copy = far.queue("copy");
        far.rule("copy", any_of("aws.ec2"), json!({ "Arn": copy }));
        emit(&cloud, FAR);
        cloud.advance(SOON).await;
        let bodies = home.bodies("q");
        assert_eq!(bodies, far.bodies("copy"), "with its id, account, region and time");
        assert_eq!(bodies[0]["region"], FAR);
    });
}

#[test]
fn an_event_is_forwarded_once() {
    world(async |cloud| {
        let (far, home, third) = (at(&cloud, FAR), at(&cloud, HOME), at(&cloud, THIRD));
        let own = own_bus(&home);
        let end = own_bus(&third);
        let role = role(&cloud, "*");
        far.rule("out", any_of("aws.ec2"), json!({ "Arn": own, "RoleArn": role }));
        let dead = home.queue("dead");
        let pattern = json!({ "source": ["aws.ec2"] }).to_string();
        let rule = json!({ "Name": "on", "EventBusName": "own", "EventPattern": pattern });
        home.events("PutRule", rule);
        let target = json!({
            "Id": "third", "Arn": end, "RoleArn": role, "DeadLetterConfig": { "Arn": dead },
        });
        let body = json!({ "Rule": "on", "EventBusName": "own", "Targets": [target] });
        home.events("PutTargets", body);
        emit(&cloud, FAR);
        cloud.advance(SOON).await;
        assert_eq!(home.bodies("q").len(), 1);
        assert!(third.bodies("q").is_empty());
        let letters = home.messages("dead");
        assert_eq!(letters.len(), 1);
        assert_eq!(attribute(&letters[0], "ERROR_CODE"), Some("THIRD_REGION_HOP_DETECTED"));
        let rule = format!("arn:aws:events:{HOME}:{ACCOUNT}:rule/own/on");
        assert_eq!(attribute(&letters[0], "RULE_ARN"), Some(rule.as_str()));
    });
}

#[test]
fn the_role_decides() {
    let cases = [
        (bus_arn(HOME, ACCOUNT, "own"), "forward", "delivered"),
        (bus_arn(HOME, ACCOUNT, "else"), "forward", "lost: NO_PERMISSIONS"),
        (bus_arn(HOME, ACCOUNT, "own"), "unknown", "lost: FAILED_TO_ASSUME_ROLE"),
    ];
    for (allowed, name, outcome) in cases {
        world(async |cloud| {
            let far = at(&cloud, FAR);
            let own = own_bus(&at(&cloud, HOME));
            role(&cloud, &allowed);
            let role = format!("arn:aws:iam::{ACCOUNT}:role/{name}");
            far.rule("out", any_of("aws.ec2"), json!({ "Arn": own, "RoleArn": role }));
            emit(&cloud, FAR);
            cloud.advance(SOON).await;
            assert_eq!(outcomes(&cloud)[0], outcome);
        });
    }
}

#[test]
fn a_role_forwards_only_if_it_trusts_eventbridge() {
    for (service, outcome) in [
        ("events.amazonaws.com", "delivered"),
        ("lambda.amazonaws.com", "lost: FAILED_TO_ASSUME_ROLE"),
    ] {
        world(async |cloud| {
            let far = at(&cloud, FAR);
            let own = own_bus(&at(&cloud, HOME));
            let role = role(&cloud, &own);
            let trust = json!({
                "Version": "2012-10-17",
                "Statement": [{
                    "Effect": "Allow",
                    "Principal": { "Service": service },
                    "Action": "sts:AssumeRole",
                }],
            });
            let trust = afterimage_cloud::iam::PolicyDocument::parse_resource(&trust);
            cloud.with(|model| {
                let role = model.principals.roles.get_mut(&role).expect("it is declared");
                role.trust = Some(trust.expect("a policy"));
            });
            far.rule("out", any_of("aws.ec2"), json!({ "Arn": own, "RoleArn": role }));
            emit(&cloud, FAR);
            cloud.advance(SOON).await;
            assert_eq!(outcomes(&cloud)[0], outcome, "{service}");
        });
    }
}

#[test]
fn a_bus_that_is_gone_takes_nothing() {
    world(async |cloud| {
        let far = at(&cloud, FAR);
        let role = role(&cloud, "*");
        let target = json!({ "Arn": bus_arn(HOME, ACCOUNT, "none"), "RoleArn": role });
        far.rule("out", any_of("aws.ec2"), target);
        emit(&cloud, FAR);
        cloud.advance(SOON).await;
        assert_eq!(outcomes(&cloud), ["lost: NO_RESOURCE"]);
    });
}

#[test]
fn a_bus_of_another_account_has_to_admit_the_role() {
    world(async |cloud| {
        let home = at(&cloud, HOME);
        cloud.with(|model| {
            let identity = afterimage_cloud::access::Identity::administrator(OTHER_ACCOUNT);
            model.principals.declare_key("AKIAOTHER", identity);
        });
        let other = Client { access_key: "AKIAOTHER", ..at(&cloud, HOME) };
        let role = role(&cloud, "*");
        let target = json!({ "Arn": bus_arn(HOME, OTHER_ACCOUNT, "default"), "RoleArn": role });
        home.rule("out", any_of("aws.ec2"), target);
        emit(&cloud, HOME);
        cloud.advance(SOON).await;
        assert_eq!(outcomes(&cloud), ["lost: NO_PERMISSIONS"]);
        let permission = json!({
            "StatementId": "s", "Principal": ACCOUNT, "Action": "events:PutEvents",
        });
        other.events("PutPermission", permission);
        emit(&cloud, HOME);
        cloud.advance(SOON).await;
        assert_eq!(outcomes(&cloud)[1..], ["delivered", "no rule"]);
    });
}

/// The bus of a dark region as target, with a retry policy; gives the only dead letter after a day.
fn letter_of_the_dark(policy: &Value) -> (String, String, u32) {
    let mut found = None;
    world(async |cloud| {
        let far = at(&cloud, FAR);
        let own = own_bus(&at(&cloud, HOME));
        let dead = far.queue("dead");
        let role = role(&cloud, "*");
        let target = json!({
            "Arn": own, "RoleArn": role, "RetryPolicy": policy, "DeadLetterConfig": { "Arn": dead },
        });
        far.rule("out", any_of("aws.ec2"), target);
        cloud.with(|model| model.dark_regions.insert(HOME.to_string()));
        emit(&cloud, FAR);
        cloud.advance(Duration::from_secs(25 * 3600)).await;
        let letters = far.messages("dead");
        assert_eq!(letters.len(), 1);
        let text = |name| attribute(&letters[0], name).unwrap_or_default().to_string();
        let retries = text("RETRY_ATTEMPTS").parse().expect("a number");
        found = Some((text("ERROR_CODE"), text("EXHAUSTED_RETRY_CONDITION"), retries));
    });
    found.expect("a letter")
}

#[test]
fn retries_end_by_their_number_or_the_age_of_the_event() {
    let code = "CROSS_REGION_INGESTION_FAILED".to_string();
    let few = json!({ "MaximumRetryAttempts": 3 });
    let by_number = (code.clone(), "MaximumRetryAttempts".to_string(), 3);
    assert_eq!(letter_of_the_dark(&few), by_number);
    let none = json!({ "MaximumRetryAttempts": 0 });
    let at_once = (code.clone(), "MaximumRetryAttempts".to_string(), 0);
    assert_eq!(letter_of_the_dark(&none), at_once);
    let short = json!({ "MaximumEventAgeInSeconds": 60 });
    let (found, condition, retries) = letter_of_the_dark(&short);
    assert_eq!((found, condition.as_str()), (code, "MaximumEventAgeInSeconds"));
    assert!((1..20).contains(&retries), "{retries} retries in a minute, further and further apart");
}

#[test]
fn an_event_is_given_up_when_it_reaches_its_age() {
    world(async |cloud| {
        let far = at(&cloud, FAR);
        let own = own_bus(&at(&cloud, HOME));
        let dead = far.queue("dead");
        let role = role(&cloud, "*");
        let target = json!({
            "Arn": own, "RoleArn": role, "DeadLetterConfig": { "Arn": dead },
            "RetryPolicy": { "MaximumEventAgeInSeconds": 60 },
        });
        far.rule("out", any_of("aws.ec2"), target);
        cloud.with(|model| {
            model.config.pace.event_delay_ms = 1000..=1000;
            model.dark_regions.insert(HOME.to_string());
        });
        emit(&cloud, FAR);
        cloud.advance(Duration::from_secs(3600)).await;
        let letters = cloud.with(|model| afterimage_cloud::sqs::dead_letters(model));
        assert_eq!(letters[0]["sent"], "2026-01-01T00:01:01.000Z");
    });
}

#[test]
fn a_dark_region_keeps_its_events_until_it_is_back() {
    world(async |cloud| {
        let home = at(&cloud, HOME);
        let queue = home.queue("q");
        home.rule("r", any_of("aws.ec2"), json!({ "Arn": queue }));
        cloud.with(|model| model.dark_regions.insert(HOME.to_string()));
        emit(&cloud, HOME);
        cloud.advance(Duration::from_secs(3600)).await;
        assert!(outcomes(&cloud).is_empty());
        cloud.with(|model| model.dark_regions.remove(HOME));
        cloud.advance(Duration::from_secs(15 * 60)).await;
        assert_eq!(outcomes(&cloud), ["delivered"]);
    });
}

#[test]
fn an_event_gets_through_once_its_region_is_back() {
    world(async |cloud| {
        let (far, home) = (at(&cloud, FAR), at(&cloud, HOME));
        let own = own_bus(&home);
        let role = role(&cloud, "*");
        far.rule("out", any_of("aws.ec2"), json!({ "Arn": own, "RoleArn": role }));
        cloud.with(|model| model.dark_regions.insert(HOME.to_string()));
        emit(&cloud, FAR);
        cloud.advance(Duration::from_secs(3 * 3600)).await;
        cloud.with(|model| model.dark_regions.remove(HOME));
        assert!(home.bodies("q").is_empty());
        cloud.advance(Duration::from_secs(15 * 60)).await;
        let bodies = home.bodies("q");
        assert_eq!(bodies.len(), 1);
        assert_eq!(bodies[0]["time"], "2026-01-01T00:00:00Z");
    });
}
