//! The two calls that stop and start a machine, each between its intent and its outcome.

use afterimage_core::command::{Change, Decision, Intent, StartInstance, StopInstance};
use afterimage_core::conclude;

use super::Executor;
use crate::Failure;

impl Executor<'_> {
    pub(super) async fn stop_instance(
        &mut self,
        intent: Intent<StopInstance>,
    ) -> Result<Decision, Failure> {
        let Some(written) = self.begin(&intent.queue, intent.change, whole).await? else {
            return Ok(Decision::default());
        };
        let outcome = self.aws.ec2.stop_instance(&intent.call).await;
        self.heed(&outcome);
        Ok(conclude::stopped(&written, outcome, self.aws.clock.now()))
    }

    pub(super) async fn start_instance(
        &mut self,
        intent: Intent<StartInstance>,
    ) -> Result<Decision, Failure> {
        let Some(written) = self.begin(&intent.queue, intent.change, whole).await? else {
            return Ok(Decision::default());
        };
        let outcome = self.aws.ec2.start_instance(&intent.call).await;
        self.heed(&outcome);
        Ok(conclude::started(&written, outcome, self.aws.clock.now()))
    }
}

/// What the outcome means depends on all that was written before the call.
fn whole(change: &Change) -> Option<&Change> {
    Some(change)
}
