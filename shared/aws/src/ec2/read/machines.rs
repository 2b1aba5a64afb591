//! Machines with all attributes that their images need: DescribeInstances, DescribeVolumes,
//! DescribeImages of their source images, and GetInstanceUefiData.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_core::ids::{AmiId, InstanceId, Region, VolumeId};
use afterimage_core::machine::{Build, Firmware, Machine, Volume};
use aws_sdk_ec2::error::ProvideErrorMetadata;
use aws_sdk_ec2::types::{self, AttachmentStatus, InstanceBootModeValues, VolumeAttachmentState};

use super::images::{Owner, instance_store};
use super::instances::{Find, instance};
use super::wire::{self, Odd, word};
use super::{FILTER_VALUES_MAX, PAGE, filter};
use crate::ec2::{Ec2, errors};
use crate::error::Failure;
use crate::log;

/// Machines that were described.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machines {
    pub whole: BTreeMap<InstanceId, Machine>,
    /// Machines that exist, but that EC2 shows only in part just now: a volume that was just
    /// attached, or is just being detached; the variables of a machine that is just stopping; a
    /// state that we do not know.
    pub unsettled: BTreeSet<InstanceId>,
    /// Machines that were not asked for the variables of their firmware: enough others were.
    pub unasked: BTreeMap<InstanceId, Machine>,
}

/// The variables of a machine's UEFI firmware.
enum Uefi {
    Is(Option<String>),
    /// The machine cannot be asked just now.
    Unsettled,
    /// No machine can be asked just now.
    Throttled,
}

/// The volumes of machines, as they are attached.
type Volumes = BTreeMap<InstanceId, Vec<Volume>>;

impl Ec2 {
    /// Returns the machines with these ids that exist. Machines whose firmware is known are not
    /// asked for it again in the same run, and no more than `asked_max` are asked.
    ///
    /// # Errors
    /// EC2 did not answer one of the calls.
    pub async fn machines(
        &self,
        region: &Region,
        ids: &[InstanceId],
        known: &BTreeMap<InstanceId, Firmware>,
        asked_max: usize,
    ) -> Result<Machines, Failure> {
        let instances = self.described_instances(region, Find::Ids(ids)).await?;
        let volumes = self.attached_volumes(region, &instances).await?;
        let images = self.source_images(region, &instances).await?;
        let mut machines = Machines::default();
        let (mut has_to_wait, mut asked) = (false, 0_usize);
        for wire in &instances {
            let image = wire.image_id().and_then(|id| images.get(id));
            let read = || -> Result<Machine, Odd> {
                let instance = instance(wire, region)?;
                let volumes = volumes.get(&instance.id).cloned().unwrap_or_default();
                Ok(Machine { instance, build: build(wire, image)?, volumes, left_out: Vec::new() })
            };
            let Some(mut machine) = wire::readable("machine", [()], |()| read()).pop() else {
                // The machine exists, but cannot be read: it is not gone, and must not be missed.
                let id = wire.instance_id().and_then(|id| InstanceId::parse(id).ok());
                machines.unsettled.extend(id);
                continue;
            };
            // EC2 shows a machine that is gone for an hour, but only that it existed: nothing else
            // of it becomes visible.
            if machine.instance.state.is_gone() {
                machines.whole.insert(machine.instance.id.clone(), machine);
                continue;
            }
            if !shows_all(wire, &machine.volumes) {
                machines.unsettled.insert(machine.instance.id);
                continue;
            }
            if wire.current_instance_boot_mode() == Some(&InstanceBootModeValues::Uefi) {
                // Each machine costs one call. Machines with an answer must not wait until all have
                // one.
                let known = known.get(&machine.instance.id);
                let known = known.filter(|of| of.launched == machine.instance.launched);
                let data = match known {
                    Some(known) => Uefi::Is(known.uefi_data.clone()),
                    None if has_to_wait => Uefi::Unsettled,
                    None if asked >= asked_max => {
                        machines.unasked.insert(machine.instance.id.clone(), machine);
                        continue;
                    }
                    None => self.uefi_data(region, &machine.instance.id).await?,
                };
                asked += usize::from(known.is_none());
                has_to_wait |= matches!(data, Uefi::Throttled);
                match data {
                    Uefi::Is(data) => machine.build.uefi_data = data,
                    Uefi::Unsettled | Uefi::Throttled => {
                        machines.unsettled.insert(machine.instance.id);
                        continue;
                    }
                }
            }
            machines.whole.insert(machine.instance.id.clone(), machine);
        }
        Ok(machines)
    }

