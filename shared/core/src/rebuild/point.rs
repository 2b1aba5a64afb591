//! A point, rebuilt from all artefacts that say they are of it.

use std::collections::{BTreeMap, BTreeSet};

use super::found::{Found, Group, Labelled, Rebuilt};
use super::home::{self, Judged, Set};
use super::{machine, replicas};
use crate::ids::{AmiId, Region, ResourceId, SnapshotId, VolumeId};
use crate::machine::Machine;
use crate::names::TAG_POINT;
use crate::observed::{ImageState, ObservedImage, ObservedSnapshot, SnapshotState};
use crate::point::{Chosen, Place, Plan, Point, Replica, ReplicaStatus, Step};
use crate::policy::{Artefact, Method, Replicate};
use crate::reason::{Code, Reason};
use crate::status::Status;
use crate::tags::read::Label;
use crate::transition::loss;

/// Artefacts of a point in its home region.
struct Home<'a> {
    label: Label,
    image: Option<Labelled<'a, ObservedImage>>,
    /// The image that is gone, and of which there are copies elsewhere.
    lost: Option<AmiId>,
    machine: Option<Machine>,
    set: Set<'a>,
}

pub(super) fn rebuild(group: &Group, listed: &BTreeSet<&Region>, found: &mut Found) {
    // What is on its way, or may be had back, is left for the next run.
    if let Some((image, why)) = not_yet(group) {
        let why = format!("{why}; its point is rebuilt once it is available");
        return found.leave_image(image, why);
    }
    let home = of_image(group).or_else(|| of_snapshots(group)).or_else(|| of_copies(group, listed));
    let home = home.or_else(|| of_remains(group));
    let Some(home) = home else {
        return leave_all(group, found);
    };
    let bare = home.image.as_ref().map(|image| group.bare_of(image.seen)).unwrap_or_default();
    let mut point = point(&home).found(taken_for_ours(&bare));
    point.leftovers = leftovers(group, &home, found);
    let mut replicas = Vec::new();
    if home.image.is_some() || home.lost.is_some() {
        let Some(of_image) = replicas::of(group, listed, &point, found) else { return };
        point.replicas = of_image.iter().map(replicas::place).collect();
        settle(&mut point, &of_image);
        replicas = of_image;
    } else {
        leave_elsewhere(group, &point, found);
    }
    if point.status == Status::Failed && point.image.is_none() && point.leftovers.is_empty() {
        return;
    }
    found.points.push(Rebuilt { name: home.label.others.get("Name").cloned(), point, replicas });
}

/// The image at home that is not available, and may become so.
fn not_yet<'g, 'a>(
    group: &'g Group<'a>,
) -> Option<(&'g Labelled<'a, ObservedImage>, &'static str)> {
    let at_home = group.images.iter().filter(|image| *image.region == image.label.home);
    let judged = at_home.map(|image| (image, home::judge(group, image)));
    let judged: Vec<_> = judged.collect();
    if judged.iter().any(|(_, judged)| matches!(judged, Judged::Good(_))) {
        return None;
    }
    judged.into_iter().find_map(|(image, judged)| match judged {
        Judged::NotYet(why) => Some((image, why)),
        Judged::Good(_) | Judged::Left | Judged::Foreign(_) => None,
    })
}

/// Finds the image of a group. If several are equally good, it is the one of which there are
/// copies, or else that of the last try: the result of an earlier try was turned down, or not heard
/// of.
fn of_image<'a>(group: &Group<'a>) -> Option<Home<'a>> {
    let is_copied = |image: &ObservedImage| {
        group
            .images
            .iter()
            .any(|copy| copy.seen.source.as_ref().is_some_and(|(_, source)| *source == image.id))
    };
    let good = group.images.iter().filter_map(|image| {
        let is_at_home = *image.region == image.label.home;
        let is_wanted = image.label.kind == Artefact::Image;
        match home::judge(group, image) {
            Judged::Good(set) if is_at_home && is_wanted => Some((image, set)),
            _ => None,
        }
    });
    // One that can be used goes first, and then one whose snapshots say of themselves what they are
    // of.
    let order = |image: &ObservedImage| {
        let is_disabled = image.state == ImageState::Disabled;
        (is_disabled, !group.bare_of(image).is_empty(), !is_copied(image))
    };
    let (image, set) = good.min_by_key(|(image, _)| order(image.seen))?;
    let machine = Some(machine::of_image(image, &set)?);
    Some(Home { label: image.label.clone(), image: Some(image.clone()), lost: None, machine, set })
}

