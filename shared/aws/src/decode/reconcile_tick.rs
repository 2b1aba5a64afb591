//! `Scheduled Event` of the rule that fires every five minutes.

use serde_json::Value;

use super::backup_tick::{KIND, Tick};
use super::{Unusable, envelope};
use crate::environment::Environment;

/// Decodes the event.
///
/// # Errors
/// The event cannot be used.
pub fn reconcile_tick(event: &Value, environment: &Environment) -> Result<Tick, Unusable> {
    envelope(event, &KIND, environment).map(|_| Tick)
}
