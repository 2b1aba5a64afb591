//! DescribeInstanceAttribute and ModifyInstanceAttribute.

use afterimage_cloud::Cloud;

use super::world::{LINUX, PARAVIRTUAL, calm, launch, running, secs, state_of};
use crate::common::{ec2, leaf, refused};

fn attribute(cloud: &Cloud, id: &str, name: &str) -> String {
    let form = format!("Action=DescribeInstanceAttribute&InstanceId={id}&Attribute={name}");
    leaf(&ec2(cloud, &form), name)
}

fn value(text: &str) -> String {
    format!("<value>{text}</value>")
}

#[test]
fn attributes_are_described_one_by_one() {
    Cloud::run(calm(), async |cloud| {
        // "#!/bin/sh" in Base64.
        let id = running(&cloud, "&UserData=IyEvYmluL3No&EbsOptimized=true").await;
        for (name, expected) in [
            ("disableApiStop", value("false")),
            ("disableApiTermination", value("false")),
            ("ebsOptimized", value("true")),
            ("enaSupport", value("true")),
            ("instanceInitiatedShutdownBehavior", value("stop")),
            ("instanceType", value("t3.micro")),
            ("rootDeviceName", value("/dev/xvda")),
            ("sriovNetSupport", value("simple")),
            ("userData", value("IyEvYmluL3No")),
            ("kernel", String::new()),
            ("productCodes", String::new()),
        ] {
            assert_eq!(attribute(&cloud, &id, name), expected, "{name}");
        }
        assert!(attribute(&cloud, &id, "groupSet").contains("<groupName>default</groupName>"));
        assert!(attribute(&cloud, &id, "blockDeviceMapping").contains("/dev/xvda"));
        let old = launch(&cloud, PARAVIRTUAL, "m3.medium", "");
        assert!(attribute(&cloud, &old, "kernel").starts_with("<value>aki-"));
        let form = format!("Action=DescribeInstanceAttribute&InstanceId={id}&Attribute=colour");
        assert_eq!(refused(&cloud, &form), "InvalidParameterValue");
    });
}

#[test]
fn what_the_guest_sees_at_boot_changes_only_while_it_is_stopped() {
    Cloud::run(calm(), async |cloud| {
        let id = running(&cloud, "").await;
        let modify = |rest: &str| format!("Action=ModifyInstanceAttribute&InstanceId={id}&{rest}");
        for rest in ["InstanceType.Value=m5.large", "UserData.Value=IyEvYmluL3No"] {
            assert_eq!(refused(&cloud, &modify(rest)), "IncorrectInstanceState", "{rest}");
        }
        ec2(&cloud, &format!("Action=StopInstances&InstanceId.1={id}"));
        cloud.advance(secs(40)).await;
        ec2(&cloud, &modify("InstanceType.Value=m5.large"));
        assert_eq!(attribute(&cloud, &id, "instanceType"), value("m5.large"));
        let code = refused(&cloud, &modify("InstanceType.Value=m6g.large"));
        assert_eq!(code, "InvalidParameterValue");
        ec2(&cloud, &modify("Attribute=instanceType&Value=t3.small"));
        assert_eq!(attribute(&cloud, &id, "instanceType"), value("t3.small"));
    });
}

#[test]
fn protection_can_be_put_on_and_taken_off() {
    Cloud::run(calm(), async |cloud| {
        let id = running(&cloud, "").await;
        let modify = |rest: &str| format!("Action=ModifyInstanceAttribute&InstanceId={id}&{rest}");
        ec2(&cloud, &modify("DisableApiTermination.Value=true"));
        let terminate = format!("Action=TerminateInstances&InstanceId.1={id}");
        assert_eq!(refused(&cloud, &terminate), "OperationNotPermitted");
        ec2(&cloud, &modify("DisableApiTermination.Value=false"));
        ec2(&cloud, &terminate);
        assert_eq!(state_of(&cloud, &id), "shutting-down");
    });
}

#[test]
fn a_volume_can_be_kept_beyond_its_instance() {
    Cloud::run(calm(), async |cloud| {
        let id = running(&cloud, "").await;
        let rest = "BlockDeviceMapping.1.DeviceName=/dev/xvda\
                    &BlockDeviceMapping.1.Ebs.DeleteOnTermination=false";
        ec2(&cloud, &format!("Action=ModifyInstanceAttribute&InstanceId={id}&{rest}"));
        ec2(&cloud, &format!("Action=TerminateInstances&InstanceId.1={id}"));
        cloud.advance(secs(40)).await;
        assert_eq!(leaf(&ec2(&cloud, "Action=DescribeVolumes"), "status"), "available");
        let other = rest.replace("xvda", "sdz");
        let id = launch(&cloud, LINUX, "t3.micro", "");
        let form = format!("Action=ModifyInstanceAttribute&InstanceId={id}&{other}");
        assert_eq!(refused(&cloud, &form), "InvalidInstanceAttributeValue");
    });
}

#[test]
fn one_attribute_at_a_time() {
    Cloud::run(calm(), async |cloud| {
        let id = running(&cloud, "").await;
        for rest in ["", "&DisableApiStop.Value=true&SourceDestCheck.Value=false"] {
            let form = format!("Action=ModifyInstanceAttribute&InstanceId={id}{rest}");
            assert_eq!(refused(&cloud, &form), "InvalidParameterCombination", "{rest}");
        }
    });
}
