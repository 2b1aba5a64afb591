//! Images as their callers see them: made, registered, copied, shared, disabled and taken back.

mod common;
#[path = "common/machine.rs"]
mod machine;

use std::time::Duration;

use afterimage_cloud::access::Identity;
use afterimage_cloud::ec2::state::{InstanceState, ProductCode};
use afterimage_cloud::{Cloud, Config, Time};
use common::{ec2, leaf, leaves, query, query_as, refused};
use machine::{
    DATA, HOME, INSTANCE, OTHER_ACCOUNT, OTHER_KEY, ROOT, check_books, declare_other, events, home,
    machine, seconds,
};

const STATE_CHANGE: &str = "EC2 AMI State Change";
/// Longer than any image or copy of these tests takes to be made.
const LONG: u64 = 3600;

fn run<T>(scenario: impl AsyncFnOnce(Cloud) -> T) -> T {
    run_with(Config::seeded(1), scenario)
}

fn run_with<T>(config: Config, scenario: impl AsyncFnOnce(Cloud) -> T) -> T {
    Cloud::run(config, async |cloud| {
        machine(&cloud);
        let result = scenario(cloud.clone()).await;
        check_books(&cloud);
        result
    })
}

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

fn snapshot(cloud: &Cloud, volume: &str) -> String {
    leaf(&ec2(cloud, &format!("Action=CreateSnapshot&VolumeId={volume}")), "snapshotId")
}

async fn old_snapshot(cloud: &Cloud, volume: &str) -> String {
    let id = snapshot(cloud, volume);
    seconds(cloud, LONG).await;
    id
}

fn register_form(name: &str, snapshot: &str, extra: &str) -> String {
    format!(
        "Action=RegisterImage&Name={name}&RootDeviceName=/dev/xvda\
         &BlockDeviceMapping.1.DeviceName=/dev/xvda\
         &BlockDeviceMapping.1.Ebs.SnapshotId={snapshot}{extra}"
    )
}

#[test]
fn what_register_image_is_not_told_it_takes_from_old_defaults() {
    run(async |cloud| {
        let snapshot = old_snapshot(&cloud, ROOT).await;
        let body = ec2(&cloud, &register_form("bare", &snapshot, ""));
        let id = leaf(&body, "imageId");
        seconds(&cloud, 60).await;
        let body = describe(&cloud, &id);
        assert_eq!(leaf(&body, "imageState"), "available");
        assert_eq!(leaf(&body, "architecture"), "i386");
        assert_eq!(leaf(&body, "virtualizationType"), "paravirtual");
        assert_eq!(leaf(&body, "enaSupport"), "false");
        assert_eq!(leaf(&body, "volumeSize"), "8");
        assert_eq!(leaf(&body, "platformDetails"), "Linux/UNIX");
        assert_eq!(leaf(&body, "usageOperation"), "RunInstances");
        assert_eq!(leaf(&body, "sourceInstanceId"), "");
        let told = "&Architecture=arm64&VirtualizationType=hvm&EnaSupport=true&BootMode=uefi\
                    &TpmSupport=v2.0&ImdsSupport=v2.0&SriovNetSupport=simple\
                    &BlockDeviceMapping.1.Ebs.VolumeType=gp3\
                    &BlockDeviceMapping.1.Ebs.VolumeSize=20";
        let body = ec2(&cloud, &register_form("told", &snapshot, told));
        let body = describe(&cloud, &leaf(&body, "imageId"));
        for (name, value) in [
            ("architecture", "arm64"),
            ("virtualizationType", "hvm"),
            ("enaSupport", "true"),
            ("bootMode", "uefi"),
            ("tpmSupport", "v2.0"),
            ("imdsSupport", "v2.0"),
            ("sriovNetSupport", "simple"),
            ("volumeType", "gp3"),
            ("volumeSize", "20"),
        ] {
            assert_eq!(leaf(&body, name), value, "{name}");
        }
    });
}

