//! Calls per second through door one, one after the other on the one thread of a world.

use std::time::{Duration, Instant};

use afterimage_cloud::trace::Recording;
use afterimage_cloud::{Cloud, Config};
use serde_json::{Map, Value, json};

use crate::mix::{HOME, KINDS, Mix};
use crate::spans::per_second;

/// Rounds between two moves of the clock.
const BATCH: usize = 100;
const BATCHES: usize = 40;
const CALLS_OF_A_KIND: usize = 2_000;

pub fn measure() -> Value {
    json!({
        "aim_optimised": 8_000,
        "trace_hashed_only": rate(Recording::HashOnly),
        "trace_kept": rate(Recording::Keep),
        "of_each_call": rate_of_each(),
    })
}

/// A world in which nothing is waited for and nothing refused.
pub fn quick(recording: Recording) -> Config {
    let mut config = Config { recording, ..Config::seeded(1) };
    config.pace.latency_ms = 0..=0;
    config.limits.throttles = false;
    config
}

async fn ready(cloud: &Cloud) -> Mix {
    let mix = Mix::prepare(&cloud.sdk_config(HOME)).await;
    cloud.advance(Duration::from_secs(300)).await;
    batch(cloud, &mix).await;
    mix
}

/// Some rounds, and a while in which the events that they sent arrive: that is work too.
async fn batch(cloud: &Cloud, mix: &Mix) {
    mix.rounds(BATCH).await;
    cloud.advance(Duration::from_secs(10)).await;
}

fn rate(recording: Recording) -> u64 {
    eprintln!("calls in process ({recording:?})");
    Cloud::run(quick(recording), async |cloud| {
        let mix = ready(&cloud).await;
        #[expect(clippy::disallowed_methods, reason = "a measurement takes real time")]
        let begun = Instant::now();
        for _ in 0..BATCHES {
            batch(&cloud, &mix).await;
        }
        per_second(BATCHES * BATCH * KINDS.len(), begun.elapsed())
    })
}

/// Where the time goes: each kind of call by itself.
fn rate_of_each() -> Value {
    Cloud::run(quick(Recording::HashOnly), async |cloud| {
        let mix = ready(&cloud).await;
        let mut rates = Map::new();
        for kind in KINDS {
            #[expect(clippy::disallowed_methods, reason = "a measurement takes real time")]
            let begun = Instant::now();
            for number in 0..CALLS_OF_A_KIND {
                mix.call(kind, number % BATCH).await;
            }
            cloud.advance(Duration::from_secs(10)).await;
            let rate = per_second(CALLS_OF_A_KIND, begun.elapsed());
            rates.insert(format!("{kind:?}"), json!(rate));
        }
        Value::Object(rates)
    })
}
