//! Every minute: the points that schedules ask for.

use afterimage_aws::{Aws, Context, Environment, Failure, apply, decode, load, response};
use afterimage_core::flow::backup_tick;
use afterimage_core::part::Work;
use aws_types::SdkConfig;
use serde_json::Value;

pub struct Function {
    aws: Aws,
}

pub fn start(environment: Environment, config: &SdkConfig) -> Function {
    Function { aws: Aws::start(environment, config).doing(Work::Backup) }
}

impl Function {
    /// Handles one event.
    ///
    /// # Errors
    /// AWS did not answer, or a newer version wrote the ledger. A later delivery may succeed.
    pub async fn handle(&self, event: Value, context: Context) -> Result<Value, Failure> {
        let event = match decode::backup_tick(&event, &self.aws.environment) {
            Ok(event) => event,
            Err(unusable) => return Ok(response::unusable(&unusable)),
        };
        apply::heartbeat(&self.aws, &context).await?;
        let input = load::backup_tick(&self.aws, event, &context).await?;
        let decision = backup_tick::decide(&input);
        let applied = apply::apply(&self.aws, &context, decision).await?;
        Ok(response::done(&applied))
    }
}
