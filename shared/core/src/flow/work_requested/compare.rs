//! Is the image what the machine is? Attribute by attribute, as it turned out.
//!
//! What RegisterImage is told and what CreateImage takes over is one thing, what EC2 then shows is
//! another: whoever launches from the image gets what it shows. Some differences mean that it would
//! not boot, or would run without its licence; of those no point is made. Of the others a person
//! should know.

use crate::machine::{Machine, Volume};
use crate::observed::{Attributes, ObservedDevice, ObservedImage};

/// Something in which an image is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    pub text: String,
    pub weight: Weight,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// It boots, and is billed as it should be.
    Told,
    /// It has not the disks that the machine had, or not all of them.
    Disks,
    /// It would not boot.
    Boot,
    /// It would run without what it was billed for.
    Billing,
}

/// In what an image is not what its machine is. `uefi_data` is what the image has of it, where that
/// could be asked.
pub(super) fn with_machine(
    machine: &Machine,
    image: &ObservedImage,
    uefi_data: Option<&Option<String>>,
) -> Vec<Difference> {
    let build = &machine.build;
    let wanted = Attributes {
        architecture: Some(build.architecture.clone()),
        virtualization: Some(build.virtualization.clone()),
        root_device: Some(build.root_device.clone()),
        root_device_type: Some(build.root_device_type.clone()),
        ena: build.ena,
        sriov: build.sriov.clone(),
        boot_mode: build.boot_mode.clone(),
        tpm: build.tpm.clone(),
        imds: build.imds.clone(),
        usage_operation: Some(build.usage_operation.clone()).filter(|text| !text.is_empty()),
        platform: build.platform.clone(),
        product_codes: build.product_codes.clone(),
        source_instance: None,
    };
    let mut found = Found::default();
    found.attributes(&wanted, &image.attributes);
    found.devices(machine, &image.devices);
    if let Some(shown) = uefi_data
        && *shown != build.uefi_data
    {
        found.add(Weight::Told, "the variables of its UEFI firmware are not the machine's".into());
    }
    found.0
}

/// The same of a copy, as far as it makes the copy of no use: with what else it lacks its source
/// was found, and told of; and a copy may have another key.
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

    /// What is wanted, and not known to be otherwise.
    fn text(&mut self, weight: Weight, what: &str, wanted: Option<&str>, is: Option<&str>) {
        if wanted.is_some() && wanted != is {
            let (wanted, is) = (wanted.unwrap_or_default(), is.unwrap_or("not told"));
            self.add(weight, format!("its {what} is {is}, and {wanted} of the machine"));
        }
    }

    fn attributes(&mut self, wanted: &Attributes, is: &Attributes) {
        let texts = [
            (Weight::Boot, "architecture", &wanted.architecture, &is.architecture),
            (Weight::Boot, "virtualization", &wanted.virtualization, &is.virtualization),
            (Weight::Boot, "root device", &wanted.root_device, &is.root_device),
            (Weight::Boot, "root device type", &wanted.root_device_type, &is.root_device_type),
            (Weight::Boot, "boot mode", &wanted.boot_mode, &is.boot_mode),
            (Weight::Billing, "usage operation", &wanted.usage_operation, &is.usage_operation),
            (Weight::Billing, "platform", &wanted.platform, &is.platform),
            (Weight::Told, "SR-IOV support", &wanted.sriov, &is.sriov),
            (Weight::Told, "TPM", &wanted.tpm, &is.tpm),
            (Weight::Told, "IMDS support", &wanted.imds, &is.imds),
        ];
        for (weight, what, wanted, is) in texts {
            self.text(weight, what, wanted.as_deref(), is.as_deref());
        }
        match (wanted.ena, is.ena) {
            (true, false) => self.add(Weight::Boot, "it is not enabled for ENA".into()),
            (false, true) => {
                self.add(Weight::Told, "it is enabled for ENA, and the machine is not".into());
            }
            (true, true) | (false, false) => {}
        }
        for code in wanted.product_codes.iter().filter(|code| !is.product_codes.contains(code)) {
            self.add(Weight::Billing, format!("it lacks product code {code}"));
        }
        for code in is.product_codes.iter().filter(|code| !wanted.product_codes.contains(code)) {
            self.add(Weight::Told, format!("it has product code {code}, and the machine has not"));
        }
    }

    fn devices(&mut self, machine: &Machine, devices: &[ObservedDevice]) {
        for volume in &machine.volumes {
            let mut named = devices.iter().filter(|device| device.name == volume.device);
            match (named.next(), named.next()) {
                (Some(device), None) => self.device(volume, device),
                (None, _) => self.add(Weight::Disks, format!("it has no {}", volume.device)),
                (Some(_), Some(_)) => {
                    self.add(Weight::Disks, format!("it has {} twice", volume.device));
                }
            }
        }
        let is_known = |name: &str| machine.volumes.iter().any(|volume| volume.device == name);
        for device in devices.iter().filter(|device| !is_known(&device.name)) {
            let text =
                format!("it has {}, which is none of the volumes that it is of", device.name);
            self.add(Weight::Disks, text);
        }
    }

    fn device(&mut self, volume: &Volume, is: &ObservedDevice) {
        let name = &volume.device;
        if is.snapshot.is_none() {
            self.add(Weight::Disks, format!("{name}: it is empty"));
        }
        let number = |number: Option<i32>| number.map(|number| number.to_string());
        let kept = |keeps: bool| if keeps { "goes with its machine" } else { "stays" }.to_string();
        let secret = |is: bool| if is { "encrypted" } else { "not encrypted" }.to_string();
        let parts = [
            ("size in GiB", Some(volume.size_gib.to_string()), number(is.size_gib)),
            ("type", Some(volume.volume_type.clone()), is.volume_type.clone()),
            ("IOPS", number(volume.provisioned_iops()), number(is.iops)),
            ("throughput", number(volume.provisioned_throughput()), number(is.throughput)),
            ("end", Some(kept(volume.delete_on_termination)), is.delete_on_termination.map(kept)),
            ("secrecy", Some(secret(volume.encrypted)), is.encrypted.map(secret)),
        ];
        for (what, wanted, is) in parts {
            if wanted.is_some() && wanted != is {
                let (wanted, is) = (wanted.unwrap_or_default(), is.unwrap_or("not told".into()));
                let text = format!("{name}: its {what} is {is}, and {wanted} of the machine");
                self.add(Weight::Told, text);
            }
        }
    }
}
