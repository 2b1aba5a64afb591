//! Not fooled: a tag nominates, it never authorises; a name can be taken; an event can be forged.

use std::collections::BTreeSet;

use afterimage_cloud::faults::{Rule, When};
use aws_sdk_ec2::operation::register_image::builders::RegisterImageFluentBuilder;
use aws_sdk_ec2::types as ec2;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use serde_json::json;

use crate::keys::UNDER_A_KEY;
use crate::scene::{self, FRANKFURT, HOME, IRELAND, Item, NIGHTLY, ON_STOP, Scene, codes};

impl Scene {
    /// What is told of an artefact among the findings of the ledger.
    pub async fn assert_foreign(&self, artefact: &str) {
        let findings = self.findings().await;
        let about = |item: &&Item| item["sk"].ends_with(artefact);
        let finding = findings.iter().find(about);
        let finding = finding.unwrap_or_else(|| panic!("{artefact} is not in {findings:#?}"));
        assert_eq!(codes(finding, "reason"), ["foreign"], "{finding:#?}");
    }

    /// The tags that the snapshots of a point of this machine will carry.
    fn tags_of_point(machine: &str) -> Vec<ec2::Tag> {
        let point = format!("gold-{}-at-20260101T001500Z", machine.trim_start_matches("i-"));
        vec![
            scene::tag("afterimage:point", &point),
            scene::tag("afterimage:policy", "gold"),
            scene::tag("afterimage:source", machine),
            scene::tag("afterimage:attempt", "0"),
            scene::tag("afterimage:format", "1"),
        ]
    }

    async fn root_volume(&self, machine: &str) -> String {
        let shown = self.ec2(HOME).describe_instances().instance_ids(machine).send().await;
        let shown = shown.expect("the machine is described");
        let devices = shown.reservations()[0].instances()[0].block_device_mappings();
        let volume = devices[0].ebs().and_then(|ebs| ebs.volume_id());
        volume.expect("a root volume").to_string()
    }

    /// A snapshot of a volume, with these tags, complete.
    async fn plant_snapshot(&self, volume: &str, tags: Vec<ec2::Tag>) -> String {
        let tags = ec2::TagSpecification::builder()
            .resource_type(ec2::ResourceType::Snapshot)
            .set_tags(Some(tags))
            .build();
        let made = self.ec2(HOME).create_snapshot().volume_id(volume).tag_specifications(tags);
        let made = made.send().await.expect("a snapshot is made");
        made.snapshot_id().expect("it has an id").to_string()
    }

    /// An image made of a snapshot, under this name.
    async fn plant_image(&self, snapshot: &str, name: &str) -> String {
        let ebs = ec2::EbsBlockDevice::builder().snapshot_id(snapshot).build();
        let disk = ec2::BlockDeviceMapping::builder().device_name("/dev/xvda").ebs(ebs).build();
        let made = self
            .ec2(HOME)
            .register_image()
            .name(name)
            .root_device_name("/dev/xvda")
            .architecture(ec2::ArchitectureValues::X8664)
            .virtualization_type("hvm")
            .block_device_mappings(disk);
        made.send().await.expect("an image is made").image_id().expect("it has an id").to_string()
    }
}

#[test]
fn a_planted_snapshot_with_our_tags_is_foreign_and_our_image_is_made_of_our_own() {
    scene::play(async |scene| {
        let machine = scene.machine(0).await;
        let volume = scene.root_volume(&machine).await;
        let planted = scene.plant_snapshot(&volume, Scene::tags_of_point(&machine)).await;
        scene.policies(NIGHTLY).await;
        // The call that makes our set has no answer, so that what is listed has to be judged.
        let lost = Rule::fail(When::Before, 500, "InternalError").action("CreateSnapshots");
        scene.fault(lost.times(1));
        scene.pass(120).await;
        assert_eq!(scene.strikes(), [1], "the call had an answer");
        let point = scene.the_point().await;
        assert_eq!(point["status"], "protected", "{point:#?}");
        let home = scene.available(HOME).await;
        assert_eq!(home.len(), 1);
        assert!(!home[0].snapshots.contains(&planted), "the planted one was adopted");
        scene.assert_foreign(&planted).await;
    });
}

