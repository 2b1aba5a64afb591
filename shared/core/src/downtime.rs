//! The record of a downtime: one machine that is stopped for one point, and started again. Whatever
//! becomes of the point, this record has the duty to start the machine.
//!
//! ```text
//!           Stop              Stopped        Start            Runs, Vanish
//!  Waiting ──────▶ Stopping ──────────▶ Down ──────▶ Starting ─────────────▶ Over
//!   │  ▲            │  │ │ ▲ Stop                     ▲  ▲ Start             ▲
//!   │  └── PutOff ──┘  │ └─┘                          │  └─┘                 │
//!   │                  ├────────── Start ─────────────┘                      │
//!   │                  ├────────── Spare, Runs, Vanish (also of Down) ──────▶│
//!   │                  └────────── Disown ──▶ NotOurs                        │
//!   └───────────────────────────── Withdraw ────────────────────────────────▶┘
//! ```
//!
//! `Stop` and `Start` are intents, written before their call. StopInstances answers with the state
//! of the machine before the call. If the machine ran, it is ours to start. Otherwise somebody else
//! has stopped it, and we do not start it. A call without an outcome may have stopped the machine,
//! so it is ours. From `Stopping` on, the record ends only when the machine was seen to run again,
//! or to be gone, or when EC2 said that the call stopped nothing.
//!
//! [`Roster`] has the machines that are down, or on their way there or back. It is one item for the
//! account, written in the same transaction as the record, so that it limits how many machines are
//! down.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::duration::seconds;
use crate::ids::{InstanceId, PolicyName, Region};
use crate::limits::later;
use crate::point::{Point, Step};
use crate::point_check::versioned;
use crate::policy::StopStart;
use crate::reason::Reason;
use crate::slot::PointId;
use crate::work::{Kind, Queue};

/// The record of one machine that is stopped for one point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Downtime {
    pub point: PointId,
    pub policy: PolicyName,
    pub home: Region,
    pub status: DowntimeStatus,
    pub version: u64,
    pub requested_at: Timestamp,
    /// The settings of the policy when the point was requested.
    pub stop_start: StopStart,
    pub step: Step,
    /// The launch time of the run that the downtime ends. A machine with a later launch time was
    /// started since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launched: Option<Timestamp>,
    /// The time at which the first intent to stop the machine was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun_at: Option<Timestamp>,
    /// True if a call to stop the machine had no outcome. Whatever a later call answers, the
    /// machine is ours to start.
    #[serde(default)]
    pub unsure: bool,
    /// The time at which the machine was seen to run again, or to be gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}

/// The status of a downtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DowntimeStatus {
    /// The downtime has no place yet.
    Waiting,
    /// The intent to stop is written. The effect of the call is not known yet.
    Stopping,
    /// We stopped the machine, and have to start it.
    Down,
    /// The machine is to run again, but was not seen to run yet.
    Starting,
    Over,
    /// The machine was on its way down before our call. Somebody else stopped it, and starts it.
    NotOurs,
}

/// An event in the life of a downtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DowntimeEvent {
    /// The intent to stop is written.
    Stop,
    /// We stopped the machine, or may have.
    Stopped,
    /// The call stopped nothing; it is made again later.
    PutOff,
    /// The call stopped nothing, and is not made again.
    Spare,
    /// Somebody else has stopped the machine.
    Disown,
    /// The machine has to be started.
    Start,
    /// The machine was seen to run again.
    Runs,
    /// The machine is gone for good.
    Vanish,
    /// The point does not need its machine stopped any more.
    Withdraw,
}

/// An event that cannot happen to a downtime in its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a downtime that is {status:?} cannot have this happen to it: {event:?}")]
pub struct IllegalForDowntime {
    pub status: DowntimeStatus,
    pub event: DowntimeEvent,
}

impl DowntimeStatus {
    pub const ALL: [DowntimeStatus; 6] = [
        DowntimeStatus::Waiting,
        DowntimeStatus::Stopping,
        DowntimeStatus::Down,
        DowntimeStatus::Starting,
        DowntimeStatus::Over,
        DowntimeStatus::NotOurs,
    ];

    /// Tells whether the machine is down, or on its way there or back, by our doing. Such a
    /// downtime has a place in the roster.
    pub const fn is_held(self) -> bool {
        matches!(self, DowntimeStatus::Stopping | DowntimeStatus::Down | DowntimeStatus::Starting)
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            DowntimeStatus::Waiting => "waiting",
            DowntimeStatus::Stopping => "stopping",
            DowntimeStatus::Down => "down",
            DowntimeStatus::Starting => "starting",
            DowntimeStatus::Over => "over",
            DowntimeStatus::NotOurs => "not ours",
        }
    }
}

impl DowntimeEvent {
    pub const ALL: [DowntimeEvent; 9] = [
        DowntimeEvent::Stop,
        DowntimeEvent::Stopped,
        DowntimeEvent::PutOff,
        DowntimeEvent::Spare,
        DowntimeEvent::Disown,
        DowntimeEvent::Start,
        DowntimeEvent::Runs,
        DowntimeEvent::Vanish,
        DowntimeEvent::Withdraw,
    ];
}

