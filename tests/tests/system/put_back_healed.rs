//! The ledger is put back to a time before single places were lost and made again. The images that
//! were made in these places since are the images of the places: none is made twice, and none is
//! called foreign.

use std::collections::BTreeMap;
use std::time::Duration;

use afterimage_cloud::faults::{Rule, When};

use crate::scene::{self, FRANKFURT, HOME, IRELAND, Image, ON_STOP, Scene, codes, left_to_person};
use crate::went_back::Row;

const PLACES: [&str; 3] = [HOME, IRELAND, FRANKFURT];

/// An hour, in which a loss is noticed and the place is made again.
const HEALED: u64 = 60;

/// Slots of two regions, the first of which is six hours away.
const SLOTS: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{schedule: rate(6 hours), timezone: UTC}]
    replicate: [{region: eu-west-1}, {region: eu-central-1}]
";

impl Scene {
    /// The image in each place; there is one.
    async fn image_in_each(&self) -> BTreeMap<&'static str, Image> {
        let mut all = BTreeMap::new();
        for region in PLACES {
            let mut images = self.available(region).await;
            assert_eq!(images.len(), 1, "{region}: {images:#?}");
            all.extend(images.pop().map(|image| (region, image)));
        }
        all
    }

    /// Somebody deletes the image in a place, with its snapshots or without, and it is made again.
    async fn heal(&self, region: &str, with_snapshots: bool) {
        self.delete_images(region, with_snapshots).await;
        self.pass(HEALED).await;
        assert_eq!(self.available(region).await.len(), 1, "{region} is made again");
        assert_eq!(self.the_point().await["status"], "protected");
    }

    /// The source of the image in a place.
    async fn source(&self, region: &str) -> String {
        self.image_in_each().await[region].source.clone().expect("it is a copy")
    }

    /// The ledger is put back. Hours later the images are those that there were, the ledger knows
    /// them, and none was ever called foreign.
    async fn assert_known_again(&self, saved: &[Row]) {
        let before = self.image_in_each().await;
        self.put_back(saved).await;
        for _ in 0..16 {
            self.pass(15).await;
            self.assert_nothing_was_foreign().await;
        }
        let point = self.the_point().await;
        assert_eq!(self.image_in_each().await, before, "nothing is made again: {point:#?}");
        assert_eq!(point["status"], "protected", "{point:#?}");
        assert_eq!(point["image"], before[HOME].id, "{point:#?}");
        for region in [IRELAND, FRANKFURT] {
            assert_eq!(self.replica_in(region).await["image"], before[region].id, "{region}");
        }
        let mut open = self.open_findings().await;
        open.retain(|finding| codes(finding, "reason") == ["lost"]);
        assert!(open.is_empty(), "{open:#?}");
    }

    /// The record of the only point's replica in a region.
    pub async fn replica_in(&self, region: &str) -> scene::Item {
        let items = self.ledger().await.into_iter();
        let mut records = items.filter(|item| item["sk"].ends_with(&format!("#replica#{region}")));
        records.next().expect("there is a replica")
    }

    /// Somebody deletes the image in Ireland. Returns the ledger as soon as its record has a status
    /// there: the policy leaves it to a person, CopyImage is throttled, or its answers are lost.
    async fn saved_when_ireland_is(&self, status: &str) -> Vec<Row> {
        let copies = |rule: Rule| rule.action("CopyImage").region(IRELAND);
        match status {
            "waiting" => self.fault(copies(Rule::throttle())),
            "copying" => self.fault(copies(Rule::time_out(When::After))),
            _ => self.policies(&left_to_person(ON_STOP)).await,
        }
        self.delete_images(IRELAND, true).await;
        let is_so = async |scene: &Scene| {
            let is_met = scene.strikes().iter().all(|strikes| *strikes > 0);
            is_met && scene.replica_in(IRELAND).await["status"] == status
        };
        let step = Duration::from_secs(1);
        self.pass_until(step, step * 3600, is_so).await;
        let saved = self.save().await;
        self.no_more_faults();
        self.policies(ON_STOP).await;
        self.pass(2 * HEALED).await;
        saved
    }
}

#[test]
fn a_copy_that_was_made_again_is_known_to_a_ledger_that_has_the_lost_one_as_good() {
    scene::play(async |scene| {
        scene.protect_one(ON_STOP).await;
        let saved = scene.save().await;
        scene.heal(IRELAND, true).await;
        scene.assert_known_again(&saved).await;
    });
}

#[test]
fn a_copy_that_was_made_again_is_known_to_a_ledger_that_had_not_finished_it() {
    for status in ["lost", "waiting", "copying"] {
        scene::play(async |scene| {
            scene.protect_one(ON_STOP).await;
            let saved = scene.saved_when_ireland_is(status).await;
            scene.assert_known_again(&saved).await;
        });
    }
}

#[test]
fn a_copy_that_was_made_again_twice_is_known_to_a_ledger_that_knows_of_once() {
    for status in ["lost", "waiting", "copying"] {
        scene::play(async |scene| {
            scene.protect_one(ON_STOP).await;
            let saved = scene.saved_when_ireland_is(status).await;
            scene.heal(IRELAND, true).await;
            scene.assert_known_again(&saved).await;
        });
    }
}

