//! Regions that an audit could not read, or of which it found what nobody looks at, as the record
//! of the audit has them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::Region;
use crate::limits::AUDIT_LATE;

/// A region of which the last audit does not know everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unaudited {
    /// Time of the last audit that read the region. If none did, that of the first one.
    pub since: Timestamp,
    /// The answer of the region to the last audit.
    pub answer: String,
    /// The number of places that EC2 does not show, and that nobody has looked at for too long.
    /// Then the region was read.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unconfirmed: usize,
}

/// The regions of which the last audit does not know everything.
pub type AllUnaudited = BTreeMap<Region, Unaudited>;

impl Unaudited {
    /// Tells whether that is so for so long that a person should know.
    pub fn is_late(&self, now: Timestamp) -> bool {
        self.unconfirmed > 0 || now.duration_since(self.since) >= AUDIT_LATE
    }
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}