#[test]
fn register_image_refuses_what_does_not_fit() {
    run(async |cloud| {
        let snapshot = old_snapshot(&cloud, DATA).await;
        let hvm = "&VirtualizationType=hvm";
        for (extra, code) in [
            ("&BlockDeviceMapping.1.Ebs.Encrypted=false", "InvalidBlockDeviceMapping"),
            ("&BlockDeviceMapping.1.Ebs.KmsKeyId=x", "InvalidParameterCombination"),
            ("&BlockDeviceMapping.1.Ebs.VolumeSize=99", "InvalidBlockDeviceMapping"),
            ("&TpmSupport=v2.0&BootMode=uefi-preferred", "InvalidParameterCombination"),
            ("&EnaSupport=true", "InvalidParameterCombination"),
            ("&BillingProduct.1=bp-1", "OperationNotPermitted"),
            ("&ClientToken=t", "UnknownParameter"),
            ("&TagSpecification.1.ResourceType=snapshot", "InvalidParameterValue"),
        ] {
            let hvm = if extra.contains("Tpm") { hvm } else { "" };
            let form = register_form("wrong", &snapshot, &format!("{extra}{hvm}"));
            assert_eq!(refused(&cloud, &form), code, "{extra}");
        }
        let form = register_form("wrong", &snapshot, "");
        let elsewhere = form.replace("RootDeviceName=/dev/xvda", "RootDeviceName=/dev/sda1");
        assert_eq!(refused(&cloud, &elsewhere), "InvalidBlockDeviceMapping");
        let nobody = register_form("wrong", "snap-0000000000000dead", "");
        assert_eq!(refused(&cloud, &nobody), "InvalidSnapshot.NotFound");
        let pending = self::snapshot(&cloud, ROOT);
        let form = register_form("wrong", &pending, "");
        assert_eq!(refused(&cloud, &form), "IncorrectState");
    });
}

#[test]
fn a_registered_image_keeps_the_marketplace_codes_of_its_snapshots() {
    run(async |cloud| {
        cloud.with(|model| {
            let volume = model.ec2_region(&home()).volumes.get_mut(ROOT).unwrap();
            volume.product_codes = vec![marketplace()];
        });
        let snapshot = old_snapshot(&cloud, ROOT).await;
        let body = ec2(&cloud, &register_form("sold", &snapshot, ""));
        let body = describe(&cloud, &leaf(&body, "imageId"));
        assert_eq!(leaf(&body, "productCode"), "sold");
    });
}

fn marketplace() -> ProductCode {
    ProductCode { id: "sold".into(), kind: "marketplace".into() }
}

fn copy_form(source: &str, name: &str, extra: &str) -> String {
    format!("Action=CopyImage&SourceRegion={HOME}&SourceImageId={source}&Name={name}{extra}")
}

fn described_in(cloud: &Cloud, region: &str, id: &str) -> String {
    in_region(cloud, region, &format!("Action=DescribeImages&ImageId.1={id}"))
}

#[test]
fn a_copy_says_where_it_comes_from_and_is_told_of_in_its_own_region_only() {
    run(async |cloud| {
        let source = available(&cloud, "web").await;
        let before = events(&cloud, STATE_CHANGE).await.len();
        let body = in_region(&cloud, "eu-west-1", &copy_form(&source, "web", ""));
        let (id, request) = (leaf(&body, "imageId"), leaf(&body, "requestId"));
        assert_eq!(leaf(&described_in(&cloud, "eu-west-1", &id), "imageState"), "pending");
        seconds(&cloud, LONG).await;
        let body = described_in(&cloud, "eu-west-1", &id);
        assert_eq!(leaf(&body, "imageState"), "available");
        assert_eq!(leaf(&body, "sourceImageId"), source);
        assert_eq!(leaf(&body, "sourceImageRegion"), HOME);
        assert_eq!(leaf(&body, "sourceInstanceId"), "");
        assert_eq!(leaf(&body, "usageOperation"), "RunInstances:0010");
        let originals = leaves(&describe(&cloud, &source), "snapshotId");
        for (copy, original) in leaves(&body, "snapshotId").iter().zip(&originals) {
            let form = format!("Action=DescribeSnapshots&SnapshotId.1={copy}");
            let text = leaf(&in_region(&cloud, "eu-west-1", &form), "description");
            let start = format!(
                "Copied for DestinationAmi {id} from SourceAmi {source} for SourceSnapshot \
                 {original}. Task created on 1,76"
            );
            assert!(text.starts_with(&start), "{text}");
        }
        let events = events(&cloud, STATE_CHANGE).await;
        let [event] = &events[before..] else { panic!("{events:?}") };
        assert_eq!(event["region"], "eu-west-1");
        assert_eq!(event["detail"]["RequestId"], request);
    });
}

