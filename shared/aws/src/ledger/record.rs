//! Points, replicas, downtimes and request counters as items: their members, and the attributes of
//! the index. Their invariants are checked before they are written and after they are read.

use afterimage_core::brake::Brake;
use afterimage_core::command::{Record, Write};
use afterimage_core::downtime::{Downtime, Roster};
use afterimage_core::obstacle::Obstacles;
use afterimage_core::point::{Point, Replica};
use afterimage_core::request_counter::RequestCounter;
use aws_sdk_dynamodb::types::AttributeValue;
use serde::de::DeserializeOwned;

use super::item::{Item, item_of, record_of};
use super::keys::{
    self, ARTEFACT, AWAITS, DUE_AT, HOLDS, Key, PK, PLACE, QUEUE, SK, WRITTEN_BY, open_requests,
    queue,
};
use crate::error::Failure;

/// The attributes of an item that are not members of its record.
const APART: [&str; 9] = [PK, SK, QUEUE, DUE_AT, AWAITS, WRITTEN_BY, PLACE, ARTEFACT, HOLDS];

/// The item that a write puts.
pub fn item_to_put(write: &Write, id: &str) -> Result<Item, Failure> {
    let key = key_of(&write.record);
    let unfit = |why| Failure::Item { key: key.to_string(), why };
    let (checked, version, item) = match &write.record {
        Record::Point(point) => (point.check(), point.version, item_of(point)),
        Record::Replica(replica) => (replica.check(), replica.version, item_of(replica)),
        Record::Downtime(downtime) => (downtime.check(), downtime.version, item_of(downtime)),
        Record::Roster(roster) => (roster.check(), roster.version, item_of(roster)),
        Record::RequestCounter(counter) => (counter.check(), counter.version, item_of(counter)),
        Record::Obstacles(it) => (it.check(), it.version, item_of(it)),
        Record::Brake(brake) => (brake.check(), brake.version, item_of(brake)),
    };
    checked.map_err(unfit)?;
    // A write that does not count up the version would go unnoticed by the others.
    if version.checked_sub(1) != Some(write.expected) {
        return Err(unfit(format!("version {version} does not follow version {}", write.expected)));
    }
    let mut item = item.map_err(unfit)?;
    item.extend(key.item());
    item.insert(WRITTEN_BY.into(), AttributeValue::S(id.to_string()));
    // A settled record has none of these: it has no place in the index and costs no sweep.
    if let (Some(due_in), Some(due_at)) = (place(&write.record), write.record.due_at()) {
        let awaits =
            write.record.awaits().into_iter().map(|id| AttributeValue::S(id.into())).collect();
        item.insert(QUEUE.into(), AttributeValue::S(due_in));
        item.insert(DUE_AT.into(), AttributeValue::N(due_at.as_millisecond().to_string()));
        item.insert(AWAITS.into(), AttributeValue::L(awaits));
    }
    // A record without a good artefact has none of these.
    if let (Some(region), Some(held)) = (write.record.region(), write.record.held()) {
        let held: Vec<String> = held.into_iter().map(String::from).collect();
        let first = held.first().cloned().unwrap_or_default();
        let holds = held.into_iter().map(AttributeValue::S).collect();
        item.insert(PLACE.into(), AttributeValue::S(keys::place(&region, &first)));
        item.insert(ARTEFACT.into(), AttributeValue::S(first));
        item.insert(HOLDS.into(), AttributeValue::L(holds));
    }
    Ok(item)
}

/// The queue attribute of a record, its place in the index.
fn place(record: &Record) -> Option<String> {
    match record {
        Record::Point(_) | Record::Replica(_) | Record::Downtime(_) => {
            record.queue().as_ref().map(queue)
        }
        Record::Roster(_) | Record::Obstacles(_) | Record::Brake(_) => None,
        Record::RequestCounter(counter) => Some(open_requests(&counter.home)),
    }
}

/// The key of a record.
pub fn key_of(record: &Record) -> Key {
    match record {
        Record::Point(point) => Key::point(&point.id),
        Record::Replica(replica) => Key::replica(&replica.point, &replica.region),
        Record::Downtime(downtime) => Key::downtime(&downtime.point),
        Record::Roster(_) => Key::roster(),
        Record::RequestCounter(counter) => Key::request_counter(&counter.instance, &counter.policy),
        Record::Obstacles(obstacles) => Key::obstacles(&obstacles.queue),
        Record::Brake(brake) => Key::brake(&brake.region),
    }
}

pub fn point(item: &Item) -> Result<Point, Failure> {
    read(item, |point: &Point| (Key::point(&point.id), point.check()))
}

pub fn replica(item: &Item) -> Result<Replica, Failure> {
    read(item, |replica: &Replica| (Key::replica(&replica.point, &replica.region), replica.check()))
}

pub fn downtime(item: &Item) -> Result<Downtime, Failure> {
    read(item, |downtime: &Downtime| (Key::downtime(&downtime.point), downtime.check()))
}

pub fn roster(item: &Item) -> Result<Roster, Failure> {
    read(item, |roster: &Roster| (Key::roster(), roster.check()))
}

pub fn brake(item: &Item) -> Result<Brake, Failure> {
    read(item, |brake: &Brake| (Key::brake(&brake.region), brake.check()))
}

pub fn obstacles(item: &Item) -> Result<Obstacles, Failure> {
    let key = Key::of(item);
    let unfit = |why| Failure::Item { key: key.to_string(), why };
    let obstacles: Obstacles = record_of(item, &[PK, SK, WRITTEN_BY]).map_err(unfit)?;
    match Key::obstacles(&obstacles.queue) == key {
        true => obstacles.check().map(|()| obstacles).map_err(unfit),
        false => Err(unfit(format!("it holds the obstacles of {}", obstacles.queue))),
    }
}

pub fn request_counter(item: &Item) -> Result<RequestCounter, Failure> {
    read(item, |counter: &RequestCounter| {
        (Key::request_counter(&counter.instance, &counter.policy), counter.check())
    })
}

/// Reads a record and checks its key and its invariants.
fn read<T: DeserializeOwned>(
    item: &Item,
    check: fn(&T) -> (Key, Result<(), String>),
) -> Result<T, Failure> {
    let key = Key::of(item);
    let unfit = |why| Failure::Item { key: key.to_string(), why };
    let record: T = record_of(item, &APART).map_err(unfit)?;
    let (own, checked) = check(&record);
    if own != key {
        return Err(unfit(format!("it holds the record of {own}")));
    }
    checked.map_err(unfit)?;
    Ok(record)
}

/// The record if it was read. If not, the failure is logged, and the others go on.
pub fn readable<T>(read: Result<T, Failure>) -> Option<T> {
    read.inspect_err(|failure| tracing::error!(code = failure.code(), "{failure}")).ok()
}