/// Finds the image that is gone by its copies, if its home was listed: EC2 itself says what an
/// image was copied from. Of several, it is the one that has most copies, or else that of the last
/// try.
fn of_copies<'a>(group: &Group<'a>, listed: &BTreeSet<&Region>) -> Option<Home<'a>> {
    let mut copies: BTreeMap<&AmiId, Vec<&Labelled<'a, ObservedImage>>> = BTreeMap::new();
    for image in &group.images {
        let home = &image.label.home;
        let is_elsewhere = image.region != home && listed.contains(home);
        let is_wanted = image.label.kind == Artefact::Image && is_elsewhere;
        // One that is there was copied back, and is a copy itself.
        let is_there = |source: &AmiId| {
            let mut there = group.images.iter().filter(|other| other.region == home);
            there.any(|other| other.seen.id == *source && home::is_copied_back(other))
        };
        if let Some(source) = replicas::copied_from(image).filter(|_| is_wanted)
            && !is_there(source)
            && matches!(image.seen.state, ImageState::Available | ImageState::Disabled)
        {
            copies.entry(source).or_default().push(image);
        }
    }
    let most = |(_, copies): &(&AmiId, Vec<&Labelled<ObservedImage>>)| {
        (copies.len(), copies.first().map(|copy| copy.label.attempt))
    };
    let (source, copies) = copies.into_iter().max_by_key(most)?;
    let copy = copies.first()?;
    let is_of_copy = |(label, set): &(&Label, Set)| {
        let names = copy.seen.devices.iter().map(|device| device.name.as_str());
        let of_set = label.devices.keys().map(String::as_str);
        let is_same = names.collect::<BTreeSet<_>>() == of_set.collect::<BTreeSet<_>>();
        is_same && !set.is_empty() && label.agrees(&copy.label)
    };
    let of_copy = home::sets(group).into_iter().find(is_of_copy);
    let machine = of_copy.as_ref().and_then(|(label, set)| machine::of_copy(copy, label, set));
    // The disks of an image are not in its own tags.
    let set = of_copy.filter(|_| machine.is_some()).map(|(_, set)| set).unwrap_or_default();
    Some(Home { label: copy.label.clone(), image: None, lost: Some(source.clone()), machine, set })
}

fn of_snapshots<'a>(group: &Group<'a>) -> Option<Home<'a>> {
    let mut sets = home::sets(group).into_iter();
    let (label, set) = sets.find(|(label, _)| label.kind == Artefact::Snapshots)?;
    Some(Home { label: label.clone(), image: None, lost: None, machine: None, set })
}

/// Finds the label of a point of which only leftovers exist. A set that is pending may become good.
fn of_remains<'a>(group: &Group<'a>) -> Option<Home<'a>> {
    let borne_out = group.snapshots.values().filter(|snap| home::is_borne_out(snap).is_ok());
    let borne_out: Vec<_> = borne_out.collect();
    if borne_out.iter().any(|snapshot| snapshot.seen.state == SnapshotState::Pending) {
        return None;
    }
    let first = borne_out.into_iter().min_by_key(|snap| (snap.seen.started_at, &snap.seen.id));
    let is_left = |image: &&Labelled<'a, ObservedImage>| {
        *image.region == image.label.home && matches!(home::judge(group, image), Judged::Left)
    };
    let image = || group.images.iter().find(is_left).map(|image| &image.label);
    let label = first.map(|snapshot| &snapshot.label).or_else(image)?.clone();
    Some(Home { label, image: None, lost: None, machine: None, set: Set::new() })
}

