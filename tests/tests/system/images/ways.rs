//! The ways to an image, and what can come in between.

use afterimage::system::Options;
use afterimage_cloud::ec2::state::Image as Made;
use afterimage_cloud::faults::{Rule, When};

use super::{Case, policy};
use crate::scene::{self, HOME, IRELAND, Scene, Stage, codes};

#[test]
fn machines_of_which_no_image_would_boot_are_refused() {
    scene::play(async |scene| {
        let cases = [
            Case::new("paravirtual", "amzn-ami-pv-*", "paravirtual", "").on("m1.small"),
            Case::new("of the instance store", "*-x86_64-s3", "instance-store", "").on("m3.medium"),
        ];
        let mut machines = Vec::new();
        for case in &cases {
            machines.push((case, scene.launch_case(case).await));
        }
        for method in ["auto", "create-image", "snapshot-register"] {
            scene.policies(&policy("", &format!("method: {method}"), "")).await;
            for (_, machine) in &machines {
                scene.ask(HOME, machine, "gold").await;
            }
            scene.pass(15).await;
        }
        let points = scene.points().await;
        assert_eq!(points.len(), 6, "{points:#?}");
        for (case, machine) in machines {
            let digits = machine.trim_start_matches("i-");
            for point in points.iter().filter(|point| point["sk"].contains(digits)) {
                assert_eq!(point["status"], "refused", "{}: {point:#?}", case.what);
                assert_eq!(codes(point, "reason"), [case.way], "{}: {point:#?}", case.what);
            }
        }
        assert_eq!(scene.snapshots(HOME).await, []);
    });
}

#[test]
fn a_running_machine_is_rebooted_for_its_image_and_a_stopped_one_is_not() {
    let options = Options::default().allowing_reboot();
    scene::play_on(Stage { options, ..Stage::default() }, async |scene| {
        let (runs, rests) = (scene.machine(1).await, scene.machine(1).await);
        scene.stop(&rests).await;
        scene.policies(&policy("reboot", "method: create-image", "")).await;
        for machine in [&runs, &rests] {
            scene.ask(HOME, machine, "gold").await;
        }
        scene.pass(40).await;
        for (machine, grade, no_reboot) in [(&runs, "reboot", "false"), (&rests, "at-rest", "true")]
        {
            let point = scene.point_of(machine).await;
            assert_eq!(point["status"], "protected", "{point:#?}");
            assert_eq!(point["grade"], grade, "{point:#?}");
            let images = scene.images(HOME).await;
            let image = images.iter().find(|image| image.id == point["image"]).expect("its image");
            assert_eq!(image.tags["afterimage:grade"], grade);
            let calls = scene.calls();
            let of_machine = |call: &&afterimage_cloud::trace::Entry| {
                call.action == "CreateImage" && call.detail.to_string().contains(machine.as_str())
            };
            let call = calls.iter().find(of_machine).expect("the call").detail.to_string();
            let said = call.replace(['"', ' '], "");
            assert!(said.contains(&format!("NoReboot:{no_reboot}")), "{call}");
        }
    });
}

/// Which devices the image of the only point has, once it is there.
async fn devices_of_image(scene: &Scene) -> Vec<String> {
    let point = scene.the_point().await;
    assert_eq!(point["status"], "protected", "{point:#?}");
    let image = scene.image_of_id(HOME, &point["image"]).await;
    let devices = image.block_device_mappings().iter().filter(|device| device.ebs().is_some());
    let mut devices: Vec<String> =
        devices.filter_map(|device| device.device_name().map(str::to_string)).collect();
    devices.sort();
    devices
}

