//! A machine has stopped: what follows from it, whether an event said so or the sweep saw it.

use jiff::Timestamp;

use super::InForce;
use crate::command::Decision;
use crate::machine::Instance;
use crate::summary::MachineSummary;

/// The points that a stopped machine asks for, one for each policy that covers it `on: stopped`.
pub fn requests(
    _instance: &Instance,
    _in_force: &InForce,
    _summary: Option<&MachineSummary>,
    _now: Timestamp,
) -> Decision {
    Decision::default()
}
