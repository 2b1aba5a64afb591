//! The stored form of every kind of item, kept in `fixtures/`.
//!
//! `records.json` has records with and without every optional member, `items.json` the items of
//! them in the form in which DynamoDB takes them. Ledgers in use hold such items. A new member
//! brings new records; what stands in `items.json` is never changed, or old ledgers become
//! unreadable.

use std::collections::{BTreeMap, HashMap};

use afterimage_aws::ledger::keys::Key;
use afterimage_aws::ledger::{LeaseUse, Writer, Written};
use afterimage_core::command::{Change, Cursor, Finding, Record, Resolved, Write};
use afterimage_core::downtime::{Downtime, Roster};
use afterimage_core::ids::{InstanceId, PolicyName, Region};
use afterimage_core::point::{Point, Replica};
use afterimage_core::policy::Policy;
use afterimage_core::request_counter::RequestCounter;
use afterimage_core::still::AllStill;
use afterimage_core::summary::{Good, Latest, MachineSummary, News, Stop, Summary};
use afterimage_core::unaudited::{AllUnaudited, AllUnreadKeys};
use afterimage_core::work::Kind;
use aws_sdk_dynamodb::types::AttributeValue;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{SEAT, TABLE, World, lease, queue, region, second, table, world};

const RECORDS: &str = include_str!("fixtures/records.json");
const ITEMS: &str = include_str!("fixtures/items.json");

/// The records of one kind, in the form in which the core reads and writes them.
fn records<T: DeserializeOwned>(kind: &str) -> Vec<T> {
    let all: BTreeMap<String, Vec<Value>> = serde_json::from_str(RECORDS).expect("it is JSON");
    let records = all[kind].iter().map(|record| T::deserialize(record).expect("a record"));
    records.collect()
}

/// The stored items of one kind, sorted by their keys.
fn items(kind: &str) -> Vec<Value> {
    let all: BTreeMap<String, Vec<Value>> = serde_json::from_str(ITEMS).expect("it is JSON");
    all[kind].clone()
}

fn wire(attribute: &AttributeValue) -> Value {
    match attribute {
        AttributeValue::Bool(value) => json!({ "BOOL": value }),
        AttributeValue::L(values) => json!({ "L": values.iter().map(wire).collect::<Vec<_>>() }),
        AttributeValue::M(members) => json!({ "M": wire_item(members) }),
        AttributeValue::N(text) => json!({ "N": text }),
        AttributeValue::Null(value) => json!({ "NULL": value }),
        AttributeValue::S(text) => json!({ "S": text }),
        other => panic!("the ledger writes nothing like {other:?}"),
    }
}

fn wire_item(item: &HashMap<String, AttributeValue>) -> Value {
    let sorted: BTreeMap<&String, Value> = item.iter().map(|(k, v)| (k, wire(v))).collect();
    json!(sorted)
}

fn attribute(wire: &Value) -> AttributeValue {
    let (kind, value) = wire.as_object().and_then(|it| it.iter().next()).expect("one type");
    let text = || value.as_str().expect("a text").to_string();
    match kind.as_str() {
        "BOOL" => AttributeValue::Bool(value == true),
        "L" => AttributeValue::L(value.as_array().into_iter().flatten().map(attribute).collect()),
        "M" => AttributeValue::M(item(value)),
        "N" => AttributeValue::N(text()),
        "S" => AttributeValue::S(text()),
        other => panic!("the ledger writes nothing like {other}"),
    }
}

fn item(wire: &Value) -> HashMap<String, AttributeValue> {
    let members = wire.as_object().into_iter().flatten();
    members.map(|(name, value)| (name.clone(), attribute(value))).collect()
}

/// Takes off what the index of places has been given since these items were stored: where an
/// artefact is held; and its place in a queue, if it is good and due, which says it is missing.
fn without_places(item: &mut Value) {
    let is_good = |status: &&str| item["status"]["S"] == **status;
    let is_good = ["protected", "imaged", "available"].iter().any(is_good);
    let item = item.as_object_mut().expect("an item");
    let is_held = item.remove("place").is_some();
    assert_eq!(item.remove("holds").is_some() && item.remove("artefact").is_some(), is_held);
    assert!(!is_held || is_good, "{item:?}");
    if is_good {
        for name in ["queue", "due_at", "awaits"] {
            item.remove(name);
        }
    }
}