#[test]
fn volumes_that_are_left_out_are_in_no_image_whichever_way_it_is_made() {
    for method in ["snapshot-register", "create-image"] {
        scene::play(async |scene| {
            let machine = scene.machine(3).await;
            let tagged = scene.volume_at(&machine, "/dev/sdg").await;
            let tag = scene::tag("scratch", "yes");
            let tag = scene.ec2(HOME).create_tags().resources(&tagged).tags(tag).send().await;
            tag.expect("a volume is tagged");
            let options = format!(
                "method: {method}, exclude_volumes: {{tags: {{scratch: \"y*\"}}, \
                 devices: [/dev/sdh]}}"
            );
            scene.policies(&policy("", &options, "")).await;
            scene.ask(HOME, &machine, "gold").await;
            scene.pass(60).await;
            assert_eq!(devices_of_image(&scene).await, ["/dev/sdf", "/dev/xvda"], "{method}");
            assert_eq!(scene.snapshots(HOME).await.len(), 2, "{method}");
        });
    }
}

#[test]
fn snapshots_alone_are_kept_without_an_image_and_may_lack_the_root() {
    scene::play(async |scene| {
        let machine = scene.machine(2).await;
        let options = "kind: snapshots, exclude_volumes: {devices: [/dev/xvda]}";
        scene.policies(&policy("", options, "")).await;
        scene.ask(HOME, &machine, "gold").await;
        scene.pass(60).await;
        let point = scene.the_point().await;
        assert_eq!(point["status"], "protected", "{point:#?}");
        assert_eq!((point.get("image"), &*point["grade"]), (None, "crash"));
        assert_eq!(scene.images(HOME).await, []);
        let snapshots = scene.snapshots(HOME).await;
        assert_eq!(snapshots.len(), 2);
        for snapshot in snapshots {
            assert_eq!(snapshot.state, "completed");
            assert!(snapshot.tags["afterimage:devices-1"].contains("/dev/sdf="));
        }
        assert_eq!(scene.count("RegisterImage", HOME), 0);
    });
}

#[test]
fn an_image_that_comes_out_different_is_of_no_use() {
    type Spoil = fn(&mut Made);
    let cases: [(&str, &str, Spoil); 4] = [
        ("snapshot-register", "ENA", |image| image.platform.ena = false),
        ("create-image", "boot mode", |image| image.platform.boot_mode = None),
        ("create-image", "architecture", |image| image.platform.architecture = "i386".into()),
        ("create-image", "platform", |image| image.platform.platform_details.clear()),
    ];
    for (method, what, spoil) in cases {
        scene::play(async |scene| {
            let machine = scene.machine(1).await;
            let options = format!("method: {method}");
            scene.policies(&policy("", &options, "[{region: eu-west-1}]")).await;
            scene.ask(HOME, &machine, "gold").await;
            scene.spoil_the_next(spoil).await;
            scene.pass(60).await;
            let point = scene.the_point().await;
            assert_eq!(point["status"], "failed", "{method}: {point:#?}");
            let reason = &point["reason"];
            assert!(reason.contains("image-differs") && reason.contains(what), "{reason}");
            let image = &scene.images(HOME).await[0].id;
            assert!(point["leftovers"].contains(image.as_str()), "{point:#?}");
            assert_eq!(scene.images(IRELAND).await, [], "nothing is made of it");
        });
    }
}

impl Scene {
    /// Waits for the next image that is begun, and spoils it.
    async fn spoil_the_next(&self, spoil: fn(&mut Made)) {
        for _ in 0..600 {
            if self.spoil(spoil) > 0 {
                return;
            }
            self.cloud.advance(std::time::Duration::from_secs(2)).await;
        }
        panic!("no image was begun");
    }
}

#[test]
fn what_does_not_keep_it_from_booting_is_told_of() {
    scene::play(async |scene| {
        let machine = scene.machine(1).await;
        scene.policies(&policy("", "method: auto", "")).await;
        scene.ask(HOME, &machine, "gold").await;
        scene.spoil_the_next(|image| image.platform.imds = None).await;
        scene.pass(60).await;
        let point = scene.the_point().await;
        assert_eq!(point["status"], "protected", "{point:#?}");
        let findings = &point["findings"];
        assert!(findings.contains("image-differs") && findings.contains("IMDS"), "{findings}");
    });
}