#[test]
fn a_copy_is_made_once_for_a_token_and_once_for_a_name() {
    run(async |cloud| {
        let source = available(&cloud, "web").await;
        let form = copy_form(&source, "copy", "&ClientToken=t");
        let first = leaf(&in_region(&cloud, "eu-west-1", &form), "imageId");
        let again = leaf(&in_region(&cloud, "eu-west-1", &form), "imageId");
        assert_eq!(first, again);
        let other = copy_form(&source, "other", "&ClientToken=t");
        let (code, _) = refusal(&cloud, "eu-west-1", &other);
        assert_eq!(code, "IdempotentParameterMismatch");
        let (code, text) = refusal(&cloud, "eu-west-1", &copy_form(&source, "copy", ""));
        assert_eq!(code, "InvalidAMIName.Duplicate");
        assert_eq!(text, format!("AMI name copy is already in use by AMI {first}"));
        let elsewhere = in_region(&cloud, "eu-north-1", &form);
        assert_ne!(leaf(&elsewhere, "imageId"), first, "a token is regional");
    });
}

#[test]
fn a_copy_has_the_tags_that_are_asked_for_and_nobodys_permissions() {
    run(async |cloud| {
        let source = available(&cloud, "web").await;
        ec2(&cloud, &format!("Action=CreateTags&ResourceId.1={source}&Tag.1.Key=a&Tag.1.Value=1"));
        let share = format!(
            "Action=ModifyImageAttribute&ImageId={source}&LaunchPermission.Add.1.UserId={OTHER_ACCOUNT}"
        );
        ec2(&cloud, &share);
        let plain = in_region(&cloud, "eu-west-1", &copy_form(&source, "plain", ""));
        let plain = described_in(&cloud, "eu-west-1", &leaf(&plain, "imageId"));
        assert!(leaves(&plain, "key").is_empty());
        let tags = "&CopyImageTags=true&TagSpecification.1.ResourceType=image\
                    &TagSpecification.1.Tag.1.Key=b&TagSpecification.2.ResourceType=snapshot\
                    &TagSpecification.2.Tag.1.Key=s";
        let tagged = in_region(&cloud, "eu-west-1", &copy_form(&source, "tagged", tags));
        let id = leaf(&tagged, "imageId");
        assert_eq!(leaves(&described_in(&cloud, "eu-west-1", &id), "key"), ["a", "b"]);
        seconds(&cloud, LONG).await;
        let form = format!("Action=DescribeImageAttribute&ImageId={id}&Attribute=launchPermission");
        let permissions = in_region(&cloud, "eu-west-1", &form);
        assert!(leaves(&permissions, "userId").is_empty());
    });
}

#[test]
fn only_available_images_are_copied_and_only_to_a_region_that_knows_the_source() {
    run(async |cloud| {
        let pending = create(&cloud, "web", "");
        let (code, text) = refusal(&cloud, "eu-west-1", &copy_form(&pending, "copy", ""));
        assert_eq!(code, "InvalidAMIID.Unavailable");
        assert!(text.contains("currently pending"), "{text}");
        let nobody = copy_form("ami-0000000000000dead", "copy", "");
        assert_eq!(refusal(&cloud, "eu-west-1", &nobody).0, "InvalidAMIID.NotFound");
        let nowhere = copy_form(&pending, "copy", "").replace(HOME, "us-nowhere-1");
        assert_eq!(refusal(&cloud, "eu-west-1", &nowhere).0, "InvalidParameterValue");
    });
}

