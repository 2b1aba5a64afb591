//! Decoding: from the JSON that EventBridge delivers to the typed events of the flows.
//!
//! Events are hints. They may be late, duplicate, out of order, malformed, or of another account.
//! An event that cannot be used is no failure, because delivered again it would be the same; it has
//! a stable code and a reason. Times are not read: some that AWS itself documents are impossible.

mod backup_tick;
mod forwarded;
mod image_state_changed;
mod instance_state_changed;
mod instance_tagged;
mod reconcile_tick;
mod snapshots_completed;
mod work_requested;

use afterimage_core::ids::{NotAnId, Region};
use aws_lambda_events::eventbridge::EventBridgeEvent;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::environment::Environment;
pub use backup_tick::{Tick, backup_tick};
pub use forwarded::{FORWARDED, detail_type};
pub use image_state_changed::image_state_changed;
pub use instance_state_changed::instance_state_changed;
pub use instance_tagged::instance_tagged;
pub use reconcile_tick::reconcile_tick;
pub use snapshots_completed::snapshots_completed;
pub use work_requested::{DETAIL_TYPE, SOURCE, TEST, test_of, work_requested};

/// The reason why an event cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why} ({code})")]
pub struct Unusable {
    /// The stable code, which alarms and `docs/errors.md` name.
    pub code: &'static str,
    pub why: String,
}

impl Unusable {
    pub const CODES: [&'static str; 4] =
        ["event-unreadable", "event-not-ours", "event-unknown-state", "event-impossible"];

    /// An event whose JSON does not have the documented form.
    fn unreadable(why: impl ToString) -> Unusable {
        // The message may quote a value of any length from the event.
        Unusable { code: "event-unreadable", why: short(&why.to_string()) }
    }

    /// An event of another account, source, detail type or resource.
    fn not_ours(why: impl ToString) -> Unusable {
        Unusable { code: "event-not-ours", why: why.to_string() }
    }

    /// An event with a state that is not documented.
    fn unknown_state(state: &str) -> Unusable {
        Unusable {
            code: "event-unknown-state",
            why: format!("state `{}` is unknown", short(state)),
        }
    }

    /// An event of the right form with values that cannot be.
    fn impossible(why: impl ToString) -> Unusable {
        Unusable { code: "event-impossible", why: why.to_string() }
    }
}

impl From<NotAnId> for Unusable {
    fn from(not: NotAnId) -> Unusable {
        Unusable::impossible(format!("`{}` is not {}", short(&not.text), not.expected))
    }
}

/// The source and the detail types of one kind of event.
struct Kind {
    source: &'static str,
    detail_types: &'static [&'static str],
}

/// Reads the envelope of an event of our account and this kind.
fn envelope(
    event: &Value,
    kind: &Kind,
    environment: &Environment,
) -> Result<EventBridgeEvent<Value>, Unusable> {
    let mut event = event.clone();
    if let Value::Object(members) = &mut event {
        // An impossible time must not make the event unreadable.
        members.remove("time");
    }
    let event = EventBridgeEvent::<Value>::deserialize(event).map_err(Unusable::unreadable)?;
    if event.source != kind.source {
        return Err(Unusable::not_ours(format!("source is `{}`", short(&event.source))));
    }
    if !kind.detail_types.contains(&event.detail_type.as_str()) {
        return Err(Unusable::not_ours(format!("detail type is `{}`", short(&event.detail_type))));
    }
    let account = event.account.as_deref().unwrap_or_default();
    if account != environment.account.as_str() {
        return Err(Unusable::not_ours(format!("account is `{}`", short(account))));
    }
    Ok(event)
}

/// Reads the detail of an event.
fn detail<T: DeserializeOwned>(event: &EventBridgeEvent<Value>) -> Result<T, Unusable> {
    T::deserialize(&event.detail).map_err(Unusable::unreadable)
}

/// The region in which an event happened, wherever it was forwarded to.
fn region(event: &EventBridgeEvent<Value>) -> Result<Region, Unusable> {
    Ok(Region::parse(event.region.as_deref().unwrap_or_default())?)
}

/// The id in an ARN, which follows the last slash. The part before it differs between services.
fn id_in(arn: &str) -> &str {
    arn.rsplit_once('/').map_or(arn, |(_, id)| id)
}

/// The beginning of a text of unknown length, for a log.
fn short(text: &str) -> String {
    text.chars().take(100).collect()
}
