//! Findings: what a person should see, each kept once.

use afterimage_core::command::Finding;

use super::Ledger;
use super::item::{Item, item_of, record_of};
use super::keys::{FINDINGS, Key, PK, SK, WRITTEN_BY};
use super::record::readable;
use super::write::{Condition, PutIf};
use crate::error::Failure;

impl Ledger {
    /// Everything that was ever found.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn findings(&self) -> Result<Vec<Finding>, Failure> {
        let items = self.query(self.whole(FINDINGS)).await?;
        Ok(items.iter().filter_map(|item| readable(finding(item))).collect())
    }

    /// Keeps what was found; false if it was known. The first report stays as it is.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn report(&self, finding: &Finding) -> Result<bool, Failure> {
        let key = Key::finding(finding);
        let unfit = |why| Failure::Item { key: key.to_string(), why };
        let mut item = item_of(finding).map_err(unfit)?;
        item.extend(key.item());
        self.put_own(PutIf { item, condition: Condition::absent() }, finding.seen_at).await
    }
}

fn finding(item: &Item) -> Result<Finding, Failure> {
    record_of(item, &[PK, SK, WRITTEN_BY])
        .map_err(|why| Failure::Item { key: Key::of(item).to_string(), why })
}
