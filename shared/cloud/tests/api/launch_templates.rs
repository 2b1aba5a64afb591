//! Launch templates where no SDK can look: what policies see of them, requests that no SDK sends,
//! events, and templates that are not visible yet.

use std::time::Duration;

use crate::common::{ec2, leaf, leaves, query_as, refused};
use afterimage_cloud::access::Identity;
use afterimage_cloud::ec2::catalogue;
use afterimage_cloud::trace::What;
use afterimage_cloud::{Cloud, Config};
use serde_json::{Value, json};

const KEY: &str = "AKIAIOSFODNN7ROLE";
const ROLE: &str = "arn:aws:iam::123456789012:role/launcher";
const LINUX: &str = "al2023-ami-2023.6.20260101.0-kernel-6.1-x86_64";
const ALIAS: &str = "resolve:ssm:/aws/service/ami-amazon-linux-latest/\
                     al2023-ami-kernel-default-x86_64";

fn run(scenario: impl AsyncFnOnce(Cloud)) {
    Cloud::run(Config::seeded(1), scenario);
}

fn image() -> String {
    catalogue::image_of_name("us-east-1", LINUX).expect("the catalogue has the image").id.clone()
}

/// Makes a template for small Linux machines; its id.
fn template(cloud: &Cloud, name: &str) -> String {
    let body = ec2(cloud, &create_form(name, &image()));
    leaf(&body, "launchTemplateId")
}

fn create_form(name: &str, image_id: &str) -> String {
    format!(
        "Action=CreateLaunchTemplate&LaunchTemplateName={name}\
         &LaunchTemplateData.ImageId={image_id}&LaunchTemplateData.InstanceType=t3.micro"
    )
}

fn launch_form(template_id: &str) -> String {
    let named = format!("LaunchTemplate.LaunchTemplateId={template_id}");
    format!("Action=RunInstances&MinCount=1&MaxCount=1&{named}")
}

fn arn(template_id: &str) -> String {
    format!("arn:aws:ec2:us-east-1:123456789012:launch-template/{template_id}")
}

fn allow(actions: &[&str]) -> Value {
    json!({ "Effect": "Allow", "Action": actions, "Resource": "*" })
}

/// Declares what the holder of [`KEY`] may do.
fn declare(cloud: &Cloud, statements: &[Value]) {
    let policy = json!({ "Version": "2012-10-17", "Statement": statements });
    cloud.with(|model| {
        model.principals.declare_role(ROLE, &[policy], None).expect("the policy is sound");
        let caller =
            Identity { role: Some(ROLE.to_string()), ..Identity::administrator("123456789012") };
        model.principals.declare_key(KEY, caller);
    });
}

/// The status of a call of the declared role.
fn status(cloud: &Cloud, form: &str) -> u16 {
    let (status, body) = query_as(cloud, KEY, "us-east-1", "ec2", form);
    assert!(status == 200 || leaf(&body, "Code") == "UnauthorizedOperation", "{form}: {body}");
    status
}

#[test]
fn a_policy_can_tie_launches_to_a_template() {
    run(async |cloud| {
        let (own, other) = (template(&cloud, "own"), template(&cloud, "other"));
        let mut tied = allow(&["ec2:RunInstances"]);
        tied["Condition"] = json!({ "ArnEquals": { "ec2:LaunchTemplate": arn(&own) } });
        declare(&cloud, &[tied]);
        assert_eq!(status(&cloud, &launch_form(&own)), 200);
        assert_eq!(status(&cloud, &launch_form(&other)), 403);
        let bare = format!("Action=RunInstances&MinCount=1&MaxCount=1&ImageId={}", image());
        assert_eq!(status(&cloud, &format!("{bare}&InstanceType=t3.micro")), 403);
    });
}