#[test]
fn a_copy_is_encrypted_if_asked_and_a_wrong_key_makes_it_fail_afterwards() {
    run(async |cloud| {
        let source = available(&cloud, "web").await;
        let needs = copy_form(&source, "copy", "&KmsKeyId=alias/x");
        assert_eq!(refusal(&cloud, "eu-west-1", &needs).0, "InvalidParameterDependency");
        let body = in_region(&cloud, "eu-west-1", &copy_form(&source, "enc", "&Encrypted=true"));
        let encrypted = leaf(&body, "imageId");
        seconds(&cloud, LONG).await;
        let body = described_in(&cloud, "eu-west-1", &encrypted);
        assert_eq!(leaves(&body, "encrypted"), ["true", "true"]);
        let back = copy_form(&encrypted, "back", "&Encrypted=false").replace(HOME, "eu-west-1");
        assert_eq!(refusal(&cloud, HOME, &back).0, "InvalidParameterValue");
        let wrong = copy_form(&source, "wrong", "&Encrypted=true&KmsKeyId=alias/nobody");
        let failed = leaf(&in_region(&cloud, "eu-west-1", &wrong), "imageId");
        seconds(&cloud, LONG).await;
        let body = described_in(&cloud, "eu-west-1", &failed);
        assert_eq!(leaf(&body, "imageState"), "failed");
        let text =
            "AMI snapshot copy failed with error: The specified keyId alias/nobody is invalid";
        assert_eq!(leaf(&body, "message"), text);
        let event = events(&cloud, STATE_CHANGE).await.pop().unwrap();
        assert_eq!(event["detail"]["ErrorMessage"], text);
    });
}

#[test]
fn an_image_of_another_account_is_copied_only_with_its_storage() {
    run(async |cloud| {
        declare_other(&cloud);
        let source = available(&cloud, "web").await;
        let form = copy_form(&source, "theirs", "");
        let copy = || query_as(&cloud, OTHER_KEY, "eu-west-1", "ec2", &form);
        assert_eq!(leaf(&copy().1, "Code"), "InvalidAMIID.NotFound");
        ec2(
            &cloud,
            &format!(
                "Action=ModifyImageAttribute&ImageId={source}&LaunchPermission.Add.1.UserId={OTHER_ACCOUNT}"
            ),
        );
        let (_, body) = copy();
        assert_eq!(leaf(&body, "Code"), "InvalidRequest");
        let text = "You do not have permission to access the storage of this ami";
        assert_eq!(leaf(&body, "Message"), text);
        for snapshot in leaves(&describe(&cloud, &source), "snapshotId") {
            ec2(
                &cloud,
                &format!(
                    "Action=ModifySnapshotAttribute&SnapshotId={snapshot}\
                     &CreateVolumePermission.Add.1.UserId={OTHER_ACCOUNT}"
                ),
            );
        }
        assert_eq!(copy().0, 200);
    });
}

#[test]
fn images_of_the_marketplace_do_not_leave_their_account() {
    run(async |cloud| {
        let sold = ec2(&cloud, "Action=DescribeImages&Owner.1=aws-marketplace");
        let sold = leaf(&sold, "imageId");
        let (code, text) = refusal(&cloud, "eu-west-1", &copy_form(&sold, "mine", ""));
        assert_eq!(code, "InvalidRequest");
        let expected = "Images from AWS Marketplace cannot be copied to another AWS account.";
        assert_eq!(text, expected);
        cloud.with(|model| {
            let region = model.ec2_region(&home());
            let platform = &mut region.instances.get_mut(INSTANCE).unwrap().platform;
            platform.product_codes = vec![marketplace()];
        });
        let own = available(&cloud, "own").await;
        in_region(&cloud, "eu-west-1", &copy_form(&own, "own", ""));
        cloud.with(|model| model.config.quirks.own_marketplace_image_copies = false);
        let form = copy_form(&own, "again", "");
        assert_eq!(refusal(&cloud, "eu-west-1", &form).0, "InvalidRequest");
    });
}

