//! Single items of the ledger that somebody puts back to an earlier state, while the rest of the
//! table stays: the other items and EC2 tell what is the case.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::scene::{
    self, EVERY_SIX_HOURS, FRANKFURT, HOME, INTO_IRELAND, IRELAND, Item, ON_STOP, Scene, codes,
    left_to_person,
};
use crate::went_back::Row;

/// The time in which whatever is said has to be true again.
const TWO_HOURS: u64 = 120;

impl Scene {
    async fn put_item_back(&self, row: &Row) {
        let client = aws_sdk_dynamodb::Client::new(&self.cloud.sdk_config(HOME));
        let put = client.put_item().table_name(&self.system.table).set_item(Some(row.clone()));
        put.send().await.expect("it is put back");
    }

    /// The one point is protected, nothing of ours was ever called foreign, and what is said of the
    /// point is true. Returns it.
    async fn assert_protected_by_ours(&self) -> Item {
        let point = self.the_point().await;
        assert_eq!(point["status"], "protected", "{point:#?}");
        self.assert_nothing_was_foreign().await;
        self.assert_true().await;
        point
    }

    /// Plays until the one machine has so many points that are protected.
    async fn protected_points(&self, count: usize) -> Vec<String> {
        let minute = std::time::Duration::from_secs(60);
        let are_there = async |scene: &Scene| {
            let points = scene.points().await;
            points.len() == count && points.iter().all(|point| point["status"] == "protected")
        };
        self.pass_until(minute, minute * 60 * 13, are_there).await;
        self.points().await.iter().map(|point| point["id"].clone()).collect()
    }
}

fn sort_key(row: &Row) -> &str {
    row["sk"].as_s().expect("a sort key is a string")
}

/// The item of a summary.
fn summary(rows: &[Row]) -> &Row {
    rows.iter().find(|row| sort_key(row) == "machine").expect("there is a summary")
}

/// The item of a point, which is the only one.
fn point(rows: &[Row]) -> &Row {
    let is_point = |row: &&Row| {
        let key = sort_key(row);
        key.starts_with("point#") && !key.contains("#replica#")
    };
    rows.iter().find(is_point).expect("there is a point")
}

#[test]
fn an_older_summary_does_not_call_places_good_that_are_lost() {
    scene::play(async |scene| {
        scene.protect_one(&left_to_person(ON_STOP)).await;
        let saved = scene.save().await;
        scene.delete_images(IRELAND, true).await;
        scene.pass(TWO_HOURS).await;
        let before = scene.good().await.expect("the image at home is left");
        assert_eq!(before["replicas"], serde_json::json!([FRANKFURT]));
        scene.put_item_back(summary(&saved)).await;
        assert_ne!(scene.good().await.as_ref(), Some(&before));
        scene.pass(TWO_HOURS).await;
        assert_eq!(scene.good().await, Some(before));
        scene.assert_true().await;
    });
}

#[test]
fn an_older_summary_does_not_name_an_older_point() {
    scene::play(async |scene| {
        scene.machine(0).await;
        scene.policies(EVERY_SIX_HOURS).await;
        scene.protected_points(1).await;
        let saved = scene.save().await;
        let points = scene.protected_points(2).await;
        let before = scene.good().await.expect("the second is good");
        assert_eq!(before["point"], points[1].as_str());
        scene.put_item_back(summary(&saved)).await;
        assert_eq!(scene.good().await.expect("the first is good")["point"], points[0].as_str());
        scene.pass(TWO_HOURS).await;
        assert_eq!(scene.good().await, Some(before));
        let latest = scene.ledger().await.iter().find_map(|item| item.get("latest#gold").cloned());
        assert!(latest.expect("there is a latest point").contains(&points[1]));
    });
}

