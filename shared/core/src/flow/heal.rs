//! A person has the lost places of a point made again: which of them are, in what way, and which
//! cannot be. The worker makes them; this tells what it will do.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::InForce;
use super::wanted::{self, Verdict};
use super::work_requested::{begin_again, healing, sources};
use crate::change::Change;
use crate::ids::{Region, SnapshotId};
use crate::illegal::Illegal;
use crate::limits::HEAL_AGAIN;
use crate::machine::Instance;
use crate::point::{Place, Point, Replica, ReplicaStatus};
use crate::policy::Artefact;
use crate::status::Status;
use crate::transition::{loss, wanted_again, withdrawn};

/// Time within which the worker takes up what it can do at once.
const SOON: &str = "within minutes";

/// What is known of a point that has lost something.
#[derive(Clone, Debug)]
pub struct Input<'a> {
    pub now: Timestamp,
    pub point: &'a Point,
    pub replicas: &'a [Replica],
    /// The other points of its machine.
    pub others: &'a [Point],
    pub in_force: &'a InForce,
    /// What EC2 shows at home; none if it does not answer.
    pub shown: Option<Shown>,
}

/// What EC2 shows of a point in its home region.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// The complete ones of its snapshots.
    pub snapshots: BTreeSet<SnapshotId>,
    pub machine: Option<Instance>,
}

/// What becomes of the lost places of a point.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Healed {
    /// The change to write; none if nothing is made again.
    pub change: Option<Change>,
    /// The way in which each place is made again.
    pub again: BTreeMap<Region, String>,
    /// The reason why each of the others is not.
    pub not: BTreeMap<Region, String>,
}

/// Decides which lost places of a point are made again.
///
/// # Errors
/// A place cannot be made again where it stands.
pub fn decide(input: &Input) -> Result<Healed, Illegal> {
    let Input { point, replicas, .. } = input;
    let mut healed = Healed::default();
    let mut add = |region: &Region, way: Result<String, String>| match way {
        Ok(way) => drop(healed.again.insert(region.clone(), way)),
        Err(why) => drop(healed.not.insert(region.clone(), why)),
    };
    let at_home = loss::lacks_home(point).then(|| home(input));
    let comes_home = at_home.as_ref().is_some_and(Result::is_ok);
    if let Some(way) = at_home {
        add(&point.home, way);
    }
    if point.home_place == Place::Unusable {
        add(&point.home, Err(unusable_at_home(input)));
    }
    for replica in replicas.iter().filter(|replica| !replica.is_copy_back()) {
        match &replica.reason {
            _ if replica.status == ReplicaStatus::Lost || withdrawn::is_unwanted(replica) => {
                add(&replica.region, elsewhere(input, &replica.region, comes_home));
            }
            Some(reason)
                if withdrawn::is_cancelled(replica)
                    || replica.status == ReplicaStatus::Unusable =>
            {
                add(&replica.region, Err(reason.text.clone()));
            }
            _ => {}
        }
    }
    let meant: BTreeSet<&Region> = healed.again.keys().collect();
    healed.change = wanted_again::by_person(point, replicas, &meant, input.now)?;
    Ok(healed)
}

/// Returns the way in which the image at home is made again, or the reason why it is not.
fn home(input: &Input) -> Result<String, String> {
    let Input { point, replicas, others, .. } = input;
    is_wanted(input, &point.home)?;
    let source = healing::survivor(point, replicas.iter(), &point.home);
    let may_register = point.key_deleted.is_none()
        && point.plan.kind == Artefact::Image
        && !point.is_created()
        && !point.snapshots.is_empty();
    let is_complete =
        |shown: &Shown| point.snapshots.values().all(|snapshot| shown.snapshots.contains(snapshot));
    match (&input.shown, source) {
        (Some(shown), _) if may_register && is_complete(shown) => {
            return Ok(format!("registered again from its snapshots, {SOON}"));
        }
        (_, Some(_)) if point.key_deleted.is_some() => return Err(unusable_at_home(input)),
        (_, Some((region, _))) => return Ok(format!("copied back from {region}, {SOON}")),
        (None, None) => {
            let text = "made again if its snapshots or its machine are there; EC2 does not answer";
            return Ok(text.to_string());
        }
        (Some(_), None) if point.status != Status::Lost => {
            return Ok("copied back once a replica is there".to_string());
        }
        (Some(_), None) => {}
    }
    let machine = input.shown.as_ref().and_then(|shown| shown.machine.as_ref());
    match begin_again::check(point, machine, others.iter(), input.in_force) {
        Ok(()) => Ok(format!("nothing is left of it; it begins again on its machine, {SOON}")),
        Err(kept) if kept.may_pass => Ok(format!(
            "nothing is left of it, and {}; it begins again when a look, one every {} hours, finds \
             that changed",
            kept.why,
            HEAL_AGAIN.as_hours()
        )),
        Err(kept) => Err(format!("nothing is left of it, and {}", kept.why)),
    }
}

/// Returns the reason why an image at home that cannot be used is not made again.
fn unusable_at_home(Input { point, replicas, .. }: &Input) -> String {
    let Some(deleted) = &point.key_deleted else {
        return "the image is there; it is good again once it or its key is enabled".to_string();
    };
    let left = sources::survivors(point, replicas.iter(), &point.home);
    let left: Vec<&str> = left.map(|(region, _)| region.as_str()).collect();
    let left = match left.is_empty() {
        true => "No image of the point is left that can be used".to_string(),
        false => format!("Images that are left: {}", left.join(", ")),
    };
    format!(
        "{}. It is not made again, because the disks of its machine are under the same key. {left}",
        deleted.text
    )
}

/// Returns the way in which a replica is made again, or the reason why it is not.
fn elsewhere(input: &Input, region: &Region, comes_home: bool) -> Result<String, String> {
    is_wanted(input, region)?;
    let Input { point, replicas, .. } = input;
    match healing::survivor(point, replicas.iter(), region) {
        Some((source, _)) => Ok(format!("copied again from {source}, {SOON}")),
        None if comes_home => Ok(format!("copied again once the image in {} is there", point.home)),
        None => Err("there is no image of the point to copy".to_string()),
    }
}

/// Returns the reason why a place is not wanted, and what to do, if that is so.
fn is_wanted(input: &Input, region: &Region) -> Result<(), String> {
    match wanted::copy(input.point, region, input.in_force) {
        Verdict::Wanted => Ok(()),
        Verdict::Unknown(reason) | Verdict::Unwanted(reason) => Err(format!(
            "{}; run `afterimage policy apply` with a file that has it, and then this again",
            reason.text
        )),
    }
}
