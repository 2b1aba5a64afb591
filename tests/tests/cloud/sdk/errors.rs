//! Errors as the SDK shows them: untyped for EC2, by their code.

use std::time::Duration;

use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::operation::{RequestId, create_image::CreateImageError};

use super::{
    AWAY, HOME, attempts, ec2, image, machine, own_images, refused, snapshot, tag, volume, world,
};

#[test]
fn an_error_of_ec2_has_no_type_but_a_code_and_a_message() {
    // EC2 API reference, error codes: the code comes without the prefix Client or Server.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let call = ec2.create_image().instance_id("i-0123456789abcdef0").name("nightly");
        let error = call.send().await.expect_err("there is no such machine");
        let SdkError::ServiceError(service) = &error else { panic!("{error:?}") };
        assert_eq!(service.err().code(), Some("InvalidInstanceID.NotFound"));
        assert!(service.err().message().unwrap_or_default().contains("i-0123456789abcdef0"));
        let untyped: &CreateImageError = service.err();
        assert_eq!(untyped.meta().code(), Some("InvalidInstanceID.NotFound"));
        assert_eq!(service.raw().status().as_u16(), 400);
    });
}

#[test]
fn every_answer_carries_the_request_id_that_the_trace_has() {
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let good = ec2.describe_tags().send().await.expect("tags are described");
        let bad = ec2.describe_tags().next_token("?").send().await.expect_err("no such token");
        let attempts = attempts(&cloud, "DescribeTags");
        assert_eq!(good.request_id(), Some(attempts[0].id.as_str()));
        assert_eq!(bad.request_id(), Some(attempts[1].id.as_str()));
        assert_eq!(attempts[0].outcome, "ok");
        assert_eq!(attempts[1].outcome, "InvalidNextToken");
    });
}

#[test]
fn an_operation_that_is_not_modelled_is_named_in_its_error() {
    world(async |cloud| {
        let refusal = refused(ec2(&cloud, HOME).describe_vpn_gateways().send().await);
        assert_eq!((refusal.status, refusal.code.as_str()), (400, "InvalidAction"));
        assert!(refusal.message.contains("DescribeVpnGateways"), "{}", refusal.message);
        assert_eq!(attempts(&cloud, "DescribeVpnGateways").len(), 1);
        let events = aws_sdk_eventbridge::Client::new(&cloud.sdk_config(HOME));
        let refusal = refused(events.list_archives().send().await);
        assert_eq!(refusal.code, "UnknownOperationException");
        assert!(refusal.message.contains("ListArchives"), "{}", refusal.message);
    });
}

#[test]
fn ids_that_are_malformed_and_ids_that_name_nothing_are_told_apart() {
    // EC2 API reference, error codes: .Malformed and .NotFound of each kind.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let call = ec2.describe_instances().instance_ids("web-1").send().await;
        assert_eq!(refused(call).code, "InvalidInstanceID.Malformed");
        let call = ec2.describe_instances().instance_ids("i-0123456789abcdef0").send().await;
        assert_eq!(refused(call).code, "InvalidInstanceID.NotFound");
        let call = ec2.describe_images().image_ids("golden").send().await;
        assert_eq!(refused(call).code, "InvalidAMIID.Malformed");
        let call = ec2.deregister_image().image_id("ami-0123456789abcdef0").send().await;
        assert!(
            ["InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"]
                .contains(&refused(call).code.as_str())
        );
        let call = ec2.delete_snapshot().snapshot_id("snapshot").send().await;
        assert_eq!(refused(call).code, "InvalidSnapshotID.Malformed");
        let call = ec2.delete_snapshot().snapshot_id("snap-0123456789abcdef0").send().await;
        assert_eq!(refused(call).code, "InvalidSnapshot.NotFound");
        let call = ec2.create_snapshot().volume_id("vol-0123456789abcdef0").send().await;
        assert_eq!(refused(call).code, "InvalidVolume.NotFound");
    });
}

#[test]
fn a_dry_run_that_would_succeed_fails_with_412_and_does_nothing() {
    // API reference, DryRun: DryRunOperation.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let machine = machine(&cloud, &ec2, &[]).await;
        let call = ec2.create_image().instance_id(&machine).name("rehearsal").dry_run(true);
        let refused = refused(call.send().await);
        assert_eq!((refused.status, refused.code.as_str()), (412, "DryRunOperation"));
        assert_eq!(refused.message, "Request would have succeeded, but DryRun flag is set.");
        assert_eq!(attempts(&cloud, "CreateImage").len(), 1);
        assert!(own_images(&ec2).await.is_empty());
    });
}

#[test]
fn a_second_snapshot_of_a_volume_within_fifteen_seconds_is_refused_once() {
    // EC2 API reference, error codes: wait at least 15 s between snapshots of one volume.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let volume = volume(&cloud, &ec2, 1).await;
        let call = ec2.create_snapshot().volume_id(&volume);
        call.clone().send().await.expect("the first is begun");
        let refused = refused(call.clone().send().await);
        assert_eq!(refused.status, 400);
        assert_eq!(refused.code, "SnapshotCreationPerVolumeRateExceeded");
        assert_eq!(attempts(&cloud, "CreateSnapshot").len(), 2);
        cloud.advance(Duration::from_secs(16)).await;
        call.send().await.expect("after a pause it is begun");
    });
}

