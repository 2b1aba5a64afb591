//! What is wrong with a template: collected, so that all of it is told at once.

use std::cell::RefCell;

use thiserror::Error;

use super::yaml::{Node, Position};

/// One thing that is wrong with a template or with what it is deployed with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Error)]
#[error("{at}: {path}: {what}")]
pub struct DeployError {
    pub at: Position,
    /// `Resources.Tick.Properties.Timeout`.
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

    /// The errors in the order of the template; one that was found by several ways is told once.
    /// What `Globals` says of every function is told of `Globals`.
    pub fn into_sorted(self, root: Option<&Node>) -> Vec<DeployError> {
        let mut all = self.all.into_inner();
        let range = root.and_then(globals);
        for error in &mut all {
            let within = |(start, end): &(Position, Option<Position>)| {
                *start <= error.at && end.is_none_or(|end| error.at < end)
            };
            if range.as_ref().is_some_and(within)
                && let Some((_, rest)) = error.path.split_once(".Properties")
            {
                error.path = format!("Globals.Function{rest}");
            }
        }
        all.sort();
        all.dedup();
        all
    }
}

/// Where `Globals` begins, and the section behind it.
fn globals(root: &Node) -> Option<(Position, Option<Position>)> {
    let sections = root.map()?;
    let start = sections.iter().find(|(key, _)| key.text == "Globals").map(|(key, _)| key.at)?;
    let end = sections.iter().map(|(key, _)| key.at).filter(|at| *at > start).min();
    Some((start, end))
}
