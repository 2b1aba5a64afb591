//! The ledger: one DynamoDB table, whose keys are named in [`keys`].
//!
//! - Every write of a record is conditional on its version; a lost race is an outcome
//!   ([`Written::Lost`]), not an error. The SDK repeats a write whose answer it did not get, and
//!   then meets what it wrote itself: an item that carries our own write id is a success.
//! - Reads of items are strongly consistent. An index may lag and only nominates: what it names is
//!   read again from the table.
//! - An item that cannot be read stops nothing but itself: it is logged, under the code
//!   `ledger-item-unreadable`, and the others go on.
//! - Nothing here reads the clock to decide: what time it is, the caller says.

mod condition;
mod findings;
pub mod item;
pub mod keys;
mod lease;
mod policies;
mod read;
mod record;
mod request_counters;
mod summary;
mod write;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Builder;
use aws_sdk_dynamodb::config::retry::RetryPartition;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::error::SdkError;
use aws_types::SdkConfig;
use jiff::{SignedDuration, Timestamp};

use crate::clock::Clock;
use crate::error::Failure;

pub use lease::{Lease, LeaseUse};
pub use write::Written;

/// DynamoDB answers within milliseconds: what takes so long is lost, and is sent again.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// A call with all its attempts: less than a function keeps for winding up.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(28);

/// What BatchGetItem takes.
pub const BATCH_MAX: usize = 100;

/// So often in a row may a batch bring nothing at all before reading is given up.
pub const IDLE_BATCHES_MAX: u32 = 8;

/// A page is 1 MB, which is thousands of what is in flight and hundreds of policies. A listing of
/// more pages is a mistake; it is never taken for complete.
pub const PAGES_MAX: usize = 1000;

/// So often is a write tried that another one is in the way of: transactions do not wait for each
/// other.
pub const CONFLICTS_MAX: u32 = 3;

/// The first pause before something is tried again; it doubles with each.
pub const PAUSE: SignedDuration = SignedDuration::from_millis(50);

/// The longest of these pauses.
pub const PAUSE_MAX: SignedDuration = SignedDuration::from_secs(2);

#[derive(Clone, Debug)]
pub struct Ledger {
    client: Client,
    table: String,
    clock: Clock,
    /// Tells this execution environment from all others.
    stream: String,
    /// Counts the writes that no [`Writer`] counts.
    count: Arc<AtomicU64>,
}

/// Who writes: one for each invocation. It numbers its writes, so that each can be told from all
/// others when it is met again.
#[derive(Clone, Debug)]
pub struct Writer {
    holder: String,
    count: u64,
}

impl Writer {
    /// No two writers ever have the same name: an event may be delivered again, under the same
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
    /// The budget for retries would be the process's, unless each client had its own: then a test
    /// or a service in trouble would spend what others need.
    pub fn new(config: &SdkConfig, table: &str, stream: &str) -> Ledger {
        let region = config.region().map(ToString::to_string).unwrap_or_default();
        let partition = format!("{stream} dynamodb {region}");
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(CALL_TIMEOUT)
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

    /// The id of a write that is made outside of any [`Writer`]'s work.
    fn own_id(&self, now: Timestamp) -> String {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        format!("{}/{}/own/{count}", self.stream, now.as_millisecond())
    }

    fn unread(&self, source: impl Into<Source>) -> Failure {
        Failure::Ledger { table: self.table.clone(), done: "read", source: source.into() }
    }

    fn unwritten(&self, source: impl Into<Source>) -> Failure {
        Failure::Ledger { table: self.table.clone(), done: "written", source: source.into() }
    }

    /// The pause before something is tried for the nth time again.
    async fn pause(&self, nth: u32) {
        let doubled = 1_i32.checked_shl(nth.saturating_sub(1)).unwrap_or(i32::MAX).max(1);
        self.clock.sleep(PAUSE.saturating_mul(doubled).min(PAUSE_MAX)).await;
    }
}

type Source = Box<dyn std::error::Error + Send + Sync>;

/// What the service said, out of what the SDK wraps it in.
fn said<E>(error: &SdkError<E>) -> Option<&E> {
    match error {
        SdkError::ServiceError(context) => Some(context.err()),
        _ => None,
    }
}
