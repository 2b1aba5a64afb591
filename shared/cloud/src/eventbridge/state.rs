//! Buses, rules and targets, as EventBridge remembers them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::input::Input;
use super::pattern::Pattern;
use super::schedule::Schedule;
use crate::kernel::iam::PolicyDocument;
use crate::kernel::scope::Scope;
use crate::kernel::time::Time;

/// The buses of one account in one region.
#[derive(Debug)]
pub struct Region {
    pub(super) buses: BTreeMap<String, Bus>,
    /// Counts the changes of rules, so that what was planned for a rule before its last change can
    /// be told from what is planned for it now.
    pub(super) generations: u64,
}

#[derive(Debug)]
pub(super) struct Bus {
    pub(super) created: Time,
    pub(super) modified: Time,
    pub(super) description: Option<String>,
    /// As it is shown, and read; nothing if nobody was ever admitted.
    pub(super) policy: Option<(Value, PolicyDocument)>,
    pub(super) rules: BTreeMap<String, Rule>,
}

#[derive(Debug)]
pub(super) struct Rule {
    pub(super) arn: String,
    /// As it was given, and read.
    pub(super) pattern: Option<(String, Pattern)>,
    pub(super) schedule: Option<(String, Schedule)>,
    pub(super) enabled: bool,
    pub(super) description: Option<String>,
    pub(super) role_arn: Option<String>,
    pub(super) targets: BTreeMap<String, Target>,
    pub(super) generation: u64,
    /// When the schedule was put or enabled last: rates count from here.
    pub(super) anchor: Time,
}

/// Where a rule sends what it matched.
#[derive(Clone, Debug)]
pub struct Target {
    pub arn: String,
    pub kind: Kind,
    /// Only targets that are buses have one.
    pub role_arn: String,
    pub input: Input,
    pub dead_letters: Option<String>,
    pub retries_max: u32,
    pub age_max: Duration,
    /// The target as it was given.
    pub(super) given: Value,
}

/// What a target is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Function,
    Queue,
    Bus { scope: Scope, name: String },
}
