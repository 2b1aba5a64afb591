//! Time to live: expired items are deleted some time after they expired.
//!
//! DynamoDB promises no more than that they go within days. The world sweeps them away at a pace
//! (`Pace::ttl_sweep`) while any table of the region has a time to live.

use super::Step;
use crate::agenda::Due;
use crate::model::{Model, Scope};

/// Plans the next sweep, if there is anything to sweep and none is planned.
pub fn plan(model: &mut Model, scope: &Scope) {
    let Ok(region) = model.dynamodb.region(scope, None) else { return };
    if region.sweep_planned || !region.tables.values().any(|table| table.expires) {
        return;
    }
    region.sweep_planned = true;
    let pace = model.config.pace.ttl_sweep;
    model.after(pace, Due::Dynamo(scope.clone(), Step::Sweep));
}

/// Deletes what has expired.
pub fn sweep(model: &mut Model, scope: &Scope) {
    let Ok(region) = model.dynamodb.region(scope, None) else { return };
    region.sweep_planned = false;
    // A sweep that fails leaves expired items where they are, as a slow one would.
    let _deleted = region.primary.sweep_ttl();
    if let Some(shadow) = &region.shadow {
        // By then the shadow's clock, which is behind by the lag, shows what the clock shows now:
        // the same items go.
        let lag = shadow.lag;
        model.after(lag, Due::Dynamo(scope.clone(), Step::SweepShadow));
    }
    plan(model, scope);
}

pub fn sweep_shadow(model: &mut Model, scope: &Scope) {
    let Ok(region) = model.dynamodb.region(scope, None) else { return };
    if let Some(shadow) = &region.shadow {
        let _deleted = shadow.database.sweep_ttl();
    }
}
