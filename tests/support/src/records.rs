//! Points that are on their way, as the ledger would have them.

use std::collections::BTreeMap;

use afterimage_aws::Ledger;
use afterimage_aws::ledger::{LeaseUse, Writer, Written};
use afterimage_core::command::{Change, Record, Write};
use afterimage_core::ids::{AmiId, InstanceId, PolicyName, Region, SnapshotId, VolumeId};
use afterimage_core::machine::{Build, Grade, Instance, Machine, State, Volume};
use afterimage_core::point::{Plan, Point};
use afterimage_core::slot::{Occasion, Slot};
use afterimage_core::status::Status;
use jiff::{SignedDuration, Timestamp};

use super::SEAT;

pub fn region(name: &str) -> Region {
    Region::parse(name).expect("it is a region")
}

/// A point of a machine at the seat that was just asked for.
pub fn requested(policy: &str, instance: &InstanceId, at: Timestamp) -> Point {
    let policy = PolicyName::parse(policy).expect("it is a name");
    let occasion = Occasion::Scheduled(at);
    let slot = Slot { policy, instance: instance.clone(), occasion };
    Point::requested(slot, region(SEAT), Plan::default(), at)
}

/// The same when its snapshots are being filled, one for each id.
pub fn snapshotted(point: Point, snapshots: &[&str]) -> Point {
    let numbered = (0_u8..).zip(snapshots);
    let snapshots: BTreeMap<VolumeId, SnapshotId> = numbered
        .map(|(number, id)| {
            let volume = VolumeId::parse(&format!("vol-0123456789abcdef{number:x}"));
            let snapshot = SnapshotId::parse(id).expect("it is a snapshot");
            (volume.expect("it is a volume"), snapshot)
        })
        .collect();
    let mut point = Point {
        status: Status::Snapshotted,
        machine: Some(machine(&point, snapshots.keys())),
        taken_at: Some(point.requested_at),
        grade: Some(Grade::Crash),
        snapshots,
        ..point
    };
    point.step.due_at = point.requested_at.checked_add(SignedDuration::from_mins(5)).ok();
    point
}

/// The same when its image is pending.
pub fn registered(point: Point, image: &str) -> Point {
    let image = AmiId::parse(image).expect("it is an image");
    Point { status: Status::Registered, image: Some(image), ..point }
}

/// Puts a point into the ledger as it is.
pub async fn put(ledger: &Ledger, point: Point) {
    let write = Write { expected: 0, record: Record::Point(Box::new(point)) };
    let change = Change { writes: vec![write], summary: None };
    let mut writer = Writer::new("test".to_string());
    let written = ledger.write(&change, LeaseUse::None, &mut writer).await;
    assert_eq!(written.expect("the ledger is written"), Written::Done);
}

fn machine<'v>(point: &Point, volumes: impl Iterator<Item = &'v VolumeId>) -> Machine {
    let instance = Instance {
        instance_type: "t3.micro".to_string(),
        spot: false,
        id: point.instance().clone(),
        region: point.home.clone(),
        state: State::Running,
        launched: point.requested_at,
        hibernated: false,
        tags: BTreeMap::new(),
    };
    let build = Build {
        platform: None,
        image: AmiId::parse("ami-0123456789abcdef9").expect("it is an image"),
        architecture: "x86_64".into(),
        virtualization: "hvm".into(),
        root_device_type: "ebs".into(),
        root_device: "/dev/xvda".to_string(),
        ena: true,
        sriov: None,
        boot_mode: None,
        tpm: None,
        imds: None,
        uefi_data: None,
        instance_store: BTreeMap::new(),
        usage_operation: "RunInstances".into(),
        product_codes: Vec::new(),
        image_readable: true,
    };
    let volumes = ('a'..).zip(volumes).map(|(letter, id)| Volume {
        tags: BTreeMap::new(),
        id: id.clone(),
        device: format!("/dev/xvd{letter}"),
        size_gib: 8,
        volume_type: "gp3".into(),
        iops: None,
        throughput: None,
        delete_on_termination: true,
        encrypted: false,
        kms_key: None,
        shared: false,
    });
    Machine { left_out: Vec::new(), instance, build, volumes: volumes.collect() }
}
