//! Deciding again, when nothing has happened but what was decided, decides nothing.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_core::command::{Command, Decision, Record};
use afterimage_core::flow::work_requested::{confirm, copy, needs, register, snapshot};
use afterimage_core::ids::Region;
use afterimage_core::machine::{Machine, State};
use afterimage_core::observed::{
    Complete, ImageState, ObservedImage, ObservedSnapshot, SnapshotState,
};
use afterimage_core::point::{Point, Replica, ReplicaStatus};
use afterimage_core::slot::PointId;
use afterimage_core::work::Kind;
use jiff::Timestamp;

use crate::scene::gold;
use crate::scene::{
    FRANKFURT, HOME, IRELAND, NAME, ami, at, created, created_image, creating, hours, imaged, mins,
    no_obstacles, none_at_home, region, registered, registering, requested, running, seen_image,
    seen_snapshot, snap, snapshotted, snapshotting, stopped, volume,
};

/// The ledger, and what EC2 shows: the same at every look.
#[derive(Clone, Default)]
struct World {
    points: BTreeMap<PointId, Point>,
    replicas: BTreeMap<(PointId, Region), Replica>,
    machine: Option<Machine>,
    snapshots: Vec<ObservedSnapshot>,
    images: Vec<ObservedImage>,
}

impl World {
    fn of(point: &Point) -> World {
        let points = BTreeMap::from([(point.id.clone(), point.clone())]);
        World { points, machine: Some(running()), ..World::default() }
    }

    fn named(&self, names: Vec<String>) -> BTreeMap<String, Complete<ObservedImage>> {
        let of_name = |name: &String| {
            Complete(self.images.iter().filter(|image| image.name == *name).cloned().collect())
        };
        names.into_iter().map(|name| (name.clone(), of_name(&name))).collect()
    }

    /// What the workers of one region decide, each with what it would load.
    fn decide(&self, region: &Region, now: Timestamp) -> [Decision; 4] {
        let points: Vec<Point> =
            self.points.values().filter(|point| point.home == *region).cloned().collect();
        let replicas: Vec<Replica> =
            self.replicas.values().filter(|replica| replica.region == *region).cloned().collect();
        let listed = needs(Kind::Snapshot, &points, &[], now).tagged;
        let tagged = |id: PointId| (id, Complete(self.snapshots.clone()));
        let described = needs(Kind::Snapshot, &points, &[], now).machines;
        let machines = described.into_iter().filter_map(|id| Some((id, self.machine.clone()?)));
        let snapshot = snapshot::decide(&snapshot::Input {
            now,
            points: points.clone(),
            machines: machines.collect(),
            unsettled: BTreeSet::new(),
            unasked: BTreeMap::new(),
            tagged: listed.into_iter().map(tagged).collect(),
            downtimes: BTreeMap::new(),
            allow_reboot: false,
            trust: Default::default(),
            in_force: gold(),
            images: self.images.iter().map(|seen| (seen.id.clone(), seen.clone())).collect(),
            taken: BTreeMap::new(),
            named: self.named(needs(Kind::Snapshot, &points, &[], now).names),
            obstacles: none_at_home(Kind::Snapshot),
            sets: BTreeMap::new(),
            others: BTreeMap::new(),
            keys: BTreeMap::new(),
        });
        let seen = self.snapshots.iter().map(|seen| (seen.id.clone(), seen.clone()));
        let register = register::decide(&register::Input {
            now,
            snapshots: seen.collect(),
            named: self.named(needs(Kind::Register, &points, &[], now).names),
            points: points.clone(),
            images: BTreeMap::new(),
            obstacles: none_at_home(Kind::Register),
            in_force: gold(),
        });
        let confirm = confirm::decide(&confirm::Input {
            now,
            images: self.images.iter().map(|seen| (seen.id.clone(), seen.clone())).collect(),
            points,
            replicas: replicas.clone(),
            points_of_replicas: self.points.clone(),
            uefi_data: BTreeMap::new(),
            obstacles: no_obstacles(IRELAND),
            snapshots: BTreeMap::new(),
            history: BTreeMap::new(),
            instances: BTreeMap::new(),
            healing: Default::default(),
        });
        let copy = copy::decide(&copy::Input {
            now,
            named: self.named(needs(Kind::Copy, &[], &replicas, now).names),
            replicas,
            points: self.points.clone(),
            in_force: gold(),
            obstacles: no_obstacles(IRELAND),
            keys: BTreeMap::new(),
            summaries: BTreeMap::new(),
            there: Some(Default::default()),
        });
        [snapshot, register, confirm, copy]
    }

