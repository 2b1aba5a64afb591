//! There is work in a queue: its worker goes round until there is nothing left that it could do,
//! or its time is over; then it wakes a successor.

use afterimage_aws::round::Rounds;
use afterimage_aws::{Aws, Context, Environment, Failure, apply, decode, load, response};
use afterimage_core::flow::work_requested;
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
        let (mut rounds, mut known) = (Rounds::default(), load::Known::default());
        while let Some(loaded) =
            load::work_requested(&self.aws, &event, &context, &mut known).await?
        {
            let decision = work_requested::decide(&loaded.input);
            let applied = apply::apply(&self.aws, &context, decision).await?;
            if !rounds.go_on(&self.aws, &context, applied, &loaded).await {
                break;
            }
        }
        if rounds.applied.out_of_time {
            apply::apply(&self.aws, &context, work_requested::successor(&event)).await?;
        }
        Ok(response::done(&rounds.applied))
    }
}