/// Checks that a table in which only this was done has the stored items of one kind.
#[track_caller]
fn check_written(kind: &str, act: impl AsyncFnOnce(&World)) {
    world(async |world| {
        act(&world).await;
        let scan = table::client(&world.cloud).scan().table_name(TABLE).consistent_read(true);
        let pages: Result<Vec<_>, _> = scan.into_paginator().send().collect().await;
        let pages = pages.expect("the table can be read");
        let mut written: Vec<Value> =
            pages.iter().flat_map(|page| page.items()).map(wire_item).collect();
        written.sort_by_key(|item| format!("{} {}", item["pk"], item["sk"]));
        let stored = items(kind);
        written.iter_mut().for_each(without_places);
        for (written, stored) in written.iter().zip(&stored) {
            assert_eq!(written, stored, "{kind}, as it is written now:\n{written}\n");
        }
        assert_eq!(written.len(), stored.len(), "{kind}");
    });
}

/// Opens a world whose table has the stored items of one kind, and nothing else.
fn with_stored(kind: &str, act: impl AsyncFnOnce(World)) {
    world(async |world| {
        for stored in items(kind) {
            let put = table::client(&world.cloud).put_item().table_name(TABLE);
            let put = put.set_item(Some(item(&stored))).send().await;
            put.expect("an item is put");
        }
        act(world).await;
    });
}

/// Writes a record, in the place of one of the version before.
async fn write(world: &World, key: Key, version: u64, record: Record) {
    let expected = version - 1;
    if expected > 0 {
        let put = table::client(&world.cloud).put_item().table_name(TABLE);
        let put = put.set_item(Some(key.item()));
        let put = put.item("version", AttributeValue::N(expected.to_string()));
        put.send().await.expect("an item is put");
    }
    let change = Change { writes: vec![Write { expected, record }], summary: None };
    assert_eq!(world.write(&change, "writer").await, Written::Done);
}

#[test]
fn points_are_written_as_they_are_stored() {
    check_written("points", async |world| {
        for point in records::<Point>("points") {
            let (key, version) = (Key::point(&point.id), point.version);
            write(world, key, version, Record::Point(Box::new(point))).await;
        }
    });
}

#[test]
fn points_are_read_from_what_is_stored() {
    with_stored("points", async |world| {
        let mut expected: Vec<Point> = records("points");
        let ids: Vec<_> = expected.iter().map(|point| point.id.clone()).collect();
        let read = world.ledger.points(&ids).await.expect("the ledger can be read");
        expected.sort_by(|one, other| one.id.cmp(&other.id));
        assert_eq!(read.into_values().collect::<Vec<_>>(), expected);
    });
}

#[test]
fn replicas_are_written_as_they_are_stored() {
    check_written("replicas", async |world| {
        for replica in records::<Replica>("replicas") {
            let key = Key::replica(&replica.point, &replica.region);
            let version = replica.version;
            write(world, key, version, Record::Replica(Box::new(replica))).await;
        }
    });
}

#[test]
fn replicas_are_read_from_what_is_stored() {
    with_stored("replicas", async |world| {
        let mut expected: Vec<Replica> = records("replicas");
        expected.sort_by(|one, other| one.point.cmp(&other.point));
        let names: Vec<_> =
            expected.iter().map(|it| (it.point.clone(), it.region.clone())).collect();
        let read = world.ledger.replicas_of(&names).await.expect("the ledger can be read");
        assert_eq!(read.into_values().collect::<Vec<_>>(), expected);
    });
}

#[test]
fn downtimes_are_written_as_they_are_stored() {
    check_written("downtimes", async |world| {
        for downtime in records::<Downtime>("downtimes") {
            let (key, version) = (Key::downtime(&downtime.point), downtime.version);
            write(world, key, version, Record::Downtime(Box::new(downtime))).await;
        }
    });
}

