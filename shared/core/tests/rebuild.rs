//! What can be made of what carries our tag, one thing at a time that is not as it should be.

use std::collections::BTreeMap;

use afterimage_core::flow::artefact_audit::Tagged;
use afterimage_core::flow::went_back::{self, Doubt};
use afterimage_core::ids::{AmiId, InstanceId, PolicyName, Region, SnapshotId, VolumeId};
use afterimage_core::machine::{Build, Grade, Instance, Machine, State, Volume};
use afterimage_core::observed::{
    Attributes, Complete, ImageState, ObservedDevice, ObservedImage, ObservedSnapshot,
    SnapshotState,
};
use afterimage_core::point::{Place, Plan, Point, ReplicaStatus};
use afterimage_core::policy::{Artefact, Method, Replicate};
use afterimage_core::reason::Code;
use afterimage_core::rebuild::{Found, Seen, decide};
use afterimage_core::slot::{Occasion, PointId, Slot};
use afterimage_core::status::Status;
use afterimage_core::tags::write::{image_tags, snapshot_tags};
use jiff::{SignedDuration, Timestamp};

const HOME: &str = "us-east-1";
const IRELAND: &str = "eu-west-1";
const NAME: &str = "gold-0123456789abcdef0-at-20260301T020000Z";

fn at(secs: i64) -> Timestamp {
    let start: Timestamp = "2026-03-01T02:00:00Z".parse().expect("an instant");
    start + SignedDuration::from_secs(secs)
}

fn region(name: &str) -> Region {
    Region::parse(name).expect("a region")
}

fn volume(number: u32) -> VolumeId {
    VolumeId::parse(&format!("vol-{number:017}")).expect("a volume id")
}

fn snap(number: u32) -> SnapshotId {
    SnapshotId::parse(&format!("snap-{number:017}")).expect("a snapshot id")
}

fn ami(number: u32) -> AmiId {
    AmiId::parse(&format!("ami-{number:017}")).expect("an image id")
}

fn machine() -> Machine {
    let disk = |number, device: &str| Volume {
        id: volume(number),
        device: device.into(),
        size_gib: 8,
        volume_type: "gp3".into(),
        iops: Some(3000),
        throughput: Some(125),
        delete_on_termination: true,
        encrypted: true,
        kms_key: None,
        shared: false,
        tags: BTreeMap::new(),
    };
    Machine {
        instance: Instance {
            id: InstanceId::parse("i-0123456789abcdef0").expect("an instance id"),
            region: region(HOME),
            state: State::Stopped,
            launched: at(-3600),
            hibernated: false,
            instance_type: "t3.micro".into(),
            spot: false,
            tags: BTreeMap::from([("Name".to_string(), "web".to_string())]),
        },
        build: Build {
            image: ami(900),
            architecture: "x86_64".into(),
            virtualization: "hvm".into(),
            root_device_type: "ebs".into(),
            root_device: "/dev/xvda".into(),
            ena: true,
            sriov: None,
            boot_mode: Some("uefi".into()),
            tpm: None,
            imds: None,
            uefi_data: None,
            instance_store: BTreeMap::new(),
            usage_operation: "RunInstances".into(),
            platform: None,
            product_codes: Vec::new(),
            image_readable: true,
        },
        volumes: vec![disk(2, "/dev/sdf"), disk(1, "/dev/xvda")],
        left_out: Vec::new(),
    }
}

/// A point of two disks, to be copied to Ireland.
fn point() -> Point {
    let policy = PolicyName::parse("gold").expect("a policy name");
    let instance = machine().instance.id;
    let slot = Slot { policy, instance, occasion: Occasion::Scheduled(at(0)) };
    let ireland =
        Replicate { region: region(IRELAND), kms_key: None, deadline_secs: None, retain: None };
    let plan = Plan { copy_tags: true, replicate: vec![ireland], ..Plan::default() };
    let point = Point::requested(slot, region(HOME), plan, at(0));
    Point { machine: Some(machine()), ..point }
}

