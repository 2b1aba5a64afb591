//! Artefacts that carry our tag: which are ours by the ledger and the facts, and which are needed.
//!
//! A tag nominates, it never authorises: anybody may write one, and whoever copies an image of ours
//! copies its tags. Ours is what the ledger names, and what its intents and the facts vouch for:
//!
//! - a snapshot at home is of a volume of the machine, and began after the point was requested and
//!   not after the call that made the snapshots of the point;
//! - an image at home has a name of ours, and nothing but snapshots of the point in its mapping;
//!   or, of a point whose image EC2 creates, it was made of the machine, after the point was
//!   requested;
//! - a replica has a name of ours, is a copy of the image that was to be copied there, and is
//!   encrypted if a key was asked for;
//! - a snapshot elsewhere is in the mapping of such a replica: copies of snapshots show no volume.
//!   Wherever it is, it is ours if it was copied for an image that the ledger names and EC2 does
//!   not list, as its description says: that image may have been deleted a moment ago.
//!
//! An artefact of a place that the ledger calls good is ours without any of that. The index of
//! these places has the ids, so that no point is read for it ([`vouched`]).
//!
//! What is ours and not named by the ledger is surplus, as the call that made it was not heard of
//! again: it is linked to its point, and removed by the ordinary steps. While a point is in the
//! step that may have made it, it is left to the worker, who can still make use of it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::coverage::Fleet;
use super::families::{self, Families};
use super::held::{Held, KeysInUse};
use super::nothing_waits::HeldUp;
use super::stands_still::Overdue;
use super::tag_gone::Unlisted;
use crate::call::{copy_image, register_image};
use crate::change::Record;
use crate::command::{Change, Command, Decision, Finding, Resolved};
use crate::ids::{AmiId, Region, ResourceId, SnapshotId};
use crate::limits::{CLOCK_SKEW, EC2_CALL_MAX, FOREIGN_REPORTS_MAX, SETTLE, later};
use crate::names::{TAG_ATTEMPT, TAG_POINT, image_name};
use crate::observed::{Complete, ImageState, ObservedImage, ObservedSnapshot};
use crate::point::{Point, Replica, ReplicaStatus};
use crate::reason::{Code, Reason};
use crate::slot::PointId;
use crate::status::Status;
use crate::subject::Subject;
use crate::tags::read::Label;

type Tags = BTreeMap<String, String>;

/// Artefacts that carry our tag, and what the ledger has on them. It is read after the listings:
/// a point that is younger than them must not look unknown. And every machine, for those that
/// should carry a tag and do not.
#[derive(Clone, Debug, Default)]
pub struct Tagged {
    pub fleet: Fleet,
    pub snapshots: BTreeMap<Region, Complete<ObservedSnapshot>>,
    pub images: BTreeMap<Region, Complete<ObservedImage>>,
    /// Snapshots that the listings by our tag do not show, by a look at their ids.
    pub unlisted: BTreeMap<Region, Unlisted>,
    /// The answers of the regions that could not be read, and may have something of ours.
    pub unread: BTreeMap<Region, String>,
    /// The artefacts that need no look, by region.
    pub vouched: BTreeMap<Region, Vouched>,
    /// The points that the tags of the others name, as far as there are such points.
    pub points: BTreeMap<PointId, Point>,
    pub replicas: BTreeMap<(PointId, Region), Replica>,
    pub known: Vec<Finding>,
    /// The places that the ledger calls good, by region; read before the listings.
    pub held: BTreeMap<Region, Vec<Held>>,
    /// The keys of these places, by region.
    pub keys: BTreeMap<Region, KeysInUse>,
    /// The records of the places that EC2 does not show as the ledger has them.
    pub suspects: Vec<Record>,
    /// The queues of which a finding says that they are held up.
    pub held_up: Vec<HeldUp>,
    /// The queues in which something is overdue for long.
    pub overdue: Vec<Overdue>,
}

