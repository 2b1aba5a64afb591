//! The newest good point of a machine, in whatever order the images of two points become unusable
//! and usable again: one after the other, or two between two looks.

use std::collections::BTreeMap;

use afterimage_core::change::{Change, Record, Write};
use afterimage_core::command::{Command, Decision};
use afterimage_core::flow::work_requested::confirm::{self, decide};
use afterimage_core::flow::work_requested::missing::{Shown, machines_to_recall};
use afterimage_core::flow::work_requested::power::KeyAccess;
use afterimage_core::flow::{InForce, held};
use afterimage_core::ids::{AmiId, Region};
use afterimage_core::limits::LOST_AFTER;
use afterimage_core::observed::{ImageState, ObservedImage, ObservedSnapshot};
use afterimage_core::point::{Place, Point, Replica, ReplicaStatus};
use afterimage_core::slot::{Occasion, PointId, Slot};
use afterimage_core::status::Status;
use afterimage_core::summary::{Good, News, Summary};
use jiff::Timestamp;

use super::scene::{
    HOME, IRELAND, ami, at, confirm_input, gold, hours, imaged, instance, region, replicate,
    seen_image, seen_snapshot, snap,
};

const REGIONS: [&str; 2] = [HOME, IRELAND];

/// What has become of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Usable,
    /// Its key is disabled.
    KeyDisabled,
    Gone,
}

/// The points of a machine in two regions each, as the ledger has them; and their images, as EC2
/// and KMS have them. The places are numbered: those of the oldest point first, its home first.
#[derive(Clone)]
struct World {
    in_force: InForce,
    now: Timestamp,
    points: BTreeMap<PointId, Point>,
    replicas: BTreeMap<PointId, Replica>,
    good: Option<Good>,
    fates: Vec<Fate>,
}

/// Tells whether two records are of one point or replica.
fn is_of_one(one: &Record, other: &Record) -> bool {
    match (one, other) {
        (Record::Point(one), Record::Point(other)) => one.id == other.id,
        (Record::Replica(one), Record::Replica(other)) => one.point == other.point,
        _ => false,
    }
}

fn image_of(place: usize) -> AmiId {
    ami(u32::try_from(place).expect("small") + 1)
}

fn key_of(place: usize) -> String {
    format!("arn:aws:kms:{}:123456789012:key/{place}", REGIONS[place % 2])
}

impl World {
    fn new(count: usize) -> World {
        let (mut points, mut replicas) = (BTreeMap::new(), BTreeMap::new());
        for number in 0..count {
            let taken_at = at(hours(6 * i64::try_from(number).expect("small")));
            let occasion = Occasion::Scheduled(taken_at);
            let (point, replica) = imaged();
            let slot = Slot { occasion, ..point.slot.clone() };
            let mut point = Point {
                id: PointId::of(&slot),
                slot,
                status: Status::Protected,
                requested_at: taken_at,
                taken_at: Some(taken_at),
                image: Some(image_of(2 * number)),
                replicas: [(region(IRELAND), Place::Available)].into(),
                ..point
            };
            point.plan.replicate = vec![replicate(IRELAND, None)];
            point.step.due_at = None;
            let of_ireland = replica.into_iter().find(|one| one.region == region(IRELAND));
            let mut replica = Replica {
                point: point.id.clone(),
                status: ReplicaStatus::Available,
                image: Some(image_of(2 * number + 1)),
                ..of_ireland.expect("it is wanted")
            };
            replica.step.due_at = None;
            replicas.insert(point.id.clone(), replica);
            points.insert(point.id.clone(), point);
        }
        let newest = points.values().max_by_key(|point| point.taken_at);
        let good = newest.and_then(Good::of);
        let mut in_force = gold();
        in_force.policies.iter_mut().for_each(|policy| policy.heal = false);
        let fates = vec![Fate::Usable; 2 * count];
        World { in_force, now: at(hours(1_000)), points, replicas, good, fates }
    }

    /// The records of the places that are not as the ledger has them, as the audit finds them.
    fn suspects(&self) -> Vec<Record> {
        let mut suspects = Vec::new();
        for (number, (point, replica)) in
            self.points.values().zip(self.replicas.values()).enumerate()
        {
            let is_usable = |place: usize| self.fates[2 * number + place] == Fate::Usable;
            let differs = |held: Place, place| match held {
                Place::Available => !is_usable(place),
                Place::Unusable => is_usable(place),
                _ => false,
            };
            if differs(point.home_place, 0) {
                suspects.push(Record::Point(Box::new(point.clone())));
            }
            if differs(Place::from(replica.status), 1) {
                suspects.push(Record::Replica(Box::new(replica.clone())));
            }
        }
        suspects
    }

