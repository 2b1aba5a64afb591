//! RegisterImage: an image of snapshots, with what the call says about them and nothing else.
//!
//! What the call leaves out is not taken from the snapshots but from the defaults of 2006: a
//! 32-bit paravirtual machine.

use super::mapping::{self, Defaults, Mapping, What};
use super::{check_name, check_room, settle, want_new};
use crate::ec2::snapshots::{description, usable};
use crate::ec2::state::{
    BlockDevice, Image, Platform, ProductCode, Reason, Snapshot, SnapshotState,
};
use crate::ec2::tags;
use crate::kernel::access::{Call, Tags};
use crate::kernel::error::{ApiError, Kind};
use crate::kernel::faults::Creation;
use crate::kernel::ids;
use crate::kernel::query::Fields;
use crate::kernel::scope::Scope;
use crate::kernel::xml::Xml;
use crate::model::Model;

const UEFI_DATA_LENGTH_MAX: usize = 64_000;

/// What the call asks for.
struct Asked {
    name: String,
    description: String,
    platform: Platform,
    root_device: String,
    mappings: Vec<Mapping>,
    tags: Tags,
}

fn read(fields: &Fields, tag_limit: usize) -> Result<Asked, ApiError> {
    if fields.text("ImageLocation").is_some() {
        let text = "Images from a manifest in S3 are not modelled here: give a mapping";
        return Err(ApiError::bad("UnsupportedOperation", text));
    }
    if !fields.list("BillingProduct").is_empty() {
        let text = "Your account is not authorized to specify billing products.";
        return Err(ApiError::bad("OperationNotPermitted", text));
    }
    let mappings = mapping::read(fields)?;
    if mappings.is_empty() {
        return Err(ApiError::missing_parameter("BlockDeviceMapping"));
    }
    let specified = tags::specified(fields, &[Kind::Image], tag_limit)?;
    let root_device = fields.text("RootDeviceName").filter(|name| !name.is_empty());
    let root_device = root_device.unwrap_or("/dev/sda1").to_string();
    Ok(Asked {
        name: fields.required("Name")?.to_string(),
        description: description(fields.text("Description"))?,
        platform: read_platform(fields, &root_device)?,
        root_device,
        mappings,
        tags: tags::of_kind(&specified, Kind::Image),
    })
}

fn read_platform(fields: &Fields, root_device: &str) -> Result<Platform, ApiError> {
    let architectures: &[&str] = &["i386", "x86_64", "arm64", "x86_64_mac", "arm64_mac"];
    let boot_modes: &[&str] = &["legacy-bios", "uefi", "uefi-preferred"];
    let one_of = |name: &str, known: &[&str]| match fields.text(name) {
        None | Some("") => Ok(None),
        Some(value) if known.contains(&value) => Ok(Some(value.to_string())),
        Some(value) => Err(fields.invalid(name, value, &format!("Try {}.", known.join(", ")))),
    };
    let given = |name: &str| fields.text(name).filter(|t| !t.is_empty()).map(str::to_string);
    let architecture = one_of("Architecture", architectures)?;
    let virtualization = one_of("VirtualizationType", &["hvm", "paravirtual"])?;
    let platform = Platform {
        architecture: architecture.unwrap_or_else(|| "i386".to_string()),
        virtualization: virtualization.unwrap_or_else(|| "paravirtual".to_string()),
        root_device_name: Some(root_device.to_string()),
        root_device_type: "ebs".to_string(),
        ena: fields.flag("EnaSupport")?.unwrap_or(false),
        sriov: one_of("SriovNetSupport", &["simple"])?,
        boot_mode: one_of("BootMode", boot_modes)?,
        tpm: one_of("TpmSupport", &["v2.0"])?,
        imds: one_of("ImdsSupport", &["v2.0"])?,
        kernel_id: given("KernelId"),
        ramdisk_id: given("RamdiskId"),
        platform: None,
        platform_details: "Linux/UNIX".to_string(),
        usage_operation: "RunInstances".to_string(),
        product_codes: Vec::new(),
        uefi_data: given("UefiData"),
    };
    check_platform(&platform)?;
    Ok(platform)
}

fn check_platform(platform: &Platform) -> Result<(), ApiError> {
    let boot_mode = platform.boot_mode.as_deref();
    let hvm = platform.virtualization == "hvm";
    let arm = platform.architecture.starts_with("arm64");
    let uefi_data = platform.uefi_data.as_ref().map_or(0, String::len);
    let text = if platform.tpm.is_some() && boot_mode != Some("uefi") {
        "TpmSupport v2.0 requires the boot mode uefi"
    } else if platform.ena && !hvm {
        "EnaSupport requires the virtualization type hvm"
    } else if platform.sriov.is_some() && !hvm {
        "SriovNetSupport requires the virtualization type hvm"
    } else if hvm && (platform.kernel_id.is_some() || platform.ramdisk_id.is_some()) {
        "An image of the virtualization type hvm has no kernel and no RAM disk"
    } else if arm && matches!(boot_mode, Some("legacy-bios" | "uefi-preferred")) {
        "Images for Arm boot with uefi"
    } else if uefi_data > UEFI_DATA_LENGTH_MAX {
        "UefiData is longer than 64000 characters"
    } else {
        return Ok(());
    };
    Err(ApiError::combination(text))
}

