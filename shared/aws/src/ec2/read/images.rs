//! DescribeImages: the images of this account, disabled ones too; and, for the sources of machines,
//! also images of others.

use std::collections::BTreeMap;

use afterimage_core::ids::{AmiId, InstanceId, Region, SnapshotId};
use afterimage_core::names::TAG_POINT;
use afterimage_core::observed::{Attributes, Complete, ImageState, ObservedDevice, ObservedImage};
use afterimage_core::slot::PointId;
use aws_sdk_ec2::types::{self, Filter};

use super::wire::{self, Odd, word};
use super::{FILTER_VALUES_MAX, PAGE, filter, literally};
use crate::ec2::Ec2;
use crate::error::Failure;
use crate::log;

/// The owners whose images are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Us,
    Anybody,
}

impl Ec2 {
    /// Returns the images with these ids that this account has.
    ///
    /// # Errors
    /// EC2 did not answer.
    pub async fn images(
        &self,
        region: &Region,
        ids: &[AmiId],
    ) -> Result<BTreeMap<AmiId, ObservedImage>, Failure> {
        let found = self.images_by("image-id", region, &texts(ids)).await?;
        Ok(found.into_iter().map(|image| (image.id.clone(), image)).collect())
    }

    /// Returns all images that this account has.
    ///
    /// # Errors
    /// EC2 did not answer.
    pub async fn images_owned(&self, region: &Region) -> Result<Complete<ObservedImage>, Failure> {
        let wires = self.described_images(region, Owner::Us, None).await?;
        Ok(Complete(wire::readable("image", wires, image)))
    }

    /// Returns the images that carry our tag.
    ///
    /// # Errors
    /// EC2 did not answer.
    pub async fn images_tagged(&self, region: &Region) -> Result<Complete<ObservedImage>, Failure> {
        Ok(Complete(self.images_by("tag-key", region, &[TAG_POINT.to_string()]).await?))
    }

    /// Returns the images that carry the tag of one of these points.
    ///
    /// # Errors
    /// EC2 did not answer.
    pub async fn images_of_points(
        &self,
        region: &Region,
        points: &[PointId],
    ) -> Result<Complete<ObservedImage>, Failure> {
        let points: Vec<String> = points.iter().map(|point| literally(point.as_str())).collect();
        let tag = format!("tag:{TAG_POINT}");
        Ok(Complete(self.images_by(&tag, region, &points).await?))
    }

    /// Returns the images that have one of these names.
    ///
    /// # Errors
    /// EC2 did not answer.
    pub async fn images_named(
        &self,
        region: &Region,
        names: &[String],
    ) -> Result<Complete<ObservedImage>, Failure> {
        let names: Vec<String> = names.iter().map(|name| literally(name)).collect();
        Ok(Complete(self.images_by("name", region, &names).await?))
    }

    /// Returns the variables of the UEFI firmware of images, of those that can be asked.
    pub async fn uefi_data_of_images(
        &self,
        region: &Region,
        images: Vec<AmiId>,
    ) -> BTreeMap<AmiId, Option<String>> {
        let mut all = BTreeMap::new();
        for image in images {
            if let Some(data) = self.uefi_data_of_image(region, &image).await {
                all.insert(image, data);
            }
        }
        all
    }

    /// Returns the variables of the UEFI firmware of an image; none if EC2 does not tell. The
    /// answer is only compared, so that no image has to wait for it.
    async fn uefi_data_of_image(&self, region: &Region, image: &AmiId) -> Option<Option<String>> {
        let reading = self.reading("DescribeImageAttribute", region);
        reading.turn().await;
        let call = self.client(region).describe_image_attribute().image_id(image.as_str());
        match call.attribute(types::ImageAttributeName::UefiData).send().await {
            Ok(answer) => {
                let data = answer.uefi_data.and_then(|data| data.value);
                Some(data.filter(|data| !data.is_empty()))
            }
            Err(error) => {
                log::failure(&reading.failed(error));
                None
            }
        }
    }

    async fn images_by(
        &self,
        name: &str,
        region: &Region,
        values: &[String],
    ) -> Result<Vec<ObservedImage>, Failure> {
        let mut found = Vec::new();
        for values in values.chunks(FILTER_VALUES_MAX) {
            let wanted = Some(filter(name, values));
            let wires = self.described_images(region, Owner::Us, wanted).await?;
            found.extend(wire::readable("image", wires, image));
        }
        Ok(found)
    }

