//! The decision of one round of a worker, in the order in which it is carried out. Facts that were
//! learnt come first: they cost only a write, and may free what others wait for. Calls that create
//! come next, at their pace. The wakes come last, one for each queue.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::apart;
use crate::call::{Around, Call, Conclusion, Intent};
use crate::change::Record;
use crate::command::{Change, Command, Decision, Explanation, Finding, Resolved, Wake};
use crate::ids::{InstanceId, Region, ResourceId};
use crate::illegal::Illegal;
use crate::obstacle::Obstacles;
use crate::point::Point;
use crate::reason::Reason;
use crate::slot::PointId;
use crate::transition::summary;
use crate::work::Queue;

/// Returns the intent of a call, with the obstacles of its queue.
pub(super) fn intent_around(around: Around, change: Change, call: impl Into<Call>) -> Intent {
    Intent { around: Some(Box::new(around)), ..Intent::new(change, call.into()) }
}

#[derive(Default)]
pub(super) struct DecisionBuilder {
    learnt: Vec<Command>,
    created: Vec<Command>,
    /// The points as this round has written them so far.
    points: BTreeMap<PointId, Point>,
    woken: BTreeSet<Queue>,
    explanations: Vec<Explanation>,
}

impl DecisionBuilder {
    pub fn record(&mut self, change: Change) {
        let records = change.writes.iter().map(|write| &write.record);
        self.points.extend(records.filter_map(|record| match record {
            Record::Point(point) => Some((point.id.clone(), (**point).clone())),
            _ => None,
        }));
        self.learn(Command::Record(Box::new(change)));
    }

    /// Returns a point as this round has written it; none if it has not.
    pub fn written(&self, id: &PointId) -> Option<&Point> {
        self.points.get(id)
    }

    /// Adds a command that records a fact.
    pub fn learn(&mut self, command: Command) {
        self.learnt.push(command);
    }

    pub fn create(&mut self, command: Command) {
        self.created.push(command);
    }

    /// Returns the number of calls so far.
    pub fn calls(&self) -> usize {
        self.created.len()
    }

    /// Adds a call, after its intent.
    pub fn call(&mut self, change: Change, call: impl Into<Call>) {
        let intent = Intent::new(change, call.into());
        self.create(Command::Call(Box::new(intent)));
    }

    /// Adds a call for a point, after its intent. Its outcome tells of the obstacles of its queue.
    /// `read` is the change that keeps what was read for the call, if the call is not made.
    pub fn call_around(
        &mut self,
        obstacles: &Obstacles,
        (change, call): (Change, impl Into<Call>),
        read: Option<Change>,
    ) {
        let intent = intent_around(Around::AtHome(obstacles.clone()), change, call);
        let intent = Intent { read: read.map(Box::new), ..intent };
        self.create(Command::Call(Box::new(intent)));
    }

    /// Tells whether a call that snapshots a machine was added.
    pub fn takes(&self, machine: &InstanceId) -> bool {
        self.created.iter().any(|command| apart::taken_by(command) == Some(machine))
    }

    /// Adds everything that was concluded from a look.
    pub fn conclude(&mut self, conclusion: Conclusion) {
        self.learnt.extend(conclusion.learnt.into_iter().map(Command::from));
        self.explanations.extend(conclusion.explanations);
    }

    /// Takes note of an event that could not happen to a record where it stands.
    pub fn check(&mut self, about: impl ToString, done: Result<(), impl Into<Illegal>>) {
        if let Err(illegal) = done {
            self.say(about, illegal.into().reason());
        }
    }

    pub fn wake(&mut self, queue: Queue) {
        self.woken.insert(queue);
    }

    pub fn say(&mut self, about: impl ToString, reason: Reason) {
        self.explanations.push(Explanation { about: about.to_string(), reason });
    }

    /// Adds a finding to a point, and to the summary of its machine, if the point has none of its
    /// code.
    pub fn report_once(&mut self, point: &Point, reason: Reason) {
        if point.findings.iter().any(|finding| finding.code == reason.code) {
            return;
        }
        self.say(&point.id, reason.clone());
        let found = point.clone().found(Some(reason));
        let told = summary::latest(&found);
        self.record(Change::point(found).telling(Some(told)));
    }

    /// Reports a finding that a person should see, kept once.
    pub fn report(&mut self, finding: Finding) {
        self.learnt.push(Command::Report(finding));
    }

    /// Reports an artefact of a region; nothing if there is no artefact that could be named.
    pub fn report_of(
        &mut self,
        region: &Region,
        artefact: Option<&ResourceId>,
        reason: &Reason,
        now: Timestamp,
    ) {
        let Some(artefact) = artefact else { return };
        let (region, artefact) = (region.clone(), artefact.clone().into());
        self.report(Finding { region, artefact, reason: reason.clone(), seen_at: now });
    }

    /// Gives a finding that is open another text.
    pub fn reword(&mut self, finding: Finding) {
        self.learnt.push(Command::Reword(finding));
    }

    /// Removes a finding that no longer holds.
    pub fn resolve(&mut self, resolved: Resolved) {
        self.learnt.push(Command::Resolve(resolved));
    }

    pub fn decision(self) -> Decision {
        let wakes = self.woken.into_iter().map(|queue| Command::Wake(Wake { queue, hop: 0 }));
        let commands = self.learnt.into_iter().chain(self.created).chain(wakes).collect();
        Decision { commands, explanations: self.explanations }
    }
}
