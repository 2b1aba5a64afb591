//! The gate of stops: no machine is stopped for snapshots that would be refused.
//!
//! While an obstacle of the snapshots of a region stands, no machine is stopped there. If the
//! obstacle is due, points of machines that need no stop are tried first. If there are none, a
//! trial shows if our role may make snapshots, and one machine is stopped if it may.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::decision_builder::DecisionBuilder;
use super::gate::Gate;
use crate::call::Conclusion;
use crate::call::around::met;
use crate::downtime::{Downtime, DowntimeStatus};
use crate::obstacle::{Cause, Obstacles};
use crate::reason::{Code, Reason};
use crate::slot::PointId;

/// The answer of EC2 to a call that was to make nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trial {
    Passed,
    Refused(String),
}

/// The facts about the snapshots of a region, before a machine is stopped for one.
#[derive(Clone, Debug, Default)]
pub struct StopGate {
    /// What stands in the way of the snapshots, read if a machine waits to be stopped. None if it
    /// could not be read; then no machine is stopped.
    pub obstacles: Option<Obstacles>,
    /// The answer to a trial of the snapshots of the machine that is stopped next, made if an
    /// obstacle stands. None if there was no trial, or no answer.
    pub trial: Option<Trial>,
}

impl StopGate {
    /// Tells whether the obstacles have to be read: a machine waits to be stopped.
    pub fn is_needed(downtimes: &BTreeMap<PointId, Downtime>) -> bool {
        let waits = |status| matches!(status, DowntimeStatus::Waiting | DowntimeStatus::Stopping);
        downtimes.values().any(|downtime| waits(downtime.status))
    }

    /// Tells whether nothing stands in the way of snapshots. Obstacles that could not be read may
    /// stand.
    pub(super) fn is_open(&self) -> bool {
        self.obstacles.as_ref().is_some_and(|known| known.causes.is_empty())
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
    /// tells. A trial that was refused is recorded, so that the next is made when the obstacle is
    /// due again.
    pub(super) fn is_tried(
        &self,
        builder: &mut DecisionBuilder,
        downtime: &Downtime,
        now: Timestamp,
    ) -> bool {
        if self.is_open() {
            return true;
        }
        match (&self.obstacles, &self.trial) {
            (Some(_), Some(Trial::Passed)) => true,
            (Some(known), Some(Trial::Refused(answer))) => {
                let text = format!("not stopped, because its snapshots would be refused: {answer}");
                builder.say(&downtime.point, Reason::new(Code::CallsHeldUp, text));
                let reason = Reason::new(Code::CallFailed, answer);
                let mut conclusion = Conclusion::default();
                let _after = met(&mut conclusion, known, &Cause::Calls, reason, now, now);
                builder.conclude(conclusion);
                false
            }
            (None, _) | (_, None) => false,
        }
    }
}
