//! Regions, zones, types, the default network and security groups.

use afterimage_cloud::Cloud;
use afterimage_cloud::regions::REGIONS;

use super::world::{LINUX, calm, launch_form};
use crate::common::{ec2, leaf, leaves, query, refused};

#[test]
fn every_region_is_usable_and_some_say_that_they_were_opted_into() {
    Cloud::run(calm(), async |cloud| {
        let body = ec2(&cloud, "Action=DescribeRegions&AllRegions=true");
        assert_eq!(leaves(&body, "regionName"), REGIONS.map(|(name, _)| name));
        let body = ec2(&cloud, "Action=DescribeRegions&RegionName.1=af-south-1");
        assert_eq!(leaf(&body, "optInStatus"), "opted-in");
        assert_eq!(leaf(&body, "regionEndpoint"), "ec2.af-south-1.amazonaws.com");
        let form = "Action=DescribeRegions&Filter.1.Name=opt-in-status\
                    &Filter.1.Value.1=opt-in-not-required";
        assert!(leaves(&ec2(&cloud, form), "regionName").contains(&"us-east-1".to_string()));
        let form = "Action=DescribeRegions&RegionName.1=mars-north-1";
        assert_eq!(refused(&cloud, form), "InvalidParameterValue");
    });
}

#[test]
fn a_region_has_three_zones_with_ids_of_their_own() {
    Cloud::run(calm(), async |cloud| {
        let body = ec2(&cloud, "Action=DescribeAvailabilityZones");
        assert_eq!(leaves(&body, "zoneName"), ["us-east-1a", "us-east-1b", "us-east-1c"]);
        assert_eq!(leaves(&body, "zoneId"), ["use1-az1", "use1-az2", "use1-az3"]);
        let (_, body) = query(&cloud, "ap-southeast-2", "ec2", "Action=DescribeAvailabilityZones");
        assert_eq!(leaf(&body, "zoneId"), "apse2-az1");
    });
}

#[test]
fn a_new_account_has_a_default_network() {
    Cloud::run(calm(), async |cloud| {
        let body = ec2(&cloud, "Action=DescribeVpcs");
        assert_eq!(leaf(&body, "cidrBlock"), "172.31.0.0/16");
        assert_eq!(leaf(&body, "isDefault"), "true");
        let vpc = leaf(&body, "vpcId");
        let body = ec2(&cloud, "Action=DescribeSubnets");
        assert_eq!(
            leaves(&body, "cidrBlock"),
            ["172.31.0.0/20", "172.31.16.0/20", "172.31.32.0/20"]
        );
        assert_eq!(leaf(&body, "vpcId"), vpc);
        assert_eq!(leaf(&body, "availableIpAddressCount"), "4091");
        let body = ec2(&cloud, "Action=DescribeSecurityGroups");
        assert_eq!(leaves(&body, "groupName"), ["default"]);
        let (_, there) = query(&cloud, "eu-west-1", "ec2", "Action=DescribeVpcs");
        assert_ne!(leaf(&there, "vpcId"), vpc);
    });
}

#[test]
fn a_launch_takes_an_address_of_its_subnet() {
    Cloud::run(calm(), async |cloud| {
        let form = "Action=DescribeSubnets&Filter.1.Name=availability-zone\
                    &Filter.1.Value.1=us-east-1c";
        let subnet = leaf(&ec2(&cloud, form), "subnetId");
        let rest = format!("&SubnetId={subnet}");
        let body = ec2(&cloud, &launch_form(LINUX, "t3.micro", &rest));
        assert!(leaf(&body, "privateIpAddress").starts_with("172.31.32."));
        assert_eq!(leaf(&body, "availabilityZone"), "us-east-1c");
        let body = ec2(&cloud, form);
        assert_eq!(leaf(&body, "availableIpAddressCount"), "4090");
        let elsewhere = format!("{rest}&Placement.AvailabilityZone=us-east-1a");
        let form = launch_form(LINUX, "t3.micro", &elsewhere);
        assert_eq!(refused(&cloud, &form), "InvalidParameterValue");
        let nowhere = launch_form(LINUX, "t3.micro", "&SubnetId=subnet-0123456789abcdef0");
        assert_eq!(refused(&cloud, &nowhere), "InvalidSubnetID.NotFound");
    });
}

#[test]
fn a_group_without_rules_can_hold_a_machine() {
    Cloud::run(calm(), async |cloud| {
        let form = "Action=CreateSecurityGroup&GroupName=drill&GroupDescription=isolated";
        let group = leaf(&ec2(&cloud, form), "groupId");
        assert_eq!(refused(&cloud, form), "InvalidGroup.Duplicate");
        let revoke = format!(
            "Action=RevokeSecurityGroupEgress&GroupId={group}&IpPermissions.1.IpProtocol=-1\
             &IpPermissions.1.IpRanges.1.CidrIp=0.0.0.0/0"
        );
        ec2(&cloud, &revoke);
        assert_eq!(refused(&cloud, &revoke), "InvalidPermission.NotFound");
        let body = ec2(&cloud, &format!("Action=DescribeSecurityGroups&GroupId.1={group}"));
        assert_eq!(leaf(&body, "ipPermissions"), "");
        assert_eq!(leaf(&body, "ipPermissionsEgress"), "");
        let rest = format!("&SecurityGroupId.1={group}");
        let body = ec2(&cloud, &launch_form(LINUX, "t3.micro", &rest));
        assert_eq!(leaf(&leaf(&body, "groupSet"), "groupName"), "drill");
        let delete = format!("Action=DeleteSecurityGroup&GroupId={group}");
        assert_eq!(refused(&cloud, &delete), "DependencyViolation");
    });
}

