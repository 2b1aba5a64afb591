//! Places whose artefact may be missing: a look by its id.
//!
//! - An artefact that is not shown by its id is looked at again after [`LOST_AFTER`]. Only then it
//!   is lost, and [`super::healing`] decides if it is made again.
//! - An image that is disabled can be enabled by whoever disabled it, and is left alone. So is one
//!   whose key cannot be used.
//! - A key that does not exist is looked at again after [`LOST_AFTER`]. Only then it was deleted,
//!   and the image can never be used again ([`super::key_gone`]).
//! - Once many images of a region are lost, a person is told of the region, and not of each of them
//!   ([`super::braking`]).

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::braking::Braking;
use super::decision_builder::DecisionBuilder;
use super::disk_keys::{self, Keys, Use};
use super::due::{is_point_due, is_point_suspect, is_replica_due, is_replica_suspect};
use super::healing;
use super::images::Input;
use super::key_gone::{self, Found};
use super::losses::{self, Done};
use super::prospect::{self, Prospect};
use super::restored;
use crate::change::{Change, Write};
use crate::command::Resolved;
use crate::ids::{AmiId, InstanceId, Region, ResourceId, SnapshotId};
use crate::illegal::Illegal;
use crate::limits::{LOST_AFTER, MASS_LOSS};
use crate::observed::{ImageState, ObservedImage, ObservedSnapshot};
use crate::point::{Place, Point, Replica, ReplicaEvent, ReplicaStatus};
use crate::policy::Artefact;
use crate::reason::{Code, Reason};
use crate::slot::PointId;
use crate::status::Phase;
use crate::transition::{loss, replicas};
use crate::work::{Kind, Queue};

/// Returns the snapshots that are looked at: those that are all that a point has, and those from
/// which an image that is lost may be made again.
pub(super) fn snapshots(points: &[Point], now: Timestamp) -> Vec<SnapshotId> {
    let wanted = points.iter().filter(|point| {
        let is_all = point.plan.kind == Artefact::Snapshots;
        is_point_due(point, now) && (is_all || loss::has_lost(point))
    });
    wanted.flat_map(|point| point.snapshots.values().cloned()).collect()
}

/// What EC2 and KMS show of the images that are looked at.
pub struct Shown<'a> {
    pub images: &'a BTreeMap<AmiId, ObservedImage>,
    pub snapshots: &'a BTreeMap<SnapshotId, ObservedSnapshot>,
    pub keys: &'a Keys,
}

impl Shown<'_> {
    /// Tells whether an image can be used, as far as is known.
    fn is_fine(&self, image: Option<&AmiId>) -> bool {
        let Some(seen) = image.and_then(|image| self.images.get(image)) else { return false };
        let arns = disk_keys::of_snapshots(&seen.snapshots, self.snapshots);
        let used = disk_keys::used(self.keys, arns);
        seen.state == ImageState::Available && used.may_be_usable()
    }
}

/// Returns the machines of which all points are read: those with an image that cannot be used, in
/// whose place an older point may become the newest good one, and those that get an image again.
/// `of_replicas` are the points of the replicas.
pub fn machines_to_recall(
    points: &[Point],
    (replicas, of_replicas): (&[Replica], &BTreeMap<PointId, Point>),
    shown: &Shown,
    now: Timestamp,
) -> BTreeSet<InstanceId> {
    let at_home = points.iter().filter(|point| {
        let is_missing = is_point_due(point, now) && !shown.is_fine(point.image.as_ref());
        // It has replicas already, because its image was made before.
        let is_made_again = point.status.phase() == Phase::Pending && !point.replicas.is_empty();
        // What is lost can be made from it.
        let is_source = point.home_place == Place::Unusable
            && point.replicas.values().any(|place| *place == Place::Lost);
        is_missing || is_made_again || is_source && is_point_due(point, now)
    });
    let elsewhere = replicas.iter().filter(|replica| {
        let is_fine = shown.is_fine(replica.image.as_ref());
        let others = of_replicas.get(&replica.point).map(|point| &point.replicas);
        // They can be copied from it.
        let mut others = others.into_iter().flatten();
        let are_lost = others.any(|(other, at)| *other != replica.region && *at == Place::Lost);
        let may_come = matches!(replica.status, ReplicaStatus::Pending | ReplicaStatus::Unusable);
        let is_source = may_come && is_fine && are_lost;
        is_source || is_replica_due(replica, now) && !is_fine
    });
    let machines = at_home.map(|point| point.instance().clone());
    machines.chain(elsewhere.map(|replica| replica.instance.clone())).collect()
}

