//! A machine, its volumes and its source image: every attribute that an image must carry over.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::facts::{
    Architecture, BootMode, ImdsSupport, Platform, RootDeviceType, SriovSupport, TpmSupport,
    UsageOperation, Virtualization, VolumeType,
};
use crate::ids::{AmiId, InstanceId, Region, VolumeId};

/// A machine with all that an image of it needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    pub instance: Instance,
    pub build: Build,
    /// Volumes that are imaged, in the order of their device names.
    pub volumes: Vec<Volume>,
    /// Volumes that the policy leaves out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
}

impl Machine {
    /// Stopped, and nobody writes to its disks.
    pub fn is_at_rest(&self) -> bool {
        self.instance.is_at_rest() && self.shared_volume().is_none()
    }

    /// Returns a volume that is imaged, and that another machine has attached as well.
    pub fn shared_volume(&self) -> Option<&Volume> {
        self.volumes.iter().find(|volume| volume.shared)
    }

    /// Lists the volumes of the instance store, without those whose device has an EBS volume.
    pub fn instance_store(&self) -> BTreeMap<String, String> {
        let volumes = self.volumes.iter().map(|volume| volume.device.as_str());
        let left_out = self.left_out.iter().map(|volume| volume.device.as_str());
        let taken: BTreeSet<&str> = volumes.chain(left_out).map(letter).collect();
        let store = self.build.instance_store.iter();
        let free = store.filter(|(device, _)| !taken.contains(letter(device)));
        free.map(|(device, name)| (device.clone(), name.clone())).collect()
    }
}

/// The part of a device name by which EC2 tells devices apart: `/dev/sdb` and `xvdb` are one.
fn letter(device: &str) -> &str {
    let name = device.strip_prefix("/dev/").unwrap_or(device);
    name.strip_prefix("sd").or_else(|| name.strip_prefix("xvd")).unwrap_or(name)
}

/// A volume that is attached and not imaged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    pub id: VolumeId,
    pub device: String,
}

/// The UEFI variables of a machine, as they were read in one of its runs. EC2 answers for one
/// machine at a time, so that they are read once in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firmware {
    /// Launch time of that run.
    pub launched: Timestamp,
    pub uefi_data: Option<String>,
}

impl Firmware {
    pub fn of(machine: &Machine) -> Firmware {
        let Machine { instance, build, .. } = machine;
        Firmware { launched: instance.launched, uefi_data: build.uefi_data.clone() }
    }
}

/// An instance as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    pub id: InstanceId,
    pub region: Region,
    pub state: State,
    /// Launch time of the present run, or of the one that ended last: every start resets it.
    pub launched: Timestamp,
    /// Stopped by hibernation: its memory is on its disk, which is therefore not at rest.
    pub hibernated: bool,
    #[serde(default)]
    pub instance_type: String,
    #[serde(default)]
    pub spot: bool,
    pub tags: BTreeMap<String, String>,
}

impl State {
    pub const ALL: [State; 6] = [
        State::Pending,
        State::Running,
        State::Stopping,
        State::Stopped,
        State::ShuttingDown,
        State::Terminated,
    ];

    /// Tells whether a machine that is in this state will never run again.
    pub const fn is_gone(self) -> bool {
        matches!(self, State::ShuttingDown | State::Terminated)
    }

    /// The state that EC2 calls so.
    pub fn parse(text: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Name of the state at EC2.
    pub const fn as_str(self) -> &'static str {
        match self {
            State::Pending => "pending",
            State::Running => "running",
            State::Stopping => "stopping",
            State::Stopped => "stopped",
            State::ShuttingDown => "shutting-down",
            State::Terminated => "terminated",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Instance {
    /// The name that people gave it.
    pub fn name(&self) -> Option<&str> {
        self.tags.get("Name").map(String::as_str).filter(|name| !name.is_empty())
    }

    /// Stopped, and with nothing but its data on its disks.
    pub fn is_at_rest(&self) -> bool {
        self.state == State::Stopped && !self.hibernated
    }
}

/// The states of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    Pending,
    Running,
    Stopping,
    Stopped,
    ShuttingDown,
    Terminated,
}

/// Attributes of a machine apart from its disks: what RegisterImage must be told again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    pub image: AmiId,
    pub architecture: Architecture,
    pub virtualization: Virtualization,
    pub root_device_type: RootDeviceType,
    pub root_device: String,
    pub ena: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sriov: Option<SriovSupport>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_mode: Option<BootMode>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tpm: Option<TpmSupport>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imds: Option<ImdsSupport>,
    /// The variables of its UEFI firmware, base64 as EC2 gives and takes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uefi_data: Option<String>,
    /// Volumes of the instance store that its image maps: `ephemeral0` and so on, by device. Their
    /// data is in no image; only the mapping is.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub instance_store: BTreeMap<String, String>,
    pub usage_operation: UsageOperation,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub product_codes: Vec<String>,
    /// True if the image that it was launched from could be read; some attributes stand only there.
    pub image_readable: bool,
}

/// An attached EBS volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    pub id: VolumeId,
    pub device: String,
    pub size_gib: i32,
    pub volume_type: VolumeType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iops: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throughput: Option<i32>,
    pub delete_on_termination: bool,
    pub encrypted: bool,
    /// The ARN of the key that encrypts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
    /// True if another machine has it attached as well (Multi-Attach), and may write to it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shared: bool,
    /// Tags by which a policy may leave it out. They are not kept: a machine may have more of them
    /// than a record has room for.
    #[serde(skip)]
    pub tags: BTreeMap<String, String>,
}

impl Volume {
    /// The operations a second that were asked for. Elsewhere EC2 shows them too, derived from the
    /// size, and refuses to be told them.
    pub fn provisioned_iops(&self) -> Option<i32> {
        let is_provisioned =
            matches!(self.volume_type, VolumeType::Io1 | VolumeType::Io2 | VolumeType::Gp3);
        self.iops.filter(|_| is_provisioned)
    }

    /// The MiB a second that were asked for.
    pub fn provisioned_throughput(&self) -> Option<i32> {
        self.throughput.filter(|_| self.volume_type == VolumeType::Gp3)
    }
}

/// Consistency of the disks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grade {
    /// Stopped, before and after the snapshots were taken, in one and the same stop.
    AtRest,
    /// EC2 rebooted it, and took its snapshots while it was down.
    Reboot,
    /// The disks are as after a power cut.
    Crash,
}

impl Grade {
    pub const ALL: [Grade; 3] = [Grade::AtRest, Grade::Reboot, Grade::Crash];

    /// The grade that is written so.
    pub fn parse(text: &str) -> Option<Grade> {
        Grade::ALL.into_iter().find(|grade| grade.as_str() == text)
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Grade::AtRest => "at-rest",
            Grade::Reboot => "reboot",
            Grade::Crash => "crash",
        }
    }
}
