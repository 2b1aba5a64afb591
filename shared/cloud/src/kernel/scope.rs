//! Accounts, regions, environments and invokers: names that several services share.

use std::sync::Arc;

/// The account of everybody who was not declared.
pub const DEFAULT_ACCOUNT: &str = "123456789012";

/// One account in one region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    pub account: Arc<str>,
    pub region: Arc<str>,
}

impl Scope {
    pub fn new(account: &str, region: &str) -> Scope {
        Scope { account: account.into(), region: region.into() }
    }

    /// The same account elsewhere.
    pub fn in_region(&self, region: &str) -> Scope {
        Scope { account: self.account.clone(), region: region.into() }
    }

    /// Another account in the same region.
    pub fn in_account(&self, account: &str) -> Scope {
        Scope { account: account.into(), region: self.region.clone() }
    }
}

/// One execution environment of one Lambda function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnvironmentId(pub u64);

/// A service that acts on behalf of a resource: EventBridge for a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoker {
    /// `events.amazonaws.com`.
    pub service: String,
    /// The ARN of the rule, which `aws:SourceArn` of the other side's policy is compared with.
    pub source_arn: String,
}
