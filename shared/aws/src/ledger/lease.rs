//! Leases and claims: one worker at a queue, and one look at a time.
//!
//! Neither gives the right to call EC2: that is the conditional write of the intent. Leases and
//! claims keep workers out of each other's way. The condition of the write alone, and the time that
//! the caller names, decide who holds one, and until when.

use std::collections::BTreeSet;

use afterimage_core::limits::{CLAIM_BELIEVED_MAX, LEASE_BELIEVED_MAX};
use afterimage_core::work::Queue;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, TransactWriteItem};
use jiff::{SignedDuration, Timestamp};

use super::Ledger;
use super::condition::{Condition, PutIf};
use super::item::Item;
use super::keys::Key;
use super::read::millis;
use crate::error::Failure;

const HOLDER: &str = "holder";
const UNTIL: &str = "until";

/// Use of the lease of a queue by a write, in the same transaction.
#[derive(Clone, Copy, Debug)]
pub enum LeaseUse<'a> {
    None,
    /// Takes the lease, or keeps it for longer.
    Take(&'a Lease),
    Release(&'a Lease),
}

/// The right to work at a queue, for a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    pub queue: Queue,
    pub holder: String,
    /// The time by which another worker's lease is judged to have run out.
    pub now: Timestamp,
    pub until: Timestamp,
}

impl Lease {
    /// Returns the write that takes the lease if it is free, run out, or ours already.
    pub(super) fn take(&self) -> PutIf {
        let holder = AttributeValue::S(self.holder.clone());
        let mut item = Key::lease(&self.queue).item();
        item.insert(HOLDER.into(), holder.clone());
        item.insert(UNTIL.into(), millis(self.until));
        let condition =
            Condition::new("#holder = :holder OR NOT (#until > :now AND #until <= :latest)")
                .name("#holder", HOLDER)
                .name("#until", UNTIL)
                .value(":holder", holder)
                .value(":now", millis(self.now))
                .value(":latest", millis(latest(self.now, LEASE_BELIEVED_MAX)));
        PutIf { item, condition }
    }

    /// Returns the write that releases the lease if it is ours, or nobody's.
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
    /// Tells whether another holder than `holder` works at a queue just now. That worker goes on
    /// until nothing is left that it could do, so that others need not even ask EC2.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn is_leased_to_another(
        &self,
        queue: &Queue,
        holder: &str,
        now: Timestamp,
    ) -> Result<bool, Failure> {
        let key = Key::lease(queue);
        let items = self.items(BTreeSet::from([key.clone()])).await?;
        let lease = items.get(&key);
        let other =
            lease.and_then(|item| item.get(HOLDER)?.as_s().ok()).is_some_and(|is| is != holder);
        let is_held = |until| until > now && until <= latest(now, LEASE_BELIEVED_MAX);
        Ok(other && lease.and_then(until).is_some_and(is_held))
    }

    /// Takes a lease by itself. False if another worker holds it.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn take(&self, lease: &Lease) -> Result<bool, Failure> {
        self.put_own(lease.take(), lease.now).await
    }

    /// Returns the time of the look that was claimed last. It may be past. A time that no worker
    /// can have claimed counts as none.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn claimed_until(
        &self,
        queue: &Queue,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Failure> {
        let key = Key::claim(queue);
        let items = self.items(BTreeSet::from([key.clone()])).await?;
        let claimed = items.get(&key).and_then(until);
        Ok(claimed.filter(|until| *until <= latest(now, CLAIM_BELIEVED_MAX)))
    }

    /// Claims the next look at what is in flight in a queue, which will be at `until`. False if
    /// another worker has claimed a look that is still to come.
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
        let condition = Condition::new("NOT (#until > :now AND #until <= :latest)")
            .name("#until", UNTIL)
            .value(":now", millis(now))
            .value(":latest", millis(latest(now, CLAIM_BELIEVED_MAX)));
        self.put_own(PutIf { item, condition }, now).await
    }
}

fn latest(now: Timestamp, believed: SignedDuration) -> Timestamp {
    now.checked_add(believed).unwrap_or(Timestamp::MAX)
}

fn until(item: &Item) -> Option<Timestamp> {
    Timestamp::from_millisecond(item.get(UNTIL)?.as_n().ok()?.parse().ok()?).ok()
}
