//! Results of a rebuild: the points it finds, and the points it writes.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_core::ids::Region;
use afterimage_core::point::{Point, Replica};
use afterimage_core::rebuild::{Found, Rebuilt};
use afterimage_core::slot::PointId;

/// Points that were found, compared with the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overview {
    /// Regions that were searched.
    pub regions: Vec<Region>,
    pub found: Found,
    /// Found points that are already in the ledger.
    pub known: BTreeSet<PointId>,
    /// Points that an older ledger requested again, and of which nothing was made, or that it knows
    /// as they were before a later attempt. Those that were found take their place.
    pub replaced: BTreeMap<PointId, Point>,
    /// The known replicas of these.
    pub replicas: BTreeMap<(PointId, Region), Replica>,
}

/// Numbers of what was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    pub points: usize,
    pub replicas: usize,
    /// Points that were skipped, because the ledger has records of them or got some meanwhile.
    pub left_alone: usize,
}

impl Overview {
    /// Lists the points that the ledger has no record of.
    pub fn missing(&self) -> impl Iterator<Item = &Rebuilt> {
        let points = self.found.points.iter();
        points.filter(|rebuilt| !self.known.contains(&rebuilt.point.id))
    }
}