#[test]
fn a_pending_copy_is_called_off_by_deregistering_it() {
    run(async |cloud| {
        let source = available(&cloud, "web").await;
        let body = in_region(&cloud, "eu-west-1", &copy_form(&source, "copy", ""));
        let id = leaf(&body, "imageId");
        in_region(&cloud, "eu-west-1", &format!("Action=DeregisterImage&ImageId={id}"));
        let form = "Action=DescribeSnapshots&Owner.1=self";
        assert!(leaves(&in_region(&cloud, "eu-west-1", form), "snapshotId").is_empty());
        in_region(&cloud, "eu-west-1", &copy_form(&source, "copy", ""));
        seconds(&cloud, LONG).await;
        let states: Vec<_> = events(&cloud, STATE_CHANGE).await;
        let states: Vec<_> = states
            .iter()
            .filter(|event| event["detail"]["ImageId"] == id)
            .map(|event| event["detail"]["State"].clone())
            .collect();
        assert_eq!(states, ["deregistered"]);
    });
}

#[test]
fn copies_of_images_at_a_time_are_limited() {
    let mut config = Config::seeded(1);
    config.limits.image_copies_per_region = 2;
    run_with(config, async |cloud| {
        let source = available(&cloud, "web").await;
        for name in ["one", "two"] {
            in_region(&cloud, "eu-west-1", &copy_form(&source, &name.repeat(2), ""));
        }
        let form = copy_form(&source, "three", "");
        assert_eq!(refusal(&cloud, "eu-west-1", &form).0, "ResourceLimitExceeded");
        seconds(&cloud, LONG).await;
        in_region(&cloud, "eu-west-1", &form);
    });
}

#[test]
fn a_deregistered_image_is_shown_for_a_moment_and_then_nobody_knows_it() {
    run(async |cloud| {
        let id = available(&cloud, "web").await;
        let snapshot = leaf(&describe(&cloud, &id), "snapshotId");
        let delete = format!("Action=DeleteSnapshot&SnapshotId={snapshot}");
        let (code, text) = refusal(&cloud, HOME, &delete);
        assert_eq!(code, "InvalidSnapshot.InUse");
        assert_eq!(text, format!("The snapshot {snapshot} is currently in use by {id}"));
        let deregister = format!("Action=DeregisterImage&ImageId={id}");
        let body = ec2(&cloud, &deregister);
        assert_eq!(leaf(&body, "return"), "true");
        assert_eq!(leaf(&describe(&cloud, &id), "imageState"), "deregistered");
        let listed = ec2(&cloud, "Action=DescribeImages&Owner.1=self");
        assert!(leaves(&listed, "imageId").is_empty());
        assert_eq!(refused(&cloud, &deregister), "InvalidAMIID.Unavailable");
        ec2(&cloud, &delete);
        seconds(&cloud, 61).await;
        let look = format!("Action=DescribeImages&ImageId.1={id}");
        assert_eq!(refused(&cloud, &look), "InvalidAMIID.NotFound");
        assert_eq!(refused(&cloud, &deregister), "InvalidAMIID.NotFound");
    });
}

#[test]
fn deregistering_with_snapshots_says_of_each_what_became_of_it() {
    run(async |cloud| {
        let id = available(&cloud, "web").await;
        let snapshots = leaves(&describe(&cloud, &id), "snapshotId");
        ec2(&cloud, &register_form("second", &snapshots[0], ""));
        let form = format!("Action=DeregisterImage&ImageId={id}&DeleteAssociatedSnapshots=true");
        let result = |body: &str| {
            let mut results: Vec<(String, String)> =
                leaves(body, "snapshotId").into_iter().zip(leaves(body, "returnCode")).collect();
            results.sort();
            results
        };
        let mut expected = vec![
            (snapshots[0].clone(), "skipped".to_string()),
            (snapshots[1].clone(), "success".to_string()),
        ];
        expected.sort();
        assert_eq!(result(&ec2(&cloud, &form)), expected);
        let third = available(&cloud, "third").await;
        for snapshot in leaves(&describe(&cloud, &third), "snapshotId") {
            let lock = format!("&SnapshotId={snapshot}&LockMode=governance&LockDuration=9");
            ec2(&cloud, &format!("Action=LockSnapshot{lock}"));
        }
        let form = form.replace(&id, &third);
        assert_eq!(leaves(&ec2(&cloud, &form), "returnCode"), ["client-error", "client-error"]);
    });
}

