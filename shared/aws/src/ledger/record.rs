//! Points, replicas, downtimes and requests as items: their members, and what the index is made of.
//! Their invariants are checked on the way in and on the way out.

use afterimage_core::command::{Record, Write};
use afterimage_core::downtime::{Downtime, Roster};
use afterimage_core::point::{Point, Replica};
use afterimage_core::request_counter::RequestCounter;
use aws_sdk_dynamodb::types::AttributeValue;
use serde::de::DeserializeOwned;

use super::item::{Item, item_of, record_of};
use super::keys::{AWAITS, DUE_AT, Key, PK, QUEUE, SK, WRITTEN_BY, asking, queue};
use crate::error::Failure;

/// The attributes of a record's item that are not members of the record.
const APART: [&str; 6] = [PK, SK, QUEUE, DUE_AT, AWAITS, WRITTEN_BY];

/// The item that a write puts.
pub fn item_to_put(write: &Write, id: &str) -> Result<Item, Failure> {
    let key = key_of(&write.record);
    let unfit = |why| Failure::Item { key: key.to_string(), why };
    let (checked, version, item) = match &write.record {
        Record::Point(point) => (point.check(), point.version, item_of(point)),
        Record::Replica(replica) => (replica.check(), replica.version, item_of(replica)),
        Record::Downtime(downtime) => (downtime.check(), downtime.version, item_of(downtime)),
        Record::Roster(roster) => (roster.check(), roster.version, item_of(roster)),
        Record::RequestCounter(asked) => (asked.check(), asked.version, item_of(asked)),
    };
    checked.map_err(unfit)?;
    // Whoever writes what they have read without counting would leave others unaware of it.
    if version.checked_sub(1) != Some(write.expected) {
        return Err(unfit(format!("version {version} does not follow on {}", write.expected)));
    }
    let mut item = item.map_err(unfit)?;
    item.extend(key.item());
    item.insert(WRITTEN_BY.into(), AttributeValue::S(id.to_string()));
    // A settled record has none of these, so that it stands in no index and costs no sweep.
    if let (Some(due_in), Some(due_at)) = (place(&write.record), write.record.due_at()) {
        let awaits = write.record.awaits().into_iter().map(AttributeValue::S).collect();
        item.insert(QUEUE.into(), AttributeValue::S(due_in));
        item.insert(DUE_AT.into(), AttributeValue::N(due_at.as_millisecond().to_string()));
        item.insert(AWAITS.into(), AttributeValue::L(awaits));
    }
    Ok(item)
}

/// Where it stands in the index.
fn place(record: &Record) -> Option<String> {
    match record {
        Record::Point(_) | Record::Replica(_) | Record::Downtime(_) => {
            record.queue().as_ref().map(queue)
        }
        Record::Roster(_) => None,
        Record::RequestCounter(asked) => Some(asking(&asked.home)),
    }
}

pub fn key_of(record: &Record) -> Key {
    match record {
        Record::Point(point) => Key::point(&point.id),
        Record::Replica(replica) => Key::replica(&replica.point, &replica.region),
        Record::Downtime(downtime) => Key::downtime(&downtime.point),
        Record::Roster(_) => Key::roster(),
        Record::RequestCounter(asked) => Key::request_counter(&asked.instance, &asked.policy),
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

pub fn request_counter(item: &Item) -> Result<RequestCounter, Failure> {
    read(item, |asked: &RequestCounter| {
        (Key::request_counter(&asked.instance, &asked.policy), asked.check())
    })
}

fn read<T: DeserializeOwned>(
    item: &Item,
    check: fn(&T) -> (Key, Result<(), String>),
) -> Result<T, Failure> {
    let key = Key::of(item);
    let unfit = |why| Failure::Item { key: key.to_string(), why };
    let record: T = record_of(item, &APART).map_err(unfit)?;
    let (own, checked) = check(&record);
    if own != key {
        return Err(unfit(format!("it is the record of {own}")));
    }
    checked.map_err(unfit)?;
    Ok(record)
}

/// What can be read; what cannot is logged, and stops nothing else.
pub fn readable<T>(read: Result<T, Failure>) -> Option<T> {
    read.inspect_err(|failure| tracing::error!(code = failure.code(), "{failure}")).ok()
}
