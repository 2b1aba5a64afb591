//! Images that were good and are gone: the ledger, the summary and the places say so within two
//! hours, and what can be made again is, once.

use std::time::Duration;

use afterimage_cloud::faults::Rule;

use crate::scene::{
    self, CREATED, EVERY_SIX_HOURS, FRANKFURT, HOME, IRELAND, ON_STOP, SNAPSHOTS, Scene,
    TWICE_A_YEAR, codes, left_to_person,
};

/// The time in which whatever is said has to be true again.
const TWO_HOURS: u64 = 120;
const A_DAY: u64 = 24 * 60;

const PLACES: [&str; 3] = [HOME, IRELAND, FRANKFURT];

impl Scene {
    /// Deletes the images of a region, with their snapshots or without, as somebody else.
    pub async fn delete_images(&self, region: &str, with_snapshots: bool) {
        for image in self.images(region).await {
            self.deregister(region, &image, with_snapshots).await;
        }
    }

    /// The summary of the only machine, under its policy: the newest good point.
    pub async fn good(&self) -> Option<serde_json::Value> {
        let items = self.ledger().await;
        let good = items.iter().find_map(|item| item.get("good#gold"))?;
        Some(serde_json::from_str(good).expect("a summary is JSON"))
    }

    /// Whatever the summary says can be recovered from is available in EC2.
    pub async fn assert_true(&self) {
        let Some(good) = self.good().await else { return };
        if let Some(image) = good["image"].as_str() {
            let home = self.available(HOME).await;
            assert!(home.iter().any(|there| there.id == image), "{good}: {home:#?}");
        }
        for region in good["replicas"].as_array().expect("a list") {
            let region = region.as_str().expect("a region");
            assert!(!self.available(region).await.is_empty(), "{good}");
        }
        let point = self.the_point().await;
        if point["status"] == "protected" {
            for region in PLACES {
                assert_eq!(self.available(region).await.len(), 1, "{region}: {point:#?}");
            }
        }
    }

    /// The codes of the findings that are kept.
    pub async fn open_codes(&self) -> Vec<String> {
        let findings = self.open_findings().await;
        findings.iter().flat_map(|item| codes(item, "reason")).collect()
    }

    pub async fn protect_one(&self, policies: &str) -> String {
        let machine = self.machine(1).await;
        self.policies(policies).await;
        self.stop(&machine).await;
        if policies == CREATED {
            self.ask(HOME, &machine, "gold").await;
        }
        self.pass(TWO_HOURS).await;
        self.assert_protected_once(2).await;
        machine
    }

    /// Disables the one image of a region. Returns its id.
    pub async fn disable_image(&self, region: &str) -> String {
        let image = self.available(region).await.remove(0).id;
        let call = self.ec2(region).disable_image().image_id(&image);
        call.send().await.expect("it is disabled");
        image
    }

    /// Detaches the root volume of a stopped machine. Returns its id, and its device.
    pub async fn detach_root(&self, machine: &str) -> (String, String) {
        let listed = self.ec2(HOME).describe_instances().instance_ids(machine).send().await;
        let listed = listed.expect("the machine is described");
        let disk = &listed.reservations()[0].instances()[0].block_device_mappings()[0];
        let volume = disk.ebs().and_then(|ebs| ebs.volume_id()).expect("a volume").to_string();
        let device = disk.device_name().expect("a device").to_string();
        let detached = self.ec2(HOME).detach_volume().volume_id(&volume).send().await;
        detached.expect("the disk is detached");
        (volume, device)
    }

    /// Lets two hours pass: everything is told truly, and in the end protected once more.
    pub async fn assert_healed(&self, what: &str) {
        self.pass(TWO_HOURS).await;
        self.assert_true().await;
        self.pass(TWO_HOURS).await;
        let point = self.the_point().await;
        assert_eq!(point["status"], "protected", "{what}: {point:#?}");
        for region in PLACES {
            assert_eq!(self.available(region).await.len(), 1, "{what}: {region}");
        }
        assert!(!self.open_codes().await.contains(&"lost".to_string()), "{what}: it is over");
    }
}

