//! What a decision is made of: commands that carry every value they need, and the reasons.
//!
//! [`Command`] is closed, and one `match` in `afterimage-aws` carries it out. Execution makes no
//! choices; what a call brought comes back to [`crate::conclude`].

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::downtime::{Downtime, Roster};
use crate::ids::{AmiId, InstanceId, PolicyName, Region, SnapshotId, VolumeId};
use crate::point::{Point, Replica};
use crate::reason::{Code, Reason};
use crate::request_counter::RequestCounter;
use crate::slot::PointId;
use crate::summary::Summary;
use crate::work::Queue;

/// What is to be done, and why; also why something is not done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// Carried out in this order.
    pub commands: Vec<Command>,
    pub explanations: Vec<Explanation>,
}

/// Everything that a function can do to the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A new point, unless there is one of that id.
    Request(Box<Change>),
    /// A schedule was looked after up to then.
    Advance(Cursor),
    /// Something was learnt; nothing is called.
    Record(Box<Change>),
    /// A request by tag is taken off the machine, and answered.
    Consume(Box<Consume>),
    CreateSnapshots(Box<Intent<CreateSnapshots>>),
    CreateImage(Box<Intent<CreateImage>>),
    RegisterImage(Box<Intent<RegisterImage>>),
    CopyImage(Box<Intent<CopyImage>>),
    /// Never by force.
    StopInstance(Box<Intent<StopInstance>>),
    StartInstance(Box<Intent<StartInstance>>),
    /// What artefacts say of themselves is put right, and then something is done.
    Correct(Box<Correct>),
    /// Wake the worker of a queue.
    Wake(Wake),
    /// Everything that carries our tag was looked through.
    Looked(Timestamp),
    /// Something that a person should see: kept where people look.
    Report(Finding),
    /// What was found is no longer so.
    Resolve(Resolved),
}

/// How a request by tag is dealt with, in this order: what is `taken` is written, the tag goes, the
/// answer is given, and that all this is done is written. Whoever is slower with the first of these
/// leaves the others to whoever was faster. What leaves no record is answered before its tag goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consume {
    pub region: Region,
    pub instance: InstanceId,
    /// The right to go on. A request that is refused leaves nothing in the ledger, and has none.
    pub taken: Option<Change>,
    /// The tag goes only if it has this value: another request that was put meanwhile stays. None
    /// if it has gone.
    pub value: Option<String>,
    /// The record as it is once that is written.
    pub record: Option<RequestCounter>,
    /// What is put on the machine.
    pub answer: Option<String>,
}

/// Tags of ours that turned out to be untrue. Nothing is recorded before: to say the truth twice
/// does no harm, and whoever looks sees whether it was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correct {
    pub point: PointId,
    pub region: Region,
    pub artefacts: Vec<String>,
    pub tags: BTreeMap<String, String>,
    /// What is done once EC2 has taken them; not before.
    pub then: Command,
}

/// How far a schedule of a policy was looked after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    pub policy: PolicyName,
    /// The expression and the zone: another schedule has another cursor.
    pub schedule: String,
    pub done_until: Timestamp,
}

/// Wakes the worker of a queue; the successor of one that ran out of time is one hop on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wake {
    pub queue: Queue,
    pub hop: u32,
}

impl Command {
    /// The same with something that a person should know of the points that it writes.
    #[must_use]
    pub fn finding(mut self, reason: &Reason) -> Command {
        let change = match &mut self {
            Command::Request(change) | Command::Record(change) => change.as_mut(),
            Command::CreateSnapshots(intent) => &mut intent.change,
            Command::CreateImage(intent) => &mut intent.change,
            Command::RegisterImage(intent) => &mut intent.change,
            Command::CopyImage(intent) => &mut intent.change,
            Command::StopInstance(intent) => &mut intent.change,
            Command::StartInstance(intent) => &mut intent.change,
            Command::Correct(_)
            | Command::Consume(_)
            | Command::Resolve(_)
            | Command::Advance(_)
            | Command::Wake(_)
            | Command::Looked(_)
            | Command::Report(_) => return self,
        };
        for write in &mut change.writes {
            if let Record::Point(point) = &mut write.record {
                **point = point.as_ref().clone().found(Some(reason.clone()));
            }
        }
        self
    }
}

impl Decision {
    pub fn say(&mut self, about: impl ToString, reason: Reason) {
        self.explanations.push(Explanation { about: about.to_string(), reason });
    }

    pub fn command(&mut self, command: Command) {
        self.commands.push(command);
    }

    /// Takes over all that another decision wants.
    pub fn add(&mut self, other: Decision) {
        self.commands.extend(other.commands);
        self.explanations.extend(other.explanations);
    }
}

impl Consume {
    /// What is written once the tag has gone and the machine is answered.
    pub fn consumed(&self, now: Timestamp) -> Option<Change> {
        let record = self.record.as_ref()?.consumed(now);
        Some(Change { writes: vec![Write::request_counter(record)], summary: None })
    }
}