/// A complete snapshot of a volume, as an attempt would make it.
fn snapshot(number: u32, of: u32, attempt: u32) -> ObservedSnapshot {
    ObservedSnapshot {
        id: snap(number),
        volume: Some(volume(of)),
        state: SnapshotState::Completed,
        message: None,
        started_at: at(5 + 600 * i64::from(attempt)),
        kms_key: None,
        copied_for: None,
        tags: snapshot_tags(&point(), attempt),
    }
}

/// An image made of two snapshots with these numbers, of the root and of the other disk.
fn image(number: u32, snapshots: [u32; 2], attempt: u32) -> ObservedImage {
    let device = |name: &str, number| ObservedDevice {
        name: name.into(),
        snapshot: Some(snap(number)),
        size_gib: Some(8),
        volume_type: Some("gp3".into()),
        iops: Some(3000),
        throughput: Some(125),
        delete_on_termination: Some(true),
        encrypted: Some(true),
    };
    ObservedImage {
        id: ami(number),
        name: format!("{NAME}-{attempt}"),
        state: ImageState::Available,
        message: None,
        created_at: Some(at(900)),
        snapshots: snapshots.map(snap).to_vec(),
        devices: vec![device("/dev/xvda", snapshots[0]), device("/dev/sdf", snapshots[1])],
        attributes: Attributes {
            architecture: Some("x86_64".into()),
            virtualization: Some("hvm".into()),
            root_device: Some("/dev/xvda".into()),
            root_device_type: Some("ebs".into()),
            ena: true,
            boot_mode: Some("uefi".into()),
            usage_operation: Some("RunInstances".into()),
            ..Attributes::default()
        },
        source: None,
        tags: image_tags(&point(), attempt),
    }
}

fn copy(number: u32, of: u32, attempt: u32) -> ObservedImage {
    ObservedImage { source: Some((region(HOME), ami(of))), ..image(number, [71, 72], attempt) }
}

fn seen(home: &[ObservedImage], snapshots: &[ObservedSnapshot], ireland: &[ObservedImage]) -> Seen {
    let images = [(region(HOME), home), (region(IRELAND), ireland)];
    let images = images.map(|(region, images)| (region, Complete(images.to_vec())));
    let snapshots = [(region(HOME), Complete(snapshots.to_vec()))];
    let (images, snapshots) = (BTreeMap::from(images), BTreeMap::from(snapshots));
    Seen { images, snapshots, bare: BTreeMap::new() }
}

fn set() -> [ObservedSnapshot; 2] {
    [snapshot(11, 1, 0), snapshot(12, 2, 0)]
}

fn whole() -> Seen {
    seen(&[image(1, [11, 12], 0)], &set(), &[copy(5, 1, 0)])
}

/// The one point that was found; and every record holds what holds of all records.
fn the_point(found: &Found) -> &Point {
    assert_eq!(found.points.len(), 1, "{found:#?}");
    let rebuilt = &found.points[0];
    assert_eq!(rebuilt.point.check(), Ok(()));
    assert!(rebuilt.point.unverified);
    assert!(rebuilt.replicas.iter().all(|replica| replica.check() == Ok(())));
    &rebuilt.point
}

fn whys(found: &Found) -> Vec<(String, String)> {
    let pair = |it: &afterimage_core::rebuild::Unusable| (it.artefact.clone(), it.why.clone());
    found.unusable.iter().map(pair).collect()
}

#[test]
fn a_whole_point_is_what_it_was() {
    let found = decide(&whole());
    assert_eq!(found.unusable, []);
    let rebuilt = the_point(&found);
    assert_eq!(rebuilt.status, Status::Protected);
    assert_eq!((rebuilt.grade, rebuilt.requested_at), (Some(Grade::AtRest), at(0)));
    assert_eq!(rebuilt.machine, Some(machine()));
    assert_eq!(rebuilt.image, Some(ami(1)));
    assert_eq!(rebuilt.snapshots, BTreeMap::from([(volume(1), snap(11)), (volume(2), snap(12))]));
    assert_eq!(rebuilt.taken_at, Some(at(5)));
    assert_eq!(rebuilt.replicas, BTreeMap::from([(region(IRELAND), Place::Available)]));
    let replica = &found.points[0].replicas[0];
    assert_eq!((replica.status, &replica.source), (ReplicaStatus::Available, &ami(1)));
    assert_eq!(replica.image, Some(ami(5)));
}

