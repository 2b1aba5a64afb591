//! Parts: how often each kind of work may make a call, of what EC2 allows an account and region.
//!
//! EC2 has a bucket of tokens for each account, region and action. Half of each is left to the
//! other users of the account. Our half is divided among the kinds of work, reads included, so that
//! two workers that run at the same time never spend one part. A part is the wait from one call to
//! the next. The values and their reasons are in [`crate::limits`].
//!
//! A worker that makes calls that create something asks [`Kind::pace`], which is its part of those
//! buckets. All other calls ask [`wait`].

use jiff::SignedDuration;

use crate::limits::{
    COMMAND_PACE, GUARD_PACE, ITEM_READ_PACE, LIST_PACE_BACKUP, LIST_PACE_CONFIRM, LIST_PACE_COPY,
    LIST_PACE_POWER, LIST_PACE_REGISTER, LIST_PACE_SNAPSHOT, LIST_PACE_SWEEP, TAG_PACE,
    TAG_PACE_CONFIRM, TAG_PACE_REGISTER, TAG_PACE_SWEEP, TRIAL_PACE,
};
use crate::work::Kind;

/// The closed set of kinds of work that call EC2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    /// The schedules: `backup-tick`.
    Backup,
    /// The sweep: `reconcile-tick`.
    Sweep,
    /// The worker of a queue.
    Queue(Kind),
    /// The command of a person.
    Command,
}

impl Work {
    pub const ALL: [Work; 8] = [
        Work::Backup,
        Work::Sweep,
        Work::Queue(Kind::Snapshot),
        Work::Queue(Kind::Register),
        Work::Queue(Kind::Confirm),
        Work::Queue(Kind::Copy),
        Work::Queue(Kind::Power),
        Work::Command,
    ];
}

/// Actions of EC2 that are divided in the same way. Each action has a bucket of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bucket {
    /// DescribeImages, DescribeInstances, DescribeSnapshots, DescribeVolumes: many things at once.
    List,
    /// GetInstanceUefiData: one machine at a time.
    MachineFirmware,
    /// DescribeImageAttribute: one image at a time.
    ImageFirmware,
    /// DescribeInstanceAttribute and DescribeInstanceTypes: before a machine is stopped.
    Guard,
    /// CreateTags and DeleteTags.
    Tag,
    /// CreateSnapshots, its trials, and CreateImage.
    Snapshot,
    /// RegisterImage.
    Register,
    /// CopyImage.
    Copy,
    /// StopInstances.
    Stop,
    /// StartInstances, and its trials.
    Start,
}

impl Bucket {
    pub const ALL: [Bucket; 10] = [
        Bucket::List,
        Bucket::MachineFirmware,
        Bucket::ImageFirmware,
        Bucket::Guard,
        Bucket::Tag,
        Bucket::Snapshot,
        Bucket::Register,
        Bucket::Copy,
        Bucket::Stop,
        Bucket::Start,
    ];

    /// Returns the bucket of an action of EC2. An action that is not named here reads.
    pub fn of(action: &str) -> Bucket {
        match action {
            "GetInstanceUefiData" => Bucket::MachineFirmware,
            "DescribeImageAttribute" => Bucket::ImageFirmware,
            "DescribeInstanceAttribute" | "DescribeInstanceTypes" => Bucket::Guard,
            "CreateTags" | "DeleteTags" => Bucket::Tag,
            "CreateSnapshots" | "CreateImage" => Bucket::Snapshot,
            "RegisterImage" => Bucket::Register,
            "CopyImage" => Bucket::Copy,
            "StopInstances" => Bucket::Stop,
            "StartInstances" => Bucket::Start,
            _ => Bucket::List,
        }
    }
}

/// Returns the wait between two calls of an action in a region by one kind of work. None if that
/// kind of work has no part of the bucket.
pub const fn wait(work: Work, bucket: Bucket) -> Option<SignedDuration> {
    match (bucket, work) {
        (Bucket::List, Work::Backup) => Some(LIST_PACE_BACKUP),
        (Bucket::List, Work::Sweep) => Some(LIST_PACE_SWEEP),
        (Bucket::List, Work::Queue(Kind::Snapshot)) => Some(LIST_PACE_SNAPSHOT),
        (Bucket::List, Work::Queue(Kind::Register)) => Some(LIST_PACE_REGISTER),
        (Bucket::List, Work::Queue(Kind::Confirm)) => Some(LIST_PACE_CONFIRM),
        (Bucket::List, Work::Queue(Kind::Copy)) => Some(LIST_PACE_COPY),
        (Bucket::List, Work::Queue(Kind::Power)) => Some(LIST_PACE_POWER),
        (Bucket::MachineFirmware, Work::Queue(Kind::Snapshot))
        | (Bucket::ImageFirmware, Work::Queue(Kind::Confirm)) => Some(ITEM_READ_PACE),
        (Bucket::List | Bucket::MachineFirmware, Work::Command) => Some(COMMAND_PACE),
        (Bucket::Guard, Work::Queue(Kind::Power)) => Some(GUARD_PACE),
        (Bucket::Tag, Work::Queue(Kind::Snapshot)) => Some(TAG_PACE),
        (Bucket::Tag, Work::Queue(Kind::Register)) => Some(TAG_PACE_REGISTER),
        (Bucket::Tag, Work::Queue(Kind::Confirm)) => Some(TAG_PACE_CONFIRM),
        (Bucket::Tag, Work::Sweep) => Some(TAG_PACE_SWEEP),
        (Bucket::Snapshot, Work::Queue(Kind::Power)) => Some(TRIAL_PACE),
        (Bucket::Snapshot, Work::Queue(kind @ Kind::Snapshot))
        | (Bucket::Register, Work::Queue(kind @ Kind::Register))
        | (Bucket::Copy, Work::Queue(kind @ Kind::Copy))
        | (Bucket::Stop | Bucket::Start, Work::Queue(kind @ Kind::Power)) => Some(kind.pace()),
        _ => None,
    }
}
