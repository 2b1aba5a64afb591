//! Reasons, and what they are about: those that are logged, and those that are kept for people.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::Region;
use crate::reason::{Code, Reason};
use crate::subject::Subject;

/// A reason, and what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// A point, an instance, an image: whatever a person would look up.
    pub about: String,
    pub reason: Reason,
}

/// Something that a person should see, kept once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    pub region: Region,
    /// An image, a snapshot, a machine, a policy.
    pub artefact: Subject,
    pub reason: Reason,
    pub seen_at: Timestamp,
}

/// A finding that no longer holds. Should it hold again, it is a new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    pub region: Region,
    pub artefact: Subject,
    /// What had been found.
    pub code: Code,
    pub at: Timestamp,
}
