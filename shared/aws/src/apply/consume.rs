//! Requests by tag. The change that follows is written, then the tag is removed, then that it went
//! is written, then the machine is answered, and then the end of all this is written. A step that
//! fails ends the sequence: the sweep goes on from the ledger. An answer that EC2 refuses is
//! logged, and the request ends without it.

use afterimage_core::command::{Consume, Explanation};
use afterimage_core::names::TAG_ANSWER;
use afterimage_core::reason::{Code, Reason};

use super::Executor;
use crate::ledger::{LeaseUse, Written};
use crate::{Failure, log};

impl Executor<'_> {
    /// Carries out the steps of a request by tag. Only the ledger ends the decision. A machine
    /// whose tags cannot be changed does not hold up the others; its failure is returned after they
    /// were dealt with.
    pub(super) async fn consume(&mut self, consume: &Consume) -> Result<(), Failure> {
        if let Some(taken) = &consume.taken
            && self.write(taken, LeaseUse::None).await? != Written::Done
        {
            return Ok(());
        }
        // A request that leaves no record is answered before its tag is removed: without the tag
        // nothing would be left from which to answer it again.
        let leaves_a_record = consume.record.is_some();
        if !leaves_a_record && !self.answer(consume).await {
            return Ok(());
        }
        if !self.take_off(consume).await || !leaves_a_record {
            return Ok(());
        }
        // From here on the same tag is another request, whatever becomes of the answer.
        let gone = consume.without_tag(self.aws.clock.now());
        if let Some((change, _)) = &gone {
            self.record(change).await?;
        }
        let consume = gone.as_ref().map_or(consume, |(_, rest)| rest);
        if !self.answer(consume).await {
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
        match self.aws.ec2.answer(region, instance, text).await {
            Ok(None) => true,
            Ok(Some(refusal)) => {
                let text = format!("EC2 refuses the tag `{TAG_ANSWER}`: {refusal}");
                let reason = Reason::new(Code::AnswerRefused, text);
                log::explanation(&Explanation { about: instance.to_string(), reason });
                true
            }
            Err(failure) => self.is_done(Err(failure)),
        }
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
}
