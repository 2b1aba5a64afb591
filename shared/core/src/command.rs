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
use crate::subject::Subject;
use crate::summary::Summary;
use crate::work::Queue;

/// What is to be done, and why; also why something is not done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// Carried out in this order.
    pub commands: Vec<Command>,
    pub explanations: Vec<Explanation>,
}

/// A reason, and what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// A point, an instance, an image: whatever a person would look up.
    pub about: String,
    pub reason: Reason,
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

/// The intent, written first, and the call. Writing the intent is the right to call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent<C> {
    pub change: Change,
    pub queue: Queue,
    pub call: C,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateSnapshots {
    pub region: Region,
    pub instance: InstanceId,
    pub description: String,
    /// Of the volumes that are left out, those that are not the root.
    pub without: Vec<VolumeId>,
    pub without_root: bool,
    pub tags: BTreeMap<String, String>,
}

/// An image that EC2 makes of a machine, with a snapshot of each of its volumes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateImage {
    pub region: Region,
    pub instance: InstanceId,
    pub name: String,
    pub description: String,
    /// Whether EC2 is to take a running machine down for it.
    pub reboot: bool,
    /// The devices that are left out.
    pub without: Vec<String>,
    /// On the image.
    pub tags: BTreeMap<String, String>,
    /// On each of its snapshots.
    pub snapshot_tags: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterImage {
    pub region: Region,
    pub name: String,
    pub description: String,
    pub architecture: String,
    pub root_device: String,
    pub ena: bool,
    pub sriov: Option<String>,
    pub boot_mode: Option<String>,
    pub tpm: Option<String>,
    pub imds: Option<String>,
    pub uefi_data: Option<String>,
    pub devices: Vec<Device>,
    pub tags: BTreeMap<String, String>,
}

/// One entry of a block device mapping. It never says anything of encryption: the snapshot does,
/// and EC2 refuses a request that repeats it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    pub name: String,
    pub snapshot: SnapshotId,
    pub size_gib: i32,
    pub volume_type: String,
    pub iops: Option<i32>,
    pub throughput: Option<i32>,
    pub delete_on_termination: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyImage {
    /// Where the copy will be; the call is made there.
    pub region: Region,
    pub source_region: Region,
    pub source: AmiId,
    pub name: String,
    pub description: String,
    pub token: String,
    /// A key of the destination; encrypted copies always name one.
    pub kms_key: Option<String>,
    /// On the image and on its snapshots.
    pub tags: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopInstance {
    pub region: Region,
    pub instance: InstanceId,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartInstance {
    pub region: Region,
    pub instance: InstanceId,
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

/// Something that a person should see, kept once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    pub region: Region,
    /// An image, a snapshot, a machine, a policy.
    pub artefact: Subject,
    pub reason: Reason,
    pub seen_at: Timestamp,
}

/// A finding that no longer holds. Should it hold again, it is a new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    pub region: Region,
    pub artefact: Subject,
    /// What had been found.
    pub code: Code,
    pub at: Timestamp,
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

    #[must_use]
    pub fn telling(mut self, summary: Option<Summary>) -> Change {
        self.summary = summary;
        self
    }
}

impl Consume {
    /// What is written once the tag has gone and the machine is answered.
    pub fn consumed(&self, now: Timestamp) -> Option<Change> {
        let record = self.record.as_ref()?.consumed(now);
        Some(Change { writes: vec![Write::request_counter(record)], summary: None })
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
