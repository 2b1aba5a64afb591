//! Errors with stable codes, which become Lambda's error types.
//!
//! `docs/errors.md` has a section for each code. Whether trying again may help is a property of the
//! error: Lambda tries again whatever a function says, but alarms can tell the two apart.

use std::error::Error;
use std::fmt;

use aws_sdk_dynamodb::types::error::ResourceNotFoundException;

/// A function could not do its work; the event will be delivered again.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("the environment variable {name} is of no use: {why}")]
    Environment { name: String, why: String },
    /// The ledger cannot be read or written.
    #[error("the ledger ({table}) could not be {done}")]
    Ledger {
        table: String,
        done: &'static str,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// What stands in the ledger is not what was ever written there.
    #[error("an item of the ledger cannot be read: {key}: {why}")]
    Item { key: String, why: String },
    /// EC2 did not answer a question.
    #[error("{operation} in {region} failed")]
    Ec2 {
        operation: &'static str,
        region: String,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// Our bus did not take an event.
    #[error("the bus ({bus}) did not take an event")]
    Bus {
        bus: String,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl Failure {
    pub fn environment(name: &str, why: impl fmt::Display) -> Failure {
        Failure::Environment { name: name.to_string(), why: why.to_string() }
    }

    pub const CODES: [&'static str; 5] = [
        "environment-incomplete",
        "ledger-unavailable",
        "ledger-item-unreadable",
        "ec2-unavailable",
        "bus-unavailable",
    ];

    /// Stable: alarms and `docs/errors.md` name it.
    pub fn code(&self) -> &'static str {
        match self {
            Failure::Environment { .. } => "environment-incomplete",
            Failure::Ledger { .. } => "ledger-unavailable",
            Failure::Item { .. } => "ledger-item-unreadable",
            Failure::Ec2 { .. } => "ec2-unavailable",
            Failure::Bus { .. } => "bus-unavailable",
        }
    }

    /// There is no such table in this account and region.
    pub fn is_table_missing(&self) -> bool {
        causes(self).any(|cause| cause.is::<ResourceNotFoundException>())
    }

    /// Whether the same again may succeed without anybody doing anything.
    pub fn is_retryable(&self) -> bool {
        !matches!(self, Failure::Environment { .. } | Failure::Item { .. })
    }
}

/// An error and all that led to it, in one line.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    told(error, ": ")
}

/// An error and all that led to it, with this between any two. No error of ours repeats its source;
/// of those of the SDK some do: what says nothing new is left out.
pub fn told(error: &(dyn Error + 'static), between: &str) -> String {
    let mut told = String::new();
    for cause in causes(error) {
        let text = cause.to_string();
        if told.is_empty() {
            told = text;
        } else if !told.contains(&text) {
            told.push_str(between);
            told.push_str(&text);
        }
    }
    told
}

/// An error, what led to it, what led to that, and so on.
pub fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| Error::source(*error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("service error")]
    struct Service(#[source] Repeats);

    /// As some errors of the SDK do.
    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Repeats(#[source] Cause);

    #[derive(Debug, thiserror::Error)]
    #[error("the table is not there")]
    struct Cause;

    #[test]
    fn a_chain_tells_every_cause_once() {
        let source = Box::new(Service(Repeats(Cause)));
        let failure = Failure::Ledger { table: "t".to_string(), done: "read", source };
        assert_eq!(
            chain(&failure),
            "the ledger (t) could not be read: service error: the table is not there"
        );
        assert_eq!(
            told(&failure, "\n  because "),
            "the ledger (t) could not be read\n  because service error\n  because the table is not \
             there"
        );
    }

    #[test]
    fn every_failure_has_a_code_of_its_own() {
        let failures = [
            Failure::environment("A", "it is not set"),
            Failure::Ledger { table: String::new(), done: "read", source: Box::new(Cause) },
            Failure::Item { key: String::new(), why: String::new() },
            Failure::Ec2 { operation: "", region: String::new(), source: Box::new(Cause) },
            Failure::Bus { bus: String::new(), source: Box::new(Cause) },
        ];
        assert_eq!(failures.map(|failure| failure.code()), Failure::CODES);
    }
}