#[test]
fn who_may_not_delete_snapshots_deregisters_without_them() {
    run(async |cloud| {
        let id = available(&cloud, "web").await;
        let role = "arn:aws:iam::123456789012:role/keeper";
        let policy = serde_json::json!({
            "Version": "2012-10-17",
            "Statement": [{ "Effect": "Allow", "Action": "ec2:DeregisterImage", "Resource": "*" }],
        });
        cloud.with(|model| {
            let identity = Identity {
                arn: "arn:aws:sts::123456789012:assumed-role/keeper/s".into(),
                role: Some(role.into()),
                ..Identity::administrator("123456789012")
            };
            model.principals.declare_key("AKIAKEEPER", identity);
            model.principals.declare_role(role, std::slice::from_ref(&policy), None).unwrap();
        });
        let form = format!("Action=DeregisterImage&ImageId={id}&DeleteAssociatedSnapshots=true");
        let (status, body) = query_as(&cloud, "AKIAKEEPER", HOME, "ec2", &form);
        assert_eq!(status, 200, "{body}");
        let codes = ["missing-permissions", "missing-permissions"];
        assert_eq!(leaves(&body, "returnCode"), codes);
        let form = create_form("denied", "");
        let (status, body) = query_as(&cloud, "AKIAKEEPER", HOME, "ec2", &form);
        assert_eq!((status, leaf(&body, "Code").as_str()), (403, "UnauthorizedOperation"));
    });
}

#[test]
fn a_protected_image_stays_and_with_a_cooldown_for_another_day() {
    run(async |cloud| {
        let id = available(&cloud, "web").await;
        let protect = format!("Action=EnableImageDeregistrationProtection&ImageId={id}");
        let body = ec2(&cloud, &protect);
        assert_eq!(leaf(&body, "return"), "enabled-without-cooldown");
        let deregister = format!("Action=DeregisterImage&ImageId={id}");
        assert_eq!(refused(&cloud, &deregister), "OperationNotPermitted");
        let body = ec2(&cloud, &format!("{protect}&WithCooldown=true"));
        assert_eq!(leaf(&body, "return"), "enabled-with-cooldown");
        let shown = leaf(&describe(&cloud, &id), "deregistrationProtection");
        assert_eq!(shown, "enabled-with-cooldown");
        ec2(&cloud, &format!("Action=DisableImageDeregistrationProtection&ImageId={id}"));
        seconds(&cloud, 24 * 3600 - 1).await;
        assert_eq!(refused(&cloud, &deregister), "OperationNotPermitted");
        seconds(&cloud, 1).await;
        ec2(&cloud, &deregister);
    });
}

#[test]
fn a_disabled_image_is_hidden_and_its_permissions_are_gone_for_good() {
    run(async |cloud| {
        let id = available(&cloud, "web").await;
        let share = format!(
            "Action=ModifyImageAttribute&ImageId={id}&LaunchPermission.Add.1.UserId={OTHER_ACCOUNT}"
        );
        ec2(&cloud, &share);
        ec2(&cloud, &format!("Action=DisableImage&ImageId={id}"));
        let own = "Action=DescribeImages&Owner.1=self";
        assert!(leaves(&ec2(&cloud, own), "imageId").is_empty());
        let all = ec2(&cloud, &format!("{own}&IncludeDisabled=true"));
        assert_eq!(leaf(&all, "imageState"), "disabled");
        let snapshot = leaf(&all, "snapshotId");
        let delete = format!("Action=DeleteSnapshot&SnapshotId={snapshot}");
        assert_eq!(refused(&cloud, &delete), "InvalidSnapshot.InUse");
        assert_eq!(refused(&cloud, &share), "InvalidAMIID.Unavailable");
        // Events of the same second may come in any order.
        seconds(&cloud, 10).await;
        ec2(&cloud, &format!("Action=EnableImage&ImageId={id}"));
        let attribute =
            format!("Action=DescribeImageAttribute&ImageId={id}&Attribute=launchPermission");
        assert!(leaves(&ec2(&cloud, &attribute), "userId").is_empty());
        let states = events(&cloud, STATE_CHANGE).await;
        let states: Vec<_> = states.iter().map(|event| event["detail"]["State"].clone()).collect();
        assert_eq!(states, ["available", "disabled", "available"]);
    });
}

