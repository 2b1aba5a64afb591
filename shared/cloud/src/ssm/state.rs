//! Parameters, as SSM remembers them.

use std::collections::{BTreeMap, BTreeSet};

use crate::kernel::time::Time;

/// The parameters of one account in one region.
#[derive(Debug, Default)]
pub struct Region {
    pub(super) parameters: BTreeMap<String, Parameter>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Parameter {
    pub(super) kind: String,
    pub(super) description: Option<String>,
    /// The oldest first. There are none while the first one waits for its image.
    pub(super) versions: Vec<Version>,
    /// The number that was given out last.
    pub(super) last_number: i64,
    /// The versions that wait for their image, by number and time: a new parameter of the same name
    /// has nothing to do with what was put into the old one.
    pub(super) waiting: BTreeSet<(i64, Time)>,
}

#[derive(Clone, Debug)]
pub(super) struct Version {
    pub(super) number: i64,
    pub(super) value: String,
    pub(super) data_type: String,
    pub(super) changed_at: Time,
    pub(super) changed_by: String,
}
