//! Failures of a command, their exit statuses, and the text of an error with its causes.

use std::error::Error;
use std::fmt;

use afterimage_aws::error;

/// Reason why a command ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The user can put it right.
    Input(String),
    /// A mistake in this program.
    Ours(String),
}

impl Failure {
    /// Exit status of the command. 0 is for success.
    pub const fn exit_status(&self) -> u8 {
        match self {
            Failure::Input(_) => 1,
            Failure::Ours(_) => 2,
        }
    }

    /// Makes a failure of an error that nobody expected.
    pub fn unexpected(error: impl Error + 'static) -> Failure {
        Failure::Ours(chain(&error))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Input(text) | Failure::Ours(text) => f.write_str(text),
        }
    }
}

/// Tells an error and its causes, each on a line of its own.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    error::told(error, "\n  because ")
}
