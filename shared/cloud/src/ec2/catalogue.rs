//! The public images that every region has without anybody making them: Amazon Linux, Ubuntu,
//! Windows, Red Hat, SUSE, one of the Marketplace, and two old kinds that some accounts still run.
//!
//! As at AWS, the same image has another id in each region, and the snapshots behind the images of
//! `amazon` are public while those of the Marketplace are not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use super::state::{
    BlockDevice, EbsDevice, Image, ImageState, Origin, Platform, ProductCode, Protection, Snapshot,
    SnapshotState,
};
use crate::kernel::regions::REGIONS;
use crate::kernel::scope::Scope;
use crate::kernel::time::Time;
use crate::kernel::{hash, ids};

const AMAZON: &str = "amazon";
const MARKETPLACE: &str = "aws-marketplace";

const AMAZON_LINUX_OWNER: &str = "137112412989";
const UBUNTU_OWNER: &str = "099720109477";
const WINDOWS_OWNER: &str = "801119661308";
const RED_HAT_OWNER: &str = "309956199498";
const SUSE_OWNER: &str = "013907871322";
const MARKETPLACE_OWNER: &str = "679593333241";

/// 2025-12-30T00:00:00Z: before any world begins, so that no image comes from the future.
const MADE_AT: Time = Time::from_secs(1_767_052_800);

/// An image of the catalogue, before it has ids.
struct Offer {
    name: &'static str,
    owner: &'static str,
    alias: &'static str,
    description: &'static str,
    platform: Platform,
    disks: Vec<Disk>,
    /// Devices of the instance store: device and virtual name.
    ephemeral: Vec<(&'static str, &'static str)>,
}

struct Disk {
    device: &'static str,
    size_gib: u32,
    volume_type: &'static str,
}

/// A public snapshot with the account that owns it.
#[derive(Clone, Debug)]
pub struct PublicSnapshot {
    pub owner: String,
    pub owner_alias: Option<String>,
    pub snapshot: Snapshot,
}

/// The public images of a region, by owner and id.
pub type Public = BTreeMap<Scope, BTreeMap<String, Image>>;

/// They are the same in every world, and looked at by nearly every call about images.
static PUBLIC: LazyLock<BTreeMap<&'static str, Public>> = LazyLock::new(|| {
    let by_region = REGIONS.iter().map(|(region, _)| (*region, public_of(region)));
    by_region.collect()
});

fn public_of(region: &str) -> Public {
    let mut public = Public::new();
    for offer in offers() {
        let image = image(region, offer);
        let owned = public.entry(Scope::new(&image.owner, region)).or_default();
        owned.insert(image.id.clone(), image);
    }
    public
}

/// The public images of a region, by owner and id; none where there is no region.
pub fn public(region: &str) -> &'static Public {
    static NONE: Public = Public::new();
    PUBLIC.get(region).unwrap_or(&NONE)
}

/// All public images of a region, in no particular order.
pub fn images(region: &str) -> impl Iterator<Item = &'static Image> {
    public(region).values().flat_map(BTreeMap::values)
}

pub fn image_of_id(region: &str, id: &str) -> Option<&'static Image> {
    public(region).values().find_map(|images| images.get(id))
}

pub fn image_of_name(region: &str, name: &str) -> Option<&'static Image> {
    images(region).find(|image| image.name == name)
}

/// The public snapshots of a region: those behind the images whose owner goes by `amazon`.
pub fn snapshots(region: &str) -> Vec<PublicSnapshot> {
    let public = images(region).filter(|image| image.owner_alias.as_deref() == Some(AMAZON));
    public.flat_map(backing).collect()
}

/// The snapshots behind one image of the catalogue, public or not.
pub fn backing(image: &Image) -> Vec<PublicSnapshot> {
    let devices = image.devices.iter().filter_map(|device| device.ebs.as_ref());
    let snapshots = devices.filter_map(|ebs| {
        let id = ebs.snapshot_id.clone()?;
        Some(PublicSnapshot {
            owner: image.owner.clone(),
            owner_alias: image.owner_alias.clone(),
            snapshot: snapshot(image, id, ebs.size_gib),
        })
    });
    snapshots.collect()
}

