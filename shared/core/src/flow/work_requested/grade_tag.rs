//! Corrections of the grade tag: artefacts carry the true grade before anything is made of them.
//!
//! The call that makes an artefact has the expected grade in its tags. If the look afterwards shows
//! another grade (the machine was started in between), the tag is corrected before the next step is
//! taken, so that nothing is made of an artefact with a wrong tag. Usually the two agree, and
//! nothing is called.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::decision_builder::DecisionBuilder;
use crate::call::CreateTags;
use crate::command::{Command, Correct};
use crate::limits::WAITING_MAX;
use crate::names::TAG_GRADE;
use crate::point::Point;
use crate::reason::{Code, Reason};
use crate::tags::write::grade_tag;

/// Tells whether the grade tag of an artefact differs from the grade of its point. An artefact
/// without the tag is not ours, or does not show its tags yet.
pub(super) fn is_untrue(point: &Point, tags: &BTreeMap<String, String>) -> bool {
    let told = tags.get(TAG_GRADE).map(String::as_str);
    told.zip(point.grade).is_some_and(|(told, grade)| told != grade.as_str())
}

/// Returns the command, after a correction of the artefacts whose grade tag is untrue.
pub(super) fn first(
    builder: &mut DecisionBuilder,
    point: &Point,
    untrue: Vec<String>,
    then: Command,
    now: Timestamp,
) -> Command {
    let Some(grade) = point.grade.filter(|_| !untrue.is_empty()) else { return then };
    if now.duration_since(point.wanted_since()) >= WAITING_MAX {
        let hours = WAITING_MAX.as_hours();
        let text = format!(
            "{} could not be told its grade, {}, for {hours} hours",
            untrue.join(" "),
            grade.as_str()
        );
        let reason = Reason::new(Code::GradeNotCorrected, text);
        builder.say(&point.id, reason.clone());
        return then.finding(&reason);
    }
    Command::Correct(Box::new(Correct {
        point: point.id.clone(),
        call: CreateTags { region: point.home.clone(), artefacts: untrue, tags: grade_tag(grade) },
        then,
    }))
}
