//! The resources of EC2, as it remembers them in one account and region.

mod bin;
mod launch;
mod network;

use std::collections::{BTreeMap, BTreeSet};

pub use bin::{Bin, Kept};
pub use launch::{
    Data, EbsOverride, Encryption, Launch, LaunchTemplate, Metadata, Override, Profile, Version,
};
pub use network::{Furniture, KeyPair, Network, Peer, Permission, Rule, SecurityGroup, Subnet};

use crate::kernel::access::Tags;
use crate::kernel::time::Time;

/// The resources of one account in one region, each under its id.
#[derive(Debug, Default)]
pub struct Region {
    pub instances: BTreeMap<String, Instance>,
    pub volumes: BTreeMap<String, Volume>,
    pub snapshots: BTreeMap<String, Snapshot>,
    pub images: BTreeMap<String, Image>,
    pub launch_templates: BTreeMap<String, LaunchTemplate>,
    /// Names that are taken, with the image that took them.
    pub image_names: BTreeMap<String, String>,
    /// Images that are no longer described, each with the instant from which it is not.
    pub images_gone: BTreeMap<String, Time>,
    /// The images that are backed by a snapshot.
    pub snapshot_users: BTreeMap<String, BTreeSet<String>>,
    /// Client tokens that were used: action and token, with what was asked and what came of it.
    pub tokens: BTreeMap<(String, String), UsedToken>,
    /// Number of changes of a resource's tags, for `version` in Tag Change on Resource.
    pub tag_versions: BTreeMap<String, u64>,
    /// Snapshots that are still being made: the limits on concurrency count these alone.
    pub pending_snapshots: BTreeSet<String>,
    /// Images that are still being made.
    pub pending_images: BTreeSet<String>,
    /// What incremental snapshots and copies build on: by lineage, and the key they are under.
    pub lineages: BTreeMap<(String, Option<String>), Lineage>,
    /// New snapshots and copies are encrypted whether the call asks for it or not.
    pub encryption_by_default: bool,
    pub furniture: Furniture,
    pub bin: Bin,
}

#[derive(Clone, Debug)]
pub struct UsedToken {
    pub fingerprint: String,
    pub id: String,
}

/// The completed snapshots of one volume, under one key, in one region.
#[derive(Clone, Debug, Default)]
pub struct Lineage {
    pub snapshots: BTreeSet<String>,
    /// The copy that the next copy builds on, if it still exists by then.
    pub latest_copy: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum InstanceState {
    Pending,
    Running,
    ShuttingDown,
    Terminated,
    Stopping,
    Stopped,
}

impl InstanceState {
    pub const fn name(self) -> &'static str {
        match self {
            InstanceState::Pending => "pending",
            InstanceState::Running => "running",
            InstanceState::ShuttingDown => "shutting-down",
            InstanceState::Terminated => "terminated",
            InstanceState::Stopping => "stopping",
            InstanceState::Stopped => "stopped",
        }
    }

    pub const fn code(self) -> u16 {
        match self {
            InstanceState::Pending => 0,
            InstanceState::Running => 16,
            InstanceState::ShuttingDown => 32,
            InstanceState::Terminated => 48,
            InstanceState::Stopping => 64,
            InstanceState::Stopped => 80,
        }
    }
}

/// The reason of a resource's state: a code and a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    pub code: String,
    pub message: String,
}

impl Reason {
    pub fn new(code: &str, message: impl Into<String>) -> Reason {
        Reason { code: code.to_string(), message: message.into() }
    }
}

/// The facts that an image shares with the instances launched from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Platform {
    /// `i386`, `x86_64`, `arm64`, `x86_64_mac`, `arm64_mac`.
    pub architecture: String,
    /// `hvm` or `paravirtual`.
    pub virtualization: String,
    pub root_device_name: Option<String>,
    /// `ebs` or `instance-store`.
    pub root_device_type: String,
    pub ena: bool,
    /// `simple`, if at all.
    pub sriov: Option<String>,
    /// `legacy-bios`, `uefi` or `uefi-preferred`; absent on images that do not say.
    pub boot_mode: Option<String>,
    /// `v2.0`, if at all.
    pub tpm: Option<String>,
    /// `v2.0`, if at all.
    pub imds: Option<String>,
    pub kernel_id: Option<String>,
    pub ramdisk_id: Option<String>,
    /// `windows`, or nothing.
    pub platform: Option<String>,
    pub platform_details: String,
    pub usage_operation: String,
    pub product_codes: Vec<ProductCode>,
    pub uefi_data: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductCode {
    pub id: String,
    /// `devpay` or `marketplace`.
    pub kind: String,
}

