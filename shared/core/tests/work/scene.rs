//! A machine with two volumes, a point of it, and the stages that the point goes through.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_core::call::{Answer, Call, Outcome, SnapshotSet};
use afterimage_core::command::{Command, Decision, Record};
use afterimage_core::flow::InForce;
use afterimage_core::flow::work_requested::{confirm, needs, register, snapshot};
use afterimage_core::ids::{AmiId, InstanceId, Region, SnapshotId, VolumeId};
use afterimage_core::machine::{Build, Instance, Machine, State, Volume};
use afterimage_core::observed::{
    Attributes, Complete, ImageState, ObservedDevice, ObservedImage, ObservedSnapshot,
    SnapshotState,
};
use afterimage_core::obstacle::{Cause, Obstacles};
use afterimage_core::point::{Place, Plan, Point, Replica};
use afterimage_core::policy::file::read;
use afterimage_core::policy::{Method, Replicate};
use afterimage_core::reason::Code;
use afterimage_core::slot::{Occasion, Slot};
use afterimage_core::work::{Kind, Queue};
use jiff::{SignedDuration, Timestamp};

pub const HOME: &str = "us-east-1";
pub const IRELAND: &str = "eu-west-1";
pub const FRANKFURT: &str = "eu-central-1";
pub const NAME: &str = "gold-0123456789abcdef0-at-20260301T020000Z";

/// So many seconds after the point was requested.
pub fn at(secs: i64) -> Timestamp {
    let start: Timestamp = "2026-03-01T02:00:00Z".parse().expect("an instant");
    start + SignedDuration::from_secs(secs)
}

pub const fn mins(count: i64) -> i64 {
    count * 60
}

pub const fn hours(count: i64) -> i64 {
    count * 3600
}

pub fn region(name: &str) -> Region {
    Region::parse(name).expect("a region")
}

pub fn volume(number: u32) -> VolumeId {
    VolumeId::parse(&format!("vol-{number:017}")).expect("a volume id")
}

pub fn snap(number: u32) -> SnapshotId {
    SnapshotId::parse(&format!("snap-{number:017}")).expect("a snapshot id")
}

pub fn ami(number: u32) -> AmiId {
    AmiId::parse(&format!("ami-{number:017}")).expect("an image id")
}

pub fn instance() -> InstanceId {
    InstanceId::parse("i-0123456789abcdef0").expect("an instance id")
}

pub fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_string(), (*value).to_string())).collect()
}

/// What every artefact of a point of this machine says, and what else this one does.
pub fn our_tags(more: &[(&str, &str)]) -> BTreeMap<String, String> {
    let mut ours = tags(&[
        ("afterimage:by", "afterimage"),
        ("afterimage:attempt", "0"),
        ("afterimage:format", "1"),
        ("afterimage:grade", "crash"),
        ("afterimage:lineage", "us-east-1/i-0123456789abcdef0"),
        ("afterimage:machine", "t3.micro running 2026-02-28T17:00:00Z ami-00000000000000900"),
        ("afterimage:point", NAME),
        ("afterimage:policy", "gold"),
        ("afterimage:requested", "2026-03-01T02:00:00Z"),
        ("afterimage:slot", "at 2026-03-01T02:00:00Z"),
        ("afterimage:source", "i-0123456789abcdef0"),
        ("team", "platform"),
    ]);
    ours.extend(tags(more));
    ours
}

pub fn running() -> Machine {
    let volume = |number, device: &str, volume_type: &str| Volume {
        tags: BTreeMap::new(),
        id: volume(number),
        device: device.into(),
        size_gib: 20,
        volume_type: volume_type.into(),
        iops: Some(3000),
        throughput: Some(125),
        delete_on_termination: number == 1,
        encrypted: false,
        kms_key: None,
        shared: false,
    };
    Machine {
        left_out: Vec::new(),
        instance: Instance {
            instance_type: "t3.micro".to_string(),
            spot: false,
            id: instance(),
            region: region(HOME),
            state: State::Running,
            launched: at(-hours(9)),
            hibernated: false,
            tags: tags(&[("Name", "web")]),
        },
        build: Build {
            platform: None,
            image: ami(900),
            architecture: "x86_64".into(),
            virtualization: "hvm".into(),
            root_device_type: "ebs".into(),
            root_device: "/dev/xvda".into(),
            ena: true,
            sriov: Some("simple".into()),
            boot_mode: Some("uefi".into()),
            tpm: Some("v2.0".into()),
            imds: Some("v2.0".into()),
            uefi_data: Some("QU1aTlVFRkk=".into()),
            instance_store: BTreeMap::new(),
            usage_operation: "RunInstances".into(),
            product_codes: Vec::new(),
            image_readable: true,
        },
        volumes: vec![volume(1, "/dev/xvda", "gp3"), volume(2, "/dev/sdf", "io2")],
    }
}