/// Tells whether something is missing, so that the policies in force and the brakes are read.
pub(super) fn needs_policies(points: &[Point], replicas: &[Replica], now: Timestamp) -> bool {
    points.iter().any(|point| is_point_due(point, now))
        || replicas.iter().any(|replica| is_replica_due(replica, now))
}

/// Returns the number of places that may be lost: those that are looked at now, and those that are
/// looked at again soon.
pub fn suspects(points: &[Point], replicas: &[Replica], now: Timestamp) -> usize {
    let at_home = points.iter().filter(|point| is_point_suspect(point, now));
    let elsewhere = replicas.iter().filter(|replica| is_replica_suspect(replica, now));
    at_home.count() + elsewhere.count() + not_due(points, replicas, now)
}

/// Returns the number of places that were missing at their first look and have the second before
/// them.
fn not_due(points: &[Point], replicas: &[Replica], now: Timestamp) -> usize {
    let at_home = points.iter().map(|point| (point.missing_since, &point.step));
    let elsewhere = replicas.iter().map(|replica| (replica.missing_since, &replica.step));
    let all = at_home.chain(elsewhere).filter(|(since, _)| since.is_some());
    all.filter(|(_, step)| !step.is_due(now)).count()
}

/// Returns the time for which an artefact is missing before it is lost. If so many places are
/// missing that it matters how many are lost together, and some of them have their second look
/// before them, the others wait for these: a person is told of all of them at once.
fn missing_enough(input: &Input) -> SignedDuration {
    let (points, replicas) = (&input.points, &input.replicas);
    let all = u32::try_from(suspects(points, replicas, input.now)).unwrap_or(u32::MAX);
    let gathers = all > MASS_LOSS && not_due(points, replicas, input.now) > 0;
    if gathers { LOST_AFTER.saturating_mul(2) } else { LOST_AFTER }
}

/// Looks at the points and replicas whose artefact is missing or lost, those of the oldest points
/// first: what is known of an older point by then decides if it takes the place of a newer one.
pub(super) fn decide(builder: &mut DecisionBuilder, input: &Input) {
    let points = input.points.iter().filter(|point| is_point_suspect(point, input.now));
    let mut points: Vec<&Point> = points.collect();
    points.sort_by_key(|point| point.taken_at);
    let replicas = input.replicas.iter().filter(|it| is_replica_suspect(it, input.now));
    let of_point = |replica: &Replica| input.points_of_replicas.get(&replica.point);
    let replicas = replicas.filter_map(|replica| Some((of_point(replica)?, replica)));
    let mut replicas: Vec<(&Point, &Replica)> = replicas.collect();
    replicas.sort_by_key(|(point, _)| point.taken_at);
    let enough = missing_enough(input);
    let gone_at_home =
        points.iter().filter(|point| matches!(seen_at_home(point, enough, input), Seen::Gone));
    let gone_at_home = gone_at_home.map(|point| &point.home);
    let gone_elsewhere = replicas.iter().filter(|(_, replica)| {
        let seen_as = |image| seen(image, replica.missing_since, enough, input);
        replica.image.as_ref().is_some_and(|image| match seen_as(image) {
            Seen::Gone => true,
            Seen::KeyGone(_) => key_gone::is_second_look(replica.missing_since, input.now),
            _ => false,
        })
    });
    let gone_elsewhere = gone_elsewhere.map(|(_, replica)| &replica.region);
    let mut braking = Braking::new(input, gone_at_home.chain(gone_elsewhere));
    for point in points {
        let done = look_at_home(builder, &mut braking, point, enough, input);
        builder.check(&point.id, done);
    }
    for (point, replica) in replicas {
        let done = look_at_replica(builder, &mut braking, (point, replica), enough, input);
        builder.check(replica.about(), done);
    }
    healing::decide(builder, &mut braking, input);
    braking.tell(builder);
}

