//! Regions in which work is overdue and nobody is at it, as the record of the audit has them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::Region;
use crate::limits::STILL_AUDITS;
use crate::point::is_false;
use crate::work::Kind;

/// The work of a region that stands still.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StillWork {
    /// The time at which the oldest of it was due.
    pub since: Timestamp,
    /// The kinds of work whose workers are not at it.
    pub kinds: BTreeSet<Kind>,
    /// True if slots of schedules have come, and nobody has requested their points.
    #[serde(default, skip_serializing_if = "is_false")]
    pub slots: bool,
    /// Number of audits in a row that found it.
    pub audits: u32,
}

/// The regions in which work stands still.
pub type AllStill = BTreeMap<Region, StillWork>;

/// A region whose work stands still, and of which a person is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Still {
    pub region: Region,
    pub work: StillWork,
    /// Text of the finding that is open; none if there is none.
    pub known: Option<String>,
    pub at: Timestamp,
}

impl StillWork {
    /// Tells whether a person is told of it.
    pub fn is_told(&self) -> bool {
        self.audits >= STILL_AUDITS
    }

    /// Lists the work that is not done, for people.
    pub fn what(&self) -> String {
        let kinds = self.kinds.iter().map(|kind| match kind {
            Kind::Snapshot => "snapshots",
            Kind::Register => "registrations of images",
            Kind::Confirm => "looks at images",
            Kind::Copy => "copies of images",
            Kind::Power => "stops and starts of machines",
        });
        let slots = self.slots.then_some("points of schedules");
        kinds.chain(slots).collect::<Vec<_>>().join(", ")
    }
}