#[test]
fn a_point_without_its_replica_has_lost_it_and_it_is_made_again_at_once() {
    let found = decide(&seen(&[image(1, [11, 12], 0)], &set(), &[]));
    let point = the_point(&found);
    assert_eq!((point.status, &point.image), (Status::Imaged, &Some(ami(1))));
    assert_eq!(point.reason.as_ref().map(|reason| reason.code), Some(Code::Lost));
    assert_eq!(point.replicas, BTreeMap::from([(region(IRELAND), Place::Lost)]));
    let replica = &found.points[0].replicas[0];
    assert_eq!((replica.status, replica.step.due_at), (ReplicaStatus::Lost, Some(at(0))));
    point.check().expect("it is as it must be");
    replica.check().expect("it is as it must be");
}

#[test]
fn a_replica_that_is_there_and_disabled_is_of_no_use_until_it_is_enabled() {
    let state = |number, state| ObservedImage { state, ..copy(number, 1, number - 5) };
    let disabled = state(5, ImageState::Disabled);
    let found = decide(&seen(&[image(1, [11, 12], 0)], &set(), std::slice::from_ref(&disabled)));
    let (point, replica) = (the_point(&found), &found.points[0].replicas[0]);
    assert_eq!((replica.status, &replica.image), (ReplicaStatus::Unusable, &Some(ami(5))));
    assert_eq!(point.replicas, BTreeMap::from([(region(IRELAND), Place::Unusable)]));
    let reasons = [&point.reason, &replica.reason];
    let codes = reasons.map(|reason| reason.as_ref().map(|reason| reason.code));
    assert_eq!(codes, [Some(Code::ImageDisabled); 2]);
    for (one, other) in [(0, 1), (1, 0)] {
        let both = [disabled.clone(), state(6, ImageState::Available)];
        let both = [both[one].clone(), both[other].clone()];
        let found = decide(&seen(&[image(1, [11, 12], 0)], &set(), &both));
        let replica = &found.points[0].replicas[0];
        assert_eq!((replica.status, &replica.image), (ReplicaStatus::Available, &Some(ami(6))));
        assert_eq!((&replica.reason, replica.step.due_at), (&None, None));
        assert_eq!(replica.leftovers, [ami(5).into()]);
    }
}

/// The image at home is gone, and its only copy is disabled.
#[test]
fn a_point_is_known_by_a_copy_that_is_disabled() {
    let copy = ObservedImage { state: ImageState::Disabled, ..copy(5, 1, 0) };
    let found = decide(&seen(&[], &[], &[copy]));
    let point = the_point(&found);
    assert_eq!((point.status, &point.lost), (Status::Imaged, &Some(ami(1))));
    assert_eq!(point.home_place, Place::Lost);
    assert_eq!(point.replicas, BTreeMap::from([(region(IRELAND), Place::Unusable)]));
}

#[test]
fn a_replica_in_a_region_that_was_not_listed_is_undecided() {
    let mut seen = whole();
    seen.images.remove(&region(IRELAND));
    let found = decide(&seen);
    let point = the_point(&found);
    assert_eq!((point.status, &point.image), (Status::Imaged, &Some(ami(1))));
    assert_eq!(point.reason.as_ref().map(|reason| reason.code), Some(Code::NotListed));
    assert_eq!(point.replicas, BTreeMap::from([(region(IRELAND), Place::Underway)]));
    let replica = &found.points[0].replicas[0];
    assert_eq!((replica.status, &replica.image), (ReplicaStatus::Copying, &None));
}

