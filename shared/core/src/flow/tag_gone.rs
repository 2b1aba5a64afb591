//! Artefacts of good places that have lost our tag. A tag is no fact: a person is told, once for
//! each place and until the tag is back, and nothing else follows.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::held::Held;
use crate::command::{Command, Decision};
use crate::finding::{Finding, Resolved};
use crate::ids::{Region, ResourceId, SnapshotId};
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

/// Reports the good places of a region with an artefact that has lost our tag, and the end of that.
pub fn look(
    region: &Region,
    held: &[Held],
    Complete(images): &Complete<ObservedImage>,
    unlisted: &Unlisted,
    known: &[Finding],
    now: Timestamp,
) -> Decision {
    let images: BTreeMap<ResourceId, &ObservedImage> =
        images.iter().map(|image| (image.id.clone().into(), image)).collect();
    let mut found: BTreeMap<Subject, Reason> = BTreeMap::new();
    for (point, artefact) in
        held.iter().flat_map(|held| held.artefacts.iter().map(|artefact| (&held.point, artefact)))
    {
        let bare = match artefact {
            ResourceId::Image(_) => images.get(artefact).map(|image| of_image(image, unlisted)),
            ResourceId::Snapshot(id) => Some(of_snapshots([id], unlisted)),
            ResourceId::Machine(_) => None,
        };
        if let Some(bare) = bare.filter(|bare| !bare.is_empty()) {
            found.insert(artefact.clone().into(), reason(point, &bare));
        }
    }
    let known =
        known.iter().filter(|known| known.region == *region && known.reason.code == Code::TagGone);
    let known: BTreeSet<&Subject> = known.map(|known| &known.artefact).collect();
    let mut decision = Decision::default();
    for artefact in known.iter().filter(|known| !found.contains_key(known)) {
        let (region, artefact) = (region.clone(), (*artefact).clone());
        let resolved = Resolved { region, artefact, code: Code::TagGone, at: now };
        decision.command(Command::Resolve(resolved));
    }
    for (artefact, reason) in found.into_iter().filter(|(artefact, _)| !known.contains(artefact)) {
        let region = region.clone();
        decision.command(Command::Report(Finding { region, artefact, reason, seen_at: now }));
    }
    decision
}

/// Lists what has lost our tag of an image and its snapshots.
fn of_image(image: &ObservedImage, unlisted: &Unlisted) -> Vec<String> {
    let is_bare = !image.tags.contains_key(TAG_POINT);
    let itself = is_bare.then(|| image.id.to_string()).into_iter();
    itself.chain(of_snapshots(&image.snapshots, unlisted)).collect()
}

fn of_snapshots<'a>(
    ids: impl IntoIterator<Item = &'a SnapshotId>,
    unlisted: &Unlisted,
) -> Vec<String> {
    let seen = ids.into_iter().filter_map(|id| unlisted.get(id));
    let bare = seen.filter(|snapshot| !snapshot.tags.contains_key(TAG_POINT));
    bare.map(|snapshot| snapshot.id.to_string()).collect()
}

fn reason(point: &PointId, bare: &[String]) -> Reason {
    let artefacts = bare.join(", ");
    let text = format!(
        "the tag {TAG_POINT} of {artefacts} is missing; what {point} has there is kept and used \
         all the same. Put the tag back: {TAG_POINT}={point}"
    );
    Reason::new(Code::TagGone, text)
}
