//! Findings for people to see. Each is kept once, and marked as resolved when it no longer holds.

use afterimage_core::command::{Finding, Resolved};
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;

use super::condition::{Condition, PutIf};
use super::item::{Item, item_of, record_of};
use super::keys::{FINDINGS, Key, PK, SK, WRITTEN_BY};
use super::record::readable;
use super::{Ledger, service_error};
use crate::error::Failure;

/// The attribute with the time when a finding was seen to hold no longer.
const RESOLVED_AT: &str = "resolved_at";

impl Ledger {
    /// Reads all findings that are not resolved.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn findings(&self) -> Result<Vec<Finding>, Failure> {
        let mut items = self.query(self.whole(FINDINGS)).await?;
        items.retain(|item| !item.contains_key(RESOLVED_AT));
        Ok(items.iter().filter_map(|item| readable(finding(item))).collect())
    }

    /// Keeps a finding; false if it is known. The first report stays; after a finding was resolved,
    /// the next report is a first one. So is one that says more than what is known.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn report(&self, finding: &Finding) -> Result<bool, Failure> {
        let key = Key::finding(finding);
        let unfit = |why| Failure::Item { key: key.to_string(), why };
        let mut item = item_of(finding).map_err(unfit)?;
        item.extend(key.item());
        let replaced = |index: usize| {
            let code = finding.replaces().get(index).map_or("", |code| code.as_str());
            AttributeValue::S(code.to_string())
        };
        let condition = Condition::new(
            "attribute_not_exists(#pk) OR attribute_exists(#resolved_at) OR #reason.#code = :one \
             OR #reason.#code = :other",
        );
        let condition = condition
            .name("#pk", PK)
            .name("#resolved_at", RESOLVED_AT)
            .name("#reason", "reason")
            .name("#code", "code")
            .value(":one", replaced(0))
            .value(":other", replaced(1));
        self.put_own(PutIf { item, condition }, finding.seen_at).await
    }

    /// Marks a finding as resolved; false if it was resolved before, or has another code now.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn resolve(&self, resolved: &Resolved) -> Result<bool, Failure> {
        let key = Key::found(&resolved.region, &resolved.artefact);
        let call = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key.item()))
            .update_expression("SET #resolved_at = :at")
            .condition_expression("#reason.#code = :code AND attribute_not_exists(#resolved_at)")
            .expression_attribute_names("#resolved_at", RESOLVED_AT)
            .expression_attribute_names("#reason", "reason")
            .expression_attribute_names("#code", "code")
            .expression_attribute_values(":at", AttributeValue::S(resolved.at.to_string()))
            .expression_attribute_values(":code", AttributeValue::S(resolved.code.to_string()));
        self.update_finding(call).await
    }

    /// Gives a finding another text; false if there is none of its code, or it was resolved. The
    /// time at which it was seen first stays.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn reword(&self, finding: &Finding) -> Result<bool, Failure> {
        let key = Key::found(&finding.region, &finding.artefact);
        let text = AttributeValue::S(finding.reason.text.clone());
        let code = AttributeValue::S(finding.reason.code.to_string());
        let call = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key.item()))
            .update_expression("SET #reason.#text = :text")
            .condition_expression("#reason.#code = :code AND attribute_not_exists(#resolved_at)")
            .expression_attribute_names("#resolved_at", RESOLVED_AT)
            .expression_attribute_names("#reason", "reason")
            .expression_attribute_names("#text", "text")
            .expression_attribute_names("#code", "code")
            .expression_attribute_values(":text", text)
            .expression_attribute_values(":code", code);
        self.update_finding(call).await
    }

    /// Makes an update; false if its condition does not hold.
    async fn update_finding(&self, call: UpdateItemFluentBuilder) -> Result<bool, Failure> {
        let Err(error) = call.send().await else { return Ok(true) };
        match service_error(&error) {
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(false),
            _ => Err(self.write_failed(error)),
        }
    }
}

fn finding(item: &Item) -> Result<Finding, Failure> {
    record_of(item, &[PK, SK, WRITTEN_BY])
        .map_err(|why| Failure::Item { key: Key::of(item).to_string(), why })
}
