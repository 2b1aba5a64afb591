//! What is lost is made again, with a brake: a policy may leave it to a person, many losses are
//! made again a budget a day, and an image comes back under the key that its disks have. An image
//! whose key cannot be used is there, and is not lost.

use std::collections::BTreeMap;

use afterimage::system::Options;
use afterimage_cloud::deploy::Deployment;
use afterimage_cloud::faults::{Rule, When};

use crate::scene::{
    self, ACCOUNT, FRANKFURT, HOME, INTO_IRELAND, IRELAND, Item, Launch, NIGHTLY, ON_STOP, Scene,
    Stage, codes,
};

const AN_HOUR: u64 = 60;
const A_DAY: u64 = 24 * AN_HOUR;

/// The size of the root of a machine, which is all that it has here.
const ROOT_GIB: usize = 8;

/// What is lost stays lost.
const LEFT: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{on: stopped}]
    replicate: [{region: eu-west-1}, {region: eu-central-1}]
    heal: false
";

/// A stack that makes so much again in a day.
fn budget(gib_per_day: usize) -> Stage {
    let mut options = Options::default();
    options.parameters.insert("HealGiBPerDay".to_string(), gib_per_day.to_string());
    Stage { options, ..Stage::default() }
}

impl Scene {
    /// How many findings of a code there are now.
    async fn open(&self, code: &str) -> usize {
        let findings = self.open_findings().await;
        findings.iter().filter(|item| codes(item, "reason") == [code]).count()
    }

    /// The keys of the snapshots of the images in a region.
    async fn keys_in(&self, region: &str) -> Vec<Option<String>> {
        let ids = self.available(region).await.into_iter().flat_map(|image| image.snapshots);
        let call = self.ec2(region).describe_snapshots().set_snapshot_ids(Some(ids.collect()));
        let listed = call.send().await.expect("snapshots are listed");
        listed.snapshots().iter().map(|one| one.kms_key_id().map(str::to_string)).collect()
    }

    /// A machine with a disk under a key of its own, protected.
    async fn protect_encrypted(&self) -> String {
        let template = "
Resources:
  Key:
    Type: AWS::KMS::Key
";
        let deployment = Deployment {
            account: ACCOUNT.to_string(),
            region: HOME.to_string(),
            stack_name: "keys".to_string(),
            ..Deployment::default()
        };
        let stack = self.cloud.deploy(template, deployment).expect("a key is made");
        let key = format!("arn:aws:kms:{HOME}:{ACCOUNT}:key/{}", stack.resources["Key"]);
        let disks = vec![scene::disk("/dev/sdf", Some(&key))];
        let machine = self.launch_one(Launch { disks, ..Launch::default() }).await;
        self.policies(ON_STOP).await;
        self.stop(&machine).await;
        self.pass(2 * AN_HOUR).await;
        assert_eq!(self.the_point().await["status"], "protected");
        key
    }

    /// So many machines that stop together, and are protected.
    async fn protect_many(&self, count: usize, policies: &str) {
        let count = i32::try_from(count).expect("it is a small number");
        let machines = self.launch(Launch { count, ..Launch::default() }).await;
        self.policies(policies).await;
        let call = self.ec2(HOME).stop_instances().set_instance_ids(Some(machines));
        call.send().await.expect("the machines stop");
        self.pass(3 * AN_HOUR).await;
        for point in self.points().await {
            assert_eq!(point["status"], "protected", "{point:#?}");
        }
    }
}

#[test]
fn what_a_policy_leaves_to_a_person_stays_lost() {
    scene::play(async |scene| {
        scene.protect_one(LEFT).await;
        scene.delete_images(IRELAND, true).await;
        scene.delete_images(HOME, false).await;
        scene.pass(2 * AN_HOUR).await;
        scene.assert_true().await;
        let point = scene.the_point().await;
        assert_eq!(point["status"], "imaged", "{point:#?}");
        assert!(point["reason"].contains("heal: false"), "{point:#?}");
        let found = scene.open_findings().await;
        assert_eq!(scene.open("lost").await, 2, "{found:#?}");
        for finding in &found {
            assert!(finding["reason"].contains("afterimage heal gold-"), "{finding:#?}");
        }
        scene.pass(A_DAY).await;
        assert_eq!(scene.count("CopyImage", IRELAND), 1);
        assert_eq!(scene.count("RegisterImage", HOME), 1);
        // The policy that is in force then counts.
        scene.policies(ON_STOP).await;
        scene.pass(A_DAY + 2 * AN_HOUR).await;
        assert_eq!(scene.the_point().await["status"], "protected");
        assert_eq!(scene.open("lost").await, 0);
    });
}

