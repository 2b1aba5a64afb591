//! What each flow gets to know, and in how few calls, against the embedded cloud.

mod events;
mod sweep;
mod ticks;
mod work;

#[path = "../ledger/table.rs"]
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use afterimage_aws::ledger::{LeaseUse, Writer, Written};
use afterimage_aws::{Aws, Context, Environment};
use afterimage_cloud::trace::What;
use afterimage_cloud::{Cloud, Config};
use afterimage_core::command::{Change, Cursor, Write};
use afterimage_core::ids::{AccountId, InstanceId, PolicyName, Region};
use afterimage_core::names::TAG_ASK;
use afterimage_core::point::{Plan, Point};
use afterimage_core::policy::{Consistency, file};
use afterimage_core::request_counter::RequestCounter;
use afterimage_core::slot::{Occasion, Slot};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Filter, InstanceType, ResourceType, Tag, TagSpecification};
use jiff::{SignedDuration, Timestamp};

const SEAT: &str = "us-east-1";
const AWAY: &str = "eu-west-1";
const TABLE: &str = "afterimage";

/// A world with a table, and a function that has started in it.
struct World {
    cloud: Cloud,
    aws: Aws,
}

fn world(scenario: impl AsyncFnOnce(World)) {
    world_with(|_| (), scenario);
}

fn world_with(knobs: impl FnOnce(&mut Config), scenario: impl AsyncFnOnce(World)) {
    let mut config = Config::seeded(1);
    knobs(&mut config);
    Cloud::run(config, async |cloud| {
        table::create(&cloud).await;
        let aws = started(&cloud, "first");
        scenario(World { cloud, aws }).await;
    });
}

fn started(cloud: &Cloud, stream: &str) -> Aws {
    let environment = Environment {
        table: TABLE.to_string(),
        bus: "afterimage".to_string(),
        account: AccountId::parse("123456789012").expect("it is an account"),
        seat: region(SEAT),
        stream: stream.to_string(),
        function: "afterimage-here".to_string(),
        stop_start_at_once: 0,
        allow_reboot: false,
        heal_gib_per_day: 1024,
        template: None,
    };
    Aws::start(environment, &cloud.sdk_config(SEAT))
}

fn region(name: &str) -> Region {
    Region::parse(name).expect("it is a region")
}

fn secs(secs: i64) -> SignedDuration {
    SignedDuration::from_secs(secs)
}

impl World {
    fn now(&self) -> Timestamp {
        self.aws.clock.now()
    }

    /// An invocation that begins now and may take fifteen minutes.
    fn context(&self) -> Context {
        self.context_for(secs(900))
    }

    fn context_for(&self, time: SignedDuration) -> Context {
        let (now, request_id) = (self.now(), "request".to_string());
        Context { now, deadline: now + time, request_id }
    }

    /// Everything was looked through just now, and found as it should be.
    async fn looked(&self) {
        let (unaudited, unread, still) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let looked = self.aws.ledger.looked(self.now(), &unaudited, &unread, &still);
        looked.await.expect("it is written");
    }

    async fn later(&self, secs: u64) {
        self.cloud.advance(Duration::from_secs(secs)).await;
    }

    fn darken(&self, region: &str) {
        self.cloud.with(|model| model.dark_regions.insert(region.to_string()));
    }

    /// The requests that were sent while something was done, by their actions.
    async fn requests<T>(&self, act: impl Future<Output = T>) -> (T, BTreeMap<String, usize>) {
        let before = self.cloud.with(|model| model.trace.entries().len());
        let result = act.await;
        let requests = self.cloud.with(|model| {
            let (mut seen, mut requests) = (BTreeSet::new(), BTreeMap::new());
            for entry in model.trace.entries().iter().skip(before) {
                let request = matches!(entry.what, What::Call | What::Fault);
                if request && seen.insert(entry.id.clone()) {
                    *requests.entry(entry.action.clone()).or_default() += 1;
                }
            }
            requests
        });
        (result, requests)
    }

