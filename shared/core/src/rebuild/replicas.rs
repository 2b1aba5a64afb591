//! The replicas of a point: copies of its image in other regions.

use std::collections::{BTreeMap, BTreeSet};

use super::found::{Found, Group, Labelled};
use crate::ids::{AmiId, Region, SnapshotId};
use crate::names::image_name;
use crate::observed::{ImageState, ObservedImage};
use crate::point::{Place, Point, Replica, ReplicaStatus, Step};
use crate::reason::{Code, Reason};
use crate::transition::{loss, retry};

/// The replicas of a point that has its image, by what its image says is wanted; none if one of
/// them is on its way.
pub(super) fn of(
    group: &Group,
    listed: &BTreeSet<&Region>,
    point: &Point,
    found: &mut Found,
) -> Option<Vec<Replica>> {
    let source = point.image.as_ref().or(point.lost.as_ref())?;
    let absent = |region| match listed.contains(region) {
        true => missing(point, source, region),
        false => undecided(point, source, region),
    };
    let wanted = point.plan.replicate.iter().map(|place| &place.region);
    let mut replicas: BTreeMap<&Region, Replica> =
        wanted.map(|region| (region, absent(region))).collect();
    let mut mapped: BTreeSet<(&Region, &SnapshotId)> = BTreeSet::new();
    for image in group.images.iter().filter(|image| *image.region != point.home) {
        let Some(replica) = replicas.get_mut(image.region) else {
            found.leave_image(image, "its point has no replica in this region");
            continue;
        };
        if let Err(why) = is_copy(group, image, point, source) {
            found.leave_image(image, why);
            continue;
        }
        mapped.extend(image.seen.snapshots.iter().map(|snapshot| (image.region, snapshot)));
        match image.seen.state {
            ImageState::Available if replica.status != ReplicaStatus::Available => {
                let other = replica.image.replace(image.seen.id.clone());
                retry::leave(&mut replica.leftovers, other);
                replica.status = ReplicaStatus::Available;
                replica.reason = None;
                replica.step = Step { attempt: image.label.attempt, ..Step::default() };
            }
            ImageState::Pending => {
                let why = "it is still pending; its point is rebuilt once it is available";
                found.leave_image(image, why);
                return None;
            }
            // It is of no use until somebody enables it, unless another can be used.
            ImageState::Disabled if replica.image.is_none() => {
                let reason = loss::disabled(image.seen.id.as_str(), image.region);
                replica.image = Some(image.seen.id.clone());
                replica.status = ReplicaStatus::Unusable;
                replica.reason = Some(reason);
                replica.step.attempt = image.label.attempt;
            }
            ImageState::Available
            | ImageState::Failed
            | ImageState::Disabled
            | ImageState::Deregistered
            | ImageState::Other => replica.leftovers.push(image.seen.id.clone().into()),
        }
        if replica.image.is_none() {
            replica.step.attempt = replica.step.attempt.max(image.label.attempt);
        }
    }
    for ((region, id), snapshot) in &group.snapshots {
        if **region != point.home && !mapped.contains(&(*region, *id)) {
            found.leave_snapshot(snapshot, "no replica of its point uses it");
        }
    }
    Some(replicas.into_values().collect())
}

/// Returns the image at the home of its point that a replica was copied from.
pub(super) fn copied_from<'a>(image: &Labelled<'a, ObservedImage>) -> Option<&'a AmiId> {
    let Labelled { seen, label, .. } = image;
    let (region, source) = seen.source.as_ref()?;
    (*region == label.home && is_named(image)).then_some(source)
}

fn is_copy(
    group: &Group,
    image: &Labelled<ObservedImage>,
    point: &Point,
    source: &AmiId,
) -> Result<(), &'static str> {
    let Labelled { seen, label, .. } = image;
    if !descends(group, image, point, source) {
        return Err("its source is not the image of its point");
    }
    if seen.name != image_name(&point.id, label.attempt) {
        return Err("its name does not match its point and attempt");
    }
    let agrees = label.home == point.home && label.requested_at == point.requested_at;
    if agrees { Ok(()) } else { Err("its tags contradict those of its point") }
}

/// Tells whether an image is a copy of the image of its point, or of another copy of that. An
/// image at home that is not there any more was the image of the point before, if the one that is
/// there is not that of the first attempt.
fn descends(group: &Group, image: &Labelled<ObservedImage>, point: &Point, source: &AmiId) -> bool {
    let mut image = image;
    // A chain of copies is no longer than there are images.
    for _ in 0..=group.images.len() {
        let Some((region, from)) = &image.seen.source else { return false };
        if *region == point.home && from == source {
            return true;
        }
        let is_from = |other: &&Labelled<ObservedImage>| {
            other.region == region && other.seen.id == *from && is_named(other)
        };
        match group.images.iter().find(is_from) {
            Some(parent) if parent.label.agrees(&image.label) => image = parent,
            Some(_) => return false,
            None => {
                let is_again = point.image.is_some() && point.step.attempt > 0;
                return is_again && *region == point.home;
            }
        }
    }
    false
}

fn is_named(image: &Labelled<ObservedImage>) -> bool {
    image.seen.name == image_name(&image.label.point, image.label.attempt)
}

/// Returns a replica that is not there. It is made again at once, if it is wanted.
fn missing(point: &Point, source: &AmiId, region: &Region) -> Replica {
    Replica {
        status: ReplicaStatus::Lost,
        reason: Some(not_found(region.as_str())),
        ..Replica::wanted(point, source, region, point.requested_at)
    }
}

/// Returns the reason of what is missing in some regions.
pub(super) fn not_found(regions: &str) -> Reason {
    let text = format!("no replica was found in {regions} when the ledger was rebuilt");
    Reason::new(Code::Lost, text)
}

/// Returns a replica in a region that was not listed: a call may have made it, and its outcome is
/// not known.
fn undecided(point: &Point, source: &AmiId, region: &Region) -> Replica {
    let at = Some(point.requested_at);
    Replica {
        status: ReplicaStatus::Copying,
        step: Step { begun_at: at, due_at: at, ..Step::default() },
        reason: Some(not_listed(region.as_str())),
        ..Replica::wanted(point, source, region, point.requested_at)
    }
}

/// Returns the reason of what is undecided in some regions.
pub(super) fn not_listed(regions: &str) -> Reason {
    let text = format!(
        "{regions} was not listed when the ledger was rebuilt; the replica is looked for before \
         any is made"
    );
    Reason::new(Code::NotListed, text)
}

/// Place of a replica, as its point knows it.
pub(super) fn place(replica: &Replica) -> (Region, Place) {
    (replica.region.clone(), Place::from(replica.status))
}
