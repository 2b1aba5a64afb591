//! The attributes of a queue.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::Value;

use crate::kernel::error::ApiError;
use crate::kernel::iam::PolicyDocument;

/// The settings of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub visibility: Duration,
    pub retention: Duration,
    pub delay: Duration,
    pub wait: Duration,
    pub message_bytes_max: u64,
    pub managed_encryption: bool,
    /// The policy as it was given; empty if there is none.
    pub policy: String,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            visibility: Duration::from_secs(30),
            retention: Duration::from_secs(4 * 24 * 3600),
            delay: Duration::ZERO,
            wait: Duration::ZERO,
            message_bytes_max: 1_048_576,
            managed_encryption: true,
            policy: String::new(),
        }
    }
}

impl Settings {
    /// Takes over the attributes that a call gives; the policy comes read as well.
    pub fn set(
        &mut self,
        given: &BTreeMap<String, String>,
    ) -> Result<Option<PolicyDocument>, ApiError> {
        for (name, value) in given {
            let seconds = |range| number(name, value, range).map(Duration::from_secs);
            match name.as_str() {
                "VisibilityTimeout" => self.visibility = seconds(0..=43_200)?,
                "MessageRetentionPeriod" => self.retention = seconds(60..=1_209_600)?,
                "DelaySeconds" => self.delay = seconds(0..=900)?,
                "ReceiveMessageWaitTimeSeconds" => self.wait = seconds(0..=20)?,
                "MaximumMessageSize" => {
                    self.message_bytes_max = number(name, value, 1024..=1_048_576)?;
                }
                "SqsManagedSseEnabled" => {
                    self.managed_encryption = value.parse().map_err(|_| invalid(name, value))?;
                }
                "Policy" => self.policy.clone_from(value),
                _ => return Err(unknown(name)),
            }
        }
        self.read_policy()
    }

    fn read_policy(&self) -> Result<Option<PolicyDocument>, ApiError> {
        if self.policy.is_empty() {
            return Ok(None);
        }
        let value: Value =
            serde_json::from_str(&self.policy).map_err(|_| invalid("Policy", &self.policy))?;
        let document = PolicyDocument::parse_resource(&value);
        document.map(Some).map_err(|_| invalid("Policy", &self.policy))
    }

    /// The attributes as a call gets them, without the policy if there is none.
    pub fn to_map(&self) -> BTreeMap<&'static str, String> {
        let mut map = BTreeMap::from([
            ("VisibilityTimeout", self.visibility.as_secs().to_string()),
            ("MessageRetentionPeriod", self.retention.as_secs().to_string()),
            ("DelaySeconds", self.delay.as_secs().to_string()),
            ("ReceiveMessageWaitTimeSeconds", self.wait.as_secs().to_string()),
            ("MaximumMessageSize", self.message_bytes_max.to_string()),
            ("SqsManagedSseEnabled", self.managed_encryption.to_string()),
        ]);
        if !self.policy.is_empty() {
            map.insert("Policy", self.policy.clone());
        }
        map
    }
}

/// Every name that `GetQueueAttributes` takes beside `All`.
pub const READABLE: [&str; 13] = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "CreatedTimestamp",
    "DelaySeconds",
    "LastModifiedTimestamp",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "Policy",
    "QueueArn",
    "ReceiveMessageWaitTimeSeconds",
    "SqsManagedSseEnabled",
    "VisibilityTimeout",
];

pub fn unknown(name: &str) -> ApiError {
    ApiError::bad("InvalidAttributeName", format!("Unknown Attribute {name}."))
}

fn invalid(name: &str, value: &str) -> ApiError {
    let text = format!("Invalid value for the parameter {name}. Value: {value}");
    ApiError::bad("InvalidAttributeValue", text)
}

fn number(name: &str, value: &str, range: RangeInclusive<u64>) -> Result<u64, ApiError> {
    let number: Option<u64> = value.parse().ok();
    number.filter(|number| range.contains(number)).ok_or_else(|| invalid(name, value))
}
