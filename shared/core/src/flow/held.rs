//! Artefacts that the ledger calls good, held against what EC2 shows.
//!
//! An index nominates them, with no more than their ids. One that EC2 does not show as the ledger
//! has it is only a suspect: its record is put in the queue of the worker that confirms, and that
//! worker looks at it by its id. An audit that finds no difference reads the index and the
//! listings, and writes nothing.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::nothing_waits::Untold;
use super::work_requested::disk_keys::{self, Keys, Use};
use super::work_requested::power::PENDING_DELETION;
use crate::brake::Brake;
use crate::change::{Change, Record, Write};
use crate::command::{Command, Decision, Wake};
use crate::finding::{Finding, Resolved};
use crate::ids::{AmiId, Region, ResourceId, SnapshotId};
use crate::limits::{KEYS_MAX, LOOK_EVERY};
use crate::observed::{Complete, ImageState, ObservedImage, ObservedSnapshot};
use crate::point::{Point, Replica};
use crate::reason::{Code, Reason};
use crate::slot::PointId;
use crate::subject::Subject;
use crate::work::{Kind, Queue};

/// Prefix of the subject of a finding about a key.
const KEY: &str = "key ";

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
    /// The time since which EC2 does not show the place as the ledger has it, and somebody is to
    /// look at it.
    pub missing_since: Option<Timestamp>,
}

/// The artefacts of a region by their ids.
struct Listed<'a> {
    images: BTreeMap<&'a AmiId, &'a ObservedImage>,
    snapshots: BTreeMap<&'a SnapshotId, &'a ObservedSnapshot>,
}

impl<'a> Listed<'a> {
    fn new(
        Complete(images): &'a Complete<ObservedImage>,
        snapshots: impl Iterator<Item = &'a ObservedSnapshot>,
    ) -> Listed<'a> {
        Listed {
            images: images.iter().map(|image| (&image.id, image)).collect(),
            snapshots: snapshots.map(|snapshot| (&snapshot.id, snapshot)).collect(),
        }
    }

    /// Returns the keys of an artefact, as far as its snapshots are listed.
    fn keys_of(&self, artefact: &'a ResourceId) -> Vec<&'a str> {
        let ids: Vec<&SnapshotId> = match artefact {
            ResourceId::Image(id) => {
                self.images.get(id).into_iter().flat_map(|image| &image.snapshots).collect()
            }
            ResourceId::Snapshot(id) => vec![id],
            ResourceId::Machine(_) => Vec::new(),
        };
        let seen = ids.into_iter().filter_map(|id| self.snapshots.get(id));
        seen.filter_map(|snapshot| snapshot.kms_key.as_deref()).collect()
    }
}

/// The keys of the good artefacts of a region.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeysInUse {
    pub arns: BTreeSet<String>,
    /// Those of them that KMS has described.
    pub described: Keys,
    /// Those of which KMS has told nothing, with what happened.
    pub unanswered: BTreeMap<String, String>,
}

/// Returns the keys under which the good artefacts of a region are encrypted, and those that were
/// deleted, or are going (`known`), while something of ours is still under them, good or not.
pub fn keys<'a>(
    held: &'a [Held],
    images: &'a Complete<ObservedImage>,
    snapshots: impl Iterator<Item = &'a ObservedSnapshot>,
    known: &[Finding],
) -> BTreeSet<String> {
    let listed = Listed::new(images, snapshots);
    let artefacts = held.iter().flat_map(|held| &held.artefacts);
    let of_good = artefacts.flat_map(|artefact| listed.keys_of(artefact));
    let going = known.iter().filter_map(|known| {
        let arn = key_of(&known.artefact)?;
        let is_going = known.reason.code == Code::KeyDeleted || was_going(&arn, known);
        is_going.then_some(arn)
    });
    let going: BTreeSet<String> = going.collect();
    let all = listed.snapshots.values().filter_map(|snapshot| snapshot.kms_key.as_deref());
    of_good.chain(all.filter(|arn| going.contains(*arn))).map(str::to_string).collect()
}

/// Lists the keys whose state this audit reads. If a region has more than one audit reads, they
/// take turns, from audit to audit.
pub fn keys_in_turn(arns: &BTreeSet<String>, now: Timestamp) -> Vec<&String> {
    let arns: Vec<&String> = arns.iter().collect();
    in_turn(&arns, KEYS_MAX, now).to_vec()
}

