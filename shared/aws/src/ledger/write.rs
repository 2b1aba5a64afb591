//! Writing: a change is one request, and is written as a whole or not at all.
//!
//! A change of one record without summary and lease is a PutItem. Every other change is a
//! TransactWriteItems, which costs twice as much and is still one request. The summary and the
//! release of a lease never make a change fail: it is written again without them.

use afterimage_core::command::{Change, Write};
use afterimage_core::summary::Summary;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};
use jiff::Timestamp;

use super::condition::{Condition, PutIf};
use super::item::Item;
use super::keys::WRITTEN_BY;
use super::lease::LeaseUse;
use super::record::item_to_put;
use super::summary::{update, without_older};
use super::{CONFLICTS_MAX, Ledger, Writer, service_error};
use crate::error::Failure;

/// Limit of TransactWriteItems for one request.
pub const ACTIONS_MAX: usize = 100;

/// The outcome of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    Done,
    /// Nothing was written: a record has another version, or exists already.
    Lost,
    /// Nothing was written: another worker has the lease.
    NoLease,
}

/// The outcome of one try of a write.
enum Tried<'a> {
    Written(Written),
    /// Another write was in the way; it will be over soon.
    Conflict(Failure),
    /// The write failed because of parts that it can do without; these are the others.
    Without(Box<Parts<'a>>),
}

/// The parts of a write.
#[derive(Clone, Debug)]
struct Parts<'a> {
    puts: Vec<PutIf>,
    summary: Option<Summary>,
    lease: LeaseUse<'a>,
}

impl Ledger {
    /// Writes a change, and takes, keeps or releases the lease of its queue in the same request.
    ///
    /// # Errors
    /// The ledger cannot be written, or a record of the change breaks an invariant.
    pub async fn write(
        &self,
        change: &Change,
        lease: LeaseUse<'_>,
        writer: &mut Writer,
    ) -> Result<Written, Failure> {
        // The id is the same for every try, so that the one that succeeded is recognised.
        let id = writer.next_id();
        let puts: Result<Vec<PutIf>, Failure> =
            change.writes.iter().map(|write| put_of(write, &id)).collect();
        // The name of a machine alone is news only if nothing else is written.
        let is_news = |it: &Summary| !it.news.is_empty() || change.writes.is_empty();
        let summary = change.summary.clone().filter(is_news);
        self.write_parts(Parts { puts: puts?, summary, lease }, &id).await
    }

    /// Puts an item outside of any [`Writer`]'s work; false if its condition does not hold.
    pub(super) async fn put_own(&self, mut put: PutIf, now: Timestamp) -> Result<bool, Failure> {
        let id = self.own_id(now);
        put.item.insert(WRITTEN_BY.into(), AttributeValue::S(id.clone()));
        let parts = Parts { puts: vec![put], summary: None, lease: LeaseUse::None };
        Ok(self.write_parts(parts, &id).await? == Written::Done)
    }

    async fn write_parts(&self, mut parts: Parts<'_>, id: &str) -> Result<Written, Failure> {
        let mut conflicts = 0;
        loop {
            match self.attempt(&parts, id).await? {
                Tried::Written(written) => return Ok(written),
                // Each time there are fewer parts, so that this ends.
                Tried::Without(less) => parts = *less,
                Tried::Conflict(failure) => {
                    conflicts += 1;
                    if conflicts == CONFLICTS_MAX {
                        return Err(failure);
                    }
                    self.pause(conflicts).await;
                }
            }
        }
    }

