//! A ledger that went back in time, or is empty: what was made since is adopted.
//!
//! The witness ([`crate::witness`]) tells that the ledger of a region may be too old. Then the
//! sweep looks at everything at once. Artefacts of points that the ledger does not know are judged
//! by the rules of [`crate::rebuild`], and what tags and facts confirm is written as unverified. A
//! point that the older ledger has requested again, and of which nothing was made, gives way to the
//! point that its slot had before.
//!
//! Anybody who may write tags can make artefacts that pass these rules. A point that exists would
//! keep its slot from being imaged. So nothing is adopted for a slot that is still to come, nor for
//! a stop of a machine whose run has not ended.
//!
//! A replica in a region that was not listed is undecided: the worker that copies looks for it
//! before it makes any ([`crate::flow::work_requested::copy`]).
//!
//! The doubt ends when all regions were listed, and nothing of ours is pending that the ledger does
//! not know; after [`DOUBT_MAX`] in any case. Until then, nothing with our tag of that home is
//! called foreign. While there are no policies, nobody knows the regions: nothing is adopted, and
//! the doubt begins anew with each look.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::InForce;
use super::artefact_audit::Tagged;
use crate::command::{Change, Command, Decision, Finding, Resolved, Write};
use crate::ids::{InstanceId, PolicyName, Region};
use crate::limits::{CLOCK_SKEW, DOUBT_MAX, WENT_BACK_TOLD};
use crate::machine::State;
use crate::names::TAG_POINT;
use crate::observed::{Complete, ImageState, ObservedImage, SnapshotState};
use crate::point::Point;
use crate::reason::{Code, Reason};
use crate::rebuild::{self, Found, Rebuilt, Seen};
use crate::request_counter::RequestCounter;
use crate::slot::{Occasion, PointId};
use crate::subject::Subject;
use crate::tags::read::Label;
use crate::witness::{
    Identity, Mark, Testimony, Witness, is_behind, is_doubted, is_to_be_replaced, may_be_underway,
};

/// Subject of the findings about the ledger of a region.
const LEDGER: &str = "ledger";

/// Subject of the finding about the table of the witness.
const WITNESS: &str = "witness";

/// Facts about the rounds that were counted, if it is time to look.
#[derive(Clone, Debug, Default)]
pub struct WentBack {
    pub testimony: Testimony,
    /// The images with our tag in the region of the seat, if the ledger has nothing in force, and
    /// no region is doubted and so listed.
    pub strange: Option<(Region, usize)>,
    /// The request counters of the points that may be adopted.
    pub counters: BTreeMap<(InstanceId, PolicyName), RequestCounter>,
}

/// Doubt about the ledger of a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// The time from which a worker doubts the ledger; none if only the sweep does, since now.
    pub since: Option<Timestamp>,
    /// The count that the ledger has once the doubt is over.
    pub count: u64,
    /// True if the ledger has fewer rounds than the witness: the doubt is not over, however old.
    pub is_behind: bool,
}

/// Returns the regions whose ledger may be older than its artefacts. A round that may still be
/// under way raises no doubt.
pub fn doubts(
    in_force: &InForce,
    testimony: &Testimony,
    now: Timestamp,
) -> BTreeMap<Region, Doubt> {
    let counts = counts(in_force, testimony).into_iter();
    let doubted = counts.filter_map(|(region, (identity, witness))| {
        doubt(identity, witness, now).map(|doubt| (region.clone(), doubt))
    });
    doubted.collect()
}

/// Returns the count of the ledger and that of the witness, for every region that has one.
fn counts<'a>(
    in_force: &'a InForce,
    testimony: &'a Testimony,
) -> BTreeMap<&'a Region, (Option<&'a Identity>, Option<&'a Witness>)> {
    let Testimony::Read(witnesses) = testimony else { return BTreeMap::new() };
    let homes = in_force.policies.iter().flat_map(|policy| &policy.select.regions);
    let regions = homes.chain(in_force.identities.keys()).chain(witnesses.keys());
    let of = |region| (region, (in_force.identities.get(region), witnesses.get(region)));
    regions.map(of).collect()
}

/// Returns the regions of which it is not known yet whether their ledger is to be doubted, because
/// a round may be under way.
fn undecided(in_force: &InForce, testimony: &Testimony, now: Timestamp) -> BTreeSet<Region> {
    let counts = counts(in_force, testimony).into_iter();
    let undecided = counts.filter(|(_, (identity, witness))| {
        is_doubted(*identity, *witness) && doubt(*identity, *witness, now).is_none()
    });
    undecided.map(|(region, _)| region.clone()).collect()
}