#[test]
fn deprecation_is_to_the_minute_and_hides_an_image_from_others() {
    run(async |cloud| {
        declare_other(&cloud);
        let id = available(&cloud, "web").await;
        let public =
            format!("Action=ModifyImageAttribute&ImageId={id}&LaunchPermission.Add.1.Group=all");
        ec2(&cloud, &public);
        let deprecate =
            |at: &str| format!("Action=EnableImageDeprecation&ImageId={id}&DeprecateAt={at}");
        for at in ["2025-12-31T00:00:00Z", "2036-02-01T00:00:00Z"] {
            assert_eq!(refused(&cloud, &deprecate(at)), "InvalidParameterValue", "{at}");
        }
        ec2(&cloud, &deprecate("2026-01-01T02:00:29Z"));
        let time = leaf(&describe(&cloud, &id), "deprecationTime");
        assert_eq!(time, "2026-01-01T02:00:00.000Z");
        let form = "Action=DescribeImages&Owner.1=123456789012";
        let listed = |extra: &str| {
            let body = query_as(&cloud, OTHER_KEY, HOME, "ec2", &format!("{form}{extra}")).1;
            leaves(&body, "imageId").len()
        };
        assert_eq!(listed(""), 1);
        seconds(&cloud, 2 * 3600).await;
        assert_eq!(listed(""), 0);
        assert_eq!(listed("&IncludeDeprecated=true"), 1);
        assert_eq!(leaves(&ec2(&cloud, form), "imageId"), [id.as_str()], "the owner sees it");
        ec2(&cloud, &format!("Action=DisableImageDeprecation&ImageId={id}"));
        assert_eq!(listed(""), 1);
    });
}

#[test]
fn attributes_of_a_pending_image_cannot_be_changed() {
    run(async |cloud| {
        let id = create(&cloud, "web", "");
        let modify = format!("Action=ModifyImageAttribute&ImageId={id}&Description.Value=d");
        let (code, text) = refusal(&cloud, HOME, &modify);
        assert_eq!(code, "InvalidAMIID.Unavailable");
        let expected = format!(
            "The AMI ID '{id}' is currently pending and may not be used for this operation"
        );
        assert_eq!(text, expected);
        seconds(&cloud, LONG).await;
        ec2(&cloud, &modify);
        let look = format!("Action=DescribeImageAttribute&ImageId={id}&Attribute=description");
        assert_eq!(leaf(&ec2(&cloud, &look), "value"), "d");
    });
}

#[test]
fn an_image_is_shared_with_so_many_and_so_many_are_public() {
    let mut config = Config::seeded(1);
    config.limits.image_shares = 2;
    config.limits.public_images_per_region = 1;
    run_with(config, async |cloud| {
        let first = available(&cloud, "first").await;
        let second = available(&cloud, "second").await;
        let add = |id: &str, what: &str| {
            format!("Action=ModifyImageAttribute&ImageId={id}&LaunchPermission.Add.1.{what}")
        };
        ec2(&cloud, &add(&first, "UserId=111111111111"));
        ec2(&cloud, &add(&first, "OrganizationArn=arn:aws:organizations::1:organization/o-1"));
        let third = add(&first, "UserId=333333333333");
        assert_eq!(refused(&cloud, &third), "ResourceLimitExceeded");
        let wrong = add(&first, "UserId=33");
        assert_eq!(refused(&cloud, &wrong), "InvalidAMIAttributeItemValue");
        ec2(&cloud, &add(&first, "Group=all"));
        assert_eq!(refused(&cloud, &add(&second, "Group=all")), "ResourceLimitExceeded");
        ec2(
            &cloud,
            &format!("Action=ResetImageAttribute&ImageId={first}&Attribute=launchPermission"),
        );
        ec2(&cloud, &add(&second, "Group=all"));
    });
}

