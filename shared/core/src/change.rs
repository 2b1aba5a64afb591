//! Changes of the ledger: the records that are written together, each on the version that was read.

use jiff::Timestamp;

use crate::brake::Brake;
use crate::downtime::{Downtime, Roster};
use crate::ids::{Region, ResourceId};
use crate::obstacle::Obstacles;
use crate::point::{Point, Replica};
use crate::reason::Reason;
use crate::request_counter::RequestCounter;
use crate::summary::Summary;
use crate::work::Queue;

/// A change of the ledger. Either all of it is written, or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub writes: Vec<Write>,
    /// Summary of the machine from now on. A newer summary stays, and never makes the change fail.
    pub summary: Option<Summary>,
}

/// A record to write, and the version that it must have now: 0 if it must not exist. The version in
/// the record is already one higher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    pub expected: u64,
    pub record: Record,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    Point(Box<Point>),
    Replica(Box<Replica>),
    Downtime(Box<Downtime>),
    Roster(Box<Roster>),
    RequestCounter(Box<RequestCounter>),
    Obstacles(Box<Obstacles>),
    Brake(Box<Brake>),
}

impl Change {
    /// Returns the change that creates a requested point.
    pub fn create(point: Point, summary: Summary) -> Change {
        let write = Write { expected: 0, record: Record::Point(Box::new(point)) };
        Change { writes: vec![write], summary: Some(summary) }
    }

    /// Returns the change that writes a point. The caller leaves the version of the point as it was
    /// read.
    pub fn point(point: Point) -> Change {
        Change { writes: vec![Write::point(point)], summary: None }
    }

    /// Returns the change that writes the obstacles of a queue. The caller leaves their version as
    /// it was read.
    pub fn obstacles(obstacles: Obstacles) -> Change {
        Change { writes: vec![Write::obstacles(obstacles)], summary: None }
    }

    /// Returns the change that writes a replica. The caller leaves its version as it was read.
    pub fn replica(replica: Replica) -> Change {
        Change { writes: vec![Write::replica(replica)], summary: None }
    }

    #[must_use]
    pub fn with(mut self, write: Write) -> Change {
        self.writes.push(write);
        self
    }

    /// Returns the intent with `now` as its beginning. Calls are paced, so that the time of the
    /// decision would be wrong for the last of them.
    #[must_use]
    pub fn begun(mut self, now: Timestamp) -> Change {
        for write in &mut self.writes {
            match &mut write.record {
                Record::Point(point) => point.step.begin(now),
                Record::Replica(replica) => replica.step.begin(now),
                Record::Downtime(downtime) => downtime.step.begin(now),
                Record::Roster(_) => {}
                Record::RequestCounter(_) | Record::Obstacles(_) | Record::Brake(_) => {}
            }
        }
        self
    }

    /// Returns the point that is written; the last, if there are several.
    pub fn point_written(&self) -> Option<&Point> {
        self.writes.iter().rev().find_map(|write| {
            let Record::Point(point) = &write.record else { return None };
            Some(&**point)
        })
    }

    /// Returns the replica that is written; the last, if there are several.
    pub fn replica_written(&self) -> Option<&Replica> {
        self.writes.iter().rev().find_map(|write| {
            let Record::Replica(replica) = &write.record else { return None };
            Some(&**replica)
        })
    }

    /// Returns the downtime that is written.
    pub fn downtime_written(&self) -> Option<&Downtime> {
        self.writes.iter().rev().find_map(|write| {
            let Record::Downtime(downtime) = &write.record else { return None };
            Some(&**downtime)
        })
    }

    /// Returns the roster that is written.
    pub fn roster_written(&self) -> Option<&Roster> {
        self.writes.iter().rev().find_map(|write| {
            let Record::Roster(roster) = &write.record else { return None };
            Some(&**roster)
        })
    }

    /// Returns the names of the records that are written, as a person would look them up.
    pub fn about(&self) -> String {
        let names = self.writes.iter().map(|write| match &write.record {
            Record::Point(point) => point.id.to_string(),
            Record::Replica(replica) => replica.about(),
            Record::Downtime(downtime) => format!("downtime of {}", downtime.point),
            Record::Roster(_) => "roster".to_string(),
            Record::RequestCounter(counter) => format!("{} {}", counter.policy, counter.instance),
            Record::Obstacles(obstacles) => format!("obstacles of {}", obstacles.queue),
            Record::Brake(brake) => format!("brake of {}", brake.region),
        });
        names.collect::<Vec<_>>().join(", ")
    }