#[test]
fn a_set_planted_with_our_tags_while_ours_has_no_answer_is_foreign_and_ours_is_adopted() {
    scene::play(async |scene| {
        let machine = scene.machine(1).await;
        scene.policies(NIGHTLY).await;
        let lost = Rule::fail(When::After, 500, "InternalError").action("CreateSnapshots");
        scene.fault(lost.times(1));
        scene.pass(15).await;
        assert_eq!(scene.the_point().await["status"], "snapshotting");
        let ours = scene.snapshots(HOME).await;
        assert_eq!(ours.len(), 2);
        let set = ec2::InstanceSpecification::builder().instance_id(&machine).build();
        let tags = ec2::TagSpecification::builder()
            .resource_type(ec2::ResourceType::Snapshot)
            .set_tags(Some(Scene::tags_of_point(&machine)))
            .build();
        let planted = scene.ec2(HOME).create_snapshots().instance_specification(set);
        let planted = planted.tag_specifications(tags).send().await.expect("a set is made");
        scene.pass(120).await;
        let point = scene.the_point().await;
        assert_eq!(point["status"], "protected", "{point:#?}");
        let home = scene.available(HOME).await.remove(0);
        let made_of: BTreeSet<&String> = home.snapshots.iter().collect();
        assert_eq!(made_of, ours.iter().map(|snapshot| &snapshot.id).collect());
        for snapshot in planted.snapshots() {
            scene.assert_foreign(snapshot.snapshot_id().expect("it has an id")).await;
        }
        assert_eq!(scene.count("CreateSnapshots", HOME), 1);
    });
}

#[test]
fn an_image_that_took_our_name_before_is_foreign_and_ours_gets_another() {
    scene::play(async |scene| {
        let machine = scene.machine(0).await;
        let volume = scene.root_volume(&machine).await;
        let theirs = scene.plant_snapshot(&volume, Vec::new()).await;
        scene.pass(10).await;
        let name = Scene::tags_of_point(&machine)[0].value().expect("it has one").to_string();
        let planted = scene.plant_image(&theirs, &format!("{name}-0")).await;
        scene.policies(NIGHTLY).await;
        scene.pass(90).await;
        let point = scene.the_point().await;
        assert_eq!(point["status"], "protected", "{point:#?}");
        assert_ne!(point["image"], planted);
        scene.assert_foreign(&planted).await;
        assert_eq!(scene.available(IRELAND).await.len(), 1);
        assert_eq!(scene.available(FRANKFURT).await.len(), 1);
    });
}

/// Somebody registers another image of our snapshots, under the next name of a home image that is
/// lost: `change` makes it another.
fn name_held_by_another(
    with_tags: bool,
    change: fn(RegisterImageFluentBuilder) -> RegisterImageFluentBuilder,
    what: &str,
) {
    scene::play(async |scene| {
        scene.protect_one(ON_STOP).await;
        let lost = scene.available(HOME).await.remove(0);
        scene.deregister(HOME, &lost, false).await;
        let (point, _) = lost.name.rsplit_once('-').expect("the name of a try");
        let devices = ["/dev/xvda", "/dev/sdf"].iter().zip(&lost.snapshots).map(|(device, id)| {
            let ebs = ec2::EbsBlockDevice::builder().snapshot_id(id).build();
            ec2::BlockDeviceMapping::builder().device_name(*device).ebs(ebs).build()
        });
        let tags = lost.tags.iter().map(|(key, value)| scene::tag(key, value)).collect();
        let tags = ec2::TagSpecification::builder().set_tags(Some(tags));
        let tags = tags.resource_type(ec2::ResourceType::Image).build();
        let planted = scene
            .ec2(HOME)
            .register_image()
            .name(format!("{point}-1"))
            .root_device_name("/dev/xvda")
            .architecture(ec2::ArchitectureValues::X8664)
            .virtualization_type("hvm")
            .boot_mode(ec2::BootModeValues::UefiPreferred)
            .ena_support(true)
            .set_block_device_mappings(Some(devices.collect()))
            .set_tag_specifications(with_tags.then_some(vec![tags]));
        let planted = change(planted).send().await.expect("an image is made");
        let planted = planted.image_id().expect("it has an id").to_string();
        scene.pass(90).await;
        let point = scene.the_point().await;
        assert_eq!(point["status"], "protected", "{what}: {point:#?}");
        assert_ne!(point["image"], planted, "{what}");
        let made = scene.available(HOME).await.into_iter().find(|it| it.id == point["image"]);
        assert_eq!(made.expect("it is there").snapshots, lost.snapshots, "{what}");
        assert_eq!(scene.count("RegisterImage", HOME), 3, "the first, and two names");
        let told = scene.open_findings().await;
        assert_eq!(told.len(), 1, "{what}: {told:#?}");
        scene.assert_foreign(&planted).await;
        assert!(told[0]["reason"].contains(what), "{what}: {told:#?}");
        // It stays so for as long as the image is there.
        scene.pass(24 * 60).await;
        assert_eq!(scene.open_findings().await, told, "{what}");
        assert!(!scene.the_point().await["leftovers"].contains(&planted), "{what}");
        scene.ec2(HOME).deregister_image().image_id(&planted).send().await.expect("it goes");
        scene.pass(120).await;
        assert_eq!(scene.open_findings().await, Vec::<Item>::new(), "{what}");
        assert_eq!(scene.the_point().await["status"], "protected", "{what}");
    });
}

