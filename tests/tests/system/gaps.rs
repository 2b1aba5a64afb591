//! Items of the ledger that somebody deletes, one by one: what the others tell of them stays true,
//! and what EC2 still shows is known again.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::scene::{
    self, EVERY_SIX_HOURS, FRANKFURT, HOME, IRELAND, Item, ON_STOP, ON_TAG, SNAPSHOTS, Scene,
    codes, left_to_person, tag,
};

/// The time in which whatever is said has to be true again.
const TWO_HOURS: u64 = 120;

impl Scene {
    /// Deletes the items of machines that are like that, as a person with a console does. Returns
    /// their number.
    async fn delete_records(&self, is_like_that: impl Fn(&Item) -> bool) -> usize {
        let client = aws_sdk_dynamodb::Client::new(&self.cloud.sdk_config(HOME));
        let items = self.ledger().await;
        let items = items.iter().filter(|item| item["pk"].starts_with("machine#"));
        let items: Vec<&Item> = items.filter(|item| is_like_that(item)).collect();
        for item in &items {
            let key = |name: &str| AttributeValue::S(item[name].clone());
            let delete = client.delete_item().table_name(&self.system.table);
            let delete = delete.key("pk", key("pk")).key("sk", key("sk"));
            delete.send().await.expect("it is deleted");
        }
        items.len()
    }

    /// Two protected points of one machine, the older first.
    async fn two_points(&self) -> [String; 2] {
        self.machine(0).await;
        self.policies(EVERY_SIX_HOURS).await;
        self.pass(13 * 60).await;
        let ids: Vec<String> = self.points().await.iter().map(|it| it["id"].clone()).collect();
        ids.try_into().expect("there are two")
    }

    /// What was told of records that are missing.
    async fn told_missing(&self) -> Vec<String> {
        let findings = self.open_findings().await;
        let missing = findings.iter().filter(|it| codes(it, "reason") == ["ledger-incomplete"]);
        missing.map(|finding| finding["reason"].clone()).collect()
    }

    /// Every image of the machine is there once, and is called good.
    async fn assert_whole_once(&self) {
        let point = self.the_point().await;
        assert_eq!(point["status"], "protected", "{point:#?}");
        for region in [HOME, IRELAND, FRANKFURT] {
            assert_eq!(self.available(region).await.len(), 1, "{region}");
        }
        assert_eq!(self.count("CreateSnapshots", HOME), 1);
        assert_eq!(self.open_codes().await, ["ledger-incomplete"]);
        self.assert_true().await;
    }
}

fn is_point(item: &Item) -> bool {
    item["sk"].starts_with("point#") && !is_replica(item)
}

fn is_replica(item: &Item) -> bool {
    item["sk"].contains("#replica#")
}

fn is_in(region: &str) -> impl Fn(&Item) -> bool {
    move |item| item["sk"].ends_with(&format!("#replica#{region}"))
}

/// A point, with its replicas or without, is written again by tags and facts, as a rebuild does it.
fn a_point_is_deleted(with_replicas: bool) {
    scene::play(async |scene| {
        scene.protect_one(ON_STOP).await;
        let images = scene.available(IRELAND).await;
        let deleted =
            scene.delete_records(|it| is_point(it) || with_replicas && is_replica(it)).await;
        assert_eq!(deleted, if with_replicas { 3 } else { 1 });
        scene.pass(TWO_HOURS).await;
        scene.assert_whole_once().await;
        assert_eq!(scene.the_point().await["unverified"], "true", "a person has to confirm it");
        assert_eq!(scene.available(IRELAND).await, images, "nothing is copied again");
        let told = scene.told_missing().await;
        assert!(told.len() == 1 && told[0].contains("as unverified"), "{told:?}");
        // From then on it is watched like any other.
        scene.delete_images(IRELAND, true).await;
        scene.pass(TWO_HOURS).await;
        scene.assert_whole_once().await;
        scene.assert_nothing_was_foreign().await;
    });
}

#[test]
fn a_point_that_is_deleted_from_the_ledger_is_known_again_by_its_artefacts() {
    a_point_is_deleted(true);
}

#[test]
fn a_point_that_is_deleted_without_its_replicas_is_known_again_beside_them() {
    a_point_is_deleted(false);
}

/// Nothing names the point any more but its replicas.
#[test]
fn a_point_that_is_deleted_with_the_summary_is_known_again_beside_its_replicas() {
    scene::play(async |scene| {
        scene.machine(0).await;
        scene.policies(EVERY_SIX_HOURS).await;
        scene.pass(7 * 60).await;
        let before = scene.good().await.expect("it is good");
        let deleted = scene.delete_records(|item| is_point(item) || item["sk"] == "machine").await;
        assert_eq!(deleted, 2);
        scene.pass(TWO_HOURS).await;
        let good = scene.good().await.expect("it is known again");
        assert_eq!(good["image"], before["image"]);
        assert_eq!(good["replicas"], before["replicas"]);
        scene.assert_nothing_was_foreign().await;
        assert_eq!(scene.count("CreateSnapshots", HOME), 1);
        assert_eq!(scene.open_codes().await, ["ledger-incomplete"]);
    });
}

