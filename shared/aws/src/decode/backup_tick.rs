//! Scheduled Event, every minute.

use serde_json::Value;

use super::{Kind, Unusable, envelope};
use crate::environment::Environment;

pub(super) const KIND: Kind = Kind { source: "aws.events", detail_types: &["Scheduled Event"] };

/// A tick says nothing but that it is time to look.
///
/// # Errors
/// The event is of no use.
pub fn backup_tick(event: &Value, environment: &Environment) -> Result<(), Unusable> {
    envelope(event, &KIND, environment).map(|_| ())
}
