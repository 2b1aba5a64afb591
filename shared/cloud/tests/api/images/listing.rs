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
fn what_others_could_not_read_is_not_shared() {
    run(async |cloud| {
        let id = available(&cloud, "plain").await;
        let copy = format!("Action=CopyImage&SourceRegion={HOME}&SourceImageId={id}&Name=copy");
        let copy = leaf(&ec2(&cloud, &format!("{copy}&Encrypted=true")), "imageId");
        seconds(&cloud, LONG).await;
        let (code, text) = refusal(&cloud, HOME, &share_form(&copy));
        assert_eq!(code, "InvalidParameter");
        assert!(text.starts_with("Snapshots encrypted with the AWS Managed CMK"), "{text}");
        let all = format!("Action=ModifyImageAttribute&ImageId={copy}&LaunchPermission.Add.1");
        let (code, text) = refusal(&cloud, HOME, &format!("{all}.Group=all"));
        assert_eq!(code, "UnsupportedOperation");
        assert!(text.starts_with("Encrypted snapshots can't be shared publicly"), "{text}");
        share(&cloud, &id);
    });
}

#[test]
fn an_image_and_a_snapshot_that_are_public_do_not_show_their_attributes_to_others() {
    run(async |cloud| {
        let public = ec2(&cloud, "Action=DescribeImages&Owner.1=amazon");
        let (image, snapshot) = (leaf(&public, "imageId"), leaf(&public, "snapshotId"));
        let of = format!("Action=DescribeImageAttribute&ImageId={image}&Attribute");
        assert_eq!(refused(&cloud, &format!("{of}=launchPermission")), "AuthFailure");
        let of = format!("Action=DescribeSnapshotAttribute&SnapshotId={snapshot}&Attribute");
        assert_eq!(refused(&cloud, &format!("{of}=createVolumePermission")), "AuthFailure");
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
