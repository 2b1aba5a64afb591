//! EC2, as far as we need it: what is there, the four calls that make something, and the one that
//! puts right what it says of itself.
//!
//! What is read is read to its last page. What is made is made at most once by a call: EC2 has no
//! token for CreateSnapshots, CreateImage and RegisterImage, and the SDK by itself would send them
//! again after an error that came too late.

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

pub use read::{Find, Machines};

/// The longest that one try of a call that reads may take: a full page of instances comes within
/// seconds.
pub const READ_TRY_TIMEOUT: SignedDuration = SignedDuration::from_secs(30);

/// The longest that a page may take, with all its tries.
pub const READ_TIMEOUT: SignedDuration = SignedDuration::from_secs(60);

#[derive(Clone, Debug)]
pub struct Ec2 {
    config: SdkConfig,
    /// Tells the retries of this execution environment from those of all others.
    stream: String,
    clients: Arc<Mutex<BTreeMap<Region, Client>>>,
}

impl Ec2 {
    /// `stream` is what tells this execution environment from all others.
    pub fn new(config: &SdkConfig, stream: &str) -> Ec2 {
        Ec2 { config: config.clone(), stream: stream.to_string(), clients: Arc::default() }
    }

    /// The client of a region, made when it is first wanted.
    fn client(&self, region: &Region) -> Client {
        // A client is put there whole or not at all: one that panicked left nothing half done.
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.entry(region.clone()).or_insert_with(|| self.connect(region)).clone()
    }

    fn connect(&self, region: &Region) -> Client {
        // The budget for retries is the process's unless a client has one of its own; and a region
        // in trouble must not spend that of the others.
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
