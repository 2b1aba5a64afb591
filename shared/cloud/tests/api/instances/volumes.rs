//! Volumes by themselves, and on instances.

use afterimage_cloud::Cloud;

use super::world::{MARKETPLACE, calm, described, events, launch, running, secs};
use crate::common::{ec2, leaf, leaves, refused};

const ZONE: &str = "Action=CreateVolume&AvailabilityZone=us-east-1a";

async fn volume(cloud: &Cloud, rest: &str) -> String {
    let id = leaf(&ec2(cloud, &format!("{ZONE}{rest}")), "volumeId");
    cloud.advance(secs(5)).await;
    id
}

fn status(cloud: &Cloud, id: &str) -> String {
    leaf(&ec2(cloud, &format!("Action=DescribeVolumes&VolumeId.1={id}")), "status")
}

#[test]
fn each_type_has_its_bounds() {
    Cloud::run(calm(), async |cloud| {
        for (rest, code) in [
            ("", "MissingParameter"),
            ("&Size=0", "InvalidParameterValue"),
            ("&Size=16385", "InvalidParameterValue"),
            ("&Size=1&VolumeType=gp9", "InvalidParameterValue"),
            ("&Size=8&Iops=500", "InvalidParameterCombination"),
            ("&Size=8&VolumeType=gp3&Iops=2999", "InvalidParameterValue"),
            ("&Size=8&VolumeType=gp3&Iops=4001", "InvalidParameterValue"),
            ("&Size=8&VolumeType=gp3&Throughput=124", "InvalidParameterValue"),
            ("&Size=8&VolumeType=gp3&Throughput=751", "InvalidParameterValue"),
            ("&Size=8&VolumeType=gp2&Throughput=125", "InvalidParameterCombination"),
            ("&Size=8&VolumeType=io1", "MissingParameter"),
            ("&Size=8&VolumeType=io1&Iops=401", "InvalidParameterValue"),
            ("&Size=124&VolumeType=st1", "InvalidParameterValue"),
            ("&Size=1025&VolumeType=standard", "InvalidParameterValue"),
            ("&Size=8&KmsKeyId=alias/x", "InvalidParameterDependency"),
        ] {
            assert_eq!(refused(&cloud, &format!("{ZONE}{rest}")), code, "{rest}");
        }
        for rest in [
            "&Size=8&VolumeType=gp3&Iops=4000&Throughput=1000",
            "&Size=1&VolumeType=gp3",
            "&Size=8&VolumeType=io2&Iops=8000",
            "&Size=125&VolumeType=sc1",
        ] {
            ec2(&cloud, &format!("{ZONE}{rest}"));
        }
        let form = "Action=CreateVolume&AvailabilityZone=us-east-1z&Size=1";
        assert_eq!(refused(&cloud, form), "InvalidZone.NotFound");
    });
}

#[test]
fn performance_that_is_not_asked_for_is_that_of_the_type() {
    Cloud::run(calm(), async |cloud| {
        for (rest, iops, throughput) in [
            ("&Size=8", "100", ""),
            ("&Size=1000", "3000", ""),
            ("&Size=10000", "16000", ""),
            ("&Size=8&VolumeType=gp3", "3000", "125"),
            ("&Size=8&VolumeType=standard", "", ""),
        ] {
            let body = ec2(&cloud, &format!("{ZONE}{rest}"));
            let shown = (leaf(&body, "iops"), leaf(&body, "throughput"));
            assert_eq!(shown, (iops.to_string(), throughput.to_string()), "{rest}");
        }
    });
}

#[test]
fn a_volume_comes_and_goes_with_events() {
    Cloud::run(calm(), async |cloud| {
        let id = leaf(&ec2(&cloud, &format!("{ZONE}&Size=8")), "volumeId");
        assert_eq!(status(&cloud, &id), "creating");
        let delete = format!("Action=DeleteVolume&VolumeId={id}");
        assert_eq!(refused(&cloud, &delete), "IncorrectState");
        cloud.advance(secs(5)).await;
        assert_eq!(status(&cloud, &id), "available");
        ec2(&cloud, &delete);
        assert_eq!(status(&cloud, &id), "deleting");
        cloud.advance(secs(10)).await;
        assert_eq!(refused(&cloud, &delete), "InvalidVolume.NotFound");
        let told = events(&cloud, "EBS Volume Notification");
        let told: Vec<(&str, &str)> = told
            .iter()
            .filter_map(|event| {
                Some((event["detail"]["event"].as_str()?, event["detail"]["result"].as_str()?))
            })
            .collect();
        assert_eq!(told, [("createVolume", "available"), ("deleteVolume", "deleted")]);
    });
}