pub fn stopped() -> Machine {
    let mut machine = running();
    machine.instance.state = State::Stopped;
    machine
}

pub fn replicate(name: &str, kms_key: Option<&str>) -> Replicate {
    let kms_key = kms_key.map(String::from);
    Replicate { retain: None, region: region(name), kms_key, deadline_secs: None }
}

pub fn requested() -> Point {
    requested_of("gold")
}

pub fn requested_of(policy: &str) -> Point {
    let policy = policy.to_string().try_into().expect("a policy name");
    let slot = Slot { policy, instance: instance(), occasion: Occasion::Scheduled(at(0)) };
    let plan = Plan {
        tags: tags(&[("team", "platform")]),
        replicate: vec![replicate(IRELAND, None), replicate(FRANKFURT, Some("alias/dr"))],
        ..Plan::default()
    };
    Point::requested(slot, region(HOME), plan, at(0))
}

/// The intent is written, at the instant of the request.
pub fn snapshotting(machine: &Machine) -> Point {
    point_in(&snapshot::decide(&snapshot_input(at(0), vec![requested()], Some(machine))))
}

pub fn snapshotted(machine: &Machine) -> Point {
    let set = Outcome::Made(set(11));
    point_in(&conclude::snapshots(&snapshotting(machine), set, at(2)))
}

/// Complete, and the intent to register written, after ten minutes.
pub fn registering() -> Point {
    let seen = [seen_snapshot(11, 1), seen_snapshot(12, 2)];
    let seen = seen.map(|seen| ObservedSnapshot { state: SnapshotState::Completed, ..seen });
    let input = register_input(at(mins(10)), vec![snapshotted(&running())], &seen, &[]);
    point_in(&register::decide(&input))
}

pub fn registered() -> Point {
    point_in(&conclude::image(&registering(), Outcome::Made(ami(1)), at(mins(10) + 1)))
}

/// Asked for by a policy that has EC2 create its images; the intent is written at the request.
pub fn creating(machine: &Machine) -> Point {
    let mut point = requested();
    point.plan.method = Method::CreateImage;
    point_in(&snapshot::decide(&snapshot_input(at(0), vec![point], Some(machine))))
}

pub fn created(machine: &Machine) -> Point {
    point_in(&conclude::created(&creating(machine), Outcome::Made(ami(1)), at(2)))
}

/// The image is available after twenty minutes, and two replicas are wanted.
pub fn imaged() -> (Point, Vec<Replica>) {
    let seen = [seen_image(1, ImageState::Available)];
    let decision = confirm::decide(&confirm_input(at(mins(20)), vec![registered()], &seen));
    let (points, replicas) = written(&decision);
    (points.into_iter().next().expect("a point"), replicas)
}

pub fn snapshot_input(
    now: Timestamp,
    points: Vec<Point>,
    machine: Option<&Machine>,
) -> snapshot::Input {
    let machines = machine.map(|machine| (instance(), machine.clone()));
    let machines = machines.into_iter().collect();
    let (unsettled, tagged, named) = (BTreeSet::new(), BTreeMap::new(), BTreeMap::new());
    let (downtimes, in_force) = (BTreeMap::new(), gold());
    snapshot::Input {
        now,
        points,
        machines,
        unsettled,
        unasked: BTreeMap::new(),
        tagged,
        named,
        images: BTreeMap::new(),
        taken: BTreeMap::new(),
        downtimes,
        in_force,
        allow_reboot: true,
        obstacles: none_at_home(Kind::Snapshot),
        sets: BTreeMap::new(),
        others: BTreeMap::new(),
        keys: BTreeMap::new(),
        trust: Default::default(),
    }
}

