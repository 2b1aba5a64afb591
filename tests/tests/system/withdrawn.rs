//! What nobody wants any more is not begun: after a policy was removed, a machine excluded, or a
//! place taken out of a policy. And what shares a stop, or is asked for twice in a row.

use std::time::Duration;

use afterimage_cloud::faults::{Rule, When};

use crate::scene::{
    self, FRANKFURT, HOME, IRELAND, Item, Launch, ON_TAG, Scene, TAG_ANSWER, codes,
};
use crate::stop_start::{allowed, play};

const AN_HOUR: u64 = 60;
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// Machines that are stopped one after the other.
const ONE_AT_A_TIME: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}, exclude_tags: {backup-pause: '*'}}
    triggers: [{schedule: cron(15 0 * * ? *), timezone: UTC}]
    consistency: stop-start
    stop_start: {at_once: 1, timeout: 10m}
";

/// Another policy, so that not everything is gone when gold is.
const IRON: &str = "
policies:
  iron:
    select: {regions: [us-east-1], tags: {backup: iron}}
    triggers: [{on: tag}]
";

/// A slot that waits for a stop, for two hours.
const AT_REST: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}, exclude_tags: {backup-pause: '*'}}
    triggers: [{schedule: cron(15 0 * * ? *), timezone: UTC, window: 2h}]
    consistency: at-rest
    replicate: [{region: eu-west-1}, {region: eu-central-1}]
";

/// Two policies of the same machines at the same minute.
const COLD_AND_ICE: &str = "
policies:
  cold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{schedule: cron(0 3 * * ? *), timezone: UTC, window: 3h}]
    consistency: stop-start
  ice:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{schedule: cron(0 3 * * ? *), timezone: UTC, window: 3h}]
    consistency: stop-start
";

impl Scene {
    /// Takes a policy out of force, as `afterimage policy apply --prune` does.
    pub async fn remove_policy(&self, name: &str) {
        let client = aws_sdk_dynamodb::Client::new(&self.cloud.sdk_config(HOME));
        let text = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.to_string());
        let now = (self.cloud.now().secs() * 1000).to_string();
        let call = client.put_item().table_name(&self.system.table);
        let call = call.item("pk", text("policies")).item("sk", text("removed"));
        let call = call.item("at", aws_sdk_dynamodb::types::AttributeValue::N(now));
        call.send().await.expect("the removal is told");
        let call = client.delete_item().table_name(&self.system.table);
        let call = call.key("pk", text("policies")).key("sk", text(&format!("policy#{name}")));
        call.send().await.expect("the policy is removed");
    }

    async fn put_tag(&self, machine: &str, key: &str, value: &str) {
        let tags = self.ec2(HOME).create_tags().resources(machine).tags(scene::tag(key, value));
        tags.send().await.expect("it is tagged");
    }

    async fn take_tag(&self, machine: &str, key: &str) {
        let tag = aws_sdk_ec2::types::Tag::builder().key(key).build();
        let tags = self.ec2(HOME).delete_tags().resources(machine).tags(tag);
        tags.send().await.expect("the tag is removed");
    }

    async fn assert_withdrawn(&self) {
        let point = self.the_point().await;
        assert_eq!(point["status"], "withdrawn", "{point:#?}");
        assert_eq!(codes(&point, "reason"), ["withdrawn"], "{point:#?}");
        assert!(self.snapshots(HOME).await.is_empty());
    }
}

fn status(point: &Item) -> &str {
    point["status"].as_str()
}

/// While machines wait for their turn, something makes them unwanted: none is stopped after that.
fn no_more_stops(unwanted: impl AsyncFnOnce(&Scene, &[String])) {
    play(async |scene| {
        let machines = scene.launch(Launch { count: 12, ..Launch::default() }).await;
        scene.policies(IRON).await;
        scene.policies(ONE_AT_A_TIME).await;
        let two = async |scene: &Scene| scene.count("StopInstances", HOME) >= 2;
        scene.pass_until(SECOND, HOUR, two).await;
        unwanted(scene, &machines).await;
        scene.pass(1).await;
        let stopped = scene.count("StopInstances", HOME);
        assert!(stopped <= 3, "{stopped}");
        scene.pass(AN_HOUR).await;
        assert_eq!(scene.count("StopInstances", HOME), stopped);
        let points = scene.points().await;
        let withdrawn: Vec<&Item> =
            points.iter().filter(|point| status(point) == "withdrawn").collect();
        let protected = points.iter().filter(|point| status(point) == "protected").count();
        assert_eq!(withdrawn.len() + protected, 12, "{points:#?}");
        assert!(withdrawn.len() >= 9, "{points:#?}");
        for point in withdrawn {
            assert_eq!(codes(point, "reason"), ["withdrawn"], "{point:#?}");
        }
        scene.assert_all_run().await;
    });
}

#[test]
fn after_its_policy_was_removed_no_machine_is_stopped() {
    no_more_stops(async |scene, _| scene.remove_policy("gold").await);
}

