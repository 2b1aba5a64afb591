//! What carries our tag: ours, ours and not needed, or somebody else's.
//!
//! One point, made at the first attempt, with two volumes and a replica in Ireland; everything of
//! it is listed, and one thing more, or one thing otherwise, in each row.

use std::collections::BTreeMap;

use crate::render::render;

use afterimage_core::command::{Change, Command, Finding, Record};
use afterimage_core::flow::artefact_audit::Tagged;
use afterimage_core::flow::reconcile_tick::{Input, decide};
use afterimage_core::ids::{AmiId, Region};
use afterimage_core::machine::{Build, Machine, State, Volume};
use afterimage_core::observed::{
    Attributes, Complete, ImageState, ObservedImage, ObservedSnapshot, SnapshotState,
};
use afterimage_core::point::{Chosen, Place, Plan, Point, Replica, ReplicaStatus};
use afterimage_core::policy::Method;
use afterimage_core::reason::{Code, Reason};
use afterimage_core::slot::{Occasion, Slot};
use afterimage_core::status::Status;

use crate::sweep::quiet;
use crate::{at, machine, region, resource, tags};

pub const HOME: &str = "us-east-1";
pub const AWAY: &str = "eu-west-1";
pub const ID: &str = "gold-0aaaaaaaaaaaaaaa1-at-20260106T190000Z";
const NAME: &str = "gold-0aaaaaaaaaaaaaaa1-at-20260106T190000Z-0";
const NEXT_NAME: &str = "gold-0aaaaaaaaaaaaaaa1-at-20260106T190000Z-1";

pub fn id<T: TryFrom<String, Error: std::fmt::Debug>>(text: &str) -> T {
    text.to_string().try_into().expect("an id")
}

fn volume(number: u8) -> Volume {
    Volume {
        tags: BTreeMap::new(),
        id: id(&format!("vol-0000000{number}")),
        device: format!("/dev/xvd{number}"),
        size_gib: 8,
        volume_type: "gp3".into(),
        iops: None,
        throughput: None,
        delete_on_termination: true,
        encrypted: false,
        kms_key: None,
        shared: false,
    }
}

fn build() -> Build {
    Build {
        platform: None,
        image: id("ami-0000ffff"),
        architecture: "x86_64".into(),
        virtualization: "hvm".into(),
        root_device_type: "ebs".into(),
        root_device: "/dev/xvd1".into(),
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
    }
}

/// Protected, with `snap-00000001` and `snap-00000002`, and `ami-00000001`.
pub fn point() -> Point {
    let instance = machine(1, HOME, State::Running);
    let occasion = Occasion::Scheduled(at("2026-01-06T19:00:00Z"));
    let slot = Slot { policy: id("gold"), instance: instance.id.clone(), occasion };
    let now = at("2026-01-06T19:00:10Z");
    let mut point = Point::requested(slot, region(HOME), Plan::default(), now);
    assert_eq!(point.id.as_str(), ID);
    point.status = Status::Protected;
    point.step.due_at = None;
    point.taken_at = Some(at("2026-01-06T19:00:15Z"));
    point.machine = Some(Machine {
        left_out: Vec::new(),
        instance,
        build: build(),
        volumes: vec![volume(1), volume(2)],
    });
    let set = [("vol-00000001", "snap-00000001"), ("vol-00000002", "snap-00000002")];
    point.snapshots = set.map(|(volume, snapshot)| (id(volume), id(snapshot))).into();
    point.image = Some(id("ami-00000001"));
    point.replicas = [(region(AWAY), Place::Available)].into();
    point
}

/// Available, as `ami-0000000a` with `snap-0000000a`.
pub fn replica(point: &Point) -> Replica {
    let source: AmiId = id("ami-00000001");
    let mut replica = Replica::wanted(point, &source, &region(AWAY), at("2026-01-06T20:00:00Z"));
    replica.status = ReplicaStatus::Available;
    replica.step.due_at = None;
    replica.image = Some(id("ami-0000000a"));
    replica
}