    pub(super) async fn described_images(
        &self,
        region: &Region,
        owner: Owner,
        filter: Option<Filter>,
    ) -> Result<Vec<types::Image>, Failure> {
        let reading = self.reading("DescribeImages", region);
        let call = self.client(region).describe_images();
        let call =
            call.set_filters(filter.map(|one| vec![one])).include_disabled(true).max_results(PAGE);
        let call = match owner {
            Owner::Us => call.owners("self"),
            Owner::Anybody => call.include_deprecated(true),
        };
        let pages = reading.pages(call.into_paginator().send()).await?;
        Ok(pages.into_iter().flat_map(|page| page.images).flatten().collect())
    }
}

fn texts(ids: &[AmiId]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

fn image(wire: &types::Image) -> Result<ObservedImage, Odd> {
    let reason = wire.state_reason();
    let message = reason.and_then(|reason| reason.message().or(reason.code()));
    let disks = wire.block_device_mappings().iter().filter_map(|device| device.ebs());
    let snapshots = disks.filter_map(|disk| SnapshotId::parse(disk.snapshot_id()?).ok());
    Ok(ObservedImage {
        id: AmiId::parse(wire::need(wire.image_id(), "id")?)?,
        name: wire.name().unwrap_or_default().to_string(),
        state: state_of(wire.state()),
        message: message.filter(|text| !text.is_empty()).map(str::to_string),
        created_at: wire.creation_date().and_then(|date| date.parse().ok()),
        snapshots: snapshots.collect(),
        devices: wire.block_device_mappings().iter().filter_map(device).collect(),
        attributes: attributes(wire),
        source: source_of(wire),
        tags: wire::tags(wire.tags()),
    })
}

fn device(wire: &types::BlockDeviceMapping) -> Option<ObservedDevice> {
    let disk = wire.ebs()?;
    Some(ObservedDevice {
        name: wire.device_name()?.to_string(),
        snapshot: disk.snapshot_id().and_then(|id| SnapshotId::parse(id).ok()),
        size_gib: disk.volume_size(),
        volume_type: disk.volume_type().map(|kind| kind.as_str().into()),
        iops: disk.iops(),
        throughput: disk.throughput(),
        delete_on_termination: disk.delete_on_termination(),
        encrypted: disk.encrypted(),
    })
}

fn attributes(wire: &types::Image) -> Attributes {
    let codes = wire.product_codes().iter();
    Attributes {
        architecture: word(wire.architecture().map(|architecture| architecture.as_str())),
        virtualization: word(wire.virtualization_type().map(|kind| kind.as_str())),
        root_device: word(wire.root_device_name()),
        root_device_type: word(wire.root_device_type().map(|kind| kind.as_str())),
        ena: wire.ena_support().unwrap_or(false),
        sriov: word(wire.sriov_net_support()),
        boot_mode: word(wire.boot_mode().map(|mode| mode.as_str())),
        tpm: word(wire.tpm_support().map(|tpm| tpm.as_str())),
        imds: word(wire.imds_support().map(|imds| imds.as_str())),
        usage_operation: word(wire.usage_operation()),
        platform: word(wire.platform_details()),
        product_codes: codes.filter_map(|code| word(code.product_code_id())).collect(),
        instance_store: instance_store(wire),
        source_instance: wire.source_instance_id().and_then(|id| InstanceId::parse(id).ok()),
    }
}

/// Returns the volumes of the instance store that an image maps, by device.
pub(super) fn instance_store(wire: &types::Image) -> BTreeMap<String, String> {
    let mapped = wire.block_device_mappings().iter();
    let named = mapped.filter_map(|device| Some((device.device_name()?, device.virtual_name()?)));
    named.map(|(device, name)| (device.to_string(), name.to_string())).collect()
}

fn source_of(wire: &types::Image) -> Option<(Region, AmiId)> {
    let region = Region::parse(wire.source_image_region()?).ok()?;
    Some((region, AmiId::parse(wire.source_image_id()?).ok()?))
}

fn state_of(state: Option<&types::ImageState>) -> ImageState {
    match state {
        Some(types::ImageState::Pending) => ImageState::Pending,
        Some(types::ImageState::Available) => ImageState::Available,
        Some(types::ImageState::Failed | types::ImageState::Error) => ImageState::Failed,
        Some(types::ImageState::Disabled) => ImageState::Disabled,
        Some(types::ImageState::Deregistered) => ImageState::Deregistered,
        _ => ImageState::Other,
    }
}
