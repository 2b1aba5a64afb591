//! The record of a recovery point, one instance at one moment, and the records of its replicas.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::duration::seconds;
use crate::ids::{AccountId, AmiId, InstanceId, Region, ResourceId, SnapshotId, VolumeId};
use crate::limits::{ATTEMPTS_MAX, later};
use crate::machine::{Grade, Machine};
use crate::policy::{
    Artefact, Consistency, DEFAULT_WINDOW_SECS, ExcludeVolumes, Method, Policy, Replicate,
    StopStart,
};
use crate::reason::Reason;
pub use crate::replica_status::{IllegalForReplica, ReplicaEvent, ReplicaStatus, next_of_replica};
use crate::slot::{PointId, Slot};
use crate::status::{Event, IllegalTransition, Making, Phase, Status, next};
use crate::work::{Kind, Queue};

/// The record of a recovery point: one instance at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    pub id: PointId,
    pub slot: Slot,
    /// The region of its machine.
    pub home: Region,
    pub status: Status,
    /// The number of writes so far. A writer names the version that it read.
    pub version: u64,
    pub requested_at: Timestamp,
    /// The settings of the policy when the point was requested.
    pub plan: Plan,
    pub step: Step,
    /// The machine as it was when its snapshots were begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<Machine>,
    /// The time at which the call that made the snapshots was begun: their data is from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grade: Option<Grade>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub snapshots: BTreeMap<VolumeId, SnapshotId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<AmiId>,
    /// The state of the image at home, or of the snapshots that were wanted, once they were made.
    #[serde(default, skip_serializing_if = "Place::is_available")]
    pub home_place: Place,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub replicas: BTreeMap<Region, Place>,
    /// The end of the window. A point that has not begun by then is missed; none may wait for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The method by which its image is made, and the reason for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<Chosen>,
    /// Reasons that a person should see although the point succeeded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Reason>,
    /// True if the record was rebuilt from tags and facts, and nobody has confirmed it. Such a
    /// point is never deleted.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unverified: bool,
    /// The reason for its status, if not all is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// Leftovers of failed tries. They are ours and cannot be used; the ordinary steps remove them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leftovers: Vec<ResourceId>,
    /// The first look at which an artefact that was good was not shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing_since: Option<Timestamp>,
    /// The reason why the artefact at home can never be used again: its key was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_deleted: Option<Reason>,
    /// The image at home that was lost last, until the place is good again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<AmiId>,
    /// The times at which the artefact at home was made again, the latest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub healed: Vec<Timestamp>,
    /// True if a person has asked for the artefact at home to be made again, whatever the policy
    /// says of that.
    #[serde(default, skip_serializing_if = "is_false")]
    pub heal_asked: bool,
    /// What was made before the point lost everything and began again, until it is made anew: what
    /// was lost may be restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Box<Made>>,
    /// The last time that the point began again after it had lost everything, and came to nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Box<Refused>>,
}

/// A beginning that came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    pub at: Timestamp,
    pub reason: Reason,
}

/// What was made of a point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Made {
    pub taken_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grade: Option<Grade>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<Chosen>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<Machine>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub snapshots: BTreeMap<VolumeId, SnapshotId>,
}

/// A method that was chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chosen {
    /// The method; never [`Method::Auto`].
    pub method: Method,
    pub why: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
pub(crate) const fn is_zero(value: &u32) -> bool {
    *value == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
pub(crate) const fn is_false(value: &bool) -> bool {
    !*value
}

/// The settings of the policy when the point was requested.
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
    /// The accounts that the images are shared with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub share: Vec<AccountId>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replicate: Vec<Replicate>,
}

impl Plan {
    /// Returns the settings of a policy for a machine whose home is this region.
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

/// The progress of the step that a record is at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The number from which names and tags are derived, so that the leftovers of a failed try have
    /// another name.
    pub attempt: u32,
    /// The attempt at which the record began anew. Attempts are counted from there.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub first: u32,
    /// The number of failed tries. Being told to wait is no failure.
    pub failures: u32,
    /// The time at which the intent was written. The call may have been made since then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun_at: Option<Timestamp>,
    /// The time of the next try or the next look, unless something happens before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
}

impl Step {
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.due_at.is_none_or(|due_at| due_at <= now)
    }

    /// Tells whether the time `span` has gone by since the intent was written.
    pub fn is_past(&self, span: SignedDuration, now: Timestamp) -> bool {
        self.begun_at.is_none_or(|begun_at| now.duration_since(begun_at) >= span)
    }

    /// Moves the beginning and the due time to `now`, for an intent that is written later than it
    /// was decided.
    pub fn begin(&mut self, now: Timestamp) {
        let (Some(begun_at), Some(due_at)) = (self.begun_at, self.due_at) else { return };
        self.due_at = Some(later(now, due_at.duration_since(begun_at)));
        self.begun_at = Some(now);
    }

    /// Returns the attempt that no attempt of the step has reached yet.
    pub const fn attempts_end(&self) -> u32 {
        self.first.saturating_add(ATTEMPTS_MAX)
    }

    /// Returns the step with nothing left to be done.
    #[must_use]
    pub fn settled(&self) -> Step {
        Step { due_at: None, ..self.clone() }
    }
}

