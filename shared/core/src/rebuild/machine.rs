//! The attributes of a machine that can be told by the image that was made of it.

use std::collections::BTreeMap;

use super::found::Labelled;
use super::home::Set;
use crate::ids::VolumeId;
use crate::machine::{Build, Instance, Machine, Volume};
use crate::observed::{ObservedDevice, ObservedImage, ObservedSnapshot};
use crate::tags::read::Label;

/// The machine that an image was made of; none if the image does not show what every image has.
pub(super) fn of_image(image: &Labelled<ObservedImage>, set: &Set) -> Option<Machine> {
    machine(image, |device| {
        let of_device = |(_, snapshot): &(&VolumeId, &&ObservedSnapshot)| {
            Some(&snapshot.id) == device.snapshot.as_ref()
        };
        set.iter().find(of_device).map(|(id, snapshot)| (id.clone(), *snapshot))
    })
}

/// The machine that an image was made of, by a copy of it and by the snapshots that it was made of.
pub(super) fn of_copy(copy: &Labelled<ObservedImage>, label: &Label, set: &Set) -> Option<Machine> {
    machine(copy, |device| {
        let id = label.devices.get(&device.name)?;
        set.get(id).map(|snapshot| (id.clone(), *snapshot))
    })
}

fn machine<'a>(
    image: &Labelled<ObservedImage>,
    of: impl Fn(&ObservedDevice) -> Option<(VolumeId, &'a ObservedSnapshot)>,
) -> Option<Machine> {
    let Labelled { seen, label, .. } = image;
    let attributes = &seen.attributes;
    let build = Build {
        image: label.machine.image.clone(),
        architecture: attributes.architecture.clone()?,
        virtualization: attributes.virtualization.clone()?,
        root_device_type: attributes.root_device_type.clone()?,
        root_device: attributes.root_device.clone()?,
        ena: attributes.ena,
        sriov: attributes.sriov.clone(),
        boot_mode: attributes.boot_mode.clone(),
        tpm: attributes.tpm.clone(),
        imds: attributes.imds.clone(),
        uefi_data: None,
        instance_store: attributes.instance_store.clone(),
        usage_operation: attributes.usage_operation.clone().unwrap_or_default(),
        platform: attributes.platform.clone(),
        product_codes: attributes.product_codes.clone(),
        // An image is registered of snapshots only where the source image could be read.
        image_readable: attributes.source_instance.is_none(),
    };
    let mut devices: Vec<&ObservedDevice> = seen.devices.iter().collect();
    devices.sort_by_key(|device| &device.name);
    let volumes: Option<Vec<Volume>> =
        devices.into_iter().map(|device| volume(device, of(device)?)).collect();
    let (instance, left_out) = (instance(label), Vec::new());
    Some(Machine { instance, build, volumes: volumes?, left_out })
}

fn instance(label: &Label) -> Instance {
    let run = &label.machine;
    Instance {
        id: label.slot.instance.clone(),
        region: label.home.clone(),
        state: run.state,
        launched: run.launched,
        hibernated: run.hibernated,
        instance_type: run.instance_type.clone(),
        spot: run.spot,
        tags: label.others.clone(),
    }
}

fn volume(
    device: &ObservedDevice,
    (id, snapshot): (VolumeId, &ObservedSnapshot),
) -> Option<Volume> {
    Some(Volume {
        id,
        device: device.name.clone(),
        size_gib: device.size_gib?,
        volume_type: device.volume_type.clone()?,
        iops: device.iops,
        throughput: device.throughput,
        delete_on_termination: device.delete_on_termination.unwrap_or(false),
        encrypted: device.encrypted.unwrap_or(false),
        kms_key: snapshot.kms_key.clone(),
        shared: false,
        tags: BTreeMap::new(),
    })
}
