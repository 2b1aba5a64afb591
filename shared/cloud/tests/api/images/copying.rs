//! CopyImage.

use super::*;

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
        share(&cloud, &source);
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
        share(&cloud, &source);
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
