//! RunInstances: what it checks, what it makes, and what its client token keeps from happening
//! twice.

use afterimage_cloud::{Cloud, Time};

use super::world::{
    ARM, INSTANCE_STORE, LINUX, MARKETPLACE, PARAVIRTUAL, TPM, UBUNTU, WINDOWS, calm, described,
    events, image, launch, launch_form, running, secs, state_of, told_states,
};
use crate::common::{ec2, leaf, leaves, query, refused};

#[test]
fn an_image_boots_only_on_types_that_fit_it() {
    Cloud::run(calm(), async |cloud| {
        for (name, kind, code) in [
            (LINUX, "m6g.large", "InvalidParameterValue"),
            (ARM, "t3.micro", "InvalidParameterValue"),
            (LINUX, "z9.huge", "InvalidParameterValue"),
            (PARAVIRTUAL, "t3.micro", "InvalidParameterCombination"),
            (PARAVIRTUAL, "t2.micro", "InvalidParameterCombination"),
            (TPM, "t2.micro", "InvalidParameterCombination"),
            (INSTANCE_STORE, "t3.micro", "InvalidParameterCombination"),
        ] {
            assert_eq!(refused(&cloud, &launch_form(name, kind, "")), code, "{name} on {kind}");
        }
        for (name, kind) in
            [(PARAVIRTUAL, "m3.medium"), (ARM, "t4g.micro"), (TPM, "m5.large"), (LINUX, "t2.micro")]
        {
            launch(&cloud, name, kind, "");
        }
    });
}

#[test]
fn an_image_without_ena_is_refused_by_types_that_need_it() {
    Cloud::run(calm(), async |cloud| {
        let id = running(&cloud, "").await;
        let body = ec2(&cloud, &format!("Action=CreateImage&InstanceId={id}&Name=plain"));
        let made = leaf(&body, "imageId");
        cloud.advance(secs(600)).await;
        cloud.with(|model| {
            let region = model.ec2.values_mut().find(|region| !region.images.is_empty());
            let image = region.and_then(|region| region.images.get_mut(&made));
            image.expect("the image was made").platform.ena = false;
        });
        let form = |kind: &str| {
            format!("Action=RunInstances&ImageId={made}&InstanceType={kind}&MinCount=1&MaxCount=1")
        };
        assert_eq!(refused(&cloud, &form("t3.micro")), "InvalidParameterCombination");
        ec2(&cloud, &form("t2.micro"));
    });
}

#[test]
fn the_boot_mode_comes_from_the_image_and_the_type() {
    Cloud::run(calm(), async |cloud| {
        for (name, kind, declared, current) in [
            (LINUX, "t3.micro", "uefi-preferred", "uefi"),
            (LINUX, "t2.micro", "uefi-preferred", "legacy-bios"),
            (ARM, "m6g.large", "uefi", "uefi"),
            (WINDOWS, "t3.micro", "legacy-bios", "legacy-bios"),
            (PARAVIRTUAL, "m1.small", "", "legacy-bios"),
        ] {
            let body = described(&cloud, &launch(&cloud, name, kind, ""));
            assert_eq!(leaf(&body, "bootMode"), declared, "{name} on {kind}");
            assert_eq!(leaf(&body, "currentInstanceBootMode"), current, "{name} on {kind}");
        }
    });
}

#[test]
fn an_instance_carries_the_platform_and_the_codes_of_its_image() {
    Cloud::run(calm(), async |cloud| {
        let body = described(&cloud, &launch(&cloud, TPM, "m5.large", ""));
        for (name, value) in [
            ("platform", "windows"),
            ("platformDetails", "Windows"),
            ("usageOperation", "RunInstances:0002"),
            ("tpmSupport", "v2.0"),
            ("architecture", "x86_64"),
            ("virtualizationType", "hvm"),
            ("rootDeviceName", "/dev/sda1"),
            ("rootDeviceType", "ebs"),
            ("enaSupport", "true"),
            ("hypervisor", "xen"),
        ] {
            assert_eq!(leaf(&body, name), value, "{name}");
        }
        let body = described(&cloud, &launch(&cloud, MARKETPLACE, "m5.large", ""));
        assert_eq!(leaf(&leaf(&body, "productCodes"), "type"), "marketplace");
        assert_eq!(leaves(&body, "volumeId").len(), 2);
        let body = described(&cloud, &launch(&cloud, PARAVIRTUAL, "m3.medium", ""));
        assert!(leaf(&body, "kernelId").starts_with("aki-"));
    });
}

