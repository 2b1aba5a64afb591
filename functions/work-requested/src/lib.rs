//! There is work in a queue. Its worker goes round until there is nothing left that it could do, or
//! its time is over; then it wakes a successor.

use afterimage_aws::{Aws, Context, Environment, Failure, apply, decode, load, response};
use afterimage_core::flow::work_requested;
use afterimage_core::part::Work;
use afterimage_core::worker::{Move, Worker};
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
    /// AWS did not answer. A later delivery of the event may succeed.
    pub async fn handle(&self, event: Value, context: Context) -> Result<Value, Failure> {
        let event = match decode::work_requested(&event, &self.aws.environment) {
            Ok(event) => event,
            Err(unusable) => return Ok(response::unusable(&unusable)),
        };
        let (queue, aws) = (&event.queue, &self.aws.doing(Work::Queue(event.queue.kind)));
        let mut worker = Worker::new(&event, aws.clock.now(), context.deadline);
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
                Move::Load(nominated) => {
                    let memory = worker.memory();
                    worker.loaded(load::work_requested(aws, queue, &nominated, memory).await?);
                }
                Move::Decide(input) => {
                    let decision = work_requested::decide(input);
                    worker.decided(&decision);
                    let lease = worker.lease();
                    let applied = apply::apply_leased(aws, &context, decision, lease).await?;
                    worker.applied(applied, aws.clock.now());
                }
            }
        }
        if worker.total().out_of_time {
            apply::apply(aws, &context, work_requested::successor(&event)).await?;
        }
        Ok(response::done(worker.total()))
    }
}
