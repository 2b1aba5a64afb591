//! The path from an event to an image in three regions, as a user sees it.

use std::time::Duration;

use afterimage_cloud::faults::{Creation, Rule, When};
use afterimage_cloud::trace::Entry;
use aws_sdk_ec2::types as ec2;
use serde_json::json;

use crate::scene::{
    self, FRANKFURT, HOME, IRELAND, Image, Launch, NIGHTLY, ON_STOP, Scene, Stage, codes,
};

/// Long enough for the path with everything going well, and a sweep or two.
const AN_HOUR: u64 = 60;
/// Long enough for every retry there is.
const A_NIGHT: u64 = 8 * 60;

#[test]
fn a_schedule_makes_an_image_in_three_regions() {
    scene::play(async |scene| {
        let machine = scene.machine(1).await;
        scene.policies(NIGHTLY).await;
        scene.pass(AN_HOUR).await;
        scene.assert_protected_once(2).await;
        let home = scene.available(HOME).await.remove(0);
        assert_eq!(home.tags["afterimage:source"], machine);
        assert_eq!(home.tags["afterimage:policy"], "gold");
        assert_eq!(home.tags["afterimage:grade"], "crash", "it was running");
        for region in [IRELAND, FRANKFURT] {
            let copy = scene.available(region).await.remove(0);
            assert_eq!(copy.source, Some(format!("{HOME}/{}", home.id)));
            assert_eq!(copy.tags, home.tags, "a copy says all that its source says");
            for snapshot in scene.snapshots(region).await {
                assert_eq!(snapshot.tags, home.tags, "and so do its snapshots");
            }
        }
    });
}

#[test]
fn a_stopped_instance_is_imaged_at_rest() {
    scene::play(async |scene| {
        let machine = scene.machine(1).await;
        scene.policies(ON_STOP).await;
        scene.pass(10).await;
        assert!(scene.points().await.is_empty(), "a running machine is left alone");
        scene.stop(&machine).await;
        scene.pass(AN_HOUR).await;
        scene.assert_protected_once(2).await;
        let home = scene.available(HOME).await.remove(0);
        assert_eq!(home.tags["afterimage:grade"], "at-rest");
    });
}

#[test]
fn a_machine_that_was_started_again_at_once_is_not_called_at_rest() {
    scene::play(async |scene| {
        let machine = scene.machine(0).await;
        scene.policies(ON_STOP).await;
        // The snapshots are begun, and before anybody looks again the machine runs.
        scene.fault(Rule::time_out(When::After).action("CreateSnapshots"));
        scene.stop(&machine).await;
        assert_eq!(scene.count("CreateSnapshots", HOME), 1, "it was stopped when they were begun");
        scene.start(&machine).await;
        scene.pass(AN_HOUR).await;
        scene.assert_protected_once(1).await;
        let home = scene.available(HOME).await.remove(0);
        assert_eq!(home.tags["afterimage:grade"], "crash");
    });
}

#[test]
fn the_same_event_five_times_makes_one_image() {
    scene::play(async |scene| {
        let machine = scene.machine(0).await;
        scene.policies(ON_STOP).await;
        scene.fault(Rule::duplicate(4, 0..=90_000));
        scene.fault(Rule::duplicate_invocation());
        scene.stop(&machine).await;
        scene.pass(AN_HOUR).await;
        scene.assert_protected_once(1).await;
        let heard = scene.ends("instance-state-changed").len();
        assert!(heard >= 5, "the stop was heard of {heard} times");
        assert_eq!(scene.count("CreateSnapshots", HOME), 1);
        assert_eq!(scene.count("RegisterImage", HOME), 1);
        for region in [IRELAND, FRANKFURT] {
            assert_eq!(scene.count("CopyImage", region), 1, "{region}");
        }
    });
}

#[test]
fn events_in_the_worst_order_make_one_image() {
    for seed in 1..=5 {
        let mut stage = Stage::default();
        stage.config.seed = seed;
        scene::play_on(stage, async |scene| {
            let machine = scene.machine(0).await;
            scene.policies(ON_STOP).await;
            // Every event may come as much as twenty minutes late, after those that follow it.
            scene.fault(Rule::reorder(20 * 60 * 1000));
            scene.stop(&machine).await;
            scene.pass(A_NIGHT).await;
            assert!(scene.strikes()[0] > 5, "hardly an event was late");
            scene.assert_protected_once(1).await;
        });
    }
}

