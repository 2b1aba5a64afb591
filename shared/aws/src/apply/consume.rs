//! Requests by tag. The change that follows is written, then the tag is removed, then the machine
//! is answered, and then the end of all this is written. A step that fails ends the sequence: the
//! sweep goes on from the ledger.

use afterimage_core::command::Consume;
use afterimage_core::limits::TAG_PACE;

use super::Executor;
use crate::Failure;
use crate::ledger::{LeaseUse, Written};

impl Executor<'_> {
    /// Carries out the steps of a request by tag. Only the ledger ends the decision. A machine
    /// whose tags cannot be changed does not hold up the others; its failure is returned after they
    /// were dealt with.
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
        // A request that leaves no record is answered before its tag is removed: without the tag
        // nothing would be left from which to answer it again.
        let leaves_a_record = consume.record.is_some();
        if !leaves_a_record && !self.answer(consume).await {
            return Ok(());
        }
        if !self.take_off(consume).await || !leaves_a_record || !self.answer(consume).await {
            return Ok(());
        }
        match consume.consumed(self.aws.clock.now()) {
            Some(consumed) => self.record(&consumed).await,
            None => Ok(()),
        }
    }

    async fn take_off(&mut self, consume: &Consume) -> bool {
        let Consume { region, instance, value: Some(value), .. } = consume else { return true };
        let done = self.aws.ec2.take_off(region, instance, value).await;
        self.is_done(done)
    }

    async fn answer(&mut self, consume: &Consume) -> bool {
        let Consume { region, instance, answer: Some(text), .. } = consume else { return true };
        let done = self.aws.ec2.answer(region, instance, text).await;
        self.is_done(done)
    }

    fn is_done(&mut self, done: Result<(), Failure>) -> bool {
        match done {
            Ok(()) => true,
            Err(failure) => {
                self.unanswered.get_or_insert(failure);
                false
            }
        }
    }

    async fn keep_tag_pace(&mut self) {
        let now = self.aws.clock.now();
        if let Some(last) = self.last_tag {
            self.aws.clock.sleep(TAG_PACE.saturating_sub(now.duration_since(last))).await;
        }
        self.last_tag = Some(self.aws.clock.now());
    }
}
