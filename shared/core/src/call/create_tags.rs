//! CreateTags: tags of ours that turned out to be untrue are put right.
//!
//! No intent is written: to say the same twice does no harm, and the next look sees whether it was
//! said.

use std::collections::BTreeMap;

use super::outcome::{Answer, Outcome};
use crate::ids::Region;
use crate::reason::{Code, Reason};

/// The request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateTags {
    pub region: Region,
    pub artefacts: Vec<String>,
    pub tags: BTreeMap<String, String>,
}

impl CreateTags {
    pub const NAME: &'static str = "CreateTags";
}

/// The meaning of an outcome for what was to be done after the tags are right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Corrected {
    /// It is done.
    Yes,
    /// EC2 never takes the tags: it is done all the same, and a person is told.
    Never(Reason),
    /// The next look tries again.
    NotNow(Reason),
}

/// The meaning of the outcome.
pub fn conclude(outcome: Outcome<()>) -> Corrected {
    let reason = |code, answer: &Answer| Reason::new(code, answer.to_string());
    match outcome {
        Outcome::Made(()) => Corrected::Yes,
        Outcome::Refused(answer) => Corrected::Never(reason(Code::GradeNotCorrected, &answer)),
        Outcome::Throttled(answer) => Corrected::NotNow(reason(Code::Throttled, &answer)),
        Outcome::Gone(answer) => Corrected::NotNow(reason(Code::ArtefactGone, &answer)),
        Outcome::Failed(answer) | Outcome::NameTaken(answer) => {
            Corrected::NotNow(reason(Code::CallFailed, &answer))
        }
        Outcome::Unknown(answer) => Corrected::NotNow(reason(Code::OutcomeUnknown, &answer)),
    }
}
