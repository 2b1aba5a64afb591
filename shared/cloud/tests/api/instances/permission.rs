//! What a role has to be allowed to launch and to stop, resource by resource.

use std::sync::Arc;

use afterimage_cloud::Cloud;
use afterimage_cloud::access::Identity;
use serde_json::{Value, json};

use super::world::{LINUX, calm, launch, launch_form, secs, state_of};
use crate::common::{ec2, leaf, query_as};

const ROLE: &str = "arn:aws:iam::123456789012:role/operator";
const KEY: &str = "ASIAOPERATOR";
const RUN: &str = "ec2:RunInstances";

/// Gives the operator's role these statements.
fn allow(cloud: &Cloud, statements: &Value) {
    let policy = json!({ "Version": "2012-10-17", "Statement": statements });
    cloud.with(|model| {
        model.principals.declare_role(ROLE, &[policy], None).expect("the policy is sound");
        let identity = Identity {
            account: Arc::from("123456789012"),
            arn: "arn:aws:sts::123456789012:assumed-role/operator/tests".to_string(),
            role: Some(ROLE.to_string()),
            environment: None,
        };
        model.principals.declare_key(KEY, identity);
    });
}

/// The status and the code of the operator's call.
fn try_out(cloud: &Cloud, form: &str) -> (u16, String) {
    let (status, body) = query_as(cloud, KEY, "us-east-1", "ec2", form);
    (status, leaf(&body, "Code"))
}

fn forbidden() -> (u16, String) {
    (403, "UnauthorizedOperation".to_string())
}

#[test]
fn a_launch_with_tags_needs_create_tags_as_well() {
    Cloud::run(calm(), async |cloud| {
        let run = json!({ "Effect": "Allow", "Action": "ec2:RunInstances", "Resource": "*" });
        allow(&cloud, &json!([run]));
        let plain = launch_form(LINUX, "t3.micro", "");
        let tagged = launch_form(
            LINUX,
            "t3.micro",
            "&TagSpecification.1.ResourceType=instance\
             &TagSpecification.1.Tag.1.Key=a&TagSpecification.1.Tag.1.Value=b",
        );
        assert_eq!(try_out(&cloud, &plain).0, 200);
        assert_eq!(try_out(&cloud, &tagged), forbidden());
        let tag = json!({
            "Effect": "Allow",
            "Action": "ec2:CreateTags",
            "Resource": "arn:aws:ec2:*:*:instance/*",
            "Condition": { "StringEquals": { "ec2:CreateAction": "RunInstances" } },
        });
        allow(&cloud, &json!([run, tag]));
        assert_eq!(try_out(&cloud, &tagged).0, 200);
    });
}

#[test]
fn each_resource_of_a_launch_has_to_be_allowed() {
    Cloud::run(calm(), async |cloud| {
        let all = [
            "arn:aws:ec2:*::image/*",
            "arn:aws:ec2:*:*:instance/*",
            "arn:aws:ec2:*:*:network-interface/*",
            "arn:aws:ec2:*:*:security-group/*",
            "arn:aws:ec2:*:*:subnet/*",
            "arn:aws:ec2:*:*:volume/*",
        ];
        let form = launch_form(LINUX, "t3.micro", "");
        let allowed =
            |arns: &[&str]| json!([{ "Effect": "Allow", "Action": RUN, "Resource": arns }]);
        allow(&cloud, &allowed(&all));
        assert_eq!(try_out(&cloud, &form).0, 200);
        for left_out in all {
            let rest: Vec<&str> = all.into_iter().filter(|arn| *arn != left_out).collect();
            allow(&cloud, &allowed(&rest));
            assert_eq!(try_out(&cloud, &form), forbidden(), "without {left_out}");
        }
    });
}

#[test]
fn a_launch_with_a_profile_needs_pass_role() {
    Cloud::run(calm(), async |cloud| {
        let run = json!({ "Effect": "Allow", "Action": "ec2:*", "Resource": "*" });
        allow(&cloud, &json!([run]));
        let form = launch_form(LINUX, "t3.micro", "&IamInstanceProfile.Name=web");
        assert_eq!(try_out(&cloud, &form), forbidden());
        let role = "arn:aws:iam::123456789012:role/web";
        let pass = json!({ "Effect": "Allow", "Action": "iam:PassRole", "Resource": role });
        allow(&cloud, &json!([run, pass]));
        assert_eq!(try_out(&cloud, &form).0, 200);
    });
}

#[test]
fn a_role_can_be_confined_to_tagged_instances() {
    Cloud::run(calm(), async |cloud| {
        allow(
            &cloud,
            &json!([{
                "Effect": "Allow",
                "Action": "ec2:StopInstances",
                "Resource": "*",
                "Condition": { "StringEquals": { "aws:ResourceTag/backup": "daily" } },
            }]),
        );
        let rest = "&TagSpecification.1.ResourceType=instance\
                    &TagSpecification.1.Tag.1.Key=backup&TagSpecification.1.Tag.1.Value=daily";
        let ours = launch(&cloud, LINUX, "t3.micro", rest);
        let theirs = launch(&cloud, LINUX, "t3.micro", "");
        cloud.advance(secs(20)).await;
        let both = format!("Action=StopInstances&InstanceId.1={ours}&InstanceId.2={theirs}");
        assert_eq!(try_out(&cloud, &both), forbidden());
        assert_eq!(state_of(&cloud, &ours), "running");
        let form = format!("Action=StopInstances&InstanceId.1={ours}");
        assert_eq!(try_out(&cloud, &form).0, 200);
        ec2(&cloud, &format!("Action=StopInstances&InstanceId.1={theirs}"));
    });
}