#[test]
fn many_losses_are_made_again_a_budget_a_day_and_told_once() {
    scene::play_on(budget(7 * ROOT_GIB), async |scene| {
        scene.protect_many(12, INTO_IRELAND).await;
        scene.delete_images(IRELAND, true).await;
        scene.pass(3 * AN_HOUR).await;
        let found = scene.open_findings().await;
        assert_eq!(found.len(), 1, "{found:#?}");
        assert_eq!(codes(&found[0], "reason"), ["mass-loss"], "{found:#?}");
        assert_eq!(scene.available(IRELAND).await.len(), 7, "the budget of a day");
        let waits = scene.points().await.into_iter();
        assert_eq!(waits.filter(|point| point["status"] != "protected").count(), 5);
        scene.pass(A_DAY).await;
        assert_eq!(scene.available(IRELAND).await.len(), 12, "and of the next");
        assert_eq!(scene.count("CopyImage", IRELAND), 12 + 12, "each once");
        scene.pass(2 * A_DAY).await;
        let found = scene.open_findings().await;
        assert_eq!(found, Vec::<Item>::new(), "it is over");
        for point in scene.points().await {
            assert_eq!(point["status"], "protected", "{point:#?}");
        }
    });
}

#[test]
fn a_mass_loss_of_older_points_is_told_until_the_last_of_them_is_there_again() {
    let mut stage = Stage::default();
    stage.config.recycle_bin_days = 30;
    scene::play_on(stage, async |scene| {
        let every = INTO_IRELAND.replace("on: stopped", "on: stopped}, {on: tag");
        scene.protect_many(12, &every).await;
        let older = scene.available(IRELAND).await;
        for point in scene.points().await {
            scene.ask(HOME, &point["pk"].replace("machine#", ""), "gold").await;
        }
        scene.pass(2 * AN_HOUR).await;
        for image in &older {
            scene.deregister(IRELAND, image, true).await;
        }
        scene.pass(3 * A_DAY).await;
        let found = scene.open_findings().await;
        assert_eq!(found.len(), 1, "{found:#?}");
        let told = &found[0]["reason"];
        assert!(told.contains("of the points gold-") && told.contains("and 2 more"), "{told}");
        assert!(told.contains("`afterimage heal POINT`"), "{told}");
        // It happens again, and is told again.
        scene.delete_images(IRELAND, true).await;
        scene.pass(2 * AN_HOUR).await;
        let again = scene.open_findings().await;
        assert_eq!(again.len(), 1, "{again:#?}");
        assert_ne!(again[0]["seen_at"], found[0]["seen_at"], "{again:#?}");
        assert!(again[0]["reason"].contains("were lost within a day"), "{again:#?}");
        scene.pass(3 * A_DAY).await;
        for image in &older {
            scene.restore(IRELAND, image).await;
        }
        scene.pass(3 * AN_HOUR).await;
        assert_eq!(scene.open_findings().await, Vec::<Item>::new(), "it is over");
    });
}

#[test]
fn a_few_losses_are_made_again_at_once() {
    scene::play_on(budget(ROOT_GIB), async |scene| {
        scene.protect_many(10, INTO_IRELAND).await;
        scene.delete_images(IRELAND, true).await;
        scene.pass(3 * AN_HOUR).await;
        assert_eq!(scene.available(IRELAND).await.len(), 10);
        assert_eq!(scene.open("mass-loss").await, 0);
    });
}

