//! Two troubles at one place, one after the other: what is told is the one that is left.

use crate::keys::UNDER_A_KEY;
use crate::scene::{self, FRANKFURT, IRELAND, codes};

const TWO_HOURS: u64 = 120;

/// The second replica is under a key.
const ONE_UNDER_A_KEY: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{on: stopped}]
    replicate: [{region: eu-central-1}, {region: eu-west-1, kms_key: alias/dr}]
";

#[test]
fn a_region_that_answers_again_is_not_said_to_hold_up_copies_that_wait_for_a_key() {
    scene::play(async |scene| {
        let key = scene.make_key();
        let machine = scene.machine(0).await;
        scene.policies(UNDER_A_KEY).await;
        scene.cloud.with(|model| model.dark_regions.insert(IRELAND.to_string()));
        scene.stop(&machine).await;
        scene.pass(TWO_HOURS + 30).await;
        let held_up = async || {
            let told = scene.open_findings().await.into_iter();
            let told = told.filter(|it| codes(it, "reason") == ["copies-held-up"]);
            told.map(|it| it["reason"].clone()).collect::<Vec<String>>()
        };
        let told = held_up().await;
        assert!(told.len() == 1 && told[0].contains("dark"), "{told:?}");
        scene.cloud.with(|model| model.dark_regions.clear());
        scene.disable(IRELAND, &key).await;
        scene.pass(2 * TWO_HOURS).await;
        let told = held_up().await;
        assert!(told.len() == 1 && told[0].contains("Disabled"), "{told:?}");
        assert!(!told[0].contains("dark"), "{told:?}");
        scene.enable(IRELAND, &key).await;
        scene.pass(2 * TWO_HOURS).await;
        assert_eq!(scene.the_point().await["status"], "protected");
        assert_eq!(held_up().await, Vec::<String>::new());
    });
}

#[test]
fn a_place_that_is_there_again_is_not_said_to_be_made_while_another_waits_for_its_key() {
    scene::play(async |scene| {
        let key = scene.make_key();
        let machine = scene.machine(0).await;
        scene.policies(ONE_UNDER_A_KEY).await;
        scene.stop(&machine).await;
        scene.pass(TWO_HOURS).await;
        assert_eq!(scene.the_point().await["status"], "protected");
        scene.disable(IRELAND, &key).await;
        scene.delete_images(IRELAND, true).await;
        scene.pass(30).await;
        scene.delete_images(FRANKFURT, true).await;
        scene.pass(2 * TWO_HOURS).await;
        assert_eq!(scene.available(FRANKFURT).await.len(), 1, "it is copied again");
        let point = scene.the_point().await;
        assert_eq!(point["status"], "imaged", "{point:#?}");
        assert!(!point["reason"].contains("eu-central-1 is copied"), "{point:#?}");
    });
}
