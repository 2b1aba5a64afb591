//! Somebody put the tag on a machine that asks for a point of it now: a worker is told.

use afterimage_aws::{Aws, Context, Environment, Failure, apply, decode, load, response};
use afterimage_core::flow::instance_tagged;
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
        let event = match decode::instance_tagged(&event, &self.aws.environment) {
            Ok(event) => event,
            Err(unusable) => return Ok(response::unusable(&unusable)),
        };
        apply::heartbeat(&self.aws, &context).await?;
        let input = load::instance_tagged(event, &context);
        let decision = instance_tagged::decide(&input);
        let applied = apply::apply(&self.aws, &context, decision).await?;
        Ok(response::done(&applied))
    }
}