#[test]
fn a_replica_that_is_deleted_is_copied_again() {
    for is_told in [true, false] {
        scene::play(async |scene| {
            scene.protect_one(ON_STOP).await;
            if !is_told {
                scene.fault(Rule::lose());
            }
            scene.delete_images(IRELAND, true).await;
            scene.pass(20).await;
            if is_told {
                assert_eq!(scene.count("CopyImage", IRELAND), 2, "noticed within minutes");
            }
            scene.assert_healed("a replica").await;
            assert_eq!(scene.count("CopyImage", IRELAND), 2);
            assert_eq!(scene.count("CopyImage", FRANKFURT), 1, "nothing else is made again");
            assert_eq!(scene.count("RegisterImage", HOME), 1);
        });
    }
}

#[test]
fn a_home_image_is_registered_again_from_its_snapshots() {
    scene::play(async |scene| {
        scene.protect_one(ON_STOP).await;
        scene.delete_images(HOME, false).await;
        scene.assert_healed("the home image").await;
        assert_eq!(scene.count("RegisterImage", HOME), 2);
        assert_eq!(scene.count("CreateSnapshots", HOME), 1);
        assert_eq!(scene.count("CopyImage", IRELAND) + scene.count("CopyImage", FRANKFURT), 2);
    });
}

#[test]
fn the_snapshots_of_a_copy_that_was_lost_before_it_was_seen_are_not_foreign() {
    scene::play(async |scene| {
        scene.protect_one(ON_STOP).await;
        scene.delete_images(HOME, true).await;
        let second = Duration::from_secs(1);
        let is_begun = async |scene: &Scene| scene.count("CopyImage", HOME) == 1;
        scene.pass_until(second, second * 7_200, is_begun).await;
        scene.fault(Rule::throttle().action("DescribeImages").region(HOME));
        scene.pass(TWO_HOURS).await;
        let copy = scene.replica_in(HOME).await["image"].clone();
        let gone = scene.ec2(HOME).deregister_image().image_id(&copy);
        gone.send().await.expect("it is deregistered, and its snapshots stay");
        scene.no_more_faults();
        scene.pass(2 * TWO_HOURS).await;
        assert_eq!(scene.count("CopyImage", HOME), 2, "it is copied back again");
        let of_copy = scene.snapshots(HOME).await;
        assert_eq!(of_copy.len(), 4, "two of each copy: {of_copy:#?}");
        let point = scene.the_point().await;
        assert_eq!(point["status"], "protected", "{point:#?}");
        scene.assert_nothing_was_foreign().await;
        // Nor are they linked to their record again and again.
        let before = scene.replica_in(HOME).await;
        scene.pass(2 * TWO_HOURS).await;
        assert_eq!(scene.replica_in(HOME).await, before);
    });
}

#[test]
fn a_home_image_without_its_snapshots_is_copied_back() {
    for policies in [ON_STOP, CREATED] {
        scene::play(async |scene| {
            scene.protect_one(policies).await;
            scene.delete_images(HOME, true).await;
            scene.assert_healed("the home image").await;
            assert_eq!(scene.count("CopyImage", HOME), 1);
            let home = scene.available(HOME).await.remove(0);
            assert!(home.source.is_some(), "{home:?}");
            scene.pass(A_DAY).await;
            assert!(!scene.open_codes().await.contains(&"foreign".to_string()), "it is ours");
        });
    }
}

#[test]
fn a_point_of_which_nothing_is_left_begins_again_while_its_machine_is_at_rest() {
    scene::play(async |scene| {
        scene.protect_one(ON_STOP).await;
        for region in PLACES {
            scene.delete_images(region, true).await;
        }
        scene.assert_healed("everything").await;
        assert_eq!(scene.count("CreateSnapshots", HOME), 2);
        assert_eq!(scene.points().await.len(), 1, "it is the same point");
    });
}

