//! Every minute: which slots are due, and the points that they ask for.

use jiff::Timestamp;

use super::InForce;
use crate::command::{Cursor, Decision};
use crate::machine::Instance;
use crate::policy::Policy;

/// A schedule of which slots have come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    pub policy: Policy,
    /// As it will be when the slots are looked after.
    pub cursor: Cursor,
    /// The slot that is imaged: the last one. Earlier ones, missed while nothing ran, collapse
    /// into it. None for a schedule that is seen for the first time.
    pub slot: Option<Timestamp>,
    pub collapsed: usize,
}

/// What has come due since it was last looked.
pub fn due(_in_force: &InForce, _now: Timestamp) -> Vec<Due> {
    Vec::new()
}

#[derive(Clone, Debug)]
pub struct Input {
    pub now: Timestamp,
    pub due: Vec<Due>,
    /// Every instance in the regions of the policies that are due, as far as their tags may match.
    pub instances: Vec<Instance>,
}

pub fn decide(_input: &Input) -> Decision {
    Decision::default()
}