#[test]
fn a_newer_point_that_is_deleted_with_the_summary_is_known_again() {
    scene::play(async |scene| {
        let [_, newer] = scene.two_points().await;
        scene.delete_records(|item| item["sk"] == "machine").await;
        scene.delete_records(|item| is_point(item) && item["sk"].contains(&newer)).await;
        scene.pass(TWO_HOURS).await;
        assert_eq!(scene.good().await.expect("it is known again")["point"], newer.as_str());
        scene.assert_nothing_was_foreign().await;
    });
}

#[test]
fn a_request_is_answered_though_the_item_that_counts_requests_is_gone() {
    scene::play(async |scene| {
        let machine = scene.machine(0).await;
        scene.policies(ON_TAG).await;
        scene.ask(HOME, &machine, "gold").await;
        scene.pass(TWO_HOURS).await;
        assert_eq!(scene.delete_records(|item| item["sk"] == "asked#gold").await, 1);
        scene.ask(HOME, &machine, "gold").await;
        scene.pass(TWO_HOURS).await;
        let points = scene.points().await;
        let ids: Vec<&str> =
            points.iter().filter_map(|point| Some(point["id"].rsplit_once('-')?.1)).collect();
        assert_eq!(ids, ["1", "2"]);
        assert!(points.iter().all(|point| point["status"] == "protected"), "{points:#?}");
    });
}

#[test]
fn a_point_of_which_neither_records_nor_images_are_left_is_not_called_good() {
    scene::play(async |scene| {
        scene.protect_one(ON_STOP).await;
        scene.delete_records(|item| is_point(item) || is_replica(item)).await;
        for region in [HOME, IRELAND, FRANKFURT] {
            scene.delete_images(region, true).await;
        }
        scene.pass(TWO_HOURS).await;
        assert_eq!(scene.good().await, None, "nothing is left to recover from");
        let latest = scene.ledger().await.iter().find_map(|item| item.get("latest#gold").cloned());
        assert_eq!(latest, None, "and nobody says that it was made");
        let told = scene.told_missing().await;
        assert!(told.len() == 1 && told[0].contains("nothing of it was found"), "{told:?}");
        assert_eq!(scene.open_codes().await, ["ledger-incomplete"]);
    });
}

#[test]
fn a_newer_point_of_which_nothing_is_left_gives_way_to_the_one_before() {
    scene::play(async |scene| {
        let [older, newer] = scene.two_points().await;
        assert_eq!(scene.good().await.expect("one is good")["point"], newer.as_str());
        scene.delete_records(|item| item["sk"].contains(&newer)).await;
        for region in [HOME, IRELAND] {
            for image in scene.available(region).await {
                if image.name.starts_with(&newer) {
                    scene.deregister(region, &image, true).await;
                }
            }
        }
        scene.pass(TWO_HOURS).await;
        let good = scene.good().await.expect("the older one is left");
        assert_eq!(good["point"], older.as_str());
        scene.assert_nothing_was_foreign().await;
    });
}

#[test]
fn a_replica_that_is_deleted_from_the_ledger_is_known_again_by_its_image() {
    scene::play(async |scene| {
        scene.protect_one(ON_STOP).await;
        assert_eq!(scene.delete_records(is_in(IRELAND)).await, 1);
        scene.pass(TWO_HOURS).await;
        scene.assert_whole_once().await;
        assert_eq!(scene.count("CopyImage", IRELAND), 1, "its image is there");
        scene.assert_nothing_was_foreign().await;
        scene.delete_images(IRELAND, true).await;
        scene.pass(TWO_HOURS).await;
        scene.assert_whole_once().await;
    });
}

#[test]
fn a_replica_of_which_neither_record_nor_image_is_left_is_copied_again() {
    scene::play(async |scene| {
        scene.protect_one(ON_STOP).await;
        scene.delete_records(is_in(IRELAND)).await;
        scene.delete_images(IRELAND, true).await;
        scene.pass(TWO_HOURS).await;
        scene.pass(TWO_HOURS).await;
        scene.assert_whole_once().await;
        assert_eq!(scene.count("CopyImage", IRELAND), 2);
        scene.assert_nothing_was_foreign().await;
    });
}

#[test]
fn a_replica_of_an_older_point_is_known_again_by_its_image() {
    scene::play(async |scene| {
        let [older, _] = scene.two_points().await;
        scene.delete_records(|item| is_in(IRELAND)(item) && item["sk"].contains(&older)).await;
        scene.pass(TWO_HOURS).await;
        let points = scene.points().await;
        assert!(points.iter().all(|point| point["status"] == "protected"), "{points:#?}");
        let of_older = |item: &Item| is_in(IRELAND)(item) && item["sk"].contains(&older);
        let items = scene.ledger().await;
        let replica = items.iter().find(|item| of_older(item)).expect("it is written again");
        assert_eq!(replica["status"], "available");
        assert_eq!(scene.count("CopyImage", IRELAND), 2, "one for each point");
        scene.assert_nothing_was_foreign().await;
    });
}

