//! Events that cannot happen to a record in its status. Nothing is changed then, and the log has
//! the event under a code of its own: it is a mistake in this program, and never to be dropped in
//! silence.

use crate::downtime::IllegalForDowntime;
use crate::point::IllegalForReplica;
use crate::reason::{Code, Reason};
use crate::status::IllegalTransition;

/// A transition that no table of transitions has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Illegal {
    #[error(transparent)]
    Point(#[from] IllegalTransition),
    #[error(transparent)]
    Replica(#[from] IllegalForReplica),
    #[error(transparent)]
    Downtime(#[from] IllegalForDowntime),
    /// An intent whose change does not write the record that the call is for.
    #[error("the intent of {call} does not write the record that the call is for")]
    NoRecord { call: &'static str },
}

impl Illegal {
    /// Returns the reason under which it is logged.
    pub fn reason(self) -> Reason {
        Reason::new(Code::IllegalTransition, self.to_string())
    }
}