#[test]
fn images_are_listed_by_owner_filter_permission_and_page() {
    run(async |cloud| {
        declare_other(&cloud);
        let mut ids = Vec::new();
        for n in 0..7 {
            ids.push(available(&cloud, &format!("web-{n}")).await);
        }
        ids.sort();
        let page = "Action=DescribeImages&Owner.1=self&MaxResults=5";
        let first = ec2(&cloud, page);
        let second = ec2(&cloud, &format!("{page}&NextToken={}", leaf(&first, "nextToken")));
        assert_eq!([leaves(&first, "imageId"), leaves(&second, "imageId")].concat(), ids);
        assert_eq!(leaf(&second, "nextToken"), "");
        assert_eq!(refused(&cloud, &page.replace('5', "4")), "InvalidParameterValue");
        let filter = |name: &str, value: &str| {
            let form = format!(
                "Action=DescribeImages&Filter.1.Name={name}&Filter.1.Value.1={value}&Owner.1=self"
            );
            leaves(&ec2(&cloud, &form), "imageId").len()
        };
        assert_eq!(filter("name", "web-?"), 7);
        assert_eq!(filter("name", "web-1"), 1);
        assert_eq!(filter("creation-date", "2026-01-01T00*"), 1);
        assert_eq!(filter("block-device-mapping.volume-size", "100"), 7);
        assert_eq!(filter("state", "pending"), 0);
        assert_eq!(filter("source-instance-id", INSTANCE), 7);
        let amazon = ec2(&cloud, "Action=DescribeImages&Owner.1=amazon");
        assert!(leaves(&amazon, "imageOwnerAlias").iter().all(|alias| alias == "amazon"));
        assert!(!leaves(&amazon, "imageId").is_empty());
        let mine = "Action=DescribeImages&ExecutableBy.1=self";
        let theirs = || leaves(&query_as(&cloud, OTHER_KEY, HOME, "ec2", mine).1, "imageId");
        assert!(theirs().is_empty());
        let look = format!("Action=DescribeImages&ImageId.1={}", ids[0]);
        let (_, body) = query_as(&cloud, OTHER_KEY, HOME, "ec2", &look);
        assert_eq!(leaf(&body, "Code"), "InvalidAMIID.NotFound");
        ec2(
            &cloud,
            &format!(
                "Action=ModifyImageAttribute&ImageId={}&LaunchPermission.Add.1.UserId={OTHER_ACCOUNT}",
                ids[0]
            ),
        );
        assert_eq!(theirs(), [ids[0].as_str()]);
        let (status, body) = query_as(
            &cloud,
            OTHER_KEY,
            HOME,
            "ec2",
            &format!("Action=DeregisterImage&ImageId={}", ids[0]),
        );
        assert_eq!((status, leaf(&body, "Code").as_str()), (403, "AuthFailure"));
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
fn the_machines_that_run_an_image_are_named() {
    run(async |cloud| {
        let image =
            cloud.with(|model| model.ec2_region(&home()).instances[INSTANCE].image_id.clone());
        let form = format!(
            "Action=DescribeImageReferences&ImageId.1={image}&IncludeAllResourceTypes=true"
        );
        let body = ec2(&cloud, &form);
        assert_eq!(leaf(&body, "resourceType"), "ec2:Instance");
        assert_eq!(
            leaf(&body, "arn"),
            format!("arn:aws:ec2:us-east-1:123456789012:instance/{INSTANCE}")
        );
        let templates = form.replace(
            "IncludeAllResourceTypes=true",
            "ResourceType.1.ResourceType=ec2:LaunchTemplate",
        );
        assert!(leaves(&ec2(&cloud, &templates), "arn").is_empty());
        let nothing = format!("Action=DescribeImageReferences&ImageId.1={image}");
        assert_eq!(refused(&cloud, &nothing), "MissingParameter");
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
