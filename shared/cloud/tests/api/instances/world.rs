//! Worlds for these tests, and what happened in them.

use std::time::Duration;

use afterimage_cloud::ec2::catalogue;
use afterimage_cloud::trace::What;
use afterimage_cloud::{Cloud, Config};
use serde_json::Value;

use crate::common::{ec2, leaf};
use crate::json_calls;

pub const LINUX: &str = "al2023-ami-2023.6.20260101.0-kernel-6.1-x86_64";
pub const ARM: &str = "al2023-ami-2023.6.20260101.0-kernel-6.1-arm64";
pub const UBUNTU: &str = "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20260101";
pub const WINDOWS: &str = "Windows_Server-2022-English-Full-Base-2026.01.01";
pub const TPM: &str = "TPM-Windows_Server-2022-English-Full-Base-2026.01.01";
pub const MARKETPLACE: &str = "acme-firewall-7.1-x86_64-marketplace";
pub const PARAVIRTUAL: &str = "amzn-ami-pv-2018.03.0.20181129-x86_64-ebs";
pub const INSTANCE_STORE: &str = "amzn-ami-hvm-2018.03.0.20181129-x86_64-s3";

/// A world without throttles, which have tests of their own.
pub fn calm() -> Config {
    let mut config = Config::seeded(1);
    config.limits.throttles = false;
    config
}

pub fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// The id in us-east-1 of a public image.
pub fn image(name: &str) -> String {
    catalogue::image_of_name("us-east-1", name).expect("the catalogue has the image").id.clone()
}

/// The form of a launch of one instance of an image.
pub fn launch_form(name: &str, kind: &str, rest: &str) -> String {
    let image = image(name);
    format!("Action=RunInstances&ImageId={image}&InstanceType={kind}&MinCount=1&MaxCount=1{rest}")
}

/// Launches one instance, which is pending yet; its id.
pub fn launch(cloud: &Cloud, name: &str, kind: &str, rest: &str) -> String {
    leaf(&ec2(cloud, &launch_form(name, kind, rest)), "instanceId")
}

/// Launches a small Linux machine and waits until it runs.
pub async fn running(cloud: &Cloud, rest: &str) -> String {
    let id = launch(cloud, LINUX, "t3.micro", rest);
    cloud.advance(secs(20)).await;
    id
}

/// The description of one instance.
pub fn described(cloud: &Cloud, id: &str) -> String {
    ec2(cloud, &format!("Action=DescribeInstances&InstanceId.1={id}"))
}

pub fn state_of(cloud: &Cloud, id: &str) -> String {
    let body = described(cloud, id);
    leaf(&leaf(&body, "instanceState"), "name")
}

/// The details of all events of a kind so far, in the order of the trace.
pub fn events(cloud: &Cloud, detail_type: &str) -> Vec<Value> {
    cloud.with(|model| {
        let lines = model.trace.entries().iter();
        let sent = lines.filter(|line| line.what == What::Event && line.action == detail_type);
        sent.map(|line| line.detail.clone()).collect()
    })
}

/// The states that the events of one instance tell of, in the order of their time.
pub fn told_states(cloud: &Cloud, id: &str) -> Vec<String> {
    let all = events(cloud, "EC2 Instance State-change Notification");
    let mut own: Vec<&Value> =
        all.iter().filter(|event| event["detail"]["instance-id"] == id).collect();
    own.sort_by_key(|event| event["time"].to_string());
    own.iter().filter_map(|event| event["detail"]["state"].as_str().map(Into::into)).collect()
}

/// A call of KMS in us-east-1; its answer.
pub fn kms(cloud: &Cloud, action: &str, body: &Value) -> Value {
    json_calls::client("kms", "TrentService.").done(cloud, action, body)
}