    /// One round of the workers of every region: what they decided, all written.
    fn round(&mut self, now: Timestamp) -> Vec<Command> {
        let mut commands = Vec::new();
        for name in [HOME, IRELAND, FRANKFURT] {
            for decision in self.decide(&region(name), now) {
                self.apply(&decision);
                commands.extend(decision.commands);
            }
        }
        commands
    }

    /// Writes what was decided; the calls are not made.
    fn apply(&mut self, decision: &Decision) {
        let writes =
            decision.commands.iter().filter_map(Command::change).flat_map(|change| &change.writes);
        for write in writes {
            let had = match &write.record {
                Record::Point(point) => {
                    let id = point.id.clone();
                    self.points.insert(id, (**point).clone()).map(|had| had.version)
                }
                Record::Replica(replica) => {
                    let id = (replica.point.clone(), replica.region.clone());
                    self.replicas.insert(id, (**replica).clone()).map(|had| had.version)
                }
                Record::Downtime(_)
                | Record::Roster(_)
                | Record::Obstacles(_)
                | Record::Brake(_) => continue,
                Record::RequestCounter(asked) => panic!("no worker asks for points: {asked:?}"),
            };
            assert_eq!(had.unwrap_or(0), write.expected, "each write builds on what is there");
        }
    }
}

fn creates(command: &Command) -> bool {
    matches!(command, Command::Call(_))
}

/// Rounds without end would be a worker that keeps itself busy. What is due at once may take
/// another round or two; what was begun is not begun again.
fn check(what: &str, mut world: World, now: Timestamp) {
    let mut made = 0;
    for _ in 0..4 {
        let commands = world.round(now);
        if commands.is_empty() {
            assert!(made <= 2, "{what}: one call, or one for each replica");
            return;
        }
        made += commands.iter().filter(|command| creates(command)).count();
    }
    panic!("{what}: it never comes to rest: {:?}", world.round(now));
}

#[test]
fn snapshots() {
    let now = at(mins(7));
    check("begun", World::of(&requested()), now);
    check("gone", World { machine: None, ..World::of(&requested()) }, now);
    let mut refused = running();
    refused.volumes.clear();
    check("refused", World { machine: Some(refused), ..World::of(&requested()) }, now);
    let open = World::of(&snapshotting(&running()));
    check("nothing was left", open.clone(), now);
    let part = World { snapshots: vec![seen_snapshot(11, 1)], ..open.clone() };
    check("a part", part.clone(), now);
    check("a part, for too long", part, at(mins(40)));
    let planted = ObservedSnapshot { volume: Some(volume(9)), ..seen_snapshot(9, 1) };
    let whole = vec![planted, seen_snapshot(11, 1), seen_snapshot(12, 2)];
    check("a set and a foreign one", World { snapshots: whole, ..open }, now);
    let resting = World::of(&snapshotted(&stopped()));
    let on = |state| {
        let mut machine = stopped();
        machine.instance.state = state;
        let snapshots = vec![seen_snapshot(11, 1), seen_snapshot(12, 2)];
        World { machine: Some(machine), snapshots, ..resting.clone() }
    };
    check("graded at rest", on(State::Stopped), now);
    check("graded as a crash", on(State::Running), now);
}

