//! The ledger against DynamoDB in the embedded cloud, by way of the real SDK.

mod downtimes;
mod leases;
mod policies;
mod reading;
mod records;
mod rounds;
mod stand_in;
mod stored;
mod summaries;
mod table;
mod unreadable;
mod writing;

use std::collections::BTreeSet;
use std::time::Duration;

use afterimage_aws::Ledger;
use afterimage_aws::ledger::{Lease, LeaseUse, Writer, Written};
use afterimage_cloud::faults::Rule;
use afterimage_cloud::trace::What;
use afterimage_cloud::{Cloud, Config};
use afterimage_core::command::Change;
use afterimage_core::ids::{InstanceId, Region};
use afterimage_core::work::{Kind, Queue};
use jiff::Timestamp;

const SEAT: &str = "us-east-1";
const AWAY: &str = "eu-west-1";
const TABLE: &str = "afterimage";

/// A world with a table and a ledger in it.
struct World {
    cloud: Cloud,
    ledger: Ledger,
}

fn world(scenario: impl AsyncFnOnce(World)) {
    world_with(|_| (), scenario);
}

fn world_with(knobs: impl FnOnce(&mut Config), scenario: impl AsyncFnOnce(World)) {
    let mut config = Config::seeded(1);
    knobs(&mut config);
    Cloud::run(config, async |cloud| {
        table::create(&cloud).await;
        let ledger = Ledger::new(&cloud.sdk_config(SEAT), TABLE, "first");
        scenario(World { cloud, ledger }).await;
    });
}

impl World {
    fn fault(&self, rule: Rule) {
        self.cloud.with(|model| model.faults.add(rule));
    }

    /// The requests that the service got while something was done, by their names.
    async fn requests<T>(&self, act: impl Future<Output = T>) -> (T, Vec<String>) {
        let before = self.cloud.with(|model| model.trace.entries().len());
        let result = act.await;
        let actions = self.cloud.with(|model| {
            let mut seen = BTreeSet::new();
            let since = model.trace.entries().iter().skip(before);
            let calls = since.filter(|entry| matches!(entry.what, What::Call | What::Fault));
            // What a fault struck is told twice, under one id.
            let once = calls.filter(|entry| seen.insert(entry.id.clone()));
            once.map(|entry| entry.action.clone()).collect()
        });
        (result, actions)
    }

    async fn write(&self, change: &Change, holder: &str) -> Written {
        self.write_with(change, LeaseUse::None, holder).await
    }

    async fn write_with(&self, change: &Change, lease: LeaseUse<'_>, holder: &str) -> Written {
        let mut writer = Writer::new(holder.to_string());
        let written = self.ledger.write(change, lease, &mut writer).await;
        written.expect("the ledger can be written")
    }

    async fn later(&self, secs: u64) {
        self.cloud.advance(Duration::from_secs(secs)).await;
    }
}

fn time(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

/// So many seconds into the first day of a year.
fn second(secs: i64) -> Timestamp {
    let begin = time("2026-01-01T00:00:00Z").as_second();
    Timestamp::from_second(begin + secs).expect("an instant")
}

fn region(name: &str) -> Region {
    Region::parse(name).expect("a region")
}

fn instance(number: usize) -> InstanceId {
    InstanceId::parse(&format!("i-{number:017x}")).expect("an instance id")
}

fn queue(kind: Kind, region_name: &str) -> Queue {
    Queue { region: region(region_name), kind }
}

fn lease(holder: &str, now: i64, until: i64) -> Lease {
    Lease {
        queue: queue(Kind::Snapshot, SEAT),
        holder: holder.to_string(),
        now: second(now),
        until: second(until),
    }
}
