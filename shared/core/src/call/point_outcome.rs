//! Outcomes that mean the same for every call that is made for a point.

use jiff::Timestamp;

use super::conclusion::Conclusion;
use super::named::{self, Named};
use super::outcome::Answer;
use crate::change::Change;
use crate::limits::{NAME_VISIBLE, SETTLE, later};
use crate::observed::ObservedImage;
use crate::point::{Point, Step};
use crate::policy::Consistency;
use crate::reason::{Code, Reason};
use crate::status::{IllegalTransition, Making};
use crate::transition::retry::{self, Next};
use crate::transition::summary;

/// Records a point and the summary of its machine, and explains the reason if there is one.
pub(super) fn recorded(after: Point) -> Conclusion {
    let mut conclusion = Conclusion::default();
    if let Some(reason) = &after.reason {
        conclusion.say(&after.id, reason.clone());
    }
    conclusion.record(summary::recorded(after));
    conclusion
}

/// Concludes that the call made nothing. The next try is made after a wait.
pub(super) fn failed(
    point: &Point,
    answer: &Answer,
    now: Timestamp,
) -> Result<Conclusion, IllegalTransition> {
    let reason = Reason::new(Code::CallFailed, answer.to_string());
    retry::failed(point, reason, Next::Backoff, now).map(recorded)
}

/// Concludes that EC2 asked to wait. The same try is made later.
pub(super) fn throttled(
    point: &Point,
    answer: &Answer,
    now: Timestamp,
) -> Result<Conclusion, IllegalTransition> {
    retry::throttled(point, &answer.to_string(), now).map(recorded)
}

/// Concludes that EC2 does not accept the call as it is. Its cause can go without us: a key is
/// made, a quirk is mended. So the next try is made after a wait. A machine that is down for the
/// call must not wait for that: its point is given up, so that the machine is started again.
pub(super) fn refused(
    point: &Point,
    answer: &Answer,
    now: Timestamp,
) -> Result<Conclusion, IllegalTransition> {
    let reason = Reason::new(Code::CallRefused, answer.to_string());
    let is_down = point.plan.consistency == Consistency::StopStart
        && point.status.making() != Some(Making::Image);
    match is_down {
        true => retry::given_up(point, reason, now).map(recorded),
        false => retry::failed(point, reason, Next::Backoff, now).map(recorded),
    }
}

/// Gives up a point whose machine is gone.
pub(super) fn machine_gone(
    point: &Point,
    answer: &Answer,
    now: Timestamp,
) -> Result<Conclusion, IllegalTransition> {
    let reason = Reason::new(Code::MachineGone, answer.to_string());
    retry::given_up(point, reason, now).map(recorded)
}

/// Keeps the intent of a call without an outcome. Its worker looks for what the call made as soon
/// as that must be visible.
pub(super) fn unknown(point: &Point, answer: &Answer) -> Conclusion {
    let reason = Some(Reason::new(Code::OutcomeUnknown, answer.to_string()));
    recorded(Point { reason, ..point.clone() })
}

/// Keeps the intent of a call whose name is taken. Its worker looks for the holder as soon as that
/// must be visible.
pub(super) fn name_taken(point: &Point, answer: &Answer, now: Timestamp) -> Conclusion {
    let step = Step { due_at: Some(later(now, NAME_VISIBLE)), ..point.step.clone() };
    let reason = Some(Reason::new(Code::NameTaken, answer.to_string()));
    recorded(Point { step, reason, ..point.clone() })
}

/// Reports the images that have our name but are not ours.
pub(super) fn report_foreign(point: &Point, named: &Named<'_>, now: Timestamp) -> Conclusion {
    let mut conclusion = Conclusion::default();
    for (image, why) in &named.foreign {
        conclusion.foreign(&point.home, &image.id, named::finding(image, why), now);
    }
    conclusion
}

/// Adopts the image that an earlier call made. `after` is the point with the image.
pub(super) fn adopt(conclusion: &mut Conclusion, image: &ObservedImage, after: Point) {
    let text = format!("{} was made by an earlier call that had no answer; it is used", image.id);
    conclusion.say(&after.id, Reason::new(Code::Adopted, text));
    conclusion.record(summary::recorded(after));
}

/// Passes over a name that somebody else holds. The next try uses another name.
pub(super) fn pass_over(
    conclusion: &mut Conclusion,
    point: &Point,
    holder: &ObservedImage,
    now: Timestamp,
) -> Result<(), IllegalTransition> {
    let text = format!("{} has the name {}, but is not ours", holder.id, holder.name);
    let reason = Reason::new(Code::Foreign, text);
    conclusion.say(&point.id, reason.clone());
    conclusion.record(summary::recorded(retry::outdone(point, reason, now)?));
    Ok(())
}

/// Concludes from a listing in which no image has the name. Until everything that EC2 made must be
/// visible, such a listing proves nothing. After that the call has made nothing.
pub(super) fn nobody_has(
    conclusion: &mut Conclusion,
    point: &Point,
    name: &str,
    now: Timestamp,
) -> Result<(), IllegalTransition> {
    if !point.step.is_past(SETTLE, now) {
        let visible = later(point.step.begun_at.unwrap_or(now), SETTLE);
        let text = format!("image {name} is not visible yet; looking again later");
        wait(conclusion, point, visible, text);
        return Ok(());
    }
    let reason = nothing_found();
    conclusion.say(&point.id, reason.clone());
    conclusion.record(summary::recorded(retry::failed(point, reason, Next::AtOnce, now)?));
    Ok(())
}

/// Returns the reason of a try that left nothing.
pub(super) fn nothing_found() -> Reason {
    let text = "the previous call left no result";
    Reason::new(Code::OutcomeUnknown, text)
}

/// Waits: nothing can be concluded yet, and the next look is at `until`.
pub(super) fn wait(conclusion: &mut Conclusion, point: &Point, until: Timestamp, text: String) {
    let reason = Reason::new(Code::OutcomeUnknown, text);
    conclusion.say(&point.id, reason.clone());
    let step = Step { due_at: Some(until), ..point.step.clone() };
    conclusion.record(Change::point(Point { step, reason: Some(reason), ..point.clone() }));
}