    /// What a worker of this region reads.
    fn input(&self, worker: &Region) -> confirm::Input {
        let (mut seen, mut snapshots) = (Vec::new(), Vec::new());
        for place in (0..self.fates.len()).filter(|place| region(REGIONS[place % 2]) == *worker) {
            if self.fates[place] == Fate::Gone {
                continue;
            }
            let number = u32::try_from(place).expect("small") + 1;
            let image = seen_image(number, ImageState::Available);
            seen.push(ObservedImage { snapshots: vec![snap(100 + number)], ..image });
            let kms_key = Some(key_of(place));
            snapshots.push(ObservedSnapshot { kms_key, ..seen_snapshot(100 + number, 1) });
        }
        let is_due = |due: Option<Timestamp>| due.is_some_and(|due| due <= self.now);
        let points = self.points.values().filter(|it| it.home == *worker && is_due(it.step.due_at));
        let mut input = confirm_input(self.now, points.cloned().collect(), &seen);
        let replicas = self.replicas.values();
        let replicas = replicas.filter(|it| it.region == *worker && is_due(it.step.due_at));
        input.replicas = replicas.cloned().collect();
        input.points_of_replicas = self.points.clone();
        input.snapshots = snapshots.into_iter().map(|it| (it.id.clone(), it)).collect();
        input.healing.in_force.clone_from(&self.in_force);
        let state = |place: usize| match self.fates[place] {
            Fate::KeyDisabled => KeyAccess::State("Disabled".to_string()),
            _ => KeyAccess::State("Enabled".to_string()),
        };
        input.healing.keys =
            (0..self.fates.len()).map(|place| (key_of(place), state(place))).collect();
        let (images, snapshots, keys) = (&input.images, &input.snapshots, &input.healing.keys);
        let shown = Shown { images, snapshots, keys };
        let replicas = (input.replicas.as_slice(), &input.points_of_replicas);
        let recalled = machines_to_recall(&input.points, replicas, &shown, self.now);
        if recalled.contains(&instance()) {
            let known = self.points.values().zip(self.replicas.values());
            let known = known.map(|(point, replica)| (point.clone(), vec![replica.clone()]));
            input.history = [(instance(), known.collect())].into();
        }
        input
    }

    /// Looks as [`World::look`], but in the first round both workers read before one of them
    /// writes: first the one of this region.
    fn look_at_once(&mut self, first: usize) {
        self.carry_out(&held::look_at(&self.suspects(), self.now));
        let both = [first, 1 - first].map(|worker| decide(&self.input(&region(REGIONS[worker]))));
        both.iter().for_each(|decision| self.carry_out(decision));
        self.now += LOST_AFTER;
        self.look();
    }

    /// Looks as the audit and the workers do, until nobody has anything to look at. Returns the
    /// number of rounds.
    fn look(&mut self) -> usize {
        self.carry_out(&held::look_at(&self.suspects(), self.now));
        for round in 0..10 {
            let mut is_done = true;
            for worker in REGIONS.map(region) {
                let input = self.input(&worker);
                if input.points.is_empty() && input.replicas.is_empty() {
                    continue;
                }
                is_done = false;
                self.carry_out(&decide(&input));
            }
            if is_done && self.suspects().is_empty() {
                return round;
            }
            self.now += LOST_AFTER;
        }
        panic!("there is no end to it");
    }

    /// Carries a decision out. What follows on a change that was not written is not written either.
    fn carry_out(&mut self, decision: &Decision) {
        let mut lost: Vec<&Write> = Vec::new();
        for change in decision.commands.iter().filter_map(Command::change) {
            let follows = |write: &Write| {
                let mut before = lost.iter().filter(|lost| is_of_one(&lost.record, &write.record));
                before.any(|lost| lost.expected < write.expected)
            };
            if change.writes.iter().any(follows) || !self.write(change) {
                lost.extend(&change.writes);
            }
        }
    }

    /// Writes all of a change or nothing of it: another one may have been faster. Tells whether it
    /// is written.
    fn write(&mut self, change: &Change) -> bool {
        let is_expected = change.writes.iter().all(|write| match &write.record {
            Record::Point(point) => self.points[&point.id].version == write.expected,
            Record::Replica(replica) => self.replicas[&replica.point].version == write.expected,
            _ => true,
        });
        if !is_expected {
            return false;
        }
        for write in &change.writes {
            match &write.record {
                Record::Point(point) => {
                    self.points.insert(point.id.clone(), (**point).clone());
                }
                Record::Replica(replica) => {
                    self.replicas.insert(replica.point.clone(), (**replica).clone());
                }
                _ => {}
            }
        }
        if let Some(summary) = &change.summary {
            self.tell(summary);
        }
        true
    }

