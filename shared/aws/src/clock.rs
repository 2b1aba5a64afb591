//! The time, and waiting, as the SDK has them: so that in the embedded cloud both are its own.

use std::time::{Duration, UNIX_EPOCH};

use aws_smithy_async::rt::sleep::{AsyncSleep, SharedAsyncSleep};
use aws_smithy_async::time::SharedTimeSource;
use aws_types::SdkConfig;
use jiff::{SignedDuration, Timestamp};

#[derive(Clone, Debug)]
pub struct Clock {
    time: SharedTimeSource,
    sleep: Option<SharedAsyncSleep>,
}

impl Clock {
    pub fn of(config: &SdkConfig) -> Clock {
        let time = config.time_source().unwrap_or_default();
        Clock { time, sleep: config.sleep_impl() }
    }

    /// The present moment, to the millisecond.
    pub fn now(&self) -> Timestamp {
        let since = self.time.now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let millis = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX)
    }

    /// Waits. Less than nothing is no wait at all.
    pub async fn sleep(&self, time: SignedDuration) {
        let time = Duration::try_from(time).unwrap_or_default();
        if let (Some(sleep), false) = (&self.sleep, time.is_zero()) {
            sleep.sleep(time).await;
        }
    }
}
