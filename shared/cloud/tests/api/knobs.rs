//! The knobs for what nobody has written down: each way of each of them.

use afterimage_cloud::config::Quirks;
use afterimage_cloud::faults::{Creation, Rule};
use afterimage_cloud::{Cloud, Config};
use serde_json::json;

use crate::common::{ec2, leaf, query, refused};
use crate::json_calls;
use crate::machine::{
    DATA, HOME, INSTANCE, OTHER_ACCOUNT, declare_other, events, machine, seconds,
};

const SINGLE: &str = "EBS Snapshot Notification";
const SET: &str = "EBS Multi-Volume Snapshots Completion Status";
const TAGS: &str = "Tag Change on Resource";
/// Longer than anything here takes to be made.
const LONG: u64 = 3600;

/// Lives through a scenario beside a machine, with some knobs turned.
fn with<T>(turn: impl FnOnce(&mut Quirks), scenario: impl AsyncFnOnce(Cloud) -> T) -> T {
    let mut config = Config::seeded(1);
    turn(&mut config.quirks);
    Cloud::run(config, async |cloud| {
        machine(&cloud);
        scenario(cloud).await
    })
}

fn fault(cloud: &Cloud, of: Creation) {
    cloud.with(|model| model.faults.add(Rule::fail_creation(&[of], "out of luck").times(1)));
}

fn create_image(name: &str) -> String {
    format!("Action=CreateImage&InstanceId={INSTANCE}&Name={name}&NoReboot=true")
}

async fn image(cloud: &Cloud) -> String {
    let id = leaf(&ec2(cloud, &create_image("web")), "imageId");
    seconds(cloud, LONG).await;
    id
}

async fn snapshot(cloud: &Cloud, volume: &str) -> String {
    let id = leaf(&ec2(cloud, &format!("Action=CreateSnapshot&VolumeId={volume}")), "snapshotId");
    seconds(cloud, LONG).await;
    id
}

fn copy_image(source: &str) -> String {
    format!("Action=CopyImage&SourceRegion={HOME}&SourceImageId={source}&Name=copy")
}

#[test]
fn a_set_of_snapshots_sends_one_event_or_one_more_for_each() {
    for (turned, expected) in [(false, 0), (true, 2)] {
        with(
            |quirks| quirks.sets_send_single_events = turned,
            async |cloud| {
                let set =
                    format!("Action=CreateSnapshots&InstanceSpecification.InstanceId={INSTANCE}");
                ec2(&cloud, &set);
                seconds(&cloud, LONG).await;
                assert_eq!(events(&cloud, SET).await.len(), 1);
                assert_eq!(events(&cloud, SINGLE).await.len(), expected);
            },
        );
    }
}

#[test]
fn the_snapshots_behind_an_image_send_events_or_none() {
    for turned in [false, true] {
        with(
            |quirks| quirks.images_send_snapshot_events = turned,
            async |cloud| {
                image(&cloud).await;
                let sent = events(&cloud, SET).await.len() + events(&cloud, SINGLE).await.len();
                assert_eq!(sent > 0, turned);
            },
        );
    }
}

#[test]
fn tags_that_come_with_a_creation_send_an_event_or_none() {
    for (turned, expected) in [(false, 0), (true, 1)] {
        with(
            |quirks| quirks.tag_on_create_sends_event = turned,
            async |cloud| {
                let tag = "TagSpecification.1.Tag.1.Key=a&TagSpecification.1.Tag.1.Value=b";
                let form = format!(
                    "Action=CreateSnapshot&VolumeId={DATA}\
                     &TagSpecification.1.ResourceType=snapshot&{tag}"
                );
                ec2(&cloud, &form);
                assert_eq!(events(&cloud, TAGS).await.len(), expected);
            },
        );
    }
}

#[test]
fn a_failed_image_keeps_its_name_or_gives_it_back() {
    for turned in [false, true] {
        with(
            |quirks| quirks.failed_image_keeps_name = turned,
            async |cloud| {
                fault(&cloud, Creation::Image);
                let id = image(&cloud).await;
                let body = ec2(&cloud, &format!("Action=DescribeImages&ImageId.1={id}"));
                assert_eq!(leaf(&body, "imageState"), "failed");
                let (status, body) = query(&cloud, HOME, "ec2", &create_image("web"));
                let code = if turned { "InvalidAMIName.Duplicate" } else { "" };
                assert_eq!((status == 200, leaf(&body, "Code").as_str()), (!turned, code));
            },
        );
    }
}

#[test]
fn the_reboot_for_an_image_sends_events_or_none() {
    for turned in [false, true] {
        with(
            |quirks| quirks.create_image_reboot_sends_events = turned,
            async |cloud| {
                ec2(&cloud, &create_image("web").replace("true", "false"));
                seconds(&cloud, LONG).await;
                let sent = events(&cloud, "EC2 Instance State-change Notification").await;
                assert_eq!(!sent.is_empty(), turned);
            },
        );
    }
}