fn doubt(identity: Option<&Identity>, witness: Option<&Witness>, now: Timestamp) -> Option<Doubt> {
    let since = identity.and_then(|identity| identity.doubted_since);
    if !is_doubted(identity, witness) || since.is_none() && may_be_underway(witness, now) {
        return None;
    }
    let counts = identity.map(|identity| identity.count).into_iter();
    let count = counts.chain(witness.map(|witness| witness.count)).max().unwrap_or(0);
    Some(Doubt { since, count, is_behind: is_behind(identity, witness) })
}

/// Returns the points with a home in a doubted region that artefacts name, and that the ledger does
/// not know, or would make again, or knows as they were before a later attempt.
fn unknown(tagged: &Tagged, doubts: &BTreeMap<Region, Doubt>) -> BTreeSet<PointId> {
    let images = tagged.images.values().flat_map(|images| &images.0).map(|image| &image.tags);
    let snapshots = tagged.snapshots.values().flat_map(|snapshots| &snapshots.0);
    let tags = images.chain(snapshots.map(|snapshot| &snapshot.tags));
    let named = tags.filter(|tags| tags.contains_key(TAG_POINT));
    let labels = named.filter_map(|tags| Label::read(tags).ok());
    let originals = rebuild::originals(&tagged.images, &tagged.snapshots);
    let later = rebuild::made_later(originals, &tagged.points);
    let is_unknown = |label: &Label| {
        let known = tagged.points.get(&label.point);
        doubts.contains_key(&label.home)
            && (known.is_none_or(is_to_be_replaced) || later.contains(&label.point))
    };
    labels.filter(is_unknown).map(|label| label.point).collect()
}

/// Returns the regions that images with such a home name for a replica. A ledger that is empty, or
/// of which an item was deleted, may not know them.
pub fn regions_of_replicas<'a>(
    images: impl IntoIterator<Item = &'a ObservedImage>,
    is_asked: impl Fn(&Region) -> bool,
) -> BTreeSet<Region> {
    let labels = images.into_iter().filter_map(|image| Label::read(&image.tags).ok());
    let labels = labels.filter(|label| is_asked(&label.home));
    labels.flat_map(|label| label.replicas).collect()
}

impl Tagged {
    /// Returns what points are rebuilt from: the artefacts whose tags are like that, and the
    /// snapshots that have lost our tag.
    pub(super) fn seen(&self, is_like_that: impl Fn(&BTreeMap<String, String>) -> bool) -> Seen {
        let mut seen = Seen::default();
        for (region, Complete(images)) in &self.images {
            let images = images.iter().filter(|image| is_like_that(&image.tags));
            seen.images.insert(region.clone(), Complete(images.cloned().collect()));
        }
        for (region, Complete(snapshots)) in &self.snapshots {
            let snapshots = snapshots.iter().filter(|snapshot| is_like_that(&snapshot.tags));
            seen.snapshots.insert(region.clone(), Complete(snapshots.cloned().collect()));
        }
        for (region, unlisted) in &self.unlisted {
            let bare = unlisted.values().filter(|snapshot| !snapshot.tags.contains_key(TAG_POINT));
            seen.bare.insert(region.clone(), bare.cloned().collect());
        }
        seen
    }
}

/// Returns the points that can be adopted, and the artefacts of unknown points that cannot be used.
pub fn found(tagged: &Tagged, doubts: &BTreeMap<Region, Doubt>, now: Timestamp) -> Found {
    let unknown = unknown(tagged, doubts);
    let is_unknown = |tags: &BTreeMap<String, String>| {
        let point = tags.get(TAG_POINT).and_then(|tag| PointId::parse(tag).ok());
        point.is_some_and(|point| unknown.contains(&point))
    };
    let seen = tagged.seen(is_unknown);
    let mut found = rebuild::decide(&seen);
    found.points.retain(|rebuilt| {
        let known = tagged.points.get(&rebuilt.point.id);
        is_past(&rebuilt.point, tagged, now) && known.is_none_or(|known| rebuilt.is_better(known))
    });
    found
}

/// Tells whether the occasion of a point is over: otherwise it cannot have been made for it.
fn is_past(point: &Point, tagged: &Tagged, now: Timestamp) -> bool {
    let is_before = |at: Timestamp, other: Timestamp| at.duration_since(other) <= CLOCK_SKEW;
    let is_running = |launched: Timestamp| {
        let machines = tagged.fleet.get(&point.home).into_iter().flat_map(|machines| &machines.0);
        machines.filter(|machine| machine.id == *point.instance()).any(|machine| {
            let is_up = !matches!(machine.state, State::Stopped | State::Stopping);
            is_up && machine.launched == launched
        })
    };
    let is_asked = is_before(point.requested_at, now);
    is_asked
        && match point.slot.occasion {
            Occasion::Scheduled(at) => is_before(at, point.requested_at),
            Occasion::Stopped { launched } => {
                is_before(launched, point.requested_at) && !is_running(launched)
            }
            Occasion::OnDemand { .. } => true,
        }
}

