//! Hints: one item for each machine and kind of event, until a worker has followed it.

use afterimage_core::hint::{Hint, Hinted};
use afterimage_core::ids::{InstanceId, Region};
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;

use super::condition::{Condition, PutIf};
use super::item::Item;
use super::keys::{Key, hints};
use super::read::{at_millis, millis};
use super::record::readable;
use super::{Ledger, service_error};
use crate::error::Failure;

/// The time of the event.
const AT: &str = "at";

impl Ledger {
    /// Reads the hints of a region.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn hints(&self, region: &Region) -> Result<Vec<Hint>, Failure> {
        let items = self.query(self.whole(&hints(region))).await?;
        Ok(items.iter().filter_map(|item| readable(hint(item, region))).collect())
    }

    /// Writes a hint, in the place of an earlier one of the same machine.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn put_hint(&self, hint: &Hint) -> Result<bool, Failure> {
        let mut item = Key::hint(hint).item();
        item.insert(AT.into(), millis(hint.at));
        let condition = Condition::not_after(AT, hint.at);
        self.put_own(PutIf { item, condition }, hint.at).await
    }

    /// Removes a hint that was followed; false if it is gone, or a later event wrote it again.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn forget(&self, hint: &Hint) -> Result<bool, Failure> {
        let call = self
            .client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(Key::hint(hint).item()))
            .condition_expression("#at = :at")
            .expression_attribute_names("#at", AT)
            .expression_attribute_values(":at", millis(hint.at));
        let Err(error) = call.send().await else { return Ok(true) };
        match service_error(&error) {
            Some(DeleteItemError::ConditionalCheckFailedException(_)) => Ok(false),
            _ => Err(self.write_failed(error)),
        }
    }
}

fn hint(item: &Item, region: &Region) -> Result<Hint, Failure> {
    let key = Key::of(item);
    let unfit = |why: &str| Failure::Item { key: key.to_string(), why: why.to_string() };
    let (kind, id) = key.sk.split_once('#').unwrap_or_default();
    let hinted = Hinted::ALL.into_iter().find(|hinted| hinted.as_str() == kind);
    let hinted = hinted.ok_or_else(|| unfit("its key names no kind of event"))?;
    let instance = InstanceId::parse(id).map_err(|_| unfit("its key names no machine"))?;
    let at = item.get(AT).and_then(at_millis).ok_or_else(|| unfit("`at` is not a time"))?;
    Ok(Hint { region: region.clone(), instance, hinted, at })
}