#[test]
fn downtimes_are_read_from_what_is_stored() {
    with_stored("downtimes", async |world| {
        let mut expected: Vec<Downtime> = records("downtimes");
        expected.sort_by(|one, other| one.point.cmp(&other.point));
        let points: Vec<_> = expected.iter().map(|it| it.point.clone()).collect();
        let read = world.ledger.downtimes(&points).await.expect("the ledger can be read");
        assert_eq!(read.into_values().collect::<Vec<_>>(), expected);
    });
}

#[test]
fn a_roster_is_written_and_read_as_it_is_stored() {
    for (roster, kind) in records::<Roster>("rosters").into_iter().zip(["roster", "empty roster"]) {
        check_written(kind, async |world| {
            let (version, record) = (roster.version, Record::Roster(Box::new(roster.clone())));
            write(world, Key::roster(), version, record).await;
        });
        with_stored(kind, async |world| {
            let read = world.ledger.roster().await.expect("the ledger can be read");
            assert_eq!(read, roster);
        });
    }
}

#[test]
fn request_counters_are_written_as_they_are_stored() {
    check_written("request_counters", async |world| {
        for counter in records::<RequestCounter>("request_counters") {
            let key = Key::request_counter(&counter.instance, &counter.policy);
            let version = counter.version;
            write(world, key, version, Record::RequestCounter(Box::new(counter))).await;
        }
    });
}

#[test]
fn request_counters_are_read_from_what_is_stored() {
    with_stored("request_counters", async |world| {
        let mut expected: Vec<RequestCounter> = records("request_counters");
        expected.sort_by(|one, other| one.policy.cmp(&other.policy));
        let names: Vec<_> =
            expected.iter().map(|it| (it.instance.clone(), it.policy.clone())).collect();
        let read = world.ledger.request_counters(&names).await.expect("the ledger can be read");
        assert_eq!(read.into_values().collect::<Vec<_>>(), expected);
    });
}

/// What the summary of a machine is told under one policy.
#[derive(serde::Deserialize)]
struct Told {
    instance: InstanceId,
    home: Region,
    name: Option<String>,
    policy: PolicyName,
    latest: Option<Latest>,
    stop: Option<Stop>,
    good: Option<Good>,
}

#[test]
fn summaries_are_written_as_they_are_stored() {
    check_written("summaries", async |world| {
        for told in records::<Told>("summaries") {
            let latest = told.latest.map(News::Latest);
            let news = [latest, told.stop.map(News::Stop), told.good.map(News::Good)];
            let news = news.into_iter().flatten().collect();
            let Told { instance, home, name, policy, .. } = told;
            let summary = Some(Summary { instance, home, name, policy, news });
            let change = Change { writes: Vec::new(), summary };
            assert_eq!(world.write(&change, "writer").await, Written::Done);
        }
    });
}

#[test]
fn summaries_are_read_from_what_is_stored() {
    with_stored("summaries", async |world| {
        let mut expected: BTreeMap<InstanceId, MachineSummary> = BTreeMap::new();
        for told in records::<Told>("summaries") {
            let policy = |_: &_| told.policy.clone();
            let machine = expected.entry(told.instance.clone()).or_insert(MachineSummary {
                instance: told.instance.clone(),
                home: told.home.clone(),
                name: None,
                latest: BTreeMap::new(),
                stops: BTreeMap::new(),
                good: BTreeMap::new(),
            });
            machine.name = told.name.clone().or(machine.name.take());
            machine.latest.extend(told.latest.map(|latest| (policy(&latest.point), latest)));
            machine.stops.extend(told.stop.map(|stop| (policy(&stop.point), stop)));
            machine.good.extend(told.good.map(|good| (policy(&good.point), good)));
        }
        let ids: Vec<_> = expected.keys().cloned().collect();
        let read = world.ledger.summaries(&ids).await.expect("the ledger can be read");
        assert_eq!(read, expected);
        let fleet = world.ledger.fleet().await.expect("the ledger can be read");
        assert_eq!(fleet.len(), expected.len(), "they stand in their index");
    });
}

