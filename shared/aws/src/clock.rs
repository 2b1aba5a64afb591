//! The clock and the timer of the SDK's configuration. In the embedded cloud both are the cloud's.

use std::time::{Duration, UNIX_EPOCH};

use aws_smithy_async::rt::sleep::{AsyncSleep, SharedAsyncSleep};
use aws_smithy_async::time::SharedTimeSource;
use aws_types::SdkConfig;
use jiff::{SignedDuration, Timestamp};

/// The source of the time, and the way to wait.
#[derive(Clone, Debug)]
pub struct Clock {
    time: SharedTimeSource,
    sleep: Option<SharedAsyncSleep>,
}

impl Clock {
    /// The clock of a configuration.
    pub fn of(config: &SdkConfig) -> Clock {
        let time = config.time_source().unwrap_or_default();
        Clock { time, sleep: config.sleep_impl() }
    }

    /// The current time in milliseconds.
    pub fn now(&self) -> Timestamp {
        let since = self.time.now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let millis = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX)
    }

    /// Waits for this time, or not at all if it is negative.
    pub async fn sleep(&self, time: SignedDuration) {
        let time = Duration::try_from(time).unwrap_or_default();
        if let (Some(sleep), false) = (&self.sleep, time.is_zero()) {
            sleep.sleep(time).await;
        }
    }
}