#[test]
fn of_several_points_that_lose_everything_only_the_newest_begins_again() {
    scene::play(async |scene| {
        scene.machine(1).await;
        scene.policies(EVERY_SIX_HOURS).await;
        scene.pass(A_DAY + TWO_HOURS).await;
        let before = scene.count("CreateSnapshots", HOME);
        assert!(before >= 4, "{before} points");
        scene.policies(TWICE_A_YEAR).await;
        for region in [HOME, IRELAND] {
            scene.delete_images(region, true).await;
        }
        scene.pass(A_DAY).await;
        let points = scene.points().await;
        assert_eq!(scene.count("CreateSnapshots", HOME), before + 1, "{points:#?}");
        for region in [HOME, IRELAND] {
            assert_eq!(scene.available(region).await.len(), 1, "{region}");
        }
        let points = scene.points().await;
        let newest = points.iter().max_by_key(|point| point["requested_at"].to_string());
        assert_eq!(newest.expect("a point")["status"], "protected");
        let lost = points.iter().filter(|point| point["status"] == "lost").count();
        assert_eq!(lost, before - 1, "the older ones stay lost");
    });
}

#[test]
fn the_summary_never_names_a_place_of_an_older_point_that_is_gone_too() {
    let policies = left_to_person(EVERY_SIX_HOURS);
    scene::play(async |scene| {
        scene.machine(1).await;
        scene.policies(&policies).await;
        scene.pass(A_DAY + TWO_HOURS).await;
        scene.policies(&left_to_person(TWICE_A_YEAR)).await;
        for region in [HOME, IRELAND] {
            scene.delete_images(region, true).await;
        }
        scene.pass(2 * TWO_HOURS).await;
        let good = scene.good().await;
        assert_eq!(good, None, "there is no image in EC2");
        let points = scene.points().await;
        assert!(points.iter().all(|point| point["status"] == "lost"), "{points:#?}");
    });
}

#[test]
fn an_older_point_that_becomes_the_newest_good_one_is_made_whole() {
    scene::play(async |scene| {
        let machine = scene.machine(1).await;
        scene.policies(EVERY_SIX_HOURS).await;
        scene.pass(13 * 60).await;
        let older = scene.available(IRELAND).await;
        assert_eq!(older.len(), 2, "two points");
        scene.policies(TWICE_A_YEAR).await;
        let first = older.iter().min_by_key(|image| image.name.clone()).expect("an image");
        scene.deregister(IRELAND, first, true).await;
        scene.pass(TWO_HOURS).await;
        assert_eq!(scene.available(IRELAND).await.len(), 1, "the newer one is good");
        let call = scene.ec2(HOME).terminate_instances().instance_ids(&machine);
        call.send().await.expect("the machine is terminated");
        for region in [HOME, IRELAND] {
            let images = scene.available(region).await;
            let newest = images.iter().max_by_key(|image| image.name.clone()).expect("an image");
            let call = scene.ec2(region).deregister_image().image_id(&newest.id);
            call.delete_associated_snapshots(true).send().await.expect("it is deregistered");
        }
        scene.pass(2 * TWO_HOURS).await;
        assert_eq!(scene.available(HOME).await.len(), 1);
        assert_eq!(scene.available(IRELAND).await.len(), 1, "it was made again");
        let good = scene.good().await.expect("the older point");
        assert_eq!(good["replicas"], serde_json::json!([IRELAND]), "{good}");
    });
}

