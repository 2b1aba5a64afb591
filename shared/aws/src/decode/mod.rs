//! From the JSON that EventBridge delivers to what the flows know. Nothing of EventBridge goes
//! past here.
//!
//! Events are hints and may be anything: late, twice, out of order, malformed, of another account.
//! One that is of no use says why, with a stable code, and is no failure: delivered again, it would
//! be of no use either. Times are not read at all; some that AWS itself shows are impossible.

mod backup_tick;
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
pub use image_state_changed::image_state_changed;
pub use instance_state_changed::instance_state_changed;
pub use instance_tagged::instance_tagged;
pub use reconcile_tick::reconcile_tick;
pub use snapshots_completed::snapshots_completed;
pub use work_requested::{DETAIL_TYPE, SOURCE, work_requested};

/// An event that nothing can be done about, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why} ({code})")]
pub struct Unusable {
    /// Stable: alarms and `docs/errors.md` name it.
    pub code: &'static str,
    pub why: String,
}

impl Unusable {
    pub const CODES: [&'static str; 4] =
        ["event-unreadable", "event-not-ours", "event-unknown-state", "event-impossible"];

    /// It is not JSON of the form that we know.
    fn unreadable(why: impl ToString) -> Unusable {
        // It may repeat what was there in place of what was expected, whatever its length.
        Unusable { code: "event-unreadable", why: short(&why.to_string()) }
    }

    /// It is of another account, from another source, or about something else.
    fn not_ours(why: impl ToString) -> Unusable {
        Unusable { code: "event-not-ours", why: why.to_string() }
    }

    /// It tells of a state that we do not know.
    fn unknown_state(state: &str) -> Unusable {
        Unusable { code: "event-unknown-state", why: format!("`{}` is no state", short(state)) }
    }

    /// It is of the right form, and speaks of what cannot be.
    fn impossible(why: impl ToString) -> Unusable {
        Unusable { code: "event-impossible", why: why.to_string() }
    }
}

impl From<NotAnId> for Unusable {
    fn from(not: NotAnId) -> Unusable {
        Unusable::impossible(format!("`{}` is not {}", short(&not.text), not.expected))
    }
}

/// Who sends an event, and what it is about.
struct Kind {
    source: &'static str,
    detail_types: &'static [&'static str],
}

/// The envelope of an event of this account and kind.
fn envelope(
    event: &Value,
    kind: &Kind,
    environment: &Environment,
) -> Result<EventBridgeEvent<Value>, Unusable> {
    let mut event = event.clone();
    if let Value::Object(members) = &mut event {
        // A time that cannot be must not make an event one that cannot be read.
        members.remove("time");
    }
    let event = EventBridgeEvent::<Value>::deserialize(event).map_err(Unusable::unreadable)?;
    if event.source != kind.source {
        return Err(Unusable::not_ours(format!("its source is `{}`", short(&event.source))));
    }
    if !kind.detail_types.contains(&event.detail_type.as_str()) {
        return Err(Unusable::not_ours(format!("it is `{}`", short(&event.detail_type))));
    }
    let account = event.account.as_deref().unwrap_or_default();
    if account != environment.account.as_str() {
        return Err(Unusable::not_ours(format!("its account is `{}`", short(account))));
    }
    Ok(event)
}

fn detail<T: DeserializeOwned>(event: &EventBridgeEvent<Value>) -> Result<T, Unusable> {
    T::deserialize(&event.detail).map_err(Unusable::unreadable)
}

/// Where an event comes from, wherever it was forwarded to.
fn region(event: &EventBridgeEvent<Value>) -> Result<Region, Unusable> {
    Ok(Region::parse(event.region.as_deref().unwrap_or_default())?)
}

/// The id in an ARN: what follows the last slash. In front of it, the families of events differ.
fn id_in(arn: &str) -> &str {
    arn.rsplit_once('/').map_or(arn, |(_, id)| id)
}

/// As much of a text of unknown length as has a place in a log.
fn short(text: &str) -> String {
    text.chars().take(100).collect()
}