/// The policies of the points, in force: for every machine at home, into both regions.
pub fn gold() -> InForce {
    let policy = |name: &str| {
        format!(
            "  {name}:
    select: {{regions: [us-east-1], tags: {{Name: '*'}}}}
    triggers: [{{on: tag}}]
    replicate: [{{region: eu-west-1}}, {{region: eu-central-1, kms_key: alias/dr}}]
"
        )
    };
    let policies = ["gold", "silver", "urgent", "iron", "zinc", "a", "b", "c"].map(policy).concat();
    let policies = read(&format!("policies:\n{policies}"));
    let policies = policies.unwrap_or_else(|problems| panic!("{problems:#?}"));
    InForce { policies, ..InForce::default() }
}

pub fn register_input(
    now: Timestamp,
    points: Vec<Point>,
    seen: &[ObservedSnapshot],
    named: &[ObservedImage],
) -> register::Input {
    let snapshots = seen.iter().map(|seen| (seen.id.clone(), seen.clone())).collect();
    let of_name = |name: String| {
        let images = named.iter().filter(|image| image.name == name).cloned().collect();
        (name, Complete(images))
    };
    let named = needs(Kind::Register, &points, &[], now).names.into_iter().map(of_name);
    let obstacles = none_at_home(Kind::Register);
    register::Input {
        now,
        snapshots,
        named: named.collect(),
        points,
        images: BTreeMap::new(),
        obstacles,
        in_force: gold(),
    }
}

/// The cause of what stands in the way of all copies of images at home.
pub fn from_home() -> Cause {
    Cause::From(region(HOME))
}

/// The obstacles of a queue at home where there are none.
pub fn none_at_home(kind: Kind) -> Obstacles {
    Obstacles::none(Queue { region: region(HOME), kind })
}

/// The obstacles of copies into a region where there are none.
pub fn no_obstacles(name: &str) -> Obstacles {
    Obstacles::none(Queue { region: region(name), kind: Kind::Copy })
}

pub fn confirm_input(now: Timestamp, points: Vec<Point>, seen: &[ObservedImage]) -> confirm::Input {
    let images = seen.iter().map(|seen| (seen.id.clone(), seen.clone())).collect();
    let (replicas, points_of_replicas) = (Vec::new(), BTreeMap::new());
    let uefi_data = BTreeMap::new();
    let obstacles = no_obstacles(IRELAND);
    confirm::Input {
        obstacles,
        now,
        points,
        replicas,
        points_of_replicas,
        images,
        uefi_data,
        snapshots: BTreeMap::new(),
        history: BTreeMap::new(),
        instances: BTreeMap::new(),
        healing: Default::default(),
    }
}

/// Snapshots with these numbers, of the volumes of the machine.
pub fn set(first: u32) -> SnapshotSet {
    vec![(volume(1), snap(first)), (volume(2), snap(first + 1))]
}

/// As the first try of the point would make it.
pub fn seen_snapshot(number: u32, of_volume: u32) -> ObservedSnapshot {
    ObservedSnapshot {
        id: snap(number),
        volume: Some(volume(of_volume)),
        state: SnapshotState::Pending,
        message: None,
        started_at: at(1),
        kms_key: None,
        copied_for: None,
        tags: tags(&[("afterimage:point", NAME), ("afterimage:attempt", "0")]),
    }
}

/// As the first try of the point would make it of the machine with two volumes.
pub fn seen_image(number: u32, state: ImageState) -> ObservedImage {
    let device = |name: &str, volume_type: &str, number: u32| ObservedDevice {
        name: name.to_string(),
        snapshot: Some(snap(10 + number)),
        size_gib: Some(20),
        volume_type: Some(volume_type.into()),
        iops: Some(3000),
        throughput: (volume_type == "gp3").then_some(125),
        delete_on_termination: Some(number == 1),
        encrypted: Some(false),
    };
    ObservedImage {
        attributes: Attributes {
            architecture: Some("x86_64".into()),
            virtualization: Some("hvm".into()),
            root_device: Some("/dev/xvda".into()),
            root_device_type: Some("ebs".into()),
            ena: true,
            sriov: Some("simple".into()),
            boot_mode: Some("uefi".into()),
            tpm: Some("v2.0".into()),
            imds: Some("v2.0".into()),
            usage_operation: Some("RunInstances".into()),
            platform: Some("Linux/UNIX".into()),
            product_codes: Vec::new(),
            instance_store: BTreeMap::new(),
            source_instance: None,
        },
        devices: vec![device("/dev/xvda", "gp3", 1), device("/dev/sdf", "io2", 2)],
        id: ami(number),
        name: format!("{NAME}-0"),
        state,
        message: None,
        created_at: Some(at(mins(10))),
        snapshots: vec![snap(11), snap(12)],
        source: None,
        tags: BTreeMap::new(),
    }
}

