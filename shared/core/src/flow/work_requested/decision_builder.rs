//! What one round of a worker does, in the order in which it is carried out: first what was
//! learnt, which costs only a write and may free what others wait for; then what is created, which
//! is paced; at last the wakes, one for each queue.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::command::{Change, Command, Decision, Explanation, Finding, Resolved, Wake};
use crate::ids::Region;
use crate::reason::{Code, Reason};
use crate::subject::Subject;
use crate::work::Queue;

#[derive(Default)]
pub(super) struct DecisionBuilder {
    learnt: Vec<Command>,
    created: Vec<Command>,
    woken: BTreeSet<Queue>,
    explanations: Vec<Explanation>,
}

impl DecisionBuilder {
    pub fn record(&mut self, change: Change) {
        self.learn(Command::Record(Box::new(change)));
    }

    /// What was learnt, in whatever it has to be wrapped.
    pub fn learn(&mut self, command: Command) {
        self.learnt.push(command);
    }

    pub fn create(&mut self, command: Command) {
        self.created.push(command);
    }

    pub fn wake(&mut self, queue: Queue) {
        self.woken.insert(queue);
    }

    pub fn say(&mut self, about: impl ToString, reason: Reason) {
        self.explanations.push(Explanation { about: about.to_string(), reason });
    }

    /// Something carries our tag or a name of ours, and is not ours.
    pub fn foreign(
        &mut self,
        region: &Region,
        artefact: impl Into<Subject>,
        why: String,
        now: Timestamp,
    ) {
        let reason = Reason::new(Code::Foreign, why);
        let (region, artefact) = (region.clone(), artefact.into());
        let finding = Finding { region, artefact, reason, seen_at: now };
        self.learnt.push(Command::Report(finding));
    }

    /// Something that a person should see, kept once.
    pub fn report(&mut self, finding: Finding) {
        self.learnt.push(Command::Report(finding));
    }

    /// What a person was told is no longer so.
    pub fn resolve(&mut self, resolved: Resolved) {
        self.learnt.push(Command::Resolve(resolved));
    }

    pub fn decision(self) -> Decision {
        let wakes = self.woken.into_iter().map(|queue| Command::Wake(Wake { queue, hop: 0 }));
        let commands = self.learnt.into_iter().chain(self.created).chain(wakes).collect();
        Decision { commands, explanations: self.explanations }
    }
}
