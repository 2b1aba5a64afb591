//! Decisions: commands that carry every value they need, and the reasons for them.
//!
//! [`Command`] is closed, and one `match` in `afterimage-aws` carries it out. The executor makes no
//! choices. The outcome of a call comes back to [`crate::call::conclude`].

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::call::create_tags::{self, Corrected};
use crate::call::{Conclusion, CreateTags, Intent, Learnt, Outcome};
use crate::hint::Hint;
use crate::ids::{InstanceId, PolicyName, Region};
use crate::reason::Reason;
use crate::request_counter::RequestCounter;
use crate::slot::PointId;
use crate::still::{AllStill, Still};
use crate::unaudited::{AllUnaudited, AllUnreadKeys};
use crate::witness::Mark;
use crate::work::Queue;

pub use crate::change::{Change, Record, Write};
pub use crate::finding::{Explanation, Finding, Resolved};

/// Commands to carry out, with their reasons, and reasons for what is not done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// Commands in the order in which they are carried out.
    pub commands: Vec<Command>,
    pub explanations: Vec<Explanation>,
}

/// Everything that a function can change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Create a point, unless the ledger has one of that id.
    Request(Box<Change>),
    /// Record that a schedule was looked after up to this time.
    Advance(Cursor),
    /// Record a change that was learnt. Nothing is called.
    Record(Box<Change>),
    /// List a region from now on, because it has artefacts of ours.
    Watch(Region),
    /// Take a request by tag off the machine, and answer it.
    Consume(Box<Consume>),
    /// Make a call that changes something in EC2, after its intent is written.
    Call(Box<Intent>),
    /// Correct the tags of artefacts, and then carry out another command.
    Correct(Box<Correct>),
    /// Tell the worker of a region that a machine may have stopped, or may carry a request.
    Hint(Hint),
    /// Remove a hint that was followed.
    Forget(Hint),
    /// Wake the worker of a queue.
    Wake(Wake),
    /// Tell a person of work at which nobody is, once it is known if the bus takes the events that
    /// wake its workers.
    TellStill(Still),
    /// Record that everything that carries our tag was looked through, in all regions but these;
    /// the keys of which nothing is known; and where work stands still.
    Looked(Timestamp, AllUnaudited, AllUnreadKeys, AllStill),
    /// Keep a finding for people, where they look.
    Report(Finding),
    /// Give a finding that is open another text. Nothing is done if there is none of its code.
    Reword(Finding),
    /// Remove a finding that no longer holds.
    Resolve(Resolved),
    /// Count a round, in the ledger or in its witness.
    Mark(Mark),
}

/// The steps of a request by tag, in this order: `taken` is written, the tag is removed, its
/// removal is written, the answer is set, and the end of all this is written. A worker that is too
/// slow for the first write leaves the other steps to the faster one. A request that leaves no
/// record is answered before its tag is removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consume {
    pub region: Region,
    pub instance: InstanceId,
    /// The change that gives the right to go on. A request that is refused leaves nothing in the
    /// ledger, and has none.
    pub taken: Option<Change>,
    /// The value that the tag must have to be removed: another request that was set meanwhile
    /// stays. None if the tag has gone.
    pub value: Option<String>,
    /// The record as it is once `taken` is written.
    pub record: Option<RequestCounter>,
    /// The text that is set on the machine.
    pub answer: Option<String>,
}

/// A correction of our tags that turned out to be untrue. Nothing is recorded before: setting the
/// right tags twice does no harm, and the next look shows if they were set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correct {
    pub point: PointId,
    pub call: CreateTags,
    /// Command that is carried out once EC2 has taken the tags, and not before.
    pub then: Command,
}

/// The progress of a schedule of a policy in one region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    pub policy: PolicyName,
    /// The cron expression and the time zone. Another schedule has another cursor.
    pub schedule: String,
    /// None in a cursor of an earlier release, which had one for all regions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    pub done_until: Timestamp,
}

/// A message that wakes the worker of a queue. The successor of a worker that ran out of time has
/// one hop more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wake {
    pub queue: Queue,
    pub hop: u32,
}

impl Command {
    /// Returns the change of the ledger that the command writes first, if it writes one.
    pub fn change(&self) -> Option<&Change> {
        match self {
            Command::Request(change) | Command::Record(change) => Some(change),
            Command::Call(intent) => Some(&intent.change),
            Command::Consume(consume) => consume.taken.as_ref(),
            Command::Correct(correct) => correct.then.change(),
            Command::Advance(_)
            | Command::Watch(_)
            | Command::Hint(_)
            | Command::Forget(_)
            | Command::Wake(_)
            | Command::TellStill(_)
            | Command::Looked(..)
            | Command::Report(_)
            | Command::Reword(_)
            | Command::Resolve(_)
            | Command::Mark(_) => None,
        }
    }

    /// Tells whether the command is the count of a round that is over. It takes no time, and is
    /// written even if no time is left: without it, the next worker would doubt the ledger.
    pub fn ends_round(&self) -> bool {
        matches!(self, Command::Mark(Mark::End { .. }))
    }

    /// Returns the queue whose pace and lease the command needs.
    pub fn queue(&self) -> Option<&Queue> {
        match self {
            Command::Call(intent) => Some(&intent.queue),
            Command::Correct(correct) => correct.then.queue(),
            Command::Request(_)
            | Command::Consume(_)
            | Command::Advance(_)
            | Command::Watch(_)
            | Command::Record(_)
            | Command::Hint(_)
            | Command::Forget(_)
            | Command::Wake(_)
            | Command::TellStill(_)
            | Command::Looked(..)
            | Command::Report(_)
            | Command::Reword(_)
            | Command::Resolve(_)
            | Command::Mark(_) => None,
        }
    }

    /// Returns the command with a reason that a person should see, added to the points that it
    /// writes.
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
            | Command::Watch(_)
            | Command::Advance(_)
            | Command::Hint(_)
            | Command::Forget(_)
            | Command::Wake(_)
            | Command::TellStill(_)
            | Command::Looked(..)
            | Command::Report(_)
            | Command::Reword(_)
            | Command::Mark(_) => self,
        }
    }
}

impl Correct {
    /// Returns the decision that follows from the answer of EC2.
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
            Learnt::Resolve(resolved) => Command::Resolve(resolved),
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

    /// Takes over all commands and explanations of another decision.
    pub fn add(&mut self, other: Decision) {
        self.commands.extend(other.commands);
        self.explanations.extend(other.explanations);
    }
}

impl Consume {
    /// Returns the change that is written once the tag has gone, and what is left to do after it.
    /// None if there is no record, or if the tag had gone before.
    #[must_use]
    pub fn without_tag(&self, now: Timestamp) -> Option<(Change, Consume)> {
        let (record, Some(_)) = (self.record.as_ref()?, &self.value) else { return None };
        let write = Write::request_counter(record.without_tag(now));
        let record = write.as_request_counter().cloned();
        let change = Change { writes: vec![write], summary: None };
        Some((change, Consume { taken: None, value: None, record, ..self.clone() }))
    }

    /// Returns the change that is written once the tag has gone and the machine is answered.
    pub fn consumed(&self, now: Timestamp) -> Option<Change> {
        let record = self.record.as_ref()?.consumed(now);
        Some(Change { writes: vec![Write::request_counter(record)], summary: None })
    }
}
