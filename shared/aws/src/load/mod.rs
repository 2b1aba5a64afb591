//! Loading: the facts that a decision needs, read from the ledger and from EC2 in as few calls as
//! possible.
//!
//! There is one file for each flow, and it only reads. The core decides.

mod backup_tick;
mod hinted;
mod image_state_changed;
mod instance_state_changed;
mod instance_tagged;
mod reconcile_tick;
mod snapshots_completed;
mod work_requested;

pub use backup_tick::backup_tick;
pub use hinted::hinted;
pub use image_state_changed::image_state_changed;
pub use instance_state_changed::instance_state_changed;
pub use instance_tagged::instance_tagged;
pub use reconcile_tick::reconcile_tick;
pub use snapshots_completed::snapshots_completed;
pub use work_requested::{sight, work_requested};

use crate::error::{Failure, chain};

/// Logs that a region did not answer, and that the work goes on without it.
fn left_out(failure: &Failure) {
    tracing::error!(code = failure.code(), "a region is left out: {}", chain(failure));
}
