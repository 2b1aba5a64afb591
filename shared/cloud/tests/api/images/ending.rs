//! Disabling, deprecation, protection, and the end of an image.

use super::*;

#[test]
fn a_deregistered_image_is_shown_for_a_moment_then_finds_nothing_and_then_nobody_knows_it() {
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
        assert_eq!(leaves(&describe(&cloud, &id), "imageId"), Vec::<String>::new());
        assert_eq!(refused(&cloud, &deregister), "InvalidAMIID.NotFound");
        seconds(&cloud, LONG).await;
        let look = format!("Action=DescribeImages&ImageId.1={id}");
        assert_eq!(refused(&cloud, &look), "InvalidAMIID.NotFound");
    });
}

#[test]
fn the_id_of_a_deregistered_image_is_known_for_as_long_as_a_machine_refers_to_it() {
    run(async |cloud| {
        let id = available(&cloud, "web").await;
        let launch = format!("Action=RunInstances&ImageId={id}&InstanceType=t3.micro");
        let machine = ec2(&cloud, &format!("{launch}&MinCount=1&MaxCount=1"));
        ec2(&cloud, &format!("Action=DeregisterImage&ImageId={id}"));
        seconds(&cloud, 10 * LONG).await;
        assert_eq!(leaves(&describe(&cloud, &id), "imageId"), Vec::<String>::new());
        let machine = leaf(&machine, "instanceId");
        ec2(&cloud, &format!("Action=TerminateInstances&InstanceId.1={machine}"));
        seconds(&cloud, 60).await;
        let look = format!("Action=DescribeImages&ImageId.1={id}");
        assert_eq!(refused(&cloud, &look), "InvalidAMIID.NotFound");
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
        share(&cloud, &id);
        ec2(&cloud, &format!("Action=DisableImage&ImageId={id}"));
        let own = "Action=DescribeImages&Owner.1=self";
        assert!(leaves(&ec2(&cloud, own), "imageId").is_empty());
        let all = ec2(&cloud, &format!("{own}&IncludeDisabled=true"));
        assert_eq!(leaf(&all, "imageState"), "disabled");
        let snapshot = leaf(&all, "snapshotId");
        let delete = format!("Action=DeleteSnapshot&SnapshotId={snapshot}");
        assert_eq!(refused(&cloud, &delete), "InvalidSnapshot.InUse");
        assert_eq!(refused(&cloud, &share_form(&id)), "InvalidAMIID.Unavailable");
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
