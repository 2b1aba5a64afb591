//! Slots that wait for their machine to stop, and slots that came while nothing ran.

use std::time::Duration;

use afterimage_cloud::faults::Rule;
use serde_json::json;

use crate::scene::{self, HOME, Item, Launch, ON_STOP, Scene, codes, disk};

/// At a quarter past midnight, for two hours, into two regions.
const AT_REST: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{schedule: cron(15 0 * * ? *), timezone: UTC, window: 2h}]
    consistency: at-rest
    replicate: [{region: eu-west-1}, {region: eu-central-1}]
";

/// Once an hour, as its machines are.
const HOURLY: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{schedule: rate(1 hour), timezone: UTC, catch_up: latest}]
";

const WINDOW: u64 = 120;
/// Long enough for an image in three regions, by the sweep alone.
const AN_HOUR: u64 = 60;

impl Scene {
    /// A machine that runs, and whose slot has come ten minutes ago.
    async fn waiting(&self) -> String {
        let machine = self.machine(1).await;
        self.policies(AT_REST).await;
        self.pass(24).await;
        self.assert_waits().await;
        machine
    }

    async fn assert_waits(&self) {
        let point = self.the_point().await;
        assert_eq!(point["status"], "requested", "{point:#?}");
        assert_eq!(codes(&point, "reason"), ["waits-for-stop"], "{point:#?}");
        assert!(self.snapshots(HOME).await.is_empty());
    }

    async fn assert_at_rest(&self) {
        self.assert_protected_once(2).await;
        let point = self.the_point().await;
        assert_eq!(point["grade"], "at-rest", "{point:#?}");
        assert_eq!(self.count("CreateSnapshots", HOME), 1);
    }

    async fn assert_missed(&self, why: &str) {
        let point = self.the_point().await;
        assert_eq!(point["status"], "missed", "{point:#?}");
        assert!(point["reason"].contains(why), "{point:#?}");
        assert!(self.snapshots(HOME).await.is_empty());
    }

    /// Takes so long until a worker of snapshots hears that it is wanted.
    fn delay_worker(&self, minutes: u64) {
        let late = minutes * 60_000;
        self.fault(Rule::delay(late..=late).detail(json!({"kind": "snapshot"})).times(1));
    }

    /// Has the tick of every minute come, or not.
    async fn tick(&self, on: bool) {
        let client = aws_sdk_eventbridge::Client::new(&self.cloud.sdk_config(HOME));
        let listed = client.list_rules().send().await.expect("rules are listed");
        let names = listed.rules().iter().filter_map(|rule| rule.name());
        let name = names.filter(|name| name.contains("BackupTick")).collect::<Vec<_>>();
        let [name] = name[..] else { panic!("{name:?}") };
        match on {
            true => drop(client.enable_rule().name(name).send().await.expect("it is enabled")),
            false => drop(client.disable_rule().name(name).send().await.expect("it is disabled")),
        }
    }
}

#[test]
fn a_slot_waits_for_its_machine_and_is_imaged_when_it_stops() {
    scene::play(async |scene| {
        let machine = scene.waiting().await;
        let written = async || scene.the_point().await["version"].clone();
        let (before, workers) = (written().await, scene.ends("work-requested").len());
        scene.pass(AN_HOUR).await;
        // It costs nothing but looks at the machine.
        assert_eq!(written().await, before);
        assert_eq!(scene.ends("work-requested").len(), workers);
        scene.stop(&machine).await;
        scene.pass(1).await;
        let made = scene.the_point().await;
        assert_eq!((made["status"].as_str(), made["grade"].as_str()), ("snapshotted", "at-rest"));
        scene.pass(AN_HOUR).await;
        scene.assert_at_rest().await;
    });
}

#[test]
fn a_stop_of_which_no_event_tells_is_seen_by_the_sweep() {
    scene::play(async |scene| {
        let machine = scene.waiting().await;
        scene.fault(Rule::lose().detail_type("EC2 Instance State-change Notification"));
        scene.stop(&machine).await;
        scene.pass(6).await;
        assert!(scene.ends("instance-state-changed").is_empty(), "it has heard of the stop");
        assert_eq!(scene.count("CreateSnapshots", HOME), 1, "the sweep comes every five minutes");
        scene.pass(AN_HOUR).await;
        scene.assert_at_rest().await;
    });
}

