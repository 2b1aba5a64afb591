//! A request by tag: what it leads to is written, then the tag goes, then that is written, then the
//! machine is answered. A step that fails ends it: from the ledger, the sweep goes on.

use afterimage_core::command::Consume;
use jiff::SignedDuration;

use super::Hand;
use crate::Failure;
use crate::ledger::{LeaseUse, Written};

/// How long a machine waits for the one before it: half of the changes of tags that EC2 grants an
/// account and region (10 of either kind a second).
const PACE: SignedDuration = SignedDuration::from_millis(200);

impl Hand<'_> {
    /// Only the ledger ends the decision. A machine whose tags cannot be changed does not hold up
    /// the others; it is told when they have been dealt with.
    pub(super) async fn consume(&mut self, consume: &Consume) -> Result<(), Failure> {
        if let Some(taken) = &consume.taken {
            let none = LeaseUse::None;
            match self.aws.ledger.write(taken, none, &mut self.writer).await? {
                Written::Done => self.applied.wrote += 1,
                Written::Lost | Written::NoLease => {
                    self.lost(taken);
                    return Ok(());
                }
            }
        }
        self.keep_tag_pace().await;
        let Consume { region, instance, value, answer, .. } = consume;
        if let Some(value) = value
            && let Err(failure) = self.aws.ec2.take_off(region, instance, value).await
        {
            self.unanswered.get_or_insert(failure);
            return Ok(());
        }
        if let Some(consumed) = consume.consumed(self.aws.clock.now()) {
            self.record(&consumed).await?;
        }
        if let Some(text) = answer
            && let Err(failure) = self.aws.ec2.answer(region, instance, text).await
        {
            self.unanswered.get_or_insert(failure);
        }
        Ok(())
    }

    async fn keep_tag_pace(&mut self) {
        let now = self.aws.clock.now();
        if let Some(last) = self.last_tag {
            self.aws.clock.sleep(PACE.saturating_sub(now.duration_since(last))).await;
        }
        self.last_tag = Some(self.aws.clock.now());
    }
}
