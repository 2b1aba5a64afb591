//! Calls per second through door two: the SDK with the HTTP client that it has by default.

use std::time::{Duration, Instant};

use afterimage_cloud::door::port::{Options, Server};
use afterimage_cloud::trace::Recording;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_ec2::config::BehaviorVersion;
use aws_types::SdkConfig;
use aws_types::region::Region;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::in_process::quick;
use crate::mix::{HOME, KINDS, Mix};
use crate::spans::per_second;

const WARM_UP_ROUNDS: usize = 100;
const ROUNDS: usize = 1_000;
const AT_A_TIME: usize = 8;

/// Serves a world whose clock moves on demand only.
pub fn serve() -> Server {
    let listen = ([127, 0, 0, 1], 0).into();
    let config = quick(Recording::HashOnly);
    Server::start(Options { listen, speed: 0, config }).expect("a free port can be had")
}

pub fn measure() -> Value {
    eprintln!("calls over the port");
    let server = serve();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime can be built");
    runtime.block_on(async {
        let mix = Mix::prepare(&sdk_config(&server.url())).await;
        let passed = server.world().advance(Duration::from_secs(300)).await;
        passed.expect("the world lives");
        mix.rounds(WARM_UP_ROUNDS).await;
        json!({
            "one_at_a_time": one_at_a_time(&mix).await,
            "eight_at_a_time": many_at_a_time(&mix).await,
        })
    })
}

fn sdk_config(url: &str) -> SdkConfig {
    let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", "not-verified", None, None, "bench");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(HOME))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(url)
        .build()
}

async fn one_at_a_time(mix: &Mix) -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a measurement takes real time")]
    let begun = Instant::now();
    mix.rounds(ROUNDS).await;
    per_second(ROUNDS * KINDS.len(), begun.elapsed())
}

async fn many_at_a_time(mix: &Mix) -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a measurement takes real time")]
    let begun = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..AT_A_TIME {
        let mix = mix.clone();
        callers.spawn(async move { mix.rounds(ROUNDS / AT_A_TIME).await });
    }
    callers.join_all().await;
    per_second(ROUNDS / AT_A_TIME * AT_A_TIME * KINDS.len(), begun.elapsed())
}