#[test]
fn a_machine_that_is_stopped_already_does_not_wait() {
    scene::play(async |scene| {
        let machine = scene.machine(1).await;
        scene.policies(AT_REST).await;
        scene.stop(&machine).await;
        scene.pass(14).await;
        assert_eq!(scene.count("CreateSnapshots", HOME), 1);
        scene.pass(AN_HOUR).await;
        scene.assert_at_rest().await;
    });
}

#[test]
fn a_slot_whose_machine_does_not_stop_is_missed_when_its_window_closes() {
    scene::play(async |scene| {
        let machine = scene.waiting().await;
        scene.pass(WINDOW - 15).await;
        scene.assert_waits().await;
        scene.pass(15).await;
        scene.assert_missed("window-closed").await;
        // What is missed stays so.
        scene.stop(&machine).await;
        scene.pass(AN_HOUR).await;
        scene.assert_missed("window-closed").await;
    });
}

#[test]
fn a_machine_that_is_gone_is_no_longer_waited_for() {
    scene::play(async |scene| {
        let machine = scene.waiting().await;
        let terminated = scene.ec2(HOME).terminate_instances().instance_ids(&machine);
        terminated.send().await.expect("the machine is terminated");
        scene.pass(8).await;
        scene.assert_missed("machine-gone").await;
    });
}

#[test]
fn a_machine_that_is_started_again_before_its_snapshots_are_begun_is_waited_for_once_more() {
    scene::play(async |scene| {
        let machine = scene.waiting().await;
        scene.delay_worker(3);
        scene.stop(&machine).await;
        scene.start(&machine).await;
        scene.pass(10).await;
        assert_eq!(scene.strikes(), [1], "the worker was late");
        scene.assert_waits().await;
        scene.stop(&machine).await;
        scene.pass(AN_HOUR).await;
        scene.assert_at_rest().await;
    });
}

#[test]
fn who_asks_for_the_image_of_a_stop_misses_it_when_the_machine_is_started_again() {
    scene::play(async |scene| {
        let machine = scene.machine(1).await;
        scene.policies(&format!("{ON_STOP}    consistency: at-rest\n")).await;
        // The first wake is for the hint of the stop, the second for the point.
        let late = 3 * 60_000;
        scene.fault(Rule::delay(late..=late).detail(json!({"kind": "snapshot"})).nth(2));
        scene.stop(&machine).await;
        scene.start(&machine).await;
        scene.pass(10).await;
        scene.assert_missed("started-again").await;
        // The next stop is another one.
        scene.stop(&machine).await;
        scene.pass(AN_HOUR).await;
        let points = by_name(&scene).await;
        let states: Vec<&str> = points.iter().map(|point| point["status"].as_str()).collect();
        assert_eq!(states, ["missed", "protected"]);
    });
}

#[test]
fn a_stop_that_is_over_before_a_worker_looks_asks_for_nothing() {
    scene::play(async |scene| {
        let machine = scene.machine(1).await;
        scene.policies(ON_STOP).await;
        scene.delay_worker(3);
        scene.stop(&machine).await;
        scene.start(&machine).await;
        scene.pass(10).await;
        assert_eq!(scene.strikes(), [1], "the worker was late");
        assert!(scene.points().await.is_empty());
        let hints = scene.ledger().await;
        assert!(!hints.iter().any(|item| item["pk"].starts_with("hints#")), "{hints:#?}");
        scene.stop(&machine).await;
        scene.pass(AN_HOUR).await;
        scene.assert_at_rest().await;
    });
}

