//! Regions that an audit could not read, as the record of the audit has them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::Region;
use crate::limits::AUDIT_LATE;

/// A region that the last audit could not read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unaudited {
    /// Time of the last audit that read the region. If none did, that of the first one.
    pub since: Timestamp,
    /// The answer of the region to the last audit.
    pub answer: String,
}

/// The regions that the last audit could not read.
pub type AllUnaudited = BTreeMap<Region, Unaudited>;

impl Unaudited {
    /// Tells whether the region was not read for so long that a person should know.
    pub fn is_late(&self, now: Timestamp) -> bool {
        now.duration_since(self.since) >= AUDIT_LATE
    }
}
