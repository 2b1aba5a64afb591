//! The calls that make something: each says what it brought, and never fails otherwise.
//!
//! CreateSnapshots, CreateImage and RegisterImage carry no token, so each is sent once. CopyImage
//! carries ours, so that the SDK may send it again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use afterimage_core::command::{
    CopyImage, Correct, CreateImage, CreateSnapshots, Device, RegisterImage,
};
use afterimage_core::conclude::{Outcome, SnapshotSet};
use afterimage_core::ids::{AmiId, SnapshotId, VolumeId};
use aws_sdk_ec2::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_ec2::config::retry::RetryConfig;
use aws_sdk_ec2::config::timeout::TimeoutConfig;
use aws_sdk_ec2::config::{Builder, Config, ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_ec2::error::BoxError;
use aws_sdk_ec2::types::{
    ArchitectureValues, BlockDeviceMapping, BootModeValues, EbsBlockDevice, ImdsSupportValues,
    InstanceSpecification, ResourceType, SnapshotInfo, Tag, TagSpecification, TpmSupportValues,
    VolumeType,
};

use super::{CALL_TIMEOUT, Ec2, errors};

impl Ec2 {
    /// Snapshots of the volumes of a machine, of one and the same moment.
    pub async fn create_snapshots(&self, wanted: &CreateSnapshots) -> Outcome<SnapshotSet> {
        let without = wanted.without.iter().map(ToString::to_string).collect::<Vec<_>>();
        let instance = InstanceSpecification::builder()
            .instance_id(wanted.instance.as_str())
            .set_exclude_boot_volume(wanted.without_root.then_some(true))
            .set_exclude_data_volume_ids((!without.is_empty()).then_some(without));
        let sent = Sent::default();
        let answer = self
            .client(&wanted.region)
            .create_snapshots()
            .instance_specification(instance.build())
            .description(&wanted.description)
            .set_tag_specifications(tags_for(&[ResourceType::Snapshot], &wanted.tags))
            .customize()
            .config_override(once(&sent))
            .send()
            .await;
        match answer {
            Ok(made) => snapshot_set(made.snapshots()),
            Err(error) => errors::of_failed(&error, sent.count()),
        }
    }

    /// An image of a machine, and a snapshot of each of its volumes. Whether a volume goes with its
    /// machine is taken over from the machine: to say it again, a volume that has just been taken
    /// off would have to be there.
    pub async fn create_image(&self, wanted: &CreateImage) -> Outcome<AmiId> {
        let without: Vec<BlockDeviceMapping> = wanted.without.iter().map(no_device).collect();
        let tags = [
            tags_for(&[ResourceType::Image], &wanted.tags),
            tags_for(&[ResourceType::Snapshot], &wanted.snapshot_tags),
        ];
        let tags: Vec<TagSpecification> = tags.into_iter().flatten().flatten().collect();
        let sent = Sent::default();
        let answer = self
            .client(&wanted.region)
            .create_image()
            .instance_id(wanted.instance.as_str())
            .name(&wanted.name)
            .description(&wanted.description)
            // Without it, EC2 would take the machine down.
            .no_reboot(!wanted.reboot)
            .set_block_device_mappings((!without.is_empty()).then_some(without))
            .set_tag_specifications((!tags.is_empty()).then_some(tags))
            .customize()
            .config_override(once(&sent))
            .send()
            .await;
        match answer {
            Ok(made) => image(made.image_id()),
            Err(error) => errors::of_failed(&error, sent.count()),
        }
    }

    /// An image of snapshots that are complete.
    pub async fn register_image(&self, wanted: &RegisterImage) -> Outcome<AmiId> {
        let devices = wanted.devices.iter().map(device).collect();
        let sent = Sent::default();
        let answer = self
            .client(&wanted.region)
            .register_image()
            .name(&wanted.name)
            .description(&wanted.description)
            .architecture(ArchitectureValues::from(wanted.architecture.as_str()))
            // Without it, the image would be paravirtual.
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

    /// A copy of an image, made in the region where it is to be.
    pub async fn copy_image(&self, wanted: &CopyImage) -> Outcome<AmiId> {
        let kinds = [ResourceType::Image, ResourceType::Snapshot];
        let sent = Sent::default();
        let answer = self
            .client(&wanted.region)
            .copy_image()
            .client_token(&wanted.token)
            .source_region(wanted.source_region.as_str())
            .source_image_id(wanted.source.as_str())
            .name(&wanted.name)
            .description(&wanted.description)
            .set_encrypted(wanted.kms_key.as_ref().map(|_| true))
            .set_kms_key_id(wanted.kms_key.clone())
            .set_tag_specifications(tags_for(&kinds, &wanted.tags))
            .customize()
            .config_override(in_time(&sent))
            .send()
            .await;
        match answer {
            Ok(made) => image(made.image_id()),
            Err(error) => errors::of_failed(&error, sent.count()),
        }
    }
}

impl Ec2 {
    /// Tags on what is there already. To say the same twice is to say it once, so that the SDK may
    /// send it again.
    pub async fn create_tags(&self, wanted: &Correct) -> Outcome<()> {
        let sent = Sent::default();
        let answer = self
            .client(&wanted.region)
            .create_tags()
            .set_resources(Some(wanted.artefacts.clone()))
            .set_tags(Some(wire_tags(&wanted.tags)))
            .customize()
            .config_override(in_time(&sent))
            .send()
            .await;
        match answer {
            Ok(_) => Outcome::Made(()),
            Err(error) => errors::of_failed(&error, sent.count()),
        }
    }
}

/// Counts how often a call has gone out, which tells what its end can mean.
#[derive(Clone, Debug, Default)]
pub(super) struct Sent(Arc<AtomicU32>);

impl Sent {
    pub(super) fn count(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for Sent {
    fn name(&self) -> &'static str {
        "Sent"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// How a call is made that has to be over in time.
pub(super) fn in_time(sent: &Sent) -> Builder {
    let timeouts = TimeoutConfig::builder().operation_timeout(CALL_TIMEOUT.unsigned_abs());
    Config::builder().timeout_config(timeouts.build()).interceptor(sent.clone())
}

/// How a call is made that makes another of the same each time it is sent.
fn once(sent: &Sent) -> Builder {
    in_time(sent).retry_config(RetryConfig::disabled())
}

fn snapshot_set(made: &[SnapshotInfo]) -> Outcome<SnapshotSet> {
    let pair = |snapshot: &SnapshotInfo| {
        let volume = VolumeId::parse(snapshot.volume_id()?).ok()?;
        Some((volume, SnapshotId::parse(snapshot.snapshot_id()?).ok()?))
    };
    match made.iter().map(pair).collect::<Option<SnapshotSet>>() {
        Some(set) if !set.is_empty() => Outcome::Made(set),
        _ => errors::of_unreadable("snapshots by their volumes"),
    }
}

fn image(id: Option<&str>) -> Outcome<AmiId> {
    let id = id.and_then(|id| AmiId::parse(id).ok());
    id.map_or_else(|| errors::of_unreadable("image"), Outcome::Made)
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

fn no_device(device: &String) -> BlockDeviceMapping {
    BlockDeviceMapping::builder().device_name(device).no_device("").build()
}

fn wire_tags(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// The same tags for all kinds of what a call makes; no tags are no specification, which EC2 wants
/// to have some.
fn tags_for(
    kinds: &[ResourceType],
    tags: &BTreeMap<String, String>,
) -> Option<Vec<TagSpecification>> {
    if tags.is_empty() {
        return None;
    }
    let tags = wire_tags(tags);
    let of = |kind: &ResourceType| {
        let tags = Some(tags.clone());
        TagSpecification::builder().resource_type(kind.clone()).set_tags(tags).build()
    };
    Some(kinds.iter().map(of).collect())
}