#[test]
fn where_registering_lost_the_licence_ec2_creates_the_next() {
    scene::play(async |scene| {
        let machine = scene.machine(1).await;
        scene.policies(&policy("", "method: auto", "[{region: eu-west-1}]")).await;
        scene.ask(HOME, &machine, "gold").await;
        scene.spoil_the_next(|image| image.platform.usage_operation.clear()).await;
        scene.pass(90).await;
        let point = scene.the_point().await;
        assert_eq!(point["status"], "protected", "{point:#?}");
        assert!(point["method"].contains("create-image"), "{point:#?}");
        assert_eq!(scene.count("CreateImage", HOME), 1);
        // The image that was of no use and its snapshots are not forgotten.
        let images = scene.images(HOME).await;
        let useless = images.iter().find(|image| image.id != point["image"]).expect("the first");
        for artefact in useless.snapshots.iter().chain([&useless.id]) {
            assert!(point["leftovers"].contains(artefact.as_str()), "{artefact}: {point:#?}");
        }
        assert_eq!(scene.available(IRELAND).await.len(), 1);
    });
}

#[test]
fn an_image_whose_call_had_no_answer_is_found_and_ours() {
    scene::play(async |scene| {
        let machine = scene.machine(1).await;
        scene.policies(&policy("", "method: create-image", "")).await;
        let lost = Rule::fail(When::After, 500, "InternalError").action("CreateImage");
        scene.fault(lost.times(1));
        scene.ask(HOME, &machine, "gold").await;
        scene.pass(60).await;
        assert_eq!(scene.strikes(), [1]);
        let point = scene.the_point().await;
        assert_eq!(point["status"], "protected", "{point:#?}");
        assert_eq!(scene.count("CreateImage", HOME), 1);
        assert_eq!(scene.images(HOME).await.len(), 1);
    });
}

#[test]
fn an_image_that_took_the_name_is_foreign_and_ours_has_another() {
    scene::play(async |scene| {
        let machine = scene.machine(1).await;
        let name = format!("gold-{}-ask-1-0", machine.trim_start_matches("i-"));
        let planted = scene.ec2(HOME).create_image().instance_id(&machine).name(&name);
        let planted = planted.no_reboot(true).send().await.expect("an image is planted");
        let planted = planted.image_id().expect("it has an id").to_string();
        scene.pass(30).await;
        scene.policies(&policy("", "method: create-image", "")).await;
        scene.ask(HOME, &machine, "gold").await;
        scene.pass(60).await;
        let point = scene.the_point().await;
        assert_eq!(point["status"], "protected", "{point:#?}");
        assert_ne!(point["image"], planted);
        scene.assert_foreign(&planted).await;
        assert!(!point.get("leftovers").is_some_and(|left| left.contains(&planted)));
    });
}

#[test]
fn what_others_could_not_use_is_told_where_it_is_to_be_shared() {
    scene::play(async |scene| {
        let bought = Case::new("Marketplace", "acme-firewall*", "", "");
        let bought = scene.launch_case(&bought).await;
        let secret = scene.encrypted_machine().await;
        let plain = scene.machine(0).await;
        let options = "share: {accounts: [\"111122223333\"]}";
        scene.policies(&policy("", options, "")).await;
        for machine in [&bought, &secret, &plain] {
            scene.ask(HOME, machine, "gold").await;
        }
        scene.pass(60).await;
        for (machine, told) in [(&bought, true), (&secret, true), (&plain, false)] {
            let point = scene.point_of(machine).await;
            assert_eq!(point["status"], "protected", "{point:#?}");
            let findings = point.get("findings").map(String::as_str).unwrap_or_default();
            assert_eq!(findings.contains("not-shareable"), told, "{point:#?}");
        }
    });
}
