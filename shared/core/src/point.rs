//! The recovery point as the ledger keeps it: one instance at one moment, and its replicas.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::duration::seconds;
use crate::ids::{AccountId, AmiId, InstanceId, Region, SnapshotId, VolumeId};
use crate::limits::later;
use crate::machine::{Grade, Machine};
use crate::policy::{
    Artefact, Consistency, DEFAULT_WINDOW_SECS, ExcludeVolumes, Method, Policy, Replicate,
    StopStart,
};
use crate::reason::Reason;
use crate::slot::{PointId, Slot};
use crate::status::{Event, IllegalTransition, Making, Phase, Status, next};
use crate::work::{Kind, Queue};

/// One instance at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    pub id: PointId,
    pub slot: Slot,
    /// Where its machine lives.
    pub home: Region,
    pub status: Status,
    /// Counts the writes; whoever writes names the version that they read.
    pub version: u64,
    pub requested_at: Timestamp,
    /// What the policy said when the point was requested.
    pub plan: Plan,
    pub step: Step,
    /// The machine as it was when its snapshots were begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<Machine>,
    /// When the call that made the snapshots was begun: their data is from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grade: Option<Grade>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub snapshots: BTreeMap<VolumeId, SnapshotId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<AmiId>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub replicas: BTreeMap<Region, Place>,
    /// It must have begun by then, or it is missed; none may wait for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// How its image is made, and why so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<Chosen>,
    /// What a person should know of it although all went well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Reason>,
    /// Made anew from tags and facts, and not confirmed by anybody: it is never deleted.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unverified: bool,
    /// Why it stands where it stands, if not all is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// What tries that failed left behind: ours, of no use, to be removed by the ordinary steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leftovers: Vec<String>,
}

/// A method that was chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chosen {
    /// Never [`Method::Auto`].
    pub method: Method,
    pub why: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
pub(crate) const fn is_false(value: &bool) -> bool {
    !*value
}

/// What the policy said when the point was requested.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    #[serde(default)]
    pub consistency: Consistency,
    #[serde(default)]
    pub stop_start: StopStart,
    #[serde(default)]
    pub method: Method,
    #[serde(default)]
    pub kind: Artefact,
    #[serde(default)]
    pub exclude_volumes: ExcludeVolumes,
    #[serde(default)]
    pub copy_tags: bool,
    /// The accounts that the images are for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub share: Vec<AccountId>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replicate: Vec<Replicate>,
}

impl Plan {
    /// What a policy wants of a machine that lives there.
    pub fn of(policy: &Policy, home: &Region) -> Plan {
        let replicate = policy.replicas_for(home).into_iter().cloned().collect();
        let image = &policy.image;
        Plan {
            consistency: policy.consistency,
            stop_start: policy.stop_start,
            method: image.method,
            kind: image.kind,
            exclude_volumes: image.exclude_volumes.clone(),
            copy_tags: image.copy_tags,
            share: image.share.clone(),
            tags: image.tags.clone(),
            replicate,
        }
    }
}

/// How the step that a record is at has gone so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Names and tags are derived from it: what a failed try left has another name.
    pub attempt: u32,
    /// How many tries failed. Being told to wait is no failure.
    pub failures: u32,
    /// When the intent was written; the call has been made, or not, since then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun_at: Option<Timestamp>,
    /// Not before then, unless something happens: the next try, or the next look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
}

impl Step {
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.due_at.is_none_or(|due_at| due_at <= now)
    }

    /// Whether so much time has gone by since the intent was written.
    pub fn is_past(&self, span: SignedDuration, now: Timestamp) -> bool {
        self.begun_at.is_none_or(|begun_at| now.duration_since(begun_at) >= span)
    }

    /// An intent that is written later than it was decided counts from then.
    pub fn begin(&mut self, now: Timestamp) {
        let (Some(begun_at), Some(due_at)) = (self.begun_at, self.due_at) else { return };
        self.due_at = Some(later(now, due_at.duration_since(begun_at)));
        self.begun_at = Some(now);
    }

    /// Nothing is left to be done.
    #[must_use]
    pub fn settled(&self) -> Step {
        Step { due_at: None, ..self.clone() }
    }
}

/// How far a replica is, as its point knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    Underway,
    Available,
    Failed,
}