    /// Puts policies in force, each of whose schedules was looked after an hour ago.
    async fn policies(&self, yaml: &str) {
        let policies = file::read(yaml).expect("the policies are right");
        for policy in &policies {
            self.aws.ledger.put_policy(policy, self.now()).await.expect("it is written");
            for region in &policy.select.regions {
                self.aws.ledger.put_region(region).await.expect("it is written");
            }
        }
    }

    async fn cursor(&self, policy: &str, schedule: &str, done_until: Timestamp) -> Cursor {
        let policy = PolicyName::parse(policy).expect("it is a name");
        let schedule = schedule.to_string();
        let cursor = Cursor { policy, schedule, region: None, done_until };
        self.aws.ledger.advance(&cursor).await.expect("it is written");
        cursor
    }

    /// A machine with this tag that runs in a region.
    async fn machine(&self, region: &str, key: &str) -> InstanceId {
        let ec2 = Client::new(&self.cloud.sdk_config(region));
        let linux = Filter::builder().name("name").values("al2023-ami-*-x86_64").build();
        let images = ec2.describe_images().filters(linux).send().await.expect("it is answered");
        let image = images.images()[0].image_id().expect("it has an id").to_string();
        let tag = Tag::builder().key(key).value("gold").build();
        let tags = TagSpecification::builder().resource_type(ResourceType::Instance).tags(tag);
        let launched = ec2
            .run_instances()
            .image_id(image)
            .instance_type(InstanceType::T3Micro)
            .min_count(1)
            .max_count(1)
            .tag_specifications(tags.build())
            .send()
            .await
            .expect("a machine is launched");
        self.later(60).await;
        let id = launched.instances()[0].instance_id().expect("it has an id");
        InstanceId::parse(id).expect("it is an id")
    }

    /// Puts a request on a machine at the seat.
    async fn ask(&self, instance: &InstanceId, policy: &str) {
        let tag = Tag::builder().key(TAG_ASK).value(policy).build();
        let call = Client::new(&self.cloud.sdk_config(SEAT)).create_tags();
        let call = call.resources(instance.as_str()).tags(tag);
        call.send().await.expect("the machine is tagged");
    }

    /// A record of requests in the ledger: as it is there.
    async fn asked(&self, asked: RequestCounter) -> RequestCounter {
        let write = Write::request_counter(asked);
        let written = write.as_request_counter().expect("it is one").clone();
        let change = Change { writes: vec![write], summary: None };
        let mut writer = Writer::new(format!("test {} {}", written.instance, written.policy));
        let done = self.aws.ledger.write(&change, LeaseUse::None, &mut writer).await;
        assert_eq!(done.expect("it is written"), Written::Done);
        written
    }

    /// A point of a machine, in the ledger as it is made here from one that was just requested.
    async fn point(&self, instance: &InstanceId, change: impl FnOnce(&mut Point)) -> Point {
        let occasion = Occasion::Scheduled(self.now());
        let policy = PolicyName::parse("nightly").expect("it is a name");
        let slot = Slot { policy, instance: instance.clone(), occasion };
        let mut point = Point::requested(slot, region(SEAT), Plan::default(), self.now());
        change(&mut point);
        let mut new = point.clone();
        new.version = 0;
        let mut writer = Writer::new(format!("test {}", point.id));
        let change = Change::point(new);
        let written = self.aws.ledger.write(&change, LeaseUse::None, &mut writer).await;
        assert_eq!(written.expect("it is written"), Written::Done);
        point
    }
}

/// A machine that there need not be.
fn instance(number: usize) -> InstanceId {
    InstanceId::parse(&format!("i-{number:017x}")).expect("it is an id")
}

/// Has a point wait for its machine to stop, for an hour.
fn waits_for_stop(point: &mut Point) {
    point.plan.consistency = Consistency::AtRest;
    point.until = Some(point.requested_at + secs(3600));
    point.step.due_at = point.until;
}