#[test]
fn the_copy_of_a_replica_that_is_deleted_on_its_way_is_known_when_it_is_available() {
    scene::play(async |scene| {
        let machine = scene.machine(1).await;
        scene.policies(ON_STOP).await;
        scene.stop(&machine).await;
        let is_copying = async |scene: &Scene| scene.count("CopyImage", IRELAND) == 1;
        let second = std::time::Duration::from_secs(1);
        scene.pass_until(second, second * 7_200, is_copying).await;
        scene.delete_records(is_in(IRELAND)).await;
        scene.pass(2 * TWO_HOURS).await;
        scene.assert_whole_once().await;
        assert_eq!(scene.count("CopyImage", IRELAND), 1);
    });
}

#[test]
fn a_point_that_is_deleted_before_anything_was_made_is_not_said_to_be_under_way() {
    scene::play(async |scene| {
        let machine = scene.machine(1).await;
        scene.policies(&format!("{ON_TAG}    consistency: at-rest\n")).await;
        scene.ask(HOME, &machine, "gold").await;
        scene.pass(10).await;
        let latest = |items: Vec<Item>| items.iter().find_map(|it| it.get("latest#gold").cloned());
        let before = latest(scene.ledger().await).expect("it is requested");
        assert!(before.contains("requested"), "{before}");
        scene.delete_records(is_point).await;
        scene.pass(2 * TWO_HOURS).await;
        assert_eq!(latest(scene.ledger().await), None);
    });
}

#[test]
fn a_point_that_is_deleted_after_it_lost_its_image_is_not_said_to_have_it() {
    scene::play(async |scene| {
        scene.protect_one(&left_to_person(ON_STOP)).await;
        let lost = scene.available(HOME).await.remove(0);
        scene.deregister(HOME, &lost, true).await;
        scene.pass(1).await;
        scene.delete_records(is_point).await;
        scene.pass(TWO_HOURS).await;
        let good = scene.good().await.expect("replicas are left");
        assert_eq!(good["image"].as_str(), None, "{good}");
        assert_eq!(good["home_lost"], true, "{good}");
        scene.assert_true().await;
    });
}

#[test]
fn a_replica_whose_point_is_gone_is_not_said_to_wait_for_a_look() {
    scene::play(async |scene| {
        scene.protect_one(&left_to_person(ON_STOP)).await;
        for region in [HOME, IRELAND, FRANKFURT] {
            scene.delete_images(region, true).await;
        }
        scene.pass(1).await;
        scene.delete_records(is_point).await;
        scene.pass(3 * TWO_HOURS).await;
        assert_eq!(scene.good().await, None);
        let told = scene.open_codes().await;
        assert!(!told.contains(&"not-audited".to_string()), "{told:?}");
    });
}

#[test]
fn a_machine_that_gets_another_name_is_shown_with_it() {
    scene::play(async |scene| {
        let machine = scene.protect_one(ON_STOP).await;
        let name = |items: Vec<Item>| items.iter().find_map(|item| item.get("name").cloned());
        let rename = scene.ec2(HOME).create_tags().resources(&machine).tags(tag("Name", "db-7"));
        rename.send().await.expect("it is renamed");
        scene.pass(TWO_HOURS).await;
        assert_eq!(name(scene.ledger().await).as_deref(), Some("db-7"));
        scene.assert_protected_once(2).await;
    });
}

#[test]
fn the_summary_of_a_machine_that_is_deleted_is_written_again() {
    scene::play(async |scene| {
        scene.protect_one(ON_STOP).await;
        let before = scene.good().await;
        assert_eq!(scene.delete_records(|item| item["sk"] == "machine").await, 1);
        assert_eq!(scene.good().await, None);
        scene.pass(TWO_HOURS).await;
        assert_eq!(scene.good().await, before);
        scene.assert_true().await;
    });
}

/// The summary also tells of which stop a machine has its point.
#[test]
fn a_machine_whose_summary_was_deleted_is_watched_as_before() {
    scene::play(async |scene| {
        let machine = scene.machine(0).await;
        scene.policies(SNAPSHOTS).await;
        scene.stop(&machine).await;
        scene.pass(TWO_HOURS).await;
        assert_eq!(scene.the_point().await["status"], "protected");
        assert_eq!(scene.delete_records(|item| item["sk"] == "machine").await, 1);
        scene.pass(TWO_HOURS).await;
        let first = scene.snapshots(HOME).await.remove(0).id;
        let gone = scene.ec2(HOME).delete_snapshot().snapshot_id(&first);
        gone.send().await.expect("the snapshot is deleted");
        scene.pass(2 * TWO_HOURS).await;
        let there = scene.snapshots(HOME).await;
        assert!(there.len() == 1 && there[0].id != first, "it is made again: {there:#?}");
        assert_eq!(scene.the_point().await["status"], "protected");
    });
}
