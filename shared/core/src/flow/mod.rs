//! Flows: one file per function, and in it what the function knows (`Input`) and what it makes of
//! that (`decide`).

pub mod artefact_audit;
pub mod backup_tick;
mod by_region;
pub mod came_back;
pub mod cancel;
pub mod coverage;
pub mod explain;
mod families;
pub mod gaps;
mod gaps_filled;
pub mod heal;
pub mod held;
pub mod image_state_changed;
pub mod instance_state_changed;
pub mod instance_tagged;
pub mod nothing_waits;
pub mod on_demand;
pub mod reconcile_tick;
mod request;
mod restored_surplus;
pub mod snapshots_completed;
pub mod stands_still;
pub mod stop;
pub mod tag_gone;
pub mod taken_up;
pub mod unread_keys;
pub mod unread_regions;
pub mod unwatched;
pub mod waiting;
pub mod wanted;
pub mod wanted_again;
pub mod went_back;
pub mod work_requested;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::brake::Brake;
use crate::command::{Cursor, Decision};
use crate::downtime::Roster;
use crate::ids::{AmiId, InstanceId, PolicyName, Region, ResourceId, SnapshotId};
use crate::machine::State;
use crate::observed::ImageState;
use crate::policy::{Consistency, Policy};
use crate::reason::{Code, Reason};
use crate::slot::PointId;
use crate::still::AllStill;
use crate::unaudited::{AllUnaudited, AllUnreadKeys};
use crate::witness::Identity;
use crate::work::{Kind, Queue};

/// Policies that are in force, and their state: one read of the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InForce {
    pub policies: Vec<Policy>,
    /// The time at which each policy was applied last.
    pub applied_at: BTreeMap<PolicyName, Timestamp>,
    /// The time at which a policy was removed last.
    pub removed_at: Option<Timestamp>,
    pub cursors: Vec<Cursor>,
    /// Every region in which there may be something of ours: those of all policies that were ever
    /// applied.
    pub regions: Vec<Region>,
    /// Time of the last audit of everything that carries our tag.
    pub looked_at: Option<Timestamp>,
    /// The regions that this audit could not read.
    pub unaudited: AllUnaudited,
    /// The keys of which nothing was known at this audit.
    pub unread_keys: AllUnreadKeys,
    /// The regions in which this audit found work at which nobody was.
    pub still: AllStill,
    /// The machines that are down by our doing.
    pub roster: Roster,
    /// The regions that have lost images of late, and what was made again there.
    pub brakes: BTreeMap<Region, Brake>,
    /// The rounds that the ledger has counted, by region.
    pub identities: BTreeMap<Region, Identity>,
    /// Policies that are there and cannot be read; the others go on.
    pub unreadable: Vec<Unreadable>,
}

/// A policy in the ledger that is not one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    pub name: String,
    pub why: String,
}

/// The others go on, but whoever wrote them wants to know that these do not.
fn say_unreadable(decision: &mut Decision, unreadable: &[Unreadable]) {
    for policy in unreadable {
        decision.say(&policy.name, Reason::new(Code::PolicyUnreadable, &policy.why));
    }
}

impl InForce {
    /// Tells whether nothing was ever in force: the ledger is new, another table than before, or
    /// was emptied.
    pub fn is_untouched(&self) -> bool {
        self.policies.is_empty() && self.unreadable.is_empty() && self.regions.is_empty()
    }

    /// The queues in which policies that are in force can have put something. What is still in
    /// flight of a policy that was removed, or is no longer about a region, may stand anywhere.
    pub fn queues(&self) -> BTreeSet<Queue> {
        let mut queues = BTreeSet::new();
        let mut add = |region: &Region, kinds: [Kind; 2]| {
            queues.extend(kinds.map(|kind| Queue { region: region.clone(), kind }));
        };
        for policy in &self.policies {
            for home in &policy.select.regions {
                add(home, [Kind::Snapshot, Kind::Register]);
                // The image at home.
                add(home, [Kind::Register, Kind::Confirm]);
                if policy.consistency == Consistency::StopStart {
                    add(home, [Kind::Snapshot, Kind::Power]);
                }
            }
            for replica in &policy.replicate {
                add(&replica.region, [Kind::Copy, Kind::Confirm]);
            }
        }
        // Whatever became of their policies, these are to be started again.
        let down = self.roster.places.values().map(|held| held.region.clone());
        queues.extend(down.map(|region| Queue { region, kind: Kind::Power }));
        queues
    }

    /// Lists every queue that there can be.
    pub fn all_queues(&self) -> BTreeSet<Queue> {
        let of = |region: &Region| Kind::ALL.map(|kind| Queue { region: region.clone(), kind });
        self.regions.iter().flat_map(of).chain(self.queues()).collect()
    }

    /// Lists every region in which there may be something of ours, and those that policies name.
    pub fn all_regions(&self) -> BTreeSet<Region> {
        self.regions.iter().chain(self.policies.iter().flat_map(named_by)).cloned().collect()
    }

    /// Tells whether a policy names a region, for machines or for replicas.
    pub fn names(&self, region: &Region) -> bool {
        let mut named = self.policies.iter().flat_map(named_by);
        !self.unreadable.is_empty() || named.any(|named| named == region)
    }

    pub fn policy(&self, name: &PolicyName) -> Option<&Policy> {
        self.policies.iter().find(|policy| policy.name == *name)
    }

    /// Tells whether a policy is no longer in force. One that cannot be read may be.
    pub fn is_gone(&self, name: &PolicyName) -> bool {
        let mut unreadable = self.unreadable.iter();
        self.policy(name).is_none() && !unreadable.any(|one| one.name == name.as_str())
    }
}

/// The regions that a policy names, for machines or for replicas.
fn named_by(policy: &Policy) -> impl Iterator<Item = &Region> {
    policy.select.regions.iter().chain(policy.replicate.iter().map(|place| &place.region))
}

/// A record that stands in a queue, as the index of the ledger nominates it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InFlight {
    pub point: PointId,
    pub due_at: Timestamp,
    pub awaits: Vec<ResourceId>,
}

/// Tells whether anything in flight waits for that.
fn awaited(in_flight: &[InFlight], artefact: &ResourceId) -> bool {
    in_flight.iter().any(|record| record.awaits.contains(artefact))
}

/// EC2 Instance State-change Notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceStateChanged {
    pub region: Region,
    pub instance: InstanceId,
    pub state: State,
}

/// Tag Change on Resource, of a machine that carries a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceTagged {
    pub region: Region,
    pub instance: InstanceId,
}

/// EBS Multi-Volume Snapshots Completion Status, or EBS Snapshot Notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotsCompleted {
    pub region: Region,
    pub snapshots: Vec<SnapshotId>,
}

/// EC2 AMI State Change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageStateChanged {
    pub region: Region,
    pub image: AmiId,
    pub state: ImageState,
}

/// Our own event: there is work in a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkRequested {
    pub queue: Queue,
    pub hop: u32,
}
