//! Places whose artefact is missing, or is gone: a look by its id, and the way to have it again.
//!
//! - An artefact that is not shown by its id is looked at again after [`LOST_AFTER`]. Only then it
//!   is lost. An image that is disabled can be enabled by whoever disabled it, and is left alone.
//! - A replica that is lost is copied again, from any image of its point that is left.
//! - An image at home that is lost is registered again if its snapshots are there, and else copied
//!   back from a replica. An image that EC2 created is only ever copied back, because registering
//!   it would lose something.
//! - If nothing is left, and the machine stands as the policy wants it, the point begins again.
//! - Only the newest good point of a machine and policy is made again. A place that is lost again
//!   and again is left to a person.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::decision_builder::DecisionBuilder;
use super::images::Input;
use crate::change::{Change, Record, Write};
use crate::command::{Finding, Resolved};
use crate::ids::{AmiId, InstanceId, Region, ResourceId, SnapshotId};
use crate::illegal::Illegal;
use crate::limits::{HEAL_AGAIN, LOST_AFTER};
use crate::machine::{Instance, State};
use crate::observed::{ImageState, ObservedImage, SnapshotState};
use crate::point::{Place, Point, Replica, ReplicaEvent, ReplicaStatus};
use crate::policy::{Artefact, Consistency, Method};
use crate::reason::{Code, Reason};
use crate::slot::Occasion;
use crate::status::{Phase, Status};
use crate::summary::{Good, News, Summary};
use crate::transition::loss;
use crate::transition::summary;
use crate::work::{Kind, Queue};

type Done = Result<(), Illegal>;

/// Tells whether a point is to be looked at here.
pub(super) fn is_point_due(point: &Point, now: Timestamp) -> bool {
    let is_here = point.status.phase() == Phase::Good || point.status == Status::Lost;
    is_here && point.step.due_at.is_some_and(|due| due <= now)
}

/// Tells whether a replica is to be looked at here.
pub(super) fn is_replica_due(replica: &Replica, now: Timestamp) -> bool {
    let is_here = matches!(
        replica.status,
        ReplicaStatus::Available | ReplicaStatus::Unusable | ReplicaStatus::Lost
    );
    is_here && replica.step.due_at.is_some_and(|due| due <= now)
}

/// Returns the snapshots that are looked at: those that are all that a point has, and those from
/// which an image that is lost may be made again.
pub(super) fn snapshots(points: &[Point], now: Timestamp) -> Vec<SnapshotId> {
    let wanted = points.iter().filter(|point| {
        let is_all = point.plan.kind == Artefact::Snapshots;
        is_point_due(point, now) && (is_all || loss::has_lost(point))
    });
    wanted.flat_map(|point| point.snapshots.values().cloned()).collect()
}

/// Returns the machines of which all points are read: those with an image that is not shown as
/// the ledger has it, and those that get an image again.
pub fn machines_to_recall(
    points: &[Point],
    replicas: &[Replica],
    images: &BTreeMap<AmiId, ObservedImage>,
    now: Timestamp,
) -> BTreeSet<InstanceId> {
    let is_fine = |image: Option<&AmiId>| {
        let seen = image.and_then(|image| images.get(image));
        seen.is_some_and(|seen| seen.state == ImageState::Available)
    };
    let at_home = points.iter().filter(|point| {
        let is_missing = is_point_due(point, now) && !is_fine(point.image.as_ref());
        // It has replicas already, because its image was made before.
        let is_made_again = point.status.phase() == Phase::Pending && !point.replicas.is_empty();
        is_missing || is_made_again
    });
    let elsewhere = replicas
        .iter()
        .filter(|replica| is_replica_due(replica, now) && !is_fine(replica.image.as_ref()));
    let machines = at_home.map(|point| point.instance().clone());
    machines.chain(elsewhere.map(|replica| replica.instance.clone())).collect()
}

/// Looks at the points and replicas whose artefact is missing or lost.
pub(super) fn decide(builder: &mut DecisionBuilder, input: &Input) {
    for point in input.points.iter().filter(|point| is_point_due(point, input.now)) {
        let done = match loss::has_lost(point) {
            true => heal_home(builder, point, input),
            false => look_at_home(builder, point, input),
        };
        builder.check(&point.id, done);
    }
    for replica in input.replicas.iter().filter(|replica| is_replica_due(replica, input.now)) {
        let Some(point) = input.points_of_replicas.get(&replica.point) else { continue };
        let done = match replica.status {
            ReplicaStatus::Lost => heal_replica(builder, point, replica, input),
            _ => look_at_replica(builder, point, replica, input),
        };
        builder.check(replica.about(), done);
    }
}

