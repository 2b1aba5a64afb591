//! CreateImage.

use super::*;

#[test]
fn an_image_is_pending_then_available_with_a_snapshot_of_every_volume() {
    run(async |cloud| {
        let (_, body) = query(&cloud, HOME, "ec2", &create_form("web", ""));
        let (id, request) = (leaf(&body, "imageId"), leaf(&body, "requestId"));
        assert_eq!(leaf(&describe(&cloud, &id), "imageState"), "pending");
        assert!(events(&cloud, STATE_CHANGE).await.is_empty(), "nothing tells of pending");
        seconds(&cloud, LONG).await;
        let body = describe(&cloud, &id);
        assert_eq!(leaf(&body, "imageState"), "available");
        assert_eq!(leaves(&body, "deviceName"), ["/dev/xvda", "/dev/sdf"]);
        assert_eq!(leaves(&body, "volumeSize"), ["8", "100"]);
        assert_eq!(leaves(&body, "deleteOnTermination"), ["true", "false"]);
        assert_eq!(leaf(&body, "sourceInstanceId"), INSTANCE);
        assert_eq!(leaf(&body, "sourceImageId"), IMAGE_OF_INSTANCE);
        assert_eq!(leaf(&body, "sourceImageRegion"), HOME);
        assert_eq!(leaf(&body, "usageOperation"), "RunInstances:0010");
        assert_eq!(leaf(&body, "platformDetails"), "Red Hat Enterprise Linux");
        assert_eq!(leaf(&body, "imageLocation"), "123456789012/web");
        assert!(leaves(&body, "key").is_empty(), "tags of the machine do not come along");
        for snapshot in leaves(&body, "snapshotId") {
            let form = format!("Action=DescribeSnapshots&SnapshotId.1={snapshot}");
            let body = ec2(&cloud, &form);
            let text = format!("Created by CreateImage({INSTANCE}) for {id}");
            assert_eq!(leaf(&body, "description"), text);
            assert!(leaves(&body, "key").is_empty());
        }
        let events = events(&cloud, STATE_CHANGE).await;
        let [event] = events.as_slice() else { panic!("{events:?}") };
        let arn = format!("arn:aws:ec2:us-east-1::image/{id}");
        assert_eq!(event["resources"], serde_json::json!([arn]));
        let expected = serde_json::json!({
            "RequestId": request, "ImageId": id, "State": "available", "ErrorMessage": "",
        });
        assert_eq!(event["detail"], expected);
    });
}

#[test]
fn tags_come_only_from_the_call_and_snapshots_have_their_own() {
    run(async |cloud| {
        let tags = "&TagSpecification.1.ResourceType=image&TagSpecification.1.Tag.1.Key=i\
                    &TagSpecification.2.ResourceType=snapshot&TagSpecification.2.Tag.1.Key=s";
        let id = create(&cloud, "web", tags);
        assert_eq!(leaves(&describe(&cloud, &id), "key"), ["i"]);
        let own = ec2(&cloud, "Action=DescribeSnapshots&Owner.1=self");
        assert_eq!(leaves(&own, "key"), ["s", "s"]);
        let wrong = "&TagSpecification.1.ResourceType=volume&TagSpecification.1.Tag.1.Key=v";
        assert_eq!(refused(&cloud, &create_form("web2", wrong)), "InvalidParameterValue");
    });
}

#[test]
fn a_machine_in_another_state_is_refused_as_a_wrong_parameter() {
    run(async |cloud| {
        for state in [InstanceState::Pending, InstanceState::ShuttingDown] {
            cloud.with(|model| {
                let region = model.ec2_region(&home());
                region.instances.get_mut(INSTANCE).unwrap().state = state;
            });
            let (code, text) = refusal(&cloud, HOME, &create_form("web", ""));
            assert_eq!(code, "InvalidParameterValue");
            let expected = format!(
                "Invalid value '{INSTANCE}' for instanceId. Instance is not in state 'running' \
                 or 'stopping' or 'stopped'"
            );
            assert_eq!(text, expected);
        }
        let nobody = "Action=CreateImage&InstanceId=i-0000000000000dead&Name=web";
        assert_eq!(refused(&cloud, nobody), "InvalidInstanceID.NotFound");
    });
}

#[test]
fn a_name_is_held_by_one_image_until_that_is_deregistered() {
    run(async |cloud| {
        let id = available(&cloud, "web").await;
        let (code, text) = refusal(&cloud, HOME, &create_form("web", ""));
        assert_eq!(code, "InvalidAMIName.Duplicate");
        assert_eq!(text, format!("AMI name web is already in use by AMI {id}"));
        for name in ["ab", "a%2Ab", &"x".repeat(129)] {
            assert_eq!(refused(&cloud, &create_form(name, "")), "InvalidAMIName.Malformed");
        }
        ec2(&cloud, &format!("Action=DeregisterImage&ImageId={id}"));
        create(&cloud, "web", "");
    });
}

#[test]
fn a_snapshot_just_before_makes_the_image_fail_without_a_reason() {
    run(async |cloud| {
        ec2(&cloud, &format!("Action=CreateSnapshot&VolumeId={ROOT}"));
        let id = create(&cloud, "web", "");
        assert_eq!(leaf(&describe(&cloud, &id), "imageState"), "pending");
        seconds(&cloud, LONG).await;
        let body = describe(&cloud, &id);
        assert_eq!(leaf(&body, "imageState"), "failed");
        assert_eq!(leaf(&body, "code"), "Server.InternalError");
        assert_eq!(leaf(&body, "message"), "Internal error");
        let event = events(&cloud, STATE_CHANGE).await.pop().unwrap();
        assert_eq!(event["detail"]["State"], "failed");
        assert_eq!(event["detail"]["ErrorMessage"], "Internal error");
        assert_eq!(refused(&cloud, &create_form("web", "")), "InvalidAMIName.Duplicate");
    });
}