#[test]
fn what_is_lost_for_good_is_never_called_protected_again() {
    scene::play(async |scene| {
        let machine = scene.protect_one(ON_STOP).await;
        scene.start(&machine).await;
        for region in PLACES {
            scene.delete_images(region, true).await;
        }
        scene.pass(TWO_HOURS).await;
        let point = scene.the_point().await;
        assert_eq!(point["status"], "lost", "{point:#?}");
        assert_eq!(codes(&point, "reason"), ["lost"], "{point:#?}");
        assert_eq!(scene.good().await, None, "there is nothing to recover from");
        assert!(scene.open_codes().await.contains(&"lost".to_string()));
        scene.pass(2 * A_DAY).await;
        assert_eq!(scene.the_point().await["status"], "lost");
        assert_eq!(scene.count("CreateSnapshots", HOME), 1, "the machine runs");
    });
}

#[test]
fn an_image_that_is_disabled_is_told_and_left_alone() {
    scene::play(async |scene| {
        scene.protect_one(ON_STOP).await;
        let image = scene.available(IRELAND).await.remove(0);
        let client = scene.ec2(IRELAND);
        client.disable_image().image_id(&image.id).send().await.expect("it is disabled");
        scene.pass(TWO_HOURS).await;
        let point = scene.the_point().await;
        assert_ne!(point["status"], "protected", "{point:#?}");
        scene.assert_true().await;
        assert_eq!(scene.open_codes().await, ["image-disabled"]);
        scene.pass(A_DAY).await;
        assert_eq!(scene.count("CopyImage", IRELAND), 1, "it can be enabled");
        client.enable_image().image_id(&image.id).send().await.expect("it is enabled");
        scene.pass(TWO_HOURS).await;
        assert_eq!(scene.the_point().await["status"], "protected");
        assert_eq!(scene.open_codes().await, Vec::<String>::new());
    });
}

#[test]
fn the_reason_names_what_is_still_amiss_once_the_rest_is_made_again() {
    scene::play(async |scene| {
        scene.protect_one(ON_STOP).await;
        scene.disable_image(IRELAND).await;
        scene.delete_images(HOME, true).await;
        scene.pass(TWO_HOURS).await;
        let point = scene.the_point().await;
        assert_eq!(point["status"], "imaged", "{point:#?}");
        assert_eq!(codes(&point, "reason"), ["image-disabled"], "{point:#?}");
        assert_eq!(scene.available(HOME).await.len(), 1, "the home image is back");
    });
}

#[test]
fn a_clean_up_of_our_tags_is_a_finding_and_nothing_else() {
    scene::play(async |scene| {
        scene.protect_one(ON_STOP).await;
        for region in PLACES {
            let images = scene.images(region).await.into_iter().map(|image| image.id);
            let snapshots = scene.snapshots(region).await.into_iter().map(|snapshot| snapshot.id);
            let ids: Vec<String> = images.chain(snapshots).collect();
            let tag = scene::tag("afterimage:point", "");
            let tag = aws_sdk_ec2::types::Tag::builder().key(tag.key().expect("a key")).build();
            let call = scene.ec2(region).delete_tags().set_resources(Some(ids)).tags(tag);
            call.send().await.expect("tags are deleted");
        }
        let before = scene.calls().len();
        scene.pass(A_DAY).await;
        assert_eq!(scene.the_point().await["status"], "protected");
        assert_eq!(scene.open_codes().await, ["tag-gone"; 3]);
        for action in ["CopyImage", "CreateSnapshots", "RegisterImage", "CreateImage"] {
            let calls = scene.calls();
            let again = calls[before..].iter().filter(|call| call.action == action).count();
            assert_eq!(again, 0, "{action}");
        }
    });
}

impl Scene {
    async fn delete_point_tag(&self, region: &str, ids: Vec<String>) {
        let tag = aws_sdk_ec2::types::Tag::builder().key("afterimage:point").build();
        let call = self.ec2(region).delete_tags().set_resources(Some(ids)).tags(tag);
        call.send().await.expect("tags are deleted");
    }
}

