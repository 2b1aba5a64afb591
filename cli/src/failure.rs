//! Why a command ended early, and how it is told.

use std::error::Error;
use std::fmt;

use afterimage_aws::error;

/// Why a command ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Something the user can put right.
    Input(String),
    /// Something that should not happen.
    Ours(String),
}

impl Failure {
    /// 0 is for what is done.
    pub const fn exit_status(&self) -> u8 {
        match self {
            Failure::Input(_) => 1,
            Failure::Ours(_) => 2,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Input(text) | Failure::Ours(text) => f.write_str(text),
        }
    }
}

/// An error and what led to it, each on a line of its own.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    error::told(error, "\n  because ")
}
