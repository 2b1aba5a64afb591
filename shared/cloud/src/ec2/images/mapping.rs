//! `BlockDeviceMapping.N`, as CreateImage and RegisterImage take it.

use std::collections::BTreeSet;

use crate::ec2::state::{BlockDevice, EbsDevice};
use crate::kernel::error::ApiError;
use crate::kernel::query::Fields;

const VOLUME_TYPES: [&str; 7] = ["standard", "io1", "io2", "gp2", "gp3", "st1", "sc1"];
const SIZE_GIB_MAX: i64 = 65_536;
const IOPS_MAX: i64 = 256_000;
const THROUGHPUT_MAX: i64 = 2_000;

/// One entry, as it was asked for.
#[derive(Clone, Debug, Default)]
pub struct Mapping {
    pub device: String,
    pub what: What,
}

#[derive(Clone, Debug, Default)]
pub enum What {
    /// The device is left out.
    #[default]
    Nothing,
    /// A device of the instance store: `ephemeral0` and so on.
    Ephemeral(String),
    Ebs(Ebs),
}

#[derive(Clone, Debug, Default)]
pub struct Ebs {
    pub snapshot_id: Option<String>,
    pub size_gib: Option<u32>,
    pub volume_type: Option<String>,
    pub iops: Option<u32>,
    pub throughput: Option<u32>,
    pub delete_on_termination: Option<bool>,
    pub encrypted: Option<bool>,
}

pub fn invalid(text: impl Into<String>) -> ApiError {
    ApiError::bad("InvalidBlockDeviceMapping", text)
}

/// Reads all entries; no device may come twice.
pub fn read(fields: &Fields) -> Result<Vec<Mapping>, ApiError> {
    let mut mappings: Vec<Mapping> = Vec::new();
    let mut devices = BTreeSet::new();
    for group in fields.groups("BlockDeviceMapping") {
        let device = group.required("DeviceName")?.to_string();
        if !devices.insert(device.clone()) {
            return Err(invalid(format!("The device '{device}' is used in more than one mapping")));
        }
        let no_device = group.text("NoDevice");
        let ephemeral = group.text("VirtualName").filter(|name| !name.is_empty());
        let ebs = group.group("Ebs").map(|ebs| read_ebs(&ebs)).transpose()?;
        let what = match (no_device, ephemeral, ebs) {
            (Some(_), None, None) => What::Nothing,
            (None, Some(name), None) if name.starts_with("ephemeral") => {
                What::Ephemeral(name.to_string())
            }
            (None, Some(name), None) => {
                return Err(group.invalid("VirtualName", name, "Try ephemeral0."));
            }
            (None, None, Some(ebs)) => What::Ebs(ebs),
            (None, None, None) => {
                let text = format!("The mapping of the device '{device}' says nothing about it");
                return Err(invalid(text));
            }
            _ => {
                let text = format!(
                    "The mapping of the device '{device}' may have one of NoDevice, VirtualName \
                     and Ebs"
                );
                return Err(invalid(text));
            }
        };
        mappings.push(Mapping { device, what });
    }
    Ok(mappings)
}

fn read_ebs(fields: &Fields) -> Result<Ebs, ApiError> {
    // A key can be named where instances are launched, and nowhere else.
    for name in ["KmsKeyId", "OutpostArn", "AvailabilityZone", "AvailabilityZoneId"] {
        if fields.text(name).is_some() {
            let text = format!("The parameter {} is not supported here", fields.name_of(name));
            return Err(ApiError::bad("InvalidParameterCombination", text));
        }
    }
    let text = |name: &str| fields.text(name).filter(|t| !t.is_empty()).map(str::to_string);
    let volume_type = text("VolumeType");
    if let Some(volume_type) = &volume_type
        && !VOLUME_TYPES.contains(&volume_type.as_str())
    {
        return Err(fields.invalid("VolumeType", volume_type, "There is no such volume type."));
    }
    Ok(Ebs {
        snapshot_id: text("SnapshotId"),
        size_gib: bounded(fields, "VolumeSize", SIZE_GIB_MAX)?,
        volume_type,
        iops: bounded(fields, "Iops", IOPS_MAX)?,
        throughput: bounded(fields, "Throughput", THROUGHPUT_MAX)?,
        delete_on_termination: fields.flag("DeleteOnTermination")?,
        encrypted: fields.flag("Encrypted")?,
    })
}

fn bounded(fields: &Fields, name: &str, most: i64) -> Result<Option<u32>, ApiError> {
    match fields.integer(name)? {
        None => Ok(None),
        Some(n) if (1..=most).contains(&n) => Ok(u32::try_from(n).ok()),
        Some(n) => {
            let why = format!("It must be between 1 and {most}.");
            Err(fields.invalid(name, &n.to_string(), &why))
        }
    }
}

/// What a new device falls back to where its mapping is silent.
#[derive(Clone, Debug)]
pub struct Defaults<'a> {
    pub volume_type: &'a str,
    pub delete_on_termination: bool,
}

impl Ebs {
    /// The device of an image, on a snapshot (its size and whether it is encrypted) or empty.
    pub fn device(
        &self,
        device: &str,
        snapshot: Option<(u32, bool)>,
        defaults: &Defaults<'_>,
    ) -> Result<BlockDevice, ApiError> {
        let size_gib = match (self.size_gib, snapshot) {
            (Some(size), Some((least, _))) if size < least => {
                let text = format!(
                    "Volume of size {size}GB is smaller than snapshot '{}', \
                     expect size >= {least}GB",
                    self.snapshot_id.as_deref().unwrap_or_default()
                );
                return Err(invalid(text));
            }
            (Some(size), _) => size,
            (None, Some((size, _))) => size,
            (None, None) => {
                let text = format!("The device '{device}' needs a snapshot or a size");
                return Err(invalid(text));
            }
        };
        let volume_type = self.volume_type.as_deref().unwrap_or(defaults.volume_type);
        self.check_performance(device, volume_type)?;
        let gp3 = |value: u32| (volume_type == "gp3").then_some(value);
        let ebs = EbsDevice {
            snapshot_id: self.snapshot_id.clone(),
            size_gib,
            volume_type: volume_type.to_string(),
            iops: self.iops.or(gp3(3000)),
            throughput: self.throughput.or(gp3(125)),
            delete_on_termination: self
                .delete_on_termination
                .unwrap_or(defaults.delete_on_termination),
            encrypted: match snapshot {
                Some((_, encrypted)) => encrypted,
                None => self.encrypted.unwrap_or(false),
            },
        };
        Ok(BlockDevice { device: device.to_string(), virtual_name: None, ebs: Some(ebs) })
    }

    fn check_performance(&self, device: &str, volume_type: &str) -> Result<(), ApiError> {
        let provisioned = matches!(volume_type, "io1" | "io2");
        let text = if provisioned && self.iops.is_none() {
            format!("The parameter iops must be specified for {volume_type} volumes ({device}).")
        } else if self.iops.is_some() && !provisioned && volume_type != "gp3" {
            format!("The parameter iops is not supported for {volume_type} volumes ({device}).")
        } else if self.throughput.is_some() && volume_type != "gp3" {
            format!(
                "The parameter throughput is not supported for {volume_type} volumes ({device})."
            )
        } else {
            return Ok(());
        };
        Err(ApiError::bad("InvalidParameterCombination", text))
    }
}
