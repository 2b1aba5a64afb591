//! Everything in force: the policies, the cursors of their schedules, and the regions that may have
//! resources of ours. All of it is one partition, so that it is one read.

use afterimage_core::command::Cursor;
use afterimage_core::flow::{InForce, Unreadable};
use afterimage_core::ids::{PolicyName, Region};
use afterimage_core::policy::Policy;
use afterimage_core::still::AllStill;
use afterimage_core::unaudited::{AllUnaudited, AllUnreadKeys};
use aws_sdk_dynamodb::types::{AttributeValue, Delete, TransactWriteItem};
use jiff::Timestamp;
use serde::de::DeserializeOwned;

use super::Ledger;
use super::condition::{Condition, PutIf};
use super::format::refuse_newer;
use super::item::{Item, attribute_of, item_of, part_of, record_of};
use super::keys::{
    BRAKE, CURSOR, FORMAT, IDENTITY, Key, LOOKED, PK, POLICIES, POLICY, REGION, REMOVED, ROSTER,
    SK, VERSION, WRITTEN_BY, cursors,
};
use super::read::{at_millis, millis};
use super::record::{brake, readable, roster};
use super::witness::identity;
use super::write::ACTIONS_MAX;
use crate::error::Failure;

// The attributes of these items.
const POLICY_ATTRIBUTE: &str = "policy";
const APPLIED_AT: &str = "applied_at";
const REGION_ATTRIBUTE: &str = "region";
/// The time of a cursor, a look or a removal. An earlier one never replaces a later one.
const AT: &str = "at";
/// The regions that a look could not read.
const UNAUDITED: &str = "unaudited";
const UNREAD_KEYS: &str = "unread_keys";
/// The regions in which work stands still.
const STILL: &str = "still";

impl Ledger {
    /// Reads everything in force.
    ///
    /// # Errors
    /// The ledger cannot be read, or a newer version has written it.
    pub async fn in_force(&self) -> Result<InForce, Failure> {
        let mut in_force = InForce::default();
        let items = self.query(self.whole(POLICIES)).await?;
        refuse_newer(&self.table, &items)?;
        for item in items {
            let key = Key::of(&item);
            if let Some(name) = key.sk.strip_prefix(POLICY) {
                match policy(&item, name) {
                    Ok(policy) => {
                        let at = readable(applied_at(&item, &key));
                        in_force.applied_at.extend(at.map(|at| (policy.name.clone(), at)));
                        in_force.policies.push(policy);
                    }
                    Err(why) => {
                        in_force.unreadable.push(Unreadable { name: name.to_string(), why });
                    }
                }
            } else if key.sk.starts_with(CURSOR) {
                in_force.cursors.extend(readable(cursor(&item, &key)));
            } else if key.sk.starts_with(REGION) {
                in_force.regions.extend(readable(region(&item, &key)));
            } else if key.sk.starts_with(BRAKE) {
                let brake = readable(brake(&item));
                in_force.brakes.extend(brake.map(|brake| (brake.region.clone(), brake)));
            } else if key.sk.starts_with(IDENTITY) {
                in_force.identities.extend(readable(identity(&item, &key)));
            } else if key.sk == ROSTER {
                in_force.roster = readable(roster(&item)).unwrap_or_default();
            } else if key.sk == REMOVED {
                in_force.removed_at = readable(at_of(&item, &key));
            } else if key.sk == FORMAT {
                // It was read before all others.
            } else if key.sk == LOOKED {
                in_force.looked_at = readable(at_of(&item, &key));
                in_force.unaudited = readable(part(&item, &key, UNAUDITED)).unwrap_or_default();
                in_force.unread_keys = readable(part(&item, &key, UNREAD_KEYS)).unwrap_or_default();
                in_force.still = readable(part(&item, &key, STILL)).unwrap_or_default();
            } else {
                readable::<()>(Err(unfit(&key, "no item with such a key is ever written")));
            }
        }
        Ok(in_force)
    }

