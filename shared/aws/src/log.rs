//! Logs: one JSON object a line, as CloudWatch can search them.
//!
//! Whatever is said for a reason has the field `code`, so that a metric filter counts it; the rest
//! of the fields are what a person would look up.

use std::collections::BTreeMap;

use afterimage_core::command::Explanation;
use afterimage_core::reason::Code;
use tracing_subscriber::EnvFilter;

use crate::environment::LOG;
use crate::error::{Failure, chain};

const LEVEL: &str = "info";

/// Begins to log, once for a process; the first to ask says how much.
pub fn start(variables: &BTreeMap<String, String>) {
    let wanted = variables.get(LOG).map_or(LEVEL, String::as_str);
    let filter = EnvFilter::try_new(wanted);
    let unreadable = filter.as_ref().err().map(ToString::to_string);
    let started = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_ansi(false)
        .with_target(false)
        .with_span_list(false)
        .with_env_filter(filter.unwrap_or_else(|_| EnvFilter::new(LEVEL)))
        .try_init();
    if let (Ok(()), Some(why)) = (started, unreadable) {
        tracing::warn!(variable = LOG, why, "the level of logging cannot be read");
    }
}

/// A reason, and what it is about. Those that nobody has to be told are for whoever looks closely.
pub fn explanation(explanation: &Explanation) {
    let Explanation { about, reason } = explanation;
    let (code, text) = (reason.code.as_str(), reason.text.as_str());
    match reason.code {
        Code::NotInFlight => tracing::debug!(about, code, "{text}"),
        _ => tracing::info!(about, code, "{text}"),
    }
}

/// A function could not do its work.
pub fn failure(failure: &Failure) {
    let (code, retryable) = (failure.code(), failure.is_retryable());
    tracing::error!(code, retryable, "{}", chain(failure));
}