/// The state of an artefact, as a look by its id shows it.
enum Seen {
    There,
    /// There, and nothing will tell if its key can be used.
    KeyUnknown,
    /// There, and KMS did not say if its key can be used.
    KeyUnread,
    /// There, with a key that cannot be used. The text names it.
    KeyUnusable(String),
    /// There, with a key that does not exist. The text names it.
    KeyGone(String),
    Disabled,
    /// Not shown, and not for the first time.
    Gone,
    /// Not shown for the first time, or not long enough ago.
    NotShown,
}

fn seen(
    image: &AmiId,
    missing_since: Option<Timestamp>,
    enough: SignedDuration,
    input: &Input,
) -> Seen {
    match input.images.get(image).map(|seen| seen.state) {
        Some(ImageState::Available) => {
            let snapshots = input.images.get(image).into_iter().flat_map(|seen| &seen.snapshots);
            with_keys(snapshots, input)
        }
        Some(ImageState::Disabled) => Seen::Disabled,
        Some(ImageState::Pending | ImageState::Failed | ImageState::Other) => Seen::NotShown,
        None | Some(ImageState::Deregistered) => absent(missing_since, enough, input.now),
    }
}

/// The state of an artefact that is there, by the keys of its snapshots.
fn with_keys<'a>(snapshots: impl IntoIterator<Item = &'a SnapshotId>, input: &'a Input) -> Seen {
    let arns = disk_keys::of_snapshots(snapshots, &input.snapshots);
    match disk_keys::used(&input.healing.keys, arns) {
        Use::Usable => Seen::There,
        Use::Unknown => Seen::KeyUnknown,
        Use::Unread => Seen::KeyUnread,
        Use::Unusable(which) => Seen::KeyUnusable(which),
        Use::Gone(which) => Seen::KeyGone(which),
    }
}

/// The state of the artefact at home.
fn seen_at_home(point: &Point, enough: SignedDuration, input: &Input) -> Seen {
    match (&point.image, point.plan.kind) {
        (Some(image), Artefact::Image) => seen(image, point.missing_since, enough, input),
        _ => {
            let is_there = |id| input.snapshots.contains_key(id);
            match point.snapshots.values().all(is_there) {
                true => with_keys(point.snapshots.values(), input),
                false => absent(point.missing_since, enough, input.now),
            }
        }
    }
}

/// What a look at a place that was of no use shows, if nothing will tell of its key: an image that
/// is not disabled any more is as good as it was before, unless its key was the reason.
fn enabled(seen: Seen, is_unusable: bool, known: Option<&Reason>) -> Seen {
    let is_of_key =
        known.is_some_and(|known| matches!(known.code, Code::KeyUnusable | Code::KeyDeleted));
    match seen {
        Seen::KeyUnknown if is_unusable && !is_of_key => Seen::There,
        seen => seen,
    }
}

fn absent(missing_since: Option<Timestamp>, enough: SignedDuration, now: Timestamp) -> Seen {
    let missing_for = missing_since.map(|since| now.duration_since(since));
    match missing_for.is_some_and(|missing_for| missing_for >= enough) {
        true => Seen::Gone,
        false => Seen::NotShown,
    }
}