#[test]
fn a_summary_of_a_time_without_good_points_names_the_point_that_there_is() {
    scene::play(async |scene| {
        let machine = scene.machine(0).await;
        scene.policies(ON_STOP).await;
        scene.stop(&machine).await;
        scene.pass(1).await;
        let saved = scene.save().await;
        scene.pass(TWO_HOURS).await;
        let before = scene.good().await.expect("it is protected");
        scene.put_item_back(summary(&saved)).await;
        assert_eq!(scene.good().await, None);
        scene.pass(TWO_HOURS).await;
        assert_eq!(scene.good().await, Some(before));
        let latest = scene.ledger().await.iter().find_map(|item| item.get("latest#gold").cloned());
        assert!(latest.expect("there is a latest point").contains("protected"));
        scene.assert_true().await;
    });
}

#[test]
fn an_older_point_does_not_call_replicas_good_that_are_lost() {
    scene::play(async |scene| {
        scene.protect_one(&left_to_person(ON_STOP)).await;
        let saved = scene.save().await;
        scene.delete_images(IRELAND, true).await;
        scene.delete_images(FRANKFURT, true).await;
        scene.disable_image(HOME).await;
        scene.pass(TWO_HOURS).await;
        assert_eq!(scene.good().await, None, "nothing can be used");
        scene.put_item_back(point(&saved)).await;
        scene.pass(TWO_HOURS).await;
        assert_eq!(scene.good().await, None, "{:#?}", scene.the_point().await);
        scene.assert_true().await;
        let told = scene.open_findings().await;
        let told = told.iter().filter(|it| codes(it, "reason") == ["ledger-incomplete"]);
        assert_eq!(told.count(), 1);
    });
}

#[test]
fn an_older_point_does_not_hide_replicas_that_came_later() {
    scene::play(async |scene| {
        let machine = scene.machine(0).await;
        scene.policies(&left_to_person(ON_STOP)).await;
        scene.stop(&machine).await;
        let second = std::time::Duration::from_secs(1);
        let is_imaged = async |scene: &Scene| {
            let points = scene.points().await;
            points.first().is_some_and(|point| point["status"] == "imaged")
        };
        scene.pass_until(second, second * 7_200, is_imaged).await;
        let saved = scene.save().await;
        scene.pass(TWO_HOURS).await;
        scene.assert_protected_once(1).await;
        scene.put_item_back(point(&saved)).await;
        scene.delete_images(IRELAND, true).await;
        scene.pass(2 * TWO_HOURS).await;
        let good = scene.good().await.expect("one replica is left");
        assert_eq!(good["replicas"], serde_json::json!([FRANKFURT]));
        let point = scene.the_point().await;
        assert!(!point["replicas"].contains("underway"), "{point:#?}");
        scene.assert_true().await;
    });
}

#[test]
fn a_point_of_the_time_before_it_was_good_is_good_again() {
    for status in ["snapshotted", "registered"] {
        scene::play(async |scene| {
            let machine = scene.machine(0).await;
            scene.policies(ON_STOP).await;
            scene.stop(&machine).await;
            let second = std::time::Duration::from_secs(1);
            let is_so = async |scene: &Scene| {
                let points = scene.points().await;
                points.first().is_some_and(|point| point["status"] == status)
            };
            scene.pass_until(second, second * 7_200, is_so).await;
            let saved = scene.save().await;
            scene.pass(TWO_HOURS).await;
            scene.assert_protected_once(1).await;
            let before = scene.good().await.expect("it is good");
            scene.put_item_back(point(&saved)).await;
            scene.pass(TWO_HOURS).await;
            scene.assert_protected_by_ours().await;
            let good = scene.good().await.expect("it is good");
            assert_eq!(good["image"], before["image"], "{status}");
            assert_eq!(good["replicas"], before["replicas"], "{status}");
            assert_eq!(scene.count("CreateSnapshots", HOME), 1, "{status}");
            // From then on it is watched like any other.
            scene.delete_images(IRELAND, true).await;
            scene.pass(2 * TWO_HOURS).await;
            scene.assert_protected_by_ours().await;
        });
    }
}

