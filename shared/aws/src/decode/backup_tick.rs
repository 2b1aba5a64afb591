//! Scheduled Event, every minute.

use serde_json::Value;

use super::{Kind, Unusable, envelope};
use crate::environment::Environment;

pub(super) const KIND: Kind = Kind { source: "aws.events", detail_types: &["Scheduled Event"] };

/// A rule of a schedule fired: it is time to look, and nothing more is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick;

/// # Errors
/// The event is of no use.
pub fn backup_tick(event: &Value, environment: &Environment) -> Result<Tick, Unusable> {
    envelope(event, &KIND, environment).map(|_| Tick)
}
