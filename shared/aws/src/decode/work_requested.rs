//! Work Requested: our own event, on our own bus. It names a queue, and can do no more harm than
//! to wake a worker who finds nothing to do.

use afterimage_core::flow::WorkRequested;
use afterimage_core::ids::Region;
use afterimage_core::limits::HOPS_MAX;
use afterimage_core::work::{Kind as Work, Queue};
use serde::Deserialize;
use serde_json::Value;

use super::{Kind, Unusable, detail, envelope, short};
use crate::environment::Environment;

/// The source of our own events.
pub const SOURCE: &str = "afterimage";
pub const DETAIL_TYPE: &str = "Work Requested";

const KIND: Kind = Kind { source: SOURCE, detail_types: &[DETAIL_TYPE] };

#[derive(Deserialize)]
struct Detail {
    region: String,
    kind: String,
    #[serde(default)]
    hop: u32,
}

/// # Errors
/// The event is of no use.
pub fn work_requested(event: &Value, environment: &Environment) -> Result<WorkRequested, Unusable> {
    let event = envelope(event, &KIND, environment)?;
    let Detail { region, kind, hop } = detail(&event)?;
    let region = Region::parse(&region)?;
    let known = Work::ALL.into_iter().find(|known| known.as_str() == kind);
    let kind = known
        .ok_or_else(|| Unusable::impossible(format!("`{}` is no kind of work", short(&kind))))?;
    if hop > HOPS_MAX {
        return Err(Unusable::impossible(format!("{hop} hops are more than {HOPS_MAX}")));
    }
    Ok(WorkRequested { queue: Queue { region, kind }, hop })
}
