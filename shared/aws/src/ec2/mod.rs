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
use afterimage_core::limits::{COMMAND_PACE, later};
use afterimage_core::part::{self, Bucket, Work};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::Builder;
use aws_sdk_ec2::config::retry::RetryPartition;
use aws_sdk_ec2::config::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use jiff::{SignedDuration, Timestamp};

use crate::clock::Clock;
pub use read::{Find, Machines};

/// The action that starts machines. Its trials spend the same part.
const START_INSTANCES: &str = "StartInstances";

/// The action that makes sets of snapshots. Its trials have a part of their own.
const CREATE_SNAPSHOTS: &str = "CreateSnapshots";

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
    /// The work whose part of what EC2 allows is spent.
    work: Work,
    /// The times of the last calls, by region and action.
    turns: Arc<Mutex<BTreeMap<(Region, &'static str), Timestamp>>>,
}

impl Ec2 {
    /// Creates the client. `stream` is the name that separates this execution environment from all
    /// others. Until it is told another work ([`Ec2::doing`]), it has the part of a command.
    pub fn new(config: &SdkConfig, stream: &str) -> Ec2 {
        Ec2 {
            config: config.clone(),
            stream: stream.to_string(),
            clients: Arc::default(),
            clock: Clock::of(config),
            work: Work::Command,
            turns: Arc::default(),
        }
    }

    /// Returns the client of one kind of work, which shares the connections and the turns.
    #[must_use]
    pub fn doing(&self, work: Work) -> Ec2 {
        Ec2 { work, ..self.clone() }
    }

    /// Waits until the next call of an action may be made, by the part of this work. A work that
    /// has no part of the bucket keeps to that of a command.
    async fn turn(&self, region: &Region, action: &'static str) {
        let part = part::wait(self.work, Bucket::of(action)).unwrap_or(COMMAND_PACE);
        let now = self.clock.now();
        let next = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            let last = turns.get(&(region.clone(), action));
            let next = last.map_or(now, |last| later(*last, part).max(now));
            turns.insert((region.clone(), action), next);
            next
        };
        self.clock.sleep(next.duration_since(now)).await;
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
