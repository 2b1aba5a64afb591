//! Conclusions: the changes that follow from the outcome of a call, or from the search for it.

use jiff::Timestamp;

use crate::change::Change;
use crate::finding::{Explanation, Finding, Resolved};
use crate::ids::Region;
use crate::reason::{Code, Reason};
use crate::subject::Subject;

/// Everything that was learnt about one record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conclusion {
    /// Facts in the order in which they are written.
    pub learnt: Vec<Learnt>,
    pub explanations: Vec<Explanation>,
    /// True if the next calls of the queue would meet the same obstacle.
    pub is_held_up: bool,
}

/// A fact that was learnt. Keeping it costs a write and no call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Learnt {
    Record(Box<Change>),
    Report(Finding),
    Resolve(Resolved),
}

impl Conclusion {
    /// Returns a conclusion that records the change and explains nothing.
    pub fn of(change: Change) -> Conclusion {
        let learnt = vec![Learnt::Record(Box::new(change))];
        Conclusion { learnt, ..Conclusion::default() }
    }

    /// Takes over everything that another conclusion has.
    pub fn add(&mut self, other: Conclusion) {
        self.learnt.extend(other.learnt);
        self.explanations.extend(other.explanations);
        self.is_held_up |= other.is_held_up;
    }

    pub fn record(&mut self, change: Change) {
        self.learnt.push(Learnt::Record(Box::new(change)));
    }

    pub fn report(&mut self, finding: Finding) {
        self.learnt.push(Learnt::Report(finding));
    }

    pub fn resolve(&mut self, resolved: Resolved) {
        self.learnt.push(Learnt::Resolve(resolved));
    }

    pub fn say(&mut self, about: impl ToString, reason: Reason) {
        self.explanations.push(Explanation { about: about.to_string(), reason });
    }

    /// Reports an artefact that carries our tag or a name of ours, but is not ours.
    pub fn foreign(
        &mut self,
        region: &Region,
        artefact: impl Into<Subject>,
        why: String,
        now: Timestamp,
    ) {
        let reason = Reason::new(Code::Foreign, why);
        let (region, artefact) = (region.clone(), artefact.into());
        self.report(Finding { region, artefact, reason, seen_at: now });
    }
}
