//! Artefacts of good places that have lost our tag, or have another. A tag is no fact: a person is
//! told, once for each place and until the tag is back, and nothing else follows.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::held::Held;
use crate::command::{Command, Decision};
use crate::finding::{Finding, Resolved};
use crate::ids::{AmiId, Region, ResourceId, SnapshotId};
use crate::limits::UNLISTED_MAX;
use crate::names::TAG_POINT;
use crate::observed::{Complete, ObservedImage, ObservedSnapshot};
use crate::reason::{Code, Reason};
use crate::slot::PointId;
use crate::subject::Subject;

/// Snapshots that a listing by our tag does not show, by a look at their ids.
pub type Unlisted = BTreeMap<SnapshotId, ObservedSnapshot>;

/// Returns the snapshots to look at by their ids: those of good places, and while the ledger is
/// doubted those of all images with our tag, that the listing by our tag does not show. Those that
/// are all that a point has come first.
pub fn unlisted(
    held: &[Held],
    Complete(images): &Complete<ObservedImage>,
    Complete(snapshots): &Complete<ObservedSnapshot>,
    is_doubted: bool,
) -> Vec<SnapshotId> {
    let listed: BTreeSet<&SnapshotId> = snapshots.iter().map(|snapshot| &snapshot.id).collect();
    let held: BTreeSet<&ResourceId> = held.iter().flat_map(|held| &held.artefacts).collect();
    let alone = held.iter().filter_map(|artefact| match artefact {
        ResourceId::Snapshot(id) => Some(id),
        ResourceId::Image(_) | ResourceId::Machine(_) => None,
    });
    let is_ours = |image: &&ObservedImage| {
        held.contains(&ResourceId::from(image.id.clone()))
            || is_doubted && image.tags.contains_key(TAG_POINT)
    };
    let mapped = images.iter().filter(is_ours).flat_map(|image| &image.snapshots);
    let missing = alone.chain(mapped).filter(|id| !listed.contains(id));
    missing.take(UNLISTED_MAX).cloned().collect()
}

/// The artefacts of a region by their ids.
struct Shown<'a> {
    images: BTreeMap<&'a AmiId, &'a ObservedImage>,
    snapshots: BTreeMap<&'a SnapshotId, &'a ObservedSnapshot>,
}

/// Reports the good places of a region with an artefact that has lost our tag, or has another, and
/// the end of that.
pub fn look<'a>(
    region: &Region,
    held: &[Held],
    Complete(images): &Complete<ObservedImage>,
    snapshots: impl Iterator<Item = &'a ObservedSnapshot>,
    known: &[Finding],
    now: Timestamp,
) -> Decision {
    let shown = Shown {
        images: images.iter().map(|image| (&image.id, image)).collect(),
        snapshots: snapshots.map(|snapshot| (&snapshot.id, snapshot)).collect(),
    };
    let mut found: BTreeMap<Subject, Reason> = BTreeMap::new();
    for held in held {
        for artefact in &held.artefacts {
            let bare = shown.bare(artefact, &held.point);
            if !bare.is_empty() {
                found.insert(artefact.clone().into(), reason(&held.point, &bare));
            }
        }
    }
    let known: BTreeMap<&Subject, Code> = known
        .iter()
        .filter(|known| known.region == *region)
        .map(|known| (&known.artefact, known.reason.code))
        .collect();
    let mut decision = Decision::default();
    let told = known.iter().filter(|(_, code)| **code == Code::TagGone);
    for artefact in told.map(|(artefact, _)| *artefact) {
        if !found.contains_key(artefact) {
            let (region, artefact) = (region.clone(), artefact.clone());
            let resolved = Resolved { region, artefact, code: Code::TagGone, at: now };
            decision.command(Command::Resolve(resolved));
        }
    }
    // What else is known of an artefact says more than its tag.
    for (artefact, reason) in found.into_iter().filter(|(one, _)| !known.contains_key(one)) {
        let region = region.clone();
        decision.command(Command::Report(Finding { region, artefact, reason, seen_at: now }));
    }
    decision
}

impl Shown<'_> {
    /// Lists what of an artefact, and of the snapshots of an image, has lost the tag of its point.
    fn bare(&self, artefact: &ResourceId, point: &PointId) -> Vec<String> {
        let has_tag = |tags: &BTreeMap<String, String>| {
            tags.get(TAG_POINT).map(String::as_str) == Some(point.as_str())
        };
        let image = match artefact {
            ResourceId::Image(id) => self.images.get(id),
            ResourceId::Snapshot(_) | ResourceId::Machine(_) => None,
        };
        let itself = image.filter(|image| !has_tag(&image.tags)).map(|image| image.id.to_string());
        let alone = match artefact {
            ResourceId::Snapshot(id) => Some(id),
            ResourceId::Image(_) | ResourceId::Machine(_) => None,
        };
        let snapshots = image.iter().flat_map(|image| &image.snapshots).chain(alone);
        let seen = snapshots.filter_map(|id| self.snapshots.get(id));
        let bare = seen.filter(|snapshot| !has_tag(&snapshot.tags));
        itself.into_iter().chain(bare.map(|snapshot| snapshot.id.to_string())).collect()
    }
}

fn reason(point: &PointId, bare: &[String]) -> Reason {
    let artefacts = bare.join(", ");
    let text = format!(
        "the tag {TAG_POINT} of {artefacts} is missing or names something else; what {point} has \
         there is kept and used all the same. Put the tag back: {TAG_POINT}={point}"
    );
    Reason::new(Code::TagGone, text)
}
