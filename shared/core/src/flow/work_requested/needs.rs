//! Needs: the facts that are read before anything is decided about the records of a queue.

use crate::ids::{AmiId, InstanceId, SnapshotId};
use crate::slot::PointId;

/// The facts that are read. The listings are read first, because a machine that is described after
/// them tells more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The points whose tag is looked for: every snapshot with it is listed.
    pub tagged: Vec<PointId>,
    /// The names of which every image is listed.
    pub names: Vec<String>,
    /// The points whose downtimes are read.
    pub downtimes: Vec<PointId>,
    /// The points that are read beside those of the queue.
    pub points: Vec<PointId>,
    /// The machines that are described, as far as they are not known.
    pub machines: Vec<InstanceId>,
    /// True if something may begin, so that the policies in force have to be read.
    pub policies: bool,
    pub snapshots: Vec<SnapshotId>,
    pub images: Vec<AmiId>,
    /// The machines whose summaries are read.
    pub summaries: Vec<InstanceId>,
}