/// Results of the look at what the ledger may not know.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    pub decision: Decision,
    /// The facts of the audit with what is adopted; none if nothing is.
    pub known: Option<Tagged>,
    /// The regions whose ledger is doubted from now on, or may come to be.
    pub doubted: BTreeSet<Region>,
}

/// Decides on the doubts.
pub fn decide(facts: &WentBack, in_force: &InForce, tagged: &Tagged, now: Timestamp) -> Outcome {
    let mut decision = Decision::default();
    tell_of_witness(&mut decision, facts, in_force, tagged, now);
    let mut doubted = undecided(in_force, &facts.testimony, now);
    let doubts = doubts(in_force, &facts.testimony, now);
    if doubts.is_empty() {
        if let Some((seat, images @ 1..)) = &facts.strange {
            tell_of_strange(&mut decision, seat, *images, now);
        }
        return Outcome { decision, doubted, ..Outcome::default() };
    }
    // Until there are policies, nobody knows all regions that may have replicas.
    if in_force.policies.is_empty() && in_force.unreadable.is_empty() {
        for (region, Doubt { count, .. }) in doubts {
            let listed = tagged.images.get(&region).into_iter().flat_map(|listed| &listed.0);
            match listed.filter(|image| image.tags.contains_key(TAG_POINT)).count() {
                images @ 1.. if in_force.is_untouched() => {
                    tell_of_strange(&mut decision, &region, images, now);
                }
                _ => {}
            }
            doubted.insert(region.clone());
            decision.command(Command::Mark(Mark::Doubt { region, count, doubted_since: now }));
        }
        return Outcome { decision, doubted, ..Outcome::default() };
    }
    let found = found(tagged, &doubts, now);
    let is_late = |home: &Region| {
        let since = doubts.get(home).filter(|doubt| !doubt.is_behind).and_then(|it| it.since);
        since.is_some_and(|since| now.duration_since(since) >= DOUBT_MAX)
    };
    // What is adopted is audited from then on, also where no policy of today has anything.
    let unlisted = found.regions().into_iter().filter(|it| !in_force.regions.contains(it));
    unlisted.for_each(|region| decision.command(Command::Watch(region)));
    for rebuilt in &found.points {
        let change =
            rebuilt.change_in_place(tagged.points.get(&rebuilt.point.id), &tagged.replicas);
        decision.say(&rebuilt.point.id, Reason::new(Code::Adopted, ADOPTED));
        decision.command(Command::Record(Box::new(change)));
    }
    raise_counters(&mut decision, &found, facts);
    // The policies may have come without that of the doubt.
    let mut regions = in_force.regions.iter().chain(doubts.keys());
    let are_all_listed = regions.all(|region| tagged.images.contains_key(region));
    let pending = pending(tagged, &doubts);
    for (region, doubt) in &doubts {
        let is_of = |rebuilt: &&Rebuilt| rebuilt.point.home == *region;
        let count = found.points.iter().filter(is_of).count();
        // What is adopted may be written by somebody else at this moment. The next sweep sees it.
        let is_done = are_all_listed && count == 0 && !pending.contains(region);
        if count > 0 {
            report(&mut decision, region, count, found.unusable.len(), now);
        }
        if is_done || is_late(region) {
            let Doubt { since, count, .. } = *doubt;
            let region = region.clone();
            decision.command(Command::Mark(Mark::Settle { region, count, since }));
            continue;
        }
        doubted.insert(region.clone());
        if doubt.since.is_none() {
            let (region, count) = (region.clone(), doubt.count);
            decision.command(Command::Mark(Mark::Doubt { region, count, doubted_since: now }));
        }
    }
    let known = (!found.points.is_empty()).then(|| with(tagged, &found.points));
    Outcome { decision, known, doubted }
}

const ADOPTED: &str = "the ledger did not know this point; tags and facts confirm it";

