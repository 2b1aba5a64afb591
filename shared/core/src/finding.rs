//! Reasons with their subjects: those that are logged, and those that are kept for people.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::Region;
use crate::reason::{Code, Reason};
use crate::subject::Subject;

/// A reason, and its subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// A point, an instance, an image: the name that a person would look up.
    pub about: String,
    pub reason: Reason,
}

/// A reason that a person should see, kept once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    pub region: Region,
    /// An image, a snapshot, a machine, a policy.
    pub artefact: Subject,
    pub reason: Reason,
    pub seen_at: Timestamp,
}

impl Finding {
    /// Returns the codes of what is known of the same artefact whose place this takes: an image
    /// that is gone is neither disabled nor without a tag, and a key that was deleted is not only
    /// one that cannot be used.
    pub fn replaces(&self) -> &'static [Code] {
        match self.reason.code {
            Code::Lost => &[Code::ImageDisabled, Code::TagGone],
            Code::LostAgain => &[Code::Lost, Code::ImageDisabled, Code::TagGone],
            Code::ImageDisabled => &[Code::TagGone],
            Code::KeyDeleted => &[Code::KeyUnusable],
            _ => &[],
        }
    }
}

/// A finding that no longer holds. If it holds again, it is a new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    pub region: Region,
    pub artefact: Subject,
    /// Code of the finding that was reported.
    pub code: Code,
    pub at: Timestamp,
}
