//! `Work Requested`, our own event on our own bus. It names a queue; a forged one can only wake a
//! worker that finds nothing to do. A test event of `afterimage doctor` costs one write.

use afterimage_core::flow::WorkRequested;
use afterimage_core::ids::Region;
use afterimage_core::limits::{HOPS_MAX, TEST_ID_CHARS_MAX};
use afterimage_core::work::{Kind as Work, Queue};
use serde::Deserialize;
use serde_json::Value;

use super::{Kind, Unusable, detail, envelope, short};
use crate::environment::Environment;

/// The source of our own events.
pub const SOURCE: &str = "afterimage";
/// The detail type of this event.
pub const DETAIL_TYPE: &str = "Work Requested";

const KIND: Kind = Kind { source: SOURCE, detail_types: &[DETAIL_TYPE] };

#[derive(Deserialize)]
struct Detail {
    region: String,
    kind: String,
    #[serde(default)]
    hop: u32,
}

/// Member of the detail of a test event: its id.
pub const TEST: &str = "test";

/// Decodes the event.
///
/// # Errors
/// The event cannot be used.
pub fn work_requested(event: &Value, environment: &Environment) -> Result<WorkRequested, Unusable> {
    let event = envelope(event, &KIND, environment)?;
    let Detail { region, kind, hop } = detail(&event)?;
    let region = Region::parse(&region)?;
    let known = Work::ALL.into_iter().find(|known| known.as_str() == kind);
    let kind = known.ok_or_else(|| {
        Unusable::impossible(format!("kind of work `{}` is unknown", short(&kind)))
    })?;
    if hop > HOPS_MAX {
        return Err(Unusable::impossible(format!("hop {hop} is above the limit of {HOPS_MAX}")));
    }
    Ok(WorkRequested { queue: Queue { region, kind }, hop })
}

/// Returns the id of a test event of `afterimage doctor`, which asks for no work; none if the event
/// is no such one. It was decoded before. A longer id is cut, and then nobody waits for it.
pub fn test_of(event: &Value) -> Option<String> {
    let id = event.get("detail")?.get(TEST)?.as_str()?;
    Some(id.chars().take(TEST_ID_CHARS_MAX).collect())
}