/// So many machines are imaged every night, and run. A script deletes every image and snapshot of
/// the account every hour.
fn a_hostile_script(machines: usize, days: u64) {
    // Without a brake everything would be made again twice.
    let budget_gib = machines / 4 * ROOT_GIB;
    scene::play_on(budget(budget_gib), async |scene| {
        let count = i32::try_from(machines).expect("it is a small number");
        scene.launch(Launch { count, ..Launch::default() }).await;
        scene.policies(NIGHTLY).await;
        scene.pass(6 * AN_HOUR).await;
        let begun_at = scene.cloud.now();
        let mut first_told: BTreeMap<String, String> = BTreeMap::new();
        for hour in 0..days * 24 {
            for region in [HOME, IRELAND, FRANKFURT] {
                scene.delete_images(region, true).await;
            }
            scene.pass(AN_HOUR).await;
            if hour == 12 {
                let found = scene.open_findings().await.into_iter();
                first_told = found.map(|of| (of["sk"].clone(), of["seen_at"].clone())).collect();
            }
        }
        // One finding for each region, told on the first day and not again.
        let found = scene.open_findings().await;
        assert_eq!(found.len(), 3, "{found:#?}");
        for finding in &found {
            assert_eq!(codes(finding, "reason"), ["mass-loss"], "{finding:#?}");
            assert_eq!(first_told.get(&finding["sk"]), Some(&finding["seen_at"]), "told once");
        }
        let days = usize::try_from(days).expect("it is a small number");
        for region in [HOME, IRELAND, FRANKFURT] {
            let made = |action: &str| {
                scene.number_of(|call| {
                    call.at >= begun_at && call.action == action && call.region == region
                })
            };
            let nightly = if region == HOME { made("CreateSnapshots") } else { made("CopyImage") };
            let again_gib = nightly.saturating_sub(machines * days) * ROOT_GIB;
            let ec2 = scene.number_of(|call| {
                call.at >= begun_at && call.service == "ec2" && call.region == region
            });
            println!(
                "{machines} machines, {days} days, {region}: CopyImage {}, CreateSnapshots {}, \
                 {again_gib} GiB made again beside the nights' own, {} calls of EC2",
                made("CopyImage"),
                made("CreateSnapshots"),
                ec2
            );
            assert!(again_gib <= budget_gib * (days + 1), "{region}: {again_gib} GiB");
        }
        assert_eq!(scene.dead_letters(), 0);
    });
}

#[test]
fn a_script_that_deletes_everything_every_hour_costs_no_more_than_the_budget() {
    a_hostile_script(12, 2);
    if scene::is_long() {
        a_hostile_script(100, 7);
    }
}

#[test]
fn an_encrypted_image_is_copied_back_under_the_key_of_its_disks() {
    scene::play(async |scene| {
        let key = scene.protect_encrypted().await;
        scene.delete_images(HOME, true).await;
        scene.assert_healed("the home image").await;
        let keys = scene.keys_in(HOME).await;
        assert_eq!(keys, [Some(key.clone()), Some(key)], "a copy has one key for all its disks");
    });
}

#[test]
fn an_image_whose_key_cannot_be_used_is_not_copied_back_until_it_can() {
    scene::play(async |scene| {
        let key = scene.protect_encrypted().await;
        scene.disable(HOME, &key).await;
        scene.delete_images(HOME, true).await;
        scene.pass(A_DAY).await;
        let attempts = scene.count("CopyImage", HOME);
        assert_eq!(attempts, 0, "the key is looked at, and not tried");
        assert_eq!(scene.open("key-unusable").await, 1, "{:#?}", scene.open_findings().await);
        assert_eq!(scene.the_point().await["status"], "imaged");
        let found = scene.open_findings().await;
        let lost = found.iter().find(|finding| codes(finding, "reason") == ["lost"]);
        let lost = &lost.expect("the image at home is lost")["reason"];
        assert!(lost.contains("is Disabled") && !lost.contains("is made again if"), "{lost}");
        scene.enable(HOME, &key).await;
        scene.pass(AN_HOUR + 30).await;
        assert_eq!(scene.the_point().await["status"], "protected");
        assert_eq!(scene.open_findings().await, Vec::<Item>::new());
    });
}

#[test]
fn a_key_that_can_be_used_again_is_told_so_though_a_newer_point_is_good_by_then() {
    scene::play(async |scene| {
        let key = scene.protect_encrypted().await;
        let machine = scene.the_point().await["pk"].replace("machine#", "");
        scene.disable(HOME, &key).await;
        scene.delete_images(HOME, true).await;
        // The key was just looked at, so that the newer point is good before it is again.
        scene.pass(2 * AN_HOUR + 30).await;
        assert_eq!(scene.open("key-unusable").await, 1, "{:#?}", scene.open_findings().await);
        scene.enable(HOME, &key).await;
        scene.policies(&ON_STOP.replace("stopped}", "stopped}, {on: tag}")).await;
        scene.ask(HOME, &machine, "gold").await;
        scene.pass(8 * AN_HOUR).await;
        let found = scene.open_findings().await;
        assert_eq!(scene.open("key-unusable").await, 0, "{found:#?}");
        assert_eq!(found.len(), 1, "the older image is not made again: {found:#?}");
        assert!(found[0]["reason"].contains("is newer and good"), "{found:#?}");
    });
}