#[test]
fn a_volume_is_attached_and_detached_in_its_zone() {
    Cloud::run(calm(), async |cloud| {
        let machine = running(&cloud, "").await;
        let id = volume(&cloud, "&Size=8").await;
        let attach = |volume: &str, device: &str| {
            format!("Action=AttachVolume&VolumeId={volume}&InstanceId={machine}&Device={device}")
        };
        assert_eq!(leaf(&ec2(&cloud, &attach(&id, "/dev/sdf")), "status"), "attaching");
        cloud.advance(secs(5)).await;
        let body = ec2(&cloud, &format!("Action=DescribeVolumes&VolumeId.1={id}"));
        let attachment = leaf(&body, "attachmentSet");
        assert_eq!(leaf(&attachment, "status"), "attached");
        assert_eq!(leaf(&attachment, "deleteOnTermination"), "false");
        assert_eq!(leaves(&described(&cloud, &machine), "deviceName"), ["/dev/xvda", "/dev/sdf"]);
        assert_eq!(refused(&cloud, &attach(&id, "/dev/sdg")), "VolumeInUse");
        let delete = format!("Action=DeleteVolume&VolumeId={id}");
        assert_eq!(refused(&cloud, &delete), "VolumeInUse");
        let second = volume(&cloud, "&Size=8").await;
        assert_eq!(refused(&cloud, &attach(&second, "/dev/sdf")), "InvalidParameterValue");
        let form = "Action=CreateVolume&AvailabilityZone=us-east-1b&Size=8";
        let far = leaf(&ec2(&cloud, form), "volumeId");
        cloud.advance(secs(5)).await;
        assert_eq!(refused(&cloud, &attach(&far, "/dev/sdg")), "InvalidVolume.ZoneMismatch");
        let detach = format!("Action=DetachVolume&VolumeId={id}");
        assert_eq!(leaf(&ec2(&cloud, &detach), "status"), "detaching");
        cloud.advance(secs(5)).await;
        assert_eq!(status(&cloud, &id), "available");
        assert_eq!(refused(&cloud, &detach), "IncorrectState");
        assert_eq!(leaves(&described(&cloud, &machine), "deviceName"), ["/dev/xvda"]);
    });
}

#[test]
fn the_root_volume_comes_off_only_a_stopped_instance_which_then_cannot_start() {
    Cloud::run(calm(), async |cloud| {
        let machine = running(&cloud, "").await;
        let root = leaf(&described(&cloud, &machine), "volumeId");
        let detach = format!("Action=DetachVolume&VolumeId={root}");
        assert_eq!(refused(&cloud, &detach), "OperationNotPermitted");
        ec2(&cloud, &format!("Action=StopInstances&InstanceId.1={machine}"));
        cloud.advance(secs(40)).await;
        ec2(&cloud, &detach);
        cloud.advance(secs(5)).await;
        let start = format!("Action=StartInstances&InstanceId.1={machine}");
        assert_eq!(refused(&cloud, &start), "IncorrectInstanceState");
        let form =
            format!("Action=AttachVolume&VolumeId={root}&InstanceId={machine}&Device=/dev/xvda");
        ec2(&cloud, &form);
        ec2(&cloud, &start);
    });
}

#[test]
fn a_volume_is_made_from_a_completed_snapshot_only() {
    Cloud::run(calm(), async |cloud| {
        let source = volume(&cloud, "&Size=10").await;
        let body = ec2(&cloud, &format!("Action=CreateSnapshot&VolumeId={source}"));
        let snapshot = leaf(&body, "snapshotId");
        let form = format!("{ZONE}&SnapshotId={snapshot}");
        assert_eq!(refused(&cloud, &form), "IncorrectState");
        cloud.advance(secs(600)).await;
        let body = ec2(&cloud, &form);
        assert_eq!((leaf(&body, "size"), leaf(&body, "snapshotId")), ("10".into(), snapshot));
        assert_eq!(refused(&cloud, &format!("{form}&Size=9")), "InvalidParameterValue");
        assert_eq!(leaf(&ec2(&cloud, &format!("{form}&Size=11")), "size"), "11");
        let nobody = format!("{ZONE}&SnapshotId=snap-0123456789abcdef0");
        assert_eq!(refused(&cloud, &nobody), "InvalidSnapshot.NotFound");
    });
}