#[test]
fn a_hibernated_machine_is_imaged_for_what_it_is() {
    scene::play(async |scene| {
        let disks = vec![disk("/dev/xvda", Some("alias/aws/ebs"))];
        let launch = Launch { disks, can_hibernate: true, ..Launch::default() };
        let machine = scene.launch_one(launch).await;
        scene.policies(AT_REST).await;
        scene.pass(24).await;
        scene.assert_waits().await;
        let stopped = scene.ec2(HOME).stop_instances().instance_ids(&machine).hibernate(true);
        stopped.send().await.expect("the machine hibernates");
        scene.pass(AN_HOUR).await;
        scene.assert_protected_once(1).await;
        let point = scene.the_point().await;
        assert_eq!(point["grade"], "crash", "{point:#?}");
        assert_eq!(codes(&point, "findings"), ["hibernated"], "{point:#?}");
    });
}

/// The points after three hours in which no tick came, over which three slots have passed.
async fn after_an_outage(scene: &Scene, policies: &str) -> Vec<Item> {
    scene.machine(0).await;
    scene.policies(policies).await;
    scene.pass(90).await;
    scene.tick(false).await;
    scene.pass(180).await;
    scene.tick(true).await;
    scene.pass(AN_HOUR).await;
    by_name(scene).await
}

async fn by_name(scene: &Scene) -> Vec<Item> {
    let mut points = scene.points().await;
    points.sort_by(|one, other| one["sk"].cmp(&other["sk"]));
    points
}

/// When they were due, and what became of them.
fn told(points: &[Item]) -> Vec<(&str, &str)> {
    let due = points.iter().map(|point| point["sk"].rsplit('-').next().unwrap_or_default());
    due.zip(points.iter().map(|point| point["status"].as_str())).collect()
}

#[test]
fn slots_that_came_while_nothing_ran_are_made_up_for_by_the_last_one() {
    scene::play(async |scene| {
        let points = after_an_outage(&scene, HOURLY).await;
        let expected = [
            ("20260101T010000Z", "protected"),
            ("20260101T040000Z", "protected"),
            ("20260101T050000Z", "protected"),
        ];
        assert_eq!(told(&points), expected);
        assert_eq!(codes(&points[1], "findings"), ["slots-collapsed"], "{:#?}", points[1]);
        assert!(points[1]["findings"].contains("2 earlier slots"), "{:#?}", points[1]);
        assert!(!points[2].contains_key("findings"), "{:#?}", points[2]);
    });
}

#[test]
fn slots_that_came_while_nothing_ran_are_recorded_where_none_is_to_be_made_up_for() {
    scene::play(async |scene| {
        let points = after_an_outage(&scene, &HOURLY.replace("latest", "none")).await;
        let expected = [
            ("20260101T010000Z", "protected"),
            ("20260101T040000Z", "missed"),
            ("20260101T050000Z", "protected"),
        ];
        assert_eq!(told(&points), expected);
        assert_eq!(codes(&points[1], "reason"), ["slots-missed"], "{:#?}", points[1]);
        assert!(points[1]["reason"].contains("and 2 before it"), "{:#?}", points[1]);
        assert_eq!(scene.count("CreateSnapshots", HOME), 2);
    });
}

#[test]
fn a_machine_that_is_terminated_as_soon_as_it_has_stopped_has_missed_its_point() {
    scene::play(async |scene| {
        let machine = scene.machine(0).await;
        scene.policies(ON_STOP).await;
        scene.pass(8).await;
        let call = scene.ec2(HOME).stop_instances().instance_ids(&machine);
        call.send().await.expect("it stops");
        let is_stopped = async |scene: &Scene| scene.states().await[&machine] == "stopped";
        let (moment, bound) = (Duration::from_millis(100), Duration::from_secs(120));
        scene.pass_until(moment, bound, is_stopped).await;
        let call = scene.ec2(HOME).terminate_instances().instance_ids(&machine);
        call.send().await.expect("it is terminated");
        scene.pass(30).await;
        let point = scene.the_point().await;
        assert_eq!(point["status"], "missed", "{point:#?}");
        assert_eq!(codes(&point, "reason"), ["machine-gone"], "{point:#?}");
        assert!(scene.images(HOME).await.is_empty());
    });
}