#[test]
fn every_event_lost_the_sweep_alone_gets_there() {
    scene::play(async |scene| {
        let machine = scene.machine(1).await;
        scene.policies(ON_STOP).await;
        scene.fault(Rule::lose());
        scene.stop(&machine).await;
        scene.pass(A_NIGHT).await;
        for function in ["instance-state-changed", "snapshots-completed", "image-state-changed"] {
            assert!(scene.ends(function).is_empty(), "{function} has heard of something");
        }
        scene.assert_protected_once(2).await;
        let home = scene.available(HOME).await.remove(0);
        assert_eq!(home.tags["afterimage:grade"], "at-rest");
    });
}

#[test]
fn a_copy_that_fails_in_one_region_does_not_touch_the_others_and_succeeds_at_the_second_attempt() {
    scene::play(async |scene| {
        scene.machine(0).await;
        scene.policies(NIGHTLY).await;
        let broken = Rule::fail_creation(&[Creation::ImageCopy], "Copy image failed");
        scene.fault(broken.region(IRELAND).times(1));
        scene.pass(15).await;
        let failed = async |scene: &Scene| {
            let images = scene.images(IRELAND).await;
            images.iter().any(|image| image.state == "failed")
        };
        let (minute, hour) = (Duration::from_secs(60), Duration::from_secs(60 * AN_HOUR));
        scene.pass_until(minute, hour, failed).await;
        // As soon as it would have been without the failure.
        scene.pass(8).await;
        let frankfurt = scene.available(FRANKFURT).await;
        assert_eq!(frankfurt.len(), 1, "Frankfurt has its copy");
        scene.pass(A_NIGHT).await;
        let point = scene.the_point().await;
        assert_eq!(point["status"], "protected", "{point:#?}");
        let ireland = scene.images(IRELAND).await;
        let states: Vec<&str> = ireland.iter().map(|image| image.state.as_str()).collect();
        assert_eq!(states, ["failed", "available"], "{ireland:#?}");
        assert_eq!(scene.images(FRANKFURT).await, frankfurt);
        assert_eq!(scene.count("CopyImage", FRANKFURT), 1);
        assert_eq!(scene.count("CopyImage", IRELAND), 2, "the second attempt was the last");
        assert_eq!(scene.count("RegisterImage", HOME), 1);
    });
}

#[test]
fn a_copy_that_never_succeeds_is_tried_sparingly_with_a_reason_that_one_can_read() {
    scene::play(async |scene| {
        scene.machine(0).await;
        scene.policies(NIGHTLY).await;
        let broken = Rule::fail_creation(&[Creation::ImageCopy], "Given key ID is not accessible.");
        scene.fault(broken.region(IRELAND));
        scene.pass(24 * 60 - 20).await;
        let point = scene.the_point().await;
        assert_eq!(point["status"], "imaged", "{point:#?}");
        let ledger = scene.ledger().await;
        let replica = ledger.iter().find(|item| item["sk"].ends_with("#replica#eu-west-1"));
        let replica = replica.expect("the replica is in the ledger");
        assert_eq!(replica["status"], "waiting", "{replica:#?}");
        assert!(replica["reason"].contains("Given key ID is not accessible."), "{replica:#?}");
        assert_eq!(scene.available(HOME).await.len(), 1);
        assert_eq!(scene.available(FRANKFURT).await.len(), 1);
        assert!(scene.available(IRELAND).await.is_empty());
        assert_eq!(scene.count("CopyImage", IRELAND), 3, "and not once more on that day");
        let summary = ledger.iter().find(|item| item["sk"] == "machine").expect("a summary");
        assert!(summary["latest#gold"].contains("eu-west-1"), "{summary:#?}");
        assert!(summary["latest#gold"].contains("\"failures\":3"), "{summary:#?}");
    });
}

#[test]
fn a_fleet_throttled_to_the_published_buckets_is_protected_all_the_same() {
    let mut stage = Stage::default();
    // The other users of the account take nearly all that flows into every bucket, and the fleet
    // has more machines than a bucket holds calls.
    stage.config.limits.other_users_take = 99;
    scene::play_on(stage, async |scene| {
        let mut machines = Vec::new();
        for _ in 0..2 {
            machines.extend(scene.launch(Launch { count: 55, ..Launch::default() }).await);
        }
        scene.policies(NIGHTLY).await;
        scene.pass(A_NIGHT).await;
        let points = scene.points().await;
        assert_eq!(points.len(), machines.len());
        for point in points {
            assert_eq!(point["status"], "protected", "{point:#?}");
        }
        for region in [HOME, IRELAND, FRANKFURT] {
            assert_eq!(scene.images(region).await.len(), machines.len(), "{region}");
            assert_eq!(scene.snapshots(region).await.len(), machines.len(), "{region}");
        }
        for action in ["CreateSnapshots", "RegisterImage"] {
            let waits =
                |call: &Entry| call.action == action && call.outcome == "RequestLimitExceeded";
            assert!(scene.calls().iter().any(waits), "{action} never had to wait");
        }
    });
}

