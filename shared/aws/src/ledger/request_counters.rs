//! Request counters: by machine and policy, and by the index of those whose tag may still be there.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_core::flow::on_demand::RequestCounters;
use afterimage_core::ids::{InstanceId, PolicyName, Region};
use afterimage_core::request_counter::RequestCounter;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;

use super::Ledger;
use super::item::Item;
use super::keys::{DUE, DUE_AT, Key, QUEUE, open_requests};
use super::read::millis;
use super::record::{readable, request_counter};
use crate::error::Failure;

impl Ledger {
    /// Reads the counters of machines and policies. Those without requests have none.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn request_counters(
        &self,
        of: &[(InstanceId, PolicyName)],
    ) -> Result<RequestCounters, Failure> {
        let keys = of.iter().map(|(instance, policy)| Key::request_counter(instance, policy));
        Ok(by_name(&self.items(keys.collect()).await?))
    }

    /// Reads the counters of a region with a request that is due: it was taken and not finished.
    /// The index nominates; the items that it names are read again.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn counters_left(
        &self,
        region: &Region,
        now: Timestamp,
    ) -> Result<Vec<RequestCounter>, Failure> {
        let query = self
            .client
            .query()
            .index_name(DUE)
            .key_condition_expression("#queue = :queue AND #due_at <= :until")
            .expression_attribute_names("#queue", QUEUE)
            .expression_attribute_names("#due_at", DUE_AT)
            .expression_attribute_values(":queue", AttributeValue::S(open_requests(region)))
            .expression_attribute_values(":until", millis(now));
        let nominated: BTreeSet<Key> = self.query(query).await?.iter().map(Key::of).collect();
        let left = by_name(&self.items(nominated).await?).into_values();
        let is_left = |counter: &RequestCounter| {
            counter.pending.as_ref().is_some_and(|pending| pending.due_at <= now)
        };
        Ok(left.filter(is_left).collect())
    }
}

/// The readable counters, by machine and policy.
fn by_name(items: &BTreeMap<Key, Item>) -> RequestCounters {
    let all = items.values().filter_map(|item| readable(request_counter(item)));
    all.map(|counter| ((counter.instance.clone(), counter.policy.clone()), counter)).collect()
}
