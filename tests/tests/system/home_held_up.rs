//! Obstacles at home: calls that are refused to all alike, whoever the machine is. One is tried now
//! and then, the others wait; nothing is given up, nothing is stopped in vain.

use std::time::Duration;

use afterimage::system::Options;
use afterimage_cloud::Config;
use afterimage_cloud::faults::{Rule, When};
use afterimage_cloud::trace::{Entry, What};

use crate::economy::is_write;
use crate::scene::{self, HOME, Item, Launch, ON_STOP, Scene, Stage, codes};

const AN_HOUR: u64 = 60;

/// Seven policies that want the same machine at the same minute.
const SEVEN: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];

/// Machines that are stopped for their images every four hours.
const STOPPED: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{schedule: rate(4 hours), timezone: UTC}]
    consistency: stop-start
    stop_start: {at_once: 2, timeout: 15m}
";

impl Scene {
    /// Number of calls of an action at home, answered or not.
    pub fn tried(&self, action: &str) -> usize {
        let is_call = |entry: &&Entry| {
            matches!(entry.what, What::Call | What::Fault) && scene::is_ours(&entry.principal)
        };
        self.cloud.with(|model| {
            let calls = model.trace.entries().iter().filter(is_call);
            calls.filter(|call| call.action == action && call.region == HOME).count()
        })
    }

    /// Number of writes of the ledger so far.
    fn written(&self) -> usize {
        self.calls().iter().filter(|call| is_write(call)).count()
    }

    async fn all_protected(&self, count: usize) {
        let points = self.points().await;
        assert_eq!(points.len(), count, "{points:#?}");
        assert!(points.iter().all(|point| point["status"] == "protected"), "{points:#?}");
        assert_eq!(self.available(HOME).await.len(), count);
    }

    pub async fn told_of(&self, code: &str) -> Vec<Item> {
        let mut findings = self.findings().await;
        findings.retain(|finding| codes(finding, "reason") == [code]);
        findings
    }
}

/// Twenty machines stop while a call is refused to all for so long.
fn refused_for(action: &'static str, code: &'static str, hours: u64) {
    scene::play(async |scene| {
        let machines = scene.launch(Launch { count: 20, ..Launch::default() }).await;
        scene.policies(ON_STOP).await;
        scene.fault(Rule::fail(When::Before, 403, code).action(action));
        let stop = scene.ec2(HOME).stop_instances().set_instance_ids(Some(machines.clone()));
        stop.send().await.expect("the machines stop");
        scene.pass(6 * AN_HOUR).await;
        let tried = scene.tried(action);
        let mut writes = Vec::new();
        for _ in 0..(hours - 6) / 12 {
            let before = scene.written();
            scene.pass(12 * AN_HOUR).await;
            writes.push(scene.written() - before);
        }
        scene.pass((hours - 6) % 12 * AN_HOUR).await;
        let (all, after_six) = (scene.tried(action), scene.tried(action) - tried);
        println!("{action} {code} for {hours} h, 20 machines: {all} calls; writes {writes:?}");
        assert!(tried <= 14, "{tried} in six hours");
        let hours_after_six = usize::try_from(hours - 6).expect("small");
        assert!((1..=hours_after_six + 1).contains(&after_six), "one an hour: {after_six}");
        // A window may hold one look more than the one before it.
        let grows = |pair: &[usize]| pair[1] > pair[0] + pair[0] / 8;
        assert!(!writes.windows(2).any(grows), "it grows: {writes:?}");
        assert_eq!(scene.told_of("calls-held-up").await.len(), 1);
        scene.no_more_faults();
        scene.pass(2 * AN_HOUR).await;
        scene.all_protected(20).await;
        assert_eq!(scene.count("CreateSnapshots", HOME), 20, "those that were not refused");
        let told = scene.told_of("calls-held-up").await;
        assert!(told[0].contains_key("resolved_at"), "{told:#?}");
    });
}

#[test]
fn snapshots_that_are_forbidden_for_thirty_hours_are_tried_once_an_hour_and_then_made() {
    refused_for("CreateSnapshots", "UnauthorizedOperation", 30);
}

#[test]
fn while_the_quota_of_snapshots_is_full_one_set_is_tried_an_hour() {
    refused_for("CreateSnapshots", "SnapshotLimitExceeded", 8);
}

#[test]
fn registrations_that_are_forbidden_for_thirty_hours_are_tried_once_an_hour_and_then_made() {
    refused_for("RegisterImage", "UnauthorizedOperation", 30);
}

#[test]
fn a_call_that_ec2_does_not_accept_is_tried_again_and_told() {
    for (action, status) in [("CreateSnapshots", "requested"), ("RegisterImage", "ready")] {
        scene::play(async |scene| {
            let machine = scene.machine(0).await;
            scene.policies(ON_STOP).await;
            scene.fault(Rule::fail(When::Before, 400, "UnsupportedOperation").action(action));
            scene.stop(&machine).await;
            scene.pass(26 * AN_HOUR).await;
            let point = scene.the_point().await;
            assert_eq!(point["status"], status, "{point:#?}");
            assert_eq!(codes(&point, "reason"), ["call-refused"], "{point:#?}");
            let items = scene.ledger().await;
            let summary = items.iter().find(|item| item["sk"] == "machine").expect("a summary");
            let told = &summary["latest#gold"];
            assert!(told.contains("failures") && told.contains("next_at"), "{told}");
            scene.no_more_faults();
            scene.pass(25 * AN_HOUR).await;
            scene.assert_protected_once(1).await;
        });
    }
}

