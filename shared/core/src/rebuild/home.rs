//! The home of a point: its image with its snapshots, or its snapshots alone.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::found::{Group, Labelled};
use crate::ids::{SnapshotId, VolumeId};
use crate::limits::CLOCK_SKEW;
use crate::names::image_name;
use crate::observed::{ImageState, ObservedImage, ObservedSnapshot, SnapshotState};
use crate::tags::read::Label;

/// Snapshots of a machine, by volume.
pub(super) type Set<'a> = BTreeMap<VolumeId, &'a ObservedSnapshot>;

/// Verdict on an image in the home region of its point.
pub(super) enum Judged<'a> {
    /// The image of the point, made of these snapshots.
    Good(Set<'a>),
    /// The image may become the point's, for this reason not yet.
    NotYet(&'static str),
    /// Leftover of a failed try.
    Left,
    Foreign(&'static str),
}

/// Tells whether a snapshot is what it says it is: of one of the volumes of its set, and not older
/// than the request for it.
pub(super) fn is_borne_out(snapshot: &Labelled<ObservedSnapshot>) -> Result<(), &'static str> {
    let Labelled { region, seen, label } = snapshot;
    if **region != label.home {
        return Err("it is not in the home region of its point");
    }
    if !label.devices.values().any(|volume| Some(volume) == seen.volume.as_ref()) {
        return Err("its volume is not among the devices in its tags");
    }
    if label.requested_at.duration_since(seen.started_at) > CLOCK_SKEW {
        return Err("it was started before its point was requested");
    }
    Ok(())
}

/// Tells whether an image is a copy. Of an image that EC2 made of the machine, the source is what
/// the machine was launched from.
pub(super) fn is_copied_back(Labelled { seen, label, .. }: &Labelled<ObservedImage>) -> bool {
    let is_of_machine = seen.attributes.source_instance.as_ref() == Some(&label.slot.instance);
    seen.source.is_some() && !is_of_machine
}

/// Judges an image in the region that it says is its point's home.
pub(super) fn judge<'a>(group: &Group<'a>, image: &Labelled<'a, ObservedImage>) -> Judged<'a> {
    let Labelled { seen, label, .. } = image;
    if is_copied_back(image) {
        return Judged::Foreign("it is a copy, but in the home region of its point");
    }
    if seen.name != image_name(&label.point, label.attempt) {
        return Judged::Foreign("its name does not match its point and attempt");
    }
    let ours = |id: &'a SnapshotId| {
        let snapshot = group.snapshots.get(&(image.region, id))?;
        (snapshot.label.agrees(label) && is_borne_out(snapshot).is_ok()).then_some(snapshot)
    };
    if !seen.snapshots.iter().all(|id| ours(id).is_some()) {
        return Judged::Foreign("its snapshots are not the snapshots of its point");
    }
    match seen.state {
        ImageState::Available | ImageState::Disabled => {}
        ImageState::Pending => return Judged::NotYet("it is still pending"),
        ImageState::Failed | ImageState::Deregistered | ImageState::Other => return Judged::Left,
    }
    let mut set = Set::new();
    let mut mapping: BTreeMap<&str, &VolumeId> = BTreeMap::new();
    for device in &seen.devices {
        let Some(snapshot) = device.snapshot.as_ref().and_then(ours) else { continue };
        let Some(volume) = &snapshot.seen.volume else { continue };
        mapping.insert(&device.name, volume);
        set.insert(volume.clone(), snapshot.seen);
    }
    let is_exact = |id: &'a SnapshotId| {
        let told = ours(id).map(|snapshot| &snapshot.label.devices);
        told.is_some_and(|devices| {
            devices
                .iter()
                .map(|(name, volume)| (name.as_str(), volume))
                .eq(mapping.iter().map(|(name, volume)| (*name, *volume)))
        })
    };
    let all_mapped = seen.devices.len() == mapping.len() && seen.snapshots.len() == set.len();
    if set.is_empty() || !all_mapped || !seen.snapshots.iter().all(is_exact) {
        return Judged::Foreign("its block devices differ from those in the tags of its snapshots");
    }
    Judged::Good(set)
}

/// The complete sets of snapshots at home, first that of the last try: where no image was wanted.
pub(super) fn sets<'a, 'g>(group: &'g Group<'a>) -> Vec<(&'g Label, Set<'a>)> {
    let mut by_start: BTreeMap<(Reverse<u32>, Timestamp), Vec<&Labelled<ObservedSnapshot>>> =
        BTreeMap::new();
    for snapshot in group.snapshots.values().filter(|snapshot| is_borne_out(snapshot).is_ok()) {
        let key = (Reverse(snapshot.label.attempt), snapshot.seen.started_at);
        by_start.entry(key).or_default().push(snapshot);
    }
    let mut sets = Vec::new();
    for snapshots in by_start.values() {
        let Some(label) = snapshots.first().map(|snapshot| &snapshot.label) else { continue };
        let alike = |snapshot: &&&Labelled<ObservedSnapshot>| {
            snapshot.label.agrees(label)
                && snapshot.label.devices == label.devices
                && snapshot.seen.state == SnapshotState::Completed
        };
        let alike: Vec<_> = snapshots.iter().filter(alike).collect();
        let pair = |snapshot: &&&Labelled<'a, ObservedSnapshot>| {
            Some((snapshot.seen.volume.clone()?, snapshot.seen))
        };
        let set: Set = alike.iter().filter_map(pair).collect();
        let volumes: BTreeSet<&VolumeId> = label.devices.values().collect();
        let is_whole = alike.len() == snapshots.len() && set.len() == snapshots.len();
        if is_whole && set.keys().collect::<BTreeSet<_>>() == volumes {
            sets.push((label, set));
        }
    }
    sets
}
