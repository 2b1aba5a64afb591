//! Wakes: sent last, each once, ten in a request.

use std::collections::BTreeSet;
use std::time::Duration;

use afterimage_aws::apply::apply;
use afterimage_cloud::Cloud;
use afterimage_cloud::faults::{Rule, When};
use afterimage_cloud::trace::What;
use afterimage_core::command::{Command, Decision, Wake};
use afterimage_core::ids::REGIONS;
use afterimage_core::work::{Kind, Queue};
use afterimage_support::{in_process, records};
use serde_json::{Value, json};

use super::{actions, context, deeds, snapshots_of};

fn wake(region: &str, hop: u32) -> Command {
    let queue = Queue { region: records::region(region), kind: Kind::Copy };
    Command::Wake(Wake { queue, hop })
}

/// What our own events that reached the bus say.
async fn told(cloud: &Cloud) -> Vec<Value> {
    cloud.advance(Duration::from_secs(10)).await;
    cloud.with(|model| {
        let events = model.trace.entries().iter().filter(|entry| entry.what == What::Event);
        let ours = events.filter(|event| event.action == "Work Requested");
        ours.map(|event| event.detail["detail"].clone()).collect()
    })
}

#[test]
fn an_event_of_ours_names_the_queue_and_the_hop() {
    in_process(async |cloud, aws| {
        let decision = Decision { commands: vec![wake("eu-west-1", 3)], explanations: Vec::new() };
        apply(&aws, &context(&aws, 300), decision).await.expect("the bus takes it");
        assert_eq!(
            told(&cloud).await,
            [json!({ "region": "eu-west-1", "kind": "copy", "hop": 3 })]
        );
    });
}

#[test]
fn every_queue_is_woken_once_and_ten_in_one_request() {
    in_process(async |cloud, aws| {
        let regions = REGIONS.iter().take(23);
        let commands = regions.clone().chain(regions).map(|region| wake(region, 0)).collect();
        let begun = cloud.now();
        let decision = Decision { commands, explanations: Vec::new() };
        apply(&aws, &context(&aws, 300), decision).await.expect("the bus takes them");
        assert_eq!(actions(&deeds(&cloud, begun)), ["PutEvents"; 3]);
        let told = told(&cloud).await;
        let distinct: BTreeSet<&str> =
            told.iter().filter_map(|detail| detail["region"].as_str()).collect();
        assert_eq!((told.len(), distinct.len()), (23, 23));
    });
}

#[test]
fn a_successor_is_woken_when_there_is_no_time_left() {
    in_process(async |cloud, aws| {
        let decision = Decision { commands: vec![wake("eu-west-1", 1)], explanations: Vec::new() };
        apply(&aws, &context(&aws, 5), decision).await.expect("the bus takes it");
        assert_eq!(told(&cloud).await.len(), 1);
    });
}

#[test]
fn wakes_are_sent_also_when_something_failed() {
    in_process(async |cloud, aws| {
        let mut decision = snapshots_of(&cloud, &aws, 1).await;
        decision.commands.insert(0, wake("eu-west-1", 0));
        // What was written before the failure has its wake at the end.
        decision.commands.push(wake("eu-west-2", 0));
        let broken =
            Rule::fail(When::Before, 500, "InternalServerError").action("TransactWriteItems");
        cloud.with(|model| model.faults.add(broken));
        let failure = apply(&aws, &context(&aws, 900), decision).await.expect_err("it is broken");
        assert_eq!(failure.code(), "ledger-unavailable");
        assert_eq!(told(&cloud).await.len(), 2);
    });
}

#[test]
fn a_bus_that_takes_nothing_is_a_failure() {
    in_process(async |cloud, aws| {
        let broken = Rule::fail(When::Before, 500, "InternalException").action("PutEvents");
        cloud.with(|model| model.faults.add(broken));
        let decision = Decision { commands: vec![wake("eu-west-1", 0)], explanations: Vec::new() };
        let failure = apply(&aws, &context(&aws, 300), decision).await.expect_err("it is broken");
        assert_eq!(failure.code(), "bus-unavailable");
        assert!(failure.is_retryable());
    });
}