fn look_at_home(
    builder: &mut DecisionBuilder,
    braking: &mut Braking,
    point: &Point,
    enough: SignedDuration,
    input: &Input,
) -> Result<(), Illegal> {
    let (now, home) = (input.now, &point.home);
    let artefact = artefact_at_home(point, input);
    let name = artefact.as_ref().map_or("a snapshot".to_string(), ToString::to_string);
    let artefact = artefact.as_ref();
    let is_unusable = point.home_place == Place::Unusable;
    let seen = enabled(seen_at_home(point, enough, input), is_unusable, point.reason.as_ref());
    if is_unusable {
        not_disabled(builder, &seen, home, point.image.as_ref(), now);
        tell_disabled(builder, &seen, point.reason.as_ref(), (home, artefact), now);
    }
    let other = other_reason(&seen, is_unusable, point.reason.as_ref(), (&name, home));
    let after = match (seen, is_unusable) {
        _ if other.is_some() => {
            tell_other(builder, home, artefact, other.as_ref(), now);
            Point { reason: other, ..loss::cleared(point) }
        }
        (Seen::KeyGone(which), _) => match key_gone::at_home(point, &name, &which, now)? {
            Found::New(after) => after,
            Found::Known(after) => {
                builder.record(Change::point(after));
                return Ok(());
            }
        },
        (Seen::NotShown, _) => {
            let step = loss::looked_at(&point.step, LOST_AFTER, now);
            let since = point.missing_since.or(Some(now));
            builder.record(Change::point(Point { step, missing_since: since, ..point.clone() }));
            return Ok(());
        }
        (Seen::There, true) => {
            let after = loss::cleared(point);
            let after = without_reason(&after);
            let after = Point { home_place: Place::Available, key_deleted: None, ..after };
            replicas::judged(after)?
        }
        (Seen::KeyUnusable(which), false) => {
            of_no_use_at_home(point, disk_keys::unusable(&name, home, &which), input)?
        }
        (Seen::Disabled, false) => {
            let reason = loss::disabled(&name, home);
            builder.report_of(home, artefact, &reason, now);
            of_no_use_at_home(point, reason, input)?
        }
        (Seen::Gone, _) => {
            let Some(lost) = artefact else { return Ok(()) };
            let reason = lose(builder, braking, (point, None), lost, input);
            builder.wake(Queue { region: home.clone(), kind: Kind::Confirm });
            loss::home(point, Place::Lost, reason, now)?
        }
        // As the ledger has it; a key of which nothing is known changes nothing.
        (Seen::There | Seen::KeyUnknown | Seen::KeyUnread, false)
        | (Seen::KeyUnknown | Seen::KeyUnread | Seen::KeyUnusable(_) | Seen::Disabled, true) => {
            let change = Change::point(loss::cleared(point));
            builder.record(losses::telling_again(builder, point, change, input));
            return Ok(());
        }
    };
    if let Some(reason) = &after.reason {
        builder.say(&point.id, reason.clone());
    }
    let lost = (after.home_place == Place::Lost).then(|| braking.lose(home));
    let mut change = losses::telling(builder, &after, Change::point(after.clone()), input);
    if is_unusable && after.home_place == Place::Available {
        change.writes.extend(lost_elsewhere(builder, point, home, input));
    }
    builder.record(lost.into_iter().fold(change, Change::with));
    Ok(())
}

/// Returns the point whose artefact at home is of no use.
fn of_no_use_at_home(point: &Point, reason: Reason, input: &Input) -> Result<Point, Illegal> {
    let after = loss::home(point, Place::Unusable, reason, input.now)?;
    let step = losses::step_of_no_use(&after.step, &after, input);
    Ok(Point { step, ..after })
}