    /// Returns the change with a reason that a person should see, added to the points that it
    /// writes.
    #[must_use]
    pub fn finding(mut self, reason: &Reason) -> Change {
        for write in &mut self.writes {
            if let Record::Point(point) = &mut write.record {
                **point = point.as_ref().clone().found(Some(reason.clone()));
            }
        }
        self
    }

    #[must_use]
    pub fn telling(mut self, summary: Option<Summary>) -> Change {
        self.summary = summary;
        self
    }
}

impl Write {
    /// Returns the write of a request counter. The caller leaves its version as it was read.
    pub fn request_counter(mut asked: RequestCounter) -> Write {
        let expected = asked.version;
        asked.version += 1;
        Write { expected, record: Record::RequestCounter(Box::new(asked)) }
    }

    /// Returns the request counter that is written, if the record is one.
    pub fn as_request_counter(&self) -> Option<&RequestCounter> {
        let Record::RequestCounter(asked) = &self.record else { return None };
        Some(&**asked)
    }

    pub fn point(mut point: Point) -> Write {
        let expected = point.version;
        point.version += 1;
        Write { expected, record: Record::Point(Box::new(point)) }
    }

    pub fn replica(mut replica: Replica) -> Write {
        let expected = replica.version;
        replica.version += 1;
        Write { expected, record: Record::Replica(Box::new(replica)) }
    }

    pub fn downtime(mut downtime: Downtime) -> Write {
        let expected = downtime.version;
        downtime.version += 1;
        Write { expected, record: Record::Downtime(Box::new(downtime)) }
    }

    /// Returns the write of a downtime that was just requested.
    pub fn new_downtime(downtime: Downtime) -> Write {
        Write { expected: 0, record: Record::Downtime(Box::new(downtime)) }
    }

    pub fn obstacles(mut obstacles: Obstacles) -> Write {
        let expected = obstacles.version;
        obstacles.version += 1;
        Write { expected, record: Record::Obstacles(Box::new(obstacles)) }
    }

    pub fn brake(mut brake: Brake) -> Write {
        let expected = brake.version;
        brake.version += 1;
        Write { expected, record: Record::Brake(Box::new(brake)) }
    }

    pub fn roster(mut roster: Roster) -> Write {
        let expected = roster.version;
        roster.version += 1;
        Write { expected, record: Record::Roster(Box::new(roster)) }
    }
}

impl Record {
    /// Returns the queue of the record; none once the record is settled.
    pub fn queue(&self) -> Option<Queue> {
        match self {
            Record::Point(point) => point.queue(),
            Record::Replica(replica) => replica.queue(),
            Record::Downtime(downtime) => downtime.queue(),
            Record::Roster(_) => None,
            // No worker drains request counters: the sweep looks after them.
            Record::RequestCounter(_) | Record::Obstacles(_) | Record::Brake(_) => None,
        }
    }

    /// Returns the region of the artefacts of the record; none if it has none.
    pub fn region(&self) -> Option<Region> {
        match self {
            Record::Point(point) => Some(point.home.clone()),
            Record::Replica(replica) => Some(replica.region.clone()),
            Record::Downtime(_)
            | Record::Roster(_)
            | Record::RequestCounter(_)
            | Record::Obstacles(_)
            | Record::Brake(_) => None,
        }
    }

    /// Returns the artefacts that the record calls good, which the audit holds against EC2; none if
    /// there are none.
    pub fn held(&self) -> Option<Vec<ResourceId>> {
        let held = match self {
            Record::Point(point) => point.held(),
            Record::Replica(replica) => replica.held(),
            Record::Downtime(_)
            | Record::Roster(_)
            | Record::RequestCounter(_)
            | Record::Obstacles(_)
            | Record::Brake(_) => Vec::new(),
        };
        (!held.is_empty()).then_some(held)
    }

    /// Returns the time at which the record is due, unless something happens before.
    pub fn due_at(&self) -> Option<Timestamp> {
        match self {
            Record::Point(point) => point.step.due_at,
            Record::Replica(replica) => replica.step.due_at,
            Record::Downtime(downtime) => downtime.step.due_at,
            Record::Roster(_) | Record::Obstacles(_) | Record::Brake(_) => None,
            Record::RequestCounter(asked) => asked.pending.as_ref().map(|pending| pending.due_at),
        }
    }

    /// Returns the resources whose EC2 events the record waits for.
    pub fn awaits(&self) -> Vec<ResourceId> {
        match self {
            Record::Point(point) => point.awaits(),
            Record::Replica(replica) => replica.awaits(),
            // The worker of a downtime looks at it, and needs no event for that.
            Record::Downtime(_) | Record::Roster(_) => Vec::new(),
            Record::RequestCounter(_) | Record::Obstacles(_) | Record::Brake(_) => Vec::new(),
        }
    }
}