#[test]
fn another_image_of_our_snapshots_under_our_next_name_is_foreign_and_ours_is_made_at_once() {
    let arm = |call: RegisterImageFluentBuilder| {
        call.architecture(ec2::ArchitectureValues::Arm64).boot_mode(ec2::BootModeValues::Uefi)
    };
    for with_tags in [false, true] {
        name_held_by_another(with_tags, arm, "architecture: arm64, not x86_64");
    }
    let no_ena = |call: RegisterImageFluentBuilder| call.ena_support(false);
    name_held_by_another(false, no_ena, "ENA: not enabled");
    let uefi = |call: RegisterImageFluentBuilder| call.boot_mode(ec2::BootModeValues::Uefi);
    name_held_by_another(false, uefi, "boot mode: uefi, not uefi-preferred");
}

#[test]
fn a_users_own_copy_of_our_image_with_all_its_tags_is_foreign() {
    scene::play(async |scene| {
        scene.machine(0).await;
        scene.policies(NIGHTLY).await;
        scene.pass(45).await;
        scene.assert_protected_once(1).await;
        let ours = scene.available(HOME).await.remove(0);
        let copied = scene
            .ec2(IRELAND)
            .copy_image()
            .name("my own copy")
            .source_region(HOME)
            .source_image_id(&ours.id)
            .copy_image_tags(true)
            .send()
            .await
            .expect("anybody may copy their image");
        let copied = copied.image_id().expect("it has an id");
        scene.pass(120).await;
        scene.assert_foreign(copied).await;
        let point = scene.the_point().await;
        assert_eq!(point["status"], "protected");
        let mut records = scene.ledger().await;
        records.retain(|item| item["pk"] != "findings");
        assert!(!format!("{records:?}").contains(copied), "it was adopted");
        let images = scene.available(IRELAND).await;
        assert_eq!(images.len(), 2, "both are left alone: {images:#?}");
    });
}

#[test]
fn a_snapshot_that_a_person_makes_later_with_our_tags_stays_theirs() {
    scene::play(async |scene| {
        let machine = scene.machine(0).await;
        scene.policies(NIGHTLY).await;
        scene.pass(45).await;
        scene.assert_protected_once(1).await;
        let ours = scene.snapshots(HOME).await.remove(0);
        let tags = ours.tags.iter().map(|(key, value)| scene::tag(key, value)).collect();
        let volume = scene.root_volume(&machine).await;
        let theirs = scene.plant_snapshot(&volume, tags).await;
        scene.pass(120).await;
        scene.assert_foreign(&theirs).await;
        let point = scene.the_point().await;
        assert!(!point.contains_key("leftovers"), "{point:#?}");
    });
}

