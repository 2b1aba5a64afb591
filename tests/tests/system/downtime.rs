//! A machine that is down for its image when the image fails, and a machine that two policies image
//! at one time.

use std::time::Duration;

use afterimage_cloud::faults::{Creation, Rule, When};
use aws_sdk_ec2::types::Filter;

use crate::scene::{self, HOME, Launch, STOP_START, Scene, codes};
use crate::stop_start::{Power, allowed, play, play_on};

const AN_HOUR: u64 = 60;

/// Seconds that EC2 takes to stop a machine and to start it again.
const OF_EC2_SECS: i64 = 45;

/// Two policies that want the same machines stopped at one time.
const TWO_THAT_STOP: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{schedule: cron(15 0 * * ? *), timezone: UTC}]
    consistency: stop-start
    stop_start: {timeout: 15m}
  plain:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{schedule: cron(15 0 * * ? *), timezone: UTC}]
    consistency: stop-start
    stop_start: {timeout: 15m}
    image: {method: create-image}
";

fn created() -> String {
    let policy =
        STOP_START.replace("consistency", "image: {method: create-image}\n    consistency");
    policy.replace("replicate: [{region: eu-west-1}, {region: eu-central-1}]", "")
}

impl Scene {
    /// How often EC2 refused snapshots because the last ones of the volume were too recent.
    fn refused_for_rate(&self) -> usize {
        let is_refused = |outcome: &str| outcome.contains("SnapshotCreationPerVolumeRateExceeded");
        self.calls().iter().filter(|call| is_refused(&call.outcome)).count()
    }

    /// Waits until our functions stopped a machine, and it is down.
    async fn pass_until_down(&self, machine: &str) {
        let is_down = async |scene: &Scene| {
            scene.powered().0 > 0 && scene.states().await[machine] == "stopped"
        };
        self.pass_until(Duration::from_secs(1), Duration::from_secs(3600), is_down).await;
    }

    /// A person makes a snapshot of the root of a machine.
    async fn snapshot_root_by_hand(&self, machine: &str) {
        let attached = Filter::builder().name("attachment.instance-id").values(machine).build();
        let volumes = self.ec2(HOME).describe_volumes().filters(attached).send().await;
        let volumes = volumes.expect("its volumes are listed");
        let root = volumes.volumes()[0].volume_id().expect("it has an id");
        let call = self.ec2(HOME).create_snapshot().volume_id(root);
        call.send().await.expect("a snapshot is made");
    }
}

#[test]
fn a_point_whose_image_failed_says_so_when_its_machine_runs_again() {
    let failures = [
        (created(), Creation::Image, "image-failed"),
        (STOP_START.to_string(), Creation::SnapshotSet, "snapshot-failed"),
    ];
    for (policy, creation, code) in failures {
        play(async |scene| {
            scene.machine(0).await;
            scene.policies(&policy).await;
            scene.fault(Rule::fail_creation(&[creation], "the key is disabled"));
            scene.pass(4 * AN_HOUR).await;
            let point = scene.the_point().await;
            assert_eq!(point["status"], "missed", "{point:#?}");
            assert_eq!(codes(&point, "reason"), [code], "{point:#?}");
            assert!(point["reason"].contains("is not stopped twice"), "{point:#?}");
            assert_eq!(scene.powered(), (1, 1));
        });
    }
}

#[test]
fn a_machine_whose_image_fails_at_once_does_not_wait_for_its_timeout() {
    let mut stage = allowed();
    // CreateImage is answered, and its image fails without a snapshot.
    stage.config.limits.snapshots_per_region = 0;
    play_on(stage, async |scene| {
        scene.machine(0).await;
        scene.policies(&created()).await;
        scene.pass(2 * AN_HOUR).await;
        let point = scene.the_point().await;
        assert_eq!(codes(&point, "reason"), ["image-failed"], "{point:#?}");
        assert_eq!(scene.count("CreateImage", HOME), 2, "it is tried twice in its downtime");
        let downtimes = Power::of(scene).downtimes();
        println!("down for {downtimes:?} s");
        // EC2 takes a minute to let each image fail. The timeout is a quarter of an hour.
        assert!(downtimes[0] - OF_EC2_SECS <= 180, "{downtimes:?}");
    });
}

