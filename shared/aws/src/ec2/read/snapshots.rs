//! DescribeSnapshots, of this account alone. Without an owner it would list every public snapshot.

use std::collections::BTreeMap;

use afterimage_core::ids::{AmiId, InstanceId, Region, SnapshotId, VolumeId};
use afterimage_core::names::{TAG_POINT, TAG_SOURCE};
use afterimage_core::observed::{Complete, ObservedSnapshot, SnapshotState};
use afterimage_core::slot::PointId;
use aws_sdk_ec2::types::{self, Filter};

use super::wire::{self, Odd};
use super::{FILTER_VALUES_MAX, PAGE, filter, literally};
use crate::ec2::Ec2;
use crate::error::Failure;

impl Ec2 {
    /// Returns the snapshots with these ids that exist.
    ///
    /// # Errors
    /// EC2 did not answer.
    pub async fn snapshots(
        &self,
        region: &Region,
        ids: &[SnapshotId],
    ) -> Result<BTreeMap<SnapshotId, ObservedSnapshot>, Failure> {
        let ids: Vec<&str> = ids.iter().map(SnapshotId::as_str).collect();
        let mut found = Vec::new();
        for ids in ids.chunks(FILTER_VALUES_MAX) {
            found.extend(self.described_snapshots(region, filter("snapshot-id", ids)).await?);
        }
        Ok(found.into_iter().map(|snapshot| (snapshot.id.clone(), snapshot)).collect())
    }

    /// Returns the snapshots that carry our tag, of these points or of any.
    ///
    /// # Errors
    /// EC2 did not answer.
    pub async fn snapshots_tagged(
        &self,
        region: &Region,
        points: Option<&[PointId]>,
    ) -> Result<Complete<ObservedSnapshot>, Failure> {
        let Some(points) = points else {
            let tagged = filter("tag-key", &[TAG_POINT]);
            return Ok(Complete(self.described_snapshots(region, tagged).await?));
        };
        let points: Vec<String> = points.iter().map(|point| literally(point.as_str())).collect();
        let mut found = Vec::new();
        for points in points.chunks(FILTER_VALUES_MAX) {
            let tagged = filter(&format!("tag:{TAG_POINT}"), points);
            found.extend(self.described_snapshots(region, tagged).await?);
        }
        Ok(Complete(found))
    }

    /// Returns the snapshots that carry our tag, of these machines.
    ///
    /// # Errors
    /// EC2 did not answer.
    pub async fn snapshots_of_machines(
        &self,
        region: &Region,
        machines: &[InstanceId],
    ) -> Result<Complete<ObservedSnapshot>, Failure> {
        let machines: Vec<&str> = machines.iter().map(InstanceId::as_str).collect();
        let mut found = Vec::new();
        for machines in machines.chunks(FILTER_VALUES_MAX) {
            let tagged = filter(&format!("tag:{TAG_SOURCE}"), machines);
            found.extend(self.described_snapshots(region, tagged).await?);
        }
        Ok(Complete(found))
    }

    async fn described_snapshots(
        &self,
        region: &Region,
        filter: Filter,
    ) -> Result<Vec<ObservedSnapshot>, Failure> {
        let reading = self.reading("DescribeSnapshots", region);
        let call = self.client(region).describe_snapshots();
        let call = call.owner_ids("self").filters(filter).max_results(PAGE);
        let pages = reading.pages(call.into_paginator().send()).await?;
        let found = pages.into_iter().flat_map(|page| page.snapshots).flatten();
        Ok(wire::readable("snapshot", found, snapshot))
    }
}

fn snapshot(wire: &types::Snapshot) -> Result<ObservedSnapshot, Odd> {
    Ok(ObservedSnapshot {
        id: SnapshotId::parse(wire::need(wire.snapshot_id(), "id")?)?,
        // The volume id of a copied snapshot is made up, although it looks like one.
        volume: wire.volume_id().and_then(|id| VolumeId::parse(id).ok()),
        state: match wire.state() {
            Some(types::SnapshotState::Pending) => SnapshotState::Pending,
            Some(types::SnapshotState::Completed) => SnapshotState::Completed,
            Some(types::SnapshotState::Error) => SnapshotState::Error,
            _ => SnapshotState::Other,
        },
        message: wire.state_message().filter(|text| !text.is_empty()).map(str::to_string),
        started_at: wire::moment(wire.start_time(), "start time")?,
        kms_key: wire.kms_key_id().map(str::to_string),
        copied_for: wire.description().and_then(copied_for),
        tags: wire::tags(wire.tags()),
    })
}

/// Start of the description that EC2 gives to a snapshot of a copied image. The id of the image
/// follows.
const COPIED_FOR: &str = "Copied for DestinationAmi ";

fn copied_for(description: &str) -> Option<AmiId> {
    let image = description.strip_prefix(COPIED_FOR)?.split_whitespace().next()?;
    AmiId::parse(image).ok()
}
