//! Launches, as calls and launch templates describe them.

use std::collections::BTreeMap;

use crate::ec2::volumes::size::Asked;
use crate::kernel::access::Tags;
use crate::kernel::error::Kind;
use crate::kernel::time::Time;

#[derive(Clone, Debug)]
pub struct LaunchTemplate {
    pub id: String,
    pub name: String,
    pub created_at: Time,
    /// The ARN of whoever called.
    pub created_by: String,
    pub default_version: u64,
    /// The number that was given out last, whether or not that version still exists.
    pub last_number: u64,
    pub versions: BTreeMap<u64, Version>,
    pub tags: Tags,
    pub visible_at: Time,
}

#[derive(Clone, Debug)]
pub struct Version {
    pub number: u64,
    pub description: Option<String>,
    pub created_at: Time,
    pub created_by: String,
    pub data: Data,
}

/// The data of a version: as it was given, which is how it is described, and as it is understood.
#[derive(Clone, Debug)]
pub struct Data {
    pub given: BTreeMap<String, String>,
    pub launch: Launch,
}

/// The parameters of a launch; each may be absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Launch {
    pub image_id: Option<String>,
    pub instance_type: Option<String>,
    pub subnet_id: Option<String>,
    pub zone: Option<String>,
    pub group_ids: Vec<String>,
    pub group_names: Vec<String>,
    pub private_ip: Option<String>,
    pub public_address: Option<bool>,
    pub key_name: Option<String>,
    pub user_data: Option<String>,
    pub profile: Option<Profile>,
    pub kernel_id: Option<String>,
    pub ramdisk_id: Option<String>,
    pub devices: Vec<Override>,
    pub spot: Option<bool>,
    pub hibernation: Option<bool>,
    pub stop_protection: Option<bool>,
    pub termination_protection: Option<bool>,
    pub ebs_optimized: Option<bool>,
    pub monitoring: Option<bool>,
    pub shutdown_behavior: Option<String>,
    pub metadata: Metadata,
    pub tags: Vec<(Kind, Tags)>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    pub tokens: Option<String>,
    pub hop_limit: Option<i64>,
    pub endpoint: Option<String>,
    pub ipv6: Option<String>,
    pub tags: Option<String>,
}

/// An instance profile, by its ARN or its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Profile {
    Arn(String),
    Name(String),
}

/// `BlockDeviceMapping.N` of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Override {
    pub device: String,
    /// The device of the image is left out.
    pub none: bool,
    pub virtual_name: Option<String>,
    pub ebs: Option<EbsOverride>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EbsOverride {
    pub snapshot_id: Option<String>,
    pub asked: Asked,
    pub delete_on_termination: Option<bool>,
    pub encryption: Encryption,
}

/// The parameters of a call about encryption.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encryption {
    pub encrypted: Option<bool>,
    pub kms_key_id: Option<String>,
}
