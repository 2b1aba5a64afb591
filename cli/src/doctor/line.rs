//! A line of the report: what was looked at, what was found, and what to do.

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

/// Waits for an answer of AWS.
///
/// # Errors
/// The text of the failure, or that no answer came in time.
pub async fn answer<T>(call: impl Future<Output = Result<T, Failure>>) -> Result<T, String> {
    match tokio::time::timeout(ANSWER_TIMEOUT, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(failure)) => Err(why(&failure)),
        Err(_) => Err(format!("no answer came within {} s", ANSWER_TIMEOUT.as_secs())),
    }
}
