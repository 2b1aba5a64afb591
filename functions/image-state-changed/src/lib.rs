//! An image is available, or failed: the worker that confirms images is woken.

use afterimage_aws::{Aws, Context, Environment, Failure, apply, decode, load, response};
use afterimage_core::flow::image_state_changed;
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
        let event = match decode::image_state_changed(&event, &self.aws.environment) {
            Ok(event) => event,
            Err(unusable) => return Ok(response::unusable(&unusable)),
        };
        apply::heartbeat(&self.aws, &context).await?;
        let input = load::image_state_changed(&self.aws, event, &context).await?;
        let decision = image_state_changed::decide(&input);
        let applied = apply::apply(&self.aws, &context, decision).await?;
        Ok(response::done(&applied))
    }
}