#[test]
fn a_machine_that_may_not_be_imaged_is_refused_with_the_reason() {
    scene::play(async |scene| {
        // One that is billed for its operating system, and a policy that will not have EC2 make its
        // image.
        scene.launch_one(Launch { image: "Windows_Server-*", ..Launch::default() }).await;
        scene.policies(&format!("{NIGHTLY}    image: {{method: snapshot-register}}\n")).await;
        scene.pass(AN_HOUR).await;
        let point = scene.the_point().await;
        assert_eq!(point["status"], "refused", "{point:#?}");
        assert_eq!(codes(&point, "reason"), ["billed-by-usage"], "{point:#?}");
        assert!(scene.snapshots(HOME).await.is_empty());
        assert!(scene.images(HOME).await.is_empty());
    });
}

#[test]
fn a_machine_that_is_terminated_before_its_turn_is_recorded_as_missed() {
    scene::play(async |scene| {
        let machine = scene.machine(0).await;
        scene.policies(NIGHTLY).await;
        // Nobody hears of the request until the machine is gone.
        scene.fault(Rule::delay(300_000..=300_000).detail(json!({"kind": "snapshot"})).times(1));
        scene.pass(15).await;
        assert_eq!(scene.the_point().await["status"], "requested");
        let terminated = scene.ec2(HOME).terminate_instances().instance_ids(&machine);
        terminated.send().await.expect("the machine is terminated");
        scene.pass(AN_HOUR).await;
        let point = scene.the_point().await;
        assert_eq!(point["status"], "missed", "{point:#?}");
        assert_eq!(codes(&point, "reason"), ["machine-gone"], "{point:#?}");
        assert!(scene.snapshots(HOME).await.is_empty());
    });
}

/// The machines of [`NIGHTLY`] twice: one policy keeps its images in Ireland, one in Frankfurt.
const TWICE: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{schedule: cron(15 0 * * ? *), timezone: UTC}]
    replicate: [{region: eu-west-1}]
  silver:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{schedule: cron(15 0 * * ? *), timezone: UTC}]
    replicate: [{region: eu-central-1}]
";

#[test]
fn two_policies_make_two_points_of_one_machine_each_with_its_own_replicas() {
    scene::play(async |scene| {
        let machine = scene.machine(0).await;
        scene.policies(TWICE).await;
        scene.pass(AN_HOUR).await;
        let points = scene.points().await;
        assert_eq!(points.len(), 2, "{points:#?}");
        for point in &points {
            assert_eq!(point["status"], "protected", "{point:#?}");
        }
        let policies = async |region| {
            let images = scene.available(region).await;
            let tag = |image: &Image| {
                assert_eq!(image.tags["afterimage:source"], machine);
                image.tags["afterimage:policy"].clone()
            };
            images.iter().map(tag).collect::<Vec<String>>()
        };
        assert_eq!(policies(HOME).await, ["gold", "silver"]);
        assert_eq!(policies(IRELAND).await, ["gold"]);
        assert_eq!(policies(FRANKFURT).await, ["silver"]);
        // EC2 may ask to wait between two sets of the same disks: then nothing is made.
        let made = |call: &&Entry| call.action == "CreateSnapshots" && call.outcome == "ok";
        assert_eq!(scene.calls().iter().filter(made).count(), 2);
    });
}

#[test]
fn the_copies_of_an_encrypted_machine_are_encrypted_under_a_key_that_the_call_names() {
    scene::play(async |scene| {
        scene.encrypted_machine().await;
        scene.policies(NIGHTLY).await;
        scene.pass(AN_HOUR).await;
        scene.assert_protected_once(2).await;
        let calls = scene.calls();
        let copies: Vec<&Entry> = calls.iter().filter(|call| call.action == "CopyImage").collect();
        assert_eq!(copies.len(), 2);
        for copy in copies {
            assert_eq!(copy.detail["Encrypted"], "true", "{copy:#?}");
            assert_eq!(copy.detail["KmsKeyId"], "alias/aws/ebs", "{copy:#?}");
        }
        for region in [IRELAND, FRANKFURT] {
            let listed = scene.ec2(region).describe_snapshots().owner_ids("self").send().await;
            let listed = listed.expect("own snapshots are listed");
            let encrypted = |snapshot: &ec2::Snapshot| snapshot.encrypted() == Some(true);
            assert!(listed.snapshots().iter().all(encrypted), "{region}: {listed:#?}");
        }
    });
}