#[test]
fn volumes_that_go_with_an_instance_send_events_or_none() {
    for turned in [false, true] {
        with(
            |quirks| quirks.instance_volumes_send_events = turned,
            async |cloud| {
                ec2(&cloud, &format!("Action=TerminateInstances&InstanceId.1={INSTANCE}"));
                seconds(&cloud, LONG).await;
                let sent = events(&cloud, "EBS Volume Notification").await;
                assert_eq!(!sent.is_empty(), turned);
            },
        );
    }
}

#[test]
fn a_copy_that_failed_has_the_code_of_the_knob() {
    for code in ["Server.InternalError", "Client.InternalError"] {
        with(
            |quirks| quirks.copy_failure_code = code.to_string(),
            async |cloud| {
                let source = image(&cloud).await;
                fault(&cloud, Creation::ImageCopy);
                let id = leaf(&ec2(&cloud, &copy_image(&source)), "imageId");
                seconds(&cloud, LONG).await;
                let body = ec2(&cloud, &format!("Action=DescribeImages&ImageId.1={id}"));
                let (_, reason) = body.split_once("<stateReason>").expect("a reason");
                assert_eq!(leaf(reason, "code"), code);
            },
        );
    }
}

#[test]
fn refusals_whose_codes_nobody_knows_have_those_of_the_knobs() {
    let turn = |quirks: &mut Quirks| {
        quirks.copy_unavailable_code = "InvalidRequest".to_string();
        quirks.protected_image_code = "Protected".to_string();
        quirks.locked_snapshot_code = "Locked".to_string();
    };
    with(turn, async |cloud| {
        let pending = leaf(&ec2(&cloud, &create_image("pending")), "imageId");
        assert_eq!(refused(&cloud, &copy_image(&pending)), "InvalidRequest");
        seconds(&cloud, LONG).await;
        ec2(&cloud, &format!("Action=EnableImageDeregistrationProtection&ImageId={pending}"));
        let form = format!("Action=DeregisterImage&ImageId={pending}");
        assert_eq!(refused(&cloud, &form), "Protected");
        let id = snapshot(&cloud, DATA).await;
        let lock = format!("Action=LockSnapshot&SnapshotId={id}");
        ec2(&cloud, &format!("{lock}&LockMode=governance&LockDuration=1"));
        assert_eq!(refused(&cloud, &format!("Action=DeleteSnapshot&SnapshotId={id}")), "Locked");
    });
}

#[test]
fn a_plain_copy_stays_under_its_key_or_comes_under_the_default_one() {
    for turned in [false, true] {
        with(
            |quirks| quirks.plain_copy_keeps_key = turned,
            async |cloud| {
                let kms = json_calls::client("kms", "TrentService.");
                let made = kms.done(&cloud, "CreateKey", &json!({}));
                let key = made["KeyMetadata"]["Arn"].as_str().expect("an ARN").to_string();
                let zone = format!("AvailabilityZone={HOME}a&Size=1");
                let form = format!("Action=CreateVolume&{zone}&Encrypted=true&KmsKeyId={key}");
                let volume = leaf(&ec2(&cloud, &form), "volumeId");
                seconds(&cloud, LONG).await;
                let source = snapshot(&cloud, &volume).await;
                let copy = format!("SourceRegion={HOME}&SourceSnapshotId={source}");
                let id = leaf(&ec2(&cloud, &format!("Action=CopySnapshot&{copy}")), "snapshotId");
                let body = ec2(&cloud, &format!("Action=DescribeSnapshots&SnapshotId.1={id}"));
                assert_eq!(leaf(&body, "encrypted"), "true");
                assert_eq!(leaf(&body, "kmsKeyId") == key, turned);
            },
        );
    }
}

#[test]
fn who_shares_a_snapshot_is_named_in_a_text_or_by_a_number() {
    for (turned, expected) in [(false, json!("123456789012")), (true, json!(123_456_789_012_u64))] {
        with(
            |quirks| quirks.share_event_owner_is_number = turned,
            async |cloud| {
                declare_other(&cloud);
                let id = snapshot(&cloud, DATA).await;
                let add = format!("CreateVolumePermission.Add.1.UserId={OTHER_ACCOUNT}");
                ec2(&cloud, &format!("Action=ModifySnapshotAttribute&SnapshotId={id}&{add}"));
                let sent = events(&cloud, SINGLE).await;
                let shared = sent.iter().find(|event| event["detail"]["event"] == "shareSnapshot");
                assert_eq!(shared.expect("it is told")["detail"]["source"], expected);
            },
        );
    }
}
