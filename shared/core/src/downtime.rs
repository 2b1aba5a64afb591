//! A downtime: one machine that is stopped for one point, and started again. Whatever becomes of
//! the point, the duty to start the machine is this record's.
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
//! `Stop` and `Start` are intents, written before their call. StopInstances tells what the machine
//! was before: running, and it is ours to start; anything else, and somebody else has stopped it,
//! so that we do not start it. A call whose outcome never came may have stopped it: it is ours.
//! From `Stopping` on, the record ends only when the machine was seen to run again, or to be gone,
//! or when EC2 said that the call stopped nothing.
//!
//! [`Roster`] has the machines that are down, or on their way there or back: one item for the
//! account, written in the same transaction as the record, so that it bounds how many they are.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::duration::seconds;
use crate::ids::{InstanceId, PolicyName, Region};
use crate::limits::later;
use crate::point::{Point, Step};
use crate::policy::StopStart;
use crate::reason::Reason;
use crate::slot::PointId;
use crate::work::{Kind, Queue};

/// One machine that is stopped for one point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Downtime {
    pub point: PointId,
    pub policy: PolicyName,
    pub home: Region,
    pub status: DowntimeStatus,
    pub version: u64,
    pub requested_at: Timestamp,
    /// What the policy said when the point was requested.
    pub stop_start: StopStart,
    pub step: Step,
    /// When the run was launched that it ends: a machine that was launched later was started since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launched: Option<Timestamp>,
    /// When the first intent to stop it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun_at: Option<Timestamp>,
    /// A call to stop it has had no outcome: whatever a later one says, it is ours to start.
    #[serde(default)]
    pub unsure: bool,
    /// When it was seen to run again, or to be gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}

/// Where a downtime stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DowntimeStatus {
    /// It has no place yet.
    Waiting,
    /// The intent to stop is written; whether the machine was stopped is not known yet.
    Stopping,
    /// We stopped it, and have to start it.
    Down,
    /// It is to run again, and was not seen to yet.
    Starting,
    Over,
    /// It was on its way down before we called: whoever stopped it starts it.
    NotOurs,
}

/// What happens to a downtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DowntimeEvent {
    /// The intent to stop.
    Stop,
    /// We stopped it, or may have.
    Stopped,
    /// The call stopped nothing; it is made again later.
    PutOff,
    /// The call stopped nothing, and is not made again.
    Spare,
    /// Somebody else has stopped it.
    Disown,
    /// It is to be started.
    Start,
    /// It was seen to run again.
    Runs,
    /// The machine is gone for good.
    Vanish,
    /// Its point does not want it any more.
    Withdraw,
}

/// An event that cannot happen to a downtime where it stands.
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

    /// Whether the machine is down, or on its way there or back, by our doing: it has a place.
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

/// The transitions of a downtime.
///
/// # Errors
/// The event cannot happen to a downtime where it stands.
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
    /// A point wants its machine stopped.
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

    /// Checks that the downtime stands where an event is to happen to it.
    ///
    /// # Errors
    /// It stands elsewhere.
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

    /// The same downtime after something happened to it.
    ///
    /// # Errors
    /// It cannot happen to a downtime where this one stands.
    pub fn after(&self, event: DowntimeEvent) -> Result<Downtime, IllegalForDowntime> {
        Ok(Downtime { status: next(self.status, event)?, ..self.clone() })
    }

    /// When the machine is started again, whether it was imaged or not.
    pub fn deadline(&self) -> Option<Timestamp> {
        let timeout = seconds(self.stop_start.timeout_secs);
        self.begun_at.map(|begun_at| later(begun_at, timeout))
    }

    /// The queue that it stands in; none once there is nothing left to do.
    pub fn queue(&self) -> Option<Queue> {
        let in_queue = self.status == DowntimeStatus::Waiting || self.status.is_held();
        in_queue.then(|| Queue { region: self.home.clone(), kind: Kind::Power })
    }

    /// # Errors
    /// Says what does not hold of this downtime.
    pub fn check(&self) -> Result<(), String> {
        let that = |holds: bool, why: &str| match holds {
            true => Ok(()),
            false => Err(format!("{} {why}", self.status.as_str())),
        };
        that(self.version >= 1, "and of version 0, which stands for none")?;
        that(self.queue().is_none() || self.step.due_at.is_some(), "and never due")?;
        let held = self.status.is_held();
        that(!held || self.launched.is_some(), "without the run that it ends")?;
        that(!held || self.begun_at.is_some(), "without the time of the intent")?;
        let over = self.status == DowntimeStatus::Over;
        that(!over || self.over_at.is_some(), "without the time when it was")
    }
}

/// The machines that are down by our doing, in all regions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roster {
    /// 0 as long as there never was one.
    pub version: u64,
    pub places: BTreeMap<PointId, Held>,
}

/// A place in the roster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    pub region: Region,
    pub policy: PolicyName,
    /// So many machines of that policy may be down together.
    pub at_once: u32,
}

impl Roster {
    /// Whether a machine is down by our doing.
    pub fn has(&self, instance: &InstanceId) -> bool {
        self.places.keys().any(|point| point.instance() == instance)
    }

    /// Whether one more machine may go down, of so many in the account.
    pub fn has_room(&self, in_account: u32) -> bool {
        self.places.len() < usize::try_from(in_account).unwrap_or(usize::MAX)
    }

    /// How many machines of a policy are down.
    pub fn count(&self, policy: &PolicyName) -> usize {
        self.places.values().filter(|held| held.policy == *policy).count()
    }

    /// Whether one more machine of that policy may go down, of so many.
    pub fn has_room_for(&self, policy: &PolicyName, at_once: u32) -> bool {
        self.count(policy) < usize::try_from(at_once).unwrap_or(usize::MAX)
    }

    /// The points of a region whose machines are down.
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

    /// # Errors
    /// Says what does not hold of this roster.
    pub fn check(&self) -> Result<(), String> {
        match self.version {
            0 => Err("its version is 0, which stands for none".to_string()),
            _ => Ok(()),
        }
    }
}