#[test]
fn findings_are_written_as_they_are_stored() {
    check_written("findings", async |world| {
        let findings: Vec<Finding> = records("findings");
        for finding in &findings {
            assert!(world.ledger.report(finding).await.expect("the ledger can be written"));
        }
        let last = findings.last().expect("there are some");
        let resolved = Resolved {
            region: last.region.clone(),
            artefact: last.artefact.clone(),
            code: last.reason.code,
            at: second(3),
        };
        assert!(world.ledger.resolve(&resolved).await.expect("the ledger can be written"));
    });
}

#[test]
fn findings_are_read_from_what_is_stored() {
    with_stored("findings", async |world| {
        let expected: Vec<Finding> = records("findings");
        let read = world.ledger.findings().await.expect("the ledger can be read");
        assert_eq!(read, expected[..1], "the other is resolved");
    });
}

#[test]
fn what_is_in_force_is_written_as_it_is_stored() {
    check_written("in force", async |world| {
        for policy in records::<Policy>("policies") {
            let put = world.ledger.put_policy(&policy, second(1)).await;
            put.expect("the ledger can be written");
        }
        for cursor in records::<Cursor>("cursors") {
            world.ledger.advance(&cursor).await.expect("the ledger can be written");
        }
        world.ledger.put_region(&region(SEAT)).await.expect("the ledger can be written");
        world
            .ledger
            .looked(second(2), &AllUnaudited::new(), &AllUnreadKeys::new(), &AllStill::new())
            .await
            .expect("the ledger can be written");
    });
}

#[test]
fn what_is_in_force_is_read_from_what_is_stored() {
    with_stored("in force", async |world| {
        let mut policies: Vec<Policy> = records("policies");
        policies.sort_by(|one, other| one.name.cmp(&other.name));
        let read = world.ledger.in_force().await.expect("the ledger can be read");
        assert_eq!(read.policies, policies);
        assert_eq!(read.unreadable, []);
        assert_eq!(read.cursors, records::<Cursor>("cursors"));
        assert_eq!((read.regions, read.looked_at), (vec![region(SEAT)], Some(second(2))));
    });
}

#[test]
fn cursors_of_regions_are_written_and_read_as_they_are_stored() {
    let cursors = records::<Cursor>("cursors of regions");
    check_written("cursors of regions", async |world| {
        for cursor in &cursors {
            world.ledger.advance(cursor).await.expect("the ledger can be written");
        }
    });
    with_stored("cursors of regions", async |world| {
        let read = world.ledger.in_force().await.expect("the ledger can be read");
        assert_eq!(read.cursors, cursors);
    });
}

#[test]
fn leases_and_claims_are_written_and_read_as_they_are_stored() {
    let confirm = queue(Kind::Confirm, SEAT);
    let taken = lease("holder", 0, 60);
    check_written("leases", async |world| {
        let nothing = Change { writes: Vec::new(), summary: None };
        let mut writer = Writer::new("holder".to_string());
        let written = world.ledger.write(&nothing, LeaseUse::Take(&taken), &mut writer).await;
        assert_eq!(written.expect("the ledger can be written"), Written::Done);
        let claimed = world.ledger.claim(&confirm, second(30), second(0)).await;
        assert!(claimed.expect("the ledger can be written"));
    });
    with_stored("leases", async |world| {
        let leased = async |holder: &str, now: i64| {
            let leased = world.ledger.is_leased_to_another(&taken.queue, holder, second(now));
            leased.await.expect("the ledger can be read")
        };
        let found =
            [leased("other", 59).await, leased("other", 60).await, leased("holder", 0).await];
        assert_eq!(found, [true, false, false]);
        let claimed = world.ledger.claimed_until(&confirm, second(0)).await;
        assert_eq!(claimed.expect("the ledger can be read"), Some(second(30)));
    });
}