fn look_at_replica(
    builder: &mut DecisionBuilder,
    braking: &mut Braking,
    (point, replica): (&Point, &Replica),
    enough: SignedDuration,
    input: &Input,
) -> Result<(), Illegal> {
    let (now, region) = (input.now, &replica.region);
    let Some(image) = &replica.image else { return Ok(()) };
    let clear = || Replica { missing_since: None, step: replica.step.settled(), ..replica.clone() };
    let is_unusable = replica.status == ReplicaStatus::Unusable;
    let known = replica.reason.as_ref();
    let seen = enabled(seen(image, replica.missing_since, enough, input), is_unusable, known);
    if is_unusable {
        not_disabled(builder, &seen, region, Some(image), now);
        tell_disabled(builder, &seen, known, (region, Some(&image.clone().into())), now);
    }
    let other = other_reason(&seen, is_unusable, known, (image.as_str(), region));
    if matches!(seen, Seen::Gone) && healing::is_there_already(builder, point, replica, input)? {
        return Ok(());
    }
    let (point, replica) = match (seen, is_unusable) {
        _ if other.is_some() => {
            tell_other(builder, region, Some(&image.clone().into()), other.as_ref(), now);
            let after = Replica { reason: other.clone(), ..clear() };
            (Point { reason: other, ..point.clone() }, after)
        }
        (Seen::There, true) => return usable_again(builder, point, clear(), input),
        (Seen::KeyGone(which), _) => match key_gone::elsewhere(point, replica, &which, now)? {
            Found::New((point, after)) => {
                if after.status == ReplicaStatus::Lost {
                    builder.wake(Queue { region: region.clone(), kind: Kind::Confirm });
                }
                (point, after)
            }
            Found::Known(after) => {
                builder.record(Change::replica(after));
                return Ok(());
            }
        },
        (Seen::NotShown, _) => {
            builder.record(Change::replica(not_shown(replica, now)));
            return Ok(());
        }
        (Seen::KeyUnusable(which), false) => {
            let reason = disk_keys::unusable(image.as_str(), region, &which);
            of_no_use(point, replica, reason, input)?
        }
        (Seen::Disabled, false) => disabled(builder, point, (replica, image), input)?,
        (Seen::Gone, _) => {
            let lost = image.clone().into();
            let reason = lose(builder, braking, (point, Some(replica)), &lost, input);
            builder.wake(Queue { region: region.clone(), kind: Kind::Confirm });
            loss::replica(point, replica, ReplicaEvent::Lose, reason, now)?
        }
        // As the ledger has it; a key of which nothing is known changes nothing.
        (Seen::There | Seen::KeyUnknown | Seen::KeyUnread, false)
        | (Seen::KeyUnknown | Seen::KeyUnread | Seen::KeyUnusable(_) | Seen::Disabled, true) => {
            let change = Change::replica(clear());
            builder.record(losses::telling_again(builder, point, change, input));
            return Ok(());
        }
    };
    if let Some(reason) = &replica.reason {
        builder.say(replica.about(), reason.clone());
    }
    if point.home_place == Place::Lost {
        builder.wake(Queue { region: point.home.clone(), kind: Kind::Confirm });
    }
    let lost = (replica.status == ReplicaStatus::Lost).then(|| braking.lose(region));
    let change = Change::point(point.clone()).with(Write::replica(replica));
    let change = losses::telling(builder, &point, change, input);
    builder.record(lost.into_iter().fold(change, Change::with));
    Ok(())
}

/// Tells a person of an image that somebody disabled. Returns the point and its replica, which is
/// of no use.
fn disabled(
    builder: &mut DecisionBuilder,
    point: &Point,
    (replica, image): (&Replica, &AmiId),
    input: &Input,
) -> Result<(Point, Replica), Illegal> {
    let reason = loss::disabled(image.as_str(), &replica.region);
    builder.report_of(&replica.region, Some(&image.clone().into()), &reason, input.now);
    of_no_use(point, replica, reason, input)
}

/// Returns the point and its replica, which is of no use.
fn of_no_use(
    point: &Point,
    replica: &Replica,
    reason: Reason,
    input: &Input,
) -> Result<(Point, Replica), Illegal> {
    let (point, after) = loss::replica(point, replica, ReplicaEvent::Disable, reason, input.now)?;
    let step = losses::step_of_no_use(&after.step, &point, input);
    Ok((point, Replica { step, ..after }))
}

/// Returns the replica whose image was not shown, and is looked at again.
fn not_shown(replica: &Replica, now: Timestamp) -> Replica {
    let step = loss::looked_at(&replica.step, LOST_AFTER, now);
    let missing_since = replica.missing_since.or(Some(now));
    Replica { step, missing_since, ..replica.clone() }
}

/// Records that an image can be used again.
fn usable_again(
    builder: &mut DecisionBuilder,
    point: &Point,
    replica: Replica,
    input: &Input,
) -> Result<(), Illegal> {
    let after = Replica { reason: None, ..replica.after(ReplicaEvent::Restore)? };
    let lost = lost_elsewhere(builder, point, &after.region, input);
    let mut change = replicas::settled(&without_reason(point), vec![after])?;
    change.writes.extend(lost);
    builder.record(change);
    Ok(())
}

/// Has the replicas of a point looked at that are lost, because an image in another region can be
/// used again.
fn lost_elsewhere(
    builder: &mut DecisionBuilder,
    point: &Point,
    region: &Region,
    input: &Input,
) -> Vec<Write> {
    let others = healing::replicas_of(point, input).filter(|other| other.region != *region);
    restored::lost_elsewhere(builder, others, input.now)
}

/// Returns the point without a reason for which a place is of no use: that of the place that can be
/// used again, or another one, which is found again.
fn without_reason(point: &Point) -> Point {
    let is_of_use =
        |code| !matches!(code, Code::ImageDisabled | Code::KeyUnusable | Code::KeyDeleted);
    let reason = point.reason.clone().filter(|reason| is_of_use(reason.code));
    Point { reason, ..point.clone() }
}

