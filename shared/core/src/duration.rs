//! Lengths of time.

use jiff::SignedDuration;

/// A number of seconds as a length of time; the longest there is if it is more than can be counted.
pub fn seconds(count: u64) -> SignedDuration {
    SignedDuration::from_secs(i64::try_from(count).unwrap_or(i64::MAX))
}