#[test]
fn a_key_is_not_told_any_more_once_nothing_is_copied_back_under_it() {
    scene::play(async |scene| {
        let key = scene.protect_encrypted().await;
        scene.disable(HOME, &key).await;
        scene.delete_images(HOME, true).await;
        scene.pass(2 * AN_HOUR).await;
        assert_eq!(scene.open("key-unusable").await, 1, "{:#?}", scene.open_findings().await);
        scene.remove_policy("gold").await;
        scene.pass(3 * AN_HOUR).await;
        let found = scene.open_findings().await;
        assert_eq!(scene.open("key-unusable").await, 0, "{found:#?}");
        assert!(found[0]["reason"].contains("no longer in force"), "{found:#?}");
    });
}

#[test]
fn an_image_whose_key_is_disabled_is_not_lost_and_not_called_good() {
    scene::play(async |scene| {
        let key = scene.protect_encrypted().await;
        scene.disable(HOME, &key).await;
        scene.pass(2 * AN_HOUR).await;
        let point = scene.the_point().await;
        assert_eq!(point["status"], "imaged", "{point:#?}");
        assert_eq!(codes(&point, "reason"), ["key-unusable"], "{point:#?}");
        let good = scene.good().await.expect("the replicas have keys of their own");
        assert_eq!(good["image"], serde_json::Value::Null, "{good}");
        let found = scene.open_findings().await;
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found[0]["sk"].contains(&key), "{found:#?}");
        let before = scene.the_point().await;
        scene.pass(A_DAY).await;
        assert_eq!(scene.the_point().await, before, "nothing is written while nothing changes");
        assert_eq!(scene.count("CopyImage", HOME) + scene.count("RegisterImage", HOME), 1);
        scene.enable(HOME, &key).await;
        scene.pass(2 * AN_HOUR).await;
        assert_eq!(scene.the_point().await["status"], "protected");
        assert_eq!(scene.open_findings().await, Vec::<Item>::new());
    });
}

#[test]
fn a_copy_back_that_was_withdrawn_is_made_once_its_policy_is_in_force_again() {
    scene::play(async |scene| {
        scene.protect_one(ON_STOP).await;
        let refused = Rule::fail(When::Before, 400, "InternalError").action("CopyImage");
        scene.fault(refused.region(HOME));
        scene.delete_images(HOME, true).await;
        scene.pass(2 * AN_HOUR).await;
        scene.remove_policy("gold").await;
        scene.pass(3 * AN_HOUR).await;
        let point = scene.the_point().await;
        assert_ne!(point["status"], "protected", "{point:#?}");
        scene.no_more_faults();
        scene.policies(ON_STOP).await;
        scene.pass(A_DAY + 2 * AN_HOUR).await;
        let point = scene.the_point().await;
        assert_eq!(point["status"], "protected", "{point:#?}");
        assert_eq!(scene.available(HOME).await.len(), 1);
    });
}

/// Many copies are lost, and some wait for the brake when nobody wants them any more.
fn waits_for_the_brake_and_is_unwanted(unwanted: impl AsyncFnOnce(&Scene)) {
    scene::play_on(budget(7 * ROOT_GIB), async |scene| {
        scene.protect_many(12, INTO_IRELAND).await;
        scene.delete_images(IRELAND, true).await;
        scene.pass(3 * AN_HOUR).await;
        let told = async |scene: &Scene| {
            let summaries = scene.ledger().await.into_iter();
            let told = summaries.filter_map(|item| item.get("latest#gold").cloned());
            told.filter(|latest| latest.contains("mass-loss")).count()
        };
        assert_eq!(told(&scene).await, 5);
        unwanted(&scene).await;
        scene.pass(AN_HOUR + 20).await;
        assert_eq!(told(&scene).await, 0, "nothing waits for the brake");
        let points = scene.points().await;
        let given_up = points.iter().filter(|point| point["replicas"].contains("withdrawn"));
        assert_eq!(given_up.count(), 5);
        assert!(points.iter().all(|point| point["status"] == "protected"), "{points:#?}");
        scene.pass(A_DAY).await;
        assert_eq!(scene.count("CopyImage", IRELAND), 12 + 7, "none of them is made");
    });
}

#[test]
fn a_copy_that_waits_for_the_brake_is_given_up_once_its_policy_leaves_the_region() {
    let left = INTO_IRELAND.replace("    replicate: [{region: eu-west-1}]\n", "");
    waits_for_the_brake_and_is_unwanted(async |scene| scene.policies(&left).await);
}

#[test]
fn a_copy_that_waits_for_the_brake_is_given_up_once_its_policy_is_gone() {
    waits_for_the_brake_and_is_unwanted(async |scene| scene.remove_policy("gold").await);
}