#[test]
fn rules_are_added_once_and_taken_away() {
    Cloud::run(calm(), async |cloud| {
        let form = "Action=CreateSecurityGroup&GroupName=web&GroupDescription=web";
        let group = leaf(&ec2(&cloud, form), "groupId");
        let allow = format!(
            "Action=AuthorizeSecurityGroupIngress&GroupId={group}\
             &IpPermissions.1.IpProtocol=tcp&IpPermissions.1.FromPort=443\
             &IpPermissions.1.ToPort=443&IpPermissions.1.IpRanges.1.CidrIp=10.0.0.0/8"
        );
        let rule = leaf(&ec2(&cloud, &allow), "securityGroupRuleId");
        assert_eq!(refused(&cloud, &allow), "InvalidPermission.Duplicate");
        let describe = format!("Action=DescribeSecurityGroups&GroupId.1={group}");
        let ingress = leaf(&ec2(&cloud, &describe), "ipPermissions");
        assert_eq!(leaf(&ingress, "cidrIp"), "10.0.0.0/8");
        assert_eq!(leaf(&ingress, "fromPort"), "443");
        let revoke = format!(
            "Action=RevokeSecurityGroupIngress&GroupId={group}&SecurityGroupRuleId.1={rule}"
        );
        ec2(&cloud, &revoke);
        assert_eq!(leaf(&ec2(&cloud, &describe), "ipPermissions"), "");
        ec2(&cloud, &format!("Action=DeleteSecurityGroup&GroupId={group}"));
        assert_eq!(refused(&cloud, &describe), "InvalidGroup.NotFound");
    });
}

#[test]
fn the_default_group_stays() {
    Cloud::run(calm(), async |cloud| {
        let form = "Action=DeleteSecurityGroup&GroupName=default";
        assert_eq!(refused(&cloud, form), "CannotDelete");
    });
}

#[test]
fn instance_types_say_what_they_can_boot() {
    Cloud::run(calm(), async |cloud| {
        let form = "Action=DescribeInstanceTypes&InstanceType.1=m6g.large";
        let body = ec2(&cloud, form);
        assert_eq!(leaf(&body, "supportedArchitectures"), "<item>arm64</item>");
        assert_eq!(leaf(&body, "supportedBootModes"), "<item>uefi</item>");
        assert_eq!(leaf(&body, "enaSupport"), "required");
        let form = "Action=DescribeInstanceTypes&Filter.1.Name=nitro-tpm-support\
                    &Filter.1.Value.1=supported&Filter.2.Name=instance-storage-supported\
                    &Filter.2.Value.1=true";
        assert_eq!(leaves(&ec2(&cloud, form), "instanceType"), ["c5d.large", "m5d.large"]);
        let form = "Action=DescribeInstanceTypes&InstanceType.1=z9.huge";
        assert_eq!(refused(&cloud, form), "InvalidInstanceType");
    });
}

#[test]
fn security_groups_can_be_tagged() {
    Cloud::run(calm(), async |cloud| {
        let form = "Action=CreateSecurityGroup&GroupName=tagged&GroupDescription=x";
        let group = leaf(&ec2(&cloud, form), "groupId");
        ec2(&cloud, &format!("Action=CreateTags&ResourceId.1={group}&Tag.1.Key=a&Tag.1.Value=b"));
        let form = "Action=DescribeSecurityGroups&Filter.1.Name=tag:a&Filter.1.Value.1=b";
        assert_eq!(leaf(&ec2(&cloud, form), "groupId"), group);
    });
}

#[test]
fn programs_that_clean_up_are_told_that_nothing_else_is_in_use() {
    Cloud::run(calm(), async |cloud| {
        for (service, action, list) in [
            ("ec2", "DescribeAddresses", "addressesSet"),
            ("autoscaling", "DescribeAutoScalingGroups&MaxRecords=100", "AutoScalingGroups"),
            ("autoscaling", "DescribeLaunchConfigurations", "LaunchConfigurations"),
        ] {
            let (status, body) = query(&cloud, "us-east-1", service, &format!("Action={action}"));
            assert_eq!(status, 200, "{action}: {body}");
            assert_eq!(leaves(&body, list), [""], "{action}: {body}");
        }
        let form = "Action=CreateAutoScalingGroup&AutoScalingGroupName=web";
        let (status, body) = query(&cloud, "us-east-1", "autoscaling", form);
        assert_eq!((status, leaf(&body, "Code")), (400, "InvalidAction".to_string()));
    });
}
