//! The counts of rounds: in the ledger, and in the small table beside it that is its witness. The
//! witness must not be restored together with the ledger, so that it can tell an older one.

use afterimage_core::ids::Region;
use afterimage_core::witness::{Identity, Mark, Testimony, Witness};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;

use super::item::Item;
use super::keys::{IDENTITY, Key, PK, SK, WITNESS};
use super::read::{at_millis, millis};
use super::{Ledger, service_error};
use crate::error::{Failure, chain};

/// The number of rounds.
const COUNT: &str = "count";
/// The beginning of the round that is under way, in the ledger.
const ROUND: &str = "round";
/// The beginning of the round that was counted last.
const AT: &str = "at";
/// The time from which the ledger is doubted.
const DOUBTED: &str = "doubted_since";

/// Suffix of the name of the witness' table, after the name of the ledger's.
const WITNESS_OF: &str = "-witness";

impl Ledger {
    /// Returns the name of the table that is the witness of the ledger.
    fn witness_table(&self) -> String {
        format!("{}{WITNESS_OF}", self.table)
    }

    /// Reads the counts of all regions from the witness. An answer that does not come is an answer
    /// too, because nothing waits for it.
    pub async fn testimony(&self) -> Testimony {
        let read = self.whole(WITNESS).table_name(self.witness_table()).send().await;
        match read {
            Ok(page) => Testimony::Read(page.items().iter().filter_map(witness).collect()),
            Err(error) => {
                let failure = Failure::Ledger {
                    table: self.witness_table(),
                    done: "read",
                    source: error.into(),
                };
                Testimony::Unreadable(chain(&failure))
            }
        }
    }

    /// Writes a count; false if somebody else was faster.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn mark(&self, mark: &Mark) -> Result<bool, Failure> {
        match mark {
            Mark::Begin { region, known, before, witness } => {
                // A worker that another was faster than leaves the mark of that one alone.
                let counted = self.begin(region, *before, witness).await;
                if matches!(counted, Ok(false)) {
                    return Ok(false);
                }
                // The end of the round needs the mark, also if the witness cannot be written.
                Ok(self.open(region, *known, witness).await? && counted?)
            }
            Mark::End { region, round, doubted_since } => {
                let mut set = "SET #count = :count".to_string();
                let mut call = self
                    .identity(region, round.count)
                    .condition_expression("#round = :round")
                    .expression_attribute_names("#round", ROUND)
                    .expression_attribute_values(":round", millis(round.at));
                if let Some(since) = doubted_since {
                    set.push_str(", #doubted = :since");
                    call = call
                        .expression_attribute_names("#doubted", DOUBTED)
                        .expression_attribute_values(":since", millis(*since));
                }
                self.updated(call.update_expression(format!("{set} REMOVE #round"))).await
            }
            Mark::Settle { region, count, since: None } => {
                let call = self.identity(region, *count).update_expression("SET #count = :count");
                self.updated(call.condition_expression(IS_NEWER)).await
            }
            Mark::Doubt { region, count, doubted_since } => {
                let call = self
                    .identity(region, *count)
                    .update_expression("SET #count = :count, #doubted = :since")
                    .condition_expression("attribute_not_exists(#count) OR #count <= :count")
                    .expression_attribute_names("#doubted", DOUBTED)
                    .expression_attribute_values(":since", millis(*doubted_since));
                self.updated(call).await
            }
            Mark::Settle { region, since: Some(since), .. } => {
                let call = self
                    .client
                    .update_item()
                    .table_name(&self.table)
                    .set_key(Some(Key::identity(region).item()))
                    .update_expression("REMOVE #doubted")
                    .condition_expression("#doubted = :since")
                    .expression_attribute_names("#doubted", DOUBTED)
                    .expression_attribute_values(":since", millis(*since));
                self.updated(call).await
            }
        }
    }

    /// Marks the ledger with a round; false if it has another count than the worker has read.
    async fn open(
        &self,
        region: &Region,
        known: Option<u64>,
        round: &Witness,
    ) -> Result<bool, Failure> {
        let call = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(Key::identity(region).item()))
            .update_expression("SET #round = :round")
            .expression_attribute_names("#round", ROUND)
            .expression_attribute_names("#count", COUNT)
            .expression_attribute_values(":round", millis(round.at));
        // A first round that did not end has left no count.
        let known = known.unwrap_or(0);
        let condition = match known {
            0 => "attribute_not_exists(#count) OR #count = :known",
            _ => "#count = :known",
        };
        let call = call.condition_expression(condition);
        self.updated(call.expression_attribute_values(":known", number(known))).await
    }

    async fn begin(
        &self,
        region: &Region,
        before: Option<u64>,
        witness: &Witness,
    ) -> Result<bool, Failure> {
        let mut item = Item::new();
        item.insert(PK.into(), AttributeValue::S(WITNESS.into()));
        item.insert(SK.into(), AttributeValue::S(region.to_string()));
        item.insert(COUNT.into(), number(witness.count));
        item.insert(AT.into(), millis(witness.at));
        let call = self.client.put_item().table_name(self.witness_table()).set_item(Some(item));
        let call = match before {
            None => call
                .condition_expression("attribute_not_exists(#pk)")
                .expression_attribute_names("#pk", PK),
            Some(before) => call
                .condition_expression("#count = :before")
                .expression_attribute_names("#count", COUNT)
                .expression_attribute_values(":before", number(before)),
        };
        let Err(error) = call.send().await else { return Ok(true) };
        match service_error(&error) {
            Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(false),
            _ => {
                let table = self.witness_table();
                Err(Failure::Ledger { table, done: "written", source: error.into() })
            }
        }
    }

    /// An update of the count of a region in the ledger.
    fn identity(&self, region: &Region, count: u64) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(Key::identity(region).item()))
            .expression_attribute_names("#count", COUNT)
            .expression_attribute_values(":count", number(count))
    }

    async fn updated(&self, call: UpdateItemFluentBuilder) -> Result<bool, Failure> {
        let Err(error) = call.send().await else { return Ok(true) };
        match service_error(&error) {
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(false),
            _ => Err(self.write_failed(error)),
        }
    }
}

const IS_NEWER: &str = "attribute_not_exists(#count) OR #count < :count";

fn number(count: u64) -> AttributeValue {
    AttributeValue::N(count.to_string())
}

fn count(item: &Item) -> Option<u64> {
    item.get(COUNT)?.as_n().ok()?.parse().ok()
}

/// The count of a region in the witness. What cannot be read counts as nothing.
fn witness(item: &Item) -> Option<(Region, Witness)> {
    let region = Region::parse(&Key::of(item).sk).ok()?;
    let at = item.get(AT).and_then(at_millis)?;
    Some((region, Witness { count: count(item)?, at }))
}

/// The count of a region in the ledger.
pub(super) fn identity(item: &Item, key: &Key) -> Result<(Region, Identity), Failure> {
    let unfit = |why: &str| Failure::Item { key: key.to_string(), why: why.to_string() };
    let region = key.sk.strip_prefix(IDENTITY).and_then(|name| Region::parse(name).ok());
    let region = region.ok_or_else(|| unfit("its key names no region"))?;
    let doubted_since: Option<Timestamp> = item.get(DOUBTED).and_then(at_millis);
    let count = match item.contains_key(COUNT) {
        true => count(item).ok_or_else(|| unfit("`count` is not a number"))?,
        // The first round is under way, or its worker died.
        false => 0,
    };
    Ok((region, Identity { count, doubted_since }))
}
