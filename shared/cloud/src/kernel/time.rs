//! Instants of the virtual clock.
//!
//! Nothing in this crate asks the machine what time it is: every instant comes from the world.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::{Duration, SystemTime};

/// An instant in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// 2026-01-01T00:00:00Z, where a world begins unless it is told otherwise.
    pub const START: Time = Time(1_767_225_600_000);

    pub const fn from_millis(millis: u64) -> Time {
        Time(millis)
    }

    pub const fn from_secs(secs: u64) -> Time {
        Time(secs * 1000)
    }

    pub const fn millis(self) -> u64 {
        self.0
    }

    pub const fn secs(self) -> u64 {
        self.0 / 1000
    }

    /// Seconds with a fraction, as the JSON protocols carry an instant.
    pub fn epoch_secs(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// The time since `earlier`; zero if it is still to come.
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Reads an ISO 8601 instant, with or without a fraction of a second.
    pub fn parse(text: &str) -> Option<Time> {
        let stamp: jiff::Timestamp = text.parse().ok()?;
        u64::try_from(stamp.as_millisecond()).ok().map(Time)
    }

    /// Reads an instant in UTC that is written in the form of `strftime`.
    pub fn parse_as(form: &str, text: &str) -> Option<Time> {
        let there = jiff::civil::DateTime::strptime(form, text).ok()?;
        let stamp = there.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
        u64::try_from(stamp.as_millisecond()).ok().map(Time)
    }

    /// `2026-01-01T00:00:00Z`, as events carry it.
    pub fn to_seconds_text(self) -> String {
        self.stamp().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// `2026-01-01T00:00:00.000Z`, as the EC2 API carries it.
    pub fn to_millis_text(self) -> String {
        self.stamp().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
    }

    pub fn to_system_time(self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.0)
    }

    pub fn stamp(self) -> jiff::Timestamp {
        let millis = i64::try_from(self.0).unwrap_or(i64::MAX);
        jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX)
    }
}

impl Add<Duration> for Time {
    type Output = Time;
    fn add(self, span: Duration) -> Time {
        let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        Time(self.0.saturating_add(millis))
    }
}

impl Sub<Duration> for Time {
    type Output = Time;
    fn sub(self, span: Duration) -> Time {
        let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        Time(self.0.saturating_sub(millis))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_millis_text())
    }
}
