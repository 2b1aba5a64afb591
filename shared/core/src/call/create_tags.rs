//! CreateTags: corrects tags of ours that turned out to be untrue.
//!
//! No intent is written. Setting the same tags twice does no harm, and the next look shows whether
//! they were set.

use std::collections::BTreeMap;

use super::outcome::{Answer, Outcome};
use crate::ids::Region;
use crate::reason::{Code, Reason};

/// The CreateTags request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateTags {
    pub region: Region,
    pub artefacts: Vec<String>,
    pub tags: BTreeMap<String, String>,
}

impl CreateTags {
    pub const NAME: &'static str = "CreateTags";
}

/// Meaning of an outcome for the command that waits until the tags are right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Corrected {
    /// EC2 took the tags.
    Yes,
    /// EC2 will never take the tags. The command is carried out all the same, and a person is told.
    Never(Reason),
    /// The tags could not be set now. The next look tries again.
    NotNow(Reason),
}

/// Returns the meaning of the outcome.
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
