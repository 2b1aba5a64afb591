//! The four calls that create something, each between its intent and its outcome.

use afterimage_core::command::{
    Change, CopyImage, CreateImage, CreateSnapshots, Decision, Intent, Record, RegisterImage,
};
use afterimage_core::conclude::{self, Outcome};
use afterimage_core::point::{Point, Replica};
use afterimage_core::work::Queue;
use jiff::{SignedDuration, Timestamp};

use super::Executor;
use crate::Failure;
use crate::ec2::CALL_TIMEOUT;
use crate::ledger::{LeaseUse, Written};

/// What the intent may take to be written, beside the call, before the lease has to be renewed.
const MARGIN: SignedDuration = SignedDuration::from_secs(10);

/// Each time that EC2 asks to wait, the pace is halved, down to a sixteenth.
const SLOWED_MAX: u32 = 4;

/// After so many calls on end that were not asked to wait, the pace is doubled again.
const STEADY: u32 = 3;

impl Executor<'_> {
    pub(super) async fn create_snapshots(
        &mut self,
        intent: Intent<CreateSnapshots>,
    ) -> Result<Decision, Failure> {
        let Some(point) = self.begin(&intent.queue, intent.change, point_of).await? else {
            return Ok(Decision::default());
        };
        let outcome = self.aws.ec2.create_snapshots(&intent.call).await;
        self.heed(&outcome);
        Ok(conclude::snapshots(&point, outcome, self.aws.clock.now()))
    }

    pub(super) async fn create_image(
        &mut self,
        intent: Intent<CreateImage>,
    ) -> Result<Decision, Failure> {
        let Some(point) = self.begin(&intent.queue, intent.change, point_of).await? else {
            return Ok(Decision::default());
        };
        let outcome = self.aws.ec2.create_image(&intent.call).await;
        self.heed(&outcome);
        Ok(conclude::created(&point, outcome, self.aws.clock.now()))
    }

    pub(super) async fn register_image(
        &mut self,
        intent: Intent<RegisterImage>,
    ) -> Result<Decision, Failure> {
        let Some(point) = self.begin(&intent.queue, intent.change, point_of).await? else {
            return Ok(Decision::default());
        };
        let outcome = self.aws.ec2.register_image(&intent.call).await;
        self.heed(&outcome);
        Ok(conclude::image(&point, outcome, self.aws.clock.now()))
    }

    pub(super) async fn copy_image(
        &mut self,
        intent: Intent<CopyImage>,
    ) -> Result<Decision, Failure> {
        let Some(replica) = self.begin(&intent.queue, intent.change, replica_of).await? else {
            return Ok(Decision::default());
        };
        let outcome = self.aws.ec2.copy_image(&intent.call).await;
        self.heed(&outcome);
        Ok(conclude::copy(&replica, outcome, self.aws.clock.now()))
    }

    /// Writes the intent, and with it the right to call. The record is the one that was written:
    /// what the outcome is concluded from. None if the call is not to be made.
    pub(super) async fn begin<R: Clone>(
        &mut self,
        queue: &Queue,
        change: Change,
        record_of: impl Fn(&Change) -> Option<&R>,
    ) -> Result<Option<R>, Failure> {
        if let Some(left) = self.to_create.get_mut(queue) {
            *left = left.saturating_sub(1);
        }
        if self.taken.contains(queue) {
            return Ok(None);
        }
        self.keep_pace(queue).await;
        // The last of many is called long after it was decided: what is written of it is when it
        // is begun.
        let change = change.begun(self.aws.clock.now());
        let Some(record) = record_of(&change).cloned() else {
            tracing::error!(about = %queue, "an intent without its record: nothing is called");
            return Ok(None);
        };
        if !self.has_time() || !self.intend(queue, &change).await? {
            return Ok(None);
        }
        if self.lease_left(queue) <= CALL_TIMEOUT {
            // It took so long to write the intent that the call might outlast the lease. The point
            // is settled as one whose outcome never came.
            tracing::warn!(about = %queue, "the lease is too short for a call");
            self.taken.insert(queue.clone());
            return Ok(None);
        }
        self.last_call = Some(self.aws.clock.now());
        Ok(Some(record))
    }

    /// Whether the intent is written, and the lease ours.
    async fn intend(&mut self, queue: &Queue, change: &Change) -> Result<bool, Failure> {
        let is_short = self.lease_left(queue) <= CALL_TIMEOUT.saturating_add(MARGIN);
        let lease = is_short.then(|| self.lease(queue.clone()));
        let lease_use = lease.as_ref().map_or(LeaseUse::None, LeaseUse::Take);
        let written = self.aws.ledger.write(change, lease_use, &mut self.writer).await?;
        match written {
            Written::Done => {
                self.applied.wrote += 1;
                if let Some(lease) = lease {
                    self.leases.insert(lease.queue, lease.until);
                }
            }
            Written::Lost => self.lost(change),
            Written::NoLease => {
                tracing::debug!(about = %queue, "another worker is at it");
                self.applied.no_lease = true;
                self.leases.remove(queue);
                self.taken.insert(queue.clone());
            }
        }
        Ok(written == Written::Done)
    }

    /// How long the lease on a queue still lasts.
    fn lease_left(&self, queue: &Queue) -> SignedDuration {
        let until = self.leases.get(queue).copied().unwrap_or(Timestamp::MIN);
        until.duration_since(self.aws.clock.now())
    }

    /// Waits until the queue may have its next call.
    async fn keep_pace(&self, queue: &Queue) {
        let pace = queue.kind.pace().saturating_mul(1_i32 << self.slowed.min(SLOWED_MAX));
        if let Some(last) = self.last_call {
            let since = self.aws.clock.now().duration_since(last);
            self.aws.clock.sleep(pace.saturating_sub(since)).await;
        }
    }

    /// What an outcome says about the calls that follow.
    pub(super) fn heed<T>(&mut self, outcome: &Outcome<T>) {
        match outcome {
            Outcome::Made(_) => {
                self.applied.made += 1;
                self.steady += 1;
                if self.steady == STEADY {
                    self.steady = 0;
                    self.slowed = self.slowed.saturating_sub(1);
                }
            }
            Outcome::Throttled(_) => {
                self.steady = 0;
                self.slowed = (self.slowed + 1).min(SLOWED_MAX);
            }
            Outcome::Failed(_)
            | Outcome::Refused(_)
            | Outcome::Gone(_)
            | Outcome::NameTaken(_)
            | Outcome::Unknown(_) => {}
        }
    }
}

fn point_of(change: &Change) -> Option<&Point> {
    change.writes.iter().rev().find_map(|write| match &write.record {
        Record::Point(point) => Some(&**point),
        Record::Replica(_)
        | Record::Downtime(_)
        | Record::Roster(_)
        | Record::RequestCounter(_) => None,
    })
}

fn replica_of(change: &Change) -> Option<&Replica> {
    change.writes.iter().rev().find_map(|write| match &write.record {
        Record::Replica(replica) => Some(&**replica),
        Record::Point(_) | Record::Downtime(_) | Record::Roster(_) | Record::RequestCounter(_) => {
            None
        }
    })
}