impl Point {
    /// A point that was just asked for.
    pub fn requested(slot: Slot, home: Region, plan: Plan, now: Timestamp) -> Point {
        let step = Step { due_at: Some(now), ..Step::default() };
        Point {
            id: PointId::of(&slot),
            slot,
            home,
            status: Status::Requested,
            version: 1,
            requested_at: now,
            plan,
            step,
            machine: None,
            taken_at: None,
            grade: None,
            snapshots: BTreeMap::new(),
            image: None,
            replicas: BTreeMap::new(),
            until: None,
            method: None,
            findings: Vec::new(),
            unverified: false,
            reason: None,
            leftovers: Vec::new(),
        }
    }

    pub fn instance(&self) -> &InstanceId {
        &self.slot.instance
    }

    /// The queue that it stands in; none if nobody but its replicas has anything left to do.
    pub fn queue(&self) -> Option<Queue> {
        self.work().map(|kind| Queue { region: self.home.clone(), kind })
    }

    /// The kind of work that it waits for.
    pub fn work(&self) -> Option<Kind> {
        let makes_image = self.status.making() == Some(Making::Image);
        match self.status.phase() {
            Phase::Requested => Some(Kind::Snapshot),
            Phase::Ready => Some(Kind::Register),
            Phase::Calling if makes_image => Some(Kind::Register),
            Phase::Calling => Some(Kind::Snapshot),
            // Whether the disks were at rest has to be seen soon after the snapshots were made.
            Phase::Pending if !makes_image && self.grade.is_none() => Some(Kind::Snapshot),
            Phase::Pending if self.status == Status::Snapshotted => Some(Kind::Register),
            Phase::Pending => Some(Kind::Confirm),
            Phase::Good | Phase::Ended => None,
        }
    }

    /// What EC2 sends events about while the point waits.
    pub fn awaits(&self) -> Vec<String> {
        match (self.status.phase(), self.status.making()) {
            (Phase::Requested, _) if self.waits_for_stop() => vec![self.instance().to_string()],
            (Phase::Pending, Some(Making::Snapshots)) => {
                self.snapshots.values().map(ToString::to_string).collect()
            }
            (Phase::Pending, _) => self.image.iter().map(ToString::to_string).collect(),
            _ => Vec::new(),
        }
    }

    /// When the time is over in which it may begin.
    pub fn waits_until(&self) -> Timestamp {
        self.until.unwrap_or_else(|| later(self.requested_at, seconds(DEFAULT_WINDOW_SECS)))
    }

    /// Whether it is to be at rest and its machine runs: it is due when its window closes. Once it
    /// is due for another reason it waits no longer.
    pub fn waits_for_stop(&self) -> bool {
        self.status == Status::Requested
            && self.plan.consistency == Consistency::AtRest
            && self.until.is_some()
            && self.step.due_at == self.until
    }

    /// From when on it wants what others may keep it from. The wait for a stop is its own.
    pub fn wanted_since(&self) -> Timestamp {
        match (self.plan.consistency, self.until) {
            (Consistency::AtRest, Some(until)) => until.max(self.requested_at),
            _ => self.requested_at,
        }
    }

    /// The same point with something that a person should know of it; the last word of each code.
    #[must_use]
    pub fn found(mut self, finding: Option<Reason>) -> Point {
        if let Some(finding) = finding {
            self.findings.retain(|known| known.code != finding.code);
            self.findings.push(finding);
        }
        self
    }

    /// The same point, due at once.
    #[must_use]
    pub fn due_now(&self, now: Timestamp) -> Point {
        Point { step: Step { due_at: Some(now), ..self.step.clone() }, ..self.clone() }
    }

    /// Checks that the point stands where an event is to happen to it.
    ///
    /// # Errors
    /// It stands elsewhere.
    pub fn must_be(&self, status: Status, event: Event) -> Result<(), IllegalTransition> {
        match self.status == status {
            true => Ok(()),
            false => Err(IllegalTransition { status: self.status, event }),
        }
    }

    /// The same point after something happened to it.
    ///
    /// # Errors
    /// It cannot happen to a point where this one stands.
    pub fn after(&self, event: Event) -> Result<Point, IllegalTransition> {
        Ok(Point { status: next(self.status, event)?, ..self.clone() })
    }
}

/// A replica: the image of a point in one other region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replica {
    pub point: PointId,
    pub instance: InstanceId,
    pub home: Region,
    pub region: Region,
    pub status: ReplicaStatus,
    pub version: u64,
    pub step: Step,
    /// What is copied.
    pub source: AmiId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<AmiId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leftovers: Vec<String>,
}