/// The state of an artefact, as a look by its id shows it.
enum Seen {
    There,
    Disabled,
    /// Not shown, and not for the first time.
    Gone,
    /// Not shown for the first time, or not long enough ago.
    NotShown,
}

fn seen(image: &AmiId, missing_since: Option<Timestamp>, input: &Input) -> Seen {
    match input.images.get(image).map(|seen| seen.state) {
        Some(ImageState::Available) => Seen::There,
        Some(ImageState::Disabled) => Seen::Disabled,
        Some(ImageState::Pending | ImageState::Failed | ImageState::Other) => Seen::NotShown,
        None | Some(ImageState::Deregistered) => absent(missing_since, input.now),
    }
}

fn absent(missing_since: Option<Timestamp>, now: Timestamp) -> Seen {
    match missing_since.is_some_and(|since| now.duration_since(since) >= LOST_AFTER) {
        true => Seen::Gone,
        false => Seen::NotShown,
    }
}

fn look_at_home(builder: &mut DecisionBuilder, point: &Point, input: &Input) -> Done {
    let now = input.now;
    let looked = match (&point.image, point.plan.kind) {
        (Some(image), Artefact::Image) => seen(image, point.missing_since, input),
        _ => {
            let is_there = |id| input.snapshots.contains_key(id);
            match point.snapshots.values().all(is_there) {
                true => Seen::There,
                false => absent(point.missing_since, now),
            }
        }
    };
    let artefact = artefact_at_home(point, input);
    let name = artefact.as_ref().map_or("a snapshot".to_string(), ToString::to_string);
    let artefact = artefact.as_ref();
    let after = match looked {
        Seen::There if point.home_place == Place::Unusable => {
            let after = Point { home_place: Place::Available, ..loss::cleared(point) };
            resolve(builder, &point.home, point.image.as_ref(), Code::ImageDisabled, now);
            crate::transition::replicas::judged(after)?
        }
        Seen::There => {
            builder.record(Change::point(loss::cleared(point)));
            return Ok(());
        }
        Seen::NotShown => {
            let step = loss::looked_at(&point.step, LOST_AFTER, now);
            let since = point.missing_since.or(Some(now));
            builder.record(Change::point(Point { step, missing_since: since, ..point.clone() }));
            return Ok(());
        }
        Seen::Disabled if point.home_place == Place::Unusable => {
            builder.record(Change::point(loss::cleared(point)));
            return Ok(());
        }
        Seen::Disabled => {
            let reason = disabled(&name, &point.home);
            report(builder, &point.home, artefact, &reason, now);
            loss::home(point, Place::Unusable, reason, now)?
        }
        Seen::Gone => {
            let reason = gone(&name, &point.home, point.missing_since);
            let reason = worn_out(point, &point.healed, &point.home, now).unwrap_or(reason);
            report(builder, &point.home, artefact, &reason, now);
            builder.wake(Queue { region: point.home.clone(), kind: Kind::Confirm });
            loss::home(point, Place::Lost, reason, now)?
        }
    };
    if let Some(reason) = &after.reason {
        builder.say(&point.id, reason.clone());
    }
    let told = told(&after, input);
    builder.record(Change::point(after).telling(Some(told)));
    Ok(())
}

