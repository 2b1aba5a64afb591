//! A call that changes something in EC2, between its intent and its outcome.

use afterimage_core::call::{Intent, Pressure, conclude};
use afterimage_core::command::{Change, Decision};
use afterimage_core::limits::LEDGER_CALL_MAX;
use afterimage_core::work::Queue;
use afterimage_core::worker::pace::{is_to_renew, outlasts_a_call};

use super::Executor;
use crate::ledger::{LeaseUse, Written};
use crate::{Failure, log};

impl Executor<'_> {
    /// Makes a call, between its intent and its outcome.
    pub(super) async fn call(&mut self, intent: Intent) -> Result<Decision, Failure> {
        let Intent { change, queue, call, around, read } = intent;
        let Some(begun) = self.begin(&queue, change).await? else {
            self.keep(&queue, read.as_deref()).await;
            return Ok(Decision::default());
        };
        let reply = self.aws.ec2.call(&call).await;
        let pressure = reply.pressure();
        self.applied.made += usize::from(pressure == Pressure::Eased);
        self.pace.heed(pressure);
        let now = self.aws.clock.now();
        let conclusion = conclude(around.as_deref(), &begun, reply, now);
        if conclusion.is_held_up {
            // The next round finds the obstacle, and what it does not hold up.
            self.held_up.insert(queue);
        }
        Ok(conclusion.into())
    }

    /// Keeps what was read for a call that is not begun because time ran out, or because an
    /// obstacle came up that may outlast the worker. A failure costs the next worker a read, and
    /// nothing else.
    pub(super) async fn keep(&mut self, queue: &Queue, read: Option<&Change>) {
        let is_put_off = self.applied.out_of_time || self.held_up.contains(queue);
        let left = self.context.deadline.duration_since(self.aws.clock.now());
        let (true, Some(read)) = (is_put_off && left > LEDGER_CALL_MAX, read) else {
            return;
        };
        let written = self.aws.ledger.write(read, LeaseUse::None, &mut self.writer).await;
        if let Err(failure) = written {
            log::failure(&failure);
        }
    }

    /// Writes the intent, and with it the right to call. Returns the intent as it was written, from
    /// which the outcome is concluded. None if the call must not be made.
    async fn begin(&mut self, queue: &Queue, change: Change) -> Result<Option<Change>, Failure> {
        if let Some(left) = self.to_create.get_mut(queue) {
            *left = left.saturating_sub(1);
        }
        if self.taken.contains(queue) || self.held_up.contains(queue) {
            return Ok(None);
        }
        self.aws.clock.sleep(self.pace.wait(queue.kind, self.aws.clock.now())).await;
        // The last of many calls is made long after it was decided, so that its intent begins when
        // it is written.
        let change = change.begun(self.aws.clock.now());
        if !self.has_time() || !self.intend(queue, &change).await? {
            return Ok(None);
        }
        let now = self.aws.clock.now();
        if !outlasts_a_call(self.leases.get(queue).copied(), now) || !self.has_time() {
            // The write of the intent took so long that the call might outlast the lease, or the
            // function. The point is settled later, as one whose outcome never came.
            tracing::warn!(about = %queue, "the intent took too long to write: nothing is called");
            self.taken.insert(queue.clone());
            return Ok(None);
        }
        self.pace.called(now);
        Ok(Some(change))
    }

    /// Writes the intent, and takes or renews the lease with it if that is due. True if both
    /// succeeded.
    async fn intend(&mut self, queue: &Queue, change: &Change) -> Result<bool, Failure> {
        let renews = is_to_renew(self.leases.get(queue).copied(), self.aws.clock.now());
        let lease = renews.then(|| self.lease(queue.clone()));
        let lease_use = lease.as_ref().map_or(LeaseUse::None, LeaseUse::Take);
        let written = self.write(change, lease_use).await?;
        match written {
            Written::Done => {
                if let Some(lease) = lease {
                    self.leases.insert(lease.queue, lease.until);
                }
            }
            Written::Lost => {}
            Written::NoLease => {
                tracing::debug!(about = %queue, "another worker is at it");
                self.applied.no_lease = true;
                self.leases.remove(queue);
                self.taken.insert(queue.clone());
            }
        }
        Ok(written == Written::Done)
    }
}
