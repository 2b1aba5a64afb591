//! The artefacts that are called good, from the index of places, which may lag.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_core::change::Record;
use afterimage_core::flow::held::Held;
use afterimage_core::flow::work_requested::images::History;
use afterimage_core::ids::{AmiId, InstanceId, Region};
use afterimage_core::point::{Place, ReplicaStatus};
use aws_sdk_dynamodb::types::AttributeValue;

use super::Ledger;
use super::item::{Item, part_of};
use super::keys::{ARTEFACT, HOLDS, Key, PLACE, PLACES, place, places};
use super::record::{point, readable, replica};
use crate::error::Failure;

impl Ledger {
    /// Reads what is called good in a region.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn held(&self, region: &Region) -> Result<Vec<Held>, Failure> {
        let mut held = Vec::new();
        for part in places(region) {
            let query = self
                .client
                .query()
                .index_name(PLACES)
                .key_condition_expression("#place = :place")
                .expression_attribute_names("#place", PLACE)
                .expression_attribute_values(":place", AttributeValue::S(part));
            let items = self.query(query).await?;
            held.extend(items.iter().filter_map(|item| readable(held_of(item, region))));
        }
        Ok(held)
    }

    /// Reads who calls an image good.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn holders(&self, region: &Region, image: &AmiId) -> Result<Vec<Held>, Failure> {
        let query = self
            .client
            .query()
            .index_name(PLACES)
            .key_condition_expression("#place = :place AND #artefact = :artefact")
            .expression_attribute_names("#place", PLACE)
            .expression_attribute_names("#artefact", ARTEFACT)
            .expression_attribute_values(":place", AttributeValue::S(place(region, image.as_str())))
            .expression_attribute_values(":artefact", AttributeValue::S(image.to_string()));
        let items = self.query(query).await?;
        Ok(items.iter().filter_map(|item| readable(held_of(item, region))).collect())
    }

    /// Reads the records that the index nominated, as they are now.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn held_records(&self, held: &[Held]) -> Result<Vec<Record>, Failure> {
        let key = |held: &Held| match held.is_replica {
            true => Key::replica(&held.point, &held.region),
            false => Key::point(&held.point),
        };
        let keys: BTreeSet<Key> = held.iter().map(key).collect();
        let items = self.items(keys).await?;
        let record = |(key, item): (&Key, &Item)| match key.is_replica() {
            true => readable(replica(item)).map(|replica| Record::Replica(Box::new(replica))),
            false => readable(point(item)).map(|point| Record::Point(Box::new(point))),
        };
        Ok(items.iter().filter_map(record).collect())
    }

    /// Reads all points of machines, with their replicas.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn histories(
        &self,
        machines: &BTreeSet<InstanceId>,
    ) -> Result<BTreeMap<InstanceId, History>, Failure> {
        let mut histories = BTreeMap::new();
        for machine in machines {
            histories.insert(machine.clone(), self.points_of(machine).await?);
        }
        Ok(histories)
    }
}

/// The place that an item of the index nominates.
fn held_of(item: &Item, region: &Region) -> Result<Held, Failure> {
    let key = Key::of(item);
    let unfit = |why: String| Failure::Item { key: key.to_string(), why };
    let point =
        key.point_id().ok_or_else(|| unfit("no record with such a key has a place".into()))?;
    let holds = item.get(HOLDS).ok_or_else(|| unfit(format!("attribute `{HOLDS}` is missing")))?;
    let is_replica = key.is_replica();
    let is_unusable = match is_replica {
        true => {
            part::<ReplicaStatus>(item, "status").map_err(unfit)? == Some(ReplicaStatus::Unusable)
        }
        false => part::<Place>(item, "home_place").map_err(unfit)? == Some(Place::Unusable),
    };
    Ok(Held {
        point,
        region: region.clone(),
        is_replica,
        artefacts: part_of(HOLDS, holds).map_err(unfit)?,
        is_unusable,
        missing_since: part(item, "missing_since").map_err(unfit)?,
    })
}

fn part<T: serde::de::DeserializeOwned>(item: &Item, name: &str) -> Result<Option<T>, String> {
    item.get(name).map(|attribute| part_of(name, attribute)).transpose()
}
