//! What waits behind an obstacle and is not wanted any more: it is withdrawn while the obstacle
//! stands, and nobody is told of an obstacle behind which nothing waits. A call without an answer
//! is a beginning only if it has made something.

use afterimage_cloud::faults::{Rule, When};

use crate::keys::UNDER_A_KEY;
use crate::scene::{self, EVERY_SIX_HOURS, FRANKFURT, HOME, IRELAND, Item, ON_STOP, Scene, codes};

/// Another policy, so that not everything is gone when gold is.
const IRON: &str = "
policies:
  iron:
    select: {regions: [us-east-1], tags: {backup: iron}}
    triggers: [{on: tag}]
";

const AN_HOUR: u64 = 60;

impl Scene {
    /// The replica of the only point in Ireland.
    async fn replica(&self) -> Item {
        let ledger = self.ledger().await;
        let mut items = ledger.into_iter();
        items.find(|item| item["sk"].ends_with("#replica#eu-west-1")).expect("a replica")
    }

    async fn assert_withdrawn_copy(&self) {
        let replica = self.replica().await;
        assert_eq!(replica["status"], "withdrawn", "{replica:#?}");
        assert_eq!(codes(&replica, "reason"), ["withdrawn"], "{replica:#?}");
        assert_eq!(self.the_point().await["status"], "protected");
        assert_eq!(self.images(IRELAND).await.len(), 0);
    }

    /// Nobody is told that something is held up.
    async fn assert_nothing_is_told(&self) {
        let mut told = self.told_of("copies-held-up").await;
        told.extend(self.told_of("calls-held-up").await);
        told.retain(|finding| !finding.contains_key("resolved_at"));
        assert_eq!(told, Vec::<Item>::new());
    }
}

#[test]
fn a_copy_that_waits_for_its_key_is_withdrawn_when_its_policy_is_gone() {
    scene::play(async |scene| {
        let key = scene.make_key();
        let machine = scene.machine(0).await;
        scene.policies(IRON).await;
        scene.policies(UNDER_A_KEY).await;
        scene.disable(IRELAND, &key).await;
        scene.stop(&machine).await;
        scene.pass(2 * AN_HOUR).await;
        assert_eq!(scene.told_of("copies-held-up").await.len(), 1);
        scene.remove_policy("gold").await;
        scene.pass(2 * AN_HOUR + 30).await;
        scene.assert_withdrawn_copy().await;
        scene.assert_nothing_is_told().await;
        assert_eq!(scene.count("CopyImage", IRELAND), 0);
    });
}

#[test]
fn nothing_is_told_of_a_key_that_no_copy_waits_for_any_more() {
    scene::play(async |scene| {
        let key = scene.make_key();
        scene.machine(0).await;
        let under_a_key = EVERY_SIX_HOURS
            .replace("{region: eu-west-1}", "{region: eu-west-1, kms_key: alias/dr}");
        scene.policies(&under_a_key).await;
        scene.disable(IRELAND, &key).await;
        scene.pass(7 * AN_HOUR).await;
        assert_eq!(scene.told_of("copies-held-up").await.len(), 1);
        scene.policies(EVERY_SIX_HOURS).await;
        scene.pass(8 * AN_HOUR).await;
        scene.assert_nothing_is_told().await;
        let why = "the one that waited, under no key, and that of the next slot";
        assert_eq!(scene.available(IRELAND).await.len(), 2, "{why}");
    });
}

#[test]
fn a_copy_whose_call_made_nothing_is_withdrawn_when_its_region_answers() {
    scene::play(async |scene| {
        let machine = scene.machine(0).await;
        scene.policies(IRON).await;
        scene.policies(ON_STOP).await;
        scene.dark(IRELAND);
        scene.stop(&machine).await;
        scene.pass(4 * AN_HOUR).await;
        assert_eq!(scene.available(FRANKFURT).await.len(), 1);
        assert_eq!(scene.replica().await["status"], "copying");
        scene.remove_policy("gold").await;
        let tried = scene.copies_tried(IRELAND);
        scene.pass(5 * AN_HOUR).await;
        // Nobody knows what its calls have made.
        assert_eq!(scene.replica().await["status"], "copying");
        assert_eq!(scene.copies_tried(IRELAND), tried, "nothing is called for that nobody wants");
        assert_eq!(scene.told_of("copies-held-up").await.len(), 1);
        scene.no_more_faults();
        scene.pass(3 * AN_HOUR).await;
        scene.assert_withdrawn_copy().await;
        scene.assert_nothing_is_told().await;
    });
}

#[test]
fn a_copy_whose_call_was_not_answered_and_made_it_is_kept_when_its_policy_is_gone() {
    scene::play(async |scene| {
        let machine = scene.machine(0).await;
        scene.policies(IRON).await;
        scene.policies(ON_STOP).await;
        scene.fault(Rule::time_out(When::After).action("CopyImage").region(IRELAND));
        scene.stop(&machine).await;
        let second = std::time::Duration::from_secs(1);
        let hour = std::time::Duration::from_secs(3600);
        let copied = async |scene: &Scene| !scene.images(IRELAND).await.is_empty();
        scene.pass_until(second, hour, copied).await;
        scene.remove_policy("gold").await;
        scene.pass(4 * AN_HOUR).await;
        assert_eq!(scene.the_point().await["status"], "protected");
        assert_eq!(scene.replica().await["status"], "available");
        assert_eq!(scene.available(IRELAND).await.len(), 1);
        scene.assert_nothing_is_told().await;
    });
}

#[test]
fn nothing_is_told_of_snapshots_that_nobody_waits_for_any_more() {
    scene::play(async |scene| {
        scene.machine(0).await;
        scene.policies(IRON).await;
        scene.policies(EVERY_SIX_HOURS).await;
        let forbidden = Rule::fail(When::Before, 403, "UnauthorizedOperation");
        scene.fault(forbidden.action("CreateSnapshots"));
        scene.pass(8 * AN_HOUR).await;
        assert_eq!(scene.told_of("calls-held-up").await.len(), 1);
        scene.remove_policy("gold").await;
        scene.pass(3 * AN_HOUR).await;
        assert_eq!(scene.the_point().await["status"], "withdrawn");
        scene.assert_nothing_is_told().await;
        let tried = scene.tried("CreateSnapshots");
        scene.pass(5 * AN_HOUR).await;
        assert_eq!(scene.tried("CreateSnapshots"), tried);
        assert!(scene.snapshots(HOME).await.is_empty());
    });
}
