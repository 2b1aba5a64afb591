//! The waiters of the SDK, which poll on virtual time.

use std::time::Duration;

use afterimage_cloud::Cloud;
use afterimage_cloud::faults::{Creation, Rule};
use aws_sdk_ec2::Client as Ec2;
use aws_sdk_ec2::client::Waiters;
use aws_sdk_ec2::types::{ImageState, InstanceType, SnapshotState, VolumeState};
use aws_smithy_runtime_api::client::waiters::error::WaiterError;

use super::{
    HOME, amazon_linux, ec2, fault, machine, own_images, own_snapshots, timed, world, world_with,
};

/// What the SDK's own documentation of these waiters allows: 40 times 15 s.
const TEN_MINUTES: Duration = Duration::from_secs(600);

async fn launch(ec2: &Ec2) -> String {
    let image = amazon_linux(ec2).await;
    let launch = ec2.run_instances().image_id(image).instance_type(InstanceType::T3Micro);
    let made = launch.min_count(1).max_count(1).send().await.expect("a machine is launched");
    made.instances()[0].instance_id().expect("an instance has an id").to_string()
}

async fn begin_image(ec2: &Ec2, machine: &str) -> String {
    let call = ec2.create_image().instance_id(machine).name("image").no_reboot(true);
    let made = call.send().await.expect("an image is begun");
    made.image_id().expect("an image has an id").to_string()
}

async fn begin_snapshot(cloud: &Cloud, ec2: &Ec2) -> String {
    let volume = super::volume(cloud, ec2, 8).await;
    let made = ec2.create_snapshot().volume_id(volume).send().await.expect("a snapshot is begun");
    assert_eq!(made.state(), Some(&SnapshotState::Pending));
    made.snapshot_id().expect("a snapshot has an id").to_string()
}

#[test]
fn a_machine_is_waited_for_until_it_runs_until_it_stops_until_it_is_terminated() {
    // EC2 guide, instance lifecycle: pending, running, stopping, stopped, terminated.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let id = launch(&ec2).await;
        let running = ec2.wait_until_instance_running().instance_ids(&id).wait(TEN_MINUTES);
        let (result, took) = timed(&cloud, running).await;
        result.expect("it runs in time");
        assert!(took > Duration::from_secs(1), "it was pending first: {took:?}");
        ec2.stop_instances().instance_ids(&id).send().await.expect("it is stopped");
        let stopped = ec2.wait_until_instance_stopped().instance_ids(&id).wait(TEN_MINUTES);
        let (result, took) = timed(&cloud, stopped).await;
        result.expect("it stops in time");
        assert!(took > Duration::from_secs(1), "it was stopping first: {took:?}");
        ec2.terminate_instances().instance_ids(&id).send().await.expect("it is terminated");
        let gone = ec2.wait_until_instance_terminated().instance_ids(&id).wait(TEN_MINUTES);
        gone.await.expect("it is terminated in time");
    });
}

#[test]
fn status_checks_become_ok_only_some_time_after_the_machine_runs() {
    // EC2 guide, status checks: initializing at first.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let id = launch(&ec2).await;
        let running = ec2.wait_until_instance_running().instance_ids(&id).wait(TEN_MINUTES);
        running.await.expect("it runs in time");
        let ok = ec2.wait_until_instance_status_ok().instance_ids(&id).wait(TEN_MINUTES);
        let (result, took) = timed(&cloud, ok).await;
        result.expect("its checks pass in time");
        assert!(took > Duration::from_secs(15), "{took:?}");
    });
}

#[test]
fn a_volume_is_waited_for_until_it_is_available() {
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let made = ec2.create_volume().availability_zone("us-east-1a").size(1).send().await;
        let made = made.expect("a volume is made");
        assert_eq!(made.state(), Some(&VolumeState::Creating));
        let id = made.volume_id().expect("a volume has an id");
        let waiter = ec2.wait_until_volume_available().volume_ids(id);
        let (result, took) = timed(&cloud, waiter.wait(TEN_MINUTES)).await;
        result.expect("it is available in time");
        assert!(took > Duration::from_secs(1), "{took:?}");
    });
}

