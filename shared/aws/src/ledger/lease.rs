//! Leases and claims: one worker at a queue, and one look at a time.
//!
//! Neither is the right to call EC2: that is the conditional write of the intent. They keep workers
//! out of each other's way. Who holds one, and until when, is decided by the condition of the write
//! alone, and by the time that the caller names.

use std::collections::BTreeSet;

use afterimage_core::work::Queue;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, TransactWriteItem};
use jiff::Timestamp;

use super::Ledger;
use super::keys::Key;
use super::read::millis;
use super::write::{Condition, PutIf};
use crate::error::Failure;

const HOLDER: &str = "holder";
const UNTIL: &str = "until";

/// What a write does with the lease of its queue, in the same transaction.
#[derive(Clone, Copy, Debug)]
pub enum LeaseUse<'a> {
    None,
    /// Takes it, or keeps it for longer.
    Take(&'a Lease),
    Release(&'a Lease),
}

/// The right to work at a queue, for a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    pub queue: Queue,
    pub holder: String,
    /// By which it is judged whether another's has run out.
    pub now: Timestamp,
    pub until: Timestamp,
}

impl Lease {
    /// Free, run out, or ours already.
    pub(super) fn take(&self) -> PutIf {
        let holder = AttributeValue::S(self.holder.clone());
        let mut item = Key::lease(&self.queue).item();
        item.insert(HOLDER.into(), holder.clone());
        item.insert(UNTIL.into(), millis(self.until));
        let condition = Condition::new("#holder = :holder OR NOT (#until > :now)")
            .name("#holder", HOLDER)
            .name("#until", UNTIL)
            .value(":holder", holder)
            .value(":now", millis(self.now));
        PutIf { item, condition }
    }

    /// Ours, or nobody's.
    pub(super) fn release(&self, table: &str) -> Result<TransactWriteItem, BuildError> {
        let delete = Delete::builder()
            .table_name(table)
            .set_key(Some(Key::lease(&self.queue).item()))
            .condition_expression("attribute_not_exists(#holder) OR #holder = :holder")
            .expression_attribute_names("#holder", HOLDER)
            .expression_attribute_values(":holder", AttributeValue::S(self.holder.clone()))
            .build()?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }
}

impl Ledger {
    /// When the look that was claimed last is, or was, to be.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn claimed_until(&self, queue: &Queue) -> Result<Option<Timestamp>, Failure> {
        let key = Key::claim(queue);
        let items = self.items(BTreeSet::from([key.clone()])).await?;
        let until = items.get(&key).and_then(|item| item.get(UNTIL)?.as_n().ok()?.parse().ok());
        Ok(until.and_then(|until| Timestamp::from_millisecond(until).ok()))
    }

    /// Claims the next look at what is in flight in a queue, which will be at `until`. False if
    /// another has claimed it: then that look is still to come.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn claim(
        &self,
        queue: &Queue,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, Failure> {
        let mut item = Key::claim(queue).item();
        item.insert(UNTIL.into(), millis(until));
        let condition = Condition::not_after(UNTIL, now);
        self.put_own(PutIf { item, condition }, now).await
    }
}
