//! Images of every kind of machine: by which way they are made, and that they are what the machine
//! was. What is expected is worked out from what AWS documents of the machine that was launched and
//! of the two calls; what is there is read by an administrator.

mod matrix;
mod ways;

use afterimage_cloud::ec2::state::{Image as Made, ImageState};
use afterimage_cloud::model::Scope;
use aws_sdk_ec2::types as ec2;

use crate::scene::{self, ACCOUNT, HOME, Item, Scene};

/// Asked for by a tag, so that each machine has its point at once.
const ASKED: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{on: tag}]
    CONSISTENCY
    image: {OPTIONS}
    REPLICATE
";

fn policy(consistency: &str, options: &str, replicate: &str) -> String {
    let told = |key: &str, value: &str| match value {
        "" => String::new(),
        value => format!("{key}: {value}"),
    };
    ASKED
        .replace("CONSISTENCY", &told("consistency", consistency))
        .replace("OPTIONS", options)
        .replace("REPLICATE", &told("replicate", replicate))
}

/// A disk as it is launched, or as a mapping shows it.
#[derive(Clone, Copy, Debug)]
struct Disk {
    device: &'static str,
    kind: &'static str,
    gib: i32,
    iops: Option<i32>,
    throughput: Option<i32>,
    goes: bool,
    encrypted: bool,
}

const fn disk(device: &'static str, kind: &'static str, gib: i32) -> Disk {
    Disk { device, kind, gib, iops: None, throughput: None, goes: true, encrypted: false }
}

impl Disk {
    fn mapping(&self) -> ec2::BlockDeviceMapping {
        let ebs = ec2::EbsBlockDevice::builder()
            .volume_type(self.kind.into())
            .volume_size(self.gib)
            .set_iops(self.iops)
            .set_throughput(self.throughput)
            .delete_on_termination(self.goes)
            .encrypted(self.encrypted)
            .build();
        ec2::BlockDeviceMapping::builder().device_name(self.device).ebs(ebs).build()
    }
}

/// A machine that is launched, and what is expected of its image.
struct Case {
    what: &'static str,
    image: String,
    instance_type: &'static str,
    disks: Vec<Disk>,
    /// The method and the code of the reason, or the code for which it is refused.
    way: &'static str,
    /// The image as [`line`] shows it.
    expected: &'static str,
}

impl Case {
    fn new(what: &'static str, image: &str, way: &'static str, expected: &'static str) -> Case {
        let (image, disks) = (image.to_string(), Vec::new());
        Case { what, image, instance_type: "t3.micro", disks, way, expected }
    }

    fn on(self, instance_type: &'static str) -> Case {
        Case { instance_type, ..self }
    }

    fn with(self, disks: &[Disk]) -> Case {
        Case { disks: disks.to_vec(), ..self }
    }
}

/// An image as an operator would note it down: the attributes, then a part for each disk.
fn line(image: &ec2::Image) -> String {
    let text = |value: Option<&str>| value.unwrap_or("-").to_string();
    let codes = image.product_codes().iter().filter_map(|code| code.product_code_id());
    let attributes = [
        text(image.architecture().map(|it| it.as_str())),
        text(image.virtualization_type().map(|it| it.as_str())),
        text(image.boot_mode().map(|it| it.as_str())),
        if image.ena_support() == Some(true) { "ena".into() } else { "no-ena".to_string() },
        text(image.sriov_net_support()),
        format!("tpm={}", text(image.tpm_support().map(|it| it.as_str()))),
        format!("imds={}", text(image.imds_support().map(|it| it.as_str()))),
        text(image.usage_operation()),
        format!("'{}'", text(image.platform_details())),
        format!("codes={}", codes.count()),
        format!("root={}", text(image.root_device_name())),
    ];
    let mut disks: Vec<String> = image.block_device_mappings().iter().filter_map(part).collect();
    disks.sort();
    format!("{} | {}", attributes.join(" "), disks.join(" | "))
}

fn part(mapping: &ec2::BlockDeviceMapping) -> Option<String> {
    if let (Some(device), Some(name)) = (mapping.device_name(), mapping.virtual_name()) {
        return Some(format!("{device} {name}"));
    }
    let ebs = mapping.ebs()?;
    let kind = ebs.volume_type().map_or("-", |kind| kind.as_str());
    let mut words = vec![
        mapping.device_name().unwrap_or("-").to_string(),
        kind.to_string(),
        format!("{}GiB", ebs.volume_size().unwrap_or_default()),
    ];
    let provisioned = |number: Option<i32>, unit: &str| number.map(|it| format!("{it}{unit}"));
    if matches!(kind, "gp3" | "io1" | "io2") {
        words.extend(provisioned(ebs.iops(), "iops"));
    }
    if kind == "gp3" {
        words.extend(provisioned(ebs.throughput(), "MiB/s"));
    }
    words.push(if ebs.delete_on_termination() == Some(true) { "goes" } else { "stays" }.into());
    words.extend((ebs.encrypted() == Some(true)).then(|| "encrypted".to_string()));
    Some(words.join(" "))
}

