//! What a decision needs to know: read from the ledger and from EC2, in as few calls as will do.
//!
//! One file for each flow, and in it nothing but reading: what follows from it, the core says.

mod backup_tick;
mod image_state_changed;
mod instance_state_changed;
mod instance_tagged;
mod reconcile_tick;
mod snapshots_completed;
mod work_requested;

pub use backup_tick::backup_tick;
pub use image_state_changed::image_state_changed;
pub use instance_state_changed::instance_state_changed;
pub use instance_tagged::instance_tagged;
pub use reconcile_tick::reconcile_tick;
pub use snapshots_completed::snapshots_completed;
pub use work_requested::{Known, Loaded, work_requested};

use crate::error::{Failure, chain};

/// A region that did not answer: said, since what it is left out of goes on.
fn left_out(failure: &Failure) {
    tracing::error!(code = failure.code(), "a region is left out: {}", chain(failure));
}
