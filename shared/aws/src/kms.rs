//! The KMS client: reads the state of the keys of disks before a machine is stopped, and of the
//! keys of copies before an image is copied. EC2 accepts the start of a machine whose key cannot be
//! used, and the machine stops again. A trial start does not show that either. EC2 accepts a copy
//! under such a key as well, and the image fails.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use afterimage_core::flow::work_requested::power::{DiskKey, KeyAccess};
use afterimage_core::ids::{AccountId, Region};
use aws_sdk_kms::Client;
use aws_sdk_kms::config::Builder;
use aws_sdk_kms::config::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use jiff::SignedDuration;

use crate::ec2::errors;
use crate::error::Failure;

/// The longest that a call may take, with all its tries. Nothing waits for it but a machine that is
/// still running, or a copy that has not begun.
const TIMEOUT: SignedDuration = SignedDuration::from_secs(15);

#[derive(Clone, Debug)]
pub struct Kms {
    config: SdkConfig,
    account: Option<AccountId>,
    clients: Arc<Mutex<BTreeMap<Region, Client>>>,
}

impl Kms {
    /// Creates the client. `account` is the only account whose keys the role may use; none if that
    /// is left to KMS.
    pub fn new(config: &SdkConfig, account: Option<&AccountId>) -> Kms {
        Kms { config: config.clone(), account: account.cloned(), clients: Arc::default() }
    }

    /// Returns the access of our role to keys, as KMS tells it.
    ///
    /// # Errors
    /// KMS did not answer. That tells nothing about a key.
    pub async fn disk_keys(
        &self,
        region: &Region,
        arns: impl IntoIterator<Item = String>,
    ) -> Result<Vec<DiskKey>, Failure> {
        let mut keys = Vec::new();
        for arn in arns {
            let access = self.access(region, &arn).await?;
            keys.push(DiskKey { arn, access });
        }
        Ok(keys)
    }

    async fn access(&self, region: &Region, arn: &str) -> Result<KeyAccess, Failure> {
        let ours = self.account.as_ref().map(AccountId::as_str);
        let is_foreign = |account| ours.is_some_and(|ours| account != ours);
        if account_of(arn).is_some_and(is_foreign) {
            return Ok(KeyAccess::ForeignAccount);
        }
        match self.client(region).describe_key().key_id(arn).send().await {
            Ok(answer) => {
                let state = answer.key_metadata().and_then(|key| key.key_state());
                let state = state.map_or("of unknown state", |state| state.as_str());
                Ok(KeyAccess::State(state.to_string()))
            }
            Err(error) => match errors::final_code(&error) {
                Some(code) => Ok(KeyAccess::Refused(code.to_string())),
                None => Err(Failure::Ec2 {
                    operation: "DescribeKey",
                    region: region.to_string(),
                    source: Box::new(error),
                }),
            },
        }
    }

    /// Returns the client of a region, which is made when it is first needed.
    fn client(&self, region: &Region) -> Client {
        // A client is inserted whole or not at all: a thread that panicked left nothing half done.
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.entry(region.clone()).or_insert_with(|| self.connect(region)).clone()
    }

    fn connect(&self, region: &Region) -> Client {
        let timeouts = TimeoutConfig::builder().operation_timeout(TIMEOUT.unsigned_abs()).build();
        let config = Builder::from(&self.config)
            .region(aws_types::region::Region::new(region.to_string()))
            .timeout_config(timeouts);
        Client::from_conf(config.build())
    }
}

/// The account in the ARN of a key; none if it is no ARN.
fn account_of(arn: &str) -> Option<&str> {
    arn.starts_with("arn:").then(|| arn.split(':').nth(4)).flatten()
}
