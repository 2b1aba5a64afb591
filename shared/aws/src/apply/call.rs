//! A call that changes something in EC2, between its intent and its outcome.

use afterimage_core::call::{Intent, Pressure, conclude};
use afterimage_core::command::{Change, Decision};
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
    /// Makes a call, between its intent and its outcome.
    pub(super) async fn call(&mut self, intent: Intent) -> Result<Decision, Failure> {
        let Some(begun) = self.begin(&intent.queue, intent.change).await? else {
            return Ok(Decision::default());
        };
        let reply = self.aws.ec2.call(&intent.call).await;
        self.heed(reply.pressure());
        Ok(conclude(&begun, reply, self.aws.clock.now()).into())
    }

    /// Writes the intent, and with it the right to call. Returns the intent as it was written, from
    /// which the outcome is concluded; none if the call is not to be made.
    async fn begin(&mut self, queue: &Queue, change: Change) -> Result<Option<Change>, Failure> {
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
        Ok(Some(change))
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

    /// Adapts the pace of the calls that follow to how busy EC2 is with us.
    fn heed(&mut self, pressure: Pressure) {
        match pressure {
            Pressure::Eased => {
                self.applied.made += 1;
                self.steady += 1;
                if self.steady == STEADY {
                    self.steady = 0;
                    self.slowed = self.slowed.saturating_sub(1);
                }
            }
            Pressure::Throttled => {
                self.steady = 0;
                self.slowed = (self.slowed + 1).min(SLOWED_MAX);
            }
            Pressure::Unchanged => {}
        }
    }
}