    async fn attempt<'a>(&self, parts: &Parts<'a>, id: &str) -> Result<Tried<'a>, Failure> {
        match (parts.puts.as_slice(), &parts.summary, &parts.lease) {
            ([], None, LeaseUse::None) => Ok(Tried::Written(Written::Done)),
            ([put], None, LeaseUse::None) => self.put(put, id).await,
            _ => self.transact(parts, id).await,
        }
    }

    async fn put<'a>(&self, put: &PutIf, id: &str) -> Result<Tried<'a>, Failure> {
        let values = Some(put.condition.values.clone()).filter(|values| !values.is_empty());
        let call = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(put.item.clone()))
            .condition_expression(put.condition.expression)
            .set_expression_attribute_names(Some(put.condition.names.clone()))
            .set_expression_attribute_values(values)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let Err(error) = call.send().await else { return Ok(Tried::Written(Written::Done)) };
        match service_error(&error) {
            Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                let ours = is_ours(failed.item(), id);
                Ok(Tried::Written(if ours { Written::Done } else { Written::Lost }))
            }
            Some(PutItemError::TransactionConflictException(_)) => {
                Ok(Tried::Conflict(self.write_failed(error)))
            }
            _ => Err(self.write_failed(error)),
        }
    }

    async fn transact<'a>(&self, parts: &Parts<'a>, id: &str) -> Result<Tried<'a>, Failure> {
        let actions = self.actions(parts)?;
        let call = self.client.transact_write_items().set_transact_items(Some(actions));
        let Err(error) = call.send().await else { return Ok(Tried::Written(Written::Done)) };
        match service_error(&error) {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                let reasons = cancelled.cancellation_reasons();
                match judge(reasons, parts, id) {
                    Some(tried) => Ok(tried),
                    None if reasons.iter().any(is_temporary) => {
                        Ok(Tried::Conflict(self.write_failed(error)))
                    }
                    None => Err(self.write_failed(error)),
                }
            }
            // The SDK's first attempt is still being written; the next try meets its result.
            Some(TransactWriteItemsError::TransactionInProgressException(_)) => {
                Ok(Tried::Conflict(self.write_failed(error)))
            }
            _ => Err(self.write_failed(error)),
        }
    }

    /// The actions of a transaction, in this order: records, summary, lease.
    fn actions(&self, parts: &Parts<'_>) -> Result<Vec<TransactWriteItem>, Failure> {
        let built = |action: Result<TransactWriteItem, BuildError>| {
            action.map_err(|error| self.write_failed(error))
        };
        let mut actions = Vec::new();
        for put in &parts.puts {
            actions.push(built(put.action(&self.table))?);
        }
        if let Some(summary) = &parts.summary {
            actions.push(update(summary, &self.table)?);
        }
        match &parts.lease {
            LeaseUse::None => {}
            LeaseUse::Take(lease) => actions.push(built(lease.take().action(&self.table))?),
            LeaseUse::Release(lease) => actions.push(built(lease.release(&self.table))?),
        }
        Ok(actions)
    }
}

/// The put of a record on condition that the version before is there.
fn put_of(write: &Write, id: &str) -> Result<PutIf, Failure> {
    let condition = Condition::version(write.expected);
    Ok(PutIf { item: item_to_put(write, id)?, condition })
}

/// The outcome of a cancelled transaction by its reasons, which are in the order of the actions.
/// None if no condition failed.
fn judge<'a>(reasons: &[CancellationReason], parts: &Parts<'a>, id: &str) -> Option<Tried<'a>> {
    let (puts, others) = reasons.split_at_checked(parts.puts.len())?;
    // A transaction is all or nothing: if this write wrote one of them, it wrote all.
    if puts.iter().any(|reason| is_ours(reason.item(), id)) {
        return Some(Tried::Written(Written::Done));
    }
    if puts.iter().any(is_condition) {
        return Some(Tried::Written(Written::Lost));
    }
    let (summary, lease) = match &parts.summary {
        None => (None, others.first()),
        Some(summary) => (others.first().map(|reason| (summary, reason)), others.get(1)),
    };
    let mut less = parts.clone();
    let mut is_less = false;
    if lease.is_some_and(is_condition) {
        if let LeaseUse::Take(_) = parts.lease {
            return Some(Tried::Written(Written::NoLease));
        }
        less.lease = LeaseUse::None;
        is_less = true;
    }
    if let Some((summary, reason)) = summary
        && is_condition(reason)
    {
        less.summary = without_older(summary, reason.item());
        is_less = true;
    }
    is_less.then(|| Tried::Without(Box::new(less)))
}

/// Tells whether a condition failed.
fn is_condition(reason: &CancellationReason) -> bool {
    reason.code() == Some("ConditionalCheckFailed")
}

/// Tells whether a reason goes away soon: another transaction, or more load than the table is
/// scaled for.
fn is_temporary(reason: &CancellationReason) -> bool {
    matches!(
        reason.code(),
        Some("TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded")
    )
}

/// Tells whether the item that is there was written by this write.
fn is_ours(there: Option<&Item>, id: &str) -> bool {
    there.and_then(|item| item.get(WRITTEN_BY)).is_some_and(|by| by.as_s().is_ok_and(|by| by == id))
}
