//! The number of the ledger's format. It is raised with each change of the items that an earlier
//! version cannot read, or would read wrongly. A ledger without a number has format 1.
//!
//! A function writes its number before it writes anything else, at the first event of an execution
//! environment and then once an hour: an earlier version that is deployed again is refused. The
//! number stands among the policies in force, so that whoever reads these reads it too. The command
//! writes no number, because it is deployed last.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};

use super::item::{Item, part_of};
use super::keys::{self, Key};
use super::{Ledger, service_error};
use crate::error::Failure;

/// Number of the format that this version writes. It reads this one and all lower ones.
pub const FORMAT: u32 = 1;

/// Attribute of the number.
const NUMBER: &str = "number";

impl Ledger {
    /// Writes the number, if the ledger has none or a lower one.
    ///
    /// # Errors
    /// A newer version has written the ledger, or the ledger cannot be written.
    pub async fn claim_format(&self) -> Result<(), Failure> {
        let mut item = Key::format().item();
        item.insert(NUMBER.into(), AttributeValue::N(FORMAT.to_string()));
        let call = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(#number) OR #number <= :number")
            .expression_attribute_names("#number", NUMBER)
            .expression_attribute_values(":number", AttributeValue::N(FORMAT.to_string()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let Err(error) = call.send().await else { return Ok(()) };
        if let Some(PutItemError::ConditionalCheckFailedException(refused)) = service_error(&error)
        {
            refuse_newer(
                &self.table,
                refused.item().map(std::slice::from_ref).unwrap_or_default(),
            )?;
        }
        Err(self.write_failed(error))
    }
}

/// Refuses a ledger among whose items is a number that is higher than ours.
pub(super) fn refuse_newer(table: &str, items: &[Item]) -> Result<(), Failure> {
    let is_format = |item: &&Item| item.get(keys::SK).is_some_and(|sk| is_text(sk, keys::FORMAT));
    let Some(item) = items.iter().find(is_format) else { return Ok(()) };
    let number = match item.get(NUMBER) {
        Some(number) => part_of(NUMBER, number),
        None => Err(format!("attribute `{NUMBER}` is missing")),
    };
    let unfit = |why| Failure::Item { key: Key::format().to_string(), why };
    let found: u32 = number.map_err(unfit)?;
    match found > FORMAT {
        true => Err(Failure::Format { table: table.to_string(), found, known: FORMAT }),
        false => Ok(()),
    }
}

fn is_text(attribute: &AttributeValue, text: &str) -> bool {
    attribute.as_s().is_ok_and(|known| known == text)
}
