//! `Scheduled Event` of the rule that fires every minute.

use serde_json::Value;

use super::{Kind, Unusable, envelope};
use crate::environment::Environment;

pub(super) const KIND: Kind = Kind { source: "aws.events", detail_types: &["Scheduled Event"] };

/// A scheduled rule fired. The event says nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick;

/// Decodes the event.
///
/// # Errors
/// The event cannot be used.
pub fn backup_tick(event: &Value, environment: &Environment) -> Result<Tick, Unusable> {
    envelope(event, &KIND, environment).map(|_| Tick)
}