#[test]
fn a_copy_of_an_image_that_was_registered_again_since_is_known() {
    scene::play(async |scene| {
        scene.protect_one(ON_STOP).await;
        let saved = scene.save().await;
        scene.heal(HOME, false).await;
        scene.heal(IRELAND, true).await;
        let home = scene.image_in_each().await[HOME].id.clone();
        assert_eq!(scene.source(IRELAND).await, format!("{HOME}/{home}"));
        scene.assert_known_again(&saved).await;
    });
}

#[test]
fn a_copy_of_an_image_that_was_copied_back_since_is_known() {
    scene::play(async |scene| {
        scene.protect_one(ON_STOP).await;
        let saved = scene.save().await;
        scene.heal(HOME, true).await;
        scene.heal(IRELAND, true).await;
        let home = scene.image_in_each().await[HOME].id.clone();
        assert_eq!(scene.source(IRELAND).await, format!("{HOME}/{home}"));
        scene.assert_known_again(&saved).await;
    });
}

#[test]
fn a_copy_that_was_made_again_before_its_source_was_lost_is_known() {
    for with_snapshots in [false, true] {
        scene::play(async |scene| {
            scene.protect_one(ON_STOP).await;
            let saved = scene.save().await;
            scene.heal(IRELAND, true).await;
            scene.heal(HOME, with_snapshots).await;
            scene.assert_known_again(&saved).await;
        });
    }
}

#[test]
fn a_copy_of_another_copy_is_known() {
    scene::play(async |scene| {
        scene.protect_one(ON_STOP).await;
        let saved = scene.save().await;
        scene.delete_images(HOME, true).await;
        scene.heal(IRELAND, true).await;
        assert!(scene.source(IRELAND).await.starts_with(FRANKFURT));
        scene.assert_known_again(&saved).await;
    });
}

#[test]
fn a_copy_that_was_made_again_and_is_all_that_is_left_is_known() {
    scene::play(async |scene| {
        scene.protect_one(ON_STOP).await;
        let saved = scene.save().await;
        scene.heal(IRELAND, true).await;
        let there = scene.available(IRELAND).await;
        scene.fault(Rule::lose());
        scene.delete_images(HOME, true).await;
        scene.delete_images(FRANKFURT, true).await;
        scene.put_back(&saved).await;
        scene.no_more_faults();
        scene.pass(4 * 60).await;
        assert_eq!(scene.available(IRELAND).await, there, "it is not made again");
        assert_eq!(scene.the_point().await["status"], "protected");
        assert_eq!(scene.count("CreateSnapshots", HOME), 1, "the point does not begin again");
        scene.image_in_each().await;
        scene.assert_nothing_was_foreign().await;
    });
}

/// A point that the ledger does not know, after places of it were made again.
fn unknown_point(heal: impl AsyncFnOnce(&Scene)) {
    scene::play(async |scene| {
        scene.machine(0).await;
        scene.policies(SLOTS).await;
        scene.pass(6 * 60 - 2).await;
        let saved = scene.save().await;
        scene.pass(HEALED).await;
        heal(&scene).await;
        scene.assert_known_again(&saved).await;
    });
}

#[test]
fn copies_of_an_image_that_was_registered_again_are_those_of_an_unknown_point() {
    unknown_point(async |scene| scene.heal(HOME, false).await);
}

#[test]
fn a_copy_that_was_made_again_is_that_of_an_unknown_point() {
    unknown_point(async |scene| scene.heal(IRELAND, true).await);
}

#[test]
fn a_copy_of_another_copy_is_that_of_an_unknown_point() {
    unknown_point(async |scene| {
        scene.delete_images(HOME, false).await;
        scene.heal(IRELAND, true).await;
    });
}

#[test]
fn copies_of_an_image_that_was_copied_back_are_those_of_an_unknown_point() {
    unknown_point(async |scene| scene.heal(HOME, true).await);
}

/// The ledger is put back to a time before the only point, while the image at home is disabled.
#[test]
fn a_point_whose_image_at_home_is_disabled_is_known_again() {
    for is_started in [false, true] {
        scene::play(async |scene| {
            let machine = scene.machine(1).await;
            scene.policies(ON_STOP).await;
            let saved = scene.save().await;
            scene.stop(&machine).await;
            scene.pass(2 * HEALED).await;
            if is_started {
                scene.start(&machine).await;
            }
            let before = scene.image_in_each().await;
            let call = scene.ec2(HOME).disable_image().image_id(&before[HOME].id);
            call.send().await.expect("it is disabled");
            scene.put_back(&saved).await;
            for _ in 0..8 {
                scene.pass(15).await;
                scene.assert_nothing_was_foreign().await;
            }
            let point = scene.the_point().await;
            assert_eq!(point["status"], "imaged", "{is_started}: {point:#?}");
            let mut told = scene.open_codes().await;
            told.retain(|code| code != "ledger-went-back");
            assert_eq!(told, ["image-disabled"], "{is_started}: {point:#?}");
            let good = scene.good().await.expect("the replicas are good");
            assert_eq!(good["replicas"], serde_json::json!([FRANKFURT, IRELAND]), "{good:#}");
            let call = scene.ec2(HOME).enable_image().image_id(&before[HOME].id);
            call.send().await.expect("it is enabled");
            scene.pass(75).await;
            let point = scene.the_point().await;
            assert_eq!(point["status"], "protected", "{is_started}: {point:#?}");
            assert_eq!(scene.image_in_each().await, before, "nothing is made: {is_started}");
        });
    }
}
