//! The events that other regions forward to the seat, by their detail types.

use super::{image_state_changed, instance_state_changed, instance_tagged, snapshots_completed};

/// The detail types of the events that other regions forward to the seat.
pub const FORWARDED: [&str; 4] = [
    image_state_changed::DETAIL_TYPE,
    instance_state_changed::DETAIL_TYPE,
    instance_tagged::DETAIL_TYPE,
    snapshots_completed::DETAIL_TYPE,
];

/// Returns the detail type of the events of AWS that a function is about, by the suffix of its
/// name; none of a function that a schedule or we ourselves wake.
pub fn detail_type(function: &str) -> Option<&'static str> {
    match function {
        "image-state-changed" => Some(image_state_changed::DETAIL_TYPE),
        "instance-state-changed" => Some(instance_state_changed::DETAIL_TYPE),
        "instance-tagged" => Some(instance_tagged::DETAIL_TYPE),
        "snapshots-completed" => Some(snapshots_completed::DETAIL_TYPE),
        _ => None,
    }
}
