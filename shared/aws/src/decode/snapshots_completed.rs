//! `EBS Multi-Volume Snapshots Completion Status`, which follows on CreateSnapshots, and `EBS
//! Snapshot Notification`. AWS does not say whether CreateSnapshots brings both.

use afterimage_core::flow::SnapshotsCompleted;
use afterimage_core::ids::SnapshotId;
use serde::Deserialize;
use serde_json::Value;

use super::{Kind, Unusable, detail, envelope, id_in, region, short};
use crate::environment::Environment;

/// The detail type of the event that rules take.
pub(super) const DETAIL_TYPE: &str = "EBS Multi-Volume Snapshots Completion Status";

const KIND: Kind =
    Kind { source: "aws.ec2", detail_types: &[DETAIL_TYPE, "EBS Snapshot Notification"] };

/// The members of the detail that are read. The result is not: the worker asks EC2.
#[derive(Deserialize)]
struct Detail {
    event: String,
    /// The snapshot of an event about one.
    snapshot_id: Option<String>,
    /// The snapshots of an event about a set.
    #[serde(default)]
    snapshots: Vec<Member>,
}

#[derive(Deserialize)]
struct Member {
    snapshot_id: String,
}

/// Decodes the event.
///
/// # Errors
/// The event cannot be used.
pub fn snapshots_completed(
    event: &Value,
    environment: &Environment,
) -> Result<SnapshotsCompleted, Unusable> {
    let event = envelope(event, &KIND, environment)?;
    let detail: Detail = detail(&event)?;
    if !matches!(detail.event.as_str(), "createSnapshots" | "createSnapshot") {
        return Err(Unusable::not_ours(format!("event is `{}`", short(&detail.event))));
    }
    let members = detail.snapshots.into_iter().map(|member| member.snapshot_id);
    let arns: Vec<String> = members.chain(detail.snapshot_id).collect();
    let ids: Result<Vec<_>, _> = arns.iter().map(|arn| SnapshotId::parse(id_in(arn))).collect();
    let snapshots = ids?;
    if snapshots.is_empty() {
        return Err(Unusable::impossible("no snapshot is named"));
    }
    Ok(SnapshotsCompleted { region: region(&event)?, snapshots })
}
