//! Callers, roles, and what a call asks to be allowed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::kernel::arn;
use crate::kernel::error::{ApiError, Kind};
use crate::kernel::iam::{Ask, Keys, PolicyDocument, PolicyError};
use crate::kernel::scope::{DEFAULT_ACCOUNT, EnvironmentId, Scope};
use crate::kernel::service::Service;

/// Tags of a resource or a request.
pub type Tags = BTreeMap<String, String>;

/// The holder of an access key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub account: Arc<str>,
    pub arn: String,
    /// The role whose policies bind; nobody's policies bind an administrator.
    pub role: Option<String>,
    /// The Lambda execution environment that holds the key.
    pub environment: Option<EnvironmentId>,
}

impl Identity {
    pub fn administrator(account: &str) -> Identity {
        let arn = format!("arn:aws:iam::{account}:user/administrator");
        Identity { account: account.into(), arn, role: None, environment: None }
    }
}

/// How a caller in process reaches the world, and how it reads the time.
#[derive(Clone, Debug)]
pub struct Caller {
    pub access_key: String,
    pub region: String,
    /// How far the caller's clock is ahead of the world's, in milliseconds; it may be behind.
    pub clock_skew_ms: i64,
}

/// A role: what it may do, and who may assume it.
#[derive(Clone, Debug, Default)]
pub struct Role {
    pub policies: Vec<PolicyDocument>,
    pub trust: Option<PolicyDocument>,
}

/// The access keys and roles that were declared.
#[derive(Debug, Default)]
pub struct Principals {
    keys: BTreeMap<String, Identity>,
    /// Keys whose holder is gone: nobody's, never again.
    retired: BTreeSet<String>,
    /// By ARN.
    pub roles: BTreeMap<String, Role>,
}

impl Principals {
    pub fn declare_key(&mut self, access_key: &str, identity: Identity) {
        self.keys.insert(access_key.to_string(), identity);
    }

    /// Whoever held the key is gone, and calls with it are refused from now on.
    pub fn retire_key(&mut self, access_key: &str) {
        self.keys.remove(access_key);
        self.retired.insert(access_key.to_string());
    }

    pub fn is_retired(&self, access_key: &str) -> bool {
        self.retired.contains(access_key)
    }

    /// Declares a role with its identity policies and its trust policy, or replaces it.
    ///
    /// # Errors
    /// Says where a policy is not one that IAM would take.
    pub fn declare_role(
        &mut self,
        arn: &str,
        policies: &[Value],
        trust: Option<&Value>,
    ) -> Result<(), PolicyError> {
        let policies = policies.iter().map(PolicyDocument::parse_identity);
        let policies = policies.collect::<Result<_, _>>()?;
        let trust = trust.map(PolicyDocument::parse_resource).transpose()?;
        self.roles.insert(arn.to_string(), Role { policies, trust });
        Ok(())
    }

    /// A key that was not declared is the administrator of the default account.
    pub fn identity(&self, access_key: &str) -> Identity {
        let declared = self.keys.get(access_key).cloned();
        declared.unwrap_or_else(|| Identity::administrator(DEFAULT_ACCOUNT))
    }
}

/// One thing that a call wants to do to one resource; each is authorised by itself.
#[derive(Clone, Debug)]
pub struct Want {
    pub action: String,
    pub resource: String,
    /// Condition keys with their values, beside those that every call has.
    pub keys: Vec<(String, String)>,
}

impl Want {
    pub fn new(action: &str, resource: impl Into<String>) -> Want {
        Want { action: action.to_string(), resource: resource.into(), keys: Vec::new() }
    }

    /// An action that knows no resources, as all Describe actions of EC2.
    pub fn anywhere(action: &str) -> Want {
        Want::new(action, "*")
    }

    /// The question as IAM knows it.
    pub fn to_ask(&self) -> Ask {
        let mut keys = Keys::new();
        for (name, value) in &self.keys {
            keys.insert(name, value.as_str());
        }
        Ask { action: self.action.clone(), resource: self.resource.clone(), keys }
    }

    pub fn key(mut self, name: &str, value: impl Into<String>) -> Want {
        self.keys.push((name.to_string(), value.into()));
        self
    }

    /// The tags that the resource has.
    pub fn resource_tags(mut self, tags: &Tags) -> Want {
        for (key, value) in tags {
            self = self.key(&format!("aws:ResourceTag/{key}"), value.as_str());
            self = self.key(&format!("ec2:ResourceTag/{key}"), value.as_str());
        }
        self
    }

    /// The tags that the request gives.
    pub fn request_tags(mut self, tags: &Tags) -> Want {
        for (key, value) in tags {
            self = self.key(&format!("aws:RequestTag/{key}"), value.as_str());
            self = self.key("aws:TagKeys", key.as_str());
        }
        self
    }
}

/// A call that has been decoded as far as all services have it in common.
#[derive(Clone, Debug)]
pub struct Call {
    pub scope: Scope,
    pub service: Service,
    pub action: String,
    pub caller: Identity,
    pub request_id: String,
    /// EC2 only: the caller asks whether it might, and nothing is to happen.
    pub dry_run: bool,
}

impl Call {
    /// The error for an operation that is not modelled.
    pub fn unknown_operation(&self) -> ApiError {
        let text = format!("{}:{} is not modelled here", self.service.name, self.action);
        ApiError::bad(self.service.unknown, text)
    }

    /// The ARN of an EC2 resource; images and snapshots carry no account in theirs.
    pub fn arn(&self, kind: Kind, id: &str) -> String {
        arn::of_ec2(&self.scope, kind, id)
    }

    /// The creation of tags that come in a create call: an action of its own.
    pub fn tag_on_create(&self, kind: Kind, tags: &Tags) -> Option<Want> {
        if tags.is_empty() {
            return None;
        }
        let want = Want::new("ec2:CreateTags", self.arn(kind, "*"));
        Some(want.key("ec2:CreateAction", self.action.as_str()).request_tags(tags))
    }
}
