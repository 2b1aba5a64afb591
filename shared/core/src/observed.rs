//! Snapshots and images as EC2 showed them, and how complete the answer was.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::facts::{
    Architecture, BootMode, ImdsSupport, Platform, RootDeviceType, SriovSupport, StateReason,
    TpmSupport, UsageOperation, Virtualization, VolumeType,
};
use crate::ids::{AmiId, InstanceId, Region, SnapshotId, VolumeId};
use crate::machine::Instance;

/// An answer that is known to hold everything that was asked for: every page of it was read. Only
/// from this does it follow that what is missing is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complete<T>(pub Vec<T>);

/// A snapshot of this account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedSnapshot {
    pub id: SnapshotId,
    pub volume: Option<VolumeId>,
    pub state: SnapshotState,
    /// Message of EC2, if any.
    pub message: Option<String>,
    pub started_at: Timestamp,
    /// The ARN of the key that encrypts it.
    pub kms_key: Option<String>,
    /// The image that CopyImage made it for.
    pub copied_for: Option<AmiId>,
    pub tags: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SnapshotState {
    Pending,
    Completed,
    Error,
    /// In the Recycle Bin, or a state that we do not know: neither usable nor gone.
    Other,
}

/// A machine, with what matters when it is stopped and started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedMachine {
    pub instance: Instance,
    pub root_device_type: RootDeviceType,
    /// Reason for the state of the machine, if EC2 gives one.
    pub state_reason: Option<StateReason>,
}

impl ObservedMachine {
    /// Tells whether somebody has stopped it, from outside or from within; and not EC2, for want of
    /// something without which it does not run.
    pub fn was_stopped_by_somebody(&self) -> bool {
        self.state_reason.as_ref().is_some_and(StateReason::is_by_somebody)
    }
}

/// An image of this account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedImage {
    pub id: AmiId,
    pub name: String,
    pub state: ImageState,
    pub message: Option<String>,
    pub created_at: Option<Timestamp>,
    /// The snapshots of its mapping; while it is pending some may be missing.
    pub snapshots: Vec<SnapshotId>,
    pub devices: Vec<ObservedDevice>,
    pub attributes: Attributes,
    /// Source of a copy.
    pub source: Option<(Region, AmiId)>,
    pub tags: BTreeMap<String, String>,
}

impl ObservedImage {
    /// Tells whether EC2 shows the disks of the image with their encryption. While the image is
    /// pending it may not.
    pub fn shows_disks(&self) -> bool {
        let mut disks = self.devices.iter();
        !self.devices.is_empty() && disks.all(|disk| disk.encrypted.is_some())
    }
}

/// An entry of an image's mapping that is an EBS volume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedDevice {
    pub name: String,
    /// Missing for a moment while the image is pending.
    pub snapshot: Option<SnapshotId>,
    pub size_gib: Option<i32>,
    pub volume_type: Option<VolumeType>,
    pub iops: Option<i32>,
    pub throughput: Option<i32>,
    pub delete_on_termination: Option<bool>,
    pub encrypted: Option<bool>,
}

/// Attributes that machines launched from an image will have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    pub architecture: Option<Architecture>,
    pub virtualization: Option<Virtualization>,
    pub root_device: Option<String>,
    pub root_device_type: Option<RootDeviceType>,
    pub ena: bool,
    pub sriov: Option<SriovSupport>,
    pub boot_mode: Option<BootMode>,
    pub tpm: Option<TpmSupport>,
    pub imds: Option<ImdsSupport>,
    pub usage_operation: Option<UsageOperation>,
    pub platform: Option<Platform>,
    pub product_codes: Vec<String>,
    /// Volumes of the instance store that it maps, by device.
    pub instance_store: BTreeMap<String, String>,
    /// Source machine of an image that EC2 made of one.
    pub source_instance: Option<InstanceId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ImageState {
    Pending,
    Available,
    Failed,
    Disabled,
    Deregistered,
    Other,
}
