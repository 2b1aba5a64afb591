//! The events that other regions forward to the seat, by their detail types.

use super::{image_state_changed, instance_state_changed, instance_tagged, snapshots_completed};

/// The detail types of the events that other regions forward to the seat.
pub const FORWARDED: [&str; 4] = [
    image_state_changed::DETAIL_TYPE,
    instance_state_changed::DETAIL_TYPE,
    instance_tagged::DETAIL_TYPE,
    snapshots_completed::DETAIL_TYPE,
];
