//! DescribeInstances: filters and pages.

use afterimage_cloud::Cloud;

use super::world::{LINUX, MARKETPLACE, WINDOWS, calm, image, launch, launch_form, running, secs};
use crate::common::{ec2, leaf, leaves, query, refused};

/// The ids that a filter lets through, sorted.
fn found(cloud: &Cloud, name: &str, value: &str) -> Vec<String> {
    let form = format!("Action=DescribeInstances&Filter.1.Name={name}&Filter.1.Value.1={value}");
    let mut ids = leaves(&ec2(cloud, &form), "instanceId");
    ids.sort();
    ids
}

#[test]
fn each_filter_tells_two_machines_apart() {
    Cloud::run(calm(), async |cloud| {
        ec2(&cloud, "Action=CreateKeyPair&KeyName=mine");
        let rest = "&KeyName=mine&IamInstanceProfile.Name=backup\
                    &InstanceMarketOptions.MarketType=spot\
                    &TagSpecification.1.ResourceType=instance\
                    &TagSpecification.1.Tag.1.Key=Name&TagSpecification.1.Tag.1.Value=web";
        let web = running(&cloud, rest).await;
        let shop =
            launch(&cloud, MARKETPLACE, "m5.large", "&Placement.AvailabilityZone=us-east-1b");
        let body = ec2(&cloud, &format!("Action=DescribeInstances&InstanceId.1={shop}"));
        let linux = image(LINUX);
        let of_shop = |name: &str| leaf(&body, name);
        let tests = [
            ("image-id", linux.as_str(), &web),
            ("instance-state-name", "running", &web),
            ("instance-state-code", "16", &web),
            ("instance-type", "t3.*", &web),
            ("launch-time", "2026-01-01T00:00:00*", &web),
            ("key-name", "mine", &web),
            ("iam-instance-profile.arn", "arn:aws:iam::123456789012:instance-profile/backup", &web),
            ("instance-lifecycle", "spot", &web),
            ("tag:Name", "w?b", &web),
            ("tag-key", "Name", &web),
            ("block-device-mapping.status", "attached", &web),
            ("availability-zone", "us-east-1b", &shop),
            ("product-code.type", "marketplace", &shop),
            ("product-code", &of_shop("productCode"), &shop),
            ("block-device-mapping.device-name", "/dev/sdb", &shop),
            ("block-device-mapping.volume-id", &of_shop("volumeId"), &shop),
            ("private-ip-address", &of_shop("privateIpAddress"), &shop),
            ("subnet-id", &of_shop("subnetId"), &shop),
            ("reservation-id", &of_shop("reservationId"), &shop),
            ("instance-id", &shop, &shop),
        ];
        for (name, value, expected) in tests {
            assert_eq!(found(&cloud, name, value), [expected.as_str()], "{name}={value}");
        }
    });
}

#[test]
fn filters_that_both_machines_pass_or_none_does() {
    Cloud::run(calm(), async |cloud| {
        let mut both =
            vec![launch(&cloud, LINUX, "t3.micro", ""), launch(&cloud, WINDOWS, "t3.micro", "")];
        both.sort();
        for (name, value) in [
            ("architecture", "x86_64"),
            ("owner-id", "123456789012"),
            ("root-device-type", "ebs"),
            ("virtualization-type", "hvm"),
            ("hibernation-options.configured", "false"),
            ("block-device-mapping.delete-on-termination", "true"),
            ("vpc-id", "vpc-*"),
        ] {
            assert_eq!(found(&cloud, name, value), both, "{name}={value}");
        }
        for (name, value) in [
            ("platform", "linux"),
            ("platform-details", "windows"),
            ("state-reason-code", "*"),
            ("root-device-name", "/dev/sdz"),
        ] {
            assert!(found(&cloud, name, value).is_empty(), "{name}={value}");
        }
        assert_eq!(found(&cloud, "platform", "windows").len(), 1);
        let form = "Action=DescribeInstances&Filter.1.Name=colour&Filter.1.Value.1=red";
        assert_eq!(refused(&cloud, form), "InvalidParameterValue");
    });
}