    async fn attached_volumes(
        &self,
        region: &Region,
        instances: &[types::Instance],
    ) -> Result<Volumes, Failure> {
        let ids: Vec<&str> = instances.iter().filter_map(|wire| wire.instance_id()).collect();
        let mut volumes = Volumes::new();
        for ids in ids.chunks(FILTER_VALUES_MAX) {
            let reading = self.reading("DescribeVolumes", region);
            let call = self.client(region).describe_volumes();
            let call = call.filters(filter("attachment.instance-id", ids)).max_results(PAGE);
            // Volumes that a service manages may be hidden, but are imaged all the same.
            let call = call.include_managed_resources(true);
            let pages = reading.pages(call.into_paginator().send()).await?;
            for volume in pages.iter().flat_map(|page| page.volumes()) {
                // One volume may be attached to several machines.
                let attached = volume
                    .attachments()
                    .iter()
                    .filter(|place| place.state() != Some(&VolumeAttachmentState::Detached));
                let read = |place: &&types::VolumeAttachment| attached_volume(volume, place);
                for (machine, volume) in wire::readable("volume", attached, read) {
                    volumes.entry(machine).or_default().push(volume);
                }
            }
        }
        for volumes in volumes.values_mut() {
            volumes.sort_by(|one, other| one.device.cmp(&other.device));
        }
        Ok(volumes)
    }

    /// Returns the images that the machines were launched from, as far as we may see them.
    async fn source_images(
        &self,
        region: &Region,
        instances: &[types::Instance],
    ) -> Result<BTreeMap<String, types::Image>, Failure> {
        let ids: BTreeSet<&str> = instances.iter().filter_map(|wire| wire.image_id()).collect();
        let ids: Vec<&str> = ids.into_iter().filter(|id| AmiId::parse(id).is_ok()).collect();
        let mut images = BTreeMap::new();
        for ids in ids.chunks(FILTER_VALUES_MAX) {
            let filter = filter("image-id", ids);
            for image in self.described_images(region, Owner::Anybody, Some(filter)).await? {
                images.extend(image.image_id.clone().map(|id| (id, image)));
            }
        }
        Ok(images)
    }

    async fn uefi_data(&self, region: &Region, instance: &InstanceId) -> Result<Uefi, Failure> {
        let reading = self.reading("GetInstanceUefiData", region);
        reading.turn().await;
        let call = self.client(region).get_instance_uefi_data().instance_id(instance.as_str());
        match call.send().await {
            Ok(answer) => Ok(Uefi::Is(answer.uefi_data.filter(|data| !data.is_empty()))),
            Err(error) => {
                let code = error.code().unwrap_or_default();
                if errors::has_no_uefi_data(code) {
                    return Ok(Uefi::Is(None));
                }
                // Only this machine is changing; the others must not wait for it.
                if errors::is_in_wrong_state(code) || errors::is_instance_gone(code) {
                    return Ok(Uefi::Unsettled);
                }
                if errors::is_throttled(code) {
                    return Ok(Uefi::Throttled);
                }
                // The others must not wait either if EC2 refuses the call for this machine, for
                // example because a policy denies it.
                let status = error.raw_response().map(|answer| answer.status().as_u16());
                let is_refused = status.is_some_and(|status| status < 500);
                let failure = reading.failed(error);
                if is_refused {
                    log::failure(&failure);
                    return Ok(Uefi::Unsettled);
                }
                Err(failure)
            }
        }
    }
}