impl Tagged {
    /// Returns the snapshots of a region: those with our tag, and those that should have it.
    pub fn shown<'a>(&'a self, region: &Region) -> impl Iterator<Item = &'a ObservedSnapshot> {
        let listed = self.snapshots.get(region).into_iter().flat_map(|all| &all.0);
        listed.chain(self.unlisted.get(region).into_iter().flat_map(Unlisted::values))
    }

    /// Tells whether the index of places has an artefact, whatever its tag says.
    pub(super) fn is_vouched(&self, region: &Region, artefact: &ResourceId) -> bool {
        self.vouched.get(region).is_some_and(|vouched| vouched.contains(artefact))
    }

    /// Returns the images of points, for those that the ledger does not name.
    pub(super) fn families(&self) -> Families<'_> {
        let Tagged { images, replicas, held, .. } = self;
        Families { images, replicas, held, shown: families::shown(images) }
    }
}

/// Artefacts of places that the ledger calls good.
pub type Vouched = BTreeSet<ResourceId>;

/// Lists the artefacts of places that the ledger calls good: the images, their snapshots, and the
/// snapshots of points without an image. While the ledger is doubted, none are: the points of
/// everything are read.
pub fn vouched(
    held: &[Held],
    Complete(images): &Complete<ObservedImage>,
    is_doubted: bool,
) -> Vouched {
    if is_doubted {
        return Vouched::new();
    }
    let mut vouched: Vouched = held.iter().flat_map(|held| held.artefacts.clone()).collect();
    let is_held = |image: &&ObservedImage| vouched.contains(&image.id.clone().into());
    let mapped = images.iter().filter(is_held).flat_map(|image| image.snapshots.clone());
    let mapped: Vec<ResourceId> = mapped.map(ResourceId::from).collect();
    vouched.extend(mapped);
    vouched
}

/// Returns the points that the tags of the other artefacts name.
pub fn named(
    vouched: &Vouched,
    Complete(images): &Complete<ObservedImage>,
    Complete(snapshots): &Complete<ObservedSnapshot>,
) -> BTreeSet<PointId> {
    let of_images = images.iter().map(|image| (ResourceId::from(image.id.clone()), &image.tags));
    let of_snapshots = snapshots.iter();
    let of_snapshots =
        of_snapshots.map(|snapshot| (ResourceId::from(snapshot.id.clone()), &snapshot.tags));
    let all = of_images.chain(of_snapshots);
    let others = all.filter(|(id, _)| !vouched.contains(id));
    others.filter_map(|(_, tags)| PointId::parse(tags.get(TAG_POINT)?).ok()).collect()
}

enum Verdict<'a> {
    /// Ours, and the ledger names it; or not to be judged yet.
    Leave,
    /// Ours, of no use, and to be linked to this point or replica.
    Surplus(Owner<'a>),
    Foreign(Cow<'static, str>),
}

impl Verdict<'_> {
    fn foreign(why: &'static str) -> Self {
        Verdict::Foreign(why.into())
    }
}

#[derive(Clone, Copy)]
enum Owner<'a> {
    Point(&'a Point),
    Replica(&'a Replica),
}

/// What may be ours although the ledger does not know it: nothing of it is called foreign yet.
#[derive(Clone, Copy, Debug)]
pub struct Doubted<'a> {
    /// The homes whose ledger may not know what it has made.
    pub homes: &'a BTreeSet<Region>,
    /// The points of which the ledger lacks a record.
    pub points: &'a BTreeSet<PointId>,
}

