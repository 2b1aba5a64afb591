//! Faults: what each kind of rule does, when it strikes, and that it strikes nothing else.

use std::time::Duration;

use afterimage_cloud::access::Identity;
use afterimage_cloud::ec2::state::{Volume, VolumeState};
use afterimage_cloud::faults::{Rule, When};
use afterimage_cloud::http::Request;
use afterimage_cloud::lambda::EnvironmentId;
use afterimage_cloud::model::Scope;
use afterimage_cloud::trace::{Entry, What};
use afterimage_cloud::{Cloud, Config, Time};
use serde_json::{Value, json};

mod calls;
mod events;
mod rules;
mod runs;

use crate::raw::{ec2, ec2_of, reply};

/// A key that belongs to an execution environment of the function `backup`.
const FUNCTION_KEY: &str = "AKIAFUNCTION";
const FUNCTION_ARN: &str = "arn:aws:sts::123456789012:assumed-role/backup-role/backup";
const VOLUME: &str = "vol-00000000000000001";

fn home() -> Scope {
    Scope::new("123456789012", "us-east-1")
}

/// A world with these rules, a volume to tag, and the key of a function.
fn run<T>(rules: Vec<Rule>, scenario: impl AsyncFnOnce(Cloud) -> T) -> T {
    let config = Config { faults: rules, ..Config::seeded(1) };
    Cloud::run(config, async |cloud| {
        let function = Identity {
            account: "123456789012".into(),
            arn: FUNCTION_ARN.to_string(),
            role: None,
            environment: Some(EnvironmentId(7)),
        };
        cloud.with(|model| {
            model.principals.declare_key(FUNCTION_KEY, function);
            let volumes = &mut model.ec2_region(&home()).volumes;
            volumes.insert(VOLUME.to_string(), volume());
        });
        scenario(cloud).await
    })
}

fn volume() -> Volume {
    Volume {
        id: VOLUME.to_string(),
        size_gib: 8,
        snapshot_id: None,
        zone: "us-east-1a".to_string(),
        state: VolumeState::Available,
        created_at: Time::START,
        volume_type: "gp3".to_string(),
        iops: None,
        throughput: None,
        kms_key: None,
        multi_attach: false,
        instance_id: None,
        tags: Default::default(),
        visible_at: Time::START,
        snapshot_taken_at: None,
        product_codes: Vec::new(),
    }
}

fn tag_volume() -> Request {
    ec2("CreateTags", &format!("&ResourceId.1={VOLUME}&Tag.1.Key=colour&Tag.1.Value=red"))
}

/// Whether [`tag_volume`] took effect.
fn is_tagged(cloud: &Cloud) -> bool {
    cloud.with(|model| {
        let tags = model.ec2_region(&home()).volumes.get(VOLUME).map(|volume| volume.tags.clone());
        tags.is_some_and(|tags| tags.contains_key("colour"))
    })
}

/// A call that always works.
fn look() -> Request {
    ec2("DescribeTags", "")
}

fn by_function(action: &str) -> Request {
    ec2_of(FUNCTION_KEY, "us-east-1", action, "")
}

/// Which of so many calls, the first being 1, got an error.
fn failing(cloud: &Cloud, request: &Request, calls: u64) -> Vec<u64> {
    (1..=calls).filter(|_| reply(cloud, request).status != 200).collect()
}

fn broken() -> Rule {
    Rule::fail(When::Before, 500, "InternalError")
}

/// What the trace tells: each line's kind, action and outcome.
fn told(cloud: &Cloud) -> Vec<(What, String, String)> {
    let line = |entry: &Entry| (entry.what, entry.action.clone(), entry.outcome.clone());
    cloud.with(|model| model.trace.entries().iter().map(line).collect())
}

fn event(state: &str) -> Value {
    json!({
        "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        "source": "aws.ec2",
        "detail-type": "EC2 AMI State Change",
        "account": "123456789012",
        "region": "us-east-1",
        "detail": { "State": state, "RequestId": "x", "Who": { "Name": "a", "Age": 5 } },
    })
}

fn fate(cloud: &Cloud, event: &Value) -> Vec<u128> {
    let late = cloud.with(|model| model.faults.event_fate(event));
    late.iter().map(Duration::as_millis).collect()
}
