//! Request counters: by machine and policy, and by the index of those whose tag may still be there.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_core::flow::on_demand::RequestCounters;
use afterimage_core::ids::{InstanceId, PolicyName, Region};
use afterimage_core::request_counter::RequestCounter;
use afterimage_core::slot::{Occasion, PointId, Slot};
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;

use super::Ledger;
use super::item::Item;
use super::keys::{DUE, DUE_AT, Key, POINT, QUEUE, open_requests, partition};
use super::read::millis;
use super::record::{point, readable, request_counter};
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

    /// Reads the counters of machines and policies for which the next point is to be asked. Where
    /// the item is not there, the points count that were asked for: somebody may have deleted it,
    /// and no number is given twice.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn counters_to_raise(
        &self,
        of: &[(InstanceId, PolicyName)],
    ) -> Result<RequestCounters, Failure> {
        let mut counters = self.request_counters(of).await?;
        for (instance, policy) in of {
            let name = (instance.clone(), policy.clone());
            if counters.contains_key(&name) {
                continue;
            }
            let asked = self.asked_for(instance, policy).await?;
            counters.extend(asked.map(|counter| (name, counter)));
        }
        Ok(counters)
    }

    /// Counts the points of a machine that were asked for; none if there are none.
    async fn asked_for(
        &self,
        instance: &InstanceId,
        policy: &PolicyName,
    ) -> Result<Option<RequestCounter>, Failure> {
        let ordinal = 0;
        let (instance, policy) = (instance.clone(), policy.clone());
        let slot = Slot { policy, instance, occasion: Occasion::OnDemand { ordinal } };
        let first = PointId::of(&slot);
        let prefix = first.as_str().trim_end_matches('0');
        let query = self.beginning(&partition(&slot.instance), &format!("{POINT}{prefix}"));
        let items = self.query(query).await?;
        let points = items.iter().filter(|item| !Key::of(item).is_replica());
        let points = points.filter_map(|item| readable(point(item)));
        let counted = points.filter_map(|point| match point.slot.occasion {
            Occasion::OnDemand { ordinal } => {
                let never = RequestCounter::never(&slot.instance, &point.home, &slot.policy);
                Some(RequestCounter { ordinal, ..never })
            }
            Occasion::Scheduled(_) | Occasion::Stopped { .. } => None,
        });
        Ok(counted.max_by_key(|counter| counter.ordinal))
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
