//! Failures of a command, their exit statuses, and the text of an error with its causes.

use std::error::Error;
use std::fmt;

use afterimage_aws::error;
use aws_sdk_dynamodb::error::ErrorMetadata;
use aws_sdk_dynamodb::operation::RequestId as _;

/// Reason why a command ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The user can put it right.
    Input(String),
    /// The user was asked, and said no.
    Declined(String),
    /// A mistake in this program.
    Ours(String),
}

impl Failure {
    /// Exit status of the command. 0 is for success.
    pub const fn exit_status(&self) -> u8 {
        match self {
            Failure::Input(_) | Failure::Declined(_) => 1,
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
            Failure::Input(text) | Failure::Declined(text) | Failure::Ours(text) => {
                f.write_str(text)
            }
        }
    }
}

/// Tells an error, and on a line of its own the cause of all causes. Those in between are steps
/// of the SDK, which say nothing to a person.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let told = error.to_string();
    let cause = error::causes(error).last();
    let cause = cause.map(|cause| match cause.downcast_ref::<ErrorMetadata>() {
        Some(answer) => answer_text(answer),
        None => cause.to_string(),
    });
    match cause {
        Some(cause) if !told.contains(&cause) => format!("{told}\n  because {cause}"),
        _ => told,
    }
}

/// Formats the answer of a service: its code, its message, and the id of the request.
fn answer_text(answer: &ErrorMetadata) -> String {
    let message = answer.message().unwrap_or("no message was given");
    let mut text = format!("{}: {message}", answer.code().unwrap_or("error without a code"));
    if let Some(id) = answer.request_id() {
        text.push_str(&format!(" (request {id})"));
    }
    text
}