fn image(region: &str, offer: Offer) -> Image {
    let mut platform = offer.platform;
    if platform.virtualization == "paravirtual" {
        platform.kernel_id = Some(format!("aki-{:08x}", hash::of_texts(&[region, "kernel"]) >> 32));
    }
    let mut devices: Vec<BlockDevice> = Vec::new();
    for disk in offer.disks {
        let ebs = EbsDevice {
            snapshot_id: Some(ids::fixed("snap", &[region, offer.name, disk.device])),
            size_gib: disk.size_gib,
            volume_type: disk.volume_type.to_string(),
            iops: (disk.volume_type == "gp3").then_some(3000),
            throughput: (disk.volume_type == "gp3").then_some(125),
            delete_on_termination: true,
            encrypted: false,
        };
        let device = disk.device.to_string();
        devices.push(BlockDevice { device, virtual_name: None, ebs: Some(ebs) });
    }
    for (device, virtual_name) in offer.ephemeral {
        let (device, virtual_name) = (device.to_string(), Some(virtual_name.to_string()));
        devices.push(BlockDevice { device, virtual_name, ebs: None });
    }
    Image {
        id: ids::fixed("ami", &[region, offer.name]),
        name: offer.name.to_string(),
        owner: offer.owner.to_string(),
        owner_alias: Some(offer.alias.to_string()),
        description: offer.description.to_string(),
        state: ImageState::Available,
        reason: None,
        created_at: MADE_AT,
        platform,
        devices,
        tags: BTreeMap::new(),
        public: true,
        launch_permissions: BTreeSet::new(),
        deprecation_time: None,
        protection: Protection::Off,
        source_instance_id: None,
        source_image_id: None,
        source_image_region: None,
        last_launched_at: None,
        visible_at: MADE_AT,
        request_id: String::new(),
    }
}

fn snapshot(image: &Image, id: String, size_gib: u32) -> Snapshot {
    Snapshot {
        volume_id: "vol-ffffffff".to_string(),
        state: SnapshotState::Completed,
        status_message: String::new(),
        started_at: MADE_AT,
        completes_at: MADE_AT,
        description: format!("The disk of {}", image.name),
        size_gib,
        kms_key: None,
        tags: BTreeMap::new(),
        tier: "standard".to_string(),
        lineage: id.clone(),
        incremental: false,
        origin: Origin::Single,
        lock: None,
        volume_permissions: BTreeSet::new(),
        public: image.owner_alias.as_deref() == Some(AMAZON),
        product_codes: image.platform.product_codes.clone(),
        billing: None,
        transfer_type: None,
        completion_minutes: None,
        visible_at: MADE_AT,
        in_use_until: None,
        deleted_while_pending: false,
        request_id: String::new(),
        id,
    }
}

fn offers() -> Vec<Offer> {
    let mut offers = linux_offers();
    offers.extend(windows_offers());
    offers.extend(billed_offers());
    offers.extend(old_offers());
    offers
}

/// What today's Linux images have in common.
fn linux(architecture: &str, root: &str) -> Platform {
    Platform {
        architecture: architecture.to_string(),
        virtualization: "hvm".to_string(),
        root_device_name: Some(root.to_string()),
        root_device_type: "ebs".to_string(),
        ena: true,
        sriov: Some("simple".to_string()),
        boot_mode: Some("uefi-preferred".to_string()),
        platform_details: "Linux/UNIX".to_string(),
        usage_operation: "RunInstances".to_string(),
        ..Platform::default()
    }
}

fn disk(device: &'static str, size_gib: u32, volume_type: &'static str) -> Disk {
    Disk { device, size_gib, volume_type }
}

fn linux_offers() -> Vec<Offer> {
    let imds = Some("v2.0".to_string());
    vec![
        Offer {
            name: "al2023-ami-2023.6.20260101.0-kernel-6.1-x86_64",
            owner: AMAZON_LINUX_OWNER,
            alias: AMAZON,
            description: "Amazon Linux 2023 AMI 2023.6.20260101.0 x86_64 HVM kernel-6.1",
            platform: Platform { imds: imds.clone(), ..linux("x86_64", "/dev/xvda") },
            disks: vec![disk("/dev/xvda", 8, "gp3")],
            ephemeral: vec![],
        },
        Offer {
            name: "al2023-ami-2023.6.20260101.0-kernel-6.1-arm64",
            owner: AMAZON_LINUX_OWNER,
            alias: AMAZON,
            description: "Amazon Linux 2023 AMI 2023.6.20260101.0 arm64 HVM kernel-6.1",
            platform: Platform {
                imds,
                boot_mode: Some("uefi".to_string()),
                ..linux("arm64", "/dev/xvda")
            },
            disks: vec![disk("/dev/xvda", 8, "gp3")],
            ephemeral: vec![],
        },
        Offer {
            name: "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20260101",
            owner: UBUNTU_OWNER,
            alias: AMAZON,
            description: "Canonical, Ubuntu, 24.04, amd64 noble image",
            platform: linux("x86_64", "/dev/sda1"),
            disks: vec![disk("/dev/sda1", 8, "gp3")],
            ephemeral: vec![("/dev/sdb", "ephemeral0"), ("/dev/sdc", "ephemeral1")],
        },
    ]
}

