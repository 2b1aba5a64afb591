//! Artefacts that the ledger calls good, held against what EC2 shows.
//!
//! An index nominates them, with no more than their ids. One that EC2 does not show as the ledger
//! has it is only a suspect: its record is put in the queue of the worker that confirms, and that
//! worker looks at it by its id. An audit that finds no difference reads the index and the
//! listings, and writes nothing.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::change::{Change, Record};
use crate::command::{Command, Decision, Wake};
use crate::finding::Finding;
use crate::ids::{AmiId, Region, ResourceId, SnapshotId};
use crate::names::TAG_POINT;
use crate::observed::{Complete, ImageState, ObservedImage, ObservedSnapshot};
use crate::point::{Point, Replica};
use crate::reason::{Code, Reason};
use crate::slot::PointId;
use crate::work::{Kind, Queue};

/// The artefacts of one place of a point, as the index has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub point: PointId,
    /// The region of the artefacts.
    pub region: Region,
    /// True if they are those of a replica, and false if they are the point's own.
    pub is_replica: bool,
    /// The image; or the snapshots of a point that is snapshots and nothing else.
    pub artefacts: Vec<ResourceId>,
    /// True if the ledger has the place as unusable.
    pub is_unusable: bool,
    /// True if the place is looked at already.
    pub is_suspect: bool,
}

/// Returns the places that EC2 does not show as the ledger has them.
pub fn suspects<'a>(
    held: &'a [Held],
    Complete(images): &Complete<ObservedImage>,
    Complete(snapshots): &Complete<ObservedSnapshot>,
) -> Vec<&'a Held> {
    let images: BTreeMap<&AmiId, ImageState> =
        images.iter().map(|image| (&image.id, image.state)).collect();
    let snapshots: BTreeSet<&SnapshotId> = snapshots.iter().map(|snapshot| &snapshot.id).collect();
    let is_as_held = |held: &Held, artefact: &ResourceId| match artefact {
        ResourceId::Image(id) => match images.get(id) {
            Some(ImageState::Available) => !held.is_unusable,
            Some(ImageState::Disabled) => held.is_unusable,
            _ => false,
        },
        ResourceId::Snapshot(id) => snapshots.contains(id),
        ResourceId::Machine(_) => true,
    };
    let differs = |held: &&Held| {
        !held.is_suspect && !held.artefacts.iter().all(|artefact| is_as_held(held, artefact))
    };
    held.iter().filter(differs).collect()
}

/// Reports the images that the ledger calls good and that have lost our tag. A tag is no fact:
/// nothing else follows from it.
pub fn untagged(
    region: &Region,
    held: &[Held],
    Complete(images): &Complete<ObservedImage>,
    now: Timestamp,
) -> Vec<Finding> {
    let by_image: BTreeMap<&ResourceId, &Held> =
        held.iter().flat_map(|held| held.artefacts.iter().map(move |id| (id, held))).collect();
    let bare = images.iter().filter(|image| !image.tags.contains_key(TAG_POINT));
    let found = bare.filter_map(|image| {
        let held = by_image.get(&ResourceId::Image(image.id.clone()))?;
        let text = format!(
            "the tag {TAG_POINT} of the image of {} is missing; the image is kept and used all the \
             same. Put the tag back: {TAG_POINT}={}",
            held.point, held.point
        );
        Some(Finding {
            region: region.clone(),
            artefact: (&image.id).into(),
            reason: Reason::new(Code::TagGone, text),
            seen_at: now,
        })
    });
    found.collect()
}

/// Decides that the artefacts of these records are looked at by their ids, at once.
pub fn look_at(records: &[Record], now: Timestamp) -> Decision {
    let mut decision = Decision::default();
    let mut queues: BTreeSet<Queue> = BTreeSet::new();
    for record in records {
        let change = match record {
            Record::Point(point) => suspected_point(point, now).map(Change::point),
            Record::Replica(replica) => suspected_replica(replica, now).map(Change::replica),
            Record::Downtime(_)
            | Record::Roster(_)
            | Record::RequestCounter(_)
            | Record::Obstacles(_) => None,
        };
        let Some(change) = change else { continue };
        queues.extend(record.region().map(|region| Queue { region, kind: Kind::Confirm }));
        decision.command(Command::Record(Box::new(change)));
    }
    decision.commands.extend(queues.into_iter().map(|queue| Command::Wake(Wake { queue, hop: 0 })));
    decision
}

fn suspected_point(point: &Point, now: Timestamp) -> Option<Point> {
    let is_held = Record::Point(Box::new(point.clone())).held().is_some();
    let is_new = is_held && point.missing_since.is_none();
    is_new.then(|| Point { missing_since: Some(now), ..point.due_now(now) })
}

fn suspected_replica(replica: &Replica, now: Timestamp) -> Option<Replica> {
    let is_held = Record::Replica(Box::new(replica.clone())).held().is_some();
    let is_new = is_held && replica.missing_since.is_none();
    is_new.then(|| Replica { missing_since: Some(now), ..replica.due_now(now) })
}
