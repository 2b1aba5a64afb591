//! The lease that is taken before several machines are described, and hints of stopped machines.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_core::flow::InForce;
use afterimage_core::flow::work_requested::{Input, hinted, snapshot};
use afterimage_core::hint::{Hint, Hinted};
use afterimage_core::ids::InstanceId;
use afterimage_core::obstacle::Obstacles;
use afterimage_core::point::{Plan, Point};
use afterimage_core::slot::{Occasion, Slot};
use afterimage_core::work::{Kind, Queue};
use afterimage_core::worker::{Applied, Loaded, Seen, Worker};

use super::{alone, at, home, next};

fn id(number: usize) -> InstanceId {
    InstanceId::parse(&format!("i-{number:017x}")).expect("an id")
}

/// The points of so many machines, which are due.
fn points(count: usize) -> Vec<Point> {
    let point = |number| {
        let policy = "gold".to_string().try_into().expect("a policy name");
        let slot = Slot { policy, instance: id(number), occasion: Occasion::Scheduled(at(0)) };
        Point::requested(slot, home(), Plan::default(), at(0))
    };
    (0..count).map(point).collect()
}

fn nominates(points: &[Point]) -> Seen {
    let nominate = |point: &Point| afterimage_core::flow::InFlight {
        point: point.id.clone(),
        due_at: at(0),
        awaits: Vec::new(),
    };
    Seen::InFlight(points.iter().map(nominate).collect())
}

/// What was loaded about points whose machines EC2 does not show as a whole.
fn unsettled(points: Vec<Point>, secs: i64) -> Loaded {
    let unsettled: BTreeSet<InstanceId> =
        points.iter().map(|point| point.instance().clone()).collect();
    let input = snapshot::Input {
        now: at(secs),
        points,
        machines: BTreeMap::new(),
        unsettled,
        unasked: BTreeMap::new(),
        tagged: BTreeMap::new(),
        downtimes: BTreeMap::new(),
        named: BTreeMap::new(),
        images: BTreeMap::new(),
        taken: BTreeMap::new(),
        in_force: InForce::default(),
        allow_reboot: false,
        obstacles: Obstacles::none(Queue { region: home(), kind: Kind::Snapshot }),
        sets: BTreeMap::new(),
        others: BTreeMap::new(),
        keys: BTreeMap::new(),
        trust: Default::default(),
    };
    Loaded { input: Input::Snapshot(input), put_off: None }
}

/// A worker of snapshots that has seen its queue.
fn seen(points: &[Point]) -> Worker {
    let mut worker = alone(Kind::Snapshot);
    worker.saw(Seen::Hints(Vec::new()), at(0));
    worker.saw(nominates(points), at(0));
    worker
}

#[test]
fn several_machines_are_described_under_a_lease_and_a_single_one_without() {
    assert_eq!(next(&seen(&points(0)), 0), "load 0");
    assert_eq!(next(&seen(&points(1)), 0), "load 1");
    let mut worker = seen(&points(2));
    assert_eq!(next(&worker, 0), "take the lease");
    worker.leased(Some(at(60)));
    assert_eq!(next(&worker, 0), "load 2");
    assert_eq!(worker.lease().map(|(_, until)| until), Some(at(60)));
    let mut worker = seen(&points(2));
    worker.leased(None);
    assert_eq!(next(&worker, 0), "quit");
}

#[test]
fn the_queue_is_looked_at_once_more_when_a_lease_was_given_back() {
    let mut worker = seen(&points(2));
    worker.leased(Some(at(60)));
    worker.loaded(unsettled(points(2), 1));
    assert_eq!(next(&worker, 1), "decide");
    worker.applied(Applied::default(), at(1));
    // Another worker may have left a record to this one. These machines were asked about already.
    assert_eq!(next(&worker, 1), "see the hints");
    worker.saw(Seen::Hints(Vec::new()), at(1));
    worker.saw(nominates(&points(2)), at(1));
    assert_eq!(next(&worker, 1), "load 2");
    worker.loaded(unsettled(points(2), 1));
    worker.applied(Applied::default(), at(1));
    assert_eq!(next(&worker, 1), "wait until 11");
    worker.saw(Seen::Hints(Vec::new()), at(11));
    worker.saw(nominates(&points(4)), at(11));
    assert_eq!(next(&worker, 11), "take the lease", "two machines are new");
}

#[test]
fn a_worker_without_time_for_a_fleet_hands_over_before_it_describes_one() {
    // 48 seconds before the deadline nothing new begins, and a round takes up to 150.
    for (secs, then, out_of_time) in [(701, "see the hints", false), (702, "quit", true)] {
        let mut worker = seen(&points(1));
        worker.loaded(unsettled(points(1), secs));
        worker.applied(Applied { wrote: 1, ..Applied::default() }, at(secs));
        assert_eq!((next(&worker, secs).as_str(), worker.total().out_of_time), (then, out_of_time));
    }
}

fn hints(count: usize) -> Vec<Hint> {
    let hint =
        |number| Hint { region: home(), instance: id(number), hinted: Hinted::Stopped, at: at(0) };
    (0..count).map(hint).collect()
}

#[test]
fn hints_are_followed_before_the_records() {
    let mut worker = alone(Kind::Snapshot);
    assert_eq!(next(&worker, 0), "see the hints");
    worker.saw(Seen::Hints(hints(1)), at(0));
    assert_eq!(next(&worker, 0), "follow 1");
    let input = hinted::Input {
        now: at(0),
        hints: hints(1),
        in_force: InForce::default(),
        machines: BTreeMap::new(),
        summaries: BTreeMap::new(),
        waiting: Vec::new(),
        counters: BTreeMap::new(),
    };
    worker.loaded(Loaded { input: Input::Hinted(Box::new(input)), put_off: None });
    assert_eq!(next(&worker, 0), "decide");
    worker.applied(Applied { wrote: 1, ..Applied::default() }, at(0));
    assert_eq!(next(&worker, 0), "see the hints");
    worker.saw(Seen::Hints(Vec::new()), at(0));
    assert_eq!(next(&worker, 0), "see the queue");
}

#[test]
fn several_hints_are_followed_under_a_lease_and_in_bounded_rounds() {
    let mut worker = alone(Kind::Snapshot);
    worker.saw(Seen::Hints(hints(1_000)), at(0));
    assert_eq!(next(&worker, 0), "take the lease");
    worker.leased(Some(at(60)));
    assert_eq!(next(&worker, 0), "follow 100");
}