#[derive(Clone, Debug)]
pub struct Instance {
    pub id: String,
    pub reservation_id: String,
    pub image_id: String,
    pub instance_type: String,
    pub state: InstanceState,
    pub state_reason: Option<Reason>,
    /// `User initiated (2026-01-01 00:00:00 GMT)`, or empty.
    pub transition_reason: String,
    /// Reset by every start.
    pub launch_time: Time,
    pub platform: Platform,
    pub current_boot_mode: String,
    pub attachments: Vec<Attachment>,
    /// Devices of the instance store: device and `ephemeral0` and so on.
    pub ephemeral: Vec<(String, String)>,
    pub zone: String,
    pub vpc_id: String,
    pub subnet_id: String,
    pub group_ids: Vec<String>,
    pub interface_id: String,
    pub private_ip: String,
    pub key_name: Option<String>,
    pub profile_arn: Option<String>,
    pub spot: bool,
    pub hibernation: bool,
    pub stop_protection: bool,
    pub termination_protection: bool,
    pub user_data: Option<String>,
    pub client_token: String,
    pub tags: Tags,
    pub visible_at: Time,
    /// When the instance last became `running`; status checks and console output follow from it.
    pub running_since: Option<Time>,
    /// Status checks that never become `ok`, set from outside: a machine that fails to boot.
    pub impaired: bool,
    /// Status checks that say `insufficient-data`, set from outside like `impaired`.
    pub silent: bool,
    /// Rises with each start and stop, so that a step planned for an earlier run does nothing.
    pub run: u64,
    /// Its number among the instances of one RunInstances call.
    pub launch_index: u32,
    /// A public address while it runs.
    pub public_address: bool,
    pub ebs_optimized: bool,
    pub monitoring: bool,
    pub source_dest_check: bool,
    /// `stop` or `terminate`.
    pub shutdown_behavior: String,
    pub metadata: MetadataOptions,
}

/// How an instance answers questions about itself. Nothing answers in this world: they are kept
/// and described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataOptions {
    /// `optional` or `required`.
    pub tokens: String,
    pub hop_limit: i64,
    /// `enabled` or `disabled`, as the next two.
    pub endpoint: String,
    pub ipv6: String,
    pub tags: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AttachmentState {
    Attaching,
    Attached,
    Detaching,
}

