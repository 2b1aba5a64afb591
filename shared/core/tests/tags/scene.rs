//! A machine, and a point of it whose snapshots are about to be made.

use std::collections::BTreeMap;

use afterimage_core::ids::{AmiId, InstanceId, PolicyName, Region, VolumeId};
use afterimage_core::machine::{Build, Instance, Machine, State, Volume};
use afterimage_core::point::{Plan, Point};
use afterimage_core::policy::Replicate;
use afterimage_core::slot::{Occasion, Slot};
use jiff::Timestamp;

pub type Tags = BTreeMap<String, String>;

pub fn instant(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

pub fn region(name: &str) -> Region {
    Region::parse(name).expect("a region")
}

pub fn volume(number: usize) -> VolumeId {
    VolumeId::parse(&format!("vol-{number:017x}")).expect("a volume id")
}

pub fn tags(pairs: &[(&str, &str)]) -> Tags {
    pairs.iter().map(|(key, value)| ((*key).to_string(), (*value).to_string())).collect()
}

pub fn machine(devices: usize) -> Machine {
    let disk = |number: usize| Volume {
        id: volume(number),
        device: format!("/dev/sd{number:02}"),
        size_gib: 8,
        volume_type: "gp3".into(),
        iops: None,
        throughput: None,
        delete_on_termination: true,
        encrypted: false,
        kms_key: None,
        shared: false,
        tags: Tags::new(),
    };
    Machine {
        instance: Instance {
            id: InstanceId::parse("i-0123456789abcdef0").expect("an instance id"),
            region: region("us-east-1"),
            state: State::Running,
            launched: instant("2026-01-01T00:00:40.123Z"),
            hibernated: false,
            instance_type: "t3.micro".into(),
            spot: false,
            tags: tags(&[("Name", "web"), ("env", "prod")]),
        },
        build: Build {
            image: AmiId::parse("ami-00000900").expect("an image id"),
            architecture: "x86_64".into(),
            virtualization: "hvm".into(),
            root_device_type: "ebs".into(),
            root_device: "/dev/sd00".into(),
            ena: true,
            sriov: None,
            boot_mode: None,
            tpm: None,
            imds: None,
            uefi_data: None,
            instance_store: BTreeMap::new(),
            usage_operation: "RunInstances".into(),
            platform: None,
            product_codes: Vec::new(),
            image_readable: true,
        },
        volumes: (0..devices).map(disk).collect(),
        left_out: Vec::new(),
    }
}

pub fn point_of(machine: Machine, occasion: Occasion) -> Point {
    let policy = PolicyName::parse("gold").expect("a policy name");
    let slot = Slot { policy, instance: machine.instance.id.clone(), occasion };
    let replica =
        |name| Replicate { region: region(name), kms_key: None, deadline_secs: None, retain: None };
    let plan = Plan {
        copy_tags: true,
        tags: tags(&[("team", "platform")]),
        replicate: vec![replica("eu-west-1"), replica("eu-central-1")],
        ..Plan::default()
    };
    let home = machine.instance.region.clone();
    let point = Point::requested(slot, home, plan, instant("2026-01-01T00:15:03.456Z"));
    Point { machine: Some(machine), ..point }
}

pub fn point(devices: usize) -> Point {
    let occasion = Occasion::Scheduled(instant("2026-01-01T00:15:00Z"));
    point_of(machine(devices), occasion)
}
