//! A person has the lost places of a point made again: which of them are, in what way, and which
//! cannot be. The worker makes them, by the same prospects.

use std::collections::{BTreeMap, BTreeSet};

use super::work_requested::disk_keys;
use super::work_requested::prospect::{self, Prospect, Way};
use super::work_requested::sources::{self, Source};
use crate::call::copy_image;
use crate::change::Change;
use crate::ids::{Region, SnapshotId};
use crate::illegal::Illegal;
use crate::observed::ObservedSnapshot;
use crate::point::{Place, Point, Replica, ReplicaStatus};
use crate::reason::{Code, Reason};
use crate::status::Status;
use crate::transition::{loss, wanted_again, withdrawn};

pub use super::work_requested::prospect::{Facts, Shown};

/// Time within which the worker takes up what it can do at once.
const SOON: &str = "within minutes";

/// What becomes of the lost places of a point.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Healed {
    /// The change to write; none if nothing is made again.
    pub change: Option<Change>,
    /// The way in which each place is made again, or what it waits for.
    pub again: BTreeMap<Region, String>,
    /// The reason why each of the others is not.
    pub not: BTreeMap<Region, String>,
}

/// Returns the keys at home that decide if the image there is made again.
pub fn keys_at_home(
    point: &Point,
    snapshots: &BTreeMap<SnapshotId, ObservedSnapshot>,
) -> BTreeSet<String> {
    let of_snapshots = disk_keys::of_snapshots(point.snapshots.values(), snapshots);
    of_snapshots.map(str::to_string).chain(copy_image::key_at_home(point)).collect()
}

/// Returns the keys of the images that the lost places may be copied from.
pub fn keys_of_sources(point: &Point, replicas: &[Replica]) -> BTreeSet<(Region, String)> {
    let home = loss::lacks_home(point).then_some(&point.home);
    let lost = replicas.iter().filter(|replica| is_to_be_made(replica));
    let lost = lost.map(|replica| &replica.region).chain(home);
    lost.flat_map(|region| sources::keys_of_survivors(point, replicas.iter(), region)).collect()
}

/// Decides which lost places of a point are made again.
///
/// # Errors
/// A place cannot be made again where it stands.
pub fn decide(facts: &Facts) -> Result<Healed, Illegal> {
    let point = facts.point;
    let mut healed = Healed::default();
    let mut add = |region: &Region, way: Result<String, String>| match way {
        Ok(way) => drop(healed.again.insert(region.clone(), way)),
        Err(why) => drop(healed.not.insert(region.clone(), why)),
    };
    if loss::lacks_home(point) {
        add(&point.home, at_home(facts));
    } else if loss::waits_to_be_remade(point) {
        let failures = point.step.failures;
        let waits = prospect::held_up(facts, &point.home, Way::Register);
        let when = waits.map_or(SOON.to_string(), |waits| format!("but not yet: {waits}"));
        let way = format!("registered again from its snapshots, {when}; failed tries: {failures}");
        add(&point.home, Ok(way));
    } else if let Some(why) = not_lost(facts) {
        add(&point.home, Err(why));
    }
    for replica in facts.replicas.iter().filter(|replica| !replica.is_copy_back()) {
        let region = &replica.region;
        if is_to_be_made(replica) {
            let prospect = prospect::replica(facts, replica, true);
            add(region, answer(facts, region, &prospect, "copied again"));
        } else if let Some(reason) = &replica.reason
            && (withdrawn::is_cancelled(replica) || replica.status == ReplicaStatus::Unusable)
        {
            add(region, Err(reason.text.clone()));
        } else if replica.lost.is_some() && !replica.status.is_settled() {
            let why = replica.reason.as_ref().map_or("", |reason| reason.text.as_str());
            add(region, Err(format!("its image is being made again: {why}")));
        }
    }
    let meant: BTreeSet<&Region> = healed.again.keys().collect();
    healed.change = wanted_again::by_person(point, &facts.replicas, &meant, facts.now)?;
    Ok(healed)
}

/// Returns the answer about the place at home, with what came of the last time that the point began
/// again.
fn at_home(facts: &Facts) -> Result<String, String> {
    let prospect = prospect::home(facts, true);
    let way = answer(facts, &facts.point.home, &prospect, "copied back")?;
    Ok(match (&facts.point.refused, prospect) {
        (Some(last), Prospect::Now(Way::BeginAgain)) => format!(
            "{way}. The last time, at {} UTC, it came to nothing: {}",
            last.at.strftime("%Y-%m-%d %H:%M"),
            last.reason.text
        ),
        _ => way,
    })
}

/// Tells whether a person can ask for a replica.
fn is_to_be_made(replica: &Replica) -> bool {
    let is_lost = replica.status == ReplicaStatus::Lost || withdrawn::is_unwanted(replica);
    is_lost && !replica.is_copy_back()
}

/// Returns the answer about a place that a person asks for: the way, or what it waits for, or the
/// reason why it is not made again.
fn answer(
    facts: &Facts,
    region: &Region,
    prospect: &Prospect,
    copied: &str,
) -> Result<String, String> {
    let when = match prospect {
        Prospect::Now(way) => prospect::held_up(facts, region, *way),
        _ => None,
    };
    let when = when.map_or(SOON.to_string(), |waits| format!("but not yet: {waits}"));
    match prospect {
        Prospect::Now(Way::Register) => Ok(format!("registered again from its snapshots, {when}")),
        Prospect::Now(Way::Copy(Source { region, is_key_known, .. })) => {
            let unless = match is_key_known {
                true => "",
                false => ", if its key can be used, which could not be read",
            };
            Ok(format!("{copied} from {region}, {when}{unless}"))
        }
        Prospect::Now(Way::BeginAgain) => {
            Ok(format!("nothing is left of it; it begins again on its machine, {when}"))
        }
        Prospect::Later(wait) | Prospect::OnRequest(wait) => {
            Ok(format!("not now: {}", wait.reason.text))
        }
        Prospect::Never(wait) => Err(with_what_to_do(&wait.reason)),
    }
}

fn with_what_to_do(Reason { code, text }: &Reason) -> String {
    match code {
        Code::Withdrawn => format!(
            "{text}; run `afterimage policy apply` with a file that has it, and then this again"
        ),
        _ => text.clone(),
    }
}

/// Returns the reason why an image at home that is not lost is not made again, if it is not good.
fn not_lost(facts: &Facts) -> Option<String> {
    let point = facts.point;
    if point.home_place == Place::Unusable {
        let there = "the image is there; it is good again once it or its key is enabled";
        let deleted = point.key_deleted.as_ref();
        let deleted = deleted.map(|deleted| prospect::with_images_left(facts, deleted).text);
        return Some(deleted.unwrap_or_else(|| there.to_string()));
    }
    // It was made again, and cannot be used.
    let is_failed = point.status == Status::Failed && point.lost.is_some();
    point.reason.as_ref().filter(|_| is_failed).map(|reason| reason.text.clone())
}
