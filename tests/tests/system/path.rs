//! The path from an event to an image in three regions, as a user sees it.

use afterimage_cloud::faults::{Creation, Rule};
use serde_json::json;

use crate::scene::{self, FRANKFURT, HOME, IRELAND, NIGHTLY, ON_STOP, Scene, Stage};

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
        scene
            .fault(Rule::time_out(afterimage_cloud::faults::When::After).action("CreateSnapshots"));
        scene.stop(&machine).await;
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
        assert_eq!(scene.count("CreateSnapshots", HOME), 1);
        assert_eq!(scene.count("RegisterImage", HOME), 1);
        assert_eq!(scene.count("CopyImage", IRELAND), 1);
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
        while !failed(&scene).await {
            scene.pass(1).await;
        }
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
    });
}

#[test]
fn a_copy_that_never_succeeds_ends_with_a_reason_that_one_can_read() {
    scene::play(async |scene| {
        scene.machine(0).await;
        scene.policies(NIGHTLY).await;
        let broken = Rule::fail_creation(&[Creation::ImageCopy], "Given key ID is not accessible.");
        scene.fault(broken.region(IRELAND));
        scene.pass(24 * 60 - 20).await;
        let point = scene.the_point().await;
        assert_eq!(point["status"], "failed", "{point:#?}");
        assert!(point["reason"].contains("eu-west-1"), "{point:#?}");
        assert_eq!(scene.available(FRANKFURT).await.len(), 1);
        assert_eq!(scene.count("CopyImage", IRELAND), 8, "and not once more");
    });
}

#[test]
fn a_fleet_throttled_to_the_published_buckets_is_protected_all_the_same() {
    let mut stage = Stage::default();
    // The other users of the account take nine tenths of every bucket.
    stage.config.limits.other_users_take = 90;
    scene::play_on(stage, async |scene| {
        let tags = [("backup", "gold")];
        let machines = scene.machines_in(HOME, 30, 0, &tags).await;
        scene.policies(NIGHTLY).await;
        scene.pass(A_NIGHT).await;
        let points = scene.points().await;
        assert_eq!(points.len(), machines.len());
        for point in points {
            assert_eq!(point["status"], "protected", "{point:#?}");
        }
        for region in [HOME, IRELAND, FRANKFURT] {
            assert_eq!(scene.images(region).await.len(), machines.len(), "{region}");
        }
    });
}

#[test]
fn a_machine_that_may_not_be_imaged_is_refused_with_the_reason() {
    scene::play(async |scene| {
        windows(&scene).await;
        scene.policies(NIGHTLY).await;
        scene.pass(AN_HOUR).await;
        let point = scene.the_point().await;
        assert_eq!(point["status"], "refused", "{point:#?}");
        assert!(point["reason"].contains("billed-by-usage"), "{point:#?}");
        assert!(scene.snapshots(HOME).await.is_empty());
    });
}

/// A machine that is billed for its operating system.
async fn windows(scene: &Scene) {
    let client = scene.ec2(HOME);
    let filter = aws_sdk_ec2::types::Filter::builder().name("name").values("Windows_Server-*");
    let images = client.describe_images().owners("amazon").filters(filter.build()).send().await;
    let images = images.expect("public images are listed");
    let tags = aws_sdk_ec2::types::TagSpecification::builder()
        .resource_type(aws_sdk_ec2::types::ResourceType::Instance)
        .tags(scene::tag("backup", "gold"))
        .build();
    let launched = client.run_instances().tag_specifications(tags);
    let launched = launched.set_image_id(images.images()[0].image_id().map(str::to_string));
    let launched = launched.instance_type(aws_sdk_ec2::types::InstanceType::T3Micro);
    launched.min_count(1).max_count(1).send().await.expect("a machine is launched");
    scene.pass(1).await;
}

#[test]
fn a_machine_that_is_terminated_before_its_turn_is_recorded_as_missed() {
    scene::play(async |scene| {
        let machine = scene.machine(0).await;
        scene.policies(NIGHTLY).await;
        // Nobody hears of the request until the machine is gone.
        scene.fault(Rule::delay(300_000..=300_000).detail(json!({"kind": "snapshot"})).times(1));
        scene.pass(12).await;
        let terminated = scene.ec2(HOME).terminate_instances().instance_ids(&machine);
        terminated.send().await.expect("the machine is terminated");
        scene.pass(AN_HOUR).await;
        for point in scene.points().await {
            assert_eq!(point["status"], "missed", "{point:#?}");
            assert!(point["reason"].contains("machine-gone"), "{point:#?}");
        }
    });
}
