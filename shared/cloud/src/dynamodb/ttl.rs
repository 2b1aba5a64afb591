//! Time to live: expired items are deleted some time after they expired.
//!
//! DynamoDB promises no more than that they go within days. The world sweeps them away at a pace
//! (`Pace::ttl_sweep`) while any table of the region has a time to live. Items that expired more
//! than five years ago stay: DynamoDB takes such a number for something else than a time.

use std::collections::HashMap;

use dynoxide::actions::delete_item::DeleteItemRequest;
use dynoxide::actions::scan::ScanRequest;
use dynoxide::{AttributeValue, Item, NativeDatabase};

use super::state::{Key, Region};
use crate::kernel::scope::Scope;
use crate::kernel::time::Time;
use crate::model::Model;

const IGNORED_AFTER_SECS: u64 = 5 * 365 * 86_400;

/// Plans the next sweep, if there is anything to sweep and none is planned.
pub fn plan(model: &mut Model, scope: &Scope) {
    let Ok(region) = model.dynamodb.region(scope, None) else { return };
    if region.sweep_planned || !region.tables.values().any(|table| table.expiry.is_some()) {
        return;
    }
    region.sweep_planned = true;
    let pace = model.config.pace.ttl_sweep;
    let scope = scope.clone();
    model.after(pace, "dynamodb: expired items go", move |model| sweep(model, &scope));
}

/// Deletes what has expired.
fn sweep(model: &mut Model, scope: &Scope) {
    let now = model.now;
    let Ok(region) = model.dynamodb.region(scope, None) else { return };
    region.sweep_planned = false;
    sweep_database(region, &region.primary, now);
    if let Some(shadow) = &region.shadow {
        let lag = shadow.lag;
        let scope = scope.clone();
        model.after(lag, "dynamodb: indexes learn of a sweep", move |model| {
            sweep_shadow(model, &scope);
        });
    }
    plan(model, scope);
}

/// The indexes learn, after the lag, of what was swept then.
fn sweep_shadow(model: &mut Model, scope: &Scope) {
    let now = model.now;
    let Ok(region) = model.dynamodb.region(scope, None) else { return };
    if let Some(shadow) = &region.shadow {
        sweep_database(region, &shadow.database, now - shadow.lag);
    }
}

/// A sweep that fails leaves expired items where they are, as a slow one would.
fn sweep_database(region: &Region, database: &NativeDatabase, now: Time) {
    for (name, table) in &region.tables {
        let Some(attribute) = &table.expiry else { continue };
        let mut from = None;
        while let Ok(page) = database.scan(expired(name, attribute, now, from)) {
            for item in page.items.unwrap_or_default() {
                let request = DeleteItemRequest {
                    table_name: name.clone(),
                    key: key_of(&table.key, item),
                    ..DeleteItemRequest::default()
                };
                database.delete_item(request).ok();
            }
            from = page.last_evaluated_key;
            if from.is_none() {
                break;
            }
        }
    }
}

fn key_of(names: &[String], item: Item) -> Key {
    item.into_iter().filter(|(name, _)| names.contains(name)).collect()
}

/// A page of the items whose time was over before now, though not five years ago.
fn expired(
    table: &str,
    attribute: &str,
    now: Time,
    from: Option<HashMap<String, AttributeValue>>,
) -> ScanRequest {
    let number = |secs: u64| AttributeValue::N(secs.to_string());
    let oldest = now.secs().saturating_sub(IGNORED_AFTER_SECS);
    let names = [("#expiry".to_string(), attribute.to_string())];
    let values = [
        (":now".to_string(), number(now.secs())),
        (":oldest".to_string(), number(oldest)),
        (":number".to_string(), AttributeValue::S("N".to_string())),
    ];
    let filter = "attribute_type(#expiry, :number) AND #expiry < :now AND #expiry > :oldest";
    ScanRequest {
        table_name: table.to_string(),
        filter_expression: Some(filter.to_string()),
        expression_attribute_names: Some(names.into()),
        expression_attribute_values: Some(values.into()),
        exclusive_start_key: from,
        consistent_read: Some(true),
        ..ScanRequest::default()
    }
}