#[test]
fn after_they_were_excluded_no_machine_is_stopped() {
    no_more_stops(async |scene, machines| {
        for machine in machines {
            scene.put_tag(machine, "backup-pause", "yes").await;
        }
    });
}

#[test]
fn after_they_lost_their_tag_no_machine_is_stopped() {
    no_more_stops(async |scene, machines| {
        for machine in machines {
            scene.take_tag(machine, "backup").await;
        }
    });
}

#[test]
fn a_slot_of_an_excluded_machine_is_not_begun_and_is_taken_up_again() {
    scene::play(async |scene| {
        let machine = scene.machine(1).await;
        scene.policies(AT_REST).await;
        scene.pass(20).await;
        scene.put_tag(&machine, "backup-pause", "yes").await;
        scene.stop(&machine).await;
        scene.pass(20).await;
        scene.assert_withdrawn().await;
        assert_eq!(scene.count("CreateSnapshots", HOME), 0);
        scene.take_tag(&machine, "backup-pause").await;
        scene.pass(AN_HOUR).await;
        scene.assert_protected_once(2).await;
        assert_eq!(scene.the_point().await["grade"], "at-rest");
    });
}

#[test]
fn a_slot_whose_policy_is_removed_is_not_begun_and_leaves_its_queue() {
    scene::play(async |scene| {
        let machine = scene.machine(0).await;
        scene.policies(IRON).await;
        scene.policies(AT_REST).await;
        scene.pass(20).await;
        scene.remove_policy("gold").await;
        scene.stop(&machine).await;
        scene.pass(20).await;
        scene.assert_withdrawn().await;
        scene.pass(3 * AN_HOUR).await;
        scene.assert_withdrawn().await;
        assert!(!scene.the_point().await.contains_key("queue"), "its window has closed");
    });
}

#[test]
fn two_policies_at_the_same_minute_share_the_stop_every_night() {
    play(async |scene| {
        scene.machine(0).await;
        scene.policies(COLD_AND_ICE).await;
        scene.pass(3 * 24 * 60).await;
        let points = scene.points().await;
        assert_eq!(points.len(), 6, "{points:#?}");
        for point in &points {
            assert_eq!((status(point), point["grade"].as_str()), ("protected", "at-rest"));
        }
        assert_eq!(scene.powered(), (3, 3), "one stop a night");
        scene.assert_all_run().await;
    });
}

#[test]
fn a_place_that_was_taken_out_of_the_policy_is_not_copied_to() {
    scene::play(async |scene| {
        let machine = scene.machine(0).await;
        scene.policies(scene::ON_STOP).await;
        scene.ec2(HOME).stop_instances().instance_ids(&machine).send().await.expect("it stops");
        let begun = async |scene: &Scene| scene.count("CreateSnapshots", HOME) > 0;
        scene.pass_until(SECOND, HOUR, begun).await;
        scene.policies(&scene::ON_STOP.replace(", {region: eu-central-1}", "")).await;
        scene.pass(AN_HOUR).await;
        let point = scene.the_point().await;
        assert_eq!(status(&point), "protected", "{point:#?}");
        assert_eq!(scene.count("CopyImage", FRANKFURT), 0);
        assert_eq!(scene.available(IRELAND).await.len(), 1);
        assert!(point["replicas"].contains("\"eu-central-1\":\"withdrawn\""), "{point:#?}");
    });
}

#[test]
fn two_requests_in_a_row_are_both_heard_at_once() {
    scene::play(async |scene| {
        let machine = scene.machine(0).await;
        scene.policies(ON_TAG).await;
        for requests in 1..=3 {
            scene.ask(HOME, &machine, "gold").await;
            let answer = format!("-ask-{requests}");
            let is_answered = async |scene: &Scene| {
                let tags = scene.tags_of(HOME, &machine).await;
                tags.get(TAG_ANSWER).is_some_and(|answered| answered.ends_with(&answer))
            };
            scene.pass_until(SECOND, 30 * SECOND, is_answered).await;
        }
        assert_eq!(scene.points().await.len(), 3);
    });
}

#[test]
fn a_lost_answer_does_not_cost_a_downtime_without_an_image() {
    let mut stage = allowed();
    stage.config.seed = 2;
    crate::stop_start::play_on(stage, async |scene| {
        scene.machine(1).await;
        // Between two sweeps: neither of them comes in time.
        let policy = scene::STOP_START.replace("timeout: 15m", "timeout: 10m");
        scene.policies(&policy.replace("cron(15 0", "cron(14 0")).await;
        scene.fault(Rule::time_out(When::After).action("CreateSnapshots").times(1));
        scene.pass(2 * AN_HOUR).await;
        assert_eq!(scene.strikes(), [1]);
        scene.assert_protected_once(2).await;
        let point = scene.the_point().await;
        assert_eq!(point["grade"], "at-rest", "{point:#?}");
        assert_eq!(scene.powered(), (1, 1));
    });
}