#[test]
fn only_ebs_devices_of_an_image_become_volumes() {
    Cloud::run(calm(), async |cloud| {
        let id = launch(&cloud, UBUNTU, "t3.micro", "");
        assert_eq!(leaves(&described(&cloud, &id), "deviceName"), ["/dev/sda1"]);
    });
}

/// `BlockDeviceMapping.1` with these members.
fn mapping(members: &[(&str, &str)]) -> String {
    let members = members.iter();
    members.map(|(name, value)| format!("&BlockDeviceMapping.1.{name}={value}")).collect()
}

#[test]
fn overrides_change_the_devices_of_the_image() {
    Cloud::run(calm(), async |cloud| {
        let bigger = mapping(&[
            ("DeviceName", "/dev/xvda"),
            ("Ebs.VolumeSize", "20"),
            ("Ebs.VolumeType", "io1"),
            ("Ebs.Iops", "200"),
            ("Ebs.DeleteOnTermination", "false"),
        ]);
        let id = launch(&cloud, LINUX, "t3.micro", &bigger);
        let body = described(&cloud, &id);
        let root = leaf(&body, "blockDeviceMapping");
        assert_eq!(leaf(&root, "deleteOnTermination"), "false");
        let volume = leaf(&root, "volumeId");
        let body = ec2(&cloud, &format!("Action=DescribeVolumes&VolumeId.1={volume}"));
        for (name, value) in
            [("size", "20"), ("volumeType", "io1"), ("iops", "200"), ("throughput", "")]
        {
            assert_eq!(leaf(&body, name), value, "{name}");
        }
        let without = mapping(&[("DeviceName", "/dev/sdb"), ("NoDevice", "")]);
        let id = launch(&cloud, MARKETPLACE, "m5.large", &without);
        assert_eq!(leaves(&described(&cloud, &id), "deviceName"), ["/dev/xvda"]);
    });
}

#[test]
fn overrides_that_cannot_be_are_refused() {
    Cloud::run(calm(), async |cloud| {
        for (members, code) in [
            (
                &[("DeviceName", "/dev/xvda"), ("Ebs.VolumeSize", "4")][..],
                "InvalidBlockDeviceMapping",
            ),
            (&[("DeviceName", "/dev/xvda"), ("NoDevice", "")], "InvalidBlockDeviceMapping"),
            (&[("DeviceName", "/dev/sdf"), ("Ebs.VolumeType", "gp3")], "MissingParameter"),
            (
                &[("DeviceName", "/dev/sdf"), ("Ebs.SnapshotId", "snap-0123456789abcdef0")],
                "InvalidSnapshot.NotFound",
            ),
            (
                &[("DeviceName", "/dev/xvda"), ("Ebs.KmsKeyId", "alias/x")],
                "InvalidParameterDependency",
            ),
        ] {
            let form = launch_form(LINUX, "t3.micro", &mapping(members));
            assert_eq!(refused(&cloud, &form), code, "{members:?}");
        }
    });
}

#[test]
fn a_disk_under_a_key_that_cannot_be_used_ends_the_launch_later() {
    Cloud::run(calm(), async |cloud| {
        let rest = mapping(&[
            ("DeviceName", "/dev/xvda"),
            ("Ebs.Encrypted", "true"),
            ("Ebs.KmsKeyId", "alias/nobody-made-this"),
        ]);
        let id = launch(&cloud, LINUX, "t3.micro", &rest);
        assert_eq!(state_of(&cloud, &id), "pending");
        cloud.advance(secs(30)).await;
        let body = described(&cloud, &id);
        assert_eq!(leaf(&leaf(&body, "instanceState"), "name"), "terminated");
        let reason = leaf(&body, "stateReason");
        assert_eq!(leaf(&reason, "code"), "Client.InternalError");
        assert!(leaf(&reason, "message").contains("Client error on launch"));
        assert_eq!(told_states(&cloud, &id), ["pending", "terminated"]);
    });
}

