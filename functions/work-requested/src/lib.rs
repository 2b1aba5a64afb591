//! There is work in a queue. Its worker goes round until there is nothing left that it could do, or
//! its time is over; then it wakes a successor.

use afterimage_aws::{Aws, Context, Environment, Failure, apply, decode, response, worker_loop};
use afterimage_core::flow::work_requested;
use afterimage_core::worker::Worker;
use aws_types::SdkConfig;
use serde_json::Value;

pub struct Function {
    aws: Aws,
}

pub fn start(environment: Environment, config: &SdkConfig) -> Function {
    Function { aws: Aws::start(environment, config) }
}

impl Function {
    /// One event.
    ///
    /// # Errors
    /// AWS did not answer; the same event may fare better later.
    pub async fn handle(&self, event: Value, context: Context) -> Result<Value, Failure> {
        let event = match decode::work_requested(&event, &self.aws.environment) {
            Ok(event) => event,
            Err(unusable) => return Ok(response::unusable(&unusable)),
        };
        let mut worker = Worker::new(&event, self.aws.clock.now(), context.deadline);
        while let Some(input) = worker_loop::next_input(&self.aws, &mut worker).await? {
            let decision = work_requested::decide(&input);
            let applied = apply::apply(&self.aws, &context, decision).await?;
            worker.applied(applied, self.aws.clock.now());
        }
        if worker.total().out_of_time {
            apply::apply(&self.aws, &context, work_requested::successor(&event)).await?;
        }
        Ok(response::done(worker.total()))
    }
}
