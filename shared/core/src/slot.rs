//! Slots: what makes a point unique. One slot, at most one point, ever.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{InstanceId, PolicyName};

/// The occasion for which a policy asks for a point of a machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// The instant of a schedule.
    Scheduled(Timestamp),
    /// The stop that ended the run which was launched then. Every start resets the launch time, so
    /// that the event and the sweep give the same stop the same name.
    Stopped { launched: Timestamp },
}

/// policy × instance × occasion.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Slot {
    pub policy: PolicyName,
    pub instance: InstanceId,
    pub occasion: Occasion,
}

/// The key of a point: derived from its slot, so that whoever asks, and how often, there is one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PointId(String);

impl PointId {
    pub fn of(slot: &Slot) -> PointId {
        let Slot { policy, instance, occasion } = slot;
        let (kind, at) = match occasion {
            Occasion::Scheduled(at) => ("at", at),
            Occasion::Stopped { launched } => ("run", launched),
        };
        // Colons would do, but not in the names of images, which begin with this.
        let at = at.strftime("%Y%m%dT%H%M%SZ");
        PointId(format!("{policy}-{}-{kind}-{at}", instance.as_str().trim_start_matches("i-")))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}