    fn tell(&mut self, summary: &Summary) {
        for news in &summary.news {
            match news {
                News::Good(good) => {
                    let there = self.good.as_ref();
                    if there.is_none_or(|there| there.taken_at <= good.taken_at) {
                        self.good = Some(good.clone());
                    }
                }
                News::Instead { of, good } => {
                    if self.good.as_ref().is_some_and(|there| there.point == *of) {
                        self.good = good.as_deref().cloned();
                    }
                }
                News::Latest(_) | News::LatestInstead { .. } | News::Stop(_) => {}
            }
        }
    }

    /// The summary names the newest point that has an image that can be used, and its images.
    fn assert_true(&self, what: &str) {
        let is_usable = |place: usize| self.fates[place] == Fate::Usable;
        let mut newest_first = (0..self.points.len()).rev();
        let newest = newest_first.find(|of| is_usable(2 * of) || is_usable(2 * of + 1));
        let expected = newest.map(|of| {
            let point = self.points.keys().nth(of).expect("it is there");
            let image = is_usable(2 * of).then(|| image_of(2 * of));
            let replicas = is_usable(2 * of + 1).then(|| region(IRELAND));
            (point, image, replicas.into_iter().collect::<Vec<_>>())
        });
        let told = self.good.as_ref();
        let told = told.map(|good| (&good.point, good.image.clone(), good.replicas.clone()));
        assert_eq!(told, expected, "{what}: {:?}", self.fates);
    }
}

/// All orders of four places.
fn orders() -> Vec<[usize; 4]> {
    let numbers = (0..256_usize).map(|number| [0, 2, 4, 6].map(|shift| (number >> shift) % 4));
    numbers.filter(|order| (0..4).all(|place| order.contains(&place))).collect()
}

#[test]
fn the_summary_names_the_newest_point_that_can_be_used_whatever_the_order() {
    let before = World::new(2);
    for order in orders() {
        for gone in 0..16_usize {
            for at_once in [1, 2, 4] {
                let what = format!("order {order:?}, gone {gone:04b}, {at_once} at once");
                let mut world = before.clone();
                for places in order.chunks(at_once) {
                    for place in places {
                        let is_gone = gone >> place & 1 == 1;
                        world.fates[*place] = if is_gone { Fate::Gone } else { Fate::KeyDisabled };
                    }
                    world.look();
                    world.assert_true(&what);
                }
                for places in order.chunks(at_once) {
                    for place in places.iter().filter(|place| gone >> **place & 1 == 0) {
                        world.fates[*place] = Fate::Usable;
                    }
                    world.look();
                    world.assert_true(&format!("{what}, usable again"));
                }
            }
        }
    }
}

/// Between two looks, a place of one point becomes unusable and one of the other usable again.
#[test]
fn the_summary_names_the_newest_point_when_one_place_goes_as_another_comes() {
    let before = World::new(2);
    for first in 0..16_usize {
        for then in 0..16_usize {
            let mut world = before.clone();
            for number in [first, then] {
                let fate = |place: usize| match number >> place & 1 {
                    0 => Fate::Usable,
                    _ => Fate::KeyDisabled,
                };
                world.fates = (0..4).map(fate).collect();
                world.look();
                world.assert_true(&format!("{first:04b}, then {then:04b}"));
            }
        }
    }
}

/// Between two looks, places of both points become unusable and usable again, and the workers of
/// the two regions look at the same time.
#[test]
fn the_summary_names_the_newest_point_when_two_workers_look_at_once() {
    let before = World::new(2);
    for first in 0..16_usize {
        for then in 0..16_usize {
            for worker in [0, 1] {
                let mut world = before.clone();
                let fates = |number: usize, bad: Fate| -> Vec<Fate> {
                    let fate =
                        |place: usize| if number >> place & 1 == 0 { Fate::Usable } else { bad };
                    (0..4).map(fate).collect()
                };
                world.fates = fates(first, Fate::KeyDisabled);
                world.look();
                world.fates = fates(then, Fate::KeyDisabled);
                world.look_at_once(worker);
                let what = format!("{first:04b}, then {then:04b}, worker {worker} first");
                world.assert_true(&what);
            }
        }
    }
}

#[test]
fn all_points_of_a_machine_whose_keys_are_disabled_are_told_at_once() {
    let mut world = World::new(30);
    world.fates.fill(Fate::KeyDisabled);
    let rounds = world.look();
    assert_eq!(rounds, 2, "the newest is looked at once more");
    world.assert_true("all of them");
    // Two of them can be used again.
    world.fates[20] = Fate::Usable;
    world.fates[11] = Fate::Usable;
    world.look();
    world.assert_true("two of them are back");
}
