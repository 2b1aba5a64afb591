//! There is work in a queue. Its worker does all that it can, or wakes a successor in time.

use afterimage_aws::{Aws, Context, Environment, Failure, apply, decode, load, response};
use afterimage_core::worker::{Move, Worker};
use afterimage_core::{flow::work_requested, part::Work};
use aws_types::SdkConfig;
use serde_json::Value;

pub struct Function {
    aws: Aws,
}

pub fn start(environment: Environment, config: &SdkConfig) -> Function {
    Function { aws: Aws::start(environment, config) }
}

impl Function {
    /// Handles one event.
    ///
    /// # Errors
    /// AWS did not answer, or a newer version wrote the ledger. A later delivery may succeed.
    pub async fn handle(&self, event: Value, context: Context) -> Result<Value, Failure> {
        let woken = match decode::work_requested(&event, &self.aws.environment) {
            Ok(woken) => woken,
            Err(unusable) => return Ok(response::unusable(&unusable)),
        };
        apply::heartbeat(&self.aws, &context).await?;
        if let Some(id) = decode::test_of(&event) {
            return Ok(apply::answer_test(&self.aws, id, &context).await);
        }
        let (queue, aws) = (&woken.queue, &self.aws.doing(Work::Queue(woken.queue.kind)));
        let mut worker = Worker::new(&woken, aws.clock.now(), context.deadline);
        loop {
            let now = aws.clock.now();
            match worker.next_move(now) {
                Move::Quit => break,
                Move::Wait(until) => aws.clock.sleep(until.duration_since(now)).await,
                Move::See(sight) => worker.saw(load::sight(aws, queue, sight).await?, now),
                Move::Claim { until, now } => {
                    worker.claimed(until, apply::claim(aws, queue, until, now).await?);
                }
                Move::Lease => worker.leased(apply::lease(aws, queue).await?),
                Move::Follow(hints) => worker.loaded(load::hinted(aws, queue, hints).await?),
                Move::Load(named) => {
                    worker.loaded(load::work_requested(aws, queue, &named, worker.memory()).await?);
                }
                Move::Decide(input) => {
                    let decision = work_requested::decide(input);
                    worker.decided(&decision);
                    let done = apply::apply_leased(aws, &context, decision, worker.lease()).await?;
                    worker.applied(done, aws.clock.now());
                }
            }
        }
        if worker.total().out_of_time {
            apply::apply(aws, &context, work_requested::successor(&woken)).await?;
        }
        Ok(response::done(worker.total()))
    }
}