#[test]
fn what_earlier_tries_left_belongs_to_the_point() {
    let failed = ObservedSnapshot { state: SnapshotState::Error, ..snapshot(9, 1, 0) };
    let set = [failed, snapshot(11, 1, 1), snapshot(12, 2, 1)];
    let lost = ObservedImage {
        state: ImageState::Failed,
        snapshots: Vec::new(),
        devices: Vec::new(),
        ..image(1, [11, 12], 0)
    };
    let failed_copy = ObservedImage { state: ImageState::Failed, ..copy(5, 2, 0) };
    let home = [lost, image(2, [11, 12], 1)];
    let found = decide(&seen(&home, &set, &[failed_copy, copy(6, 2, 1)]));
    let point = the_point(&found);
    assert_eq!((point.status, &point.image), (Status::Protected, &Some(ami(2))));
    assert_eq!(point.step.attempt, 1);
    assert_eq!(point.leftovers, [ami(1).into(), snap(9).into()]);
    let replica = &found.points[0].replicas[0];
    assert_eq!((&replica.image, replica.step.attempt), (&Some(ami(6)), 1));
    assert_eq!(replica.leftovers, [ami(5).into()]);
    assert_eq!(found.unusable, []);
}

#[test]
fn of_two_images_the_one_counts_that_was_copied_and_else_that_of_the_last_try() {
    let home = [image(1, [11, 12], 0), image(2, [11, 12], 1)];
    let found = decide(&seen(&home, &set(), &[]));
    assert_eq!(the_point(&found).image, Some(ami(2)));
    assert_eq!(the_point(&found).leftovers, [ami(1).into()]);
    let found = decide(&seen(&home, &set(), &[copy(5, 1, 0)]));
    assert_eq!(the_point(&found).image, Some(ami(1)));
}

#[test]
fn copies_of_an_image_that_was_registered_again_since_are_the_replicas() {
    let found = decide(&seen(&[image(2, [11, 12], 1)], &set(), &[copy(5, 1, 0)]));
    let point = the_point(&found);
    assert_eq!((point.status, &point.image), (Status::Protected, &Some(ami(2))));
    assert_eq!(found.points[0].replicas[0].image, Some(ami(5)));
    assert_eq!(found.unusable, []);
}

#[test]
fn a_point_of_which_only_remains_are_there_has_failed() {
    let found = decide(&seen(&[], &set(), &[]));
    let point = the_point(&found);
    assert_eq!((point.status, &point.image, &point.grade), (Status::Failed, &None, &None));
    assert_eq!(point.leftovers, [snap(11).into(), snap(12).into()]);
    let failed = ObservedImage {
        state: ImageState::Failed,
        snapshots: Vec::new(),
        devices: Vec::new(),
        ..image(1, [11, 12], 0)
    };
    let found = decide(&seen(&[failed], &[], &[]));
    assert_eq!(the_point(&found).leftovers, [ami(1).into()]);
}

#[test]
fn what_is_on_its_way_is_left_for_the_next_run() {
    let of = |state| ObservedImage { state, ..image(1, [11, 12], 0) };
    let found = decide(&seen(&[of(ImageState::Pending)], &set(), &[]));
    assert_eq!(found.points, []);
    assert_eq!(whys(&found).len(), 1);
    let pending = ObservedImage { state: ImageState::Pending, ..copy(5, 1, 0) };
    let found = decide(&seen(&[image(1, [11, 12], 0)], &set(), &[pending]));
    assert_eq!(found.points, []);
    let [root, disk] = set();
    let filling = [root, ObservedSnapshot { state: SnapshotState::Pending, ..disk }];
    assert_eq!(decide(&seen(&[], &filling, &[])).points, []);
}

#[test]
fn an_image_that_is_disabled_is_that_of_its_point_and_of_no_use() {
    let disabled = ObservedImage { state: ImageState::Disabled, ..image(1, [11, 12], 0) };
    for copies in [vec![copy(5, 1, 0)], Vec::new()] {
        let found = decide(&seen(std::slice::from_ref(&disabled), &set(), &copies));
        let point = the_point(&found);
        assert_eq!((point.status, point.home_place), (Status::Imaged, Place::Unusable));
        assert_eq!(point.image, Some(ami(1)));
        assert_eq!(point.reason.as_ref().map(|reason| reason.code), Some(Code::ImageDisabled));
        assert!(point.step.due_at.is_some(), "a look tells a person");
        let replica = &found.points[0].replicas[0];
        assert_eq!(replica.image, copies.first().map(|copy| copy.id.clone()));
    }
    // Another one that can be used goes first.
    let found = decide(&seen(&[disabled, image(2, [11, 12], 0)], &set(), &[]));
    assert_eq!(the_point(&found).image, Some(ami(2)));
}

