//! RegisterImage. EC2 takes no token for this call, so it is sent once.

use afterimage_core::call::register_image::Device;
use afterimage_core::call::{Outcome, RegisterImage};
use afterimage_core::ids::AmiId;
use aws_sdk_ec2::types::{
    ArchitectureValues, BlockDeviceMapping, BootModeValues, EbsBlockDevice, ImdsSupportValues,
    ResourceType, TpmSupportValues, VolumeType,
};

use super::sending::{Sent, once};
use super::wire::{image, tags_for};
use crate::ec2::{Ec2, errors};

impl Ec2 {
    /// Registers an image of snapshots that are complete.
    pub async fn register_image(&self, wanted: &RegisterImage) -> Outcome<AmiId> {
        let store = wanted.instance_store.iter().map(|(device, name)| {
            BlockDeviceMapping::builder().device_name(device).virtual_name(name).build()
        });
        let devices = wanted.devices.iter().map(device).chain(store).collect();
        let sent = Sent::default();
        let answer = self
            .client(&wanted.region)
            .register_image()
            .name(&wanted.name)
            .description(&wanted.description)
            .architecture(ArchitectureValues::from(wanted.architecture.as_str()))
            // By default the image would be paravirtual.
            .virtualization_type("hvm")
            .root_device_name(&wanted.root_device)
            .ena_support(wanted.ena)
            .set_sriov_net_support(wanted.sriov.clone())
            .set_boot_mode(wanted.boot_mode.as_deref().map(BootModeValues::from))
            .set_tpm_support(wanted.tpm.as_deref().map(TpmSupportValues::from))
            .set_imds_support(wanted.imds.as_deref().map(ImdsSupportValues::from))
            .set_uefi_data(wanted.uefi_data.clone())
            .set_block_device_mappings(Some(devices))
            .set_tag_specifications(tags_for(&[ResourceType::Image], &wanted.tags))
            .customize()
            .config_override(once(&sent))
            .send()
            .await;
        match answer {
            Ok(made) => image(made.image_id()),
            Err(error) => errors::of_failed(&error, sent.count()),
        }
    }
}

fn device(device: &Device) -> BlockDeviceMapping {
    let disk = EbsBlockDevice::builder()
        .snapshot_id(device.snapshot.as_str())
        .volume_size(device.size_gib)
        .volume_type(VolumeType::from(device.volume_type.as_str()))
        .set_iops(device.iops)
        .set_throughput(device.throughput)
        .delete_on_termination(device.delete_on_termination);
    BlockDeviceMapping::builder().device_name(&device.name).ebs(disk.build()).build()
}