fn windows_offers() -> Vec<Offer> {
    let windows = Platform {
        platform: Some("windows".to_string()),
        platform_details: "Windows".to_string(),
        usage_operation: "RunInstances:0002".to_string(),
        boot_mode: Some("legacy-bios".to_string()),
        ..linux("x86_64", "/dev/sda1")
    };
    let with_tpm = Platform {
        boot_mode: Some("uefi".to_string()),
        tpm: Some("v2.0".to_string()),
        ..windows.clone()
    };
    vec![
        Offer {
            name: "Windows_Server-2022-English-Full-Base-2026.01.01",
            owner: WINDOWS_OWNER,
            alias: AMAZON,
            description: "Microsoft Windows Server 2022 Full Locale English AMI provided by Amazon",
            platform: windows,
            disks: vec![disk("/dev/sda1", 30, "gp2")],
            ephemeral: vec![],
        },
        Offer {
            name: "TPM-Windows_Server-2022-English-Full-Base-2026.01.01",
            owner: WINDOWS_OWNER,
            alias: AMAZON,
            description: "Microsoft Windows Server 2022 Full Locale English with NitroTPM",
            platform: with_tpm,
            disks: vec![disk("/dev/sda1", 30, "gp2")],
            ephemeral: vec![],
        },
    ]
}

/// Linux images with a price of their own.
fn billed_offers() -> Vec<Offer> {
    let billed = |details: &str, operation: &str| Platform {
        platform_details: details.to_string(),
        usage_operation: operation.to_string(),
        ..linux("x86_64", "/dev/sda1")
    };
    let code = ProductCode {
        id: "4t5jk2pxh1rz9qwm8c7vbn6ad".to_string(),
        kind: "marketplace".to_string(),
    };
    vec![
        Offer {
            name: "RHEL-9.4.0_HVM-20260101-x86_64-0-Hourly2-GP3",
            owner: RED_HAT_OWNER,
            alias: AMAZON,
            description: "Provided by Red Hat, Inc.",
            platform: billed("Red Hat Enterprise Linux", "RunInstances:0010"),
            disks: vec![disk("/dev/sda1", 10, "gp3")],
            ephemeral: vec![],
        },
        Offer {
            name: "suse-sles-15-sp6-v20260101-hvm-ssd-x86_64",
            owner: SUSE_OWNER,
            alias: AMAZON,
            description: "SUSE Linux Enterprise Server 15 SP6 (HVM, 64-bit)",
            platform: billed("SUSE Linux", "RunInstances:000g"),
            disks: vec![disk("/dev/sda1", 10, "gp3")],
            ephemeral: vec![],
        },
        Offer {
            name: "acme-firewall-7.1-x86_64-marketplace",
            owner: MARKETPLACE_OWNER,
            alias: MARKETPLACE,
            description: "Acme Firewall 7.1",
            platform: Platform {
                product_codes: vec![code],
                boot_mode: Some("legacy-bios".to_string()),
                ..linux("x86_64", "/dev/xvda")
            },
            disks: vec![disk("/dev/xvda", 20, "gp3"), disk("/dev/sdb", 50, "gp3")],
            ephemeral: vec![],
        },
    ]
}

fn old_offers() -> Vec<Offer> {
    let paravirtual = Platform {
        virtualization: "paravirtual".to_string(),
        ena: false,
        sriov: None,
        boot_mode: None,
        ..linux("x86_64", "/dev/sda1")
    };
    let instance_store = Platform {
        root_device_type: "instance-store".to_string(),
        boot_mode: None,
        ..linux("x86_64", "/dev/xvda")
    };
    vec![
        Offer {
            name: "amzn-ami-pv-2018.03.0.20181129-x86_64-ebs",
            owner: AMAZON_LINUX_OWNER,
            alias: AMAZON,
            description: "Amazon Linux AMI 2018.03.0.20181129 x86_64 PV EBS",
            platform: paravirtual,
            disks: vec![disk("/dev/sda1", 8, "standard")],
            ephemeral: vec![],
        },
        Offer {
            name: "amzn-ami-hvm-2018.03.0.20181129-x86_64-s3",
            owner: AMAZON_LINUX_OWNER,
            alias: AMAZON,
            description: "Amazon Linux AMI 2018.03.0.20181129 x86_64 HVM S3",
            platform: instance_store,
            disks: vec![],
            ephemeral: vec![],
        },
    ]
}
