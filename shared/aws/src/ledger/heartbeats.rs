//! Heartbeats: one item for each function, with its version and the time at which it last wrote it;
//! and the answer to the test event of `afterimage doctor`. No function reads them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Ledger;
use super::item::{Item, item_of, record_of};
use super::keys::{FUNCTION, FUNCTIONS, Key, PK, SK};
use super::record::readable;
use crate::error::Failure;

/// Life sign of a function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Name of the function in Lambda.
    pub function: String,
    /// Version of its code.
    pub version: String,
    /// Version of the template that it was deployed with; none of a template without one.
    #[serde(default)]
    pub template: Option<String>,
    /// Name of the bus that it puts its events on.
    pub bus: String,
    pub at: Timestamp,
}

/// Answer to a test event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestAnswer {
    /// The id that the event had.
    pub id: String,
    pub at: Timestamp,
}

impl Ledger {
    /// Writes a heartbeat in the place of the one before.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn beat(&self, heartbeat: &Heartbeat) -> Result<(), Failure> {
        self.put_plain(Key::heartbeat(&heartbeat.function), heartbeat).await
    }

    /// Writes the answer to a test event in the place of the one before.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn answer_test(&self, answer: &TestAnswer) -> Result<(), Failure> {
        self.put_plain(Key::test_answer(), answer).await
    }

    async fn put_plain(&self, key: Key, record: &impl Serialize) -> Result<(), Failure> {
        let unfit = |why| Failure::Item { key: key.to_string(), why };
        let mut item = item_of(record).map_err(unfit)?;
        item.extend(key.item());
        let call = self.client.put_item().table_name(&self.table).set_item(Some(item));
        call.send().await.map(|_| ()).map_err(|error| self.write_failed(error))
    }

    /// Reads the heartbeats of all functions.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn heartbeats(&self) -> Result<Vec<Heartbeat>, Failure> {
        let items = self.query(self.beginning(FUNCTIONS, FUNCTION)).await?;
        Ok(items.iter().filter_map(|item| readable(record(item))).collect())
    }

    /// Reads the last answer to a test event; none if there was none.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn test_answer(&self) -> Result<Option<TestAnswer>, Failure> {
        let items = self.items([Key::test_answer()].into()).await?;
        Ok(items.values().find_map(|item| readable(record(item))))
    }
}

fn record<T: serde::de::DeserializeOwned>(item: &Item) -> Result<T, Failure> {
    record_of(item, &[PK, SK]).map_err(|why| Failure::Item { key: Key::of(item).to_string(), why })
}