fn look_at_replica(
    builder: &mut DecisionBuilder,
    point: &Point,
    replica: &Replica,
    input: &Input,
) -> Done {
    let (now, region) = (input.now, &replica.region);
    let Some(image) = &replica.image else { return Ok(()) };
    let clear = || Replica { missing_since: None, step: replica.step.settled(), ..replica.clone() };
    let is_unusable = replica.status == ReplicaStatus::Unusable;
    let (point, replica) = match seen(image, replica.missing_since, input) {
        Seen::There if is_unusable => {
            resolve(builder, region, Some(image), Code::ImageDisabled, now);
            let after = clear().after(ReplicaEvent::Restore)?;
            let after = Replica { reason: None, ..after };
            builder.record(crate::transition::replicas::settled(point, vec![after])?);
            return Ok(());
        }
        Seen::Disabled if is_unusable => {
            builder.record(Change::replica(clear()));
            return Ok(());
        }
        Seen::There => {
            builder.record(Change::replica(clear()));
            return Ok(());
        }
        Seen::NotShown => {
            let step = loss::looked_at(&replica.step, LOST_AFTER, now);
            let missing_since = replica.missing_since.or(Some(now));
            builder.record(Change::replica(Replica { step, missing_since, ..replica.clone() }));
            return Ok(());
        }
        Seen::Disabled => {
            let reason = disabled(image.as_str(), region);
            report(builder, region, Some(&image.clone().into()), &reason, now);
            loss::replica(point, replica, ReplicaEvent::Disable, reason, now)?
        }
        Seen::Gone => {
            let reason = gone(image.as_str(), region, replica.missing_since);
            let reason = worn_out(point, &replica.healed, region, now).unwrap_or(reason);
            report(builder, region, Some(&image.clone().into()), &reason, now);
            builder.wake(Queue { region: region.clone(), kind: Kind::Confirm });
            loss::replica(point, replica, ReplicaEvent::Lose, reason, now)?
        }
    };
    if let Some(reason) = &replica.reason {
        builder.say(replica.about(), reason.clone());
    }
    if point.home_place == Place::Lost {
        builder.wake(Queue { region: point.home.clone(), kind: Kind::Confirm });
    }
    let told = told(&point, input);
    let change = Change::point(point).with(Write::replica(replica));
    builder.record(change.telling(Some(told)));
    Ok(())
}

// --- Healing -----------------------------------------------------------------------------------

fn heal_home(builder: &mut DecisionBuilder, point: &Point, input: &Input) -> Done {
    let now = input.now;
    if is_nothing_left(point, input) {
        let after = loss::nothing_left(point, now)?;
        let told = told(&after, input);
        builder.wake(Queue { region: point.home.clone(), kind: Kind::Confirm });
        builder.record(Change::point(after).telling(Some(told)));
        return Ok(());
    }
    if let Some(reason) = why_not(point, &point.healed, &point.home, input) {
        let after = Point { step: point.step.settled(), ..point.clone() };
        builder.say(&point.id, reason.clone());
        let after = Point { reason: Some(reason), ..after };
        builder.record(summary::recorded(after));
        return Ok(());
    }
    let source = survivor(point, &point.home, input);
    if point.plan.kind == Artefact::Image && has_snapshots(point, input) {
        let text = format!("the image in {} is registered again from its snapshots", point.home);
        let reason = Reason::new(Code::Healing, text);
        builder.say(&point.id, reason.clone());
        builder.wake(Queue { region: point.home.clone(), kind: Kind::Register });
        builder.record(Change::point(loss::remade(point, reason, now)?));
        return Ok(());
    }
    if let Some((region, image)) = source {
        let text = format!("the image in {} is copied back from {region}", point.home);
        let reason = Reason::new(Code::Healing, text);
        builder.say(&point.id, reason.clone());
        builder.wake(Queue { region: point.home.clone(), kind: Kind::Copy });
        let known = replicas_of(point, input).find(|replica| replica.region == point.home);
        let record = known.cloned();
        let record = record.unwrap_or_else(|| loss::home_copy(point, (region, image), now));
        let (after, record) = loss::copied_again(point, &record, (region, image), reason, now)?;
        builder.record(Change::point(after).with(Write::replica(record)));
        return Ok(());
    }
    if point.status == Status::Lost && stands(point, input.instances.get(point.instance())) {
        let text = "nothing of the point is left; it begins again on its machine";
        let reason = Reason::new(Code::Healing, text);
        builder.say(&point.id, reason.clone());
        builder.wake(Queue { region: point.home.clone(), kind: Kind::Snapshot });
        let after = loss::begun_again(point, reason, now)?;
        let told = summary::latest(&after);
        builder.record(Change::point(after).telling(Some(told)));
        return Ok(());
    }
    let step = loss::looked_at(&point.step, HEAL_AGAIN, now);
    builder.record(Change::point(Point { step, ..point.clone() }));
    Ok(())
}

/// Tells whether all snapshots are there from which the image of a point can be registered.
fn has_snapshots(point: &Point, input: &Input) -> bool {
    let is_created =
        point.method.as_ref().is_some_and(|chosen| chosen.method == Method::CreateImage);
    let is_there = |id| {
        let seen = input.snapshots.get(id);
        seen.is_some_and(|snapshot| snapshot.state == SnapshotState::Completed)
    };
    !is_created && !point.snapshots.is_empty() && point.snapshots.values().all(is_there)
}

