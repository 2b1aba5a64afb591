//! The keys of the table: every partition, sort key and index is named here.
//!
//! | `pk` | `sk` | item |
//! |---|---|---|
//! | `policies` | `policy#NAME` | a policy |
//! | `policies` | `cursor#POLICY#SCHEDULE#REGION` | the cursor of a schedule in a region: its slots
//! until then are done |
//! | `policies` | `region#REGION` | a region that may have resources of ours |
//! | `policies` | `removed` | the time at which a policy was removed last |
//! | `policies` | `looked` | the time of the last audit of everything with our tag |
//! | `policies` | `brake#REGION` | the losses of a region, and what was made again there in a day |
//! | `policies` | `roster` | the machines that are stopped for their images |
//! | `policies` | `identity#REGION` | the rounds of a region that the ledger has counted |
//! | `policies` | `format` | the number of the format of all items |
//! | `machine#INSTANCE` | `machine` | the summary of a machine |
//! | `machine#INSTANCE` | `point#POINT` | a point |
//! | `machine#INSTANCE` | `asked#POLICY` | the counter of requests under a policy |
//! | `machine#INSTANCE` | `point#POINT#replica#REGION` | a replica |
//! | `machine#INSTANCE` | `point#POINT#downtime` | the downtime of its machine |
//! | `lease#REGION#KIND` | `lease` | the lease of a queue: the worker that has it |
//! | `lease#REGION#KIND` | `obstacles` | what stands in the way of the calls of a queue |
//! | `claim#REGION#KIND` | `claim` | the claim on the next look at a queue |
//! | `hints#REGION` | `stopped#INSTANCE` | a machine that may have stopped, as an event told |
//! | `hints#REGION` | `tagged#INSTANCE` | a machine that may carry a request, as an event told |
//! | `findings` | `finding#REGION#ARTEFACT` | a finding for people to see |
//! | `functions` | `function#NAME` | the heartbeat of a function: its version, and when it wrote |
//! | `functions` | `test` | the answer to the last test event |
//!
//! The table of the witness has one partition, `witness`, with an item for each region (`sk`).
//!
//! The index `due` has the points, replicas and downtimes in a queue and the counters with an open
//! request, and no others. The index `places` has the points and replicas whose artefacts are
//! called good, spread over 16 partitions for each region. The index `fleet` has the summaries,
//! spread over 16 partitions.

use std::collections::HashMap;
use std::fmt;

use afterimage_core::command::{Cursor, Finding};
use afterimage_core::hint::Hint;
use afterimage_core::ids::{InstanceId, PolicyName, Region};
use afterimage_core::slot::PointId;
use afterimage_core::subject::Subject;
use afterimage_core::work::{Kind, Queue};
use aws_sdk_dynamodb::types::AttributeValue;

use super::item::Item;

pub const PK: &str = "pk";
pub const SK: &str = "sk";

/// The index of the records in flight: `queue`, then `due_at`, with `awaits`.
pub const DUE: &str = "due";
pub const QUEUE: &str = "queue";
pub const DUE_AT: &str = "due_at";
pub const AWAITS: &str = "awaits";

/// The index of the artefacts that are called good: `place`, then `artefact`, with what the audit
/// holds against EC2.
pub const PLACES: &str = "places";
pub const PLACE: &str = "place";
pub const ARTEFACT: &str = "artefact";
pub const HOLDS: &str = "holds";

/// The index of all summaries: `fleet`, then `pk`.
pub const FLEET: &str = "fleet";

/// The id of the write that wrote an item: its writer and number.
pub const WRITTEN_BY: &str = "written_by";
pub const VERSION: &str = "version";

pub const POLICIES: &str = "policies";
pub const POLICY: &str = "policy#";
pub const CURSOR: &str = "cursor#";
pub const REGION: &str = "region#";
pub const LOOKED: &str = "looked";
pub const REMOVED: &str = "removed";
pub const ROSTER: &str = "roster";
pub const BRAKE: &str = "brake#";
pub const IDENTITY: &str = "identity#";
pub const FORMAT: &str = "format";
pub const WITNESS: &str = "witness";
pub const POINT: &str = "point#";
const REQUESTS: &str = "asked#";
pub const FINDINGS: &str = "findings";
pub const FUNCTIONS: &str = "functions";
pub const FUNCTION: &str = "function#";
const MACHINE: &str = "machine";
const REPLICA: &str = "#replica#";
const DOWNTIME: &str = "#downtime";

/// The key of an item.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub pk: String,
    pub sk: String,
}

impl Key {
    fn new(pk: impl Into<String>, sk: impl Into<String>) -> Key {
        Key { pk: pk.into(), sk: sk.into() }
    }

    pub fn policy(name: &PolicyName) -> Key {
        Key::new(POLICIES, format!("{POLICY}{name}"))
    }

    pub fn cursor(cursor: &Cursor) -> Key {
        let of_schedule = format!("{}{}", cursors(&cursor.policy), cursor.schedule);
        match &cursor.region {
            Some(region) => Key::new(POLICIES, format!("{of_schedule}#{region}")),
            None => Key::new(POLICIES, of_schedule),
        }
    }

    pub fn region(region: &Region) -> Key {
        Key::new(POLICIES, format!("{REGION}{region}"))
    }

    pub fn removed() -> Key {
        Key::new(POLICIES, REMOVED)
    }

    pub fn looked() -> Key {
        Key::new(POLICIES, LOOKED)
    }

    pub fn roster() -> Key {
        Key::new(POLICIES, ROSTER)
    }

    pub fn brake(region: &Region) -> Key {
        Key::new(POLICIES, format!("{BRAKE}{region}"))
    }

