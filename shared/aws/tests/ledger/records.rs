//! Points and replicas as they may stand in the ledger.

use std::collections::BTreeMap;

use afterimage_core::command::Change;
use afterimage_core::ids::{AmiId, InstanceId, PolicyName, SnapshotId, VolumeId};
use afterimage_core::machine::{Build, Grade, Instance, Machine, State, Volume};
use afterimage_core::point::{Plan, Point, Replica, ReplicaStatus};
use afterimage_core::slot::{Occasion, Slot};
use afterimage_core::status::Status;
use afterimage_core::summary::{Latest, News, Summary};

use super::{AWAY, SEAT, region, second};

pub fn policy_name(name: &str) -> PolicyName {
    PolicyName::parse(name).expect("a policy name")
}

/// Requested, and due, at that second.
pub fn requested(instance: InstanceId, at: i64) -> Point {
    let occasion = Occasion::Scheduled(second(at));
    let slot = Slot { policy: policy_name("gold"), instance, occasion };
    Point::requested(slot, region(SEAT), Plan::default(), second(at))
}

/// With one snapshot of each of its two volumes.
pub fn snapshotted(instance: InstanceId, at: i64) -> Point {
    let mut point = requested(instance.clone(), at);
    point.status = Status::Snapshotted;
    point.machine = Some(machine(instance));
    point.taken_at = Some(second(at));
    point.grade = Some(Grade::AtRest);
    point.snapshots = BTreeMap::from([
        (volume_id(1), SnapshotId::parse("snap-00000001").expect("a snapshot id")),
        (volume_id(2), SnapshotId::parse("snap-00000002").expect("a snapshot id")),
    ]);
    point
}

pub fn registered(instance: InstanceId, at: i64) -> Point {
    let mut point = snapshotted(instance, at);
    point.status = Status::Registered;
    point.image = Some(image(1));
    point
}

pub fn protected(instance: InstanceId, at: i64) -> Point {
    let mut point = registered(instance, at);
    point.status = Status::Protected;
    point.step.due_at = None;
    point
}

pub fn waiting(of: &Point, at: i64) -> Replica {
    Replica::wanted(of, &image(1), &region(AWAY), second(at))
}

pub fn pending(of: &Point, at: i64) -> Replica {
    let mut replica = waiting(of, at);
    replica.status = ReplicaStatus::Pending;
    replica.image = Some(image(2));
    replica
}

pub fn image(number: u32) -> AmiId {
    AmiId::parse(&format!("ami-{number:08x}")).expect("an image id")
}

/// A change that tells the summary of the point's request.
pub fn telling(point: &Point) -> Change {
    Change::create(point.clone(), latest(point))
}

pub fn latest(point: &Point) -> Summary {
    Summary::of(point).telling(News::Latest(Latest::of(point)))
}

/// A change that is this point, new.
pub fn new(point: &Point) -> Change {
    let mut change = telling(point);
    change.summary = None;
    change
}

/// A change that is these points and replicas, new.
pub fn all_new(points: &[Point], replicas: &[Replica]) -> Change {
    let mut change = Change { writes: Vec::new(), summary: None };
    for point in points {
        change.writes.extend(new(point).writes);
    }
    for replica in replicas {
        let mut replica = replica.clone();
        replica.version = 0;
        change.writes.extend(Change::replica(replica).writes);
    }
    change
}

fn machine(id: InstanceId) -> Machine {
    let instance = Instance {
        instance_type: "t3.micro".to_string(),
        spot: false,
        id,
        region: region(SEAT),
        state: State::Stopped,
        launched: second(-3600),
        hibernated: false,
        tags: BTreeMap::from([("Name".to_string(), "web \u{1f512}".to_string())]),
    };
    let build = Build {
        platform: None,
        image: image(9),
        architecture: "x86_64".into(),
        virtualization: "hvm".into(),
        root_device_type: "ebs".into(),
        root_device: "/dev/xvda".into(),
        ena: true,
        sriov: None,
        boot_mode: Some("uefi".into()),
        tpm: None,
        imds: Some("v2.0".into()),
        uefi_data: None,
        instance_store: BTreeMap::new(),
        usage_operation: "RunInstances".into(),
        product_codes: Vec::new(),
        image_readable: true,
    };
    Machine {
        left_out: Vec::new(),
        instance,
        build,
        volumes: vec![volume(1, "/dev/xvda"), volume(2, "/dev/sdf")],
    }
}

fn volume(number: u32, device: &str) -> Volume {
    Volume {
        tags: BTreeMap::new(),
        id: volume_id(number),
        device: device.into(),
        size_gib: 8,
        volume_type: "gp3".into(),
        iops: Some(3000),
        throughput: None,
        delete_on_termination: true,
        encrypted: false,
        kms_key: None,
        shared: false,
    }
}

fn volume_id(number: u32) -> VolumeId {
    VolumeId::parse(&format!("vol-{number:08x}")).expect("a volume id")
}
