//! The EC2 client: reads of what exists, the calls that create or change something, and the
//! correction of tags.
//!
//! Every listing is read to its last page. Every call that creates makes at most one thing. EC2 has
//! no token for CreateSnapshots, CreateImage and RegisterImage, and the SDK by itself would send
//! them again after an error that came too late.

mod call;
pub mod errors;
mod read;
mod tag;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use afterimage_core::ids::Region;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::Builder;
use aws_sdk_ec2::config::retry::RetryPartition;
use aws_sdk_ec2::config::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use jiff::SignedDuration;

use crate::clock::Clock;
pub use read::{Find, Machines};

/// The longest that one try of a call that reads may take. A full page of instances comes within
/// seconds.
pub const READ_TRY_TIMEOUT: SignedDuration = SignedDuration::from_secs(30);

/// The longest that one page may take, with all its tries.
pub const READ_TIMEOUT: SignedDuration = SignedDuration::from_secs(60);

#[derive(Clone, Debug)]
pub struct Ec2 {
    config: SdkConfig,
    /// Name that separates the retries of this execution environment from those of all others.
    stream: String,
    clients: Arc<Mutex<BTreeMap<Region, Client>>>,
    clock: Clock,
}

impl Ec2 {
    /// Creates the client. `stream` is the name that separates this execution environment from all
    /// others.
    pub fn new(config: &SdkConfig, stream: &str) -> Ec2 {
        let (config, clock) = (config.clone(), Clock::of(config));
        Ec2 { config, stream: stream.to_string(), clients: Arc::default(), clock }
    }

    /// Returns the client of a region, which is made when it is first needed.
    fn client(&self, region: &Region) -> Client {
        // A client is inserted whole or not at all: a thread that panicked left nothing half done.
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.entry(region.clone()).or_insert_with(|| self.connect(region)).clone()
    }

    fn connect(&self, region: &Region) -> Client {
        // The budget for retries is the process's unless a client has one of its own. A region in
        // trouble must not spend that of the others.
        let partition = RetryPartition::custom(format!("{} {region}", self.stream)).build();
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(READ_TRY_TIMEOUT.unsigned_abs())
            .operation_timeout(READ_TIMEOUT.unsigned_abs())
            .build();
        let config = Builder::from(&self.config)
            .region(aws_types::region::Region::new(region.to_string()))
            .retry_partition(partition)
            .timeout_config(timeouts);
        Client::from_conf(config.build())
    }
}
