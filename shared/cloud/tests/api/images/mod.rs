//! Images as their callers see them: made, registered, copied, shared, disabled and taken back.

mod copying;
mod ending;
mod listing;
mod making;
mod registering;

use std::time::Duration;

use crate::common::{ec2, leaf, leaves, query, query_as, refused};
use crate::machine::{
    DATA, HOME, IMAGE_OF_INSTANCE, INSTANCE, OTHER_ACCOUNT, OTHER_KEY, ROOT, declare_other, events,
    home, run, run_with, seconds,
};
use afterimage_cloud::access::Identity;
use afterimage_cloud::ec2::state::{InstanceState, ProductCode};
use afterimage_cloud::faults::{Creation, Rule};
use afterimage_cloud::{Cloud, Config, Time};

const STATE_CHANGE: &str = "EC2 AMI State Change";
/// Longer than any image or copy of these tests takes to be made.
const LONG: u64 = 3600;

fn create_form(name: &str, extra: &str) -> String {
    format!("Action=CreateImage&InstanceId={INSTANCE}&Name={name}{extra}")
}

fn create(cloud: &Cloud, name: &str, extra: &str) -> String {
    leaf(&ec2(cloud, &create_form(name, extra)), "imageId")
}

async fn available(cloud: &Cloud, name: &str) -> String {
    let id = create(cloud, name, "&NoReboot=true");
    seconds(cloud, LONG).await;
    assert_eq!(leaf(&describe(cloud, &id), "imageState"), "available");
    id
}

fn describe(cloud: &Cloud, id: &str) -> String {
    ec2(cloud, &format!("Action=DescribeImages&IncludeDisabled=true&ImageId.1={id}"))
}

fn in_region(cloud: &Cloud, region: &str, form: &str) -> String {
    let (status, body) = query(cloud, region, "ec2", form);
    assert_eq!(status, 200, "{form}: {body}");
    body
}

/// The code and the text of a refusal in a region.
fn refusal(cloud: &Cloud, region: &str, form: &str) -> (String, String) {
    let (status, body) = query(cloud, region, "ec2", form);
    assert_eq!(status, 400, "{form}: {body}");
    (leaf(&body, "Code"), leaf(&body, "Message"))
}

fn register_form(name: &str, snapshot: &str, extra: &str) -> String {
    format!(
        "Action=RegisterImage&Name={name}&RootDeviceName=/dev/xvda\
         &BlockDeviceMapping.1.DeviceName=/dev/xvda\
         &BlockDeviceMapping.1.Ebs.SnapshotId={snapshot}{extra}"
    )
}

fn marketplace() -> ProductCode {
    ProductCode { id: "sold".into(), kind: "marketplace".into() }
}

/// Gives the other account the launch of an image.
fn share(cloud: &Cloud, id: &str) {
    ec2(cloud, &share_form(id));
}

fn share_form(id: &str) -> String {
    let add = format!("LaunchPermission.Add.1.UserId={OTHER_ACCOUNT}");
    format!("Action=ModifyImageAttribute&ImageId={id}&{add}")
}
