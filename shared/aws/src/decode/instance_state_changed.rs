//! `EC2 Instance State-change Notification`.

use afterimage_core::flow::InstanceStateChanged;
use afterimage_core::ids::InstanceId;
use afterimage_core::machine::State;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error;
use serde_json::Value;

use super::{Kind, Unusable, detail, envelope, region};
use crate::environment::Environment;

/// The detail type of the event that rules take.
pub(super) const DETAIL_TYPE: &str = "EC2 Instance State-change Notification";

const KIND: Kind = Kind { source: "aws.ec2", detail_types: &[DETAIL_TYPE] };

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Detail {
    instance_id: String,
    state: String,
}

/// Decodes the event.
///
/// # Errors
/// The event cannot be used.
pub fn instance_state_changed(
    event: &Value,
    environment: &Environment,
) -> Result<InstanceStateChanged, Unusable> {
    let event = envelope(event, &KIND, environment)?;
    let Detail { instance_id, state } = detail(&event)?;
    let named: Result<State, Error> = State::deserialize(state.as_str().into_deserializer());
    Ok(InstanceStateChanged {
        region: region(&event)?,
        instance: InstanceId::parse(&instance_id)?,
        state: named.map_err(|_| Unusable::unknown_state(&state))?,
    })
}
