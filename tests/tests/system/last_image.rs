//! What is said of a machine whose images cannot be used, one after the other: which places have
//! none, what is done about each, and what somebody left behind.

use serde_json::{Value, json};

use crate::keys::UNDER_A_KEY;
use crate::scene::{self, HOME, INTO_IRELAND, IRELAND, Item, Launch, Scene, codes};

const AN_HOUR: u64 = 60;
const A_DAY: u64 = 24 * AN_HOUR;

/// What somebody does to the images of a region.
#[derive(Clone, Copy, Debug)]
enum Act {
    Disable,
    Delete,
    DisableKey,
}

impl Scene {
    /// A machine with a disk under a key of its own, and its images in two regions under two keys,
    /// which are returned.
    async fn protect_under_keys(&self) -> [(&'static str, String); 2] {
        let keys = [HOME, IRELAND].map(|region| (region, self.make_key_in(region)));
        let arn = format!("arn:aws:kms:{HOME}:{}:key/{}", self.system.account, keys[0].1);
        let disks = vec![scene::disk("/dev/sdf", Some(&arn))];
        let machine = self.launch_one(Launch { disks, ..Launch::default() }).await;
        self.protect(&machine, UNDER_A_KEY).await;
        keys
    }

    /// Protects a machine, which stops for it.
    async fn protect(&self, machine: &str, policies: &str) {
        self.policies(policies).await;
        self.stop(machine).await;
        self.pass(AN_HOUR).await;
        assert_eq!(self.the_point().await["status"], "protected");
    }

    async fn set_key(&self, (region, key): &(&'static str, String), is_enabled: bool) {
        match is_enabled {
            true => self.enable(region, key).await,
            false => self.disable(region, key).await,
        }
    }

    async fn do_to(&self, act: Act, key: &(&'static str, String)) {
        match act {
            Act::Delete => self.delete_images(key.0, true).await,
            Act::DisableKey => self.set_key(key, false).await,
            Act::Disable => {
                for image in self.available(key.0).await {
                    let call = self.ec2(key.0).disable_image().image_id(&image.id);
                    call.send().await.expect("it is disabled");
                }
            }
        }
    }

    /// The summary of the only machine, under its policy: the point that was requested last.
    async fn latest(&self) -> Value {
        let items = self.ledger().await;
        let latest = items.iter().find_map(|item| item.get("latest#gold")).expect("a summary");
        serde_json::from_str(latest).expect("a summary is JSON")
    }

    /// The open findings of a code.
    async fn open_with_code(&self, code: &str) -> Vec<Item> {
        let mut found = self.open_findings().await;
        found.retain(|finding| codes(finding, "reason") == [code]);
        found
    }
}

#[test]
fn the_places_without_a_usable_image_are_told_in_whatever_order_they_were_lost() {
    let orders = [
        [(Act::Disable, 0), (Act::Disable, 1)],
        [(Act::Disable, 1), (Act::Disable, 0)],
        [(Act::DisableKey, 0), (Act::DisableKey, 1)],
        [(Act::DisableKey, 1), (Act::Disable, 0)],
        [(Act::Disable, 0), (Act::Delete, 1)],
    ];
    for order in orders {
        scene::play(async |scene| {
            let keys = scene.protect_under_keys().await;
            for (act, place) in order {
                scene.do_to(act, &keys[place]).await;
                scene.pass(AN_HOUR).await;
            }
            scene.pass(AN_HOUR).await;
            assert_eq!(scene.good().await, None, "{order:?}: no image can be used");
            let latest = scene.latest().await;
            assert_eq!(latest["lost"], json!([HOME, IRELAND]), "{order:?}: {latest:#}");
        });
    }
}

#[test]
fn nothing_is_copied_from_an_image_whose_key_is_disabled_and_the_finding_says_so() {
    // A replica that is lost, and then the image at home.
    for (source, lost) in [(0, 1), (1, 0)] {
        scene::play(async |scene| {
            let keys = scene.protect_under_keys().await;
            // No audit tells of the key before the image is lost.
            scene.pass(20).await;
            scene.set_key(&keys[source], false).await;
            let region = keys[lost].0;
            let before = scene.count("CopyImage", region);
            scene.delete_images(region, true).await;
            scene.pass(3 * AN_HOUR).await;
            assert_eq!(scene.count("CopyImage", region), before, "{region}: the copy would fail");
            assert_eq!(
                scene.open_with_code("copies-held-up").await,
                Vec::<Item>::new(),
                "{region}"
            );
            let found = scene.open_with_code("lost").await;
            assert_eq!(found.len(), 1, "{region}: {found:#?}");
            let told = &found[0]["reason"];
            assert!(told.contains("It is not made again now: "), "{region}: {told}");
            scene.set_key(&keys[source], true).await;
            scene.pass(8 * AN_HOUR).await;
            assert_eq!(scene.the_point().await["status"], "protected", "{region}");
            assert_eq!(scene.open_findings().await, Vec::<Item>::new(), "{region}");
        });
    }
}

#[test]
fn why_a_place_was_given_up_stays_true_when_the_policy_is_in_force_again() {
    scene::play(async |scene| {
        let machine = scene.machine(0).await;
        scene.protect(&machine, INTO_IRELAND).await;
        scene.remove_policy("gold").await;
        scene.delete_images(IRELAND, true).await;
        scene.pass(2 * AN_HOUR).await;
        scene.policies(INTO_IRELAND).await;
        scene.pass(2 * A_DAY).await;
        for found in scene.open_with_code("lost").await {
            let told = &found["reason"];
            assert!(!told.contains("is no longer in force"), "it is in force: {told}");
            assert!(told.contains("policy gold was not in force at 2026-01-01 01:"), "{told}");
        }
    });
}

#[test]
fn a_snapshot_that_a_replica_of_ours_left_behind_is_not_foreign() {
    scene::play(async |scene| {
        let machine = scene.machine(0).await;
        scene.protect(&machine, INTO_IRELAND).await;
        scene.delete_images(IRELAND, false).await;
        scene.pass(3 * AN_HOUR).await;
        assert_eq!(scene.the_point().await["status"], "protected");
        assert_eq!(scene.snapshots(IRELAND).await.len(), 2, "one of the replica that was lost");
        assert_eq!(scene.open_findings().await, Vec::<Item>::new());
    });
}
