//! StartInstances: starts a machine again that was stopped for its image.
//!
//! Making the call twice does no harm. The answer of EC2 does not tell whether the machine runs.
//! Whatever EC2 answers, the record stays as it is until the machine was seen to run, and the call
//! is made again until then.

use jiff::Timestamp;

use super::conclusion::Conclusion;
use super::outcome::Outcome;
use crate::change::{Change, Write};
use crate::downtime::{Downtime, DowntimeEvent, IllegalForDowntime};
use crate::finding::Finding;
use crate::ids::{InstanceId, Region};
use crate::limits::{STARTS_UNSEEN, later, start_again};
use crate::machine::State;
use crate::point::Step;
use crate::reason::{Code, Reason};

/// The StartInstances request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartInstance {
    pub region: Region,
    pub instance: InstanceId,
}

impl StartInstance {
    pub const NAME: &'static str = "StartInstances";
}

/// Returns the intent and the request. `reason` says why the machine is to run again.
///
/// # Errors
/// The downtime cannot begin this in its status.
pub fn begin(
    downtime: &Downtime,
    reason: Option<Reason>,
    failures: u32,
    now: Timestamp,
) -> Result<(Change, StartInstance), IllegalForDowntime> {
    let step = Step {
        attempt: downtime.step.attempt.saturating_add(1),
        failures,
        begun_at: Some(now),
        due_at: Some(later(now, start_again(failures))),
        ..downtime.step.clone()
    };
    let starting = downtime.after(DowntimeEvent::Start)?;
    let reason = reason.or_else(|| downtime.reason.clone());
    let starting = Downtime { step, reason, ..starting };
    let region = downtime.home.clone();
    let request = StartInstance { region, instance: downtime.instance().clone() };
    Ok((Change { writes: vec![Write::downtime(starting)], summary: None }, request))
}

/// Returns the changes that follow from the outcome: none if EC2 took the call.
pub fn conclude(downtime: &Downtime, outcome: Outcome<State>, now: Timestamp) -> Conclusion {
    let (code, answer) = match outcome {
        Outcome::Made(_) => return Conclusion::default(),
        Outcome::Gone(answer) => (Code::MachineGone, answer),
        Outcome::Throttled(answer) => (Code::Throttled, answer),
        Outcome::Failed(answer)
        | Outcome::NameTaken(answer)
        | Outcome::Refused(answer)
        | Outcome::Unknown(answer) => (Code::NotStarted, answer),
    };
    let reason = Reason::new(code, answer.to_string());
    let failures = downtime.step.failures.saturating_add(1);
    let due_at = Some(later(now, start_again(downtime.step.failures)));
    let step = Step { failures, due_at, ..downtime.step.clone() };
    let after = Downtime { step, reason: Some(reason.clone()), ..downtime.clone() };
    let mut conclusion = Conclusion::default();
    conclusion.say(&downtime.point, reason.clone());
    conclusion.record(Change { writes: vec![Write::downtime(after)], summary: None });
    if failures > STARTS_UNSEEN {
        let reason = Reason { code: Code::NotStarted, ..reason };
        let (region, artefact) = (downtime.home.clone(), downtime.instance().into());
        conclusion.report(Finding { region, artefact, reason, seen_at: now });
    }
    conclusion
}