/// Tells whether each disk that the instance says it has is among its volumes.
fn shows_all(wire: &types::Instance, volumes: &[Volume]) -> bool {
    let mut disks = wire.block_device_mappings().iter().filter_map(|device| device.ebs());
    disks.all(|disk| {
        let id = disk.volume_id().unwrap_or_default();
        disk.status() == Some(&AttachmentStatus::Detached)
            || volumes.iter().any(|volume| volume.id.as_str() == id)
    })
}

fn attached_volume(
    volume: &types::Volume,
    place: &types::VolumeAttachment,
) -> Result<(InstanceId, Volume), Odd> {
    let machine = InstanceId::parse(wire::need(place.instance_id(), "instance")?)?;
    let kind = volume.volume_type().ok_or(Odd::Missing("type"))?;
    let volume = Volume {
        id: VolumeId::parse(wire::need(volume.volume_id(), "id")?)?,
        device: wire::need(place.device(), "device")?.to_string(),
        size_gib: volume.size().ok_or(Odd::Missing("size"))?,
        volume_type: kind.as_str().into(),
        iops: volume.iops(),
        throughput: volume.throughput(),
        delete_on_termination: place.delete_on_termination().unwrap_or(false),
        encrypted: volume.encrypted().unwrap_or(false),
        kms_key: volume.kms_key_id().map(str::to_string),
        shared: volume.attachments().iter().any(|other| is_elsewhere(other, place)),
        tags: wire::tags(volume.tags()),
    };
    Ok((machine, volume))
}

/// Tells whether a volume is attached to another machine than the one of this place.
fn is_elsewhere(other: &types::VolumeAttachment, place: &types::VolumeAttachment) -> bool {
    other.state() != Some(&VolumeAttachmentState::Detached)
        && other.instance_id() != place.instance_id()
}

/// Returns the build of a machine. Attributes of the instance take precedence over those of its
/// image, because they may have been changed.
fn build(wire: &types::Instance, image: Option<&types::Image>) -> Result<Build, Odd> {
    let kind = wire.root_device_type().map(|kind| kind.as_str());
    let virtualization = wire.virtualization_type().map(|kind| kind.as_str());
    Ok(Build {
        image: AmiId::parse(wire::need(wire.image_id(), "image")?)?,
        architecture: wire
            .architecture()
            .map(|architecture| architecture.as_str().into())
            .ok_or(Odd::Missing("architecture"))?,
        virtualization: wire::need(virtualization, "virtualization type")?.into(),
        root_device_type: wire::need(kind, "root device type")?.into(),
        root_device: word(wire.root_device_name()).unwrap_or_default(),
        ena: wire.ena_support().or(image.and_then(|image| image.ena_support())).unwrap_or(false),
        sriov: word(wire.sriov_net_support())
            .or(word(image.and_then(|image| image.sriov_net_support()))),
        boot_mode: word(wire.boot_mode().map(|mode| mode.as_str()))
            .or(word(image.and_then(|image| image.boot_mode()).map(|mode| mode.as_str()))),
        tpm: word(wire.tpm_support())
            .or(word(image.and_then(|image| image.tpm_support()).map(|tpm| tpm.as_str()))),
        imds: word(image.and_then(|image| image.imds_support()).map(|imds| imds.as_str())),
        uefi_data: None,
        instance_store: image.map(instance_store).unwrap_or_default(),
        usage_operation: word(wire.usage_operation())
            .or(word(image.and_then(|image| image.usage_operation())))
            .unwrap_or_default(),
        platform: word(wire.platform_details())
            .or(word(image.and_then(|image| image.platform_details()))),
        product_codes: wire
            .product_codes()
            .iter()
            .filter_map(|code| word(code.product_code_id()))
            .collect(),
        image_readable: image.is_some(),
    })
}
