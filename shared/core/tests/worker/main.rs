//! The moves of a worker: when it waits, reads, claims, loads, decides and quits.

mod leases;
mod looks;
mod pace;
mod parts;
mod rounds;
mod start;

use std::collections::BTreeMap;

use afterimage_core::downtime::{Downtime, Held, Roster};
use afterimage_core::flow::work_requested::{Input, power, register};
use afterimage_core::flow::{InFlight, WorkRequested};
use afterimage_core::ids::{InstanceId, Region};
use afterimage_core::obstacle::Obstacles;
use afterimage_core::point::{Plan, Point};
use afterimage_core::policy::Consistency;
use afterimage_core::slot::{Occasion, Slot};
use afterimage_core::work::{Kind, Queue};
use afterimage_core::worker::{Loaded, Move, Seen, Sight, Worker};
use jiff::{SignedDuration, Timestamp};

/// So many seconds after the worker was woken.
fn at(secs: i64) -> Timestamp {
    let start: Timestamp = "2026-03-01T02:00:00Z".parse().expect("an instant");
    start + SignedDuration::from_secs(secs)
}

fn home() -> Region {
    Region::parse("us-east-1").expect("a region")
}

/// A worker with 900 seconds.
fn worker(kind: Kind, hop: u32) -> Worker {
    let queue = Queue { region: home(), kind };
    Worker::new(&WorkRequested { queue, hop }, at(0), at(900))
}

/// A worker that nobody else is in the way of, at the instant at which it reads its queue.
fn alone(kind: Kind) -> Worker {
    let mut worker = worker(kind, 1);
    worker.saw(Seen::Lease { is_anothers: false }, at(0));
    worker
}

/// A move in a word, with the seconds that it is about.
fn word(next: &Move<'_>) -> String {
    let secs = |at_: &Timestamp| at_.duration_since(at(0)).as_secs();
    match next {
        Move::Quit => "quit".to_string(),
        Move::Wait(until) => format!("wait until {}", secs(until)),
        Move::See(Sight::Lease) => "see the lease".to_string(),
        Move::See(Sight::Claim) => "see the claim".to_string(),
        Move::See(Sight::Hints) => "see the hints".to_string(),
        Move::See(Sight::InFlight) => "see the queue".to_string(),
        Move::Claim { until, .. } => format!("claim until {}", secs(until)),
        Move::Lease => "take the lease".to_string(),
        Move::Follow(hints) => format!("follow {}", hints.len()),
        Move::Load(nominated) => format!("load {}", nominated.len()),
        Move::Decide(_) => "decide".to_string(),
    }
}

fn next(worker: &Worker, secs: i64) -> String {
    word(&worker.next_move(at(secs)))
}

fn point(number: usize) -> Point {
    let instance = InstanceId::parse(&format!("i-{number:017}")).expect("an id");
    let policy = "gold".to_string().try_into().expect("a name");
    let slot = Slot { policy, instance, occasion: Occasion::Scheduled(at(0)) };
    let plan = Plan { consistency: Consistency::StopStart, ..Plan::default() };
    Point::requested(slot, home(), plan, at(0))
}

/// So many records in flight, all of them due at one instant.
fn in_flight(count: usize, due_at: i64) -> Vec<InFlight> {
    let record =
        |number| InFlight { point: point(number).id, due_at: at(due_at), awaits: Vec::new() };
    (0..count).map(record).collect()
}

fn seen(count: usize, due_at: i64) -> Seen {
    Seen::InFlight(in_flight(count, due_at))
}

/// What was loaded of a queue that looks.
fn registers(secs: i64, put_off: Option<Timestamp>) -> Loaded {
    let (points, snapshots, named) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
    let obstacles = Obstacles::none(Queue { region: home(), kind: Kind::Register });
    let now = at(secs);
    let input = Input::Register(register::Input {
        now,
        points,
        snapshots,
        named,
        images: BTreeMap::new(),
        obstacles,
        in_force: Default::default(),
    });
    Loaded { input, put_off }
}

/// What was loaded of the machines that are down: one, or none.
fn powers(secs: i64, is_down: bool, put_off: Option<Timestamp>) -> Loaded {
    let point = point(1);
    let mut downtime = Downtime::wanted(&point, at(0));
    downtime.status = afterimage_core::downtime::DowntimeStatus::Down;
    downtime.begun_at = Some(at(0));
    let mut roster = Roster::default();
    let (region, policy) = (home(), point.slot.policy.clone());
    roster.places.insert(point.id.clone(), Held { region, policy, at_once: 1 });
    let input = Input::Power(Box::new(power::Input {
        now: at(secs),
        region: home(),
        at_once: 1,
        roster: if is_down { roster } else { Roster::default() },
        downtimes: if is_down { vec![downtime] } else { Vec::new() },
        points: BTreeMap::new(),
        machines: BTreeMap::new(),
        in_force: None,
        guarded: None,
        stop_gate: power::StopGate::default(),
    }));
    Loaded { input, put_off }
}
