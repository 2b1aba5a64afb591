//! The table of the ledger, as DynamoDB describes it.

use std::collections::BTreeMap;

use afterimage_core::ids::AccountId;

use super::Ledger;
use super::keys::{DUE, FLEET, PLACES};
use crate::error::Failure;

/// Every index of the table.
const INDEXES: [&str; 3] = [DUE, FLEET, PLACES];

/// State of a table or an index that can be used.
const ACTIVE: &str = "ACTIVE";

/// Description of the table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    pub arn: String,
    /// Its state; `ACTIVE` if it can be used.
    pub status: String,
    /// The states of its indexes, by their names.
    pub indexes: BTreeMap<String, String>,
}

impl Table {
    pub fn is_active(&self) -> bool {
        // A table that is being updated is read and written all the same.
        self.status == ACTIVE || self.status == "UPDATING"
    }

    /// Lists the indexes that cannot be read, each with its state.
    pub fn unusable_indexes(&self) -> Vec<String> {
        let of = |name: &str| match self.indexes.get(name).map(String::as_str) {
            Some(ACTIVE | "UPDATING") => None,
            Some(status) => Some(format!("{name} ({status})")),
            None => Some(format!("{name} (missing)")),
        };
        INDEXES.into_iter().filter_map(of).collect()
    }

    /// The account that has the table; none if its ARN names none.
    pub fn account(&self) -> Option<AccountId> {
        AccountId::parse(self.arn.split(':').nth(4)?).ok()
    }
}

impl Ledger {
    /// Describes the table.
    ///
    /// # Errors
    /// There is no such table, or DynamoDB does not answer.
    pub async fn describe(&self) -> Result<Table, Failure> {
        let call = self.client.describe_table().table_name(&self.table).send().await;
        let answer = call.map_err(|error| self.read_failed(error))?;
        let table = answer
            .table
            .unwrap_or_else(|| aws_sdk_dynamodb::types::TableDescription::builder().build());
        let status = |status: Option<String>| status.unwrap_or_default();
        let indexes = table.global_secondary_indexes.unwrap_or_default().into_iter();
        Ok(Table {
            arn: table.table_arn.unwrap_or_default(),
            status: status(table.table_status.map(|status| status.as_str().to_string())),
            indexes: indexes
                .filter_map(|index| {
                    let state = index.index_status.map(|status| status.as_str().to_string());
                    Some((index.index_name?, status(state)))
                })
                .collect(),
        })
    }
}
