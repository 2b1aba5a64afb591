//! Scheduled Event, every five minutes.

use serde_json::Value;

use super::backup_tick::KIND;
use super::{Unusable, envelope};
use crate::environment::Environment;

/// A tick says nothing but that it is time to look.
///
/// # Errors
/// The event is of no use.
pub fn reconcile_tick(event: &Value, environment: &Environment) -> Result<(), Unusable> {
    envelope(event, &KIND, environment).map(|_| ())
}