/// Returns those that an audit looks at, if it looks at so many at most.
pub(super) fn in_turn<T>(all: &[T], most: usize, now: Timestamp) -> &[T] {
    let turns: Vec<&[T]> = all.chunks(most).collect();
    let audits = now.as_second().unsigned_abs() / LOOK_EVERY.as_secs().unsigned_abs();
    let turn = usize::try_from(audits).unwrap_or_default().checked_rem(turns.len());
    turn.and_then(|turn| turns.get(turn)).copied().unwrap_or_default()
}

/// Returns the places that EC2 and KMS do not show as the ledger has them.
pub fn suspects<'a>(
    held: &'a [Held],
    images: &'a Complete<ObservedImage>,
    snapshots: impl Iterator<Item = &'a ObservedSnapshot>,
    (keys, known): (&Keys, &[Finding]),
) -> Vec<&'a Held> {
    let listed = Listed::new(images, snapshots);
    let is_news = |arn: &str| {
        let known = known.iter().find(|known| key_of(&known.artefact).as_deref() == Some(arn));
        known.is_some_and(|known| was_going(arn, known))
    };
    let disabled = known.iter().filter(|known| known.reason.code == Code::ImageDisabled);
    let disabled: BTreeSet<&Subject> = disabled.map(|known| &known.artefact).collect();
    // It is enabled by now, and the worker has to say so.
    let is_told_as_disabled =
        |artefact: &ResourceId| disabled.contains(&Subject::from(artefact.clone()));
    let by_keys = |held: &Held, artefact: &ResourceId| match disk_keys::used(
        keys,
        listed.keys_of(artefact),
    ) {
        Use::Usable => !held.is_unusable,
        Use::Unusable(_) => held.is_unusable && !is_told_as_disabled(artefact),
        // At the audit that finds that the key was deleted, the worker looks at the place again.
        Use::Gone(_) => {
            let is_news = listed.keys_of(artefact).into_iter().any(is_news);
            held.is_unusable && !is_news && !is_told_as_disabled(artefact)
        }
        // Nothing will ever be known of the key: what was disabled and is not is as good as before.
        Use::Unknown => !held.is_unusable || !is_told_as_disabled(artefact),
        Use::Unread => true,
    };
    let is_as_held = |held: &Held, artefact: &ResourceId| match artefact {
        ResourceId::Image(id) => match listed.images.get(id).map(|image| image.state) {
            Some(ImageState::Available) => by_keys(held, artefact),
            Some(ImageState::Disabled) => held.is_unusable,
            _ => false,
        },
        ResourceId::Snapshot(id) => listed.snapshots.contains_key(id) && by_keys(held, artefact),
        ResourceId::Machine(_) => true,
    };
    let differs = |held: &&Held| {
        held.missing_since.is_none()
            && !held.artefacts.iter().all(|artefact| is_as_held(held, artefact))
    };
    held.iter().filter(differs).collect()
}

/// Returns since when an audit has known the keys of places as unusable, for each place that the
/// ledger calls good all the same, and that is not missing.
pub(super) fn good_under_unusable_keys<'a>(
    held: &'a [Held],
    images: &'a Complete<ObservedImage>,
    snapshots: impl Iterator<Item = &'a ObservedSnapshot>,
    (keys, known): (&Keys, &[Finding]),
) -> Vec<Timestamp> {
    let listed = Listed::new(images, snapshots);
    let of_key = |arn: &str| {
        let is_unusable = !disk_keys::used(keys, [arn]).may_be_usable();
        let is_told = |known: &&Finding| key_of(&known.artefact).as_deref() == Some(arn);
        known.iter().filter(|_| is_unusable).find(is_told).map(|known| known.seen_at)
    };
    let good = held.iter().filter(|held| !held.is_unusable && held.missing_since.is_none());
    let since = good.filter_map(|held| {
        let keys = held.artefacts.iter().flat_map(|artefact| listed.keys_of(artefact));
        keys.filter_map(of_key).min()
    });
    since.collect()
}