#[test]
fn images_that_are_not_available_are_refused() {
    Cloud::run(calm(), async |cloud| {
        let id = running(&cloud, "").await;
        let body = ec2(&cloud, &format!("Action=CreateImage&InstanceId={id}&Name=early"));
        let pending = leaf(&body, "imageId");
        for (image, code) in [
            (pending.as_str(), "InvalidAMIID.Unavailable"),
            ("ami-0123456789abcdef0", "InvalidAMIID.NotFound"),
            ("ami-xyz", "InvalidAMIID.Malformed"),
        ] {
            let form = format!("Action=RunInstances&ImageId={image}&MinCount=1&MaxCount=1");
            assert_eq!(refused(&cloud, &form), code, "{image}");
        }
        cloud.advance(secs(600)).await;
        let launch = format!("Action=RunInstances&ImageId={pending}&InstanceType=t3.micro");
        ec2(&cloud, &format!("{launch}&MinCount=1&MaxCount=1"));
        ec2(&cloud, &format!("Action=DisableImage&ImageId={pending}"));
        let code = refused(&cloud, &format!("{launch}&MinCount=1&MaxCount=1"));
        assert_eq!(code, "InvalidAMIID.Unavailable");
    });
}

#[test]
fn one_call_launches_as_many_as_it_may_in_one_reservation() {
    Cloud::run(calm(), async |cloud| {
        let image = image(LINUX);
        let form = |least: i32, most: i32| {
            format!(
                "Action=RunInstances&ImageId={image}&InstanceType=t3.micro\
                 &MinCount={least}&MaxCount={most}"
            )
        };
        let body = ec2(&cloud, &form(1, 3));
        assert_eq!(leaves(&body, "amiLaunchIndex"), ["0", "1", "2"]);
        let body = ec2(&cloud, "Action=DescribeInstances");
        assert_eq!(leaves(&body, "reservationId").len(), 1);
        let addresses = leaves(&body, "networkInterfaceSet").len();
        assert_eq!(addresses, 3);
        assert_eq!(refused(&cloud, &form(0, 1)), "InvalidParameterValue");
        assert_eq!(refused(&cloud, &form(3, 2)), "InvalidParameterValue");
        let form = format!("Action=RunInstances&ImageId={image}&MaxCount=1");
        assert_eq!(refused(&cloud, &form), "MissingParameter");
    });
}

#[test]
fn a_client_token_launches_once() {
    Cloud::run(calm(), async |cloud| {
        let form = launch_form(LINUX, "t3.micro", "&ClientToken=once");
        let first = leaf(&ec2(&cloud, &form), "instanceId");
        cloud.advance(secs(20)).await;
        let again = ec2(&cloud, &form);
        assert_eq!(leaf(&again, "instanceId"), first);
        assert_eq!(leaf(&leaf(&again, "instanceState"), "name"), "running");
        assert_eq!(leaf(&again, "clientToken"), "once");
        let other = launch_form(LINUX, "t3.small", "&ClientToken=once");
        assert_eq!(refused(&cloud, &other), "IdempotentParameterMismatch");
        let body = ec2(&cloud, "Action=DescribeInstances");
        assert_eq!(leaves(&body, "reservationId").len(), 1);
        ec2(&cloud, &format!("Action=TerminateInstances&InstanceId.1={first}"));
        cloud.advance(secs(40)).await;
        assert_eq!(refused(&cloud, &form), "IdempotentInstanceTerminated");
    });
}

#[test]
fn a_client_token_belongs_to_its_region() {
    Cloud::run(calm(), async |cloud| {
        ec2(&cloud, &launch_form(LINUX, "t3.micro", "&ClientToken=once"));
        let there = afterimage_cloud::ec2::catalogue::image_of_name("eu-west-1", LINUX);
        let there = there.expect("the catalogue has the image").id.as_str();
        let form = format!(
            "Action=RunInstances&ImageId={there}&InstanceType=t3.micro&MinCount=1&MaxCount=1\
             &ClientToken=once"
        );
        let (status, _) = query(&cloud, "eu-west-1", "ec2", &form);
        assert_eq!(status, 200);
    });
}

