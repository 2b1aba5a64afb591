//! Copies of the items of another table: a ledger that was restored into a new table, because
//! DynamoDB always restores into a new one. No function does this, only the command.
//!
//! Nothing that is in the ledger is changed. What tells where work was going on is not copied: the
//! leases, claims and hints, the roster and the downtimes, because machines that an older ledger
//! calls stopped may have been started since. The count of rounds is not copied either, so that
//! the ledger is doubted and looked at.

use aws_sdk_dynamodb::operation::put_item::PutItemError;

use super::condition::Condition;
use super::format::refuse_newer;
use super::item::Item;
use super::keys::{CURSOR, Key, POLICIES, POLICY, REGION, partition_prefix};
use super::{Ledger, PAGES_MAX, service_error};
use crate::error::Failure;

/// Parts of a ledger, in the order in which they are copied: once the policies are in force, the
/// functions begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The points, replicas, summaries and request counters.
    Machines,
    /// The policies, with their cursors, and the regions.
    Policies,
}

/// Numbers of a copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    pub items: usize,
    /// Items that the ledger has.
    pub left_alone: usize,
}

impl Part {
    fn has(self, key: &Key) -> bool {
        let is_in_force = || [POLICY, CURSOR, REGION].iter().any(|sk| key.sk.starts_with(sk));
        match self {
            Part::Machines => key.pk.starts_with(&partition_prefix()) && !key.is_downtime(),
            Part::Policies => key.pk == POLICIES && is_in_force(),
        }
    }
}

impl Ledger {
    /// Copies a part of another table of the same region into the ledger, where the ledger has
    /// nothing.
    ///
    /// # Errors
    /// One of the tables does not answer, or a newer version has written the other one. What was
    /// copied until then stays; copying again completes it.
    pub async fn copy_from(&self, table: &str, part: Part) -> Result<Copied, Failure> {
        let failed = |source| Failure::Ledger { table: table.to_string(), done: "read", source };
        let scan = self.client.scan().table_name(table).consistent_read(true);
        let mut pages = scan.into_paginator().send();
        // The number of the format may stand on the last page: nothing is copied before.
        let (mut read, mut pages_read) = (Vec::new(), 0);
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| failed(error.into()))?;
            let items = page.items.unwrap_or_default();
            refuse_newer(table, &items)?;
            read.extend(items.into_iter().filter(|item| part.has(&Key::of(item))));
            pages_read += 1;
            if pages_read == PAGES_MAX {
                return Err(failed(format!("the table has {PAGES_MAX} pages or more").into()));
            }
        }
        let mut copied = Copied::default();
        for item in read {
            match self.put_new(item).await? {
                true => copied.items += 1,
                false => copied.left_alone += 1,
            }
        }
        Ok(copied)
    }

    /// Puts an item; false if there is one with its key.
    async fn put_new(&self, item: Item) -> Result<bool, Failure> {
        let Condition { expression, names, .. } = Condition::absent();
        let call = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression(expression)
            .set_expression_attribute_names(Some(names));
        let Err(error) = call.send().await else { return Ok(true) };
        match service_error(&error) {
            Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(false),
            _ => Err(self.write_failed(error)),
        }
    }
}
