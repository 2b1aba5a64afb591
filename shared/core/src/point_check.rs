//! Invariants of every record. They are checked before a record is written, and again when it is
//! read, so that a mistake is met where it is made, and nothing builds upon a broken record.

use crate::machine::Machine;
use crate::point::{Place, Point, Replica, ReplicaStatus};
use crate::policy::Artefact;
use crate::slot::PointId;
use crate::status::Status;

impl Point {
    /// Checks the invariants of the point.
    ///
    /// # Errors
    /// The text of the error names the invariant that does not hold.
    pub fn check(&self) -> Result<(), String> {
        let slot = PointId::of(&self.slot);
        that(self.id == slot, || format!("the slot belongs to point {slot}"))?;
        versioned(self.version)?;
        let due = self.queue().is_none() || self.step.due_at.is_some();
        that(due, || format!("status {} requires a due time", self.status))?;
        if let Some(machine) = &self.machine {
            let theirs = &machine.instance;
            let same = theirs.id == self.slot.instance && theirs.region == self.home;
            that(same, || {
                format!(
                    "the machine is {} in {}, not the one of the slot",
                    theirs.id, theirs.region
                )
            })?;
        }
        let home = self.replicas.contains_key(&self.home);
        that(!home, || "a replica is in the home region of the point".to_string())?;
        self.check_status()
    }

    /// Checks the members that the status requires.
    fn check_status(&self) -> Result<(), String> {
        match self.status {
            Status::Requested => Ok(()),
            Status::Snapshotting => {
                self.has("the machine", self.machine.is_some())?;
                self.has("the time of the intent", self.step.begun_at.is_some())
            }
            Status::Snapshotted => self.check_snapshots(),
            Status::Ready => {
                self.check_snapshots()?;
                self.has("a grade", self.grade.is_some())
            }
            Status::Registering => {
                self.check_snapshots()?;
                self.has("a grade", self.grade.is_some())?;
                self.has("the time of the intent", self.step.begun_at.is_some())
            }
            Status::Creating => {
                self.has("the machine", self.machine.is_some())?;
                self.has("the time of the intent", self.step.begun_at.is_some())
            }
            // The snapshots of such a point are known once its image is available.
            Status::Created => {
                self.has("the machine", self.machine.is_some())?;
                self.has("an image", self.image.is_some())
            }
            // The disks alone do not tell what the machine was.
            Status::Protected if self.unverified && self.plan.kind == Artefact::Snapshots => {
                self.has("the time of its data", self.taken_at.is_some())?;
                self.has("snapshots", !self.snapshots.is_empty())?;
                self.has("a grade", self.grade.is_some())
            }
            Status::Protected if self.plan.kind == Artefact::Snapshots => {
                self.check_snapshots()?;
                self.has("a grade", self.grade.is_some())
            }
            Status::Imaged if self.home_place != Place::Available => {
                self.has("a reason", self.reason.is_some())
            }
            Status::Registered | Status::Imaged => self.check_image(),
            Status::Protected => {
                let is_fine = |place| matches!(place, Place::Available | Place::Withdrawn);
                let all = self.replicas.values().copied().all(is_fine);
                let is_left = match self.home_place {
                    // A person has called off the image at home, which was lost.
                    Place::Withdrawn => self.replicas.values().any(Place::is_available),
                    place => self.check_image().map(|()| place.is_available())?,
                };
                self.has("all replicas", all && is_left)
            }
            Status::Refused
            | Status::Missed
            | Status::Failed
            | Status::Withdrawn
            | Status::Lost => self.has("a reason", self.reason.is_some()),
        }
    }

    fn check_snapshots(&self) -> Result<(), String> {
        self.has("the time of its data", self.taken_at.is_some())?;
        let of_machine = |machine: &Machine| {
            let volumes = &machine.volumes;
            let all = volumes.iter().all(|volume| self.snapshots.contains_key(&volume.id));
            all && volumes.len() == self.snapshots.len() && !volumes.is_empty()
        };
        // Copies do not tell what disks their image was made of, once that is gone.
        let is_unknown = self.unverified && self.machine.is_none() && self.snapshots.is_empty();
        let complete = is_unknown || self.machine.as_ref().is_some_and(of_machine);
        self.has("one snapshot of each volume of the machine", complete)
    }

    fn check_image(&self) -> Result<(), String> {
        self.check_snapshots()?;
        self.has("a grade", self.grade.is_some())?;
        self.has("an image", self.image.is_some())
    }

    fn has(&self, what: &str, has: bool) -> Result<(), String> {
        that(has, || format!("status {} requires {what}", self.status))
    }
}

impl Replica {
    /// Checks the invariants of the replica.
    ///
    /// # Errors
    /// The text of the error names the invariant that does not hold.
    pub fn check(&self) -> Result<(), String> {
        versioned(self.version)?;
        let instance = self.point.instance();
        that(*instance == self.instance, || format!("the point is of machine {instance}"))?;
        let source = self.source_region.as_ref().unwrap_or(&self.home);
        that(self.region != *source, || "the replica is a copy of itself".to_string())?;
        let due = self.queue().is_none() || self.step.due_at.is_some();
        that(due, || format!("status {:?} requires a due time", self.status))?;
        let (what, has) = match self.status {
            ReplicaStatus::Waiting => return Ok(()),
            ReplicaStatus::Copying => ("the time of the intent", self.step.begun_at.is_some()),
            ReplicaStatus::Pending | ReplicaStatus::Available => ("an image", self.image.is_some()),
            ReplicaStatus::Failed
            | ReplicaStatus::Lost
            | ReplicaStatus::Unusable
            | ReplicaStatus::Withdrawn => ("a reason", self.reason.is_some()),
        };
        that(has, || format!("status {:?} requires {what}", self.status))
    }
}

/// Checks that a record was written.
pub(crate) fn versioned(version: u64) -> Result<(), String> {
    that(version >= 1, || "version 0 means that there is no record".to_string())
}

fn that(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}
