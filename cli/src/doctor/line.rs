//! A line of the report: what was looked at, what was found, and what to do.

use std::fmt;
use std::time::Duration;

use afterimage_aws::{Failure, error};
use serde::Serialize;

/// Time that AWS has to answer one check. A region in trouble must not hold up the others.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// Result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Ok,
    Warn,
    Fail,
}

impl Level {
    pub const fn as_str(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Warn => "warn",
            Level::Fail => "fail",
        }
    }
}

/// A line of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    pub level: Level,
    /// Name of the check. Several lines may have the same.
    pub check: &'static str,
    pub found: String,
    /// The next step of a person; none if all is well.
    pub to_do: Option<String>,
    /// True if the check could not be made, because AWS did not answer or refused.
    pub not_made: bool,
}

impl Line {
    pub fn ok(check: &'static str, found: impl Into<String>) -> Line {
        Line { level: Level::Ok, check, found: found.into(), to_do: None, not_made: false }
    }

    pub fn warn(check: &'static str, found: impl Into<String>, to_do: impl Into<String>) -> Line {
        Line { level: Level::Warn, to_do: Some(to_do.into()), ..Line::ok(check, found) }
    }

    pub fn fail(check: &'static str, found: impl Into<String>, to_do: impl Into<String>) -> Line {
        Line { level: Level::Fail, ..Line::warn(check, found, to_do) }
    }

    /// The line of a check that could not be made.
    pub fn not_made(
        check: &'static str,
        found: impl Into<String>,
        to_do: impl Into<String>,
    ) -> Line {
        Line { not_made: true, ..Line::warn(check, found, to_do) }
    }

    /// The same for a check without which nothing is known of the system.
    pub fn failed_to_look(
        check: &'static str,
        found: impl Into<String>,
        to_do: impl Into<String>,
    ) -> Line {
        Line { level: Level::Fail, ..Line::not_made(check, found, to_do) }
    }
}

/// Returns the line that says that all is well, if no other line of the check was made.
pub fn or_ok(lines: Vec<Line>, check: &'static str, found: impl Into<String>) -> Vec<Line> {
    if lines.is_empty() { vec![Line::ok(check, found)] } else { lines }
}

/// Tells what failed, and the answer of AWS without what surrounds it.
pub fn why(failure: &Failure) -> String {
    match error::answer(failure) {
        Some(answer) => format!("{failure}: {answer}"),
        None => error::told(failure, ": "),
    }
}

/// Why a check has no answer of AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unanswered {
    text: String,
    cause: Cause,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// AWS refuses the call to these credentials.
    Refused,
    /// What the call is about is not there.
    Missing,
    /// AWS gave no answer, or one that says that it is in trouble.
    Trouble,
}

/// What is in the codes by which AWS refuses a call to its caller, or does not know who that is.
const REFUSALS: [&str; 7] =
    ["Denied", "Unauthorized", "Auth", "OptIn", "Token", "Signature", "UnrecognizedClient"];

impl Unanswered {
    fn of(failure: &Failure) -> Unanswered {
        // PutEvents answers with success, and has the code in an entry.
        let last = || error::causes(failure).last().map(ToString::to_string);
        let answer = error::answer(failure).or_else(last).unwrap_or_default();
        let code = answer.split(':').next().unwrap_or_default();
        let cause = match code {
            _ if code.contains("ResourceNotFound") => Cause::Missing,
            _ if REFUSALS.iter().any(|refusal| code.contains(refusal)) => Cause::Refused,
            _ => Cause::Trouble,
        };
        Unanswered { text: why(failure), cause }
    }

    /// Tells whether AWS says that what the call is about is not there.
    pub fn is_missing(&self) -> bool {
        self.cause == Cause::Missing
    }

    /// Returns the next step of a person. `permission` is the one if the call was refused.
    pub fn to_do(&self, permission: impl Into<String>) -> String {
        match self.cause {
            Cause::Refused => permission.into(),
            Cause::Missing | Cause::Trouble => "run this again in some minutes; if it stays so, \
                                                look at the AWS Health Dashboard and at the \
                                                network between here and there"
                .to_string(),
        }
    }
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Waits for an answer of AWS.
///
/// # Errors
/// AWS refuses or fails the call, or does not answer in time.
pub async fn answer<T>(call: impl Future<Output = Result<T, Failure>>) -> Result<T, Unanswered> {
    match tokio::time::timeout(ANSWER_TIMEOUT, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(failure)) => Err(Unanswered::of(&failure)),
        Err(_) => {
            let text = format!("no answer came within {} s", ANSWER_TIMEOUT.as_secs());
            Err(Unanswered { text, cause: Cause::Trouble })
        }
    }
}
