//! Starts the function.

use afterimage_aws::start;
use aws_config::BehaviorVersion;
use instance_tagged::Function;

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "the environment is read here and nowhere else")]
async fn main() -> Result<(), start::Error> {
    let config = aws_config::load_defaults(BehaviorVersion::latest());
    start::main(std::env::vars(), config, instance_tagged::start, Function::handle).await
}