#[test]
fn pages_together_hold_every_instance_once() {
    Cloud::run(calm(), async |cloud| {
        let image = image(LINUX);
        let form = format!("Action=RunInstances&ImageId={image}&InstanceType=t3.micro");
        let body = ec2(&cloud, &format!("{form}&MinCount=12&MaxCount=12"));
        let mut launched = leaves(&body, "instanceId");
        launched.sort();
        let (mut seen, mut sizes) = (Vec::new(), Vec::new());
        let mut next = String::new();
        loop {
            let body = ec2(&cloud, &format!("Action=DescribeInstances&MaxResults=5{next}"));
            let page = leaves(&body, "instanceId");
            sizes.push(page.len());
            seen.extend(page);
            match leaf(&body, "nextToken").as_str() {
                "" => break,
                token => next = format!("&NextToken={token}"),
            }
        }
        assert_eq!(sizes, [5, 5, 2]);
        seen.sort();
        assert_eq!(seen, launched);
    });
}

#[test]
fn page_sizes_have_bounds_and_do_not_go_with_ids() {
    Cloud::run(calm(), async |cloud| {
        let id = running(&cloud, "").await;
        for (rest, code) in [
            ("&MaxResults=4".to_string(), "InvalidParameterValue"),
            ("&MaxResults=1001".to_string(), "InvalidParameterValue"),
            ("&NextToken=garbage".to_string(), "InvalidNextToken"),
            (format!("&MaxResults=5&InstanceId.1={id}"), "InvalidParameterCombination"),
        ] {
            let form = format!("Action=DescribeInstances{rest}");
            assert_eq!(refused(&cloud, &form), code, "{rest}");
        }
    });
}

#[test]
fn instances_of_another_region_are_not_seen() {
    Cloud::run(calm(), async |cloud| {
        let id = running(&cloud, "").await;
        let form = format!("Action=DescribeInstances&InstanceId.1={id}");
        let (status, body) = query(&cloud, "eu-west-1", "ec2", &form);
        assert_eq!((status, leaf(&body, "Code").as_str()), (400, "InvalidInstanceID.NotFound"));
    });
}

#[test]
fn a_machine_has_a_public_address_while_it_runs() {
    Cloud::run(calm(), async |cloud| {
        let id = launch(&cloud, LINUX, "t3.micro", "");
        let address = |body: String| leaf(&body, "ipAddress");
        let form = format!("Action=DescribeInstances&InstanceId.1={id}");
        assert_eq!(address(ec2(&cloud, &form)), "");
        cloud.advance(secs(20)).await;
        let first = address(ec2(&cloud, &form));
        assert!(first.starts_with("3."), "{first}");
        ec2(&cloud, &format!("Action=StopInstances&InstanceId.1={id}"));
        cloud.advance(secs(40)).await;
        assert_eq!(address(ec2(&cloud, &form)), "");
        ec2(&cloud, &format!("Action=StartInstances&InstanceId.1={id}"));
        cloud.advance(secs(20)).await;
        assert_ne!(address(ec2(&cloud, &form)), first);
    });
}

#[test]
fn a_private_address_can_be_asked_for_once() {
    Cloud::run(calm(), async |cloud| {
        let form = launch_form(LINUX, "t3.micro", "&PrivateIpAddress=172.31.7.7");
        assert_eq!(leaf(&ec2(&cloud, &form), "privateIpAddress"), "172.31.7.7");
        assert_eq!(refused(&cloud, &form), "InvalidIPAddress.InUse");
        let outside = launch_form(LINUX, "t3.micro", "&PrivateIpAddress=10.0.0.7");
        assert_eq!(refused(&cloud, &outside), "InvalidParameterValue");
    });
}

#[test]
fn a_page_may_be_empty_and_still_carry_a_token() {
    // EC2 guide, pagination: go on until there is no token, whatever a page holds.
    let mut config = calm();
    config.quirks.empty_pages = true;
    Cloud::run(config, async |cloud| {
        for _ in 0..7 {
            launch(&cloud, LINUX, "t3.micro", "");
        }
        for (action, element, count) in [
            ("DescribeInstances", "instanceId", 7),
            ("DescribeVolumes", "size", 7),
            ("DescribeImages&Owner.1=self", "imageId", 0),
        ] {
            let first = format!("Action={action}&MaxResults=5");
            let mut sizes = Vec::new();
            let mut form = first.clone();
            loop {
                let body = ec2(&cloud, &form);
                sizes.push(leaves(&body, element).len());
                let token = leaf(&body, "nextToken");
                if token.is_empty() {
                    break;
                }
                form = format!("{first}&NextToken={token}");
            }
            let expected = if count == 7 { &[0, 5, 0, 2][..] } else { &[0, 0] };
            assert_eq!(sizes, expected, "{action}");
            let unpaged = ec2(&cloud, &format!("Action={action}"));
            assert_eq!(leaves(&unpaged, element).len(), count, "{action}");
        }
    });
}
