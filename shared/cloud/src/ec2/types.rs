//! The instance types of this world: a few of each sort that matters to images, since a type
//! decides which images it can boot.

use std::collections::BTreeSet;

use super::filter;
use crate::kernel::access::{Call, Tags, Want};
use crate::kernel::error::ApiError;
use crate::kernel::page::Page;
use crate::kernel::query::Fields;
use crate::kernel::xml::Xml;
use crate::model::Model;

/// An instance type, as far as images and volumes depend on it.
#[derive(Clone, Copy, Debug)]
pub struct InstanceType {
    pub name: &'static str,
    pub vcpus: u16,
    pub memory_mib: u32,
    pub family: &'static Family,
    /// Disks of the instance store: how many, and how large each is in GB.
    pub store: (u16, u32),
}

/// What the types of one family have in common.
#[derive(Debug)]
pub struct Family {
    pub architectures: &'static [&'static str],
    pub hypervisor: &'static str,
    pub virtualization: &'static [&'static str],
    pub boot_modes: &'static [&'static str],
    /// `required`, `supported` or `unsupported`.
    pub ena: &'static str,
    pub tpm: bool,
    pub hibernation: bool,
    pub current: bool,
    pub burstable: bool,
    /// EBS volumes that can be attached, with the root volume.
    pub volumes_max: usize,
}

const X86_NITRO: Family = Family {
    architectures: &["x86_64"],
    hypervisor: "nitro",
    virtualization: &["hvm"],
    boot_modes: &["legacy-bios", "uefi"],
    ena: "required",
    tpm: true,
    hibernation: true,
    current: true,
    burstable: false,
    volumes_max: 28,
};

static M5: Family = X86_NITRO;
static T3: Family = Family { burstable: true, ..X86_NITRO };
static M6G: Family = Family {
    architectures: &["arm64"],
    boot_modes: &["uefi"],
    tpm: false,
    hibernation: false,
    ..X86_NITRO
};
static T4G: Family = Family {
    architectures: &["arm64"],
    boot_modes: &["uefi"],
    tpm: false,
    burstable: true,
    ..X86_NITRO
};
static T2: Family = Family {
    architectures: &["i386", "x86_64"],
    hypervisor: "xen",
    boot_modes: &["legacy-bios"],
    ena: "unsupported",
    tpm: false,
    burstable: true,
    volumes_max: 40,
    ..X86_NITRO
};
static M4: Family = Family {
    hypervisor: "xen",
    boot_modes: &["legacy-bios"],
    ena: "unsupported",
    tpm: false,
    current: false,
    volumes_max: 40,
    ..X86_NITRO
};
static M3: Family = Family {
    virtualization: &["hvm", "paravirtual"],
    hibernation: false,
    hypervisor: "xen",
    boot_modes: &["legacy-bios"],
    ena: "unsupported",
    tpm: false,
    current: false,
    volumes_max: 40,
    ..X86_NITRO
};
static M1: Family = Family {
    architectures: &["i386", "x86_64"],
    virtualization: &["hvm", "paravirtual"],
    hibernation: false,
    hypervisor: "xen",
    boot_modes: &["legacy-bios"],
    ena: "unsupported",
    tpm: false,
    current: false,
    volumes_max: 40,
    ..X86_NITRO
};

/// Every type there is, by name.
pub static TYPES: [InstanceType; 18] = [
    of("c5d.large", &M5, 2, 4096, (1, 50)),
    of("m1.small", &M1, 1, 1740, (1, 160)),
    of("m3.medium", &M3, 1, 3840, (1, 4)),
    of("m4.large", &M4, 2, 8192, (0, 0)),
    of("m5.large", &M5, 2, 8192, (0, 0)),
    of("m5.xlarge", &M5, 4, 16_384, (0, 0)),
    of("m5d.large", &M5, 2, 8192, (1, 75)),
    of("m6g.large", &M6G, 2, 8192, (0, 0)),
    of("m6g.medium", &M6G, 1, 4096, (0, 0)),
    of("m6gd.large", &M6G, 2, 8192, (1, 118)),
    of("t2.micro", &T2, 1, 1024, (0, 0)),
    of("t3.large", &T3, 2, 8192, (0, 0)),
    of("t3.medium", &T3, 2, 4096, (0, 0)),
    of("t3.micro", &T3, 2, 1024, (0, 0)),
    of("t3.nano", &T3, 2, 512, (0, 0)),
    of("t3.small", &T3, 2, 2048, (0, 0)),
    of("t4g.micro", &T4G, 2, 1024, (0, 0)),
    of("t4g.small", &T4G, 2, 2048, (0, 0)),
];

/// What RunInstances takes if it is told no type.
pub const DEFAULT: &str = "m1.small";

const fn of(
    name: &'static str,
    family: &'static Family,
    vcpus: u16,
    memory_mib: u32,
    store: (u16, u32),
) -> InstanceType {
    InstanceType { name, vcpus, memory_mib, family, store }
}

pub fn find(name: &str) -> Option<&'static InstanceType> {
    TYPES.iter().find(|found| found.name == name)
}

/// The type of that name, or the error of RunInstances and ModifyInstanceAttribute.
pub fn required(name: &str) -> Result<&'static InstanceType, ApiError> {
    find(name).ok_or_else(|| {
        let text = format!("Invalid value '{name}' for InstanceType.");
        ApiError::bad("InvalidParameterValue", text)
    })
}

impl InstanceType {
    pub fn is_nitro(&self) -> bool {
        self.family.hypervisor == "nitro"
    }

    pub fn store_gb(&self) -> u32 {
        u32::from(self.store.0) * self.store.1
    }
}