#[test]
fn an_image_that_failed_is_made_in_the_same_downtime_if_the_next_try_succeeds() {
    play(async |scene| {
        let machine = scene.machine(0).await;
        scene.policies(&created()).await;
        scene.pass_until_down(&machine).await;
        scene.snapshot_root_by_hand(&machine).await;
        scene.pass(AN_HOUR).await;
        let point = scene.the_point().await;
        assert_eq!(point["status"], "protected", "{point:#?}");
        assert_eq!(point["grade"], "at-rest", "{point:#?}");
        assert_eq!(scene.powered(), (1, 1));
        assert_eq!(scene.images(HOME).await.len(), 2, "the first one failed");
    });
}

#[test]
fn two_policies_that_share_a_downtime_leave_ec2_its_time_between_their_snapshots() {
    play(async |scene| {
        scene.machine(1).await;
        scene.policies(TWO_THAT_STOP).await;
        scene.pass(AN_HOUR).await;
        let points = scene.points().await;
        assert!(points.iter().all(|point| point["status"] == "protected"), "{points:#?}");
        assert!(points.iter().all(|point| point["grade"] == "at-rest"), "{points:#?}");
        assert_eq!(scene.refused_for_rate(), 0);
        let images = scene.images(HOME).await;
        assert!(images.iter().all(|image| image.state == "available"), "{images:#?}");
        assert_eq!((points.len(), images.len(), scene.powered()), (2, 2, (1, 1)));
        let downtimes = Power::of(scene).downtimes();
        println!("down for {downtimes:?} s");
        assert!(downtimes[0] - OF_EC2_SECS <= 60, "{downtimes:?}");
    });
}

#[test]
fn two_policies_that_image_a_running_machine_at_one_time_are_both_served() {
    let both = TWO_THAT_STOP.replace("consistency: stop-start", "consistency: crash");
    let both = both.replace("    stop_start: {timeout: 15m}\n", "");
    scene::play(async |scene| {
        scene.machine(1).await;
        scene.policies(&both).await;
        scene.pass(AN_HOUR).await;
        let points = scene.points().await;
        assert!(points.iter().all(|point| point["status"] == "protected"), "{points:#?}");
        assert_eq!(scene.refused_for_rate(), 0);
        let images = scene.images(HOME).await;
        assert!(images.iter().all(|image| image.state == "available"), "{images:#?}");
    });
}

/// Two policies that image the same machines whenever they stop.
const TWO_ON_STOP: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{on: stopped}]
  plain:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{on: stopped}]
";

#[test]
fn two_policies_that_image_a_machine_when_it_stops_leave_ec2_its_time_between_their_snapshots() {
    // Some of these stops are found by the sweep too, and two workers take up a point each.
    for secs in (180..=216).step_by(6) {
        for count in [1, 10] {
            scene::play(async |scene| {
                let machines = scene.launch(Launch { count, ..Launch::default() }).await;
                scene.policies(TWO_ON_STOP).await;
                scene.cloud.advance(Duration::from_secs(secs)).await;
                let stop = scene.ec2(HOME).stop_instances().set_instance_ids(Some(machines));
                stop.send().await.expect("the machines stop");
                scene.pass(20).await;
                assert_eq!(scene.refused_for_rate(), 0, "{count} machines, {secs} s");
                let points = scene.points().await;
                assert_eq!(points.len(), 2 * usize::try_from(count).expect("few"), "{points:#?}");
                assert!(points.iter().all(|point| point["status"] == "protected"), "{points:#?}");
                assert!(points.iter().all(|point| point["grade"] == "at-rest"), "{points:#?}");
            });
        }
    }
}

#[test]
fn a_point_whose_machine_could_not_be_stopped_says_what_ec2_answered() {
    let faults = [Rule::time_out(When::Before), Rule::fail(When::Before, 503, "Unavailable")];
    for (fault, answer) in faults.into_iter().zip(["no-answer", "Unavailable"]) {
        play(async |scene| {
            scene.machine(0).await;
            scene.policies(STOP_START).await;
            scene.fault(fault.action("StopInstances"));
            scene.pass(2 * AN_HOUR).await;
            scene.no_more_faults();
            let point = scene.the_point().await;
            assert_eq!(point["status"], "missed", "{point:#?}");
            assert_eq!(codes(&point, "reason"), ["stop-timeout"], "{point:#?}");
            assert!(point["reason"].contains(answer), "{point:#?}");
            scene.assert_all_run().await;
        });
    }
}
