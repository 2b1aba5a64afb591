//! Scheduled Event, every five minutes.

use serde_json::Value;

use super::backup_tick::{KIND, Tick};
use super::{Unusable, envelope};
use crate::environment::Environment;

/// # Errors
/// The event is of no use.
pub fn reconcile_tick(event: &Value, environment: &Environment) -> Result<Tick, Unusable> {
    envelope(event, &KIND, environment).map(|_| Tick)
}