#[test]
fn an_image_is_pending_until_its_waiter_sees_it_available() {
    // EC2 guide, creating an AMI: pending, then available.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let machine = machine(&cloud, &ec2, &[]).await;
        let id = begin_image(&ec2, &machine).await;
        assert_eq!(own_images(&ec2).await[0].state(), Some(&ImageState::Pending));
        let waiter = ec2.wait_until_image_available().image_ids(&id);
        let (result, took) = timed(&cloud, waiter.wait(TEN_MINUTES)).await;
        result.expect("a small image is available in time");
        assert!(took > Duration::from_secs(15), "{took:?}");
    });
}

#[test]
fn the_waiter_for_an_image_ends_at_once_when_the_image_failed() {
    // The service's model of the waiter: a failed image is a failure, not something to wait for.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let machine = machine(&cloud, &ec2, &[]).await;
        fault(&cloud, Rule::fail_creation(&[Creation::Image], "Internal error"));
        let id = begin_image(&ec2, &machine).await;
        let waiter = ec2.wait_until_image_available().image_ids(&id);
        let (result, took) = timed(&cloud, waiter.wait(Duration::from_secs(7_200))).await;
        let error = result.expect_err("the image fails");
        assert!(matches!(error, WaiterError::FailureState(_)), "{error:?}");
        assert!(took < Duration::from_secs(3_600), "{took:?}");
        let images = own_images(&ec2).await;
        assert_eq!(images[0].state(), Some(&ImageState::Failed));
        let reason = images[0].state_reason().expect("a failed image says why");
        assert!(!reason.code().unwrap_or_default().is_empty());
        assert!(reason.message().unwrap_or_default().contains("Internal error"));
    });
}

#[test]
fn the_waiter_for_a_snapshot_ends_at_once_when_the_snapshot_failed() {
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        fault(&cloud, Rule::fail_creation(&[Creation::Snapshot], "Internal error"));
        let id = begin_snapshot(&cloud, &ec2).await;
        let waiter = ec2.wait_until_snapshot_completed().snapshot_ids(&id);
        let error = waiter.wait(Duration::from_secs(7_200)).await.expect_err("it fails");
        assert!(matches!(error, WaiterError::FailureState(_)), "{error:?}");
        assert_eq!(own_snapshots(&ec2).await[0].state(), Some(&SnapshotState::Error));
    });
}

#[test]
fn ten_minutes_of_waiting_are_too_short_for_a_large_snapshot() {
    // EBS guide, creating snapshots: the first of a large volume can take hours.
    world_with(
        |config| config.pace.snapshot_per_gib = Duration::from_secs(600),
        async |cloud| {
            let ec2 = ec2(&cloud, HOME);
            let id = begin_snapshot(&cloud, &ec2).await;
            let waiter = ec2.wait_until_snapshot_completed().snapshot_ids(&id);
            let error = waiter.clone().wait(TEN_MINUTES).await.expect_err("it takes longer");
            assert!(matches!(error, WaiterError::ExceededMaxWait(_)), "{error:?}");
            assert_eq!(own_snapshots(&ec2).await[0].state(), Some(&SnapshotState::Pending));
            waiter.wait(Duration::from_secs(4 * 3_600)).await.expect("it completes in the end");
            assert_eq!(own_snapshots(&ec2).await[0].progress(), Some("100%"));
        },
    );
}

#[test]
fn the_waiter_for_existence_gives_up_on_an_image_that_never_was() {
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let waiter = ec2.wait_until_image_exists().image_ids("ami-0123456789abcdef0");
        let (result, took) = timed(&cloud, waiter.wait(Duration::from_secs(120))).await;
        let error = result.expect_err("it never exists");
        assert!(matches!(error, WaiterError::ExceededMaxWait(_)), "{error:?}");
        assert!(took <= Duration::from_secs(121), "{took:?}");
    });
}

#[test]
fn the_waiter_for_existence_outlasts_eventual_consistency() {
    // EC2 guide, eventual consistency: an id just returned may not be found for a while.
    world_with(
        |config| config.lag.visibility_ms = Some(60_000..=60_000),
        async |cloud| {
            let ec2 = ec2(&cloud, HOME);
            let id = launch(&ec2).await;
            let found = ec2.describe_instances().instance_ids(&id).send().await;
            assert_eq!(super::refused(found).code, "InvalidInstanceID.NotFound");
            let waiter = ec2.wait_until_instance_exists().instance_ids(&id);
            waiter.wait(TEN_MINUTES).await.expect("it is found in the end");
        },
    );
}
