//! Errors with stable codes, which become Lambda's error types.
//!
//! `docs/errors.md` has a section for each code. An error knows whether trying again may help.
//! Lambda tries again in any case, but alarms can tell the two kinds apart.

use std::error::Error;
use std::fmt;

use aws_sdk_dynamodb::types::error::ResourceNotFoundException;
use aws_smithy_types::error::ErrorMetadata;

/// The failure of one invocation. Lambda delivers its event again.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("environment variable {name} {why}")]
    Environment { name: String, why: String },
    /// DynamoDB did not read or write the ledger.
    #[error("the ledger ({table}) could not be {done}")]
    Ledger {
        table: String,
        done: &'static str,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// A ledger that a newer version has written.
    #[error(
        "the ledger ({table}) has format {found}, and this version knows formats up to {known}"
    )]
    Format { table: String, found: u32, known: u32 },
    /// An item that breaks the form or an invariant of its record.
    #[error("ledger item {key} is not valid: {why}")]
    Item { key: String, why: String },
    /// EC2 did not answer a describe call.
    #[error("{operation} in {region} failed")]
    Ec2 {
        operation: &'static str,
        region: String,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// EventBridge did not accept an event for our bus.
    #[error("bus {bus} did not accept an event")]
    Bus {
        bus: String,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl Failure {
    /// The failure of an environment variable. `why` completes the sentence that begins with its
    /// name.
    pub fn environment(name: &str, why: impl fmt::Display) -> Failure {
        Failure::Environment { name: name.to_string(), why: why.to_string() }
    }

    pub const CODES: [&'static str; 6] = [
        "environment-incomplete",
        "ledger-unavailable",
        "ledger-format-newer",
        "ledger-item-unreadable",
        "ec2-unavailable",
        "bus-unavailable",
    ];

    /// The stable code, which alarms and `docs/errors.md` name.
    pub fn code(&self) -> &'static str {
        match self {
            Failure::Environment { .. } => "environment-incomplete",
            Failure::Ledger { .. } => "ledger-unavailable",
            Failure::Format { .. } => "ledger-format-newer",
            Failure::Item { .. } => "ledger-item-unreadable",
            Failure::Ec2 { .. } => "ec2-unavailable",
            Failure::Bus { .. } => "bus-unavailable",
        }
    }

    /// Tells whether the account and region have no such table.
    pub fn is_table_missing(&self) -> bool {
        causes(self).any(|cause| cause.is::<ResourceNotFoundException>())
    }

    /// Tells whether the same invocation may succeed later without anybody doing anything.
    pub fn is_retryable(&self) -> bool {
        !matches!(self, Failure::Environment { .. } | Failure::Format { .. } | Failure::Item { .. })
    }
}

/// An error and its causes in one line.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    told(error, ": ")
}

/// An error and its causes with a separator between them. No error of ours repeats its source, but
/// some of the SDK's do: a cause that says nothing new is left out. If AWS has answered, its answer
/// is the cause, and the steps of the SDK in between say nothing.
pub fn told(error: &(dyn Error + 'static), separator: &str) -> String {
    let mut told = String::new();
    if let Some(answer) = answer(error) {
        return format!("{error}{separator}{answer}");
    }
    for cause in causes(error) {
        let text = cause.to_string();
        if told.is_empty() {
            told = text;
        } else if !told.contains(&text) {
            told.push_str(separator);
            told.push_str(&text);
        }
    }
    told
}

/// The code and the text of the answer of AWS that caused an error; none if there was none.
pub fn answer(error: &(dyn Error + 'static)) -> Option<String> {
    let answer = causes(error).find_map(|cause| cause.downcast_ref::<ErrorMetadata>())?;
    let code = answer.code()?;
    Some(answer.message().map_or_else(|| code.to_string(), |text| format!("{code}: {text}")))
}

/// An error, its source, the source of that, and so on.
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

    /// An error that repeats its source, as some of the SDK do.
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
    fn an_answer_of_aws_is_told_without_the_steps_of_the_sdk() {
        let answer = ErrorMetadata::builder().code("AccessDeniedException").message("no").build();
        let unhandled = aws_sdk_dynamodb::operation::query::QueryError::generic(answer);
        let failure =
            Failure::Ledger { table: "t".to_string(), done: "read", source: Box::new(unhandled) };
        assert_eq!(chain(&failure), "the ledger (t) could not be read: AccessDeniedException: no");
    }

    #[test]
    fn every_failure_has_a_code_of_its_own() {
        let failures = [
            Failure::environment("A", "is not set"),
            Failure::Ledger { table: String::new(), done: "read", source: Box::new(Cause) },
            Failure::Format { table: String::new(), found: 2, known: 1 },
            Failure::Item { key: String::new(), why: String::new() },
            Failure::Ec2 { operation: "", region: String::new(), source: Box::new(Cause) },
            Failure::Bus { bus: String::new(), source: Box::new(Cause) },
        ];
        assert_eq!(failures.map(|failure| failure.code()), Failure::CODES);
    }
}
