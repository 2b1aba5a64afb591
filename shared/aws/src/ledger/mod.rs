//! The ledger: one DynamoDB table, whose keys are named in [`keys`].
//!
//! - Every write of a record is conditional on its version. A lost race is an outcome
//!   ([`Written::Lost`]), not an error. The SDK repeats a write whose response it did not get, and
//!   may then meet its own first write: an item with our own write id is a success.
//! - Reads of items are strongly consistent. An index may lag and only nominates: the items that it
//!   names are read again from the table.
//! - An item that cannot be read is logged with the code `ledger-item-unreadable` and skipped; the
//!   others are read.
//! - Nothing here reads the clock to decide. The caller passes the time.

mod condition;
mod copy;
mod findings;
mod format;
mod heartbeats;
mod hints;
pub mod item;
pub mod keys;
mod lease;
mod places;
mod policies;
mod read;
mod record;
mod request_counters;
mod summary;
mod table;
mod witness;
mod write;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use afterimage_core::limits::LEDGER_CALL_MAX;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Builder;
use aws_sdk_dynamodb::config::retry::RetryPartition;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::error::SdkError;
use aws_types::SdkConfig;
use jiff::{SignedDuration, Timestamp};

use crate::clock::Clock;
use crate::error::Failure;

pub use copy::{Copied, Part};
pub use format::FORMAT;
pub use heartbeats::{Heartbeat, TestAnswer};
pub use lease::{Lease, LeaseUse};
pub use record::key_of;
pub use table::Table;
pub use write::Written;

/// Longest time of one attempt. DynamoDB answers within milliseconds, so a later response is lost.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// Limit of BatchGetItem for one request.
pub const BATCH_MAX: usize = 100;

/// Number of successive batches without any item after which a read fails.
pub const IDLE_BATCHES_MAX: u32 = 8;

/// Largest number of pages of a listing. A page is 1 MB: thousands of records in flight, or
/// hundreds of policies. A listing with more pages is a mistake and never taken for complete.
pub const PAGES_MAX: usize = 1000;

/// Number of tries of a write that conflicts with another. Transactions do not wait for each other.
pub const CONFLICTS_MAX: u32 = 3;

/// First pause before another try; it doubles with each.
pub const PAUSE: SignedDuration = SignedDuration::from_millis(50);

/// Longest of these pauses.
pub const PAUSE_MAX: SignedDuration = SignedDuration::from_secs(2);

/// A client of the ledger.
#[derive(Clone, Debug)]
pub struct Ledger {
    client: Client,
    table: String,
    clock: Clock,
    /// The name of this execution environment.
    stream: String,
    /// The number of writes outside of any [`Writer`]'s work.
    count: Arc<AtomicU64>,
}

/// The writer of one invocation. It numbers its writes, so that each is recognised when a repeated
/// request meets it.
#[derive(Clone, Debug)]
pub struct Writer {
    holder: String,
    count: u64,
}

impl Writer {
    /// A writer whose name no other writer ever has: an event may be delivered again with the same
    /// request id and to the same execution environment.
    pub fn new(holder: String) -> Writer {
        Writer { holder, count: 0 }
    }

    fn next_id(&mut self) -> String {
        self.count += 1;
        format!("{}/{}", self.holder, self.count)
    }
}

impl Ledger {
    /// A client of this table. It has a retry budget of its own: one for the whole process would
    /// let a service in trouble spend the retries of the others.
    pub fn new(config: &SdkConfig, table: &str, stream: &str) -> Ledger {
        let region = config.region().map(ToString::to_string).unwrap_or_default();
        let partition = format!("{stream} dynamodb {region}");
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(LEDGER_CALL_MAX.unsigned_abs())
            .build();
        let builder = Builder::from(config)
            .retry_partition(RetryPartition::custom(partition).build())
            .timeout_config(timeouts);
        Ledger {
            client: Client::from_conf(builder.build()),
            table: table.to_string(),
            clock: Clock::of(config),
            stream: stream.to_string(),
            count: Arc::new(AtomicU64::new(0)),
        }
    }

    /// The id of a write outside of any [`Writer`]'s work.
    fn own_id(&self, now: Timestamp) -> String {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        format!("{}/{}/own/{count}", self.stream, now.as_millisecond())
    }

    /// The failure of a read.
    fn read_failed(&self, source: impl Into<Source>) -> Failure {
        Failure::Ledger { table: self.table.clone(), done: "read", source: source.into() }
    }

    /// The failure of a write.
    fn write_failed(&self, source: impl Into<Source>) -> Failure {
        Failure::Ledger { table: self.table.clone(), done: "written", source: source.into() }
    }

    /// Waits before the nth repeated try.
    async fn pause(&self, nth: u32) {
        let doubled = 1_i32.checked_shl(nth.saturating_sub(1)).unwrap_or(i32::MAX).max(1);
        self.clock.sleep(PAUSE.saturating_mul(doubled).min(PAUSE_MAX)).await;
    }
}

type Source = Box<dyn std::error::Error + Send + Sync>;

/// The error that the service returned, without the SDK's wrapping.
fn service_error<E>(error: &SdkError<E>) -> Option<&E> {
    match error {
        SdkError::ServiceError(context) => Some(context.err()),
        _ => None,
    }
}
