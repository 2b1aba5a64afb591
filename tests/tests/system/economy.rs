//! What it costs, asserted on the trace: the EC2 API is the bottleneck of every account.

use std::collections::BTreeMap;

use afterimage_cloud::faults::{Rule, When};
use afterimage_cloud::trace::Entry;

use crate::scene::{self, FRANKFURT, HOME, IRELAND, Launch, NIGHTLY, ON_STOP};

/// The most write requests to the ledger for one point, from the request to its last replica.
const WRITES_MAX: usize = 18;
/// The most write requests to the ledger for 200 points that are due together.
const WRITES_TOGETHER_MAX: usize = 200 * 13;
/// The most describes of a region for 200 machines that are due together.
const DESCRIBES_MAX: usize = 10;

/// Tells whether a call writes the ledger.
pub fn is_write(call: &Entry) -> bool {
    let writes = ["PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"];
    call.service == "dynamodb" && writes.contains(&call.action.as_str())
}

#[test]
fn a_machine_with_two_volumes_and_two_replicas_costs_four_creating_calls_and_no_create_tags() {
    scene::play(async |scene| {
        scene.machine(1).await;
        scene.policies(NIGHTLY).await;
        scene.pass(60).await;
        scene.assert_protected_once(2).await;
        let mut made: BTreeMap<String, usize> = BTreeMap::new();
        let asks = ["Describe", "Get", "List"];
        for call in scene.calls() {
            let asks = asks.iter().any(|verb| call.action.starts_with(verb));
            if call.service == "ec2" && !asks {
                *made.entry(format!("{} {}", call.action, call.region)).or_default() += 1;
            }
        }
        let expected = [
            (format!("CopyImage {FRANKFURT}"), 1),
            (format!("CopyImage {IRELAND}"), 1),
            (format!("CreateSnapshots {HOME}"), 1),
            (format!("RegisterImage {HOME}"), 1),
        ];
        assert_eq!(made, BTreeMap::from(expected));
    });
}

#[test]
fn a_point_costs_at_most_eighteen_writes_of_the_ledger() {
    for (policies, grade) in [(NIGHTLY, "crash"), (ON_STOP, "at-rest")] {
        scene::play(async |scene| {
            let machine = scene.machine(1).await;
            scene.policies(policies).await;
            // Before that the sweep has looked through what carries our tag, as it does every hour.
            scene.pass(10).await;
            let before = scene.calls().len();
            if policies == ON_STOP {
                scene.stop(&machine).await;
            }
            scene.pass(40).await;
            scene.assert_protected_once(2).await;
            assert_eq!(scene.available(HOME).await[0].tags["afterimage:grade"], grade);
            let calls = scene.calls().split_off(before);
            let writes: Vec<String> = calls
                .iter()
                .filter(|call| is_write(call))
                .map(|call| {
                    format!("{} {} {} {}", call.at, call.principal, call.action, call.detail)
                })
                .collect();
            println!("{grade}: {} write requests", writes.len());
            assert!(writes.len() <= WRITES_MAX, "{}: {writes:#?}", writes.len());
        });
    }
}

#[test]
fn two_hundred_machines_due_together_cost_at_most_ten_describes_of_a_region() {
    scene::play(async |scene| {
        for _ in 0..4 {
            scene.launch(Launch { count: 50, ..Launch::default() }).await;
        }
        scene.policies(NIGHTLY).await;
        // Before that the sweep has looked through what carries our tag, as it does every hour.
        scene.pass(10).await;
        let due = scene.cloud.now();
        scene.pass(48).await;
        let points = scene.points().await;
        assert_eq!(points.len(), 200);
        let unfinished = points.iter().filter(|point| point["status"] != "protected").count();
        assert_eq!(unfinished, 0, "of 200");
        let calls = scene.calls();
        for region in [HOME, IRELAND, FRANKFURT] {
            let describes: Vec<String> = calls
                .iter()
                .filter(|call| call.region == region && call.action.starts_with("Describe"))
                .filter(|call| call.service == "ec2" && call.at >= due)
                .map(|call| format!("{} {}", call.at, call.action))
                .collect();
            println!("{region}: {} describes", describes.len());
            assert!(describes.len() <= DESCRIBES_MAX, "{region}: {describes:#?}");
            assert!(!describes.is_empty(), "{region}: nobody asked anything");
        }
        let writes = calls.iter().filter(|call| is_write(call)).count();
        println!("{writes} write requests for 200 points");
        assert!(writes <= WRITES_TOGETHER_MAX, "{writes}");
    });
}

#[test]
fn an_idle_tick_is_one_read_of_the_ledger() {
    scene::play(async |scene| {
        scene.machine(0).await;
        scene.policies(NIGHTLY).await;
        // The first tick after `apply` has nothing to remember: apply has begun the schedule.
        let before = scene.calls().len();
        scene.pass(10).await;
        let calls = scene.calls().split_off(before);
        let ticks = calls.iter().filter(|call| call.principal.contains("backup-tick"));
        let told: Vec<&str> = ticks.map(|call| call.action.as_str()).collect();
        assert!((9..=11).contains(&told.len()), "one for each tick: {told:?}");
        assert!(told.iter().all(|action| *action == "Query"), "{told:?}");
    });
}

/// The most invocations of the worker in a minute while the ledger refuses what it writes: its
/// queues, with Lambda's tries.
const REFUSED_MAX: usize = 12;

/// A worker whose writes are refused, while an image is lost, tries on, and does not multiply.
fn workers_while_refused(action: &'static str) {
    scene::play(async |scene| {
        scene.protect_one(ON_STOP).await;
        let refused = Rule::fail(When::Before, 400, "AccessDeniedException").action(action);
        scene.fault(refused.principal("*WorkRequested*"));
        scene.delete_images(HOME, false).await;
        for minute in 0..40 {
            let before = scene.ends("work-requested").len();
            scene.pass(1).await;
            let tries = scene.ends("work-requested").len() - before;
            assert!(tries <= REFUSED_MAX, "{tries} invocations in minute {minute}");
        }
        scene.no_more_faults();
        scene.pass(2 * 60).await;
        assert_eq!(scene.the_point().await["status"], "protected");
    });
}

#[test]
fn workers_do_not_multiply_while_the_ledger_refuses_an_item() {
    workers_while_refused("PutItem");
}

#[test]
fn workers_do_not_multiply_while_the_ledger_refuses_a_transaction() {
    workers_while_refused("TransactWriteItems");
}
