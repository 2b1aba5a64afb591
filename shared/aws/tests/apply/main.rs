//! Decisions carried out in the embedded cloud: what is called, what is written, and in which
//! order.

mod consuming;
mod creating;
mod outdone;
mod waking;

use std::time::Duration;

use afterimage_aws::apply::apply_leased;
use afterimage_aws::ledger::{Lease, LeaseUse, Writer, Written};
use afterimage_aws::{Aws, Context};
use afterimage_cloud::trace::{Entry, What};
use afterimage_cloud::{Cloud, Time};
use afterimage_core::command::{Change, Command, Decision};
use afterimage_core::flow::{WorkRequested, work_requested};
use afterimage_core::policy;
use afterimage_core::work::{Kind, Queue};
use afterimage_core::worker::Worker;
use afterimage_support::{SEAT, machines, records, worker};
use jiff::SignedDuration;

/// The policy of the points.
const GOLD: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{on: tag}]
";

fn queue() -> Queue {
    Queue { region: records::region(SEAT), kind: Kind::Snapshot }
}

/// An invocation with so much time.
fn context(aws: &Aws, secs: i64) -> Context {
    let now = aws.clock.now();
    let deadline = now + SignedDuration::from_secs(secs);
    Context { now, deadline, request_id: "request".to_string() }
}

/// What a worker decides on whose queue holds points of so many machines: to take their snapshots.
async fn snapshots_of(cloud: &Cloud, aws: &Aws, count: i32) -> Decision {
    let policies = policy::file::read(GOLD).unwrap_or_else(|problems| panic!("{problems:#?}"));
    for policy in &policies {
        aws.ledger.put_policy(policy, aws.clock.now()).await.expect("it is written");
    }
    let config = cloud.sdk_config(SEAT);
    let machines = machines::launch(&config, count, ("backup", "gold")).await;
    cloud.advance(Duration::from_secs(60)).await;
    for machine in &machines {
        let point = records::requested("gold", machine, aws.clock.now());
        records::put(&aws.ledger, point).await;
    }
    let event = WorkRequested { queue: queue(), hop: 0 };
    let mut woken = Worker::new(&event, aws.clock.now(), context(aws, 900).deadline);
    let input = worker::next_input(aws, &mut woken).await.expect("the ledger is read");
    let mut decision = work_requested::decide(&input.expect("nobody else is at it"));
    // The scenarios of a ledger that went back are about the marks of its rounds.
    decision.commands.retain(|command| !matches!(command, Command::Mark(_)));
    assert_eq!(decision.commands.len(), machines.len(), "{decision:#?}");
    let (context, nothing) = (context(aws, 900), Decision::default());
    let given_back = apply_leased(aws, &context, nothing, woken.lease()).await;
    given_back.expect("the ledger is written");
    decision
}

/// Whether a worker of another execution environment may take the queue's lease; it keeps it then.
async fn is_free(aws: &Aws) -> bool {
    let now = aws.clock.now();
    let until = now + SignedDuration::from_secs(240);
    let lease = Lease { queue: queue(), holder: "another".to_string(), now, until };
    let nothing = Change { writes: Vec::new(), summary: None };
    let mut writer = Writer::new("another".to_string());
    let written = aws.ledger.write(&nothing, LeaseUse::Take(&lease), &mut writer).await;
    written.expect("the ledger is written") == Written::Done
}

/// The calls that changed anything or were to, since then.
fn deeds(cloud: &Cloud, since: Time) -> Vec<Entry> {
    cloud.with(|model| {
        let calls = model.trace.entries().iter().filter(|entry| entry.what == What::Call);
        let reads = ["Describe", "Get", "Query", "BatchGet"];
        let deeds = calls.filter(|call| !reads.iter().any(|read| call.action.starts_with(read)));
        deeds.filter(|call| call.at >= since).cloned().collect()
    })
}

fn actions(deeds: &[Entry]) -> Vec<&str> {
    deeds.iter().map(|deed| deed.action.as_str()).collect()
}

/// The writes that take, keep or give back the lease.
fn of_lease(deeds: &[Entry]) -> Vec<&Entry> {
    deeds.iter().filter(|deed| deed.detail.to_string().contains("lease#")).collect()
}