#[test]
fn the_twenty_first_snapshot_copy_into_a_region_is_refused_and_not_retried() {
    // EBS guide, quotas: 20 concurrent copies per destination region; ResourceLimitExceeded.
    world(async |cloud| {
        let home = ec2(&cloud, HOME);
        let volume = volume(&cloud, &home, 1).await;
        let source = snapshot(&cloud, &home, &volume).await;
        let away = ec2(&cloud, AWAY);
        let copy = away.copy_snapshot().source_region(HOME).source_snapshot_id(&source);
        for _ in 0..20 {
            copy.clone().send().await.expect("twenty copies are begun");
        }
        let refused = refused(copy.clone().send().await);
        assert_eq!((refused.status, refused.code.as_str()), (400, "ResourceLimitExceeded"));
        assert!(refused.message.contains("Too many snapshot copies in progress"));
        assert!(refused.message.contains("20"), "{}", refused.message);
        assert_eq!(attempts(&cloud, "CopySnapshot").len(), 21);
        cloud.advance(Duration::from_secs(3_600)).await;
        copy.send().await.expect("when they are done there is room");
    });
}

#[test]
fn a_volume_from_a_pending_snapshot_is_refused_as_incorrect_state() {
    // EC2 API reference, error codes: IncorrectState.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let volume = volume(&cloud, &ec2, 1).await;
        let snapshot = ec2.create_snapshot().volume_id(&volume).send().await.expect("begun");
        let call = ec2.create_volume().availability_zone("us-east-1a");
        let call = call.snapshot_id(snapshot.snapshot_id().expect("it has an id"));
        let refused = refused(call.clone().send().await);
        assert_eq!((refused.status, refused.code.as_str()), (400, "IncorrectState"));
        assert!(refused.message.contains("pending"), "{}", refused.message);
        assert_eq!(attempts(&cloud, "CreateVolume").len(), 2);
        cloud.advance(Duration::from_secs(1_800)).await;
        call.send().await.expect("a completed snapshot will do");
    });
}

#[test]
fn an_image_of_a_machine_in_a_wrong_state_is_an_invalid_value() {
    // As reported of the real service: not IncorrectInstanceState.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let machine = machine(&cloud, &ec2, &[]).await;
        ec2.terminate_instances().instance_ids(&machine).send().await.expect("terminated");
        cloud.advance(Duration::from_secs(120)).await;
        let refused = refused(ec2.create_image().instance_id(&machine).name("late").send().await);
        assert_eq!((refused.status, refused.code.as_str()), (400, "InvalidParameterValue"));
        assert!(refused.message.contains("'running' or 'stopping' or 'stopped'"));
    });
}

#[test]
fn a_snapshot_of_a_registered_image_is_in_use() {
    // EBS guide, deleting snapshots: InvalidSnapshot.InUse names the image.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let machine = machine(&cloud, &ec2, &[]).await;
        let id = image(&cloud, &ec2, &machine, "nightly").await;
        let images = own_images(&ec2).await;
        let ebs = images[0].block_device_mappings()[0].ebs().expect("a disk");
        let snapshot = ebs.snapshot_id().expect("it has a snapshot").to_string();
        let call = ec2.delete_snapshot().snapshot_id(&snapshot);
        let refused = refused(call.clone().send().await);
        assert_eq!((refused.status, refused.code.as_str()), (400, "InvalidSnapshot.InUse"));
        assert!(refused.message.contains(&id), "{}", refused.message);
        ec2.deregister_image().image_id(&id).send().await.expect("it is deregistered");
        call.send().await.expect("nothing uses it any more");
    });
}

#[test]
fn deregistering_with_snapshots_reports_on_each_of_them() {
    // API reference, DeregisterImage: DeleteAssociatedSnapshots and its return codes.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let machine = machine(&cloud, &ec2, &[super::disk("/dev/sdb", 1)]).await;
        let id = image(&cloud, &ec2, &machine, "nightly").await;
        let call = ec2.deregister_image().image_id(&id).delete_associated_snapshots(true);
        let done = call.send().await.expect("it is deregistered");
        assert_eq!(done.r#return(), Some(true));
        let results = done.delete_snapshot_results();
        assert_eq!(results.len(), 2);
        for result in results {
            let code = result.return_code().expect("each has a code");
            assert_eq!(code.as_str(), "success");
        }
        assert!(super::own_snapshots(&ec2).await.is_empty());
    });
}

#[test]
fn a_tag_key_of_aws_is_refused_before_it_reaches_any_resource() {
    // EC2 guide, tag restrictions: the prefix aws: is reserved.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let volume = volume(&cloud, &ec2, 1).await;
        let call = ec2.create_tags().resources(&volume).tags(tag("mine", "1"));
        let refused = refused(call.tags(tag("aws:backup", "1")).send().await);
        assert_eq!((refused.status, refused.code.as_str()), (400, "InvalidParameterValue"));
        assert!(refused.message.contains("reserved"), "{}", refused.message);
        assert!(super::tags_of(&ec2, &volume).await.is_empty());
    });
}

#[test]
fn a_throttled_account_is_told_with_503_when_retries_are_spent() {
    // EC2 guide, API throttling: RunInstances has a bucket of five, two a second come back.
    world(async |cloud| {
        let once = aws_sdk_ec2::config::retry::RetryConfig::disabled();
        let ec2 = super::ec2_with(&cloud, HOME, |builder| builder.retry_config(once));
        let image = super::amazon_linux(&ec2).await;
        let launch = ec2.run_instances().image_id(image).min_count(1).max_count(1);
        let mut told = Vec::new();
        for _ in 0..8 {
            if let Err(error) = launch.clone().send().await {
                told.push(error);
            }
        }
        assert!(!told.is_empty() && told.len() <= 3, "{}", told.len());
        for error in told {
            assert_eq!(error.code(), Some("RequestLimitExceeded"));
            assert_eq!(error.raw_response().map(|raw| raw.status().as_u16()), Some(503));
        }
    });
}
