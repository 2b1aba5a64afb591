//! Places that a policy has given up and wants again: what was lost is made again, what was never
//! made is made, and nothing is made twice.

use afterimage_cloud::faults::{Creation, Rule, When};

use crate::scene::{
    self, FRANKFURT, HOME, INTO_IRELAND, IRELAND, Item, ON_STOP, Scene, left_to_person,
};

const AN_HOUR: u64 = 60;
const PLACES: [&str; 3] = [HOME, IRELAND, FRANKFURT];

/// The time after a policy is applied within which its places are made again.
const SOON: u64 = 100;

impl Scene {
    /// The point has its images again, each once, and nobody is told of a loss any more.
    async fn assert_whole(&self) {
        let point = self.the_point().await;
        assert_eq!(point["status"], "protected", "{point:#?}");
        for region in PLACES {
            assert_eq!(self.available(region).await.len(), 1, "{region}: {point:#?}");
        }
        assert_eq!(self.open_findings().await, Vec::<Item>::new());
        let good = self.good().await.expect("a good point");
        assert_eq!(good["replicas_wanted"], 2, "{good}");
    }

    /// Frankfurt is taken out of the policy, and its image is lost after that.
    async fn give_up_frankfurt(&self) {
        self.protect_one(ON_STOP).await;
        self.policies(INTO_IRELAND).await;
        self.delete_images(FRANKFURT, true).await;
        self.pass(3 * AN_HOUR).await;
        assert_eq!(self.the_point().await["status"], "protected");
        assert!(self.available(FRANKFURT).await.is_empty(), "nobody wants it");
    }
}

#[test]
fn a_place_that_was_lost_while_nobody_wanted_it_is_made_again_when_it_is_wanted() {
    scene::play(async |scene| {
        scene.give_up_frankfurt().await;
        scene.policies(ON_STOP).await;
        scene.pass(SOON).await;
        scene.assert_whole().await;
        assert_eq!(scene.count("CopyImage", FRANKFURT), 2);
        assert_eq!(scene.count("CopyImage", IRELAND), 1);
    });
}

#[test]
fn a_copy_that_was_never_made_is_made_when_it_is_wanted_again() {
    scene::play(async |scene| {
        scene.fault(
            Rule::fail(When::Before, 400, "InternalError").action("CopyImage").region(FRANKFURT),
        );
        let machine = scene.machine(1).await;
        scene.policies(ON_STOP).await;
        scene.stop(&machine).await;
        scene.pass(2 * AN_HOUR).await;
        scene.policies(INTO_IRELAND).await;
        scene.pass(3 * AN_HOUR).await;
        assert_eq!(scene.the_point().await["status"], "protected");
        scene.no_more_faults();
        scene.policies(ON_STOP).await;
        scene.pass(SOON).await;
        scene.assert_whole().await;
    });
}

#[test]
fn a_policy_that_comes_back_has_all_its_places_made_again() {
    scene::play(async |scene| {
        scene.protect_one(ON_STOP).await;
        scene.remove_policy("gold").await;
        scene.delete_images(HOME, false).await;
        scene.delete_images(IRELAND, true).await;
        scene.pass(3 * AN_HOUR).await;
        assert!(scene.available(HOME).await.is_empty(), "nobody wants it");
        scene.policies(ON_STOP).await;
        scene.pass(SOON).await;
        scene.assert_whole().await;
        assert_eq!(scene.count("CreateSnapshots", HOME), 1);
    });
}

#[test]
fn a_policy_that_comes_back_begins_again_what_was_lost_wholly() {
    scene::play(async |scene| {
        scene.protect_one(ON_STOP).await;
        scene.remove_policy("gold").await;
        for region in PLACES {
            scene.delete_images(region, true).await;
        }
        scene.pass(3 * AN_HOUR).await;
        assert_eq!(scene.the_point().await["status"], "lost");
        scene.policies(ON_STOP).await;
        scene.pass(SOON).await;
        scene.assert_whole().await;
    });
}

#[test]
fn a_policy_that_wants_a_place_again_and_leaves_losses_to_a_person_says_so() {
    scene::play(async |scene| {
        scene.give_up_frankfurt().await;
        scene.policies(&left_to_person(ON_STOP)).await;
        scene.pass(SOON).await;
        assert!(scene.available(FRANKFURT).await.is_empty());
        let found = scene.open_findings().await;
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found[0]["reason"].contains("policy gold says `heal: false`"), "{found:#?}");
        assert_eq!(scene.the_point().await["status"], "imaged");
    });
}

/// A copy that was lost is made again and fails, so that its next try is a day away.
async fn copies_fail(scene: &Scene) {
    scene.protect_one(ON_STOP).await;
    let broken = Rule::fail_creation(&[Creation::ImageCopy], "Copy image failed");
    scene.fault(broken.region(IRELAND));
    scene.delete_images(IRELAND, true).await;
    scene.pass(6 * AN_HOUR).await;
    let found = scene.open_findings().await;
    assert!(found.iter().any(|it| it["reason"].contains("It is to be made again")), "{found:#?}");
}

#[test]
fn a_copy_whose_next_try_is_a_day_away_is_given_up_within_two_hours_after_its_policy_went() {
    scene::play(async |scene| {
        copies_fail(&scene).await;
        scene.remove_policy("gold").await;
        scene.pass(SOON).await;
        let found = scene.open_findings().await;
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found[0]["reason"].contains("so that the place was given up"), "{found:#?}");
    });
}

#[test]
fn a_copy_whose_next_try_is_a_day_away_is_given_up_soon_after_its_policy_left_the_region() {
    scene::play(async |scene| {
        copies_fail(&scene).await;
        scene.policies(&ON_STOP.replace("{region: eu-west-1}, ", "")).await;
        scene.pass(SOON).await;
        assert_eq!(scene.the_point().await["status"], "protected");
    });
}

/// Nothing is left of the point, and it waits for the permission to begin again.
#[test]
fn a_point_that_waits_to_begin_again_is_lost_within_two_hours_after_its_policy_went() {
    scene::play(async |scene| {
        scene.protect_one(ON_STOP).await;
        let denied = Rule::fail(When::Before, 403, "UnauthorizedOperation");
        scene.fault(denied.action("CreateSnapshots"));
        for region in PLACES {
            scene.delete_images(region, true).await;
        }
        scene.pass(8 * AN_HOUR).await;
        assert_eq!(scene.the_point().await["status"], "requested", "it waits");
        scene.remove_policy("gold").await;
        scene.pass(SOON + 20).await;
        let (point, found) = (scene.the_point().await, scene.open_findings().await);
        assert_eq!(point["status"], "lost", "{point:#?}");
        assert!(
            found.iter().all(|it| !it["reason"].contains("It is to be made again")),
            "{found:#?}"
        );
    });
}

#[test]
fn a_copy_that_waits_to_be_made_again_is_left_to_a_person_once_its_policy_says_so() {
    scene::play(async |scene| {
        copies_fail(&scene).await;
        scene.policies(&left_to_person(ON_STOP)).await;
        scene.pass(SOON + 20).await;
        scene.no_more_faults();
        scene.pass(30 * AN_HOUR).await;
        let found = scene.open_findings().await;
        assert!(found[0]["reason"].contains("policy gold says `heal: false`"), "{found:#?}");
        assert!(scene.available(IRELAND).await.is_empty(), "nobody asked for it");
    });
}