#[test]
fn an_older_point_does_not_disown_the_image_that_was_made_again() {
    scene::play(async |scene| {
        scene.protect_one(ON_STOP).await;
        let saved = scene.save().await;
        let lost = scene.available(HOME).await.remove(0);
        scene.deregister(HOME, &lost, false).await;
        scene.pass(TWO_HOURS).await;
        let made_again = scene.available(HOME).await.remove(0).id;
        let before = scene.good().await.expect("it was made again");
        scene.put_item_back(point(&saved)).await;
        scene.pass(2 * TWO_HOURS).await;
        let there = scene.available(HOME).await;
        assert_eq!(there.len(), 1, "it is not made once more: {there:#?}");
        assert_eq!(there[0].id, made_again);
        scene.assert_protected_by_ours().await;
        assert_eq!(scene.good().await.expect("it is good")["image"], before["image"]);
    });
}

#[test]
fn an_older_point_does_not_have_its_image_copied_back_once_more() {
    scene::play(async |scene| {
        scene.protect_one(ON_STOP).await;
        let saved = scene.save().await;
        scene.delete_images(HOME, true).await;
        scene.pass(TWO_HOURS).await;
        let copied_back = scene.available(HOME).await.remove(0).id;
        assert_eq!(scene.count("CopyImage", HOME), 1);
        scene.put_item_back(point(&saved)).await;
        scene.pass(3 * TWO_HOURS).await;
        assert_eq!(scene.count("CopyImage", HOME), 1, "it is not copied back once more");
        assert_eq!(scene.assert_protected_by_ours().await["image"], copied_back);
    });
}

#[test]
fn an_older_replica_does_not_have_its_image_copied_once_more() {
    scene::play(async |scene| {
        scene.protect_one(ON_STOP).await;
        let saved = scene.save().await;
        let lost = scene.available(IRELAND).await.remove(0);
        scene.deregister(IRELAND, &lost, true).await;
        scene.pass(TWO_HOURS).await;
        let copied_again = scene.available(IRELAND).await.remove(0).id;
        let is_replica = |row: &&Row| sort_key(row).ends_with(&format!("#replica#{IRELAND}"));
        scene.put_item_back(saved.iter().find(is_replica).expect("a replica")).await;
        scene.pass(2 * TWO_HOURS).await;
        let there = scene.available(IRELAND).await;
        assert_eq!(there.len(), 1, "it is not copied once more: {there:#?}");
        assert_eq!(there[0].id, copied_again);
        scene.assert_protected_by_ours().await;
    });
}

#[test]
fn a_region_whose_item_is_deleted_is_still_looked_at() {
    scene::play(async |scene| {
        let machine = scene.machine(0).await;
        scene.policies(INTO_IRELAND).await;
        scene.stop(&machine).await;
        scene.pass(TWO_HOURS).await;
        assert_eq!(scene.the_point().await["status"], "protected");
        let elsewhere = INTO_IRELAND.replace(IRELAND, FRANKFURT);
        scene.policies(&elsewhere).await;
        scene.pass(TWO_HOURS).await;
        let client = aws_sdk_dynamodb::Client::new(&scene.cloud.sdk_config(HOME));
        let key = |text: &str| AttributeValue::S(text.to_string());
        let delete = client.delete_item().table_name(&scene.system.table);
        let delete = delete.key("pk", key("policies")).key("sk", key(&format!("region#{IRELAND}")));
        delete.send().await.expect("it is deleted");
        assert_eq!(scene.replica_in(IRELAND).await["status"], "available");
        scene.delete_images(IRELAND, true).await;
        scene.pass(TWO_HOURS).await;
        let status = scene.replica_in(IRELAND).await["status"].clone();
        assert_eq!(status, "withdrawn", "it is gone, and no policy wants it");
        let good = scene.good().await.expect("the image at home is left");
        assert_eq!(good["replicas"], serde_json::json!([]));
        let told = scene.open_codes().await;
        assert!(told.contains(&"ledger-incomplete".to_string()), "{told:?}");
        let items = scene.ledger().await;
        assert!(items.iter().any(|item| item["sk"] == format!("region#{IRELAND}")));
    });
}
