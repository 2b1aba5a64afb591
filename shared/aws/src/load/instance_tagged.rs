//! Loads for a tag event: nothing. The worker that follows the hint reads the machine.

use afterimage_core::flow::InstanceTagged;
use afterimage_core::flow::instance_tagged::Input;

use crate::Context;

/// Returns what is decided on. Nothing is read.
pub fn instance_tagged(event: InstanceTagged, context: &Context) -> Input {
    Input { now: context.now, event }
}