#[test]
fn the_template_is_a_resource_of_the_launch_with_its_tags() {
    run(async |cloud| {
        let (open, closed) = (template(&cloud, "open"), template(&cloud, "closed"));
        let tag = format!("Action=CreateTags&ResourceId.1={closed}&Tag.1.Key=closed&Tag.1.Value=y");
        ec2(&cloud, &tag);
        let deny = json!({
            "Effect": "Deny",
            "Action": "ec2:RunInstances",
            "Resource": arn("*"),
            "Condition": { "StringEquals": { "aws:ResourceTag/closed": "y" } },
        });
        declare(&cloud, &[allow(&["ec2:RunInstances"]), deny]);
        assert_eq!(status(&cloud, &launch_form(&open)), 200);
        assert_eq!(status(&cloud, &launch_form(&closed)), 403);
    });
}

#[test]
fn each_call_needs_its_own_permission_on_the_template() {
    run(async |cloud| {
        let id = template(&cloud, "web");
        let named = format!("LaunchTemplateId={id}");
        let data = "LaunchTemplateData.InstanceType=t3.large";
        let calls = [
            ("ec2:CreateLaunchTemplate", create_form("new", &image())),
            (
                "ec2:CreateLaunchTemplateVersion",
                format!("Action=CreateLaunchTemplateVersion&{named}&{data}"),
            ),
            (
                "ec2:ModifyLaunchTemplate",
                format!("Action=ModifyLaunchTemplate&{named}&SetDefaultVersion=2"),
            ),
            (
                "ec2:DeleteLaunchTemplateVersions",
                format!("Action=DeleteLaunchTemplateVersions&{named}&LaunchTemplateVersion.1=1"),
            ),
            ("ec2:DescribeLaunchTemplates", "Action=DescribeLaunchTemplates".to_string()),
            (
                "ec2:DescribeLaunchTemplateVersions",
                format!("Action=DescribeLaunchTemplateVersions&{named}"),
            ),
            ("ec2:DeleteLaunchTemplate", format!("Action=DeleteLaunchTemplate&{named}")),
        ];
        for (index, (action, form)) in calls.iter().enumerate() {
            let others = calls.iter().enumerate().filter(|(other, _)| *other != index);
            let others: Vec<&str> = others.map(|(_, (action, _))| *action).collect();
            declare(&cloud, &[allow(&others)]);
            assert_eq!(status(&cloud, form), 403, "{action}");
            declare(&cloud, &[allow(&[action])]);
            assert_eq!(status(&cloud, form), 200, "{action}");
        }
    });
}

#[test]
fn tags_given_to_a_new_template_need_a_permission_of_their_own() {
    run(async |cloud| {
        let tags = "TagSpecification.1.ResourceType=launch-template\
                    &TagSpecification.1.Tag.1.Key=a&TagSpecification.1.Tag.1.Value=1";
        let form = format!("{}&{tags}", create_form("web", &image()));
        let create = allow(&["ec2:CreateLaunchTemplate"]);
        declare(&cloud, std::slice::from_ref(&create));
        assert_eq!(status(&cloud, &form), 403);
        let tag = json!({
            "Effect": "Allow",
            "Action": "ec2:CreateTags",
            "Resource": arn("*"),
            "Condition": { "StringEquals": { "ec2:CreateAction": "CreateLaunchTemplate" } },
        });
        declare(&cloud, &[create, tag]);
        assert_eq!(status(&cloud, &form), 200);
    });
}

#[test]
fn whoever_uses_an_alias_has_to_be_allowed_to_read_its_parameter() {
    run(async |cloud| {
        let form = create_form("web", ALIAS);
        declare(&cloud, &[allow(&["ec2:*"])]);
        assert_eq!(status(&cloud, &form), 403);
        let id = leaf(&ec2(&cloud, &form), "launchTemplateId");
        assert_eq!(status(&cloud, &launch_form(&id)), 403);
        let parameter = json!({
            "Effect": "Allow",
            "Action": "ssm:GetParameters",
            "Resource": "arn:aws:ssm:us-east-1::parameter/aws/service/*",
        });
        declare(&cloud, &[allow(&["ec2:*"]), parameter]);
        assert_eq!(status(&cloud, &launch_form(&id)), 200);
    });
}

