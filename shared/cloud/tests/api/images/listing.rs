//! DescribeImages, and the attributes that say who may launch.

use super::*;

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
        share(&cloud, &ids[0]);
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
fn the_machines_that_run_an_image_are_named() {
    run(async |cloud| {
        let image = IMAGE_OF_INSTANCE;
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