/// Decides what to do about each artefact that carries our tag.
pub fn look(tagged: &Tagged, doubted: Doubted, now: Timestamp) -> Decision {
    let mut audit = Audit::new(tagged, doubted, now);
    // The snapshots of images that are ours, by region.
    let mut mapped: BTreeSet<(&Region, &SnapshotId)> = BTreeSet::new();
    let mut of_family: BTreeSet<(&Region, &SnapshotId)> = BTreeSet::new();
    let families = tagged.families();
    for (region, images) in &tagged.images {
        let ours = images.0.iter().filter(|image| image.tags.contains_key(TAG_POINT));
        for image in ours {
            if tagged.is_vouched(region, &image.id.clone().into()) {
                mapped.extend(image.snapshots.iter().map(|snapshot| (region, snapshot)));
                continue;
            }
            let mut verdict = image_verdict(tagged, region, image);
            if matches!(verdict, Verdict::Foreign(_))
                && let Some(of_point) = family_verdict(&families, tagged, region, image)
            {
                of_family.extend(image.snapshots.iter().map(|snapshot| (region, snapshot)));
                verdict = of_point;
            }
            if !matches!(verdict, Verdict::Foreign(_)) {
                mapped.extend(image.snapshots.iter().map(|snapshot| (region, snapshot)));
            }
            audit.take(region, (image.id.clone().into(), &image.tags), verdict);
        }
    }
    for (region, snapshots) in &tagged.snapshots {
        for snapshot in &snapshots.0 {
            if tagged.is_vouched(region, &snapshot.id.clone().into()) {
                continue;
            }
            if of_family.contains(&(region, &snapshot.id)) {
                continue;
            }
            let is_mapped = mapped.contains(&(region, &snapshot.id));
            let verdict = snapshot_verdict(tagged, region, snapshot, is_mapped);
            audit.take(region, (snapshot.id.clone().into(), &snapshot.tags), verdict);
        }
    }
    let over = over(tagged, &audit.foreign, now);
    let mut decision = audit.into_decision();
    decision.commands.extend(over.into_iter().map(Command::Resolve));
    decision
}

/// Returns the findings about foreign artefacts that hold no longer: the artefact is gone, has lost
/// our tag, or is ours after all. An image without our tag that holds a name of ours stays foreign.
fn over(tagged: &Tagged, foreign: &BTreeSet<(Region, Subject)>, now: Timestamp) -> Vec<Resolved> {
    let is_over = |known: &&Finding| {
        let (Some(images), true) = (
            tagged.images.get(&known.region),
            tagged.snapshots.contains_key(&known.region) && known.reason.code == Code::Foreign,
        ) else {
            return false;
        };
        let is_artefact = matches!(known.artefact, Subject::Image(_) | Subject::Snapshot(_));
        let holds_a_name = images.0.iter().any(|image| {
            Subject::from(&image.id) == known.artefact
                && !image.tags.contains_key(TAG_POINT)
                && is_our_name(&image.name)
        });
        let is_foreign = foreign.contains(&(known.region.clone(), known.artefact.clone()));
        is_artefact && !is_foreign && !holds_a_name
    };
    let resolved = |known: &Finding| Resolved {
        region: known.region.clone(),
        artefact: known.artefact.clone(),
        code: Code::Foreign,
        at: now,
    };
    tagged.known.iter().filter(is_over).map(resolved).collect()
}

/// Tells whether a name is one that an attempt at a point could have.
fn is_our_name(name: &str) -> bool {
    name.rsplit_once('-').is_some_and(|(point, attempt)| {
        PointId::parse(point).is_ok() && attempt.parse::<u32>().is_ok()
    })
}

/// The point that the tag names.
fn point_of<'a>(tagged: &'a Tagged, tags: &Tags) -> Result<&'a Point, &'static str> {
    let named = tags.get(TAG_POINT).ok_or("its point tag is missing")?;
    let id = PointId::parse(named).map_err(|_| "its point tag is not the id of a point")?;
    tagged.points.get(&id).ok_or("its point is not in the ledger")
}