#[test]
fn a_set_without_an_image_is_whole_where_no_image_was_wanted() {
    let mut only = point();
    only.plan.kind = Artefact::Snapshots;
    only.plan.replicate = Vec::new();
    let set = set().map(|seen| ObservedSnapshot { tags: snapshot_tags(&only, 0), ..seen });
    let found = decide(&seen(&[], &set, &[]));
    let point = the_point(&found);
    assert_eq!((point.status, &point.machine), (Status::Protected, &None));
    assert_eq!(point.snapshots.len(), 2);
    assert_eq!(found.points[0].name.as_deref(), Some("web"));
    let half = decide(&seen(&[], &set[..1], &[]));
    assert_eq!(the_point(&half).status, Status::Failed, "half of a set is none");
    let later = ObservedSnapshot { started_at: at(6), ..set[1].clone() };
    let torn = decide(&seen(&[], &[set[0].clone(), later], &[]));
    assert_eq!(the_point(&torn).status, Status::Failed, "two instants are no set");
}

#[test]
fn what_the_facts_do_not_bear_out_is_told_and_the_point_is_what_is_left_of_it() {
    let copied = ObservedImage { name: "my own".into(), ..copy(6, 1, 0) };
    let other = ObservedImage { source: Some((region(HOME), ami(7))), ..copy(8, 1, 0) };
    let renamed = ObservedImage { name: "golden".into(), ..image(3, [11, 12], 4) };
    let half = image(4, [11, 11], 3);
    let stolen = ObservedSnapshot { volume: Some(volume(3)), ..snapshot(13, 1, 0) };
    let old = ObservedSnapshot { started_at: at(-31), ..snapshot(14, 1, 0) };
    let mut later = point();
    later.requested_at = at(60);
    let contradicts = ObservedSnapshot { tags: snapshot_tags(&later, 0), ..snapshot(15, 1, 1) };
    let [root, disk] = set();
    let home = [image(1, [11, 12], 0), renamed, half];
    let all = [root, disk, stolen, old, contradicts];
    let found = decide(&seen(&home, &all, &[copy(5, 1, 0), copied, other]));
    let point = the_point(&found);
    assert_eq!((point.status, &point.image), (Status::Protected, &Some(ami(1))));
    assert_eq!(point.leftovers, []);
    let told: BTreeMap<String, String> = whys(&found).into_iter().collect();
    let expected = [
        (ami(3).to_string(), "its name"),
        (ami(4).to_string(), "its block devices"),
        (ami(6).to_string(), "its name"),
        (ami(8).to_string(), "its source is not the image"),
        (snap(13).to_string(), "its volume"),
        (snap(14).to_string(), "it was started before"),
        (snap(15).to_string(), "its tags contradict those"),
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (artefact, why) in expected {
        assert!(told[&artefact].starts_with(why), "{artefact}: {told:#?}");
    }
}

#[test]
fn an_image_that_ec2_made_of_the_machine_is_no_copy_of_what_that_was_launched_from() {
    let mut created = image(1, [11, 12], 0);
    created.source = Some((region(HOME), ami(900)));
    assert_eq!(the_point(&decide(&seen(&[created.clone()], &set(), &[]))).image, None);
    created.attributes.source_instance = Some(machine().instance.id);
    let found = decide(&seen(&[created], &set(), &[copy(5, 1, 0)]));
    let point = the_point(&found);
    assert_eq!((point.status, &point.image), (Status::Protected, &Some(ami(1))));
    let method = point.method.as_ref().map(|chosen| chosen.method);
    assert_eq!(method, Some(Method::CreateImage));
}

#[test]
fn a_replica_where_none_was_wanted_is_not_one() {
    let mut seen = whole();
    seen.images.insert(region("eu-central-1"), Complete(vec![copy(6, 1, 0)]));
    let found = decide(&seen);
    assert_eq!(the_point(&found).replicas.len(), 1);
    assert_eq!(whys(&found)[0].0, ami(6).to_string());
}

/// How many points a doubted ledger adopts of artefacts that say they are of an occasion, while
/// their machine is in this state.
fn adopted(occasion: Occasion, state: State) -> usize {
    let slot = Slot { occasion, ..point().slot };
    let plan = Plan { replicate: Vec::new(), ..point().plan };
    let point = Point { id: PointId::of(&slot), slot, plan, ..point() };
    let tagged = |seen| ObservedSnapshot { tags: snapshot_tags(&point, 0), ..seen };
    let name = format!("{}-0", point.id);
    let image = ObservedImage { name, tags: image_tags(&point, 0), ..image(1, [11, 12], 0) };
    let Seen { images, snapshots, .. } = seen(&[image], &set().map(tagged), &[]);
    let machine = Instance { state, ..machine().instance };
    let fleet = BTreeMap::from([(region(HOME), Complete(vec![machine]))]);
    let tagged = Tagged { images, snapshots, fleet, ..Tagged::default() };
    let doubts =
        BTreeMap::from([(region(HOME), Doubt { since: None, count: 1, is_behind: false })]);
    went_back::found(&tagged, &doubts, at(3600)).points.len()
}

#[test]
fn nothing_is_adopted_for_a_slot_to_come_or_for_a_run_that_has_not_ended() {
    let stop = Occasion::Stopped { launched: at(-3600) };
    assert_eq!(adopted(Occasion::Scheduled(at(0)), State::Stopped), 1);
    assert_eq!(adopted(Occasion::Scheduled(at(86_400)), State::Stopped), 0);
    assert_eq!(adopted(stop.clone(), State::Stopped), 1);
    assert_eq!(adopted(stop, State::Running), 0);
}

#[test]
fn a_point_whose_image_is_gone_has_the_copies_of_it() {
    let ids = BTreeMap::from([(volume(1), snap(11)), (volume(2), snap(12))]);
    for (set, known) in [(&set()[..], ids), (&set()[..1], BTreeMap::new()), (&[], BTreeMap::new())]
    {
        let found = decide(&seen(&[], set, &[copy(5, 1, 0)]));
        let point = the_point(&found);
        assert_eq!((point.status, point.home_place), (Status::Imaged, Place::Lost));
        assert_eq!((&point.image, &point.lost), (&None, &Some(ami(1))));
        assert_eq!(point.reason.as_ref().map(|reason| reason.code), Some(Code::Lost));
        assert_eq!((&point.snapshots, point.grade), (&known, Some(Grade::AtRest)));
        assert_eq!(point.leftovers.len(), set.len() - known.len());
        assert_eq!(point.machine, (!known.is_empty()).then(machine));
        assert_eq!(point.taken_at, Some(if known.is_empty() { at(0) } else { at(5) }));
        assert_eq!(point.replicas, BTreeMap::from([(region(IRELAND), Place::Available)]));
        assert_eq!(found.points[0].replicas[0].image, Some(ami(5)));
        assert_eq!(found.unusable, []);
    }
}

#[test]
fn what_is_no_copy_of_an_image_of_its_point_does_not_vouch_for_it() {
    let unnamed = ObservedImage { name: "my own".into(), ..copy(5, 1, 0) };
    let elsewhere = ObservedImage { source: Some((region(IRELAND), ami(1))), ..copy(5, 1, 0) };
    let registered = ObservedImage { source: None, ..copy(5, 1, 0) };
    let failed = ObservedImage { state: ImageState::Failed, ..copy(5, 1, 0) };
    for one in [unnamed, elsewhere, registered, failed] {
        let found = decide(&seen(&[], &[], std::slice::from_ref(&one)));
        assert_eq!(found.points, [], "{one:#?}");
        assert_eq!(whys(&found).len(), 1);
    }
    // Where the home was not listed, nothing shows that the image is gone.
    let mut unlisted = seen(&[], &[], &[copy(5, 1, 0)]);
    unlisted.images.remove(&region(HOME));
    assert_eq!(decide(&unlisted).points, []);
    // What else is there of the point belongs to another image.
    let found = decide(&seen(&[], &[], &[copy(5, 1, 0), copy(6, 2, 0), copy(7, 2, 1)]));
    assert_eq!(the_point(&found).lost, Some(ami(2)));
    assert_eq!(
        whys(&found),
        [(ami(5).to_string(), "its source is not the image of its point".into())]
    );
}
