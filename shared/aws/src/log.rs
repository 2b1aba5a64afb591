//! Logs: one JSON object per line, which CloudWatch can search.
//!
//! A line with a reason has the field `code`, so that a metric filter can count it. The other
//! fields are for a person who searches.

use std::collections::BTreeMap;

use afterimage_core::command::Explanation;
use afterimage_core::reason::Code;
use tracing_subscriber::EnvFilter;

use crate::environment::LOG;
use crate::error::{Failure, chain};

const LEVEL: &str = "info";

/// Begins to log. The first call in a process sets the filter.
pub fn start(variables: &BTreeMap<String, String>) {
    let wanted = variables.get(LOG).map_or(LEVEL, String::as_str);
    let filter = EnvFilter::try_new(wanted);
    let invalid = filter.as_ref().err().map(ToString::to_string);
    let started = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_ansi(false)
        .with_target(false)
        .with_span_list(false)
        .with_env_filter(filter.unwrap_or_else(|_| EnvFilter::new(LEVEL)))
        .try_init();
    if let (Ok(()), Some(why)) = (started, invalid) {
        tracing::warn!(variable = LOG, why, "the log filter is not valid; the level is {LEVEL}");
    }
}

/// Logs an explanation: at `debug` if nobody has to act on it, at `info` otherwise.
pub fn explanation(explanation: &Explanation) {
    let Explanation { about, reason } = explanation;
    let (code, text) = (reason.code.as_str(), reason.text.as_str());
    match reason.code {
        Code::NotInFlight => tracing::debug!(about, code, "{text}"),
        _ => tracing::info!(about, code, "{text}"),
    }
}

/// Logs the failure of an invocation.
pub fn failure(failure: &Failure) {
    let (code, retryable) = (failure.code(), failure.is_retryable());
    tracing::error!(code, retryable, "{}", chain(failure));
}