/// Returns the status of a downtime after an event.
///
/// # Errors
/// The event cannot happen to a downtime in that status.
pub const fn next(
    status: DowntimeStatus,
    event: DowntimeEvent,
) -> Result<DowntimeStatus, IllegalForDowntime> {
    use DowntimeEvent::{Disown, PutOff, Runs, Spare, Start, Stop, Stopped, Vanish, Withdraw};
    use DowntimeStatus::{Down, NotOurs, Over, Starting, Stopping, Waiting};
    Ok(match (status, event) {
        (Waiting | Stopping, Stop) => Stopping,
        (Stopping, Stopped) => Down,
        (Stopping, PutOff) => Waiting,
        (Stopping, Disown) => NotOurs,
        (Stopping | Down | Starting, Start) => Starting,
        (Waiting, Withdraw) | (Stopping, Spare) | (Stopping | Down | Starting, Runs | Vanish) => {
            Over
        }
        (status, event) => return Err(IllegalForDowntime { status, event }),
    })
}

impl Downtime {
    /// Returns the downtime of a point that needs its machine stopped.
    pub fn wanted(point: &Point, now: Timestamp) -> Downtime {
        Downtime {
            point: point.id.clone(),
            policy: point.slot.policy.clone(),
            home: point.home.clone(),
            status: DowntimeStatus::Waiting,
            version: 1,
            requested_at: point.requested_at,
            stop_start: point.plan.stop_start,
            step: Step { due_at: Some(now), ..Step::default() },
            launched: None,
            begun_at: None,
            unsure: false,
            over_at: None,
            reason: None,
        }
    }

    pub fn instance(&self) -> &InstanceId {
        self.point.instance()
    }

    /// Checks that the downtime has the status in which an event is to happen to it.
    ///
    /// # Errors
    /// The downtime has another status.
    pub fn must_be(
        &self,
        status: DowntimeStatus,
        event: DowntimeEvent,
    ) -> Result<(), IllegalForDowntime> {
        match self.status == status {
            true => Ok(()),
            false => Err(IllegalForDowntime { status: self.status, event }),
        }
    }

    /// Returns the downtime after an event.
    ///
    /// # Errors
    /// The event cannot happen to the downtime in its status.
    pub fn after(&self, event: DowntimeEvent) -> Result<Downtime, IllegalForDowntime> {
        Ok(Downtime { status: next(self.status, event)?, ..self.clone() })
    }

    /// Returns the time at which the machine is started again, even if it was not imaged.
    pub fn deadline(&self) -> Option<Timestamp> {
        let timeout = seconds(self.stop_start.timeout_secs);
        self.begun_at.map(|begun_at| later(begun_at, timeout))
    }

    /// Returns the queue of the downtime; none once there is nothing left to do.
    pub fn queue(&self) -> Option<Queue> {
        let in_queue = self.status == DowntimeStatus::Waiting || self.status.is_held();
        in_queue.then(|| Queue { region: self.home.clone(), kind: Kind::Power })
    }

    /// Checks the invariants of the downtime.
    ///
    /// # Errors
    /// The text of the error names the invariant that does not hold.
    pub fn check(&self) -> Result<(), String> {
        let that = |holds: bool, why: &str| match holds {
            true => Ok(()),
            false => Err(format!("status {} requires {why}", self.status.as_str())),
        };
        that(self.version >= 1, "a version of at least 1")?;
        that(self.queue().is_none() || self.step.due_at.is_some(), "a due time")?;
        let held = self.status.is_held();
        that(!held || self.launched.is_some(), "the launch time of the run that it ends")?;
        that(!held || self.begun_at.is_some(), "the time of the intent")?;
        let over = self.status == DowntimeStatus::Over;
        that(!over || self.over_at.is_some(), "the time of its end")
    }
}

/// The machines that are down by our doing, in all regions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roster {
    /// The number of writes so far; 0 if there never was a roster.
    pub version: u64,
    pub places: BTreeMap<PointId, Held>,
}

/// A place in the roster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    pub region: Region,
    pub policy: PolicyName,
    /// The most machines of that policy that may be down together.
    pub at_once: u32,
}

impl Roster {
    /// Tells whether a machine is down by our doing.
    pub fn has(&self, instance: &InstanceId) -> bool {
        self.places.keys().any(|point| point.instance() == instance)
    }

    /// Tells whether one more machine may go down, of at most `in_account` in the account.
    pub fn has_room(&self, in_account: u32) -> bool {
        self.places.len() < usize::try_from(in_account).unwrap_or(usize::MAX)
    }

    /// Returns the number of machines of a policy that are down.
    pub fn count(&self, policy: &PolicyName) -> usize {
        self.places.values().filter(|held| held.policy == *policy).count()
    }

    /// Tells whether one more machine of a policy may go down, of at most `at_once`.
    pub fn has_room_for(&self, policy: &PolicyName, at_once: u32) -> bool {
        self.count(policy) < usize::try_from(at_once).unwrap_or(usize::MAX)
    }

    /// Returns the points of a region whose machines are down.
    pub fn points_in(&self, region: &Region) -> Vec<PointId> {
        let there = self.places.iter().filter(|(_, held)| held.region == *region);
        there.map(|(point, _)| point.clone()).collect()
    }

    #[must_use]
    pub fn with(mut self, downtime: &Downtime) -> Roster {
        let held = Held {
            region: downtime.home.clone(),
            policy: downtime.policy.clone(),
            at_once: downtime.stop_start.at_once,
        };
        self.places.insert(downtime.point.clone(), held);
        self
    }

    #[must_use]
    pub fn without(mut self, point: &PointId) -> Roster {
        self.places.remove(point);
        self
    }

    /// Checks the invariants of the roster.
    ///
    /// # Errors
    /// The text of the error names the invariant that does not hold.
    pub fn check(&self) -> Result<(), String> {
        versioned(self.version)
    }
}
