//! EC2: instances, volumes, snapshots and images, with the state machines, errors, quotas and
//! events that they have at AWS.

pub mod answer;
pub mod catalogue;
pub mod filter;
pub mod furniture;
pub mod groups;
pub mod images;
pub mod instances;
pub mod key_pairs;
pub mod launch_templates;
pub mod lookup;
pub mod merge;
pub mod network;
pub mod recycle_bin;
pub mod snapshots;
pub mod state;
pub mod tags;
pub mod throttle;
pub mod tokens;
pub mod types;
pub mod volumes;

pub use state::Region;

use crate::kernel::error::{ApiError, Kind};
use crate::kernel::xml::Xml;

/// `<return>true</return>`, the answer of calls that have nothing to say.
pub fn done() -> Xml {
    let mut xml = Xml::new();
    xml.flag("return", true);
    xml
}

/// Checks the shape of an id before it is looked up.
pub fn well_formed(kind: Kind, id: &str) -> Result<&str, ApiError> {
    if kind.is_well_formed(id) { Ok(id) } else { Err(ApiError::malformed(kind, id)) }
}