/// Returns the reason for which a place that was of no use is of no use now, if that is another
/// one: its image was enabled while its key cannot be used, or the other way round.
fn other_reason(
    seen: &Seen,
    is_unusable: bool,
    known: Option<&Reason>,
    (name, region): (&str, &Region),
) -> Option<Reason> {
    match (seen, known.filter(|_| is_unusable)?.code) {
        (Seen::KeyUnusable(which) | Seen::KeyGone(which), Code::ImageDisabled) => {
            Some(disk_keys::unusable(name, region, which))
        }
        (Seen::Disabled, Code::KeyUnusable) => Some(loss::disabled(name, region)),
        _ => None,
    }
}

fn tell_other(
    builder: &mut DecisionBuilder,
    region: &Region,
    artefact: Option<&ResourceId>,
    other: Option<&Reason>,
    now: Timestamp,
) {
    if let Some(reason) = other.filter(|reason| reason.code == Code::ImageDisabled) {
        builder.report_of(region, artefact, reason, now);
    }
}

/// Tells a person of a disabled image: a point that was adopted with it has told nobody yet.
fn tell_disabled(
    builder: &mut DecisionBuilder,
    seen: &Seen,
    known: Option<&Reason>,
    (region, artefact): (&Region, Option<&ResourceId>),
    now: Timestamp,
) {
    let known = known.filter(|known| known.code == Code::ImageDisabled);
    if let (Seen::Disabled, Some(reason)) = (seen, known) {
        builder.report_of(region, artefact, reason, now);
    }
}

/// Removes the finding about a disabled image, if a look shows that it is not disabled.
fn not_disabled(
    builder: &mut DecisionBuilder,
    seen: &Seen,
    region: &Region,
    image: Option<&AmiId>,
    now: Timestamp,
) {
    match seen {
        Seen::There | Seen::KeyUnusable(_) | Seen::KeyGone(_) | Seen::Gone => {
            resolve(builder, region, image, Code::ImageDisabled, now);
        }
        Seen::KeyUnknown | Seen::KeyUnread | Seen::Disabled | Seen::NotShown => {}
    }
}

// --- What is said ------------------------------------------------------------------------------

/// Tells a person of a loss that was just found, unless many are lost in its region together.
/// Returns the reason that the record keeps.
fn lose(
    builder: &mut DecisionBuilder,
    braking: &Braking,
    (point, replica): (&Point, Option<&Replica>),
    lost: &ResourceId,
    input: &Input,
) -> Reason {
    let (region, since) = match replica {
        Some(replica) => (&replica.region, replica.missing_since),
        None => (&point.home, point.missing_since),
    };
    let place = (region, &point.id);
    let gone = losses::gone(&lost.to_string(), region, since);
    let facts = healing::facts(point, region, input);
    let prospect = match replica {
        Some(replica) => prospect::replica(&facts, replica, false),
        None => prospect::home(&facts, false),
    };
    let (done, kept) = match (&prospect, prospect.kept()) {
        (Prospect::OnRequest(_) | Prospect::Never(_), Some((words, wait))) => {
            let reason = &wait.reason;
            // The reason of a place that nobody wants any more is not one of its point, nor is that
            // of a replica, which changes without its point.
            let is_of_finding = replica.is_some() || reason.code == Code::Withdrawn;
            let kept = if is_of_finding { gone.clone() } else { reason.clone() };
            (Done::Nothing(words, reason.clone()), kept)
        }
        // The next look reads what it can be made from.
        _ => (Done::Unknown, gone.clone()),
    };
    let finding = losses::finding(lost, place, (&gone, &done), input.now);
    if !braking.is_mass(region) {
        builder.report(finding);
    }
    kept
}

/// Returns the artefact at home that a look is about: the image, or the first snapshot that is not
/// shown.
fn artefact_at_home(point: &Point, input: &Input) -> Option<ResourceId> {
    let is_gone = |id: &&SnapshotId| !input.snapshots.contains_key(*id);
    let snapshot = || point.snapshots.values().find(is_gone).cloned().map(ResourceId::from);
    point.image.clone().map(ResourceId::from).or_else(snapshot)
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