/// A snapshot behind the image, with whoever owns it.
type Backing = (Scope, Snapshot);

pub fn register(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let asked = read(fields, model.config.limits.tags_per_resource)?;
    fields.finish()?;
    check_name(&asked.name)?;
    let mut backing: Vec<Backing> = Vec::new();
    for mapping in &asked.mappings {
        if let What::Ebs(ebs) = &mapping.what
            && let Some(id) = &ebs.snapshot_id
        {
            backing.push(usable(model, &call.scope, id)?);
        }
    }
    let snapshots =
        backing.iter().map(|(owner, snapshot)| snapshot.want(call, owner, "ec2:RegisterImage"));
    let mut wants = vec![want_new(call, &asked.tags)];
    wants.extend(snapshots);
    wants.extend(call.tag_on_create(Kind::Image, &asked.tags));
    model.permit(call, &wants)?;
    let devices = devices(&asked, &backing)?;
    let accepts_pending = model.config.quirks.register_accepts_pending_snapshot;
    for (_, snapshot) in &backing {
        check_snapshot(snapshot, accepts_pending)?;
    }
    check_room(model, &call.scope, &asked.name)?;

    let id = ids::resource(&mut model.rng, Kind::Image);
    let platform = platform(model, &asked, &devices, &backing);
    let image = Image {
        description: asked.description,
        platform,
        devices,
        tags: asked.tags.clone(),
        ..Image::new(id.clone(), &asked.name, call, model)
    };
    model.ec2_region(&call.scope).add_image(image);
    tags::created(model, &call.scope, &id, &asked.tags);
    let failure = model.faults.creation_failure(Creation::ImageRegistration, &call.scope);
    let reason = failure.map(|message| Reason::new("Server.InternalError", message));
    settle::plan_settle(model, &call.scope, &id, reason);
    let mut xml = Xml::new();
    xml.leaf("imageId", id);
    Ok(xml)
}

fn check_snapshot(snapshot: &Snapshot, accepts_pending: bool) -> Result<(), ApiError> {
    let pending = snapshot.state == SnapshotState::Pending;
    let awaited = pending && accepts_pending && !snapshot.deleted_while_pending;
    let fits = snapshot.state == SnapshotState::Completed || awaited;
    if fits && snapshot.tier == "standard" {
        return Ok(());
    }
    let state = if snapshot.tier == "standard" { snapshot.state.name() } else { "archived" };
    let text = format!("Snapshot is in invalid state - {state}");
    Err(ApiError::bad("IncorrectState", text))
}

fn devices(asked: &Asked, backing: &[Backing]) -> Result<Vec<BlockDevice>, ApiError> {
    let mut devices = Vec::new();
    for mapping in &asked.mappings {
        let device = mapping.device.as_str();
        match &mapping.what {
            What::Nothing => {}
            What::Ephemeral(name) => devices.push(BlockDevice {
                device: device.to_string(),
                virtual_name: Some(name.clone()),
                ebs: None,
            }),
            What::Ebs(ebs) => {
                if ebs.snapshot_id.is_some() && ebs.encrypted.is_some() {
                    let text = format!(
                        "the encrypted flag cannot be specified since device {device} \
                         has a snapshot specified."
                    );
                    return Err(mapping::invalid(text));
                }
                let held = backing.iter().find(|(_, s)| Some(&s.id) == ebs.snapshot_id.as_ref());
                let snapshot = held.map(|(_, s)| (s.size_gib, s.kms_key.is_some()));
                let root = device == asked.root_device;
                let defaults = Defaults { volume_type: "standard", delete_on_termination: root };
                devices.push(ebs.device(device, snapshot, &defaults)?);
            }
        }
    }
    if root_snapshot(&asked.root_device, &devices).is_none() {
        let text = format!("No snapshot is mapped to the root device '{}'", asked.root_device);
        return Err(mapping::invalid(text));
    }
    Ok(devices)
}

fn root_snapshot<'a>(root: &str, devices: &'a [BlockDevice]) -> Option<&'a String> {
    let root = devices.iter().find(|device| device.device == root)?;
    root.ebs.as_ref()?.snapshot_id.as_ref()
}

/// Marketplace codes come with the snapshots; the billing of the machine only if the knob says so.
fn platform(
    model: &Model,
    asked: &Asked,
    devices: &[BlockDevice],
    backing: &[Backing],
) -> Platform {
    let mut platform = asked.platform.clone();
    let mut codes: Vec<ProductCode> = Vec::new();
    for code in backing.iter().flat_map(|(_, snapshot)| &snapshot.product_codes) {
        if code.kind == "marketplace" && !codes.contains(code) {
            codes.push(code.clone());
        }
    }
    platform.product_codes = codes;
    let root = root_snapshot(&asked.root_device, devices);
    let root = backing.iter().find(|(_, snapshot)| Some(&snapshot.id) == root);
    if let Some(billing) = root.and_then(|(_, snapshot)| snapshot.billing.clone())
        && model.config.quirks.register_derives_billing
    {
        platform.platform = billing.platform;
        platform.platform_details = billing.platform_details;
        platform.usage_operation = billing.usage_operation;
    }
    platform
}