fn image_verdict<'a>(tagged: &'a Tagged, region: &Region, image: &ObservedImage) -> Verdict<'a> {
    match point_of(tagged, &image.tags) {
        Err(why) => Verdict::foreign(why),
        Ok(point) if point.home == *region => {
            match tagged.replicas.get(&(point.id.clone(), region.clone())) {
                // It may have been copied back. An image that EC2 created has a source as well.
                Some(replica) if image.source.is_some() && !is_known(point, image) => {
                    image_elsewhere(point, replica, image)
                }
                _ => image_at_home(point, image),
            }
        }
        Ok(point) => match tagged.replicas.get(&(point.id.clone(), region.clone())) {
            Some(replica) => image_elsewhere(point, replica, image),
            None => Verdict::foreign("its point has no replica in this region"),
        },
    }
}

/// Judges an image that the records do not vouch for, and the family of its point does; none if it
/// does not either. A place whose image is missing may get this one.
fn family_verdict<'a>(
    families: &Families<'a>,
    tagged: &'a Tagged,
    region: &Region,
    image: &ObservedImage,
) -> Option<Verdict<'a>> {
    let point = point_of(tagged, &image.tags).ok()?;
    let replica = tagged.replicas.get(&(point.id.clone(), region.clone()));
    let owner = match point.home == *region {
        true => Owner::Point(point),
        false => Owner::Replica(replica?),
    };
    families.has(point, region, &image.id).then(|| match families.is_wanting(point, region) {
        true => Verdict::Leave,
        false => Verdict::Surplus(owner),
    })
}

/// Tells whether the point itself names an image, or has lost it or left it.
fn is_known(point: &Point, image: &ObservedImage) -> bool {
    let named = [&point.image, &point.lost];
    named.contains(&&Some(image.id.clone())) || is_leftover(&point.leftovers, &image.id)
}

fn image_at_home<'a>(point: &'a Point, image: &ObservedImage) -> Verdict<'a> {
    if is_known(point, image) {
        return Verdict::Leave;
    }
    // It takes a moment until an image shows its mapping.
    let is_unfinished = image.state == ImageState::Pending && image.snapshots.is_empty();
    let is_begun = matches!(point.status, Status::Registering | Status::Creating);
    if is_begun || is_unfinished {
        return Verdict::Leave;
    }
    let is_created = point.is_created();
    let attempts = match point.status {
        Status::Ready | Status::Registered => point.step.attempt,
        Status::Requested | Status::Created if is_created => point.step.attempt,
        // The step counts the attempts at something else by now.
        _ => point.step.attempts_end(),
    };
    let is_of_point = |snapshot: &SnapshotId| {
        point.snapshots.values().any(|ours| ours == snapshot)
            || is_leftover(&point.leftovers, snapshot)
    };
    let differences = register_image::differences(point, image);
    if !is_created && !differences.is_empty() {
        Verdict::Foreign(register_image::not_as_registered(&differences).into())
    } else if !has_our_name(image, &point.id, attempts) {
        Verdict::foreign("its name does not match any attempt of its recovery point")
    } else if is_created {
        created_at_home(point, image)
    } else if image.snapshots.is_empty() || !image.snapshots.iter().all(is_of_point) {
        Verdict::foreign("its snapshots are not the snapshots of its point")
    } else {
        Verdict::Surplus(Owner::Point(point))
    }
}

/// Tells whether the image of a point is being copied back to its home.
fn is_copied_back(tagged: &Tagged, point: &Point) -> bool {
    let record = tagged.replicas.get(&(point.id.clone(), point.home.clone()));
    record.is_some_and(|record| {
        matches!(record.status, ReplicaStatus::Copying | ReplicaStatus::Pending)
    })
}