    /// Puts a policy in force. It replaces the policy of that name.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn put_policy(&self, policy: &Policy, now: Timestamp) -> Result<(), Failure> {
        let key = Key::policy(&policy.name);
        let body = attribute_of(policy).map_err(|why| unfit(&key, why))?;
        let call = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key.item()))
            .update_expression("SET #policy = :policy, #applied_at = :now ADD #version :one")
            .expression_attribute_names("#policy", POLICY_ATTRIBUTE)
            .expression_attribute_names("#applied_at", APPLIED_AT)
            .expression_attribute_names("#version", VERSION)
            .expression_attribute_values(":policy", body)
            .expression_attribute_values(":now", AttributeValue::S(now.to_string()))
            .expression_attribute_values(":one", AttributeValue::N("1".into()));
        call.send().await.map(|_| ()).map_err(|error| self.write_failed(error))
    }

    /// Removes a policy and its cursors. A policy of that name that comes later starts anew. The
    /// time is written first: within an hour, the sweep looks at what waits for a policy that is
    /// gone.
    ///
    /// # Errors
    /// The ledger cannot be read or written.
    pub async fn remove_policy(&self, name: &PolicyName, now: Timestamp) -> Result<(), Failure> {
        let mut removed = Key::removed().item();
        removed.insert(AT.into(), millis(now));
        let put = PutIf { item: removed, condition: Condition::not_after(AT, now) };
        self.put_own(put, now).await?;
        let cursors = self.query(self.beginning(POLICIES, &cursors(name))).await?;
        let mut keys: Vec<Key> = cursors.iter().map(Key::of).collect();
        // The policy goes last: while it is there, an interrupted removal can be repeated.
        keys.push(Key::policy(name));
        for keys in keys.chunks(ACTIONS_MAX) {
            let mut call = self.client.transact_write_items();
            for key in keys {
                let delete = Delete::builder().table_name(&self.table).set_key(Some(key.item()));
                let delete = delete.build().map_err(|error| self.write_failed(error))?;
                let action = TransactWriteItem::builder().delete(delete).build();
                call = call.transact_items(action);
            }
            call.send().await.map_err(|error| self.write_failed(error))?;
        }
        Ok(())
    }

    /// Remembers a region that may have resources of ours, whatever becomes of its policy.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn put_region(&self, region: &Region) -> Result<(), Failure> {
        let mut item = Key::region(region).item();
        item.insert(REGION_ATTRIBUTE.into(), AttributeValue::S(region.to_string()));
        let call = self.client.put_item().table_name(&self.table).set_item(Some(item));
        call.send().await.map(|_| ()).map_err(|error| self.write_failed(error))
    }

    /// Advances the cursor of a schedule. It never goes back.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn advance(&self, cursor: &Cursor) -> Result<(), Failure> {
        let condition = Condition::not_after(AT, cursor.done_until);
        let put = PutIf { item: cursor_item(cursor)?, condition };
        self.put_own(put, cursor.done_until).await.map(|_| ())
    }

    /// Remembers the time of the last audit of everything with our tag, the regions and the keys
    /// that it could not read, and the regions in which work stands still.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn looked(
        &self,
        at: Timestamp,
        unaudited: &AllUnaudited,
        unread_keys: &AllUnreadKeys,
        still: &AllStill,
    ) -> Result<(), Failure> {
        let mut item = Key::looked().item();
        item.insert(AT.into(), millis(at));
        let unfit = |why| unfit(&Key::looked(), why);
        if !unaudited.is_empty() {
            item.insert(UNAUDITED.into(), attribute_of(unaudited).map_err(unfit)?);
        }
        if !unread_keys.is_empty() {
            item.insert(UNREAD_KEYS.into(), attribute_of(unread_keys).map_err(unfit)?);
        }
        if !still.is_empty() {
            item.insert(STILL.into(), attribute_of(still).map_err(unfit)?);
        }
        let put = PutIf { item, condition: Condition::not_after(AT, at) };
        self.put_own(put, at).await.map(|_| ())
    }
}

fn cursor_item(cursor: &Cursor) -> Result<Item, Failure> {
    let key = Key::cursor(cursor);
    let mut item = item_of(cursor).map_err(|why| unfit(&key, why))?;
    item.extend(key.item());
    item.insert(AT.into(), millis(cursor.done_until));
    Ok(item)
}

fn policy(item: &Item, name: &str) -> Result<Policy, String> {
    let body = item
        .get(POLICY_ATTRIBUTE)
        .ok_or_else(|| format!("attribute `{POLICY_ATTRIBUTE}` is missing"))?;
    let policy: Policy = part_of(POLICY_ATTRIBUTE, body)?;
    if policy.name.as_str() != name {
        return Err(format!("it holds policy {}", policy.name));
    }
    Ok(policy)
}

fn applied_at(item: &Item, key: &Key) -> Result<Timestamp, Failure> {
    let at = item.get(APPLIED_AT).and_then(|at| at.as_s().ok()).and_then(|at| at.parse().ok());
    at.ok_or_else(|| unfit(key, format!("`{APPLIED_AT}` is not a time")))
}

fn cursor(item: &Item, key: &Key) -> Result<Cursor, Failure> {
    let cursor: Cursor =
        record_of(item, &[PK, SK, AT, WRITTEN_BY]).map_err(|why| unfit(key, why))?;
    if Key::cursor(&cursor) != *key {
        return Err(unfit(key, format!("it holds the cursor of {}", Key::cursor(&cursor))));
    }
    Ok(cursor)
}

fn region(item: &Item, key: &Key) -> Result<Region, Failure> {
    let name = item
        .get(REGION_ATTRIBUTE)
        .ok_or_else(|| unfit(key, format!("attribute `{REGION_ATTRIBUTE}` is missing")))?;
    part_of(REGION_ATTRIBUTE, name).map_err(|why| unfit(key, why))
}

fn at_of(item: &Item, key: &Key) -> Result<Timestamp, Failure> {
    item.get(AT).and_then(at_millis).ok_or_else(|| unfit(key, format!("`{AT}` is not a time")))
}

/// Returns a part of the record of the audit, which is empty if it is not there.
fn part<T: Default + DeserializeOwned>(
    item: &Item,
    key: &Key,
    name: &'static str,
) -> Result<T, Failure> {
    let Some(body) = item.get(name) else { return Ok(T::default()) };
    part_of(name, body).map_err(|why| unfit(key, why))
}

fn unfit(key: &Key, why: impl ToString) -> Failure {
    Failure::Item { key: key.to_string(), why: why.to_string() }
}