#[test]
fn images_that_ec2_creates() {
    let now = at(mins(17));
    let mut billed = running();
    billed.build.usage_operation = "RunInstances:0010".into();
    check("begun", World { machine: Some(billed), ..World::of(&requested()) }, now);
    let open = World::of(&creating(&running()));
    check("nothing was left", open.clone(), now);
    let with = |image| World { images: vec![image], ..open.clone() };
    check("ours", with(created_image(7, ImageState::Pending)), now);
    check("foreign", with(seen_image(7, ImageState::Pending)), now);
    let resting = World::of(&created(&stopped()));
    for state in [State::Stopped, State::Running] {
        let mut machine = stopped();
        machine.instance.state = state;
        check("graded", World { machine: Some(machine), ..resting.clone() }, now);
    }
    for state in [ImageState::Pending, ImageState::Available, ImageState::Failed] {
        let images = vec![created_image(1, state)];
        check("an image", World { images, ..World::of(&created(&running())) }, now);
    }
    let lacks = ObservedImage { devices: Vec::new(), ..created_image(1, ImageState::Available) };
    check("another", World { images: vec![lacks], ..World::of(&created(&running())) }, now);
    check("an image that is gone", World::of(&created(&running())), now);
}

#[test]
fn registrations() {
    let now = at(mins(17));
    let filled = |state| {
        let seen = [seen_snapshot(11, 1), seen_snapshot(12, 2)];
        let snapshots = seen.map(|seen| ObservedSnapshot { state, ..seen }).to_vec();
        World { snapshots, ..World::of(&snapshotted(&running())) }
    };
    for state in [SnapshotState::Completed, SnapshotState::Pending, SnapshotState::Error] {
        check("filled", filled(state), now);
        check("filled for days", filled(state), at(hours(50)));
    }
    check("snapshots gone", World::of(&snapshotted(&running())), now);
    let open = World::of(&registering());
    check("nothing was left", open.clone(), now);
    let with = |image| World { images: vec![image], ..open.clone() };
    check("ours", with(seen_image(7, ImageState::Pending)), now);
    let other = ObservedImage { snapshots: vec![snap(9)], ..seen_image(7, ImageState::Available) };
    check("foreign", with(other), now);
    let part = ObservedImage { snapshots: vec![snap(11)], ..seen_image(7, ImageState::Pending) };
    check("not to be judged", with(part), now);
}

#[test]
fn images_and_replicas() {
    let now = at(mins(30));
    let states =
        [ImageState::Pending, ImageState::Available, ImageState::Failed, ImageState::Deregistered];
    for state in states {
        let images = vec![seen_image(1, state)];
        check("an image", World { images, ..World::of(&registered()) }, now);
    }
    check("an image that is gone", World::of(&registered()), now);
    let (point, replicas) = imaged();
    let with = |edit: fn(&mut Replica)| {
        let edited = replicas.iter().cloned().map(|mut replica| {
            edit(&mut replica);
            ((replica.point.clone(), replica.region.clone()), replica)
        });
        World { replicas: edited.collect(), ..World::of(&point) }
    };
    check("copied", with(|_| {}), now);
    check("used up", with(|replica| replica.step.failures = 8), now);
    let begun: fn(&mut Replica) = |replica| {
        replica.status = ReplicaStatus::Copying;
        replica.step.begun_at = Some(at(mins(20)));
    };
    check("copied again", with(begun), now);
    for state in states {
        let image = ObservedImage {
            source: Some((region(HOME), ami(1))),
            name: format!("{NAME}-0"),
            ..seen_image(2, state)
        };
        let pending = with(|replica| {
            replica.status = ReplicaStatus::Pending;
            replica.step.begun_at = Some(at(mins(20)));
            replica.image = Some(ami(2));
        });
        check("a replica", World { images: vec![image], ..pending }, now);
    }
}