/// An image that a call may have made for a point whose image EC2 creates.
fn created_at_home<'a>(point: &'a Point, image: &ObservedImage) -> Verdict<'a> {
    let is_of_machine = image.attributes.source_instance.as_ref() == Some(point.instance());
    let is_younger = |at: Timestamp| point.requested_at.duration_since(at) <= CLOCK_SKEW;
    if !is_of_machine {
        Verdict::foreign("its source instance is not the machine of its point")
    } else if !image.created_at.is_some_and(is_younger) {
        Verdict::foreign("it was created before its point was requested")
    } else {
        Verdict::Surplus(Owner::Point(point))
    }
}

fn image_elsewhere<'a>(point: &Point, replica: &'a Replica, image: &ObservedImage) -> Verdict<'a> {
    let is_named = replica.image.as_ref() == Some(&image.id);
    let is_lost = replica.lost.as_ref() == Some(&image.id);
    if is_named || is_lost || is_leftover(&replica.leftovers, &image.id) {
        return Verdict::Leave;
    }
    if let Some(difference) = copy_image::difference(point, &replica.region, image) {
        return Verdict::Foreign(difference.into());
    }
    // Asked to wait, it will be asked for again under the same token: what an earlier call of that
    // try made comes back then.
    let is_asked_again = replica.status == ReplicaStatus::Waiting
        && image.name == image_name(&replica.point, replica.step.attempt);
    if replica.status == ReplicaStatus::Copying || is_asked_again {
        return Verdict::Leave;
    }
    let source = image.source.as_ref().map(|(region, image)| (region, image));
    if source != Some((replica.source_region(), &replica.source)) {
        Verdict::foreign("its source is not the image of its point")
    } else if !has_our_name(image, &replica.point, replica.step.attempt) {
        Verdict::foreign("its name does not match any attempt of its recovery point")
    } else {
        Verdict::Surplus(Owner::Replica(replica))
    }
}

fn snapshot_verdict<'a>(
    tagged: &'a Tagged,
    region: &Region,
    snapshot: &ObservedSnapshot,
    is_mapped: bool,
) -> Verdict<'a> {
    match point_of(tagged, &snapshot.tags) {
        Err(why) => Verdict::foreign(why),
        Ok(point) if is_of_copy(tagged, region, point, snapshot) => Verdict::Leave,
        // The snapshots of an image that was copied back are of no volume of its machine.
        Ok(point) if is_mapped && !point.healed.is_empty() => Verdict::Leave,
        // A copy that is pending may not show its mapping yet.
        Ok(point) if point.home == *region && is_copied_back(tagged, point) => Verdict::Leave,
        Ok(point) if point.home == *region => of_earlier_copy(tagged, point, snapshot)
            .unwrap_or_else(|| snapshot_at_home(point, snapshot)),
        Ok(_) if is_mapped => Verdict::Leave,
        Ok(point) => match tagged.replicas.get(&(point.id.clone(), region.clone())) {
            Some(replica) => snapshot_elsewhere(replica, snapshot),
            None => Verdict::foreign("its point has no replica in this region"),
        },
    }
}

/// Judges a snapshot of an image that was copied back, and that another has taken the place of.
fn of_earlier_copy<'a>(
    tagged: &'a Tagged,
    point: &Point,
    snapshot: &ObservedSnapshot,
) -> Option<Verdict<'a>> {
    let record = tagged.replicas.get(&(point.id.clone(), point.home.clone()))?;
    if is_leftover(&record.leftovers, &snapshot.id) {
        return Some(Verdict::Leave);
    }
    let is_ours = is_copied_for(&record.leftovers, snapshot);
    is_ours.then_some(Verdict::Surplus(Owner::Replica(record)))
}

