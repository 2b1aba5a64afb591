//! The latest state of each machine: what `status` shows, and what a stop is held against.
//!
//! Written together with the points, so that one read tells what a machine's points would tell one
//! by one. A summary is an excerpt: nothing that could not be read from the points stands in it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{AmiId, InstanceId, PolicyName, Region};
use crate::machine::Grade;
use crate::reason::Reason;
use crate::slot::PointId;
use crate::status::Status;

/// A machine, and how it stands under each policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineSummary {
    pub instance: InstanceId,
    pub home: Region,
    pub name: Option<String>,
    pub latest: BTreeMap<PolicyName, Latest>,
    pub good: BTreeMap<PolicyName, Good>,
}

/// One line of the latest state of a machine, under one policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    pub instance: InstanceId,
    pub home: Region,
    pub name: Option<String>,
    pub policy: PolicyName,
    pub news: News,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The point that was asked for last.
    Latest(Latest),
    /// The newest point that one could recover from.
    Good(Good),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latest {
    pub point: PointId,
    pub requested_at: Timestamp,
    /// The run of the machine whose stop was the occasion, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_of: Option<Timestamp>,
    pub status: Status,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Good {
    pub point: PointId,
    pub taken_at: Timestamp,
    pub grade: Grade,
    pub image: AmiId,
    /// The regions, other than its home, in which it is available.
    pub replicas: Vec<Region>,
    /// How many there are to be.
    pub replicas_wanted: u32,
}
