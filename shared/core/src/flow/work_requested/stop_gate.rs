//! The gate of stops: no machine is stopped for snapshots that would be refused.
//!
//! While an obstacle of the snapshots of a region stands, no machine is stopped there. If the
//! obstacle is due, points of machines that need no stop are tried first. If there are none, a
//! trial shows if our role may make snapshots, and one machine is stopped if it may.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::decision_builder::DecisionBuilder;
use super::gate::Gate;
use crate::call::around::met;
use crate::call::{Conclusion, Outcome};
use crate::downtime::{Downtime, DowntimeStatus};
use crate::obstacle::{Cause, Obstacles};
use crate::reason::{Code, Reason};
use crate::slot::PointId;

/// The facts about the snapshots of a region, before a machine is stopped for one.
#[derive(Clone, Debug, Default)]
pub struct StopGate {
    /// What stands in the way of the snapshots, read if a machine waits to be stopped. None if it
    /// could not be read; then no machine is stopped.
    pub obstacles: Option<Obstacles>,
    /// The outcome of a trial of the snapshots of the machine that is stopped next, made if an
    /// obstacle stands. `Made` if they would be made. None if there was no trial.
    pub trial: Option<Outcome<()>>,
}

impl StopGate {
    /// Tells whether the obstacles have to be read: a machine waits to be stopped, or was not
    /// imaged before its deadline.
    pub fn is_needed(downtimes: &BTreeMap<PointId, Downtime>, now: Timestamp) -> bool {
        let waits = |status| matches!(status, DowntimeStatus::Waiting | DowntimeStatus::Stopping);
        downtimes.values().any(|downtime| {
            waits(downtime.status) || downtime.deadline().is_some_and(|deadline| deadline <= now)
        })
    }

    /// Returns a reason with why snapshots wait, if they do.
    pub(super) fn with_why(&self, reason: Reason) -> Reason {
        match &self.obstacles {
            Some(obstacles) => obstacles.with_why(reason),
            None => reason,
        }
    }

    /// Tells whether nothing stands in the way of all snapshots. Obstacles that could not be read
    /// may stand.
    pub(super) fn is_open(&self) -> bool {
        self.obstacles.as_ref().is_some_and(|known| !known.hold_up_all())
    }

    /// Tells whether a machine may be stopped, as far as the obstacles tell.
    pub(super) fn may_stop(&self, is_none_down: bool, now: Timestamp) -> bool {
        match self.obstacles.as_ref().map(|known| Gate::of(known, now)) {
            Some(Gate::Open) => true,
            Some(Gate::One) => is_none_down,
            Some(Gate::Shut(_)) | None => false,
        }
    }

    /// Tells whether the snapshots of a machine can be made once it is stopped, as far as a trial
    /// tells. A trial that did not pass is recorded, whatever its outcome, so that the next is made
    /// when the obstacle is due again.
    pub(super) fn is_tried(
        &self,
        builder: &mut DecisionBuilder,
        downtime: &Downtime,
        now: Timestamp,
    ) -> bool {
        if self.is_open() {
            return true;
        }
        let (Some(known), Some(trial)) = (&self.obstacles, &self.trial) else { return false };
        let (code, answer) = match trial {
            Outcome::Made(()) => return true,
            Outcome::Unknown(answer) => (Code::OutcomeUnknown, answer),
            Outcome::Throttled(answer) => (Code::Throttled, answer),
            Outcome::Failed(answer)
            | Outcome::Refused(answer)
            | Outcome::Gone(answer)
            | Outcome::NameTaken(answer) => (Code::CallFailed, answer),
        };
        let text = format!("not stopped, because its snapshots could not be made: {answer}");
        builder.say(&downtime.point, Reason::new(Code::CallsHeldUp, text));
        let reason = Reason::new(code, answer.to_string());
        let mut conclusion = Conclusion::default();
        let _after = met(&mut conclusion, known, &Cause::Calls, reason, now, now);
        builder.conclude(conclusion);
        false
    }
}
