//! An image is available, or failed: whoever confirms images has a look.

use super::{ImageStateChanged, InFlight};
use crate::command::Decision;

#[derive(Clone, Debug)]
pub struct Input {
    pub event: ImageStateChanged,
    /// The images in flight in the region of the event.
    pub in_flight: Vec<InFlight>,
}

pub fn decide(_input: &Input) -> Decision {
    Decision::default()
}