/// Tells whether nothing is left of a point that is called imaged: its image at home and its
/// snapshots are gone, and no replica is there or will be. One that was not begun has nothing to
/// be copied from.
fn is_nothing_left(point: &Point, input: &Input) -> bool {
    let will_be = |replica: &Replica| {
        let is_gone = matches!(
            replica.status,
            ReplicaStatus::Waiting
                | ReplicaStatus::Failed
                | ReplicaStatus::Lost
                | ReplicaStatus::Withdrawn
        );
        replica.region != point.home && !is_gone
    };
    point.status == Status::Imaged
        && input.history.contains_key(point.instance())
        && !has_snapshots(point, input)
        && !replicas_of(point, input).any(will_be)
}

fn heal_replica(
    builder: &mut DecisionBuilder,
    point: &Point,
    replica: &Replica,
    input: &Input,
) -> Done {
    let (now, region) = (input.now, &replica.region);
    if let Some(reason) = why_not(point, &replica.healed, region, input) {
        builder.say(replica.about(), reason.clone());
        let step = replica.step.settled();
        builder.record(Change::replica(Replica { step, reason: Some(reason), ..replica.clone() }));
        return Ok(());
    }
    let Some((source, image)) = survivor(point, region, input) else {
        let step = loss::looked_at(&replica.step, HEAL_AGAIN, now);
        builder.record(Change::replica(Replica { step, ..replica.clone() }));
        return Ok(());
    };
    let reason = Reason::new(Code::Healing, format!("{region} is copied again from {source}"));
    builder.say(replica.about(), reason.clone());
    builder.wake(Queue { region: region.clone(), kind: Kind::Copy });
    let (point, replica) = loss::copied_again(point, replica, (source, image), reason, now)?;
    builder.record(Change::point(point).with(Write::replica(replica)));
    Ok(())
}

/// Returns the reason why a place is not made again, if there is one.
fn why_not(point: &Point, healed: &[Timestamp], region: &Region, input: &Input) -> Option<Reason> {
    if let Some(newer) = newest_good(point, input).filter(|good| is_newer(good, point)) {
        let text = format!("{} is newer and good; the older one is not made again", newer.point);
        return Some(Reason::new(Code::Lost, text));
    }
    worn_out(point, healed, region, input.now)
}

/// Returns the reason why a place that was made again too often is left to a person.
fn worn_out(
    point: &Point,
    healed: &[Timestamp],
    region: &Region,
    now: Timestamp,
) -> Option<Reason> {
    loss::is_worn_out(healed, now).then(|| {
        let text = format!(
            "the image of {} in {region} was lost again soon after it was made again; it is not \
             made a third time. Find out who deletes it, then run `afterimage heal {}`",
            point.id, point.id
        );
        Reason::new(Code::LostAgain, text)
    })
}

fn is_newer(good: &Good, point: &Point) -> bool {
    good.point != point.id && point.taken_at.is_none_or(|taken_at| good.taken_at > taken_at)
}

/// Returns the newest good point of the same machine and policy, other than this.
fn newest_good(point: &Point, input: &Input) -> Option<Good> {
    let history = input.history.get(point.instance())?;
    let others = history.iter().map(|(other, _)| other);
    let others =
        others.filter(|other| other.slot.policy == point.slot.policy && other.id != point.id);
    others.filter_map(Good::of).max_by_key(|good| good.taken_at)
}

fn replicas_of<'a>(point: &Point, input: &'a Input) -> impl Iterator<Item = &'a Replica> {
    let history = input.history.get(point.instance()).into_iter().flatten();
    let id = point.id.clone();
    history.filter(move |(other, _)| other.id == id).flat_map(|(_, replicas)| replicas)
}

/// Returns an image of the point that is left, other than in that region: the one at home, if it
/// is there.
fn survivor<'a>(
    point: &'a Point,
    wanted_in: &Region,
    input: &'a Input,
) -> Option<(&'a Region, &'a AmiId)> {
    // One that is looked at may be gone as well.
    let is_there = point.home_place.is_available() && point.missing_since.is_none();
    let home = point.image.as_ref().filter(|_| is_there);
    if let Some(image) = home.filter(|_| point.home != *wanted_in) {
        return Some((&point.home, image));
    }
    let others = replicas_of(point, input).filter(|replica| {
        replica.status == ReplicaStatus::Available
            && replica.missing_since.is_none()
            && replica.region != *wanted_in
            && replica.region != point.home
    });
    others.filter_map(|replica| Some((&replica.region, replica.image.as_ref()?))).next()
}

