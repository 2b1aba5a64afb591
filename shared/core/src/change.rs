//! Changes of the ledger: the records that are written together, each on the version that was read.

use jiff::Timestamp;

use crate::downtime::{Downtime, Roster};
use crate::point::{Point, Replica};
use crate::reason::Reason;
use crate::request_counter::RequestCounter;
use crate::summary::Summary;
use crate::work::Queue;

/// A change of the ledger: all of it, or nothing of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub writes: Vec<Write>,
    /// What the summary of the machine says from now on. Never a reason for the change to fail: a
    /// summary that is newer stays.
    pub summary: Option<Summary>,
}

/// A record as it is to be, and the version that it must have now; 0 if it must not exist. The
/// record's own version is already one higher.
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
}

impl Change {
    /// A new point, requested.
    pub fn create(point: Point, summary: Summary) -> Change {
        let write = Write { expected: 0, record: Record::Point(Box::new(point)) };
        Change { writes: vec![write], summary: Some(summary) }
    }

    /// The point as it is to be; whoever made it from the one that was read left its version alone.
    pub fn point(point: Point) -> Change {
        Change { writes: vec![Write::point(point)], summary: None }
    }

    /// The replica as it is to be.
    pub fn replica(replica: Replica) -> Change {
        Change { writes: vec![Write::replica(replica)], summary: None }
    }

    #[must_use]
    pub fn with(mut self, write: Write) -> Change {
        self.writes.push(write);
        self
    }

    /// An intent, begun now and not when it was decided: calls are paced, and what an intent says
    /// of its call must be true of the last of them too.
    #[must_use]
    pub fn begun(mut self, now: Timestamp) -> Change {
        for write in &mut self.writes {
            match &mut write.record {
                Record::Point(point) => point.step.begin(now),
                Record::Replica(replica) => replica.step.begin(now),
                Record::Downtime(downtime) => downtime.step.begin(now),
                Record::Roster(_) => {}
                Record::RequestCounter(_) => {}
            }
        }
        self
    }

    /// The point that is written; the last, should there be several.
    pub fn point_written(&self) -> Option<&Point> {
        self.writes.iter().rev().find_map(|write| match &write.record {
            Record::Point(point) => Some(&**point),
            Record::Replica(_)
            | Record::Downtime(_)
            | Record::Roster(_)
            | Record::RequestCounter(_) => None,
        })
    }

    /// The replica that is written; the last, should there be several.
    pub fn replica_written(&self) -> Option<&Replica> {
        self.writes.iter().rev().find_map(|write| match &write.record {
            Record::Replica(replica) => Some(&**replica),
            Record::Point(_)
            | Record::Downtime(_)
            | Record::Roster(_)
            | Record::RequestCounter(_) => None,
        })
    }

    /// The downtime that is written.
    pub fn downtime_written(&self) -> Option<&Downtime> {
        self.writes.iter().rev().find_map(|write| match &write.record {
            Record::Downtime(downtime) => Some(&**downtime),
            Record::Point(_)
            | Record::Replica(_)
            | Record::Roster(_)
            | Record::RequestCounter(_) => None,
        })
    }

    /// The roster that is written.
    pub fn roster_written(&self) -> Option<&Roster> {
        self.writes.iter().rev().find_map(|write| match &write.record {
            Record::Roster(roster) => Some(&**roster),
            Record::Point(_)
            | Record::Replica(_)
            | Record::Downtime(_)
            | Record::RequestCounter(_) => None,
        })
    }

    /// The records that are written, as a person would look them up.
    pub fn about(&self) -> String {
        let names = self.writes.iter().map(|write| match &write.record {
            Record::Point(point) => point.id.to_string(),
            Record::Replica(replica) => replica.about(),
            Record::Downtime(downtime) => format!("downtime of {}", downtime.point),
            Record::Roster(_) => "roster".to_string(),
            Record::RequestCounter(counter) => format!("{} {}", counter.policy, counter.instance),
        });
        names.collect::<Vec<_>>().join(", ")
    }

    /// The same with something that a person should know of the points that it writes.
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
    /// The record as it is to be: whoever made it from what was read left its version alone.
    pub fn request_counter(mut asked: RequestCounter) -> Write {
        let expected = asked.version;
        asked.version += 1;
        Write { expected, record: Record::RequestCounter(Box::new(asked)) }
    }

    /// What it writes, if that is a record of requests.
    pub fn as_request_counter(&self) -> Option<&RequestCounter> {
        match &self.record {
            Record::RequestCounter(asked) => Some(&**asked),
            Record::Point(_) | Record::Replica(_) | Record::Downtime(_) | Record::Roster(_) => None,
        }
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

    /// A downtime that was just asked for.
    pub fn new_downtime(downtime: Downtime) -> Write {
        Write { expected: 0, record: Record::Downtime(Box::new(downtime)) }
    }

    pub fn roster(mut roster: Roster) -> Write {
        let expected = roster.version;
        roster.version += 1;
        Write { expected, record: Record::Roster(Box::new(roster)) }
    }
}

impl Record {
    /// The queue that this record stands in: none once it is settled.
    pub fn queue(&self) -> Option<Queue> {
        match self {
            Record::Point(point) => point.queue(),
            Record::Replica(replica) => replica.queue(),
            Record::Downtime(downtime) => downtime.queue(),
            Record::Roster(_) => None,
            // No worker drains it: the sweep looks after it.
            Record::RequestCounter(_) => None,
        }
    }

    /// From when on it wants to be worked at, unless something happens before.
    pub fn due_at(&self) -> Option<Timestamp> {
        match self {
            Record::Point(point) => point.step.due_at,
            Record::Replica(replica) => replica.step.due_at,
            Record::Downtime(downtime) => downtime.step.due_at,
            Record::Roster(_) => None,
            Record::RequestCounter(asked) => asked.pending.as_ref().map(|pending| pending.due_at),
        }
    }

    /// What EC2 sends events about while it waits.
    pub fn awaits(&self) -> Vec<String> {
        match self {
            Record::Point(point) => point.awaits(),
            Record::Replica(replica) => replica.awaits(),
            // Its worker looks, and needs no event for that.
            Record::Downtime(_) | Record::Roster(_) => Vec::new(),
            Record::RequestCounter(_) => Vec::new(),
        }
    }
}