#[test]
fn an_image_that_a_rule_lets_fail_says_why_and_frees_its_snapshots_when_deregistered() {
    run(async |cloud| {
        let rule = Rule::fail_creation(&[Creation::Image], "out of luck");
        cloud.with(|model| model.faults.add(rule));
        let id = create(&cloud, "web", "");
        seconds(&cloud, LONG).await;
        let body = describe(&cloud, &id);
        assert_eq!(leaf(&body, "imageState"), "failed");
        assert_eq!(leaf(&body, "message"), "out of luck");
        let event = events(&cloud, STATE_CHANGE).await.pop().unwrap();
        assert_eq!(event["detail"]["State"], "failed");
        let snapshot = leaf(&body, "snapshotId");
        let delete = format!("Action=DeleteSnapshot&SnapshotId={snapshot}");
        assert_eq!(refused(&cloud, &delete), "InvalidSnapshot.InUse");
        ec2(&cloud, &format!("Action=DeregisterImage&ImageId={id}"));
        ec2(&cloud, &delete);
    });
}

#[test]
fn without_no_reboot_a_running_machine_reboots_and_no_event_tells() {
    run(async |cloud| {
        let since =
            || cloud.with(|model| model.ec2_region(&home()).instances[INSTANCE].running_since);
        seconds(&cloud, 100).await;
        create(&cloud, "first", "&NoReboot=true");
        assert_eq!(since(), Some(Time::START));
        seconds(&cloud, 100).await;
        create(&cloud, "second", "");
        assert_eq!(since(), Some(Time::START + Duration::from_secs(200)));
        assert!(events(&cloud, "EC2 Instance State-change Notification").await.is_empty());
    });
}

#[test]
fn a_mapping_leaves_devices_out_adds_some_and_changes_little_of_the_others() {
    run(async |cloud| {
        let with = |n: u32, device: &str, rest: &str| {
            let at = format!("&BlockDeviceMapping.{n}");
            format!("{at}.DeviceName={device}{at}.{rest}")
        };
        let without = create(&cloud, "no-data", &with(1, "/dev/sdf", "NoDevice="));
        assert_eq!(leaves(&describe(&cloud, &without), "deviceName"), ["/dev/xvda"]);
        seconds(&cloud, LONG).await;
        let more = with(1, "/dev/xvda", "Ebs.DeleteOnTermination=false")
            + &with(2, "/dev/sdg", "Ebs.VolumeSize=10")
            + &with(3, "/dev/sdh", "VirtualName=ephemeral0");
        let body = describe(&cloud, &create(&cloud, "more", &more));
        let devices = ["/dev/xvda", "/dev/sdf", "/dev/sdg", "/dev/sdh"];
        assert_eq!(leaves(&body, "deviceName"), devices);
        assert_eq!(leaves(&body, "deleteOnTermination"), ["false", "false", "false"]);
        assert_eq!(leaves(&body, "virtualName"), ["ephemeral0"]);
        assert_eq!(leaves(&body, "snapshotId").len(), 2, "a new volume is empty");
        for wrong in ["Ebs.VolumeSize=9", "Ebs.Encrypted=true", "NoDevice="] {
            let form = create_form("wrong", &with(1, "/dev/xvda", wrong));
            assert_eq!(refused(&cloud, &form), "InvalidBlockDeviceMapping", "{wrong}");
        }
    });
}

#[test]
fn with_lag_an_image_is_not_found_at_first_and_its_mapping_empty_while_it_is_pending() {
    let mut config = Config::seeded(1);
    config.lag.visibility_ms = Some(5_000..=5_000);
    config.lag.empty_mapping_while_pending = true;
    config.lag.in_use_after_deregister_ms = Some(60_000..=60_000);
    run_with(config, async |cloud| {
        let id = create(&cloud, "web", "");
        let look = format!("Action=DescribeImages&ImageId.1={id}");
        assert_eq!(refused(&cloud, &look), "InvalidAMIID.NotFound");
        seconds(&cloud, 5).await;
        assert!(leaves(&ec2(&cloud, &look), "snapshotId").is_empty());
        seconds(&cloud, LONG).await;
        let snapshot = leaf(&ec2(&cloud, &look), "snapshotId");
        ec2(&cloud, &format!("Action=DeregisterImage&ImageId={id}"));
        let delete = format!("Action=DeleteSnapshot&SnapshotId={snapshot}");
        seconds(&cloud, 59).await;
        assert_eq!(refused(&cloud, &delete), "InvalidSnapshot.InUse");
        seconds(&cloud, 1).await;
        ec2(&cloud, &delete);
    });
}

#[test]
fn the_images_of_a_region_are_limited() {
    let mut config = Config::seeded(1);
    config.limits.images_per_region = 1;
    run_with(config, async |cloud| {
        let id = available(&cloud, "one-a").await;
        assert_eq!(refused(&cloud, &create_form("two-b", "")), "ResourceLimitExceeded");
        ec2(&cloud, &format!("Action=DeregisterImage&ImageId={id}"));
        create(&cloud, "two-b", "");
    });
}