#[test]
fn a_tag_that_a_snapshot_has_lost_is_a_finding_until_it_is_put_back() {
    for policies in [ON_STOP, SNAPSHOTS] {
        scene::play(async |scene| {
            let machine = scene.machine(1).await;
            scene.policies(policies).await;
            scene.stop(&machine).await;
            scene.pass(TWO_HOURS).await;
            assert_eq!(scene.the_point().await["status"], "protected");
            let snapshot = scene.snapshots(HOME).await.remove(0);
            scene.delete_point_tag(HOME, vec![snapshot.id.clone()]).await;
            scene.pass(TWO_HOURS).await;
            let found = scene.open_findings().await;
            assert_eq!(scene.open_codes().await, ["tag-gone"], "{found:#?}");
            assert!(found[0]["reason"].contains(&snapshot.id), "{found:#?}");
            let before = scene.the_point().await;
            scene.pass(A_DAY).await;
            assert_eq!(scene.the_point().await, before, "a tag is no fact");
            let tag = scene::tag("afterimage:point", &snapshot.tags["afterimage:point"]);
            let call = scene.ec2(HOME).create_tags().resources(&snapshot.id).tags(tag);
            call.send().await.expect("it is tagged");
            scene.pass(TWO_HOURS).await;
            assert_eq!(scene.open_codes().await, Vec::<String>::new(), "it is over");
            assert_eq!(scene.count("CreateSnapshots", HOME), 1);
        });
    }
}

#[test]
fn an_image_that_is_disabled_and_then_deregistered_is_lost_and_no_longer_disabled() {
    for (policies, after) in
        [(left_to_person(ON_STOP), vec!["lost"]), (ON_STOP.to_string(), vec![])]
    {
        scene::play(async |scene| {
            scene.protect_one(&policies).await;
            for region in [HOME, IRELAND] {
                let image = scene.available(region).await.remove(0);
                let client = scene.ec2(region);
                client.disable_image().image_id(&image.id).send().await.expect("it is disabled");
                scene.pass(TWO_HOURS).await;
                assert_eq!(scene.open_codes().await, ["image-disabled"], "{region}");
                scene.delete_images(region, true).await;
                scene.pass(TWO_HOURS).await;
                let found = scene.open_findings().await;
                assert_eq!(scene.open_codes().await, after, "{region}: {found:#?}");
                scene.assert_true().await;
                if !after.is_empty() {
                    return;
                }
            }
            assert_eq!(scene.the_point().await["status"], "protected");
        });
    }
}

#[test]
fn an_image_without_its_tag_that_is_deregistered_is_told_as_lost() {
    scene::play(async |scene| {
        scene.protect_one(&left_to_person(ON_STOP)).await;
        let image = scene.available(IRELAND).await.remove(0);
        scene.delete_point_tag(IRELAND, vec![image.id]).await;
        // Between two audits.
        scene.pass(TWO_HOURS + 30).await;
        assert_eq!(scene.open_codes().await, ["tag-gone"]);
        scene.delete_images(IRELAND, true).await;
        scene.pass(20).await;
        assert_eq!(scene.open_codes().await, ["lost"], "within minutes");
        scene.pass(A_DAY).await;
        assert_eq!(scene.open_codes().await, ["lost"], "until somebody heals it");
    });
}

#[test]
fn an_artefact_whose_tag_was_edited_is_ours_all_the_same_and_its_tag_is_told() {
    scene::play(async |scene| {
        scene.protect_one(ON_STOP).await;
        let other = "gold-0123456789abcdef0-at-20260101T000000Z";
        let image = scene.available(IRELAND).await.remove(0);
        let snapshot = scene.available(HOME).await.remove(0).snapshots.remove(0);
        for (region, id) in [(IRELAND, &image.id), (HOME, &snapshot)] {
            let tag = scene::tag("afterimage:point", other);
            let call = scene.ec2(region).create_tags().resources(id).tags(tag);
            call.send().await.expect("it is tagged");
        }
        let before = scene.the_point().await;
        scene.pass(A_DAY).await;
        assert_eq!(scene.the_point().await, before, "a tag is no fact");
        let found = scene.open_findings().await;
        assert_eq!(scene.open_codes().await, ["tag-gone"; 2], "{found:#?}");
        for id in [&snapshot, &image.id] {
            assert!(found.iter().any(|finding| finding["reason"].contains(id)), "{found:#?}");
        }
        let own = &image.tags["afterimage:point"];
        for (region, id) in [(IRELAND, &image.id), (HOME, &snapshot)] {
            let tag = scene::tag("afterimage:point", own);
            let call = scene.ec2(region).create_tags().resources(id).tags(tag);
            call.send().await.expect("it is tagged");
        }
        scene.pass(TWO_HOURS).await;
        assert_eq!(scene.open_codes().await, Vec::<String>::new(), "it is over");
    });
}

