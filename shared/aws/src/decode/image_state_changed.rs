//! `EC2 AMI State Change`.

use afterimage_core::flow::ImageStateChanged;
use afterimage_core::ids::AmiId;
use afterimage_core::observed::ImageState;
use serde::Deserialize;
use serde_json::Value;

use super::{Kind, Unusable, detail, envelope, region};
use crate::environment::Environment;

/// The detail type of the event that rules take.
pub(super) const DETAIL_TYPE: &str = "EC2 AMI State Change";

const KIND: Kind = Kind { source: "aws.ec2", detail_types: &[DETAIL_TYPE] };

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Detail {
    image_id: String,
    state: String,
}

/// Decodes the event.
///
/// # Errors
/// The event cannot be used.
pub fn image_state_changed(
    event: &Value,
    environment: &Environment,
) -> Result<ImageStateChanged, Unusable> {
    let event = envelope(event, &KIND, environment)?;
    let Detail { image_id, state } = detail(&event)?;
    Ok(ImageStateChanged {
        region: region(&event)?,
        image: AmiId::parse(&image_id)?,
        state: match state.as_str() {
            "pending" => ImageState::Pending,
            "available" => ImageState::Available,
            "failed" => ImageState::Failed,
            "disabled" => ImageState::Disabled,
            "deregistered" => ImageState::Deregistered,
            _ => return Err(Unusable::unknown_state(&state)),
        },
    })
}