#[test]
fn looking_for_references_needs_what_the_service_does_for_the_caller() {
    run(async |cloud| {
        let look = format!("Action=DescribeImageReferences&ImageId.1={}", image());
        let of = |kind: &str| format!("{look}&ResourceType.1.ResourceType={kind}");
        let own = allow(&["ec2:DescribeImageReferences"]);
        declare(&cloud, std::slice::from_ref(&own));
        assert_eq!(status(&cloud, &of("ec2:Instance")), 403);
        let mut through = allow(&["ec2:DescribeInstances"]);
        let service = json!(["ec2-images.amazonaws.com"]);
        through["Condition"] = json!({ "ForAnyValue:StringEquals": { "aws:CalledVia": service } });
        declare(&cloud, &[own, through]);
        assert_eq!(status(&cloud, &of("ec2:Instance")), 200);
        assert_eq!(status(&cloud, &of("ec2:LaunchTemplate")), 403);
        assert_eq!(status(&cloud, "Action=DescribeInstances"), 403);
    });
}

#[test]
fn members_that_only_run_instances_has_are_unknown() {
    run(async |cloud| {
        for member in ["SubnetId", "PrivateIpAddress", "RamdiskId", "MinCount"] {
            let form = format!("{}&LaunchTemplateData.{member}=1", create_form("web", &image()));
            assert_eq!(refused(&cloud, &form), "UnknownParameter", "{member}");
        }
    });
}

#[test]
fn devices_are_described_in_the_order_of_their_numbers() {
    run(async |cloud| {
        let mut form = create_form("web", &image());
        let names: Vec<String> = ('f'..='q').map(|letter| format!("/dev/sd{letter}")).collect();
        for (number, name) in (1..).zip(&names) {
            let device = format!("LaunchTemplateData.BlockDeviceMapping.{number}");
            form += &format!("&{device}.DeviceName={name}&{device}.Ebs.VolumeSize=1");
        }
        ec2(&cloud, &form);
        let body = ec2(&cloud, "Action=DescribeLaunchTemplateVersions&LaunchTemplateName=web");
        assert_eq!(leaves(&body, "deviceName"), names);
    });
}

#[test]
fn tagging_a_template_sends_an_event() {
    run(async |cloud| {
        let id = template(&cloud, "web");
        ec2(&cloud, &format!("Action=CreateTags&ResourceId.1={id}&Tag.1.Key=a&Tag.1.Value=1"));
        cloud.advance(Duration::from_secs(60)).await;
        let sent: Vec<Value> = cloud.with(|model| {
            let lines = model.trace.entries().iter();
            let events = lines.filter(|line| line.what == What::Event);
            let tagged = events.filter(|line| line.action == "Tag Change on Resource");
            tagged.map(|line| line.detail.clone()).collect()
        });
        let [event] = sent.as_slice() else { panic!("not one event: {sent:?}") };
        assert_eq!(event["resources"], json!([arn(&id)]));
        assert_eq!(event["detail"]["resource-type"], "launch-template");
        assert_eq!(event["detail"]["tags"], json!({ "a": "1" }));
    });
}

#[test]
fn a_template_that_is_not_visible_yet_holds_its_name_and_answers_to_its_token() {
    let mut config = Config::seeded(1);
    config.lag.visibility_ms = Some(5000..=5000);
    Cloud::run(config, async |cloud| {
        let form = format!("{}&ClientToken=once", create_form("web", &image()));
        let id = leaf(&ec2(&cloud, &form), "launchTemplateId");
        assert_eq!(refused(&cloud, &launch_form(&id)), "InvalidLaunchTemplateId.NotFound");
        let taken = "InvalidLaunchTemplateName.AlreadyExistsException";
        assert_eq!(refused(&cloud, &create_form("web", &image())), taken);
        assert_eq!(leaf(&ec2(&cloud, &form), "launchTemplateId"), id);
        cloud.advance(Duration::from_secs(6)).await;
        ec2(&cloud, &launch_form(&id));
    });
}