impl AttachmentState {
    pub const fn name(self) -> &'static str {
        match self {
            AttachmentState::Attaching => "attaching",
            AttachmentState::Attached => "attached",
            AttachmentState::Detaching => "detaching",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    pub device: String,
    pub volume_id: String,
    pub attached_at: Time,
    pub delete_on_termination: bool,
    pub state: AttachmentState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum VolumeState {
    Creating,
    Available,
    InUse,
    Deleting,
    Deleted,
    Error,
}

impl VolumeState {
    pub const fn name(self) -> &'static str {
        match self {
            VolumeState::Creating => "creating",
            VolumeState::Available => "available",
            VolumeState::InUse => "in-use",
            VolumeState::Deleting => "deleting",
            VolumeState::Deleted => "deleted",
            VolumeState::Error => "error",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Volume {
    pub id: String,
    pub size_gib: u32,
    pub snapshot_id: Option<String>,
    pub zone: String,
    pub state: VolumeState,
    pub created_at: Time,
    pub volume_type: String,
    pub iops: Option<u32>,
    pub throughput: Option<u32>,
    /// The ARN of the key, if the volume is encrypted.
    pub kms_key: Option<String>,
    pub multi_attach: bool,
    pub instance_id: Option<String>,
    pub tags: Tags,
    pub visible_at: Time,
    pub snapshot_taken_at: Option<Time>,
    /// Product codes come with the snapshot that the volume was made from.
    pub product_codes: Vec<ProductCode>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SnapshotState {
    Pending,
    Completed,
    Error,
}

impl SnapshotState {
    pub const fn name(self) -> &'static str {
        match self {
            SnapshotState::Pending => "pending",
            SnapshotState::Completed => "completed",
            SnapshotState::Error => "error",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Snapshot {
    pub id: String,
    /// `vol-ffffffff` on a copy, where it means nothing.
    pub volume_id: String,
    pub state: SnapshotState,
    pub status_message: String,
    pub started_at: Time,
    /// When it is (or was) completed; progress is worked out from it.
    pub completes_at: Time,
    pub description: String,
    pub size_gib: u32,
    /// The ARN of the key, if the snapshot is encrypted.
    pub kms_key: Option<String>,
    pub tags: Tags,
    /// `standard` or `archive`.
    pub tier: String,
    /// What it is a moment of: the volume, also on copies and copies of copies.
    pub lineage: String,
    pub incremental: bool,
    pub origin: Origin,
    pub lock: Option<Lock>,
    pub volume_permissions: BTreeSet<String>,
    pub public: bool,
    pub product_codes: Vec<ProductCode>,
    /// Of the machine whose root volume this is a moment of, if there was one.
    pub billing: Option<Billing>,
    pub transfer_type: Option<String>,
    pub completion_minutes: Option<u32>,
    pub visible_at: Time,
    /// Until then it is in use though its image has gone.
    pub in_use_until: Option<(Time, String)>,
    /// It was deleted while pending: it goes when it completes, and counts until then.
    pub deleted_while_pending: bool,
    pub request_id: String,
}

/// The part of a platform that a snapshot's metadata keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Billing {
    pub platform: Option<String>,
    pub platform_details: String,
    pub usage_operation: String,
}

/// How a snapshot came to be, which decides the events it sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Single,
    /// One of a multi-volume set, under the id of the set's first snapshot.
    Set(String),
    /// The backing snapshot of an image that CreateImage makes.
    Image(String),
    /// A copy by CopySnapshot.
    Copy {
        region: String,
        snapshot_id: String,
    },
    /// The backing snapshot of an image that CopyImage makes.
    ImageCopy {
        region: String,
        snapshot_id: String,
        image_id: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// `governance` or `compliance`.
    pub mode: String,
    pub created_at: Time,
    pub duration_days: Option<u32>,
    pub started_at: Time,
    pub expires_at: Time,
    pub cool_off_hours: Option<u32>,
    pub cool_off_until: Option<Time>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ImageState {
    Pending,
    Available,
    Failed,
    Disabled,
    Deregistered,
}

impl ImageState {
    pub const fn name(self) -> &'static str {
        match self {
            ImageState::Pending => "pending",
            ImageState::Available => "available",
            ImageState::Failed => "failed",
            ImageState::Disabled => "disabled",
            ImageState::Deregistered => "deregistered",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Image {
    pub id: String,
    pub name: String,
    pub owner: String,
    /// `amazon` or `aws-marketplace`, on public images of theirs.
    pub owner_alias: Option<String>,
    pub description: String,
    pub state: ImageState,
    pub reason: Option<Reason>,
    pub created_at: Time,
    pub platform: Platform,
    pub devices: Vec<BlockDevice>,
    pub tags: Tags,
    pub public: bool,
    pub launch_permissions: BTreeSet<Grantee>,
    pub deprecation_time: Option<Time>,
    pub protection: Protection,
    pub source_instance_id: Option<String>,
    pub source_image_id: Option<String>,
    pub source_image_region: Option<String>,
    pub last_launched_at: Option<Time>,
    pub visible_at: Time,
    /// The request that made it, which its state change event names.
    pub request_id: String,
}

/// Deregistration protection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    Off,
    On,
    OnWithCooldown,
    /// Switched off, but still protected until then.
    CoolingDown(Time),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grantee {
    Account(String),
    Organization(String),
    OrganizationalUnit(String),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockDevice {
    pub device: String,
    /// `ephemeral0` and so on; then there is no `ebs`.
    pub virtual_name: Option<String>,
    pub ebs: Option<EbsDevice>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EbsDevice {
    pub snapshot_id: Option<String>,
    pub size_gib: u32,
    pub volume_type: String,
    pub iops: Option<u32>,
    pub throughput: Option<u32>,
    pub delete_on_termination: bool,
    pub encrypted: bool,
}