fn point(home: &Home) -> Point {
    let label = &home.label;
    let replicate = label.replicas.iter().map(|region| Replicate {
        region: region.clone(),
        kms_key: None,
        deadline_secs: None,
        retain: None,
    });
    let image = home.image.as_ref();
    let is_image = image.is_some() || home.lost.is_some();
    let replicate = if is_image { replicate.collect() } else { Vec::new() };
    let plan = Plan { kind: label.kind, replicate, ..Plan::default() };
    let slot = label.slot.clone();
    let new = Point::requested(slot, label.home.clone(), plan, label.requested_at);
    let is_good = !home.set.is_empty() || home.lost.is_some();
    let failed = "only leftovers of failed attempts were found when the ledger was rebuilt; there \
                  is nothing to recover from";
    let point = Point {
        status: if is_good { Status::Protected } else { Status::Failed },
        reason: (!is_good).then(|| Reason::new(Code::NotRebuilt, failed)),
        step: Step { attempt: label.attempt, ..Step::default() },
        machine: home.machine.clone(),
        // EC2's own word, which nobody can write.
        taken_at: home.set.values().map(|snapshot| snapshot.started_at).min(),
        grade: is_good.then_some(label.grade),
        snapshots: ids(&home.set),
        image: image.map(|image| image.seen.id.clone()),
        method: image.map(|image| method(image.seen)),
        unverified: true,
        ..new
    };
    match (&home.lost, image) {
        (Some(lost), _) => without_image(point, lost),
        (None, Some(image)) if image.seen.state == ImageState::Disabled => {
            disabled(point, &image.seen.id)
        }
        (None, _) => point,
    }
}

/// Returns the point whose image is there, and disabled.
fn disabled(point: Point, image: &AmiId) -> Point {
    let reason = loss::disabled(image.as_str(), &point.home);
    Point {
        status: Status::Imaged,
        home_place: Place::Unusable,
        reason: Some(reason),
        // A person is told at the look.
        step: Step { due_at: Some(point.requested_at), ..point.step },
        ..point
    }
}

/// Returns the point whose image is gone, and of which there are copies elsewhere.
fn without_image(point: Point, lost: &AmiId) -> Point {
    let text = format!("{lost} was not found in {} when the ledger was rebuilt", point.home);
    let why = "the image is gone; only a copy is as it was";
    Point {
        status: Status::Imaged,
        home_place: Place::Lost,
        lost: Some(lost.clone()),
        reason: Some(Reason::new(Code::Lost, text)),
        // It is made again at once, if it is wanted.
        step: Step { due_at: Some(point.requested_at), ..point.step },
        // Of data that is not younger than that.
        taken_at: point.taken_at.or(Some(point.requested_at)),
        method: Some(Chosen { method: Method::CreateImage, why: why.to_string() }),
        ..point
    }
}

/// Tells a person of the snapshots that do not say of themselves that they are of the point.
fn taken_for_ours(bare: &[&SnapshotId]) -> Option<Reason> {
    let ids: Vec<&str> = bare.iter().map(|id| id.as_str()).collect();
    let text = || {
        format!(
            "without the tag {TAG_POINT}: {}; taken for the snapshots of the point because its \
             image maps them, and nothing else vouches for them",
            ids.join(", ")
        )
    };
    (!ids.is_empty()).then(|| Reason::new(Code::TagGone, text()))
}

fn ids(set: &Set) -> BTreeMap<VolumeId, SnapshotId> {
    set.iter().map(|(volume, snapshot)| (volume.clone(), snapshot.id.clone())).collect()
}

/// EC2 says of an image that it made by itself what machine it is of.
fn method(image: &ObservedImage) -> Chosen {
    let (method, why) = match image.attributes.source_instance {
        Some(_) => (Method::CreateImage, "the image names its machine"),
        None => (Method::SnapshotRegister, "the image names no machine"),
    };
    Chosen { method, why: why.to_string() }
}

