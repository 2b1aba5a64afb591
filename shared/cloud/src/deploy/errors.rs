//! What is wrong with a template: collected, so that all of it is told at once.

use std::cell::RefCell;

use thiserror::Error;

use super::yaml::Position;

/// One thing that is wrong with a template or with what it is deployed with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Error)]
#[error("{at}: {path}: {what}")]
pub struct DeployError {
    pub at: Position,
    /// `Resources.BackupTick.Properties.Timeout`.
    pub path: String,
    pub what: String,
}

/// Everything found wrong so far.
#[derive(Debug, Default)]
pub struct Errors {
    all: RefCell<Vec<DeployError>>,
}

impl Errors {
    pub fn add(&self, at: Position, path: &str, what: impl Into<String>) {
        let error = DeployError { at, path: path.to_string(), what: what.into() };
        self.all.borrow_mut().push(error);
    }

    pub fn count(&self) -> usize {
        self.all.borrow().len()
    }

    /// The errors in the order of the template; one that was found by two ways is told once.
    pub fn into_sorted(self) -> Vec<DeployError> {
        let mut all = self.all.into_inner();
        all.sort();
        all.dedup();
        all
    }
}
