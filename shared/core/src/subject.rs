//! Subjects of findings: what a person would look up.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{AmiId, InstanceId, ResourceId, SnapshotId};

/// Prefix of the name of a policy.
const POLICY: &str = "policy ";

/// Subject of a finding. Kept as a text: an id, or `policy NAME`. In the order of these texts, in
/// which findings are reported.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Subject {
    Image(AmiId),
    Machine(InstanceId),
    /// A policy by its name, which may be none that a policy can have.
    Policy(String),
    Snapshot(SnapshotId),
    /// Any other text, as an older release may have written it.
    Other(String),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Image(id) => id.fmt(f),
            Subject::Machine(id) => id.fmt(f),
            Subject::Policy(name) => write!(f, "{POLICY}{name}"),
            Subject::Snapshot(id) => id.fmt(f),
            Subject::Other(text) => f.write_str(text),
        }
    }
}

impl From<&str> for Subject {
    fn from(text: &str) -> Subject {
        if let Some(name) = text.strip_prefix(POLICY) {
            return Subject::Policy(name.to_string());
        }
        let machine = || InstanceId::parse(text).map(Subject::Machine);
        let image = || AmiId::parse(text).map(Subject::Image);
        let snapshot = || SnapshotId::parse(text).map(Subject::Snapshot);
        let id = machine().or_else(|_| image()).or_else(|_| snapshot());
        id.unwrap_or_else(|_| Subject::Other(text.to_string()))
    }
}

impl From<String> for Subject {
    fn from(text: String) -> Subject {
        Subject::from(text.as_str())
    }
}

impl From<Subject> for String {
    fn from(subject: Subject) -> String {
        subject.to_string()
    }
}

impl From<ResourceId> for Subject {
    fn from(id: ResourceId) -> Subject {
        match id {
            ResourceId::Image(id) => Subject::Image(id),
            ResourceId::Machine(id) => Subject::Machine(id),
            ResourceId::Snapshot(id) => Subject::Snapshot(id),
        }
    }
}

impl From<&InstanceId> for Subject {
    fn from(id: &InstanceId) -> Subject {
        Subject::Machine(id.clone())
    }
}

impl From<&AmiId> for Subject {
    fn from(id: &AmiId) -> Subject {
        Subject::Image(id.clone())
    }
}

impl From<&SnapshotId> for Subject {
    fn from(id: &SnapshotId) -> Subject {
        Subject::Snapshot(id.clone())
    }
}