#[test]
fn a_dry_run_launches_nothing_and_uses_up_no_token() {
    Cloud::run(calm(), async |cloud| {
        let form = launch_form(LINUX, "t3.micro", "&ClientToken=once");
        let (status, body) = query(&cloud, "us-east-1", "ec2", &format!("{form}&DryRun=true"));
        assert_eq!((status, leaf(&body, "Code").as_str()), (412, "DryRunOperation"));
        assert!(leaves(&ec2(&cloud, "Action=DescribeInstances"), "instanceId").is_empty());
        ec2(&cloud, &form);
    });
}

#[test]
fn tags_of_a_launch_go_to_the_instance_and_to_its_volumes() {
    Cloud::run(calm(), async |cloud| {
        let rest = "&TagSpecification.1.ResourceType=instance\
                    &TagSpecification.1.Tag.1.Key=backup&TagSpecification.1.Tag.1.Value=daily\
                    &TagSpecification.2.ResourceType=volume\
                    &TagSpecification.2.Tag.1.Key=disk&TagSpecification.2.Tag.1.Value=root";
        let id = launch(&cloud, LINUX, "t3.micro", rest);
        let body = described(&cloud, &id);
        assert_eq!(leaves(&leaf(&body, "tagSet"), "key"), ["backup"]);
        let body =
            ec2(&cloud, "Action=DescribeVolumes&Filter.1.Name=tag:disk&Filter.1.Value.1=root");
        assert_eq!(leaf(&body, "instanceId"), id);
        cloud.advance(secs(5)).await;
        let told = events(&cloud, "Tag Change on Resource");
        let kinds: Vec<&str> =
            told.iter().filter_map(|event| event["detail"]["resource-type"].as_str()).collect();
        assert!(kinds.contains(&"instance") && kinds.contains(&"volume"), "{kinds:?}");
        let image_tags = "&TagSpecification.1.ResourceType=image\
                          &TagSpecification.1.Tag.1.Key=a&TagSpecification.1.Tag.1.Value=b";
        let form = launch_form(LINUX, "t3.micro", image_tags);
        assert_eq!(refused(&cloud, &form), "InvalidParameterValue");
    });
}

#[test]
fn a_parameter_that_is_not_modelled_is_refused_by_name() {
    Cloud::run(calm(), async |cloud| {
        let form = launch_form(LINUX, "t3.micro", "&EnclaveOptions.Enabled=true");
        let (status, body) = query(&cloud, "us-east-1", "ec2", &form);
        assert_eq!((status, leaf(&body, "Code").as_str()), (400, "UnknownParameter"));
        assert!(leaf(&body, "Message").contains("EnclaveOptions.Enabled"));
    });
}

#[test]
fn a_launch_template_that_does_not_exist_is_refused() {
    Cloud::run(calm(), async |cloud| {
        let rest = "&LaunchTemplate.LaunchTemplateId=lt-0123456789abcdef0&LaunchTemplate.Version=1";
        let form = launch_form(LINUX, "t3.micro", rest);
        assert_eq!(refused(&cloud, &form), "InvalidLaunchTemplateId.NotFound");
    });
}

#[test]
fn a_new_instance_is_invisible_for_as_long_as_the_knob_says() {
    let mut config = calm();
    config.lag.visibility_ms = Some(10_000..=10_000);
    Cloud::run(config, async |cloud| {
        let id = launch(&cloud, LINUX, "t3.micro", "");
        let form = format!("Action=DescribeInstances&InstanceId.1={id}");
        assert_eq!(refused(&cloud, &form), "InvalidInstanceID.NotFound");
        assert!(leaves(&ec2(&cloud, "Action=DescribeInstances"), "instanceId").is_empty());
        cloud.advance(secs(10)).await;
        assert_eq!(leaf(&ec2(&cloud, &form), "instanceId"), id);
    });
}

#[test]
fn the_same_seed_launches_the_same_instance() {
    let world = || {
        Cloud::run(calm(), async |cloud| {
            let id = running(&cloud, "").await;
            (id, cloud.now(), cloud.with(|model| model.trace.hash()))
        })
    };
    let (first, second) = (world(), world());
    assert_eq!(first, second);
    assert_eq!(first.1, Time::START + secs(20));
}
