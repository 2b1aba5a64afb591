//! A key that is gone for good: no image under it can ever be used again. A person is told so, and
//! a replica under such a key is made again from what is left.

use std::collections::BTreeSet;
use std::time::Duration;

use afterimage_cloud::faults::{Rule, When};

use crate::keys::UNDER_A_KEY;
use crate::scene::{self, HOME, IRELAND, Item, Launch, ON_STOP, Scene, codes, disk};

const AN_HOUR: u64 = 60;
const TWO_HOURS: u64 = 2 * AN_HOUR;
const A_DAY: u64 = 24 * AN_HOUR;

impl Scene {
    /// Makes a key, and returns its ARN.
    async fn key_in(&self, region: &str) -> String {
        let made = self.kms(region).create_key().send().await.expect("a key is made");
        made.key_metadata().and_then(|key| key.arn()).expect("it has an ARN").to_string()
    }

    async fn dr_key(&self) -> String {
        let key = self.key_in(IRELAND).await;
        let alias = self.kms(IRELAND).create_alias().alias_name("alias/dr").target_key_id(&key);
        alias.send().await.expect("an alias is made");
        key
    }

    /// Makes another key, and lets the alias name it.
    async fn dr_key_instead(&self) {
        let key = self.key_in(IRELAND).await;
        let alias = self.kms(IRELAND).update_alias().alias_name("alias/dr").target_key_id(&key);
        alias.send().await.expect("the alias names another key");
    }

    async fn delete_in_a_week(&self, region: &str, key: &str) {
        let call = self.kms(region).schedule_key_deletion().key_id(key);
        call.pending_window_in_days(7).send().await.expect("the key is to be deleted");
    }

    /// The findings that are open about a key.
    async fn told_of_key(&self, key: &str) -> Vec<Item> {
        let mut findings = self.open_findings().await;
        findings.retain(|finding| finding["sk"].contains(key));
        findings
    }

    async fn protect_under(&self, key: &str) -> String {
        let disks = vec![disk("/dev/sdf", Some(key))];
        let machine = self.launch_one(Launch { disks, ..Launch::default() }).await;
        self.policies(ON_STOP).await;
        self.stop(&machine).await;
        self.pass(2 * AN_HOUR).await;
        assert_eq!(self.the_point().await["status"], "protected");
        machine
    }
}

#[test]
fn an_image_whose_key_was_deleted_is_told_to_be_of_no_use_for_ever() {
    scene::play(async |scene| {
        let key = scene.key_in(HOME).await;
        let machine = scene.protect_under(&key).await;
        scene.delete_in_a_week(HOME, &key).await;
        scene.pass(A_DAY).await;
        let point = scene.the_point().await;
        assert_eq!(codes(&point, "reason"), ["key-unusable"], "{point:#?}");
        assert!(scene.told_of_key(&key).await[0]["reason"].contains("PendingDeletion"));

        scene.pass(7 * A_DAY).await;
        let point = scene.the_point().await;
        assert_eq!(codes(&point, "reason"), ["key-deleted"], "{point:#?}");
        assert!(point["reason"].contains("was deleted"), "{point:#?}");
        let summary = scene.summary(&machine).await;
        assert!(summary["latest#gold"].contains("key-deleted"), "{summary:#?}");
        let told = scene.told_of_key(&key).await;
        assert_eq!(told.len(), 1, "{told:#?}");
        assert_eq!(codes(&told[0], "reason"), ["key-deleted"], "{told:#?}");
        assert!(!told[0]["reason"].contains("PendingDeletion"), "{told:#?}");
        assert!(told[0]["reason"].contains("ever"), "{told:#?}");

        scene.pass(3 * A_DAY).await;
        assert_eq!(scene.the_point().await, point, "nothing more is written");
        assert_eq!(scene.told_of_key(&key).await, told, "it is told once");

        scene.delete_images(HOME, false).await;
        scene.pass(A_DAY).await;
        let lost = scene.open_findings().await.into_iter();
        let lost: Vec<Item> = lost.filter(|one| codes(one, "reason") == ["lost"]).collect();
        assert_eq!(lost.len(), 1, "{lost:#?}");
        assert!(lost[0]["reason"].contains("can never be used again"), "{lost:#?}");
        assert_eq!(scene.count("RegisterImage", HOME), 1, "it would be of no use either");
        assert_eq!(scene.count("CopyImage", HOME), 0);
    });
}