#[test]
fn forged_events_on_our_bus_make_nothing() {
    scene::play(async |scene| {
        scene.machine(0).await;
        scene.policies(NIGHTLY).await;
        let client = aws_sdk_eventbridge::Client::new(&scene.cloud.sdk_config(HOME));
        let forged = [
            ("afterimage", "Work Requested", json!({"region": HOME, "kind": "snapshot", "hop": 0})),
            ("afterimage", "Work Requested", json!({"region": HOME, "kind": "copy", "hop": 49})),
            ("afterimage", "Work Requested", json!({"region": "mars", "kind": "delete"})),
            (
                "forged.ec2",
                "EC2 AMI State Change",
                json!({"ImageId": "ami-0123456789abcdef0", "State": "available"}),
            ),
        ];
        for (source, kind, detail) in forged {
            let entry = PutEventsRequestEntry::builder()
                .source(source)
                .detail_type(kind)
                .detail(detail.to_string())
                .event_bus_name(&scene.system.bus)
                .build();
            let put = client.put_events().entries(entry).send().await.expect("they are put");
            assert_eq!(put.failed_entry_count(), 0);
        }
        scene.pass(10).await;
        assert!(scene.points().await.is_empty());
        assert!(scene.snapshots(HOME).await.is_empty());
        let ends = scene.ends("work-requested");
        assert_eq!(ends.len(), 3, "those that look like ours came, each once: {ends:#?}");
        assert!(ends.iter().all(|end| end.outcome == "ok"), "{ends:#?}");
        assert!(scene.ends("image-state-changed").is_empty(), "what is not EC2's did not");
        assert_eq!(scene.dead_letters(), 0, "they were answered, not retried");
        scene.pass(50).await;
        scene.assert_protected_once(1).await;
    });
}

/// Somebody copies the image at home without a key, under the name of a copy of ours that had no
/// answer, with the tags of the image or without.
fn name_held_by_a_copy_without_the_key(with_tags: bool) {
    scene::play(async |scene| {
        scene.make_key();
        scene.policies(UNDER_A_KEY).await;
        let machine = scene.machine(0).await;
        let lost = Rule::time_out(When::Before).action("CopyImage");
        scene.fault(lost.principal("*WorkRequested*"));
        scene.stop(&machine).await;
        scene.pass(10).await;
        assert_eq!(scene.the_point().await["status"], "imaged");
        let home = scene.available(HOME).await.remove(0);
        let copied = scene.ec2(IRELAND).copy_image().name(&home.name);
        let copied = copied.source_region(HOME).source_image_id(&home.id);
        let copied = copied.copy_image_tags(with_tags).send().await.expect("it is copied");
        let theirs = copied.image_id().expect("it has an id").to_string();
        scene.no_more_faults();
        scene.pass(150).await;
        let point = scene.the_point().await;
        assert_eq!(point["status"], "protected", "{point:#?}");
        let ours = scene.available(IRELAND).await.into_iter().find(|it| it.id != theirs);
        let ours = ours.expect("Afterimage has made its own");
        let made = scene.ec2(IRELAND).describe_snapshots().snapshot_ids(&ours.snapshots[0]);
        let made = made.send().await.expect("its snapshot is described");
        assert_eq!(made.snapshots()[0].encrypted(), Some(true));
        scene.assert_foreign(&theirs).await;
        let told = scene.open_findings().await;
        assert_eq!(told.len(), 1, "{told:#?}");
        let what = "/dev/xvda is not encrypted, and Afterimage asks for alias/dr";
        assert!(told[0]["reason"].contains(what), "{told:#?}");
        let records = scene.ledger().await.into_iter().filter(|item| item["pk"] != "findings");
        let records: Vec<Item> = records.collect();
        assert!(!format!("{records:?}").contains(&theirs), "it was adopted");
        // It stays so for as long as the image is there.
        scene.pass(24 * 60).await;
        assert_eq!(scene.open_findings().await, told);
    });
}

#[test]
fn a_copy_without_the_key_under_our_name_is_foreign_and_ours_is_made() {
    for with_tags in [false, true] {
        name_held_by_a_copy_without_the_key(with_tags);
    }
}