/// Reports the keys that cannot be used and those that were deleted, each once for all artefacts
/// under it, and the end of that.
pub fn unusable_keys(
    region: &Region,
    keys: &KeysInUse,
    known: &[Finding],
    now: Timestamp,
) -> Decision {
    let used = |arn: &str| disk_keys::used(&keys.described, [arn]);
    let of_region = |known: &&Finding| known.region == *region && is_of_key(known);
    let known: Vec<&Finding> = known.iter().filter(of_region).collect();
    let mut decision = Decision::default();
    for arn in &keys.arns {
        let artefact = key_subject(arn);
        let open = known.iter().find(|known| known.artefact == artefact);
        let reason = match used(arn) {
            Use::Gone(_) if open.is_some_and(|open| was_going(arn, open)) => {
                deleted(arn, region, now)
            }
            Use::Unusable(which) | Use::Gone(which) => unusable(&which, region),
            Use::Usable | Use::Unknown | Use::Unread => continue,
        };
        let finding = Finding { region: region.clone(), artefact, reason, seen_at: now };
        match open {
            Some(open) if open.reason.code == Code::KeyDeleted => {}
            Some(open) if open.reason == finding.reason => {}
            Some(open) if open.reason.code == finding.reason.code => {
                decision.command(Command::Reword(finding));
            }
            _ => decision.command(Command::Report(finding)),
        }
    }
    for known in known {
        let Some(arn) = key_of(&known.artefact) else { continue };
        let is_there = |state| match state {
            Use::Usable => true,
            Use::Unusable(_) => known.reason.code == Code::KeyDeleted,
            Use::Gone(_) | Use::Unknown | Use::Unread => false,
        };
        // A key under which nothing is good any more keeps nothing from being used. One that was
        // deleted is told of for as long as there is something under it.
        if !keys.arns.contains(&arn) || is_there(used(&arn)) {
            let (region, artefact) = (region.clone(), known.artefact.clone());
            let resolved = Resolved { region, artefact, code: known.reason.code, at: now };
            decision.command(Command::Resolve(resolved));
        }
    }
    decision
}

/// Tells whether a finding says that a key cannot be used, or was deleted.
fn is_of_key(known: &Finding) -> bool {
    matches!(known.reason.code, Code::KeyUnusable | Code::KeyDeleted)
}

/// Tells whether a finding says that an earlier audit found a key about to be deleted, or did not
/// find it. If KMS does not know it now, it was deleted.
fn was_going(arn: &str, known: &Finding) -> bool {
    let said = |which: String| known.reason == unusable(&which, &known.region);
    said(disk_keys::does_not_exist(arn)) || said(disk_keys::is_in_state(arn, PENDING_DELETION))
}

fn unusable(which: &str, region: &Region) -> Reason {
    let text = format!(
        "{which}. The images and snapshots in {region} under it are there, and nothing can be \
         started or copied from them. Enable the key, or cancel its deletion"
    );
    Reason::new(Code::KeyUnusable, text)
}

fn deleted(arn: &str, region: &Region, now: Timestamp) -> Reason {
    let at = now.strftime("%Y-%m-%d %H:%M");
    let text = format!(
        "key {arn} was deleted: KMS does not know it any more, as the second look at {at} UTC \
         confirmed. Nobody can ever use the images and snapshots in {region} under it again. \
         Images under other keys are not concerned; a replica that was under this key is copied \
         again from one of them, under the key that its policy names. Disks that are still under \
         the key cannot be imaged or started: put their data under another key. This is told \
         until the images and snapshots under the key are deleted"
    );
    Reason::new(Code::KeyDeleted, text)
}

/// The subject of a finding about a key.
fn key_subject(arn: &str) -> Subject {
    Subject::Other(format!("{KEY}{arn}"))
}

/// The key that a finding is about; none if it is about something else.
fn key_of(subject: &Subject) -> Option<String> {
    match subject {
        Subject::Other(text) => text.strip_prefix(KEY).map(str::to_string),
        _ => None,
    }
}

/// Returns what ends with a mass loss that is over: the finding of the region.
///
/// The finding stays while places are lost in a region of which no other finding tells (`untold`).
pub fn released(
    brakes: &BTreeMap<Region, Brake>,
    untold: &BTreeMap<Region, Untold>,
    known: &[Finding],
    now: Timestamp,
) -> Decision {
    let mut decision = Decision::default();
    for brake in brakes.values() {
        let Some((after, resolved)) = brake.released(now) else { continue };
        let told = known
            .iter()
            .find(|known| known.reason.code == Code::MassLoss && known.region == brake.region);
        match told.and_then(|told| Some((told, untold.get(&brake.region)?))) {
            Some((_, None)) => continue,
            Some((told, Some(left))) if !left.is_empty() => {
                let finding = brake.finding_of_left(left, now);
                if finding.reason != told.reason {
                    decision.command(Command::Reword(finding));
                }
                continue;
            }
            Some(_) | None => {}
        }
        decision.command(Command::Resolve(resolved));
        let change = Change { writes: vec![Write::brake(after)], summary: None };
        decision.command(Command::Record(Box::new(change)));
    }
    decision
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
            | Record::Obstacles(_)
            | Record::Brake(_) => None,
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
