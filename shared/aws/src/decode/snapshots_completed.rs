//! EBS Multi-Volume Snapshots Completion Status, which is what CreateSnapshots brings, and EBS
//! Snapshot Notification, of which AWS does not say whether it comes beside that.

use afterimage_core::flow::SnapshotsCompleted;
use afterimage_core::ids::SnapshotId;
use serde::Deserialize;
use serde_json::Value;

use super::{Kind, Unusable, detail, envelope, id_in, region};
use crate::environment::Environment;

const KIND: Kind = Kind {
    source: "aws.ec2",
    detail_types: &["EBS Multi-Volume Snapshots Completion Status", "EBS Snapshot Notification"],
};

/// Whether it went well is not read: whoever looks sees it.
#[derive(Deserialize)]
struct Detail {
    event: String,
    /// Of a single snapshot.
    snapshot_id: Option<String>,
    /// Of a set.
    #[serde(default)]
    snapshots: Vec<Member>,
}

#[derive(Deserialize)]
struct Member {
    snapshot_id: String,
}

/// # Errors
/// The event is of no use.
pub fn snapshots_completed(
    event: &Value,
    environment: &Environment,
) -> Result<SnapshotsCompleted, Unusable> {
    let event = envelope(event, &KIND, environment)?;
    let detail: Detail = detail(&event)?;
    if !matches!(detail.event.as_str(), "createSnapshots" | "createSnapshot") {
        return Err(Unusable::not_ours("it is not about snapshots that were created"));
    }
    let members = detail.snapshots.into_iter().map(|member| member.snapshot_id);
    let arns: Vec<String> = members.chain(detail.snapshot_id).collect();
    let ids: Result<Vec<_>, _> = arns.iter().map(|arn| SnapshotId::parse(id_in(arn))).collect();
    let snapshots = ids?;
    if snapshots.is_empty() {
        return Err(Unusable::impossible("it is about no snapshot"));
    }
    Ok(SnapshotsCompleted { region: region(&event)?, snapshots })
}
