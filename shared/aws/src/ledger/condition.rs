//! Conditional puts: an item, and the condition on the one in whose place it is put.

use std::collections::HashMap;

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{
    AttributeValue, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};
use jiff::Timestamp;

use super::item::Item;
use super::keys::{PK, VERSION};
use super::read::millis;

/// The condition of a write: what must hold of the item that is there.
#[derive(Clone, Debug, Default)]
pub struct Condition {
    pub expression: &'static str,
    pub names: HashMap<String, String>,
    pub values: HashMap<String, AttributeValue>,
}

/// An item and the condition of its put.
#[derive(Clone, Debug)]
pub struct PutIf {
    pub item: Item,
    pub condition: Condition,
}

impl Condition {
    pub fn new(expression: &'static str) -> Condition {
        Condition { expression, ..Condition::default() }
    }

    pub fn name(mut self, placeholder: &str, name: &str) -> Condition {
        self.names.insert(placeholder.to_string(), name.to_string());
        self
    }

    pub fn value(mut self, placeholder: &str, value: AttributeValue) -> Condition {
        self.values.insert(placeholder.to_string(), value);
        self
    }

    /// The condition that there is no such item.
    pub fn absent() -> Condition {
        Condition::new("attribute_not_exists(#pk)").name("#pk", PK)
    }

    /// The condition that the time in an attribute is not after this one, or absent.
    pub fn not_after(attribute: &str, at: Timestamp) -> Condition {
        Condition::new("NOT (#at > :at)").name("#at", attribute).value(":at", millis(at))
    }

    /// The condition that the item has this version; 0 stands for no item.
    pub fn version(expected: u64) -> Condition {
        if expected == 0 {
            return Condition::absent();
        }
        Condition::new("#version = :version")
            .name("#version", VERSION)
            .value(":version", AttributeValue::N(expected.to_string()))
    }
}

impl PutIf {
    /// The put as an action of a transaction.
    pub fn action(&self, table: &str) -> Result<TransactWriteItem, BuildError> {
        let values = Some(self.condition.values.clone()).filter(|values| !values.is_empty());
        let put = Put::builder()
            .table_name(table)
            .set_item(Some(self.item.clone()))
            .condition_expression(self.condition.expression)
            .set_expression_attribute_names(Some(self.condition.names.clone()))
            .set_expression_attribute_values(values)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()?;
        Ok(TransactWriteItem::builder().put(put).build())
    }
}