const FILTERS: [&str; 13] = [
    "bare-metal",
    "burstable-performance-supported",
    "current-generation",
    "hibernation-supported",
    "hypervisor",
    "instance-storage-supported",
    "instance-type",
    "memory-info.size-in-mib",
    "network-info.ena-support",
    "nitro-tpm-support",
    "processor-info.supported-architecture",
    "supported-boot-mode",
    "vcpu-info.default-vcpus",
];

pub fn describe(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let names: BTreeSet<String> = filter::ids(fields, "InstanceType");
    let filters = filter::read(fields)?;
    filter::check(&filters, &FILTERS)?;
    let page = Page::read(&model.config.quirks, fields, &(5..=100), !names.is_empty())?;
    fields.finish()?;
    model.permit(call, &[Want::anywhere("ec2:DescribeInstanceTypes")])?;
    if let Some(unknown) = names.iter().find(|name| find(name).is_none()) {
        let text = format!("The following supplied instance types do not exist: [{unknown}]");
        return Err(ApiError::bad("InvalidInstanceType", text));
    }
    let chosen = TYPES.iter().filter(|kind| {
        let after = page.after.as_deref().is_none_or(|after| after < kind.name);
        after
            && (names.is_empty() || names.contains(kind.name))
            && filter::passes(&filters, &Tags::new(), |name| values(kind, name))
    });
    let (chosen, next) = page.take(chosen, |kind| kind.name);
    let mut xml = Xml::new();
    xml.list("instanceTypeSet", chosen, write);
    xml.maybe("nextToken", next);
    Ok(xml)
}

fn values(kind: &InstanceType, filter: &str) -> Vec<String> {
    let family = kind.family;
    let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
    let one = |text: &str| vec![text.to_string()];
    match filter {
        "bare-metal" => one("false"),
        "burstable-performance-supported" => one(&family.burstable.to_string()),
        "current-generation" => one(&family.current.to_string()),
        "hibernation-supported" => one(&family.hibernation.to_string()),
        "hypervisor" => one(family.hypervisor),
        "instance-storage-supported" => one(&(kind.store_gb() > 0).to_string()),
        "instance-type" => one(kind.name),
        "memory-info.size-in-mib" => one(&kind.memory_mib.to_string()),
        "network-info.ena-support" => one(family.ena),
        "nitro-tpm-support" => one(supported(family.tpm)),
        "processor-info.supported-architecture" => texts(family.architectures),
        "supported-boot-mode" => texts(family.boot_modes),
        "vcpu-info.default-vcpus" => one(&kind.vcpus.to_string()),
        _ => Vec::new(),
    }
}

const fn supported(yes: bool) -> &'static str {
    if yes { "supported" } else { "unsupported" }
}

fn items(xml: &mut Xml, name: &str, texts: &[&str]) {
    xml.node(name, |xml| {
        for text in texts {
            xml.leaf("item", text);
        }
    });
}

fn write(xml: &mut Xml, kind: &InstanceType) {
    let family = kind.family;
    xml.leaf("instanceType", kind.name);
    xml.flag("currentGeneration", family.current);
    xml.flag("freeTierEligible", matches!(kind.name, "t2.micro" | "t3.micro"));
    items(xml, "supportedUsageClasses", &["on-demand", "spot"]);
    let roots: &[&str] = if family.virtualization.contains(&"paravirtual") {
        &["ebs", "instance-store"]
    } else {
        &["ebs"]
    };
    items(xml, "supportedRootDeviceTypes", roots);
    items(xml, "supportedVirtualizationTypes", family.virtualization);
    xml.flag("bareMetal", false);
    xml.leaf("hypervisor", family.hypervisor);
    xml.node("processorInfo", |xml| {
        items(xml, "supportedArchitectures", family.architectures);
    });
    xml.node("vCpuInfo", |xml| {
        xml.number("defaultVCpus", kind.vcpus);
    });
    xml.node("memoryInfo", |xml| {
        xml.number("sizeInMiB", kind.memory_mib);
    });
    xml.flag("instanceStorageSupported", kind.store_gb() > 0);
    if kind.store_gb() > 0 {
        xml.node("instanceStorageInfo", |xml| write_store(xml, kind));
    }
    xml.node("ebsInfo", |xml| {
        xml.leaf("ebsOptimizedSupport", if kind.is_nitro() { "default" } else { "supported" });
        xml.leaf("encryptionSupport", "supported");
        xml.leaf("nvmeSupport", if kind.is_nitro() { "required" } else { "unsupported" });
        let volumes = i128::try_from(family.volumes_max).unwrap_or_default();
        xml.number("maximumEbsAttachments", volumes);
    });
    xml.node("networkInfo", |xml| {
        xml.leaf("enaSupport", family.ena);
    });
    xml.flag("hibernationSupported", family.hibernation);
    xml.flag("burstablePerformanceSupported", family.burstable);
    items(xml, "supportedBootModes", family.boot_modes);
    xml.leaf("nitroTpmSupport", supported(family.tpm));
    if family.tpm {
        xml.node("nitroTpmInfo", |xml| items(xml, "supportedVersions", &["2.0"]));
    }
}

fn write_store(xml: &mut Xml, kind: &InstanceType) {
    xml.number("totalSizeInGB", kind.store_gb());
    xml.list("disks", [kind.store], |xml, (count, size)| {
        xml.number("sizeInGB", size).number("count", count).leaf("type", "ssd");
    });
    xml.leaf("nvmeSupport", if kind.is_nitro() { "required" } else { "unsupported" });
}
