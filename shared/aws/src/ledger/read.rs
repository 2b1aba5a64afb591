//! Reading by key, by partition and by index. The whole table is never read.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_core::downtime::{Downtime, Roster};
use afterimage_core::flow::InFlight;
use afterimage_core::ids::{InstanceId, Region};
use afterimage_core::obstacle::Obstacles;
use afterimage_core::point::{Point, Replica};
use afterimage_core::slot::PointId;
use afterimage_core::work::Queue;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use jiff::Timestamp;

use super::item::{Item, part_of};
use super::keys::{AWAITS, DUE, DUE_AT, Key, PK, POINT, QUEUE, SK, in_queue, partition, queue};
use super::record::{downtime, obstacles, point, readable, replica, roster};
use super::{BATCH_MAX, IDLE_BATCHES_MAX, Ledger, PAGES_MAX};
use crate::error::Failure;

/// A bound that was reached before the end of a listing.
#[derive(Debug, thiserror::Error)]
enum Incomplete {
    #[error("there are more than {PAGES_MAX} pages")]
    Pages,
    #[error("{0} items were requested {IDLE_BATCHES_MAX} times, and none was returned")]
    Batches(usize),
}

impl Ledger {
    /// Reads the records in a queue that are due by then, or all of them, the longest due first.
    /// From the index, which may lag.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn queue(
        &self,
        of: &Queue,
        until: Option<Timestamp>,
    ) -> Result<Vec<InFlight>, Failure> {
        let query = self
            .client
            .query()
            .index_name(DUE)
            .expression_attribute_names("#queue", QUEUE)
            .expression_attribute_values(":queue", AttributeValue::S(queue(of)));
        let query = match until {
            None => query.key_condition_expression("#queue = :queue"),
            Some(until) => query
                .key_condition_expression("#queue = :queue AND #due_at <= :until")
                .expression_attribute_names("#due_at", DUE_AT)
                .expression_attribute_values(":until", millis(until)),
        };
        let items = self.query(query).await?;
        Ok(items.iter().filter_map(|item| readable(in_flight(item))).collect())
    }

    /// Reads the records that the index nominated, in the same order. Those that have left the
    /// queue since then are left out.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn records(
        &self,
        in_flight: &[InFlight],
        of: &Queue,
    ) -> Result<(Vec<Point>, Vec<Replica>), Failure> {
        let keys: Vec<Key> =
            in_flight.iter().flat_map(|nominated| in_queue(of, &nominated.point)).collect();
        let mut items = self.items(keys.iter().cloned().collect()).await?;
        let (mut points, mut replicas) = (Vec::new(), Vec::new());
        for key in keys {
            let Some(item) = items.remove(&key) else { continue };
            if key.is_downtime() {
                continue;
            }
            if key.is_replica() {
                replicas.extend(readable(replica(&item)));
            } else {
                points.extend(readable(point(&item)));
            }
        }
        points.retain(|point| point.queue().as_ref() == Some(of));
        replicas.retain(|replica| replica.queue().as_ref() == Some(of));
        Ok((points, replicas))
    }

    /// Reads points by their ids. Those that do not exist are left out.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn points(&self, ids: &[PointId]) -> Result<BTreeMap<PointId, Point>, Failure> {
        let items = self.items(ids.iter().map(Key::point).collect()).await?;
        let points = items.values().filter_map(|item| readable(point(item)));
        Ok(points.map(|point| (point.id.clone(), point)).collect())
    }

    /// Reads downtimes by their points. Those that do not exist are left out.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn downtimes(
        &self,
        points: &[PointId],
    ) -> Result<BTreeMap<PointId, Downtime>, Failure> {
        let items = self.items(points.iter().map(Key::downtime).collect()).await?;
        let downtimes = items.values().filter_map(|item| readable(downtime(item)));
        Ok(downtimes.map(|downtime| (downtime.point.clone(), downtime)).collect())
    }

    /// Reads the roster of the machines that we have stopped.
    ///
    /// # Errors
    /// The ledger or the roster cannot be read; then no machine may be stopped.
    pub async fn roster(&self) -> Result<Roster, Failure> {
        let items = self.items(BTreeSet::from([Key::roster()])).await?;
        items.values().next().map_or_else(|| Ok(Roster::default()), roster)
    }

    /// Reads what stands in the way of the calls of a queue.
    ///
    /// # Errors
    /// The ledger or the record cannot be read.
    pub async fn obstacles(&self, queue: &Queue) -> Result<Obstacles, Failure> {
        let items = self.items(BTreeSet::from([Key::obstacles(queue)])).await?;
        let none = || Ok(Obstacles::none(queue.clone()));
        items.values().next().map_or_else(none, obstacles)
    }

    /// Reads replicas by their points and regions. Those that do not exist are left out.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn replicas_of(
        &self,
        ids: &[(PointId, Region)],
    ) -> Result<BTreeMap<(PointId, Region), Replica>, Failure> {
        let keys = ids.iter().map(|(point, region)| Key::replica(point, region));
        let items = self.items(keys.collect()).await?;
        let replicas = items.values().filter_map(|item| readable(replica(item)));
        let name = |replica: &Replica| (replica.point.clone(), replica.region.clone());
        Ok(replicas.map(|replica| (name(&replica), replica)).collect())
    }

    /// Tells of which of these points and replicas there is an item, readable or not.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn exist(
        &self,
        records: &[(PointId, Option<Region>)],
    ) -> Result<BTreeSet<(PointId, Option<Region>)>, Failure> {
        let key = |(point, region): &(PointId, Option<Region>)| match region {
            Some(region) => Key::replica(point, region),
            None => Key::point(point),
        };
        let items = self.items(records.iter().map(key).collect()).await?;
        let is_there = |record: &&(PointId, Option<Region>)| items.contains_key(&key(record));
        Ok(records.iter().filter(is_there).cloned().collect())
    }

    /// Reads all points of a machine with their replicas, in the order of their ids.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn points_of(
        &self,
        instance: &InstanceId,
    ) -> Result<Vec<(Point, Vec<Replica>)>, Failure> {
        let items = self.query(self.beginning(&partition(instance), POINT)).await?;
        let mut points: BTreeMap<PointId, (Point, Vec<Replica>)> = BTreeMap::new();
        // The key of a point is a prefix of those of its replicas, and sorts before them.
        for item in &items {
            if Key::of(item).is_downtime() {
                continue;
            }
            if !Key::of(item).is_replica() {
                let point = readable(point(item));
                points.extend(point.map(|point| (point.id.clone(), (point, Vec::new()))));
            } else if let Some(replica) = readable(replica(item))
                && let Some((_, replicas)) = points.get_mut(&replica.point)
            {
                replicas.push(replica);
            }
        }
        Ok(points.into_values().collect())
    }

    /// A consistent query of the items in a partition whose sort keys begin with a prefix.
    pub(super) fn beginning(&self, pk: &str, sk: &str) -> QueryFluentBuilder {
        self.client
            .query()
            .consistent_read(true)
            .key_condition_expression("#pk = :pk AND begins_with(#sk, :sk)")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#sk", SK)
            .expression_attribute_values(":pk", AttributeValue::S(pk.to_string()))
            .expression_attribute_values(":sk", AttributeValue::S(sk.to_string()))
    }

    /// A consistent query of all items in a partition.
    pub(super) fn whole(&self, pk: &str) -> QueryFluentBuilder {
        self.client
            .query()
            .consistent_read(true)
            .key_condition_expression("#pk = :pk")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_values(":pk", AttributeValue::S(pk.to_string()))
    }

    /// Reads all pages of a query.
    pub(super) async fn query(&self, query: QueryFluentBuilder) -> Result<Vec<Item>, Failure> {
        let mut pages = query.table_name(&self.table).into_paginator().send();
        let mut items = Vec::new();
        for _ in 0..PAGES_MAX {
            match pages.next().await {
                None => return Ok(items),
                Some(Ok(page)) => items.extend(page.items.unwrap_or_default()),
                Some(Err(error)) => return Err(self.read_failed(error)),
            }
        }
        Err(self.read_failed(Incomplete::Pages))
    }

    /// Reads items by their keys, consistently. Those that do not exist are left out.
    pub(super) async fn items(&self, keys: BTreeSet<Key>) -> Result<BTreeMap<Key, Item>, Failure> {
        let mut found = BTreeMap::new();
        let mut wanted: Vec<Key> = keys.into_iter().collect();
        let mut idle = 0;
        while !wanted.is_empty() {
            let later = wanted.split_off(wanted.len().min(BATCH_MAX));
            let (items, left) = self.batch(&wanted).await?;
            if left.len() < wanted.len() {
                idle = 0;
            } else {
                // DynamoDB asks for a pause before unprocessed keys are requested again.
                idle += 1;
                self.pause(idle).await;
            }
            if idle == IDLE_BATCHES_MAX {
                return Err(self.read_failed(Incomplete::Batches(left.len())));
            }
            found.extend(items.into_iter().map(|item| (Key::of(&item), item)));
            wanted = left.into_iter().chain(later).collect();
        }
        Ok(found)
    }

    /// Makes one BatchGetItem: the items it returned, and the keys it left unprocessed.
    async fn batch(&self, keys: &[Key]) -> Result<(Vec<Item>, Vec<Key>), Failure> {
        let asked = KeysAndAttributes::builder()
            .consistent_read(true)
            .set_keys(Some(keys.iter().map(Key::item).collect()))
            .build()
            .map_err(|error| self.read_failed(error))?;
        let call = self.client.batch_get_item().request_items(&self.table, asked);
        let answer = call.send().await.map_err(|error| self.read_failed(error))?;
        let items = answer.responses.unwrap_or_default().into_values().flatten().collect();
        let left = answer.unprocessed_keys.unwrap_or_default().into_values();
        let left = left.flat_map(|left| left.keys).map(|key| Key::of(&key)).collect();
        Ok((items, left))
    }
}

/// A time as an attribute that is compared.
pub(super) fn millis(at: Timestamp) -> AttributeValue {
    AttributeValue::N(at.as_millisecond().to_string())
}

/// The time in such an attribute.
pub(super) fn at_millis(attribute: &AttributeValue) -> Option<Timestamp> {
    let millis = attribute.as_n().ok()?.parse().ok()?;
    Timestamp::from_millisecond(millis).ok()
}

/// The record that an item of the index nominates.
fn in_flight(item: &Item) -> Result<InFlight, Failure> {
    let key = Key::of(item);
    let unfit = |why: String| Failure::Item { key: key.to_string(), why };
    let point =
        key.point_id().ok_or_else(|| unfit("no record with such a key has a queue".into()))?;
    let due_at = item.get(DUE_AT).and_then(at_millis);
    let due_at = due_at.ok_or_else(|| unfit(format!("`{DUE_AT}` is not a time")))?;
    let awaits = item.get(AWAITS).map(|awaits| part_of(AWAITS, awaits)).transpose();
    Ok(InFlight { point, due_at, awaits: awaits.map_err(unfit)?.unwrap_or_default() })
}
