//! Starts the function.

use afterimage_aws::{Clock, Environment, log, start};
use aws_config::BehaviorVersion;

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "the environment is read here and nowhere else")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let variables = std::env::vars().collect();
    log::start(&variables);
    let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let environment = Environment::read(&variables).inspect_err(log::failure)?;
    let function = instance_tagged::start(environment, &config);
    start::run(Clock::of(&config), |event, context| function.handle(event, context)).await
}