/// As EC2 would create it, by the first try of the point.
pub fn created_image(number: u32, state: ImageState) -> ObservedImage {
    let mut image = seen_image(number, state);
    image.attributes.source_instance = Some(instance());
    let tags = tags(&[("afterimage:point", NAME), ("afterimage:attempt", "0")]);
    ObservedImage { created_at: Some(at(1)), tags, ..image }
}

pub fn answer(code: &str) -> Answer {
    Answer { code: code.into(), message: "as AWS put it".into() }
}

/// The one command of a decision, which is a call.
pub fn only_call(decision: &Decision) -> &Call {
    let [Command::Call(intent)] = &decision.commands[..] else { panic!("{decision:?}") };
    &intent.call
}

/// All that a decision writes.
pub fn written(decision: &Decision) -> (Vec<Point>, Vec<Replica>) {
    let (mut points, mut replicas) = (Vec::new(), Vec::new());
    for write in
        decision.commands.iter().filter_map(Command::change).flat_map(|change| &change.writes)
    {
        match &write.record {
            Record::Point(point) => points.push((**point).clone()),
            Record::Replica(replica) => replicas.push((**replica).clone()),
            Record::Downtime(_) | Record::Roster(_) | Record::Obstacles(_) | Record::Brake(_) => {}
            Record::RequestCounter(asked) => panic!("no worker asks for points: {asked:?}"),
        }
    }
    (points, replicas)
}

/// The one point that a decision writes.
pub fn point_in(decision: &Decision) -> Point {
    let (points, _) = written(decision);
    assert_eq!(points.len(), 1, "{decision:?}");
    points.into_iter().next().expect("a point")
}

/// The one replica that a decision writes.
pub fn replica_in(decision: &Decision) -> Replica {
    let (_, replicas) = written(decision);
    assert_eq!(replicas.len(), 1, "{decision:?}");
    replicas.into_iter().next().expect("a replica")
}

pub fn code(point: &Point) -> Option<Code> {
    point.reason.as_ref().map(|reason| reason.code)
}

pub fn codes_said(decision: &Decision) -> Vec<Code> {
    decision.explanations.iter().map(|said| said.reason.code).collect()
}

/// What was reported, by its id.
pub fn reported(decision: &Decision) -> Vec<String> {
    let found = decision.commands.iter().filter_map(|command| match command {
        Command::Report(finding) => Some(finding.artefact.to_string()),
        _ => None,
    });
    found.collect()
}

pub fn place(point: &Point, name: &str) -> Option<Place> {
    point.replicas.get(&region(name)).copied()
}

/// The decision that follows from the outcome of each call, for the record that was written.
pub mod conclude {
    use afterimage_core::call::{self, Outcome, Reply, SnapshotSet};
    use afterimage_core::command::{Change, Decision};
    use afterimage_core::ids::AmiId;
    use afterimage_core::point::{Point, Replica};
    use jiff::Timestamp;

    pub fn snapshots(point: &Point, outcome: Outcome<SnapshotSet>, now: Timestamp) -> Decision {
        of_point(point, Reply::CreateSnapshots(outcome), now)
    }

    pub fn created(point: &Point, outcome: Outcome<AmiId>, now: Timestamp) -> Decision {
        of_point(point, Reply::CreateImage(outcome), now)
    }

    pub fn image(point: &Point, outcome: Outcome<AmiId>, now: Timestamp) -> Decision {
        of_point(point, Reply::RegisterImage(outcome), now)
    }

    pub fn copy(replica: &Replica, outcome: Outcome<AmiId>, now: Timestamp) -> Decision {
        // A change counts the write; the record in it is as it was handed in otherwise.
        let mut begun = Change::replica(replica.clone());
        if let afterimage_core::command::Record::Replica(written) = &mut begun.writes[0].record {
            written.version = replica.version;
        }
        call::conclude(None, &begun, Reply::CopyImage(outcome), now).into()
    }

    fn of_point(point: &Point, reply: Reply, now: Timestamp) -> Decision {
        let mut begun = Change::point(point.clone());
        if let afterimage_core::command::Record::Point(written) = &mut begun.writes[0].record {
            written.version = point.version;
        }
        call::conclude(None, &begun, reply, now).into()
    }
}
