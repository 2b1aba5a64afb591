//! Outcomes that mean the same for every call that is made for a point.

use jiff::{SignedDuration, Timestamp};

use super::conclusion::Conclusion;
use super::named::Named;
use super::outcome::Answer;
use crate::change::Change;
use crate::limits::{NAME_VISIBLE, SETTLE, later};
use crate::observed::ObservedImage;
use crate::point::{Point, Step};
use crate::reason::{Code, Reason};
use crate::status::IllegalTransition;
use crate::transition::retry::{self, Next};
use crate::transition::summary;

/// A point and the summary of its machine are recorded; the reason, if there is one, is explained.
pub(super) fn recorded(after: Point) -> Conclusion {
    let mut conclusion = Conclusion::default();
    if let Some(reason) = &after.reason {
        conclusion.say(&after.id, reason.clone());
    }
    conclusion.record(summary::recorded(after));
    conclusion
}

/// The call made nothing; the next try is made after a wait.
pub(super) fn failed(
    point: &Point,
    answer: &Answer,
    now: Timestamp,
) -> Result<Conclusion, IllegalTransition> {
    let reason = Reason::new(Code::CallFailed, answer.to_string());
    retry::failed(point, reason, Next::Backoff, now).map(recorded)
}

/// EC2 asked to wait: the same try is made later, but not for longer than `waiting_max`.
pub(super) fn throttled(
    point: &Point,
    answer: &Answer,
    waiting_max: SignedDuration,
    now: Timestamp,
) -> Result<Conclusion, IllegalTransition> {
    retry::throttled(point, &answer.to_string(), waiting_max, now).map(recorded)
}

/// EC2 will never accept the call: the point is given up.
pub(super) fn refused(point: &Point, answer: &Answer) -> Result<Conclusion, IllegalTransition> {
    let reason = Reason::new(Code::CallRefused, answer.to_string());
    retry::given_up(point, reason).map(recorded)
}

/// The machine of the point is gone: the point is given up.
pub(super) fn machine_gone(
    point: &Point,
    answer: &Answer,
) -> Result<Conclusion, IllegalTransition> {
    let reason = Reason::new(Code::MachineGone, answer.to_string());
    retry::given_up(point, reason).map(recorded)
}

/// The intent stands. Its worker looks for what the call made as soon as that must be visible.
pub(super) fn unknown(point: &Point, answer: &Answer) -> Conclusion {
    let reason = Some(Reason::new(Code::OutcomeUnknown, answer.to_string()));
    recorded(Point { reason, ..point.clone() })
}

/// The name is taken. Its worker looks for the holder as soon as that must be visible.
pub(super) fn name_taken(point: &Point, answer: &Answer, now: Timestamp) -> Conclusion {
    let step = Step { due_at: Some(later(now, NAME_VISIBLE)), ..point.step.clone() };
    let reason = Some(Reason::new(Code::NameTaken, answer.to_string()));
    recorded(Point { step, reason, ..point.clone() })
}

/// The images that have our name and are not ours are reported.
pub(super) fn report_foreign(point: &Point, named: &Named<'_>, now: Timestamp) -> Conclusion {
    let mut conclusion = Conclusion::default();
    for (image, why) in &named.foreign {
        conclusion.foreign(&point.home, &image.id, (*why).to_string(), now);
    }
    conclusion
}

/// The image that an earlier call made becomes the point's own. `after` is the point with it.
pub(super) fn adopt(conclusion: &mut Conclusion, image: &ObservedImage, after: Point) {
    let text = format!("{} was found: an earlier call without an answer made it", image.id);
    conclusion.say(&after.id, Reason::new(Code::Adopted, text));
    conclusion.record(Change::point(after));
}

/// Somebody else holds the name: the next try is made under another.
pub(super) fn pass_over(
    conclusion: &mut Conclusion,
    point: &Point,
    holder: &ObservedImage,
    now: Timestamp,
) -> Result<(), IllegalTransition> {
    let text = format!("{} has the name {}, and is not ours", holder.id, holder.name);
    let reason = Reason::new(Code::Foreign, text);
    conclusion.say(&point.id, reason.clone());
    conclusion.record(summary::recorded(retry::outdone(point, reason, now)?));
    Ok(())
}

/// Nothing has the name. Until everything that EC2 made must be visible this says nothing; from
/// then on the call has made nothing.
pub(super) fn nobody_has(
    conclusion: &mut Conclusion,
    point: &Point,
    name: &str,
    now: Timestamp,
) -> Result<(), IllegalTransition> {
    if !point.step.is_past(SETTLE, now) {
        let visible = later(point.step.begun_at.unwrap_or(now), SETTLE);
        let text = format!("no image with the name {name} is visible yet");
        wait(conclusion, point, visible, text);
        return Ok(());
    }
    let reason = nothing_found();
    conclusion.say(&point.id, reason.clone());
    conclusion.record(summary::recorded(retry::failed(point, reason, Next::AtOnce, now)?));
    Ok(())
}

/// The reason of a try that left nothing.
pub(super) fn nothing_found() -> Reason {
    let text = "no result was found of the previous call; trying again";
    Reason::new(Code::OutcomeUnknown, text)
}

/// Nothing can be said yet; the next look is at `until`.
pub(super) fn wait(conclusion: &mut Conclusion, point: &Point, until: Timestamp, text: String) {
    let reason = Reason::new(Code::OutcomeUnknown, text);
    conclusion.say(&point.id, reason.clone());
    let step = Step { due_at: Some(until), ..point.step.clone() };
    conclusion.record(Change::point(Point { step, reason: Some(reason), ..point.clone() }));
}
