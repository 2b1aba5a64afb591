//! Retries, back-off and timeouts: what is sent again, how often, and what comes of it.

use std::error::Error;
use std::io;
use std::time::{Duration, Instant};

use afterimage_cloud::Cloud;
use afterimage_cloud::faults::{Rule, When};
use aws_sdk_ec2::Client as Ec2;
use aws_sdk_ec2::config::retry::{RetryConfig, RetryPartition, TokenBucket};
use aws_sdk_ec2::config::timeout::TimeoutConfig;
use aws_sdk_ec2::error::SdkError;

use super::{
    AWAY, HOME, Wiretap, attempts, ec2, ec2_with, fault, image, machine, no_faults, own_images,
    own_snapshots, refused, snapshot, tag, tags_of, timed, volume, world,
};

/// How often a call is sent that always gets this error.
async fn sent(cloud: &Cloud, status: u16, code: &str) -> usize {
    no_faults(cloud);
    fault(cloud, Rule::fail(When::Before, status, code).action("DescribeTags"));
    let before = attempts(cloud, "DescribeTags").len();
    let refused = refused(ec2(cloud, HOME).describe_tags().send().await);
    assert_eq!((refused.status, refused.code.as_str()), (status, code));
    attempts(cloud, "DescribeTags").len() - before
}

#[test]
fn codes_of_throttling_are_sent_three_times_even_with_status_400() {
    // EC2 API reference, error codes; the SDK's retry guide: three attempts in standard mode.
    world(async |cloud| {
        for code in [
            "Throttling",
            "ThrottlingException",
            "RequestThrottledException",
            "TooManyRequestsException",
            "RequestLimitExceeded",
            "BandwidthLimitExceeded",
            "RequestThrottled",
            "SlowDown",
            "PriorRequestNotComplete",
            "EC2ThrottledException",
        ] {
            assert_eq!(sent(&cloud, 400, code).await, 3, "{code}");
        }
    });
}

#[test]
fn server_errors_are_sent_three_times_whatever_their_code() {
    // EC2 API reference, server error codes.
    world(async |cloud| {
        for (status, code) in [
            (500, "InternalError"),
            (500, "InternalFailure"),
            (500, "InsufficientInstanceCapacity"),
            (502, "BadGateway"),
            (503, "Unavailable"),
            (503, "RequestLimitExceeded"),
            (504, "GatewayTimeout"),
        ] {
            assert_eq!(sent(&cloud, status, code).await, 3, "{status} {code}");
        }
    });
}

#[test]
fn client_errors_are_sent_once_even_those_that_only_want_patience() {
    // EC2 API reference, client error codes.
    world(async |cloud| {
        for (status, code) in [
            (400, "SnapshotCreationPerVolumeRateExceeded"),
            (400, "ResourceLimitExceeded"),
            (400, "IncorrectState"),
            (400, "InternalFailure"),
            (403, "UnauthorizedOperation"),
            (412, "DryRunOperation"),
        ] {
            assert_eq!(sent(&cloud, status, code).await, 1, "{status} {code}");
        }
    });
}

#[test]
fn create_image_that_succeeded_unheard_is_sent_again_and_stopped_by_its_name() {
    // EC2 guide, idempotency: CreateImage takes no client token. API reference, CreateImage: the
    // name is unique in an account and region.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let machine = machine(&cloud, &ec2, &[]).await;
        let unheard = Rule::fail(When::After, 500, "InternalError").action("CreateImage");
        fault(&cloud, unheard.times(1));
        let request = ec2.create_image().instance_id(&machine).name("nightly").no_reboot(true);
        let refused = refused(request.send().await);
        assert_eq!((refused.status, refused.code.as_str()), (400, "InvalidAMIName.Duplicate"));
        let images = own_images(&ec2).await;
        assert_eq!(images.len(), 1);
        let id = images[0].image_id().expect("an image has an id");
        assert!(refused.message.contains(id), "{}", refused.message);
        assert_eq!(attempts(&cloud, "CreateImage").len(), 2);
    });
}

#[test]
fn create_image_that_never_took_effect_is_sent_three_times_and_makes_nothing() {
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let machine = machine(&cloud, &ec2, &[]).await;
        fault(&cloud, Rule::fail(When::Before, 500, "InternalError").action("CreateImage"));
        let refused = refused(ec2.create_image().instance_id(&machine).name("n-1").send().await);
        assert_eq!(refused.code, "InternalError");
        assert_eq!(attempts(&cloud, "CreateImage").len(), 3);
        assert!(own_images(&ec2).await.is_empty());
    });
}

