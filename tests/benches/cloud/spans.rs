//! Spans of real time, and what is said of many of them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long each of many repetitions took.
#[derive(Default)]
pub struct Spans {
    all: Vec<Duration>,
}

impl Spans {
    /// Does something `times` times.
    pub fn of(times: usize, mut act: impl FnMut()) -> Spans {
        let mut spans = Spans::default();
        for _ in 0..times {
            #[expect(clippy::disallowed_methods, reason = "a measurement takes real time")]
            let begun = Instant::now();
            act();
            spans.all.push(begun.elapsed());
        }
        spans
    }

    /// The same for something that waits.
    pub async fn of_async(times: usize, mut act: impl AsyncFnMut()) -> Spans {
        let mut spans = Spans::default();
        for _ in 0..times {
            #[expect(clippy::disallowed_methods, reason = "a measurement takes real time")]
            let begun = Instant::now();
            act().await;
            spans.all.push(begun.elapsed());
        }
        spans
    }

    /// Median and worst, in milliseconds.
    pub fn to_json(&self) -> Value {
        let mut sorted = self.all.clone();
        sorted.sort();
        let median = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
        let worst = sorted.last().copied().unwrap_or_default();
        json!({ "median": millis(median), "worst": millis(worst), "of": sorted.len() })
    }
}

/// Milliseconds, to the microsecond.
fn millis(span: Duration) -> f64 {
    (span.as_secs_f64() * 1e6).round() / 1e3
}

/// Seconds, to the hundredth.
pub fn seconds(span: Duration) -> f64 {
    (span.as_secs_f64() * 1e2).round() / 1e2
}

/// How many of `count` go into a second.
pub fn per_second(count: usize, span: Duration) -> u64 {
    let nanos = span.as_nanos().max(1);
    let rate = u128::try_from(count).unwrap_or(u128::MAX).saturating_mul(1_000_000_000) / nanos;
    u64::try_from(rate).unwrap_or(u64::MAX)
}