    pub fn identity(region: &Region) -> Key {
        Key::new(POLICIES, format!("{IDENTITY}{region}"))
    }

    pub fn format() -> Key {
        Key::new(POLICIES, FORMAT)
    }

    pub fn machine(instance: &InstanceId) -> Key {
        Key::new(partition(instance), MACHINE)
    }

    pub fn point(point: &PointId) -> Key {
        Key::new(partition(point.instance()), format!("{POINT}{point}"))
    }

    pub fn replica(point: &PointId, region: &Region) -> Key {
        Key::new(partition(point.instance()), format!("{POINT}{point}{REPLICA}{region}"))
    }

    pub fn downtime(point: &PointId) -> Key {
        Key::new(partition(point.instance()), format!("{POINT}{point}{DOWNTIME}"))
    }

    pub fn request_counter(instance: &InstanceId, policy: &PolicyName) -> Key {
        Key::new(partition(instance), format!("{REQUESTS}{policy}"))
    }

    pub fn lease(queue: &Queue) -> Key {
        Key::new(format!("lease#{}#{}", queue.region, queue.kind), "lease")
    }

    pub fn obstacles(queue: &Queue) -> Key {
        Key::new(Key::lease(queue).pk, "obstacles")
    }

    pub fn claim(queue: &Queue) -> Key {
        Key::new(format!("claim#{}#{}", queue.region, queue.kind), "claim")
    }

    pub fn hint(hint: &Hint) -> Key {
        Key::new(hints(&hint.region), format!("{}#{}", hint.hinted.as_str(), hint.instance))
    }

    pub fn finding(finding: &Finding) -> Key {
        Key::found(&finding.region, &finding.artefact)
    }

    /// The key of a finding by its subject.
    pub fn found(region: &Region, artefact: &Subject) -> Key {
        Key::new(FINDINGS, format!("finding#{region}#{artefact}"))
    }

    /// The key of the heartbeat of a function.
    pub fn heartbeat(function: &str) -> Key {
        Key::new(FUNCTIONS, format!("{FUNCTION}{function}"))
    }

    pub fn test_answer() -> Key {
        Key::new(FUNCTIONS, "test")
    }

    /// The key of an item that was read. The table allows no item without one.
    pub fn of(item: &Item) -> Key {
        let text = |name| match item.get(name) {
            Some(AttributeValue::S(text)) => text.as_str(),
            _ => "",
        };
        Key::new(text(PK), text(SK))
    }

    /// The point of a key of a point, a replica or a downtime.
    pub fn point_id(&self) -> Option<PointId> {
        let rest = self.sk.strip_prefix(POINT)?;
        let id = rest.split_once(REPLICA).map_or(rest, |(id, _)| id);
        let id = id.strip_suffix(DOWNTIME).unwrap_or(id);
        PointId::parse(id).ok()
    }

    pub fn is_replica(&self) -> bool {
        self.sk.contains(REPLICA)
    }

    pub fn is_downtime(&self) -> bool {
        self.sk.ends_with(DOWNTIME)
    }

    /// The key as attributes.
    pub fn item(&self) -> Item {
        let text = |text: &String| AttributeValue::S(text.clone());
        HashMap::from([(PK.to_string(), text(&self.pk)), (SK.to_string(), text(&self.sk))])
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} / {}", self.pk, self.sk)
    }
}

/// The partition of a machine, with its summary, points, replicas, downtimes and counters.
pub fn partition(instance: &InstanceId) -> String {
    format!("{MACHINE}#{instance}")
}

/// The prefix of the partitions of machines.
pub fn partition_prefix() -> String {
    format!("{MACHINE}#")
}

/// The prefix of the sort keys of a policy's cursors.
pub fn cursors(policy: &PolicyName) -> String {
    format!("{CURSOR}{policy}#")
}

/// The `queue` attribute of the records in a queue.
pub fn queue(queue: &Queue) -> String {
    format!("{}#{}", queue.kind, queue.region)
}

/// The partition of the hints of a region.
pub fn hints(region: &Region) -> String {
    format!("hints#{region}")
}

/// The `queue` attribute of the counters of a region with an open request: the tag was not seen to
/// go.
pub fn open_requests(region: &Region) -> String {
    format!("{REQUESTS}{region}")
}

/// The keys that a record may have which the index nominates by its point. The index does not tell
/// points and replicas apart in the one queue that has both.
pub fn in_queue(queue: &Queue, point: &PointId) -> Vec<Key> {
    match queue.kind {
        Kind::Snapshot | Kind::Register => vec![Key::point(point)],
        Kind::Copy => vec![Key::replica(point, &queue.region)],
        Kind::Power => vec![Key::downtime(point)],
        Kind::Confirm => vec![Key::point(point), Key::replica(point, &queue.region)],
    }
}

/// The `place` attribute of a record with an artefact in a region. Ids end at random, so that the
/// partitions fill evenly.
pub fn place(region: &Region, artefact: &str) -> String {
    format!("{region}#{}", artefact.chars().next_back().unwrap_or('0'))
}

/// The partitions of the index of artefacts for a region.
pub fn places(region: &Region) -> impl Iterator<Item = String> {
    "0123456789abcdef".chars().map(move |digit| format!("{region}#{digit}"))
}

/// The `fleet` attribute of a summary. Ids end at random, so that the partitions fill evenly.
pub fn fleet(instance: &InstanceId) -> String {
    let last = instance.as_str().chars().next_back().unwrap_or('0');
    format!("{FLEET}#{last}")
}

/// The partitions of the index of summaries.
pub fn fleets() -> impl Iterator<Item = String> {
    "0123456789abcdef".chars().map(|digit| format!("{FLEET}#{digit}"))
}