/// The state of a place, as its point knows it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    Underway,
    #[default]
    Available,
    Failed,
    /// The artefact is gone.
    Lost,
    /// The artefact exists and cannot be used, because it was disabled, for example.
    Unusable,
    /// Nobody wants the place any more.
    Withdrawn,
}

impl From<ReplicaStatus> for Place {
    fn from(status: ReplicaStatus) -> Place {
        match status {
            ReplicaStatus::Available => Place::Available,
            ReplicaStatus::Failed => Place::Failed,
            ReplicaStatus::Lost => Place::Lost,
            ReplicaStatus::Unusable => Place::Unusable,
            ReplicaStatus::Withdrawn => Place::Withdrawn,
            ReplicaStatus::Waiting | ReplicaStatus::Copying | ReplicaStatus::Pending => {
                Place::Underway
            }
        }
    }
}

impl Place {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    pub(crate) const fn is_available(&self) -> bool {
        matches!(self, Place::Available)
    }
}

impl Point {
    /// Tells whether EC2 creates its image.
    pub fn is_created(&self) -> bool {
        self.method.as_ref().is_some_and(|chosen| chosen.method == Method::CreateImage)
    }

    /// Returns a point that was just requested.
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
            home_place: Place::Available,
            missing_since: None,
            lost: None,
            healed: Vec::new(),
            heal_asked: false,
            before: None,
            refused: None,
            key_deleted: None,
        }
    }

    pub fn instance(&self) -> &InstanceId {
        &self.slot.instance
    }

    /// Returns the queue of the point; none if nobody but its replicas has anything left to do.
    pub fn queue(&self) -> Option<Queue> {
        self.work().map(|kind| Queue { region: self.home.clone(), kind })
    }

    /// Returns the kind of work that the point waits for; none if nobody but its replicas has any.
    pub fn work(&self) -> Option<Kind> {
        let makes_image = self.status.making() == Some(Making::Image);
        match self.status.phase() {
            Phase::Requested => Some(Kind::Snapshot),
            Phase::Ready => Some(Kind::Register),
            Phase::Calling if makes_image => Some(Kind::Register),
            Phase::Calling => Some(Kind::Snapshot),
            // The disks must be seen at rest soon after the snapshots were made.
            Phase::Pending if !makes_image && self.grade.is_none() => Some(Kind::Snapshot),
            Phase::Pending if self.status == Status::Snapshotted => Some(Kind::Register),
            Phase::Pending => Some(Kind::Confirm),
            // An artefact is missing, or is to be made again.
            Phase::Good => self.step.due_at.map(|_| Kind::Confirm),
            Phase::Ended if self.status == Status::Lost => self.step.due_at.map(|_| Kind::Confirm),
            // The point may be wanted again until its window closes.
            Phase::Ended if self.status == Status::Withdrawn => {
                self.step.due_at.map(|_| Kind::Snapshot)
            }
            Phase::Ended => None,
        }
    }

    /// Returns the resources whose EC2 events the point waits for.
    pub fn awaits(&self) -> Vec<ResourceId> {
        match (self.status.phase(), self.status.making()) {
            (Phase::Requested, _) if self.waits_for_stop() => vec![self.instance().clone().into()],
            (Phase::Ended, _) if self.is_kept_to_begin_again() => {
                vec![self.instance().clone().into()]
            }
            (Phase::Pending, Some(Making::Snapshots)) => {
                self.snapshots.values().cloned().map(ResourceId::from).collect()
            }
            (Phase::Pending, _) => self.image.iter().cloned().map(ResourceId::from).collect(),
            _ => Vec::new(),
        }
    }

    /// Returns the artefacts at home that are called good: the image, or the snapshots of a point
    /// that is snapshots and nothing else.
    pub fn held(&self) -> Vec<ResourceId> {
        let is_there = matches!(self.home_place, Place::Available | Place::Unusable);
        match (self.status.phase(), self.plan.kind) {
            (Phase::Good, Artefact::Image) if is_there => {
                self.image.iter().cloned().map(ResourceId::from).collect()
            }
            (Phase::Good, Artefact::Snapshots) if is_there => {
                self.snapshots.values().cloned().map(ResourceId::from).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Returns the end of the window in which the point may begin.
    pub fn waits_until(&self) -> Timestamp {
        self.until.unwrap_or_else(|| later(self.requested_at, seconds(DEFAULT_WINDOW_SECS)))
    }

    /// Tells whether the point has to be at rest and its machine runs. Such a point is due when its
    /// window closes. A point that is due for another reason does not wait any more.
    pub fn waits_for_stop(&self) -> bool {
        self.status == Status::Requested
            && self.plan.consistency == Consistency::AtRest
            && self.until.is_some()
            && self.step.due_at == self.until
    }

    /// Tells whether the point was withdrawn, and is taken up again if it is wanted in its window.
    pub fn is_kept_to_begin_again(&self) -> bool {
        self.status == Status::Withdrawn && self.step.due_at.is_some()
    }

    /// Returns the time from which delays by others count. The wait of the point for a stop does
    /// not count.
    pub fn wanted_since(&self) -> Timestamp {
        match (self.plan.consistency, self.until) {
            (Consistency::AtRest, Some(until)) => until.max(self.requested_at),
            _ => self.requested_at,
        }
    }

    /// Returns the point with a reason that a person should see. Of each code the last reason is
    /// kept.
    #[must_use]
    pub fn found(mut self, finding: Option<Reason>) -> Point {
        if let Some(finding) = finding {
            self.findings.retain(|known| known.code != finding.code);
            self.findings.push(finding);
        }
        self
    }

    /// Returns the point, due at once.
    #[must_use]
    pub fn due_now(&self, now: Timestamp) -> Point {
        Point { step: Step { due_at: Some(now), ..self.step.clone() }, ..self.clone() }
    }

    /// Checks that the point has the status in which an event is to happen to it.
    ///
    /// # Errors
    /// The point has another status.
    pub fn must_be(&self, status: Status, event: Event) -> Result<(), IllegalTransition> {
        match self.status == status {
            true => Ok(()),
            false => Err(IllegalTransition { status: self.status, event }),
        }
    }

    /// Returns the point after an event.
    ///
    /// # Errors
    /// The event cannot happen to the point in its status.
    pub fn after(&self, event: Event) -> Result<Point, IllegalTransition> {
        Ok(Point { status: next(self.status, event)?, ..self.clone() })
    }
}

/// The record of a replica: the image of a point in one other region.
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
    /// The image that is copied.
    pub source: AmiId,
    /// The region of the image that is copied; none if that is the home of the point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_region: Option<Region>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<AmiId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leftovers: Vec<ResourceId>,
    /// The first look at which the image that was good was not shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing_since: Option<Timestamp>,
    /// The image that was lost last, until the place is good again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<AmiId>,
    /// The times at which the replica was made again after a loss, the latest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub healed: Vec<Timestamp>,
    /// True if a person has asked for the replica to be made again, whatever the policy says of
    /// that, and it is not there yet.
    #[serde(default, skip_serializing_if = "is_false")]
    pub heal_asked: bool,
}

impl Replica {
    /// Returns the replica of a point that has just got its image.
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
            source_region: None,
            image: None,
            reason: None,
            leftovers: Vec::new(),
            missing_since: None,
            lost: None,
            healed: Vec::new(),
            heal_asked: false,
        }
    }

    /// Returns the name of the replica, as a person would look it up.
    pub fn about(&self) -> String {
        format!("{} {}", self.point, self.region)
    }

    /// Checks that the replica has the status in which an event is to happen to it.
    ///
    /// # Errors
    /// The replica has another status.
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

    /// Returns the replica after an event.
    ///
    /// # Errors
    /// The event cannot happen to the replica in its status.
    pub fn after(&self, event: ReplicaEvent) -> Result<Replica, IllegalForReplica> {
        Ok(Replica { status: next_of_replica(self.status, event)?, ..self.clone() })
    }

    /// Returns the queue of the replica; none once it is settled.
    pub fn queue(&self) -> Option<Queue> {
        let kind = match self.status {
            ReplicaStatus::Waiting | ReplicaStatus::Copying => Kind::Copy,
            ReplicaStatus::Pending => Kind::Confirm,
            // The image is missing, or is to be made again.
            ReplicaStatus::Available | ReplicaStatus::Lost | ReplicaStatus::Unusable => {
                self.step.due_at.filter(|_| !self.is_copy_back())?;
                Kind::Confirm
            }
            ReplicaStatus::Failed | ReplicaStatus::Withdrawn => return None,
        };
        Some(Queue { region: self.region.clone(), kind })
    }

    /// Tells whether the replica is a copy back to the home of its point. Once such a copy is made,
    /// its point stands for the place, and nobody looks at the replica any more.
    pub fn is_copy_back(&self) -> bool {
        self.region == self.home
    }

    /// Returns the image that is called good.
    pub fn held(&self) -> Vec<ResourceId> {
        match self.status {
            ReplicaStatus::Available | ReplicaStatus::Unusable if !self.is_copy_back() => {
                self.image.iter().cloned().map(ResourceId::from).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Returns the replica, due at once.
    #[must_use]
    pub fn due_now(&self, now: Timestamp) -> Replica {
        Replica { step: Step { due_at: Some(now), ..self.step.clone() }, ..self.clone() }
    }

    /// Returns the region of the image that is copied.
    pub fn source_region(&self) -> &Region {
        self.source_region.as_ref().unwrap_or(&self.home)
    }

    /// Returns the resources whose EC2 events the replica waits for.
    pub fn awaits(&self) -> Vec<ResourceId> {
        match self.status {
            ReplicaStatus::Pending => self.image.iter().cloned().map(ResourceId::from).collect(),
            ReplicaStatus::Waiting
            | ReplicaStatus::Copying
            | ReplicaStatus::Available
            | ReplicaStatus::Failed
            | ReplicaStatus::Lost
            | ReplicaStatus::Unusable
            | ReplicaStatus::Withdrawn => Vec::new(),
        }
    }
}
