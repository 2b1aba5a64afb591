//! An image at home that was lost and cannot be registered again for now: while it waits, the
//! policy may change its mind, and other places come and go.

use std::collections::BTreeSet;
use std::time::Duration;

use afterimage_cloud::faults::{Rule, When};

use crate::scene::{
    self, FRANKFURT, HOME, IRELAND, Image, ON_STOP, Scene, Stage, codes, left_to_person,
};

const AN_HOUR: u64 = 60;
const A_DAY: u64 = 24 * AN_HOUR;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const SOON: Duration = Duration::from_secs(5 * 3600);

fn play(scene: impl AsyncFnOnce(Scene)) {
    let mut stage = Stage::default();
    stage.config.recycle_bin_days = 30;
    scene::play_on(stage, scene);
}

impl Scene {
    /// The image at home is lost, and every try to register it again fails, so that it waits a day.
    async fn wait_at_home(&self) -> Image {
        self.protect_one(ON_STOP).await;
        let lost = self.available(HOME).await.remove(0);
        let fails = Rule::fail(When::Before, 400, "InvalidRequest").action("RegisterImage");
        self.fault(fails.region(HOME));
        self.delete_images(HOME, false).await;
        self.pass(4 * AN_HOUR).await;
        assert_eq!(self.the_point().await["status"], "ready");
        lost
    }

    async fn assert_not_registered(&self, why: &str) {
        let tries = self.count("RegisterImage", HOME);
        self.no_more_faults();
        self.pass(2 * AN_HOUR).await;
        self.assert_told(HOME, why).await;
        let point = self.the_point().await;
        assert_eq!(point["status"], "imaged", "{point:#?}");
        self.assert_true().await;
        self.pass(2 * A_DAY).await;
        assert_eq!(self.count("RegisterImage", HOME), tries, "nothing is made for nobody");
    }
}

#[test]
fn it_is_left_to_a_person_once_its_policy_says_so() {
    scene::play(async |scene| {
        scene.wait_at_home().await;
        scene.policies(&left_to_person(ON_STOP)).await;
        scene.assert_not_registered("`heal: false`").await;
        // And it is made again once the policy says that.
        scene.policies(ON_STOP).await;
        scene.pass(2 * AN_HOUR).await;
        assert_eq!(scene.the_point().await["status"], "protected");
        assert_eq!(scene.open_codes().await, Vec::<String>::new());
    });
}

#[test]
fn it_is_given_up_once_its_policy_is_gone() {
    scene::play(async |scene| {
        scene.wait_at_home().await;
        scene.remove_policy("gold").await;
        scene.assert_not_registered("no longer in force").await;
    });
}

#[test]
fn a_replica_that_is_restored_meanwhile_counts_and_the_point_still_says_why_it_waits() {
    play(async |scene| {
        scene.wait_at_home().await;
        let refused = Rule::fail(When::Before, 403, "UnauthorizedOperation").action("CopyImage");
        scene.fault(refused.region(FRANKFURT));
        let lost = scene.available(FRANKFURT).await.remove(0);
        scene.deregister(FRANKFURT, &lost, true).await;
        scene.pass(2 * AN_HOUR).await;
        let good = scene.good().await.expect("a replica is there");
        assert_eq!(good["replicas"], serde_json::json!([IRELAND]), "{good:#}");
        scene.restore(FRANKFURT, &lost).await;
        scene.pass(2 * AN_HOUR).await;
        let good = scene.good().await.expect("both replicas are there");
        assert_eq!(good["replicas"], serde_json::json!([FRANKFURT, IRELAND]), "{good:#}");
        let point = scene.the_point().await;
        assert_eq!(point["status"], "ready", "{point:#?}");
        assert!(point["reason"].contains("InvalidRequest"), "{point:#?}");
        scene.no_more_faults();
        scene.pass(A_DAY + AN_HOUR).await;
        assert_eq!(scene.the_point().await["status"], "protected");
        assert_eq!(scene.open_codes().await, Vec::<String>::new());
    });
}

/// An image that was lost is made again, and disabled before that was seen. Then the lost one is
/// restored.
async fn disabled_before_it_was_seen(scene: &Scene, region: &str) -> (Image, String) {
    scene.protect_one(ON_STOP).await;
    let mut lost = scene.available(region).await.remove(0);
    scene.deregister(region, &lost, region != HOME).await;
    if region == HOME {
        // They stay, so that the image is registered again from them.
        lost.snapshots.clear();
    }
    let is_made = async |scene: &Scene| {
        let new = scene.image_in(region).await;
        new.is_some_and(|new| new != lost.id)
    };
    scene.pass_until(SECOND, SOON, is_made).await;
    let new = scene.image_in(region).await.expect("it was just seen");
    let unseen = Rule::fail(When::Before, 503, "Unavailable").action("DescribeImages");
    scene.fault(unseen.region(region));
    let is_disabled = async |scene: &Scene| {
        let call = scene.ec2(region).disable_image().image_id(&new);
        call.send().await.is_ok()
    };
    scene.pass_until(MINUTE, SOON, is_disabled).await;
    scene.no_more_faults();
    scene.pass(AN_HOUR).await;
    scene.assert_true().await;
    (lost, new)
}

#[test]
fn what_is_restored_at_home_is_taken_back_while_the_image_in_its_place_is_disabled() {
    play(async |scene| {
        let (lost, _) = disabled_before_it_was_seen(&scene, HOME).await;
        let told: BTreeSet<String> = scene.open_codes().await.into_iter().collect();
        assert_eq!(told.into_iter().collect::<Vec<_>>(), ["image-disabled", "lost"]);
        scene.restore(HOME, &lost).await;
        scene.pass(2 * AN_HOUR).await;
        assert_eq!(scene.the_point().await["status"], "protected");
        assert_eq!(scene.point_image(HOME).await, lost.id);
        // The other one is there, disabled, and not needed.
        assert_eq!(scene.open_codes().await, ["surplus"]);
        scene.assert_true().await;
    });
}

#[test]
fn a_replica_that_is_disabled_before_it_was_seen_is_of_no_use_until_it_is_enabled() {
    play(async |scene| {
        let (lost, new) = disabled_before_it_was_seen(&scene, IRELAND).await;
        let point = scene.the_point().await;
        assert_eq!(codes(&point, "reason"), ["image-disabled"], "{point:#?}");
        assert_eq!(scene.open_codes().await, ["image-disabled"]);
        // It does not take its place, and is told.
        scene.restore(IRELAND, &lost).await;
        scene.pass(2 * AN_HOUR).await;
        let told: BTreeSet<String> = scene.open_codes().await.into_iter().collect();
        assert_eq!(told.into_iter().collect::<Vec<_>>(), ["image-disabled", "surplus"]);
        let call = scene.ec2(IRELAND).enable_image().image_id(&new);
        call.send().await.expect("it is enabled");
        scene.pass(2 * AN_HOUR).await;
        assert_eq!(scene.the_point().await["status"], "protected");
    });
}