fn our_tags(attempt: &str) -> BTreeMap<String, String> {
    tags(&[("afterimage:point", ID), ("afterimage:attempt", attempt)])
}

pub fn snapshot(name: &str, volume: &str) -> ObservedSnapshot {
    ObservedSnapshot {
        id: id(name),
        volume: Some(id(volume)),
        state: SnapshotState::Completed,
        message: None,
        started_at: at("2026-01-06T19:00:20Z"),
        kms_key: None,
        copied_for: None,
        tags: our_tags("0"),
    }
}

pub fn image(name: &str, snapshots: &[&str]) -> ObservedImage {
    ObservedImage {
        attributes: Attributes { ena: true, ..Attributes::default() },
        devices: Vec::new(),
        id: id(name),
        name: NAME.into(),
        state: ImageState::Available,
        message: None,
        created_at: None,
        snapshots: snapshots.iter().map(|snapshot| id(snapshot)).collect(),
        source: None,
        tags: our_tags("0"),
    }
}

/// A copy of the point's image.
fn copy(name: &str, snapshots: &[&str]) -> ObservedImage {
    let source = Some((region(HOME), id("ami-00000001")));
    ObservedImage { source, ..image(name, snapshots) }
}

/// All there is, and all of it is as it should be.
struct World {
    point: Point,
    replica: Option<Replica>,
    snapshots: Vec<(&'static str, ObservedSnapshot)>,
    images: Vec<(&'static str, ObservedImage)>,
    known: Vec<Finding>,
}

impl World {
    fn new() -> World {
        let point = point();
        World {
            replica: Some(replica(&point)),
            point,
            snapshots: vec![
                (HOME, snapshot("snap-00000001", "vol-00000001")),
                (HOME, snapshot("snap-00000002", "vol-00000002")),
                (AWAY, snapshot("snap-0000000a", "vol-ffffffff")),
                (AWAY, snapshot("snap-0000000b", "vol-ffffffff")),
            ],
            images: vec![
                (HOME, image("ami-00000001", &["snap-00000001", "snap-00000002"])),
                (AWAY, copy("ami-0000000a", &["snap-0000000a", "snap-0000000b"])),
            ],
            known: Vec::new(),
        }
    }

    fn look(self) -> afterimage_core::command::Decision {
        let point_id = self.point.id.clone();
        let replica = self.replica.map(|replica| ((point_id.clone(), region(AWAY)), replica));
        let tagged = Tagged {
            snapshots: by_region(self.snapshots),
            images: by_region(self.images),
            points: [(point_id, self.point)].into(),
            replicas: replica.into_iter().collect(),
            known: self.known,
            ..Tagged::default()
        };
        decide(&Input { now: at(NOW), tagged: Some(tagged), ..quiet() })
    }
}

const NOW: &str = "2026-01-07T12:00:00Z";

fn by_region<T>(seen: Vec<(&'static str, T)>) -> BTreeMap<Region, Complete<T>> {
    let mut by_region: BTreeMap<Region, Complete<T>> = BTreeMap::new();
    for (place, one) in seen {
        by_region.entry(region(place)).or_insert_with(|| Complete(Vec::new())).0.push(one);
    }
    by_region
}

/// What the sweep says when the world is as it should be but for this; it always looks to the end.
#[track_caller]
fn check(expected: &[&str], otherwise: impl FnOnce(&mut World)) {
    let mut world = World::new();
    otherwise(&mut world);
    let mut expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
    let first_said = expected.iter().position(|line| line.starts_with('-'));
    expected.insert(first_said.unwrap_or(expected.len()), format!("= looked at {NOW}"));
    let plan = render(&world.look());
    assert_eq!(plan.lines().collect::<Vec<_>>(), expected, "\n{plan}");
}

/// One more snapshot at home, which is nobody's.
fn foreign_snapshot(why: &str, snapshot: ObservedSnapshot) {
    let (id, why) = (snapshot.id.to_string(), format!("{why} (foreign)"));
    check(&[&format!("! {HOME} {id}: {why}")], |world| {
        world.snapshots.push((HOME, snapshot));
    });
}

fn foreign_image(place: &'static str, why: &str, image: ObservedImage) {
    let (id, why) = (image.id.to_string(), format!("{why} (foreign)"));
    check(&[&format!("! {place} {id}: {why}")], |world| {
        world.images.push((place, image));
    });
}

const SURPLUS: &str = "created for gold-0aaaaaaaaaaaaaaa1-at-20260106T190000Z; it is not needed \
                       (surplus)";

#[test]
fn what_the_ledger_names_is_fine() {
    check(&[], |_| {});
    check(&[], |world| {
        world.point.leftovers = vec![resource("snap-00000003"), resource("ami-00000003")];
        world.snapshots.push((HOME, snapshot("snap-00000003", "vol-00000009")));
        world.images.push((HOME, image("ami-00000003", &["snap-00000009"])));
        let replica = world.replica.as_mut().expect("it has one");
        replica.leftovers = vec![resource("ami-0000000c")];
        world.images.push((AWAY, image("ami-0000000c", &["snap-0000000c"])));
        world.snapshots.push((AWAY, snapshot("snap-0000000c", "vol-ffffffff")));
    });
}

#[test]
fn snapshots_of_a_call_that_was_not_heard_of_again_are_linked_to_their_point_in_one_change() {
    check(
        &[
            &format!(
                "~ {ID}: protected, at-rest, ami-00000001, leftovers snap-00000003 snap-00000004"
            ),
            &format!("- snap-00000003: {SURPLUS}"),
            &format!("- snap-00000004: {SURPLUS}"),
        ],
        |world| {
            world.point.grade = Some(afterimage_core::machine::Grade::AtRest);
            world.snapshots.push((HOME, snapshot("snap-00000003", "vol-00000001")));
            world.snapshots.push((HOME, snapshot("snap-00000004", "vol-00000002")));
        },
    );
}

#[test]
fn what_is_linked_is_written_against_the_version_that_was_read() {
    let mut world = World::new();
    world.point.version = 7;
    world.snapshots.push((HOME, snapshot("snap-00000003", "vol-00000001")));
    let expected = Point { version: 8, leftovers: vec![resource("snap-00000003")], ..point() };
    let decision = world.look();
    let [Command::Record(change), Command::Looked(..)] = &decision.commands[..] else {
        panic!("{}", render(&decision))
    };
    let Change { writes, summary: None } = &**change else { panic!("{change:?}") };
    let [write] = &writes[..] else { panic!("{change:?}") };
    assert_eq!(write.expected, 7);
    assert_eq!(write.record, Record::Point(Box::new(expected)));
}

#[test]
fn an_image_of_a_call_that_was_not_heard_of_again_is_linked_to_its_point() {
    check(
        &[
            &format!("~ {ID}: protected, ami-00000001, leftovers ami-00000003"),
            &format!("- ami-00000003: {SURPLUS}"),
        ],
        |world| {
            let twin = image("ami-00000003", &["snap-00000001", "snap-00000002"]);
            let twin = ObservedImage { name: NEXT_NAME.into(), tags: our_tags("1"), ..twin };
            world.images.push((HOME, twin));
        },
    );
}

/// An image that EC2 created of the machine, as the second attempt would have it.
fn created() -> ObservedImage {
    let mut twin = image("ami-00000003", &["snap-00000003"]);
    twin.attributes.source_instance = Some(id("i-0aaaaaaaaaaaaaaa1"));
    let created_at = Some(at("2026-01-06T19:00:20Z"));
    ObservedImage { name: NEXT_NAME.into(), tags: our_tags("1"), created_at, ..twin }
}

#[test]
fn an_image_that_ec2_created_is_ours_by_its_machine_and_its_age() {
    let method = Some(Chosen { method: Method::CreateImage, why: "it says so".into() });
    let with = |image: ObservedImage, expected: &[&str]| {
        check(expected, |world| {
            world.point.method.clone_from(&method);
            world.images.push((HOME, image));
        });
    };
    let linked = format!("~ {ID}: protected, ami-00000001, leftovers ami-00000003");
    with(created(), &[&linked, &format!("- ami-00000003: {SURPLUS}")]);
    let foreign = |why: &str| format!("! {HOME} ami-00000003: {why} (foreign)");
    let mut other = created();
    other.attributes.source_instance = None;
    with(other, &[&foreign("its source instance is not the machine of its point")]);
    let old = ObservedImage { created_at: Some(at("2026-01-06T18:00:00Z")), ..created() };
    with(old, &[&foreign("it was created before its point was requested")]);
    let unknown = ObservedImage { created_at: None, ..created() };
    with(unknown, &[&foreign("it was created before its point was requested")]);
    // A point whose image is registered has had none created.
    foreign_image(HOME, "its snapshots are not the snapshots of its point", created());
}

#[test]
fn what_ec2_is_creating_is_left_until_its_image_is_available() {
    for status in [Status::Creating, Status::Created] {
        check(&[], |world| {
            world.point.status = status;
            world.point.method =
                Some(Chosen { method: Method::CreateImage, why: "it says so".into() });
            world.point.snapshots.clear();
            world.replica = None;
            world.images.truncate(1);
            world.snapshots.truncate(2);
        });
    }
}

#[test]
fn a_copy_of_a_call_that_was_not_heard_of_again_is_linked_to_its_replica_with_its_snapshots() {
    check(
        &[
            &format!(
                "~ {ID} in eu-west-1: available, ami-0000000a, attempt 1, leftovers ami-0000000c"
            ),
            &format!("- ami-0000000c: {SURPLUS}"),
        ],
        |world| {
            world.replica.as_mut().expect("it has one").step.attempt = 1;
            world.images.push((AWAY, copy("ami-0000000c", &["snap-0000000c"])));
            world.snapshots.push((AWAY, snapshot("snap-0000000c", "vol-ffffffff")));
        },
    );
}

#[test]
fn what_the_step_at_hand_may_have_made_is_left_to_its_worker() {
    check(&[], |world| {
        world.point.status = Status::Snapshotting;
        world.point.snapshots.clear();
        world.point.image = None;
        world.replica = None;
        world.images.clear();
        world.snapshots.truncate(2);
    });
    check(&[], |world| {
        world.point.status = Status::Registering;
        world.point.image = None;
        world.replica = None;
        world.images.truncate(1);
        world.snapshots.truncate(2);
    });
    for status in [ReplicaStatus::Copying, ReplicaStatus::Pending] {
        check(&[], |world| {
            let replica = world.replica.as_mut().expect("it has one");
            replica.status = status;
            // The image is pending, and does not show all of its mapping yet.
            world.images[1].1.snapshots.truncate(1);
            if status == ReplicaStatus::Copying {
                replica.image = None;
            }
        });
    }
    check(&[], |world| {
        let early = image("ami-00000003", &[]);
        world.images.push((HOME, ObservedImage { state: ImageState::Pending, ..early }));
    });
}

#[test]
fn what_the_token_of_a_copy_that_is_put_off_has_made_is_left_to_its_worker() {
    // Its first call had no answer, and the next was asked to wait.
    let put_off = |world: &mut World, attempt| {
        let replica = world.replica.as_mut().expect("it has one");
        replica.status = ReplicaStatus::Waiting;
        replica.image = None;
        replica.step.attempt = attempt;
    };
    check(&[], |world| put_off(world, 0));
    // The next try has another token.
    check(
        &[
            &format!("~ {ID} in eu-west-1: waiting, attempt 1, leftovers ami-0000000a"),
            &format!("- ami-0000000a: {SURPLUS}"),
        ],
        |world| put_off(world, 1),
    );
}

#[test]
fn a_snapshot_that_the_facts_do_not_vouch_for_is_foreign() {
    let planted = || snapshot("snap-00000003", "vol-00000001");
    let other = "its volume does not belong to the machine of its point";
    foreign_snapshot(other, ObservedSnapshot { volume: Some(id("vol-00000009")), ..planted() });
    foreign_snapshot(other, ObservedSnapshot { volume: Some(id("vol-ffffffff")), ..planted() });
    foreign_snapshot(other, ObservedSnapshot { volume: None, ..planted() });
    // Thirty seconds are left to clocks that differ; the point was requested at 19:00:10.
    let began = |text: &str| ObservedSnapshot { started_at: at(text), ..planted() };
    let before = "it was started before its point was requested";
    foreign_snapshot(before, began("2026-01-06T18:59:39Z"));
    // Fifty seconds after the intent of the call at 19:00:15, for the call and the clocks.
    let after = "it was started after the snapshots of its point were made";
    foreign_snapshot(after, began("2026-01-06T19:01:06Z"));
    for edge in ["2026-01-06T18:59:40Z", "2026-01-06T19:01:05Z"] {
        let line = format!("~ {ID}: protected, ami-00000001, leftovers snap-00000003");
        check(&[&line, &format!("- snap-00000003: {SURPLUS}")], |world| {
            world.snapshots.push((HOME, began(edge)));
        });
    }
    for attempt in ["", "-1", "one", "21", "4294967296", " 0"] {
        foreign_snapshot(
            "its attempt number matches no attempt of its point",
            ObservedSnapshot { tags: our_tags(attempt), ..planted() },
        );
    }
    let mut untold = planted();
    untold.tags.remove("afterimage:attempt");
    foreign_snapshot("its attempt number matches no attempt of its point", untold);
}

#[test]
fn an_attempt_that_is_still_to_be_made_has_left_nothing() {
    let why = "its attempt number matches no attempt of its point (foreign)";
    check(&[&format!("! us-east-1 snap-00000003: {why}")], |world| {
        world.point.status = Status::Snapshotted;
        world.point.image = None;
        world.replica = None;
        world.images.clear();
        world.snapshots.truncate(2);
        let early = snapshot("snap-00000003", "vol-00000001");
        world.snapshots.push((HOME, ObservedSnapshot { tags: our_tags("1"), ..early }));
    });
}

#[test]
fn a_tag_that_names_no_point_makes_nothing_ours() {
    let long = "g".repeat(256);
    let none = "its point tag is not the id of a point";
    let tagged = |value: &str| {
        let tags = tags(&[("afterimage:point", value), ("afterimage:attempt", "0")]);
        ObservedSnapshot { tags, ..snapshot("snap-00000003", "vol-00000001") }
    };
    for value in ["", "gold", NAME, "---", "é", "gold-0aaaaaaaaaaaaaaa1-at-2026", &long] {
        foreign_snapshot(none, tagged(value));
        let tags = tagged(value).tags;
        foreign_image(
            AWAY,
            none,
            ObservedImage { tags, ..copy("ami-0000000c", &["snap-0000000c"]) },
        );
    }
    let unknown = "gold-0aaaaaaaaaaaaaaa1-at-20260106T190001Z";
    foreign_snapshot("its point is not in the ledger", tagged(unknown));
}

#[test]
fn an_image_that_the_facts_do_not_vouch_for_is_foreign() {
    let ours = ["snap-00000001", "snap-00000002"];
    let planted = |snapshots: &[&str]| image("ami-00000003", snapshots);
    let name = "its name does not match any attempt of its recovery point";
    foreign_image(HOME, name, ObservedImage { name: "web".into(), ..planted(&ours) });
    foreign_image(HOME, name, ObservedImage { name: NEXT_NAME.into(), ..planted(&ours) });
    foreign_image(HOME, name, ObservedImage { tags: our_tags("1"), ..planted(&ours) });
    let snapshots = "its snapshots are not the snapshots of its point";
    foreign_image(HOME, snapshots, planted(&["snap-00000009"]));
    foreign_image(HOME, snapshots, planted(&["snap-00000001", "snap-00000009"]));
    foreign_image(HOME, snapshots, planted(&[]));
    let source = "its source is not the image of its point";
    let elsewhere = Some((region(AWAY), id("ami-00000001")));
    foreign_image(AWAY, source, planted(&ours));
    foreign_image(AWAY, source, ObservedImage { source: elsewhere, ..planted(&ours) });
    let other = Some((region(HOME), id("ami-00000009")));
    foreign_image(AWAY, source, ObservedImage { source: other, ..planted(&ours) });
    foreign_image(
        AWAY,
        name,
        ObservedImage { name: NEXT_NAME.into(), tags: our_tags("1"), ..copy("ami-0000000c", &[]) },
    );
}

#[test]
fn a_users_own_copy_of_our_image_with_all_its_tags_is_foreign_wherever_it_is() {
    let own =
        || ObservedImage { name: "web-golden".into(), ..copy("ami-0000000c", &["snap-0000000c"]) };
    let table = [
        (
            HOME,
            "its name does not match any attempt of its recovery point",
            "its volume does not belong to the machine of its point",
        ),
        (
            AWAY,
            "its name does not match any attempt of its recovery point",
            "no replica of its point uses it",
        ),
        (
            "eu-central-1",
            "its point has no replica in this region",
            "its point has no replica in this region",
        ),
    ];
    for (place, image, snapshot_why) in table {
        check(
            &[
                &format!("! {place} ami-0000000c: {image} (foreign)"),
                &format!("! {place} snap-0000000c: {snapshot_why} (foreign)"),
            ],
            |world| {
                world.images.push((place, own()));
                world.snapshots.push((place, snapshot("snap-0000000c", "vol-ffffffff")));
            },
        );
    }
}

#[test]
fn what_is_foreign_is_reported_once_until_it_is_no_longer() {
    let finding = |place: &str, artefact: &str| Finding {
        region: region(place),
        artefact: artefact.into(),
        reason: Reason::new(Code::Foreign, "planted"),
        seen_at: at("2026-01-07T11:00:00Z"),
    };
    let over = |artefact: &str| format!("= {AWAY} {artefact}: no longer foreign");
    check(&[&over("ami-00000009")], |world| {
        world.snapshots.push((HOME, snapshot("snap-00000003", "vol-00000009")));
        // It has lost our tag, and still holds a name of ours.
        let bare = ObservedImage { name: NEXT_NAME.into(), ..image("ami-00000009", &[]) };
        world.images.push((HOME, ObservedImage { tags: BTreeMap::new(), ..bare }));
        let planted = [(AWAY, "ami-00000009"), (HOME, "snap-00000003"), (HOME, "ami-00000009")];
        world.known = planted.map(|(place, artefact)| finding(place, artefact)).to_vec();
    });
    let why = "its volume does not belong to the machine of its point (foreign)";
    check(&[&format!("! {HOME} snap-00000003: {why}"), &over("snap-00000003")], |world| {
        world.snapshots.push((HOME, snapshot("snap-00000003", "vol-00000009")));
        world.known = vec![finding(AWAY, "snap-00000003")];
    });
}

#[test]
fn whoever_plants_thousands_is_reported_by_and_by() {
    let mut world = World::new();
    let planted = (0..1000).map(|number| format!("snap-1{number:07}"));
    world.snapshots.extend(planted.map(|id| (HOME, snapshot(&id, "vol-00000009"))));
    let decision = world.look();
    let reports = decision.commands.iter().filter(|it| matches!(it, Command::Report(_)));
    assert_eq!(reports.count(), 200);
    assert_eq!(
        decision.commands.last(),
        Some(&Command::Looked(at(NOW), Default::default(), Default::default(), Default::default()))
    );
}

#[test]
fn what_is_surplus_is_linked_once() {
    let mut world = World::new();
    world.snapshots.push((HOME, snapshot("snap-00000003", "vol-00000001")));
    let decision = world.look();
    let record = decision.commands.iter().find_map(Command::change);
    let record = record.and_then(|change| change.writes.first()).map(|write| write.record.clone());
    let Some(Record::Point(linked)) = record else { panic!("{}", render(&decision)) };
    check(&[], |world| {
        world.point = *linked;
        world.snapshots.push((HOME, snapshot("snap-00000003", "vol-00000001")));
    });
}