/// Where a replica stands.
///
/// ```text
///             Begin          Made            Available
///  Waiting ─────────▶ Copying ─────▶ Pending ─────────▶ Available
///     ▲                  │ Retry        │ Retry
///     └──────────────────┴──────────────┘            any but Available ──Fail──▶ Failed
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplicaStatus {
    /// It wants to be copied.
    Waiting,
    /// The intent to copy is written.
    Copying,
    /// The image exists and is pending.
    Pending,
    Available,
    /// Its tries are used up.
    Failed,
}

/// What happens to a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReplicaEvent {
    Begin,
    Made,
    Available,
    Retry,
    Fail,
}

/// An event that cannot happen to a replica where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a replica that is {status:?} cannot have this happen to it: {event:?}")]
pub struct IllegalForReplica {
    pub status: ReplicaStatus,
    pub event: ReplicaEvent,
}

impl ReplicaStatus {
    pub const ALL: [ReplicaStatus; 5] = [
        ReplicaStatus::Waiting,
        ReplicaStatus::Copying,
        ReplicaStatus::Pending,
        ReplicaStatus::Available,
        ReplicaStatus::Failed,
    ];
}

impl ReplicaStatus {
    /// Whether a replica came to rest: it is available, or given up.
    pub const fn is_settled(self) -> bool {
        matches!(self, ReplicaStatus::Available | ReplicaStatus::Failed)
    }
}

impl ReplicaEvent {
    pub const ALL: [ReplicaEvent; 5] = [
        ReplicaEvent::Begin,
        ReplicaEvent::Made,
        ReplicaEvent::Available,
        ReplicaEvent::Retry,
        ReplicaEvent::Fail,
    ];
}

/// The transitions of a replica.
///
/// # Errors
/// The event cannot happen to a replica where it stands.
pub const fn next_of_replica(
    status: ReplicaStatus,
    event: ReplicaEvent,
) -> Result<ReplicaStatus, IllegalForReplica> {
    use ReplicaStatus::{Available, Copying, Failed, Pending, Waiting};
    Ok(match (status, event) {
        (Waiting, ReplicaEvent::Begin) => Copying,
        (Copying, ReplicaEvent::Made) => Pending,
        (Copying | Pending, ReplicaEvent::Retry) => Waiting,
        (Pending, ReplicaEvent::Available) => Available,
        (Waiting | Copying | Pending, ReplicaEvent::Fail) => Failed,
        (status, event) => return Err(IllegalForReplica { status, event }),
    })
}

impl Replica {
    /// A replica of a point that has just got its image.
    pub fn wanted(point: &Point, image: &AmiId, region: &Region, now: Timestamp) -> Replica {
        Replica {
            point: point.id.clone(),
            instance: point.instance().clone(),
            home: point.home.clone(),
            region: region.clone(),
            status: ReplicaStatus::Waiting,
            version: 1,
            step: Step { due_at: Some(now), ..Step::default() },
            source: image.clone(),
            image: None,
            reason: None,
            leftovers: Vec::new(),
        }
    }

    /// The replica, as a person would look it up.
    pub fn about(&self) -> String {
        format!("{} {}", self.point, self.region)
    }

    /// Checks that the replica stands where an event is to happen to it.
    ///
    /// # Errors
    /// It stands elsewhere.
    pub fn must_be(
        &self,
        status: ReplicaStatus,
        event: ReplicaEvent,
    ) -> Result<(), IllegalForReplica> {
        match self.status == status {
            true => Ok(()),
            false => Err(IllegalForReplica { status: self.status, event }),
        }
    }

    /// The same replica after something happened to it.
    ///
    /// # Errors
    /// It cannot happen to a replica where this one stands.
    pub fn after(&self, event: ReplicaEvent) -> Result<Replica, IllegalForReplica> {
        Ok(Replica { status: next_of_replica(self.status, event)?, ..self.clone() })
    }

    /// The queue that it stands in; none once it is settled.
    pub fn queue(&self) -> Option<Queue> {
        let kind = match self.status {
            ReplicaStatus::Waiting | ReplicaStatus::Copying => Kind::Copy,
            ReplicaStatus::Pending => Kind::Confirm,
            ReplicaStatus::Available | ReplicaStatus::Failed => return None,
        };
        Some(Queue { region: self.region.clone(), kind })
    }

    /// What EC2 sends events about while the replica waits.
    pub fn awaits(&self) -> Vec<String> {
        match self.status {
            ReplicaStatus::Pending => self.image.iter().map(ToString::to_string).collect(),
            ReplicaStatus::Waiting
            | ReplicaStatus::Copying
            | ReplicaStatus::Available
            | ReplicaStatus::Failed => Vec::new(),
        }
    }
}