#[test]
fn a_place_that_is_deleted_again_and_again_is_left_to_a_person() {
    scene::play(async |scene| {
        scene.protect_one(ON_STOP).await;
        for _ in 0..48 {
            scene.delete_images(IRELAND, true).await;
            scene.cloud.advance(Duration::from_secs(3600)).await;
        }
        assert_eq!(scene.count("CopyImage", IRELAND), 3, "the first, and two more");
        let found = scene.open_codes().await;
        assert_eq!(found.iter().filter(|code| *code == "lost-again").count(), 1, "{found:?}");
        scene.assert_true().await;
    });
}

#[test]
fn a_home_image_that_is_deleted_again_and_again_is_left_to_a_person_without_a_storm() {
    scene::play(async |scene| {
        scene.protect_one(ON_STOP).await;
        for _ in 0..3 {
            scene.delete_images(HOME, true).await;
            scene.pass(60).await;
        }
        let before = scene.calls().len();
        scene.pass(60).await;
        let calls = scene.calls().len() - before;
        assert!(calls < 1000, "{calls} calls in an hour in which nothing happens");
        assert_eq!(scene.count("CopyImage", HOME), 2, "it is made again twice");
        let found = scene.open_codes().await;
        assert_eq!(found.iter().filter(|code| *code == "lost-again").count(), 1, "{found:?}");
        scene.assert_true().await;
    });
}

#[test]
fn an_audit_that_finds_no_difference_writes_nothing_to_points() {
    scene::play(async |scene| {
        scene.protect_one(ON_STOP).await;
        let before = scene.the_point().await;
        scene.pass(A_DAY).await;
        assert_eq!(scene.the_point().await, before);
    });
}

/// The image of a region is deleted in the minute before an audit, which comes before the image is
/// called lost.
async fn deleted_before_an_audit(scene: &Scene, region: &str) {
    let image = scene.available(region).await.remove(0);
    let looked = async |scene: &Scene| {
        let items = scene.ledger().await;
        items.into_iter().find(|item| item["sk"] == "looked").expect("it was looked at")
    };
    let before = looked(scene).await;
    let minute = Duration::from_secs(60);
    scene.pass_until(minute, minute * 70, async |scene| looked(scene).await != before).await;
    scene.pass(58).await;
    let before = looked(scene).await;
    scene.deregister(region, &image, false).await;
    scene.pass(4).await;
    assert_ne!(looked(scene).await, before, "an audit has come");
    assert!(!scene.open_codes().await.contains(&"lost".to_string()), "it is not lost yet");
    for _ in 0..10 {
        let foreign = scene.open_codes().await.contains(&"foreign".to_string());
        assert!(!foreign, "{region}: {:#?}", scene.open_findings().await);
        scene.pass(30).await;
    }
    assert_eq!(scene.the_point().await["status"], "protected");
}

#[test]
fn the_snapshots_of_a_copy_that_is_deleted_are_never_foreign() {
    scene::play(async |scene| {
        scene.protect_one(ON_STOP).await;
        deleted_before_an_audit(&scene, IRELAND).await;
        // The next image at home is a copy too.
        scene.delete_images(HOME, true).await;
        scene.assert_healed("the home image").await;
        deleted_before_an_audit(&scene, HOME).await;
    });
}
