//! What holds of every point and replica, one broken piece at a time.

use std::collections::BTreeMap;

use afterimage_core::ids::{AmiId, InstanceId, PolicyName, Region, SnapshotId, VolumeId};
use afterimage_core::machine::{Build, Grade, Instance, Machine, State, Volume};
use afterimage_core::point::{Place, Plan, Point, Replica, ReplicaStatus};
use afterimage_core::reason::{Code, Reason};
use afterimage_core::slot::{Occasion, PointId, Slot};
use afterimage_core::status::Status;
use jiff::Timestamp;

const NOW: &str = "2026-01-01T12:00:00Z";

fn now() -> Timestamp {
    NOW.parse().expect("an instant")
}

fn region(name: &str) -> Region {
    Region::parse(name).expect("a region")
}

fn image() -> AmiId {
    AmiId::parse("ami-00000001").expect("an image id")
}

fn volume(digit: char) -> VolumeId {
    VolumeId::parse(&format!("vol-0000000{digit}")).expect("a volume id")
}

fn snapshot(digit: char) -> SnapshotId {
    SnapshotId::parse(&format!("snap-0000000{digit}")).expect("a snapshot id")
}

fn instance(digit: char) -> InstanceId {
    InstanceId::parse(&format!("i-0000000{digit}")).expect("an instance id")
}

fn slot(digit: char) -> Slot {
    let policy = PolicyName::parse("gold").expect("a policy name");
    Slot { policy, instance: instance(digit), occasion: Occasion::Scheduled(now()) }
}