/// Tells whether a machine stands as the policy wants it for an image, without being stopped or
/// rebooted for it a second time.
fn stands(point: &Point, instance: Option<&Instance>) -> bool {
    let Some(instance) = instance else { return false };
    // A point of a stop is of that stop and no other.
    if let Occasion::Stopped { launched } = point.slot.occasion {
        return instance.is_at_rest() && instance.launched == launched;
    }
    match point.plan.consistency {
        Consistency::Crash => matches!(instance.state, State::Running | State::Stopped),
        Consistency::AtRest | Consistency::StopStart | Consistency::Reboot => instance.is_at_rest(),
    }
}

// --- What is said ------------------------------------------------------------------------------

/// Returns the summary of a machine one of whose points has lost something. If the point can no
/// longer be recovered from, the newest that can takes its place.
fn told(point: &Point, input: &Input) -> Summary {
    let told = summary::latest(point);
    match Good::of(point) {
        Some(good) => told.telling(News::Good(good)),
        None => {
            let good = newest_good(point, input).map(Box::new);
            told.telling(News::Instead { of: point.id.clone(), good })
        }
    }
}

fn gone(artefact: &str, region: &Region, missing_since: Option<Timestamp>) -> Reason {
    let since = missing_since.map_or(String::new(), |at| {
        format!("; it has been missing since {} UTC", at.strftime("%Y-%m-%d %H:%M"))
    });
    Reason::new(Code::Lost, format!("{artefact} in {region} is gone{since}"))
}

/// Returns the artefact at home that a look is about: the image, or the first snapshot that is not
/// shown.
fn artefact_at_home(point: &Point, input: &Input) -> Option<ResourceId> {
    let is_gone = |id: &&SnapshotId| !input.snapshots.contains_key(*id);
    let snapshot = || point.snapshots.values().find(is_gone).cloned().map(ResourceId::from);
    point.image.clone().map(ResourceId::from).or_else(snapshot)
}

pub(super) fn disabled(image: &str, region: &Region) -> Reason {
    let text = format!(
        "{image} in {region} was disabled, so that nothing can be started from it. Enable it: `aws \
         ec2 enable-image --region {region} --image-id {image}`"
    );
    Reason::new(Code::ImageDisabled, text)
}

fn report(
    builder: &mut DecisionBuilder,
    region: &Region,
    artefact: Option<&ResourceId>,
    reason: &Reason,
    now: Timestamp,
) {
    let Some(artefact) = artefact else { return };
    let mut reason = reason.clone();
    if reason.code == Code::Lost {
        reason.text.push_str(
            ". It is made again from whatever is left of its point. If it was deleted by mistake, \
             the Recycle Bin may still have it",
        );
    }
    let (region, artefact) = (region.clone(), artefact.clone().into());
    builder.report(Finding { region, artefact, reason, seen_at: now });
}

/// Removes the finding about an image that was missing.
pub(super) fn resolve(
    builder: &mut DecisionBuilder,
    region: &Region,
    image: Option<&AmiId>,
    code: Code,
    now: Timestamp,
) {
    let Some(image) = image else { return };
    builder.resolve(Resolved { region: region.clone(), artefact: image.into(), code, at: now });
}

/// Returns the replica of a point in a region, as the ledger has it.
pub(super) fn known_replica<'a>(
    point: &Point,
    region: &Region,
    input: &'a Input,
) -> Option<&'a Replica> {
    replicas_of(point, input).find(|replica| replica.region == *region)
}

/// Returns the write of the replica of a point whose image was just made again: copied anew, unless
/// it is there or under way. None if there is nothing to write.
pub(super) fn replica_again(
    point: &Point,
    image: &AmiId,
    region: &Region,
    input: &Input,
) -> Result<(Place, Option<Write>), Illegal> {
    let now = input.now;
    let Some(known) = known_replica(point, region, input) else {
        let replica = Replica::wanted(point, image, region, now);
        let write = Write { expected: 0, record: Record::Replica(Box::new(replica)) };
        return Ok((Place::Underway, Some(write)));
    };
    match known.status {
        ReplicaStatus::Available => Ok((Place::Available, None)),
        ReplicaStatus::Unusable => Ok((Place::Unusable, None)),
        ReplicaStatus::Waiting | ReplicaStatus::Copying | ReplicaStatus::Pending => {
            Ok((Place::Underway, None))
        }
        ReplicaStatus::Lost | ReplicaStatus::Failed | ReplicaStatus::Withdrawn => {
            let reason = Reason::new(Code::Healing, "the image of the point was made again");
            let source = (&point.home, image);
            let (_, replica) = loss::copied_again(point, known, source, reason, now)?;
            Ok((Place::Underway, Some(Write::replica(replica))))
        }
    }
}
