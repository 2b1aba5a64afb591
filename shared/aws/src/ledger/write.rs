//! Writing: a change is one request, all of it or nothing of it.
//!
//! A change of one record, with no summary and no lease, is a PutItem; every other is a
//! TransactWriteItems, which costs twice as much and is still one request. What the change can do
//! without (the summary, the release of a lease) never makes it fail: it is written again without.

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
use super::{CONFLICTS_MAX, Ledger, Writer, said};
use crate::error::Failure;

/// What one transaction takes.
pub const ACTIONS_MAX: usize = 100;

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    Done,
    /// Nothing was written: a record has another version by now, or is there already.
    Lost,
    /// Nothing was written: the lease is another's.
    NoLease,
}

/// What became of one try.
enum Tried<'a> {
    Written(Written),
    /// Something was in the way that will not be there for long.
    Conflict(Failure),
    /// It could be written without what this no longer has.
    Without(Box<Parts<'a>>),
}

/// What a try writes.
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
        // The same for every try: whichever of them succeeded, it is recognised.
        let id = writer.next_id();
        let puts: Result<Vec<PutIf>, Failure> =
            change.writes.iter().map(|write| put_of(write, &id)).collect();
        let summary = change.summary.clone().filter(|summary| !summary.news.is_empty());
        self.write_parts(Parts { puts: puts?, summary, lease }, &id).await
    }

    /// Puts an item that no [`Writer`] counts; false if its condition does not hold.
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
                // There is less each time, so that this comes to an end.
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
        match said(&error) {
            Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                let ours = is_ours(failed.item(), id);
                Ok(Tried::Written(if ours { Written::Done } else { Written::Lost }))
            }
            Some(PutItemError::TransactionConflictException(_)) => {
                Ok(Tried::Conflict(self.unwritten(error)))
            }
            _ => Err(self.unwritten(error)),
        }
    }

    async fn transact<'a>(&self, parts: &Parts<'a>, id: &str) -> Result<Tried<'a>, Failure> {
        let actions = self.actions(parts)?;
        let call = self.client.transact_write_items().set_transact_items(Some(actions));
        let Err(error) = call.send().await else { return Ok(Tried::Written(Written::Done)) };
        match said(&error) {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                let reasons = cancelled.cancellation_reasons();
                match judge(reasons, parts, id) {
                    Some(tried) => Ok(tried),
                    None if reasons.iter().any(passes) => {
                        Ok(Tried::Conflict(self.unwritten(error)))
                    }
                    None => Err(self.unwritten(error)),
                }
            }
            // The first attempt of the SDK is still on its way; the next try meets what it wrote.
            Some(TransactWriteItemsError::TransactionInProgressException(_)) => {
                Ok(Tried::Conflict(self.unwritten(error)))
            }
            _ => Err(self.unwritten(error)),
        }
    }

    /// In this order: the records, the summary, the lease.
    fn actions(&self, parts: &Parts<'_>) -> Result<Vec<TransactWriteItem>, Failure> {
        let built = |action: Result<TransactWriteItem, BuildError>| {
            action.map_err(|error| self.unwritten(error))
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

/// The put of a record, on condition that the version before is there.
fn put_of(write: &Write, id: &str) -> Result<PutIf, Failure> {
    let condition = Condition::version(write.expected);
    Ok(PutIf { item: item_to_put(write, id)?, condition })
}

/// What follows from the reasons of a cancellation, which come in the order of the actions: none
/// if no condition failed.
fn judge<'a>(reasons: &[CancellationReason], parts: &Parts<'a>, id: &str) -> Option<Tried<'a>> {
    let (puts, others) = reasons.split_at_checked(parts.puts.len())?;
    // All or nothing: if one of them was written by this very write, all of them were.
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

fn is_condition(reason: &CancellationReason) -> bool {
    reason.code() == Some("ConditionalCheckFailed")
}

/// What was in the way will be gone soon: another transaction, or more load than the table is ready
/// for.
fn passes(reason: &CancellationReason) -> bool {
    matches!(
        reason.code(),
        Some("TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded")
    )
}

fn is_ours(there: Option<&Item>, id: &str) -> bool {
    there.and_then(|item| item.get(WRITTEN_BY)).is_some_and(|by| by.as_s().is_ok_and(|by| by == id))
}