#[test]
fn while_snapshots_are_refused_no_machine_is_stopped_for_them() {
    let stage = Stage { options: Options::default().allowing_stop_start(), ..Stage::default() };
    scene::play_on(stage, async |scene| {
        scene.launch(Launch { count: 6, ..Launch::default() }).await;
        scene.policies(STOPPED).await;
        let forbidden = Rule::fail(When::Before, 403, "UnauthorizedOperation");
        scene.fault(forbidden.action("CreateSnapshots"));
        scene.pass(16 * AN_HOUR).await;
        let (stops, starts) = scene.powered();
        println!("6 machines, four slots, snapshots refused: {stops} stops");
        assert_eq!(stops, starts, "what was stopped runs again");
        // The first two were down together when the first refusal came.
        assert!(stops <= 2, "{stops} stops in vain");
        scene.no_more_faults();
        scene.pass(9 * AN_HOUR).await;
        let states = scene.states().await;
        assert!(states.values().all(|state| state == "running"), "{states:?}");
        assert!(scene.available(HOME).await.len() >= 6, "they are stopped again");
    });
}

#[test]
fn policies_that_want_one_machine_at_one_time_keep_to_what_ec2_allows_a_volume() {
    scene::play(async |scene| {
        scene.machine(0).await;
        let policy = |name: &str| {
            format!(
                "  {name}:\n    select: {{regions: [us-east-1], tags: {{backup: gold}}}}\n    \
                 triggers: [{{schedule: cron(15 0 * * ? *), timezone: UTC}}]\n"
            )
        };
        scene.policies(&format!("policies:\n{}", SEVEN.map(policy).concat())).await;
        scene.pass(90).await;
        let refused: Vec<String> = scene
            .calls()
            .into_iter()
            .filter(|call| call.action == "CreateSnapshots" && call.outcome != "ok")
            .map(|call| call.outcome)
            .collect();
        assert_eq!(refused, [""; 0], "refused by EC2");
        scene.all_protected(7).await;
    });
}

#[test]
fn a_fleet_with_more_snapshots_than_may_be_pending_waits_without_asking_again_and_again() {
    let mut stage = Stage { config: Config::seeded(1), ..Stage::default() };
    stage.config.limits.pending_snapshots_per_region = 20;
    scene::play_on(stage, async |scene| {
        let machines = scene.launch(Launch { count: 50, ..Launch::default() }).await;
        scene.policies(ON_STOP).await;
        let stop = scene.ec2(HOME).stop_instances().set_instance_ids(Some(machines));
        stop.send().await.expect("the machines stop");
        let (minute, hour) = (Duration::from_secs(60), Duration::from_secs(3600));
        let begun = scene.cloud.now();
        let is_done = async |scene: &Scene| scene.available(HOME).await.len() == 50;
        scene.pass_until(minute, hour, is_done).await;
        let minutes = scene.cloud.now().since(begun).as_secs() / 60;
        let refused = scene.tried("CreateSnapshots") - 50;
        println!("50 sets, 20 at a time: {minutes} minutes, {refused} calls refused");
        assert!(refused <= usize::try_from(minutes).expect("small"), "{refused} refused");
        scene.pass(30).await;
        scene.all_protected(50).await;
    });
}

/// Machines are to be stopped for their images while snapshots are not answered, for longer than
/// the windows of their points.
fn unanswered(fault: Rule) {
    let stage = Stage { options: Options::default().allowing_stop_start(), ..Stage::default() };
    scene::play_on(stage, async |scene| {
        scene.launch(Launch { count: 6, ..Launch::default() }).await;
        scene.policies(&STOPPED.replace("rate(4 hours)", "cron(0 4 * * ? *)")).await;
        scene.fault(fault.action("CreateSnapshots"));
        scene.pass(16 * AN_HOUR).await;
        let tried = scene.tried("CreateSnapshots");
        let (stops, starts) = scene.powered();
        println!("6 machines, 12 h without an answer: {tried} tries, {stops} stops");
        assert_eq!(stops, starts, "what was stopped runs again");
        assert!(stops <= 2, "{stops} stops in vain");
        // While the waits double, and then one an hour.
        assert!(tried <= 8 + 12, "{tried} tries");
        for point in scene.points().await {
            assert_eq!(point["status"], "missed", "{point:#?}");
            let why = &point["reason"];
            assert!(why.contains("all snapshots in us-east-1 wait since"), "{why}");
            assert!(why.contains("(outcome-unknown)"), "the last answer: {why}");
        }
        scene.no_more_faults();
        scene.pass(14 * AN_HOUR).await;
        assert_eq!(scene.available(HOME).await.len(), 6, "the next night");
    });
}

#[test]
fn while_snapshots_are_not_answered_stops_are_tried_in_turn_and_missed_with_the_reason() {
    unanswered(Rule::time_out(When::Before));
}

#[test]
fn while_snapshots_fail_at_ec2_stops_are_tried_in_turn_and_missed_with_the_reason() {
    unanswered(Rule::fail(When::Before, 503, "Unavailable"));
}