fn snapshot_at_home<'a>(point: &'a Point, snapshot: &ObservedSnapshot) -> Verdict<'a> {
    let is_named = point.snapshots.values().any(|ours| *ours == snapshot.id);
    if is_named || is_leftover(&point.leftovers, &snapshot.id) {
        return Verdict::Leave;
    }
    if is_copied_for(&point.leftovers, snapshot) {
        return Verdict::Surplus(Owner::Point(point));
    }
    let attempts = match point.status {
        Status::Snapshotting | Status::Creating => return Verdict::Leave,
        // Which snapshots its image is made of is learnt when it is available.
        Status::Created if attempt_of(&snapshot.tags) == Some(point.step.attempt) => {
            return Verdict::Leave;
        }
        Status::Requested | Status::Snapshotted | Status::Created => point.step.attempt,
        // The step counts the attempts at something else by now.
        _ => point.step.attempts_end(),
    };
    let volumes = point.machine.iter().flat_map(|machine| &machine.volumes);
    let mut volumes = volumes.map(|volume| &volume.id);
    if !volumes.any(|volume| Some(volume) == snapshot.volume.as_ref()) {
        Verdict::foreign("its volume does not belong to the machine of its point")
    } else if point.requested_at.duration_since(snapshot.started_at) > CLOCK_SKEW {
        Verdict::foreign("it was started before its point was requested")
    } else if point.taken_at.is_some_and(|at| snapshot.started_at > later(at, latest_start(point)))
    {
        Verdict::foreign("it was started after the snapshots of its point were made")
    } else if attempt_of(&snapshot.tags).is_none_or(|attempt| attempt > attempts) {
        Verdict::foreign("its attempt number matches no attempt of its point")
    } else {
        Verdict::Surplus(Owner::Point(point))
    }
}

/// Returns the time after the intent of the last call that made snapshots of a point in which a
/// snapshot of that call is started. EC2 reboots a machine first if it creates its image.
fn latest_start(point: &Point) -> SignedDuration {
    let longest = if point.is_created() { SETTLE } else { EC2_CALL_MAX };
    longest.saturating_add(CLOCK_SKEW)
}

fn snapshot_elsewhere<'a>(replica: &'a Replica, snapshot: &ObservedSnapshot) -> Verdict<'a> {
    // Until then the image that it belongs to may not show its mapping yet, or not be known of.
    let is_underway = !replica.status.is_settled();
    // The snapshots of an image that was lost come back before it.
    if is_underway || replica.lost.is_some() || is_leftover(&replica.leftovers, &snapshot.id) {
        return Verdict::Leave;
    }
    if is_copied_for(&replica.leftovers, snapshot) {
        return Verdict::Surplus(Owner::Replica(replica));
    }
    Verdict::foreign("no replica of its point uses it")
}

/// Tells whether EC2 made a snapshot for the copy that a place of a point has, or has lost. While
/// the copy is listed, its mapping decides.
fn is_of_copy(
    tagged: &Tagged,
    region: &Region,
    point: &Point,
    snapshot: &ObservedSnapshot,
) -> bool {
    let home = Some(point).filter(|point| point.home == *region);
    let replica = tagged.replicas.get(&(point.id.clone(), region.clone()));
    let of_home = home.into_iter().flat_map(|point| [&point.image, &point.lost]);
    let of_replica = replica.into_iter().flat_map(|replica| [&replica.image, &replica.lost]);
    let mut copies = of_home.chain(of_replica).flatten();
    let listed = tagged.images.get(region).map_or(&[][..], |listed| &listed.0);
    let is_listed = |copy: &AmiId| listed.iter().any(|image| image.id == *copy);
    copies.any(|copy| snapshot.copied_for.as_ref() == Some(copy) && !is_listed(copy))
}

/// Tells whether EC2 made a snapshot for one of these images, which are gone or of no use.
fn is_copied_for(leftovers: &[ResourceId], snapshot: &ObservedSnapshot) -> bool {
    snapshot.copied_for.as_ref().is_some_and(|image| is_leftover(leftovers, image))
}

fn is_leftover(leftovers: &[ResourceId], artefact: &(impl Clone + Into<ResourceId>)) -> bool {
    leftovers.contains(&artefact.clone().into())
}

fn attempt_of(tags: &Tags) -> Option<u32> {
    tags.get(TAG_ATTEMPT)?.parse().ok()
}

