//! What holds of every record that was ever written: checked before it is written, and again when
//! it is read, so that a mistake is met where it is made, and nothing builds upon a broken record.

use crate::machine::Machine;
use crate::point::{Place, Point, Replica, ReplicaStatus};
use crate::policy::Artefact;
use crate::slot::PointId;
use crate::status::Status;

impl Point {
    /// # Errors
    /// Says what does not hold of this point.
    pub fn check(&self) -> Result<(), String> {
        let slot = PointId::of(&self.slot);
        that(self.id == slot, || format!("its slot is that of {slot}"))?;
        versioned(self.version)?;
        let due = self.queue().is_none() || self.step.due_at.is_some();
        that(due, || format!("{} and never due", self.status))?;
        if let Some(machine) = &self.machine {
            let theirs = &machine.instance;
            let same = theirs.id == self.slot.instance && theirs.region == self.home;
            that(same, || format!("its machine is {} in {}", theirs.id, theirs.region))?;
        }
        let home = self.replicas.contains_key(&self.home);
        that(!home, || "it has a replica where it is at home".to_string())?;
        self.check_status()
    }

    /// What it must have where it stands.
    fn check_status(&self) -> Result<(), String> {
        match self.status {
            Status::Requested => Ok(()),
            Status::Snapshotting => {
                self.has("its machine", self.machine.is_some())?;
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
                self.has("its machine", self.machine.is_some())?;
                self.has("the time of the intent", self.step.begun_at.is_some())
            }
            // Its snapshots are known when it is available.
            Status::Created => {
                self.has("its machine", self.machine.is_some())?;
                self.has("an image", self.image.is_some())
            }
            // What a machine was cannot be told from its disks alone.
            Status::Protected if self.unverified && self.plan.kind == Artefact::Snapshots => {
                self.has("the time of its data", self.taken_at.is_some())?;
                self.has("snapshots", !self.snapshots.is_empty())?;
                self.has("a grade", self.grade.is_some())
            }
            Status::Protected if self.plan.kind == Artefact::Snapshots => {
                self.check_snapshots()?;
                self.has("a grade", self.grade.is_some())
            }
            Status::Registered | Status::Imaged => self.check_image(),
            Status::Protected => {
                self.check_image()?;
                let all = self.replicas.values().all(|place| *place == Place::Available);
                self.has("all its replicas", all)
            }
            Status::Refused | Status::Missed | Status::Failed => {
                self.has("a reason", self.reason.is_some())
            }
        }
    }

    fn check_snapshots(&self) -> Result<(), String> {
        self.has("the time of its data", self.taken_at.is_some())?;
        let of_machine = |machine: &Machine| {
            let volumes = &machine.volumes;
            let all = volumes.iter().all(|volume| self.snapshots.contains_key(&volume.id));
            all && volumes.len() == self.snapshots.len() && !volumes.is_empty()
        };
        let complete = self.machine.as_ref().is_some_and(of_machine);
        self.has("one snapshot of each volume of its machine", complete)
    }

    fn check_image(&self) -> Result<(), String> {
        self.check_snapshots()?;
        self.has("a grade", self.grade.is_some())?;
        self.has("an image", self.image.is_some())
    }

    fn has(&self, what: &str, has: bool) -> Result<(), String> {
        that(has, || format!("{} without {what}", self.status))
    }
}

impl Replica {
    /// # Errors
    /// Says what does not hold of this replica.
    pub fn check(&self) -> Result<(), String> {
        versioned(self.version)?;
        let instance = self.point.instance();
        that(*instance == self.instance, || format!("its point is of {instance}"))?;
        that(self.region != self.home, || "it is where its point is at home".to_string())?;
        let due = self.queue().is_none() || self.step.due_at.is_some();
        that(due, || format!("{:?} and never due", self.status))?;
        let (what, has) = match self.status {
            ReplicaStatus::Waiting => return Ok(()),
            ReplicaStatus::Copying => ("the time of the intent", self.step.begun_at.is_some()),
            ReplicaStatus::Pending | ReplicaStatus::Available => ("an image", self.image.is_some()),
            ReplicaStatus::Failed => ("a reason", self.reason.is_some()),
        };
        that(has, || format!("{:?} without {what}", self.status))
    }
}

fn versioned(version: u64) -> Result<(), String> {
    that(version >= 1, || "its version is 0, which stands for none".to_string())
}

fn that(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}
