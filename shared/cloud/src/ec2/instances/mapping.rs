//! The block devices of a launch: those of the image, as the call overrides them.

use crate::ec2::lookup::{self, Owned};
use crate::ec2::state::{self, EbsOverride, Encryption, Image, Override};
use crate::ec2::volumes::create::{bounds, usable_snapshot};
use crate::ec2::volumes::size::{self, Asked, Size};
use crate::kernel::error::{ApiError, Kind};
use crate::kernel::query::Fields;
use crate::kernel::scope::Scope;
use crate::model::Model;

/// The devices that an instance will have.
#[derive(Clone, Debug, Default)]
pub struct Planned {
    pub volumes: Vec<PlannedVolume>,
    /// Device and virtual name.
    pub ephemeral: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
pub struct PlannedVolume {
    pub device: String,
    pub size: Size,
    pub snapshot: Option<Owned>,
    /// The call named the snapshot; it does not come with the image.
    pub snapshot_is_named: bool,
    pub encryption: Encryption,
    pub delete_on_termination: bool,
}

impl Override {
    pub fn read(fields: &Fields) -> Result<Vec<Override>, ApiError> {
        let mut all: Vec<Override> = Vec::new();
        for group in fields.groups("BlockDeviceMapping") {
            let device = group.required("DeviceName")?.to_string();
            if all.iter().any(|known| known.device == device) {
                let text = format!("The device '{device}' is used in more than one mapping");
                return Err(ApiError::bad("InvalidBlockDeviceMapping", text));
            }
            all.push(Override {
                device,
                none: group.text("NoDevice").is_some(),
                virtual_name: group.text("VirtualName").map(Into::into),
                ebs: group.group("Ebs").map(|ebs| EbsOverride::read(&ebs)).transpose()?,
            });
        }
        Ok(all)
    }
}

impl EbsOverride {
    fn read(fields: &Fields) -> Result<EbsOverride, ApiError> {
        Ok(EbsOverride {
            snapshot_id: fields.text("SnapshotId").map(Into::into),
            asked: Asked {
                volume_type: fields.text("VolumeType").map(Into::into),
                size_gib: fields.integer("VolumeSize")?,
                iops: fields.integer("Iops")?,
                throughput: fields.integer("Throughput")?,
            },
            delete_on_termination: fields.flag("DeleteOnTermination")?,
            encryption: Encryption {
                encrypted: fields.flag("Encrypted")?,
                kms_key_id: fields.text("KmsKeyId").map(Into::into),
            },
        })
    }
}

/// Works out the devices of a launch.
pub fn plan(
    model: &mut Model,
    scope: &Scope,
    image: &Image,
    overrides: &[Override],
) -> Result<Planned, ApiError> {
    let mut planned = Planned::default();
    for device in &image.devices {
        let change = overrides.iter().find(|change| change.device == device.device);
        let is_root = image.platform.root_device_name.as_ref() == Some(&device.device);
        if is_root {
            check_root(device, change)?;
        }
        match change {
            Some(change) if change.none => {}
            Some(change) => {
                add(model, scope, image, &mut planned, Some(device), change)?;
            }
            None => {
                let same = Override { device: device.device.clone(), ..Override::default() };
                add(model, scope, image, &mut planned, Some(device), &same)?;
            }
        }
    }
    let is_new = |change: &&Override| image.devices.iter().all(|d| d.device != change.device);
    for change in overrides.iter().filter(is_new).filter(|change| !change.none) {
        add(model, scope, image, &mut planned, None, change)?;
    }
    Ok(planned)
}

/// The root device stays, and stays what it is.
fn check_root(device: &state::BlockDevice, change: Option<&Override>) -> Result<(), ApiError> {
    let Some(change) = change else { return Ok(()) };
    let name = &device.device;
    let own = device.ebs.as_ref().and_then(|ebs| ebs.snapshot_id.as_ref());
    let other = change.ebs.as_ref().and_then(|ebs| ebs.snapshot_id.as_ref());
    let text = if change.none || change.virtual_name.is_some() {
        format!("The root device '{name}' cannot be left out")
    } else if other.is_some() && other != own {
        "snapshotId cannot be modified on root device".to_string()
    } else {
        return Ok(());
    };
    Err(ApiError::bad("InvalidBlockDeviceMapping", text))
}

fn add(
    model: &mut Model,
    scope: &Scope,
    image: &Image,
    planned: &mut Planned,
    device: Option<&state::BlockDevice>,
    change: &Override,
) -> Result<(), ApiError> {
    let base = device.and_then(|device| device.ebs.as_ref());
    let virtual_name = change.virtual_name.as_ref();
    let of_image = device.and_then(|device| device.virtual_name.as_ref());
    if let Some(name) = virtual_name.or(of_image.filter(|_| change.ebs.is_none())) {
        if change.ebs.is_some() || !is_ephemeral(name) {
            let text = format!("Invalid virtual name '{name}' for device '{}'", change.device);
            return Err(ApiError::bad("InvalidBlockDeviceMapping", text));
        }
        planned.ephemeral.push((change.device.clone(), name.clone()));
        return Ok(());
    }
    let ebs = change.ebs.clone().unwrap_or_default();
    let (snapshot, snapshot_is_named) = match (&ebs.snapshot_id, base) {
        (Some(id), Some(base)) if base.snapshot_id.as_ref() == Some(id) => {
            (Some(behind(model, scope, image, id)?), false)
        }
        (Some(id), _) => (Some(usable_snapshot(model, scope, id)?), true),
        (None, Some(state::EbsDevice { snapshot_id: Some(id), .. })) => {
            (Some(behind(model, scope, image, id)?), false)
        }
        (None, _) => (None, false),
    };
    let mut encryption = ebs.encryption;
    encryption.check(snapshot.as_ref())?;
    if snapshot.is_none() && base.is_some_and(|base| base.encrypted) {
        encryption.encrypted = encryption.encrypted.or(Some(true));
    }
    let asked = with_image(ebs.asked, base);
    let size = size::decide(&asked, snapshot.as_ref().map(bounds))?;
    let kept = base.map(|base| base.delete_on_termination);
    planned.volumes.push(PlannedVolume {
        device: change.device.clone(),
        size,
        snapshot,
        snapshot_is_named,
        encryption,
        // What comes with the call alone goes with the instance, unlike what is attached later.
        delete_on_termination: ebs.delete_on_termination.or(kept).unwrap_or(true),
    });
    Ok(())
}

fn behind(model: &mut Model, scope: &Scope, image: &Image, id: &str) -> Result<Owned, ApiError> {
    let found = lookup::snapshot_of_image(model, scope, image, id);
    found.ok_or_else(|| ApiError::not_found(Kind::Snapshot, &[id]))
}

fn is_ephemeral(name: &str) -> bool {
    let number = name.strip_prefix("ephemeral").and_then(|rest| rest.parse::<u8>().ok());
    number.is_some_and(|number| number < 24)
}

/// What the call does not say is as in the image; performance only within the same type.
fn with_image(mut asked: Asked, base: Option<&state::EbsDevice>) -> Asked {
    let Some(base) = base else { return asked };
    let same_type = asked.volume_type.as_ref().is_none_or(|asked| *asked == base.volume_type);
    if asked.volume_type.is_none() && !base.volume_type.is_empty() {
        asked.volume_type = Some(base.volume_type.clone());
    }
    asked.size_gib = asked.size_gib.or((base.size_gib > 0).then_some(i64::from(base.size_gib)));
    let chosen = matches!(base.volume_type.as_str(), "gp3" | "io1" | "io2");
    if same_type && chosen {
        asked.iops = asked.iops.or(base.iops.map(i64::from));
        asked.throughput = asked.throughput.or(base.throughput.map(i64::from));
    }
    asked
}