/// A name that one of the attempts up to now gave, and the one that its tag says.
fn has_our_name(image: &ObservedImage, point: &PointId, attempts: u32) -> bool {
    let attempt = attempt_of(&image.tags).filter(|attempt| *attempt <= attempts);
    attempt.is_some_and(|attempt| image.name == image_name(point, attempt))
}

/// Results of the audit: one change for each record, one report for each artefact.
struct Audit<'a> {
    now: Timestamp,
    doubted: Doubted<'a>,
    known: BTreeSet<(&'a Region, &'a Subject)>,
    /// Everything that is foreign now, reported or not.
    foreign: BTreeSet<(Region, Subject)>,
    points: BTreeMap<&'a PointId, Point>,
    replicas: BTreeMap<(&'a PointId, &'a Region), Replica>,
    reports: Vec<Finding>,
    decision: Decision,
}

impl<'a> Audit<'a> {
    fn new(tagged: &'a Tagged, doubted: Doubted<'a>, now: Timestamp) -> Audit<'a> {
        let known = tagged.known.iter().map(|known| (&known.region, &known.artefact));
        Audit {
            now,
            doubted,
            known: known.collect(),
            foreign: BTreeSet::new(),
            points: BTreeMap::new(),
            replicas: BTreeMap::new(),
            reports: Vec::new(),
            decision: Decision::default(),
        }
    }

    fn take(
        &mut self,
        region: &Region,
        (artefact, tags): (ResourceId, &Tags),
        verdict: Verdict<'a>,
    ) {
        match verdict {
            Verdict::Leave => {}
            Verdict::Surplus(owner) => self.link(artefact, owner),
            Verdict::Foreign(why) => self.report(region, (artefact.into(), tags), &why),
        }
    }

    /// Tells whether the tags of an artefact are of a home whose ledger may not know it, or of a
    /// point of which it lacks a record.
    fn may_be_unknown(&self, tags: &Tags) -> bool {
        let Doubted { homes, points } = self.doubted;
        let label = Label::read(tags).ok().filter(|_| !homes.is_empty() || !points.is_empty());
        label.is_some_and(|label| homes.contains(&label.home) || points.contains(&label.point))
    }

    fn link(&mut self, artefact: ResourceId, owner: Owner<'a>) {
        let leftovers = match owner {
            Owner::Point(point) => {
                let entry = self.points.entry(&point.id);
                &mut entry.or_insert_with(|| point.clone()).leftovers
            }
            Owner::Replica(replica) => {
                let entry = self.replicas.entry((&replica.point, &replica.region));
                &mut entry.or_insert_with(|| replica.clone()).leftovers
            }
        };
        leftovers.push(artefact.clone());
        let point = match owner {
            Owner::Point(point) => &point.id,
            Owner::Replica(replica) => &replica.point,
        };
        let text = format!("created for {point}; it is not needed");
        self.decision.say(artefact, Reason::new(Code::Surplus, text));
    }

    fn report(&mut self, region: &Region, (artefact, tags): (Subject, &Tags), why: &str) {
        self.foreign.insert((region.clone(), artefact.clone()));
        let is_known = self.known.contains(&(region, &artefact));
        if self.reports.len() >= FOREIGN_REPORTS_MAX || is_known || self.may_be_unknown(tags) {
            return;
        }
        let reason = Reason::new(Code::Foreign, why);
        let region = region.clone();
        self.reports.push(Finding { region, artefact, reason, seen_at: self.now });
    }

    fn into_decision(self) -> Decision {
        let mut decision = self.decision;
        let points = self.points.into_values().map(Change::point);
        let changes = points.chain(self.replicas.into_values().map(Change::replica));
        decision.commands.extend(changes.map(|change| Command::Record(Box::new(change))));
        decision.commands.extend(self.reports.into_iter().map(Command::Report));
        decision
    }
}
