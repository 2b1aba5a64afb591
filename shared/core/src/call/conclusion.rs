//! Conclusions: the changes that follow from the outcome of a call, or from the search for it.

use jiff::Timestamp;

use crate::change::Change;
use crate::finding::{Explanation, Finding};
use crate::ids::Region;
use crate::reason::{Code, Reason};
use crate::subject::Subject;

/// Everything that was learnt about one record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conclusion {
    /// Facts in the order in which they are written.
    pub learnt: Vec<Learnt>,
    pub explanations: Vec<Explanation>,
}

/// A fact that was learnt. Keeping it costs a write and no call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Learnt {
    Record(Box<Change>),
    Report(Finding),
}

impl Conclusion {
    /// Returns a conclusion that records the change and explains nothing.
    pub fn of(change: Change) -> Conclusion {
        Conclusion { learnt: vec![Learnt::Record(Box::new(change))], explanations: Vec::new() }
    }

    /// Takes over everything that another conclusion has.
    pub fn add(&mut self, other: Conclusion) {
        self.learnt.extend(other.learnt);
        self.explanations.extend(other.explanations);
    }

    pub fn record(&mut self, change: Change) {
        self.learnt.push(Learnt::Record(Box::new(change)));
    }

    pub fn report(&mut self, finding: Finding) {
        self.learnt.push(Learnt::Report(finding));
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
