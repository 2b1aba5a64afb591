//! What a decision is made of: commands that carry every value they need, and the reasons.
//!
//! [`Command`] is closed, and one `match` in `afterimage-aws` carries it out. Execution makes no
//! choices; the outcome of a call comes back to [`crate::call::conclude`].

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::call::create_tags::{self, Corrected};
use crate::call::{Conclusion, CreateTags, Intent, Learnt, Outcome};
use crate::ids::{InstanceId, PolicyName, Region};
use crate::reason::Reason;
use crate::request_counter::RequestCounter;
use crate::slot::PointId;
use crate::work::Queue;

pub use crate::change::{Change, Record, Write};
pub use crate::finding::{Explanation, Finding, Resolved};

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
    /// A call that changes something in EC2, and its intent.
    Call(Box<Intent>),
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
    pub call: CreateTags,
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
    /// The change of the ledger that the command writes first, if it writes one.
    pub fn change(&self) -> Option<&Change> {
        match self {
            Command::Request(change) | Command::Record(change) => Some(change),
            Command::Call(intent) => Some(&intent.change),
            Command::Consume(consume) => consume.taken.as_ref(),
            Command::Correct(correct) => correct.then.change(),
            Command::Advance(_)
            | Command::Wake(_)
            | Command::Looked(_)
            | Command::Report(_)
            | Command::Resolve(_) => None,
        }
    }

    /// The queue in whose pace and under whose lease the command is carried out.
    pub fn queue(&self) -> Option<&Queue> {
        match self {
            Command::Call(intent) => Some(&intent.queue),
            Command::Correct(correct) => correct.then.queue(),
            Command::Request(_)
            | Command::Consume(_)
            | Command::Advance(_)
            | Command::Record(_)
            | Command::Wake(_)
            | Command::Looked(_)
            | Command::Report(_)
            | Command::Resolve(_) => None,
        }
    }

    /// The same with something that a person should know of the points that it writes.
    #[must_use]
    pub fn finding(self, reason: &Reason) -> Command {
        match self {
            Command::Request(change) => Command::Request(Box::new(change.finding(reason))),
            Command::Record(change) => Command::Record(Box::new(change.finding(reason))),
            Command::Call(mut intent) => {
                intent.change = intent.change.finding(reason);
                Command::Call(intent)
            }
            Command::Correct(_)
            | Command::Consume(_)
            | Command::Resolve(_)
            | Command::Advance(_)
            | Command::Wake(_)
            | Command::Looked(_)
            | Command::Report(_) => self,
        }
    }
}

impl Correct {
    /// What is done after EC2 has answered.
    pub fn conclude(self, outcome: Outcome<()>) -> Decision {
        let mut decision = Decision::default();
        match create_tags::conclude(outcome) {
            Corrected::Yes => decision.command(self.then),
            Corrected::Never(reason) => {
                decision.say(&self.point, reason.clone());
                decision.command(self.then.finding(&reason));
            }
            Corrected::NotNow(reason) => decision.say(&self.point, reason),
        }
        decision
    }
}

impl From<Learnt> for Command {
    fn from(learnt: Learnt) -> Command {
        match learnt {
            Learnt::Record(change) => Command::Record(change),
            Learnt::Report(finding) => Command::Report(finding),
        }
    }
}

impl From<Conclusion> for Decision {
    fn from(conclusion: Conclusion) -> Decision {
        let commands = conclusion.learnt.into_iter().map(Command::from).collect();
        Decision { commands, explanations: conclusion.explanations }
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