#[test]
fn a_volume_under_a_key_that_cannot_be_used_fails_later() {
    Cloud::run(calm(), async |cloud| {
        let id = volume(&cloud, "&Size=8&Encrypted=true&KmsKeyId=alias/nobody-made-this").await;
        assert_eq!(status(&cloud, &id), "error");
        cloud.advance(secs(5)).await;
        let told = events(&cloud, "EBS Volume Notification");
        assert_eq!(told.first().map(|event| event["detail"]["result"] == "failed"), Some(true));
        ec2(&cloud, &format!("Action=DeleteVolume&VolumeId={id}"));
    });
}

#[test]
fn a_client_token_makes_one_volume() {
    Cloud::run(calm(), async |cloud| {
        let form = format!("{ZONE}&Size=8&ClientToken=once");
        let first = leaf(&ec2(&cloud, &form), "volumeId");
        assert_eq!(leaf(&ec2(&cloud, &form), "volumeId"), first);
        let other = format!("{ZONE}&Size=9&ClientToken=once");
        assert_eq!(refused(&cloud, &other), "IdempotentParameterMismatch");
        assert_eq!(leaves(&ec2(&cloud, "Action=DescribeVolumes"), "volumeId"), [first]);
    });
}

#[test]
fn a_marked_volume_goes_on_a_stopped_instance_and_marks_it() {
    Cloud::run(calm(), async |cloud| {
        let shop = launch(&cloud, MARKETPLACE, "m5.large", "");
        let plain = running(&cloud, "").await;
        for id in [&shop, &plain] {
            ec2(&cloud, &format!("Action=StopInstances&InstanceId.1={id}"));
        }
        cloud.advance(secs(40)).await;
        let volumes = leaves(&described(&cloud, &shop), "volumeId");
        let data = volumes.last().expect("it has volumes");
        let body = ec2(&cloud, &format!("Action=CreateSnapshot&VolumeId={data}"));
        cloud.advance(secs(3600)).await;
        let snapshot = leaf(&body, "snapshotId");
        let marked = volume(&cloud, &format!("&SnapshotId={snapshot}")).await;
        let attach = |machine: &str| {
            format!("Action=AttachVolume&VolumeId={marked}&InstanceId={machine}&Device=/dev/sdf")
        };
        let other = running(&cloud, "").await;
        assert_eq!(refused(&cloud, &attach(&other)), "OperationNotPermitted");
        assert_eq!(leaf(&leaf(&described(&cloud, &plain), "productCodes"), "type"), "");
        ec2(&cloud, &attach(&plain));
        assert_eq!(leaf(&leaf(&described(&cloud, &plain), "productCodes"), "type"), "marketplace");
    });
}

#[test]
fn volumes_are_filtered_and_paged() {
    Cloud::run(calm(), async |cloud| {
        let machine = running(&cloud, "").await;
        let rest = "&Size=9&TagSpecification.1.ResourceType=volume\
                    &TagSpecification.1.Tag.1.Key=a&TagSpecification.1.Tag.1.Value=b";
        let tagged = volume(&cloud, rest).await;
        let root = leaf(&described(&cloud, &machine), "volumeId");
        for (name, value, expected) in [
            ("attachment.instance-id", machine.as_str(), &root),
            ("attachment.device", "/dev/xvda", &root),
            ("attachment.delete-on-termination", "true", &root),
            ("status", "in-use", &root),
            ("volume-type", "gp3", &root),
            ("snapshot-id", "snap-*", &root),
            ("status", "available", &tagged),
            ("size", "9", &tagged),
            ("tag:a", "b", &tagged),
            ("volume-id", &tagged, &tagged),
        ] {
            let form =
                format!("Action=DescribeVolumes&Filter.1.Name={name}&Filter.1.Value.1={value}");
            let body = ec2(&cloud, &form);
            // Only a volume has a size; its attachment repeats its id.
            assert_eq!(leaves(&body, "size").len(), 1, "{name}={value}");
            assert_eq!(leaf(&body, "volumeId"), *expected, "{name}={value}");
        }
        let form = format!("Action=DescribeVolumes&MaxResults=5&VolumeId.1={root}");
        assert_eq!(refused(&cloud, &form), "InvalidParameterCombination");
    });
}
