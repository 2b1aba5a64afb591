//! A function as anybody would write one for Lambda: the real runtime, the real SDK, configuration
//! from the environment. The tests let the embedded cloud run it.

use aws_config::BehaviorVersion;
use aws_sdk_ec2::types::Tag;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    #[expect(clippy::disallowed_methods, reason = "a function starts here")]
    let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let ec2 = aws_sdk_ec2::Client::new(&config);
    lambda_runtime::run(service_fn(|event| tag(&ec2, event))).await
}

/// Tags the machine that the event names with the id of the request.
async fn tag(ec2: &aws_sdk_ec2::Client, event: LambdaEvent<Value>) -> Result<Value, Error> {
    let machine = event.payload["machine"].as_str().ok_or("the event names no machine")?;
    let tag = Tag::builder().key("tagged-by").value(&event.context.request_id).build();
    ec2.create_tags().resources(machine).tags(tag).send().await?;
    Ok(json!({ "tagged": machine }))
}
