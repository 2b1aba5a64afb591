//! Regions that an audit could not read, or of which it found what nobody looks at, and keys that
//! KMS did not describe, as the record of the audit has them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::Region;
use crate::limits::{AUDIT_LATE, UNREAD_KEYS_MAX};

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

/// Keys of good images whose state is not known, because KMS did not describe them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnreadKeys {
    /// Time of the last audit that knew them all. If none did, that of the first one.
    pub since: Timestamp,
    /// The last answer of KMS.
    pub answer: String,
    /// The keys, as far as they are kept.
    pub arns: BTreeSet<String>,
}

/// The keys whose state is not known, by region.
pub type AllUnreadKeys = BTreeMap<Region, UnreadKeys>;

impl UnreadKeys {
    /// Tells whether that is so for so long that a person should know.
    pub fn is_late(&self, now: Timestamp) -> bool {
        now.duration_since(self.since) >= AUDIT_LATE
    }

    /// Formats the number of keys.
    pub fn count(&self) -> String {
        match self.arns.len() {
            1 => "1 key".to_string(),
            count if count < UNREAD_KEYS_MAX => format!("{count} keys"),
            count => format!("{count} or more keys"),
        }
    }
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}