#[test]
fn copy_snapshot_that_succeeded_unheard_copies_twice() {
    // EC2 guide, idempotency: CopySnapshot takes no client token, and a snapshot has no name.
    world(async |cloud| {
        let home = ec2(&cloud, HOME);
        let volume = volume(&cloud, &home, 1).await;
        let source = snapshot(&cloud, &home, &volume).await;
        let away = ec2(&cloud, AWAY);
        fault(&cloud, Rule::fail(When::After, 500, "InternalError").action("CopySnapshot").nth(1));
        let copy = away.copy_snapshot().source_region(HOME).source_snapshot_id(&source);
        let answered = copy.send().await.expect("the second attempt succeeds");
        let copies = own_snapshots(&away).await;
        assert_eq!(copies.len(), 2);
        assert!(copies.iter().any(|copy| copy.snapshot_id() == answered.snapshot_id()));
    });
}

#[test]
fn copy_image_that_succeeded_unheard_copies_once_by_the_token_of_the_sdk() {
    // EC2 guide, idempotency: CopyImage takes a client token, the same on every attempt.
    world(async |cloud| {
        let home = ec2(&cloud, HOME);
        let machine = machine(&cloud, &home, &[]).await;
        let source = image(&cloud, &home, &machine, "source").await;
        let away = ec2(&cloud, AWAY);
        fault(&cloud, Rule::fail(When::After, 503, "Unavailable").action("CopyImage").times(2));
        let copy = away.copy_image().name("copy").source_region(HOME).source_image_id(&source);
        let answered = copy.send().await.expect("the third attempt succeeds");
        let copies = own_images(&away).await;
        assert_eq!(copies.len(), 1);
        assert_eq!(copies[0].image_id(), answered.image_id());
        let attempts = attempts(&cloud, "CopyImage");
        assert_eq!(attempts.len(), 3);
        let token = |n: usize| attempts[n].detail["ClientToken"].as_str().unwrap_or_default();
        assert!(!token(0).is_empty());
        assert_eq!((token(1), token(2)), (token(0), token(0)));
    });
}

#[test]
fn a_throttled_call_backs_off_in_virtual_time_without_real_waiting() {
    // EC2 guide, API throttling: exponential back-off with jitter; the SDK's begins at a second.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        #[expect(clippy::disallowed_methods, reason = "the test is about real time")]
        let begun = Instant::now();
        let mut waited = Duration::ZERO;
        for _ in 0..10 {
            no_faults(&cloud);
            fault(&cloud, Rule::throttle().action("DescribeTags").times(2));
            let (result, took) = timed(&cloud, ec2.describe_tags().send()).await;
            result.expect("the third attempt succeeds");
            waited += took;
        }
        let attempts = attempts(&cloud, "DescribeTags");
        assert_eq!(attempts.len(), 30);
        // There and back of a call takes 40 ms at most.
        let limits = [Duration::from_millis(1_040), Duration::from_millis(2_040)];
        for call in attempts.chunks(3) {
            for (n, limit) in limits.into_iter().enumerate() {
                assert!(call[n + 1].at.since(call[n].at) <= limit, "{call:?}");
            }
        }
        // Of 15 s that ten calls wait on average, chance cannot take half.
        assert!(waited > Duration::from_millis(7_500), "{waited:?}");
        assert!(begun.elapsed() < waited);
    });
}

#[test]
fn all_attempts_of_a_call_share_an_invocation_id_and_count_up() {
    // The SDK's retry guide: amz-sdk-invocation-id and amz-sdk-request.
    world(async |cloud| {
        let tap = Wiretap::default();
        let ec2 = ec2_with(&cloud, HOME, |builder| builder.interceptor(tap.clone()));
        fault(&cloud, Rule::throttle().action("DescribeTags").times(2));
        ec2.describe_tags().send().await.expect("the third attempt succeeds");
        ec2.describe_tags().send().await.expect("nothing fails any more");
        let ids = tap.header("amz-sdk-invocation-id");
        assert_eq!(ids.len(), 4);
        assert_eq!((&ids[1], &ids[2]), (&ids[0], &ids[0]));
        assert_ne!(ids[3], ids[0]);
        let counts = tap.header("amz-sdk-request");
        assert!(counts[0].starts_with("attempt=1"), "{counts:?}");
        assert!(counts[1].contains("attempt=2; max=3"), "{counts:?}");
        assert!(counts[2].contains("attempt=3; max=3"), "{counts:?}");
        // To the service each attempt is a request of its own.
        let attempts = attempts(&cloud, "DescribeTags");
        assert_eq!(attempts.len(), 4);
    });
}

