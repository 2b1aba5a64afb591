//! The comparison of an image with its machine, attribute by attribute.
//!
//! What RegisterImage is told and what CreateImage takes over is one thing, what EC2 then shows is
//! another: whoever launches from the image gets what it shows. Some differences mean that it would
//! not boot, or would run without its licence; of those no point is made. Of the others a person
//! should know.

use std::fmt::Display;

use crate::facts::{UsageOperation, VolumeType};
use crate::machine::{Machine, Volume};
use crate::observed::{Attributes, ObservedDevice, ObservedImage};

/// Difference between an image and its machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    pub text: String,
    pub weight: Weight,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// The image boots, and is billed as it should be.
    Told,
    /// The image has other disks than the machine had.
    Disks,
    /// The image would not boot.
    Boot,
    /// The image would run without what the machine was billed for.
    Billing,
}

/// Lists the differences between an image and its machine. `uefi_data` is the image's, where that
/// could be asked.
pub(super) fn with_machine(
    machine: &Machine,
    image: &ObservedImage,
    uefi_data: Option<&Option<String>>,
) -> Vec<Difference> {
    let build = &machine.build;
    let expected = Attributes {
        architecture: Some(build.architecture.clone()),
        virtualization: Some(build.virtualization.clone()),
        root_device: Some(build.root_device.clone()),
        root_device_type: Some(build.root_device_type.clone()),
        ena: build.ena,
        sriov: build.sriov.clone(),
        boot_mode: build.boot_mode.clone(),
        tpm: build.tpm.clone(),
        imds: build.imds.clone(),
        usage_operation: Some(build.usage_operation.clone())
            .filter(|operation| *operation != UsageOperation::Unknown),
        platform: build.platform.clone(),
        product_codes: build.product_codes.clone(),
        instance_store: machine.instance_store(),
        source_instance: None,
    };
    let mut found = Found::default();
    found.attributes(&expected, &image.attributes);
    found.devices(machine, &image.devices);
    if let Some(shown) = uefi_data
        && *shown != build.uefi_data
    {
        found.add(Weight::Told, "the variables of the UEFI firmware differ".into());
    }
    found.0
}

/// Lists the differences that make a copy unusable. Other differences were already reported for its
/// source image, and a copy may have another key.
pub(super) fn of_copy(machine: &Machine, image: &ObservedImage) -> Vec<Difference> {
    let mut found = with_machine(machine, image, None);
    found.retain(|difference| difference.weight > Weight::Told);
    found
}

#[derive(Default)]
struct Found(Vec<Difference>);

impl Found {
    fn add(&mut self, weight: Weight, text: String) {
        self.0.push(Difference { text, weight });
    }

    /// An attribute that the image does not show as the machine has it. One that the machine is not
    /// known to have is not compared.
    fn attribute<T: PartialEq + Display>(
        &mut self,
        weight: Weight,
        what: &str,
        machine: &Option<T>,
        image: &Option<T>,
    ) {
        if let Some(known) = machine.as_ref().filter(|_| machine != image) {
            let image = image.as_ref().map_or_else(|| "not shown".to_string(), ToString::to_string);
            self.add(weight, format!("{what} differs (machine: {known}, image: {image})"));
        }
    }

    fn attributes(&mut self, machine: &Attributes, image: &Attributes) {
        use Weight::{Billing, Boot, Told};
        let (is, of) = (machine, image);
        self.attribute(Boot, "architecture", &is.architecture, &of.architecture);
        self.attribute(Boot, "virtualization", &is.virtualization, &of.virtualization);
        self.attribute(Boot, "root device", &is.root_device, &of.root_device);
        self.attribute(Boot, "root device type", &is.root_device_type, &of.root_device_type);
        self.attribute(Boot, "boot mode", &is.boot_mode, &of.boot_mode);
        self.attribute(Billing, "usage operation", &is.usage_operation, &of.usage_operation);
        self.attribute(Billing, "platform", &is.platform, &of.platform);
        self.attribute(Told, "SR-IOV support", &is.sriov, &of.sriov);
        self.attribute(Told, "TPM", &is.tpm, &of.tpm);
        self.attribute(Told, "IMDS support", &is.imds, &of.imds);
        // A machine with ENA cannot do without it.
        let weight = if machine.ena { Boot } else { Told };
        let ena = |is: bool| Some(if is { "enabled" } else { "not enabled" });
        self.attribute(weight, "ENA", &ena(machine.ena), &ena(image.ena));
        let (old, new) = (&machine.product_codes, &image.product_codes);
        for code in old.iter().filter(|code| !new.contains(code)) {
            self.add(Billing, format!("product code {code} is missing on the image"));
        }
        for code in new.iter().filter(|code| !old.contains(code)) {
            self.add(Told, format!("product code {code} is on the image alone"));
        }
        for (device, name) in &machine.instance_store {
            let shown = image.instance_store.get(device);
            self.attribute(Told, &format!("{device}: instance store"), &Some(name), &shown);
        }
    }

    fn devices(&mut self, machine: &Machine, devices: &[ObservedDevice]) {
        for volume in &machine.volumes {
            let name = &volume.device;
            let mut named = devices.iter().filter(|device| device.name == *name);
            match (named.next(), named.next()) {
                (Some(device), None) => self.device(volume, device),
                (None, _) => self.add(Weight::Disks, format!("{name} is missing")),
                (Some(_), Some(_)) => self.add(Weight::Disks, format!("{name} is there twice")),
            }
        }
        let is_known = |name: &str| machine.volumes.iter().any(|volume| volume.device == name);
        for device in devices.iter().filter(|device| !is_known(&device.name)) {
            let text = format!("{} is none of the volumes that were imaged", device.name);
            self.add(Weight::Disks, text);
        }
    }

    fn device(&mut self, volume: &Volume, image: &ObservedDevice) {
        let name = &volume.device;
        if image.snapshot.is_none() {
            self.add(Weight::Disks, format!("{name} has no snapshot"));
        }
        let mut compare = |what: &str, machine: Option<String>, image: Option<String>| {
            self.attribute(Weight::Told, &format!("{name}: {what}"), &machine, &image);
        };
        let number = |number: Option<i32>| number.map(|number| number.to_string());
        let gib = |size: i32| format!("{size} GiB");
        let encryption = |is: bool| if is { "encrypted" } else { "not encrypted" }.to_string();
        let kind = |kind: &VolumeType| kind.to_string();
        let (goes, throughput) = (volume.delete_on_termination, volume.provisioned_throughput());
        compare("size", Some(gib(volume.size_gib)), image.size_gib.map(gib));
        compare("type", Some(kind(&volume.volume_type)), image.volume_type.as_ref().map(kind));
        compare("IOPS", number(volume.provisioned_iops()), number(image.iops));
        compare("throughput", number(throughput), number(image.throughput));
        let image_goes = image.delete_on_termination.map(|goes| goes.to_string());
        compare("DeleteOnTermination", Some(goes.to_string()), image_goes);
        let encrypted = Some(encryption(volume.encrypted));
        compare("encryption", encrypted, image.encrypted.map(encryption));
    }
}