fn machine() -> Machine {
    let instance = Instance {
        instance_type: "t3.micro".to_string(),
        spot: false,
        id: instance('1'),
        region: region("us-east-1"),
        state: State::Stopped,
        launched: now(),
        hibernated: false,
        tags: BTreeMap::new(),
    };
    let build = Build {
        platform: None,
        image: image(),
        architecture: "arm64".into(),
        virtualization: "hvm".into(),
        root_device_type: "ebs".into(),
        root_device: "/dev/xvda".into(),
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
    let disk = |digit| Volume {
        tags: BTreeMap::new(),
        id: volume(digit),
        device: format!("/dev/sd{digit}"),
        size_gib: 8,
        volume_type: "gp3".into(),
        iops: None,
        throughput: None,
        delete_on_termination: true,
        encrypted: true,
        kms_key: None,
        shared: false,
    };
    Machine { left_out: Vec::new(), instance, build, volumes: vec![disk('1'), disk('2')] }
}

/// A point that has everything that a point can have, so that it may stand anywhere.
fn whole(status: Status) -> Point {
    let mut point = Point::requested(slot('1'), region("us-east-1"), Plan::default(), now());
    point.status = status;
    point.step.begun_at = Some(now());
    point.machine = Some(machine());
    point.taken_at = Some(now());
    point.grade = Some(Grade::AtRest);
    point.snapshots = ['1', '2'].map(|digit| (volume(digit), snapshot(digit))).into();
    point.image = Some(image());
    point.replicas = BTreeMap::from([(region("eu-west-1"), Place::Available)]);
    point.reason = Some(Reason::new(Code::CallFailed, "once"));
    point
}

/// The statuses in which a point is not whole without something.
fn needed_in(remove: impl Fn(&mut Point)) -> Vec<Status> {
    let broken = |status: &Status| {
        let mut point = whole(*status);
        remove(&mut point);
        point.check().is_err()
    };
    Status::ALL.into_iter().filter(broken).collect()
}

#[test]
fn a_whole_point_may_stand_anywhere() {
    for status in Status::ALL {
        assert_eq!(whole(status).check(), Ok(()), "{status}");
    }
    let new = Point::requested(slot('1'), region("us-east-1"), Plan::default(), now());
    assert_eq!(new.check(), Ok(()));
}

#[test]
fn some_things_are_needed_everywhere() {
    let everywhere = Status::ALL.to_vec();
    assert_eq!(needed_in(|point| point.version = 0), everywhere);
    assert_eq!(needed_in(|point| point.id = PointId::of(&slot('2'))), everywhere);
    let theirs = |point: &mut Point| {
        let machine = point.machine.as_mut().expect("it is whole");
        machine.instance.id = instance('2');
    };
    assert_eq!(needed_in(theirs), everywhere);
    let elsewhere = |point: &mut Point| point.home = region("eu-central-1");
    assert_eq!(needed_in(elsewhere), everywhere, "its machine lives in us-east-1");
    let at_home = |point: &mut Point| {
        point.replicas.insert(point.home.clone(), Place::Available);
    };
    assert_eq!(needed_in(at_home), everywhere);
}

#[test]
fn some_things_are_needed_from_some_step_on() {
    use Status::{
        Created, Creating, Failed, Imaged, Lost, Missed, Protected, Ready, Refused, Registered,
        Registering, Requested, Snapshotted, Snapshotting, Withdrawn,
    };
    let queued =
        [Requested, Snapshotting, Snapshotted, Ready, Registering, Registered, Creating, Created];
    assert_eq!(needed_in(|point| point.step.due_at = None), queued);
    assert_eq!(
        needed_in(|point| point.step.begun_at = None),
        [Snapshotting, Registering, Creating]
    );
    let made = [Snapshotted, Ready, Registering, Registered, Imaged, Protected];
    let of_machines = [&[Snapshotting], &made[..4], &[Creating, Created], &made[4..]].concat();
    assert_eq!(needed_in(|point| point.machine = None), of_machines);
    assert_eq!(needed_in(|point| point.taken_at = None), made);
    assert_eq!(needed_in(|point| drop(point.snapshots.pop_last())), made);
    assert_eq!(needed_in(|point| drop(point.snapshots.insert(volume('3'), snapshot('3')))), made);
    let other = |point: &mut Point| {
        point.snapshots = ['1', '3'].map(|digit| (volume(digit), snapshot(digit))).into();
    };
    assert_eq!(needed_in(other), made);
    let nothing = |point: &mut Point| {
        point.snapshots.clear();
        point.machine.as_mut().expect("it is whole").volumes.clear();
    };
    assert_eq!(needed_in(nothing), made);
    assert_eq!(needed_in(|point| point.grade = None), made[1..]);
    assert_eq!(needed_in(|point| point.image = None), [Registered, Created, Imaged, Protected]);
    let underway = |point: &mut Point| {
        point.replicas = BTreeMap::from([(region("eu-west-1"), Place::Underway)]);
    };
    assert_eq!(needed_in(underway), [Protected]);
    assert_eq!(needed_in(|point| point.reason = None), [Refused, Missed, Failed, Withdrawn, Lost]);
}

fn whole_replica(status: ReplicaStatus) -> Replica {
    let mut replica =
        Replica::wanted(&whole(Status::Imaged), &image(), &region("eu-west-1"), now());
    replica.status = status;
    replica.step.begun_at = Some(now());
    replica.image = Some(image());
    replica.reason = Some(Reason::new(Code::CallFailed, "once"));
    replica
}

fn replica_needs(remove: impl Fn(&mut Replica)) -> Vec<ReplicaStatus> {
    let broken = |status: &ReplicaStatus| {
        let mut replica = whole_replica(*status);
        remove(&mut replica);
        replica.check().is_err()
    };
    ReplicaStatus::ALL.into_iter().filter(broken).collect()
}

#[test]
fn a_replica_has_what_it_needs_where_it_stands() {
    use ReplicaStatus::{Available, Copying, Failed, Lost, Pending, Unusable, Waiting, Withdrawn};
    let everywhere = ReplicaStatus::ALL.to_vec();
    assert_eq!(replica_needs(|_| ()), []);
    assert_eq!(replica_needs(|replica| replica.version = 0), everywhere);
    assert_eq!(replica_needs(|replica| replica.instance = instance('2')), everywhere);
    assert_eq!(replica_needs(|replica| replica.region = replica.home.clone()), everywhere);
    assert_eq!(replica_needs(|replica| replica.step.due_at = None), [Waiting, Copying, Pending]);
    assert_eq!(replica_needs(|replica| replica.step.begun_at = None), [Copying]);
    assert_eq!(replica_needs(|replica| replica.image = None), [Pending, Available]);
    let ended = [Failed, Lost, Unusable, Withdrawn];
    assert_eq!(replica_needs(|replica| replica.reason = None), ended);
}
