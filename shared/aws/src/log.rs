//! Logs: one JSON object per line, which CloudWatch can search.
//!
//! A line with a reason has the field `code`, so that a metric filter can count it. The other
//! fields are for a person who searches.

use std::collections::BTreeMap;

use afterimage_core::command::Explanation;
use afterimage_core::reason::Code;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::environment::LOG;
use crate::error::{Failure, chain};

const LEVEL: LevelFilter = LevelFilter::INFO;

/// Begins to log. The first call in a process sets the filter.
pub fn start(variables: &BTreeMap<String, String>) {
    let wanted = variables.get(LOG).filter(|wanted| !wanted.is_empty());
    let filter = wanted.map(|wanted| wanted.parse::<Targets>()).transpose();
    let invalid = filter.as_ref().err().map(ToString::to_string);
    let filter = filter.ok().flatten();
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_ansi(false)
        .with_target(false)
        .with_span_list(false);
    let started = tracing_subscriber::registry()
        .with(filter.unwrap_or_else(|| Targets::new().with_default(LEVEL)))
        .with(lines)
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
