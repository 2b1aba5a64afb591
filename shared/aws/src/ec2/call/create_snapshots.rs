//! CreateSnapshots. EC2 takes no token for this call, so it is sent once.

use afterimage_core::call::{CreateSnapshots, Outcome, SnapshotSet};
use afterimage_core::ids::{SnapshotId, VolumeId};
use aws_sdk_ec2::types::{InstanceSpecification, ResourceType, SnapshotInfo};

use super::sending::{Sent, once};
use super::wire::tags_for;
use crate::ec2::{Ec2, errors};

impl Ec2 {
    /// Creates snapshots of the volumes of a machine, all of the same moment.
    pub async fn create_snapshots(&self, wanted: &CreateSnapshots) -> Outcome<SnapshotSet> {
        let without = wanted.without.iter().map(ToString::to_string).collect::<Vec<_>>();
        let instance = InstanceSpecification::builder()
            .instance_id(wanted.instance.as_str())
            .set_exclude_boot_volume(wanted.without_root.then_some(true))
            .set_exclude_data_volume_ids((!without.is_empty()).then_some(without));
        let sent = Sent::default();
        let answer = self
            .client(&wanted.region)
            .create_snapshots()
            .instance_specification(instance.build())
            .description(&wanted.description)
            .set_tag_specifications(tags_for(&[ResourceType::Snapshot], &wanted.tags))
            .customize()
            .config_override(once(&sent))
            .send()
            .await;
        match answer {
            Ok(made) => snapshot_set(made.snapshots()),
            Err(error) => errors::of_failed(&error, sent.count()),
        }
    }
}

fn snapshot_set(made: &[SnapshotInfo]) -> Outcome<SnapshotSet> {
    let pair = |snapshot: &SnapshotInfo| {
        let volume = VolumeId::parse(snapshot.volume_id()?).ok()?;
        Some((volume, SnapshotId::parse(snapshot.snapshot_id()?).ok()?))
    };
    match made.iter().map(pair).collect::<Option<SnapshotSet>>() {
        Some(set) if !set.is_empty() => Outcome::Made(set),
        _ => errors::of_unreadable("snapshots by their volumes"),
    }
}
