//! What a policy should cover and does not is found within the hour, and resolved within the next.

use std::collections::BTreeSet;

use crate::scene::{self, HOME, IRELAND, Item, Launch, ON_STOP, Scene, codes, tag};

/// The sweep looks every hour, and sweeps every five minutes.
const LOOK_MINUTES: u64 = 66;

impl Scene {
    /// What is found of a kind, and whether it is open: by what it is about.
    async fn found(&self, code: &str) -> BTreeSet<(String, bool)> {
        let mut items: Vec<Item> = self.ledger().await;
        items.retain(|item| item["pk"] == "findings" && codes(item, "reason") == [code]);
        let about = |item: &Item| (item["artefact"].clone(), !item.contains_key("resolved_at"));
        items.iter().map(about).collect()
    }

    async fn all_found(&self) -> usize {
        self.ledger().await.iter().filter(|item| item["pk"] == "findings").count()
    }

    async fn retag(&self, region: &str, machine: &str, key: &str, value: &str) {
        let call = self.ec2(region).create_tags().resources(machine).tags(tag(key, value));
        call.send().await.expect("it is tagged");
    }
}

/// What is expected of [`Scene::found`].
fn only(about: &str, is_open: bool) -> BTreeSet<(String, bool)> {
    BTreeSet::from([(about.to_string(), is_open)])
}

#[test]
fn a_policy_that_matches_nothing_is_found_and_resolved_when_it_matches() {
    scene::play(async |scene| {
        scene.policies(ON_STOP).await;
        scene.pass(LOOK_MINUTES).await;
        let code = "policy-matches-nothing";
        assert_eq!(scene.found(code).await, only("policy gold", true));
        let machine = scene.machine(0).await;
        scene.pass(LOOK_MINUTES).await;
        assert_eq!(scene.found(code).await, only("policy gold", false));
        scene.retag(HOME, &machine, "backup", "none").await;
        scene.pass(LOOK_MINUTES).await;
        assert_eq!(scene.found(code).await, only("policy gold", true), "it is found again");
        assert_eq!(scene.all_found().await, 1);
        assert_eq!(scene.points().await.len(), 0);
    });
}

#[test]
fn a_machine_with_a_slip_in_its_tag_is_found_and_resolved_when_it_is_corrected() {
    scene::play(async |scene| {
        scene.machine(0).await;
        let slipped = scene.machine(0).await;
        scene.retag(HOME, &slipped, "backup", "Gold").await;
        scene.policies(ON_STOP).await;
        scene.pass(LOOK_MINUTES).await;
        let code = "looks-uncovered";
        assert_eq!(scene.found(code).await, only(&slipped, true));
        scene.stop(&slipped).await;
        scene.pass(LOOK_MINUTES).await;
        assert_eq!(scene.points().await.len(), 0, "a guess does not decide what is imaged");
        scene.retag(HOME, &slipped, "backup", "gold").await;
        scene.pass(LOOK_MINUTES).await;
        assert_eq!(scene.found(code).await, only(&slipped, false));
        assert_eq!(scene.points().await.len(), 1, "now it is covered, and it is stopped");
    });
}

#[test]
fn a_machine_where_only_replicas_go_is_found_once() {
    scene::play(async |scene| {
        scene.machine(0).await;
        let away = Launch { region: IRELAND, ..Launch::default() };
        let astray = scene.launch_one(away).await;
        scene.policies(ON_STOP).await;
        scene.pass(3 * LOOK_MINUTES).await;
        assert_eq!(scene.found("looks-uncovered").await, only(&astray, true));
        assert_eq!(scene.all_found().await, 1);
    });
}

#[test]
fn a_fleet_that_simply_has_other_tags_makes_no_noise() {
    scene::play(async |scene| {
        scene.machine(0).await;
        let others = scene.launch(Launch { count: 20, ..Launch::default() }).await;
        let tags = ["none", "no", "off"];
        for (machine, value) in others.iter().zip(tags.iter().cycle()) {
            scene.retag(HOME, machine, "backup", value).await;
            scene.retag(HOME, machine, "team", "gold").await;
        }
        scene.policies(ON_STOP).await;
        scene.pass(2 * LOOK_MINUTES).await;
        assert_eq!(scene.all_found().await, 0);
    });
}

#[test]
fn a_look_lists_the_machines_of_a_region_once() {
    scene::play(async |scene| {
        scene.machine(0).await;
        scene.policies(ON_STOP).await;
        scene.pass(LOOK_MINUTES).await;
        let before = scene.calls().len();
        scene.pass(120).await;
        let calls = scene.calls().split_off(before);
        let lists = |region: &str| {
            let of_sweep = calls.iter().filter(|call| call.principal.contains("reconcile-tick"));
            of_sweep.filter(|c| c.action == "DescribeInstances" && c.region == region).count()
        };
        // At home the sweep lists what is stopped as well, every five minutes.
        assert_eq!(lists(HOME), 24 + 2);
        assert_eq!(lists(IRELAND), 2);
    });
}