/// A point that lacks a replica is imaged: the replica is made again, or its image can be enabled.
/// So is one with an undecided replica. One that lacks its image waits for that.
fn settle(point: &mut Point, replicas: &[Replica]) {
    let regions = |place| {
        let of_place = replicas.iter().filter(move |replica| Place::from(replica.status) == place);
        of_place.map(|replica| replica.region.as_str()).collect::<Vec<_>>()
    };
    let (missing, undecided) = (regions(Place::Lost), regions(Place::Underway));
    if matches!(point.home_place, Place::Lost | Place::Unusable) {
        return;
    }
    if !undecided.is_empty() {
        point.status = Status::Imaged;
        point.reason = Some(replicas::not_listed(&undecided.join(", ")));
    }
    let disabled = replicas.iter().find(|it| it.status == ReplicaStatus::Unusable);
    if let Some(disabled) = disabled {
        point.status = Status::Imaged;
        point.reason.clone_from(&disabled.reason);
    }
    if !missing.is_empty() {
        point.status = Status::Imaged;
        point.reason = Some(replicas::not_found(&missing.join(", ")));
    }
}

/// Lists what is at home and not part of the point: left by its tries, or not ours.
fn leftovers(group: &Group, home: &Home, found: &mut Found) -> Vec<ResourceId> {
    let mut left = Vec::new();
    let is_image = |id| home.image.as_ref().is_some_and(|image| image.seen.id == id);
    for image in &group.images {
        let is_elsewhere = *image.region != home.label.home;
        if is_elsewhere || is_image(image.seen.id.clone()) {
            continue;
        }
        match home::judge(group, image) {
            _ if !image.label.agrees(&home.label) => {
                found.leave_image(image, "its tags contradict those of its point");
            }
            Judged::Foreign(why) => found.leave_image(image, why),
            _ if !group.bare_of(image.seen).is_empty() => {
                found.leave_image(image, "its snapshots do not have the tag of its point");
            }
            Judged::Good(_) | Judged::NotYet(_) | Judged::Left => {
                left.push(image.seen.id.clone().into());
            }
        }
    }
    let is_used =
        |snapshot: &ObservedSnapshot| home.set.values().any(|used| used.id == snapshot.id);
    for snapshot in group.snapshots.values() {
        let is_bare = group.bare.contains(&snapshot.seen.id);
        if *snapshot.region != home.label.home || is_used(snapshot.seen) || is_bare {
            continue;
        }
        match home::is_borne_out(snapshot) {
            _ if !snapshot.label.agrees(&home.label) => {
                found.leave_snapshot(snapshot, "its tags contradict those of its point");
            }
            Err(why) => found.leave_snapshot(snapshot, why),
            Ok(()) => left.push(snapshot.seen.id.clone().into()),
        }
    }
    left
}

/// Leaves the copies elsewhere: without an image at home there is nothing that they could be of.
fn leave_elsewhere(group: &Group, point: &Point, found: &mut Found) {
    let why = "its source image was not found";
    for image in group.images.iter().filter(|image| *image.region != point.home) {
        found.leave_image(image, why);
    }
    for snapshot in group.snapshots.values().filter(|snap| *snap.region != point.home) {
        found.leave_snapshot(snapshot, why);
    }
}

/// Reports every artefact of a group as unusable.
fn leave_all(group: &Group, found: &mut Found) {
    for image in &group.images {
        match home::judge(group, image) {
            Judged::Foreign(why) if *image.region == image.label.home => {
                found.leave_image(image, why);
            }
            _ => found.leave_image(image, "its source image was not found"),
        }
    }
    let tagged = group.snapshots.values().filter(|one| !group.bare.contains(&one.seen.id));
    for snapshot in tagged {
        let why = match home::is_borne_out(snapshot) {
            Err(why) => why,
            Ok(()) if snapshot.seen.state == SnapshotState::Pending => {
                "it is still pending; its point is rebuilt once it is complete"
            }
            Ok(()) => "its snapshot set is not complete yet",
        };
        found.leave_snapshot(snapshot, why);
    }
}