#[test]
fn a_replica_whose_key_was_deleted_is_copied_again_under_the_key_of_the_policy() {
    scene::play(async |scene| {
        let key = scene.dr_key().await;
        let machine = scene.machine(0).await;
        scene.policies(UNDER_A_KEY).await;
        scene.stop(&machine).await;
        scene.pass(2 * AN_HOUR).await;
        assert_eq!(scene.the_point().await["status"], "protected");
        scene.delete_in_a_week(IRELAND, &key).await;
        scene.pass(8 * A_DAY).await;
        assert_eq!(scene.count("CopyImage", IRELAND), 1, "there is no key to copy it under");
        let point = scene.the_point().await;
        assert_eq!(point["status"], "imaged", "{point:#?}");
        let findings = scene.open_findings().await;
        let told: Vec<&Item> =
            findings.iter().filter(|one| codes(one, "reason") == ["copies-held-up"]).collect();
        assert_eq!(told.len(), 1, "{findings:#?}");
        assert!(told[0]["reason"].contains("key alias/dr does not exist"), "{told:#?}");

        scene.dr_key().await;
        scene.pass(3 * AN_HOUR).await;
        assert_eq!(scene.count("CopyImage", IRELAND), 2, "once more");
        let point = scene.the_point().await;
        assert_eq!(point["status"], "protected", "{point:#?}");
        let open: BTreeSet<String> = scene.open_codes().await.into_iter().collect();
        let told = ["key-deleted", "surplus"].map(str::to_string);
        assert_eq!(open, BTreeSet::from(told), "the image is of no use and still there");
        let old = scene.replica_in(IRELAND).await["leftovers"].clone();
        for image in scene.available(IRELAND).await {
            if old.contains(&image.id) {
                scene.deregister(IRELAND, &image, true).await;
            }
        }
        scene.pass(TWO_HOURS).await;
        assert_eq!(scene.open_findings().await, Vec::<Item>::new());
        assert_eq!(scene.the_point().await["status"], "protected");
    });
}

#[test]
fn a_replica_of_an_older_point_under_a_key_that_was_deleted_is_told() {
    scene::play(async |scene| {
        let key = scene.dr_key().await;
        let machine = scene.machine(0).await;
        scene.policies(UNDER_A_KEY).await;
        scene.stop(&machine).await;
        scene.pass(TWO_HOURS).await;
        // Later points are under another key.
        scene.dr_key_instead().await;
        scene.start(&machine).await;
        scene.pass(A_DAY).await;
        scene.stop(&machine).await;
        scene.pass(TWO_HOURS).await;
        assert_eq!(scene.points().await.len(), 2);
        scene.delete_in_a_week(IRELAND, &key).await;
        scene.pass(10 * A_DAY).await;
        let points = scene.points().await;
        assert_eq!(points[0]["status"], "imaged", "{points:#?}");
        assert_eq!(points[1]["status"], "protected", "{points:#?}");
        let told = scene.told_of_key(&key).await;
        assert_eq!(told.len(), 1, "{told:#?}");
        assert_eq!(codes(&told[0], "reason"), ["key-deleted"], "{told:#?}");
        scene.delete_images(IRELAND, true).await;
        scene.pass(TWO_HOURS).await;
        assert_eq!(scene.told_of_key(&key).await, Vec::<Item>::new(), "nothing is under it");
    });
}

#[test]
fn a_key_that_was_deleted_while_nobody_could_look_is_told() {
    scene::play(async |scene| {
        let key = scene.dr_key().await;
        let machine = scene.machine(0).await;
        scene.policies(UNDER_A_KEY).await;
        scene.stop(&machine).await;
        scene.pass(TWO_HOURS).await;
        scene.dr_key_instead().await;
        scene.fault(Rule::fail(When::Before, 400, "AccessDeniedException").action("DescribeKey"));
        scene.delete_in_a_week(IRELAND, &key).await;
        scene.pass(8 * A_DAY).await;
        scene.no_more_faults();
        scene.pass(TWO_HOURS + AN_HOUR).await;
        let told = scene.told_of_key(&key).await;
        assert_eq!(told.len(), 1, "{told:#?}");
        assert_eq!(codes(&told[0], "reason"), ["key-deleted"], "{told:#?}");
        scene.pass(A_DAY).await;
        assert_eq!(scene.told_of_key(&key).await, told, "as long as something is under it");
        assert_eq!(scene.the_point().await["status"], "protected", "it is copied again");
    });
}

#[test]
fn a_key_that_is_not_found_for_a_moment_was_not_deleted() {
    scene::play(async |scene| {
        let key = scene.key_in(HOME).await;
        scene.protect_under(&key).await;
        scene.fault(Rule::fail(When::Before, 400, "NotFoundException").action("DescribeKey"));
        let minute = Duration::from_secs(60);
        scene
            .pass_until(minute, 90 * minute, async |scene| {
                codes(&scene.the_point().await, "reason") == ["key-unusable"]
            })
            .await;
        scene.no_more_faults();
        scene.pass(2 * AN_HOUR).await;
        assert_eq!(scene.the_point().await["status"], "protected");
        let deleted = scene.findings().await.into_iter();
        let deleted = deleted.filter(|finding| codes(finding, "reason") == ["key-deleted"]);
        assert_eq!(deleted.count(), 0);
        assert_eq!(scene.open_findings().await, Vec::<Item>::new());
    });
}