impl Scene {
    async fn launch_case(&self, case: &Case) -> String {
        let image = if case.image.starts_with("ami-") {
            case.image.clone()
        } else {
            let named = ec2::Filter::builder().name("name").values(&case.image).build();
            let found = self.ec2(HOME).describe_images().filters(named).send().await;
            let found = found.expect("public images are listed");
            let image = found.images().first().and_then(|image| image.image_id());
            image.unwrap_or_else(|| panic!("there is no {}", case.image)).to_string()
        };
        let tags = ec2::TagSpecification::builder()
            .resource_type(ec2::ResourceType::Instance)
            .tags(scene::tag("backup", "gold"))
            .build();
        let disks: Vec<_> = case.disks.iter().map(Disk::mapping).collect();
        let launched = self
            .ec2(HOME)
            .run_instances()
            .image_id(image)
            .instance_type(case.instance_type.into())
            .min_count(1)
            .max_count(1)
            .tag_specifications(tags)
            .set_block_device_mappings((!disks.is_empty()).then_some(disks))
            .send()
            .await
            .unwrap_or_else(|why| panic!("{}: {why:?}", case.what));
        self.pass(1).await;
        let id = launched.instances().first().and_then(|machine| machine.instance_id());
        id.expect("a machine is launched").to_string()
    }

    /// A Linux image of ours, with another firmware than those of the catalogue.
    async fn own_image(&self, name: &str, boot_mode: &str, tpm: Option<&str>) -> String {
        let linux = Case::new("a Linux", "al2023-ami-*-x86_64", "", "");
        let machine = self.launch_case(&linux).await;
        let set = ec2::InstanceSpecification::builder().instance_id(&machine).build();
        let made = self.ec2(HOME).create_snapshots().instance_specification(set).send().await;
        let made = made.expect("snapshots are made");
        let snapshot = made.snapshots()[0].snapshot_id().expect("it has an id").to_string();
        self.pass(30).await;
        let ebs = ec2::EbsBlockDevice::builder().snapshot_id(snapshot).volume_type("gp3".into());
        let root = ec2::BlockDeviceMapping::builder().device_name("/dev/xvda").ebs(ebs.build());
        let image = self
            .ec2(HOME)
            .register_image()
            .name(name)
            .architecture(ec2::ArchitectureValues::X8664)
            .virtualization_type("hvm")
            .ena_support(true)
            .boot_mode(boot_mode.into())
            .set_tpm_support(tpm.map(ec2::TpmSupportValues::from))
            .root_device_name("/dev/xvda")
            .block_device_mappings(root.build())
            .send()
            .await
            .expect("an image is registered");
        let terminated = self.ec2(HOME).terminate_instances().instance_ids(machine).send().await;
        terminated.expect("the machine is terminated");
        self.pass(5).await;
        image.image_id().expect("it has an id").to_string()
    }

    /// The point of a machine, which has one.
    async fn point_of(&self, machine: &str) -> Item {
        let digits = machine.trim_start_matches("i-");
        let mut points = self.points().await;
        points.retain(|point| point["sk"].contains(digits));
        assert_eq!(points.len(), 1, "{points:#?}");
        points.remove(0)
    }

    async fn image_of_id(&self, region: &str, id: &str) -> ec2::Image {
        let found = self.ec2(region).describe_images().image_ids(id).send().await;
        found.expect("the image is described").images()[0].clone()
    }

    /// Changes the images of the account that are pending, as nothing but a mistake of EC2 would.
    fn spoil(&self, spoil: impl Fn(&mut Made)) -> usize {
        self.cloud.with(|model| {
            let images = &mut model.ec2_region(&Scope::new(ACCOUNT, HOME)).images;
            let pending = images.values_mut().filter(|image| image.state == ImageState::Pending);
            pending.map(spoil).count()
        })
    }
}

impl Scene {
    async fn volume_at(&self, machine: &str, device: &str) -> String {
        let shown = self.ec2(HOME).describe_instances().instance_ids(machine).send().await;
        let shown = shown.expect("the machine is described");
        let devices = shown.reservations()[0].instances()[0].block_device_mappings();
        let device = devices.iter().find(|it| it.device_name() == Some(device));
        let volume = device.and_then(|it| it.ebs()?.volume_id());
        volume.expect("there is such a volume").to_string()
    }
}
