//! The ledger is put back to an earlier time: what the ledger of that time does not tell by itself.

use std::collections::BTreeSet;
use std::time::Duration;

use afterimage_cloud::faults::{Rule, When};
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;

use crate::scene::{
    self, EVERY_SIX_HOURS, FRANKFURT, HOME, IRELAND, Launch, ON_STOP, ON_TAG, Scene,
};
use crate::went_back::{HOURLY, assert_protected};

/// Of the only image so far nothing is left at home, or its snapshots, and the ledger does not know
/// that it was made. The copy vouches for it.
fn only_a_copy_is_left(with_snapshots: bool) {
    scene::play(async |scene| {
        scene.machine(0).await;
        scene.policies(EVERY_SIX_HOURS).await;
        scene.pass(8).await;
        let saved = scene.save().await;
        scene.pass(6 * 60).await;
        assert_eq!(scene.points().await.len(), 1, "one slot was made");
        let before = scene.available(IRELAND).await;
        assert_eq!(before.len(), 1);
        scene.delete_images(HOME, with_snapshots).await;
        scene.put_back(&saved).await;
        scene.pass(2 * 60).await;
        let point = scene.the_point().await;
        assert_eq!(scene.count("CreateSnapshots", HOME), 1, "it is not made again: {point:#?}");
        assert_eq!(scene.available(IRELAND).await, before, "the copy is the one that there was");
        assert_eq!(scene.available(HOME).await.len(), 1, "it is copied back: {point:#?}");
        for item in scene.ledger().await {
            if item["sk"].contains("replica") || item["pk"] == "findings" {}
        }
        assert_eq!(point["status"], "protected", "{point:#?}");
        let good = scene.good().await.expect("there is something to recover from");
        assert_eq!(good["image"], scene.available(HOME).await[0].id.as_str());
        assert_eq!(good["replicas"], json!([IRELAND]));
        scene.assert_nothing_was_foreign().await;
    });
}

#[test]
fn an_unknown_image_that_is_gone_is_known_by_its_copy() {
    only_a_copy_is_left(false);
}

#[test]
fn an_unknown_image_that_is_gone_with_its_snapshots_is_known_by_its_copy() {
    only_a_copy_is_left(true);
}

#[test]
fn a_round_that_is_under_way_does_not_vouch_for_a_ledger_that_was_put_back_meanwhile() {
    scene::play(async |scene| {
        scene.machine(0).await;
        scene.policies(HOURLY).await;
        scene.pass(8).await;
        let saved = scene.save().await;
        scene.pass(2 * 60 + 51).await;
        assert_eq!(scene.count("CreateSnapshots", HOME), 2);
        let step = Duration::from_millis(1);
        let is_requested = async |scene: &Scene| scene.points().await.len() == 3;
        scene.pass_until(step * 500, step * 120_000, is_requested).await;
        let is_under_way = async |scene: &Scene| scene.count("CreateSnapshots", HOME) == 3;
        scene.pass_until(step, step * 60_000, is_under_way).await;
        scene.put_back(&saved).await;
        scene.pass(95).await;
        assert_eq!(scene.doubled().await, BTreeSet::new());
        let points = scene.points().await;
        assert_protected(&points, &["01", "02"], true);
        // Of this one there were only snapshots, so that it is made after all.
        assert_protected(&points, &["03", "04"], false);
        scene.assert_nothing_was_foreign().await;
        assert_eq!(scene.findings_of("ledger-went-back").await.len(), 1);
    });
}

#[test]
fn a_doubt_of_the_time_to_which_the_ledger_was_put_back_is_not_the_doubt_of_today() {
    scene::play(async |scene| {
        scene.launch(Launch { count: 3, ..Launch::default() }).await;
        scene.policies(EVERY_SIX_HOURS).await;
        scene.pass(8).await;
        let mut saved = scene.save().await;
        let identity = saved.iter_mut().find(|row| row.contains_key("count"));
        let since = AttributeValue::S("2026-01-01T00:05:00Z".to_string());
        match identity {
            Some(row) => drop(row.insert("doubted_since".to_string(), since)),
            None => panic!("the ledger has counted nothing: {saved:#?}"),
        }
        // The slot at 06:00 is made, with its copies.
        scene.pass(6 * 60 + 15).await;
        scene.put_back(&saved).await;
        scene.pass(3 * 60).await;
        assert_eq!(scene.doubled().await, BTreeSet::new());
        assert_eq!(scene.count("CreateSnapshots", HOME), 3, "none is made twice");
        let points = scene.points().await;
        assert!(points.iter().all(|point| point["status"] == "protected"), "{points:#?}");
        scene.assert_nothing_was_foreign().await;
    });
}

#[test]
fn a_request_that_was_answered_after_the_ledger_was_saved_is_not_answered_again() {
    scene::play(async |scene| {
        let machine = scene.machine(0).await;
        scene.policies(ON_TAG).await;
        scene.pass(8).await;
        scene.fault(Rule::kill(When::Before).function("afterimage-work-requested"));
        scene.ask(HOME, &machine, "gold").await;
        scene.pass(4).await;
        let saved = scene.save().await;
        assert_eq!(scene.the_point().await["status"], "requested");
        scene.no_more_faults();
        scene.pass(2 * 60).await;
        assert_eq!(scene.the_point().await["status"], "protected");
        scene.put_back(&saved).await;
        scene.pass(2 * 60).await;
        assert_eq!(scene.the_point().await["status"], "protected");
        assert_eq!(scene.count("CreateSnapshots", HOME), 1, "it is not made again");
        assert_eq!(scene.doubled().await, BTreeSet::new());
        scene.assert_nothing_was_foreign().await;
    });
}

#[test]
fn a_copy_where_no_policy_has_any_is_audited_once_it_is_adopted() {
    scene::play(async |scene| {
        scene.protect_one(ON_STOP).await;
        scene.put_back(&[]).await;
        scene.policies(&ON_STOP.replace("{region: eu-west-1}, ", "")).await;
        scene.pass(2 * 60).await;
        assert_eq!(scene.the_point().await["status"], "protected");
        scene.delete_images(IRELAND, true).await;
        scene.pass(2 * 60).await;
        let point = scene.the_point().await;
        // Nobody wants it there any more.
        let told = "\"eu-west-1\":\"withdrawn\"";
        assert!(point["replicas"].contains(told), "{point:#?}");
        let good = scene.good().await.expect("there is something to recover from");
        assert_eq!(good["replicas"], json!([FRANKFURT]));
    });
}
