//! Keys, their aliases and grants, as KMS remembers them.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::kernel::access::Tags;
use crate::kernel::iam::PolicyDocument;
use crate::kernel::time::Time;

/// The keys of one account in one region.
#[derive(Debug, Default)]
pub struct Region {
    pub(super) keys: BTreeMap<String, Key>,
    /// By the name with `alias/`.
    pub(super) aliases: BTreeMap<String, Alias>,
}

#[derive(Debug)]
pub(super) struct Key {
    pub(super) state: State,
    pub(super) created_at: Time,
    pub(super) description: String,
    /// AWS made it, for the service of that name.
    pub(super) service: Option<String>,
    /// Its material is to be imported, which nobody can do here.
    pub(super) external: bool,
    pub(super) policy: String,
    pub(super) document: PolicyDocument,
    pub(super) tags: Tags,
    pub(super) grants: BTreeMap<String, Grant>,
    pub(super) material_id: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Enabled,
    Disabled,
    /// The key goes at that time.
    PendingDeletion(Time),
    PendingImport,
}

#[derive(Debug)]
pub(super) struct Alias {
    pub(super) key_id: String,
    pub(super) created_at: Time,
    pub(super) updated_at: Time,
}

/// Leave for one principal to use a key.
#[derive(Clone, Debug)]
pub struct Grant {
    pub created_at: Time,
    pub name: Option<String>,
    pub grantee: String,
    pub retiring: Option<String>,
    pub issuing_account: String,
    pub operations: Vec<String>,
    pub constraints: Option<Value>,
}