/// Keeps it once that the table of the witness does not answer, and ends findings that hold no
/// longer, or were told for long enough.
fn tell_of_witness(
    decision: &mut Decision,
    facts: &WentBack,
    in_force: &InForce,
    tagged: &Tagged,
    now: Timestamp,
) {
    if let Testimony::Unreadable(why) = &facts.testimony {
        let homes = in_force.policies.iter().flat_map(|policy| &policy.select.regions);
        let text = format!(
            "images are made, but it cannot be told whether the ledger was put back to an earlier \
             time: {why}"
        );
        for region in homes.collect::<BTreeSet<_>>() {
            decision.command(Command::Report(Finding {
                region: region.clone(),
                artefact: Subject::from(WITNESS),
                reason: Reason::new(Code::WitnessUnreadable, &text),
                seen_at: now,
            }));
        }
    }
    let is_read = matches!(facts.testimony, Testimony::Read(_));
    let over = tagged.known.iter().filter(|known| match known.reason.code {
        Code::WitnessUnreadable => is_read,
        Code::LedgerWentBack => now.duration_since(known.seen_at) >= WENT_BACK_TOLD,
        Code::LedgerEmpty => !in_force.is_untouched(),
        _ => false,
    });
    for known in over {
        decision.command(Command::Resolve(Resolved {
            region: known.region.clone(),
            artefact: known.artefact.clone(),
            code: known.reason.code,
            at: now,
        }));
    }
}

/// Reports that nothing is in force in the ledger, and that images of ours exist. Another table was
/// the ledger before, because a new name of the table makes a new one; or it was emptied.
fn tell_of_strange(decision: &mut Decision, seat: &Region, images: usize, now: Timestamp) {
    let text = format!(
        "no policy is in force, the ledger has nothing, and {images} images in this region have \
         our tag: nothing is made; if the parameter TableName of the stack was changed, copy the \
         old table by `afterimage rebuild --from`; otherwise run `afterimage rebuild`"
    );
    decision.command(Command::Report(Finding {
        region: seat.clone(),
        artefact: Subject::from(LEDGER),
        reason: Reason::new(Code::LedgerEmpty, text),
        seen_at: now,
    }));
}

/// Reports that the ledger of a region went back. An earlier report gives way to this one.
fn report(
    decision: &mut Decision,
    region: &Region,
    adopted: usize,
    foreign: usize,
    now: Timestamp,
) {
    let artefact = Subject::from(LEDGER);
    decision.command(Command::Resolve(Resolved {
        region: region.clone(),
        artefact: artefact.clone(),
        code: Code::LedgerWentBack,
        at: now,
    }));
    let text = format!(
        "the ledger was put back to an earlier time, or was empty: it did not know {adopted} \
         points of this region, or not their last attempt; they are adopted as unverified, and \
         {foreign} artefacts could not be used; run `afterimage rebuild` to look in all regions"
    );
    let reason = Reason::new(Code::LedgerWentBack, text);
    decision.command(Command::Report(Finding {
        region: region.clone(),
        artefact,
        reason,
        seen_at: now,
    }));
}

/// Raises the request counters to the points that were found, so that no number is used twice.
fn raise_counters(decision: &mut Decision, found: &Found, facts: &WentBack) {
    for asked in found.asked() {
        let known = facts.counters.get(&(asked.instance.clone(), asked.policy.clone()));
        if known.is_some_and(|known| known.ordinal >= asked.ordinal) {
            continue;
        }
        let ordinal = asked.ordinal;
        let raised = known.map(|known| RequestCounter { ordinal, ..known.clone() });
        let write = Write::request_counter(raised.unwrap_or(asked));
        let change = Change { writes: vec![write], summary: None };
        decision.command(Command::Record(Box::new(change)));
    }
}

/// Returns the homes of unknown points that have something pending.
fn pending(tagged: &Tagged, doubts: &BTreeMap<Region, Doubt>) -> BTreeSet<Region> {
    let unknown = unknown(tagged, doubts);
    let images = tagged.images.values().flat_map(|images| &images.0);
    let images = images.filter(|image| image.state == ImageState::Pending);
    let snapshots = tagged.snapshots.values().flat_map(|snapshots| &snapshots.0);
    let snapshots = snapshots.filter(|snapshot| snapshot.state == SnapshotState::Pending);
    let tags = images.map(|image| &image.tags).chain(snapshots.map(|snapshot| &snapshot.tags));
    let labels = tags.filter_map(|tags| Label::read(tags).ok());
    labels.filter(|label| unknown.contains(&label.point)).map(|label| label.home).collect()
}

/// Returns the facts of the audit with the points that are adopted among those that are known.
fn with(tagged: &Tagged, adopted: &[Rebuilt]) -> Tagged {
    let mut known = tagged.clone();
    for rebuilt in adopted {
        known.points.insert(rebuilt.point.id.clone(), rebuilt.point.clone());
        for replica in &rebuilt.replicas {
            let key = (replica.point.clone(), replica.region.clone());
            known.replicas.insert(key, replica.clone());
        }
    }
    known
}