#[test]
fn a_call_whose_retries_are_turned_off_is_sent_once() {
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        fault(&cloud, Rule::fail(When::Before, 503, "Unavailable").action("DescribeTags"));
        let once = aws_sdk_ec2::Config::builder().retry_config(RetryConfig::disabled());
        let result = ec2.describe_tags().customize().config_override(once).send().await;
        assert_eq!(refused(result).status, 503);
        assert_eq!(attempts(&cloud, "DescribeTags").len(), 1);
        refused(ec2.describe_tags().send().await);
        assert_eq!(attempts(&cloud, "DescribeTags").len(), 4);
    });
}

fn impatient(cloud: &Cloud, limits: TimeoutConfig) -> Ec2 {
    ec2_with(cloud, HOME, |builder| builder.timeout_config(limits))
}

#[test]
fn a_call_without_answer_ends_by_its_own_timeout_in_virtual_time() {
    // The SDK's guide to timeouts: the operation timeout covers all attempts.
    world(async |cloud| {
        let limits = TimeoutConfig::builder().operation_timeout(Duration::from_secs(30)).build();
        let ec2 = impatient(&cloud, limits);
        fault(&cloud, Rule::time_out(When::Before).action("DescribeTags"));
        let (result, took) = timed(&cloud, ec2.describe_tags().send()).await;
        let error = result.expect_err("nothing ever answers");
        assert!(matches!(error, SdkError::TimeoutError(_)), "{error:?}");
        assert!(took >= Duration::from_secs(30), "{took:?}");
        assert!(took < Duration::from_secs(31), "{took:?}");
        assert_eq!(attempts(&cloud, "DescribeTags").len(), 1);
    });
}

#[test]
fn an_attempt_without_answer_is_sent_again_though_it_took_effect() {
    // The SDK's guide to timeouts: an attempt that times out is retried.
    world(async |cloud| {
        let limits = TimeoutConfig::builder().operation_attempt_timeout(Duration::from_secs(5));
        let ec2 = impatient(&cloud, limits.build());
        let volume = volume(&cloud, &ec2, 1).await;
        fault(&cloud, Rule::time_out(When::After).action("CreateTags").times(1));
        let call = ec2.create_tags().resources(&volume).tags(tag("a", "1")).send();
        let (result, took) = timed(&cloud, call).await;
        result.expect("the second attempt succeeds");
        assert!(took >= Duration::from_secs(5), "{took:?}");
        assert_eq!(attempts(&cloud, "CreateTags").len(), 2);
        assert_eq!(tags_of(&ec2, &volume).await.len(), 1);
    });
}

#[test]
fn a_dark_region_refuses_the_connection_and_leaves_the_others_alone() {
    world(async |cloud| {
        cloud.with(|model| model.dark_regions.insert(AWAY.to_string()));
        let tap = Wiretap::default();
        let away = ec2_with(&cloud, AWAY, |builder| builder.interceptor(tap.clone()));
        let error = away.describe_tags().send().await.expect_err("nobody is there");
        let SdkError::DispatchFailure(failure) = &error else { panic!("{error:?}") };
        assert!(failure.is_io());
        let mut cause: Option<&dyn Error> = Some(&error);
        let refused = std::iter::from_fn(|| {
            let error = cause?;
            cause = error.source();
            Some(error)
        });
        let mut refused = refused.filter_map(|cause| cause.downcast_ref::<io::Error>());
        let refused = refused.next().expect("a socket said so");
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(tap.sent().len(), 3);
        ec2(&cloud, HOME).describe_tags().send().await.expect("the other region answers");
        cloud.with(|model| model.dark_regions.remove(AWAY));
        away.describe_tags().send().await.expect("the region is back");
    });
}

#[test]
fn a_spent_budget_of_retries_binds_its_own_partition_only() {
    // The SDK's retry guide: retries take tokens from a bucket, which a partition has for itself.
    world(async |cloud| {
        let partition = |name: &'static str| {
            let bucket = TokenBucket::builder().capacity(30).timeout_retry_cost(15).build();
            RetryPartition::custom(name).token_bucket(bucket).build()
        };
        let client = |partition: &RetryPartition| {
            ec2_with(&cloud, HOME, |builder| builder.retry_partition(partition.clone()))
        };
        let (shared, own) = (partition("shared"), partition("own"));
        fault(&cloud, Rule::fail(When::Before, 500, "InternalError").action("DescribeTags"));
        let mut sent = Vec::new();
        for client in &[client(&shared), client(&shared), client(&own)] {
            let before = attempts(&cloud, "DescribeTags").len();
            refused(client.describe_tags().send().await);
            sent.push(attempts(&cloud, "DescribeTags").len() - before);
        }
        assert_eq!(sent, [3, 1, 3]);
    });
}
