//! Images and replicas that are pending: available, failed, gone, or still on their way.
//!
//! - The image of a point is available: this fact and the replicas that its policy asks for are one
//!   write. A point without replicas is protected at once.
//! - A replica is available: this fact and its place in its point are one write. The last replica
//!   makes the point protected. No replica waits for another, and no failure touches another.
//! - A replica or an image failed, or is no longer there: the next try is made, under another name.
//!   A copy that failed holds up all copies under its key, until one succeeds again.
//!
//! Every image that is available is compared with its machine first. An image that would not boot,
//! or would run without its licence, cannot be used. Any other difference is reported. If EC2
//! created the image, its snapshots are read here, from its mapping.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::compare::{self, Difference, Weight};
use super::decision_builder::DecisionBuilder;
use super::due;
use super::grade_tag;
use super::healing;
use super::held_up;
use super::images;
pub use super::images::Input;
use super::may_be_back;
use super::missing;
use super::needs::Needs;
use super::restored;
use crate::command::{Change, Command, Decision};
use crate::ids::{AmiId, Region, SnapshotId, VolumeId};
use crate::illegal::Illegal;
use crate::limits::{PARTIAL, PENDING_MAX, SETTLE};
use crate::machine::{Machine, Volume};
use crate::observed::{ImageState, ObservedImage};
use crate::point::{
    Chosen, IllegalForReplica, Place, Point, Replica, ReplicaEvent, ReplicaStatus, Step,
};
use crate::policy::Method;
use crate::reason::{Code, Reason};
use crate::slot::PointId;
use crate::status::{Event, IllegalTransition, Phase, Status};
use crate::transition::retry::{self, Next};
use crate::transition::{came_back, loss, replicas, summary};
use crate::work::{Kind, Queue};

/// Returns the facts that have to be read before anything is decided.
pub(super) fn needs(points: &[Point], replicas: &[Replica], now: Timestamp) -> Needs {
    let pending = points.iter().filter(|point| is_pending(point) || due::is_point_due(point, now));
    let copies = replicas.iter().filter(|replica| {
        replica.status == ReplicaStatus::Pending || due::is_replica_due(replica, now)
    });
    let of_points = pending.filter_map(|point| point.image.as_ref());
    let of_replicas = copies.filter_map(|replica| replica.image.as_ref());
    // What was lost may be there again, while what was made in its place is disabled.
    let is_disabled = |point: &Point| {
        let code = point.reason.as_ref().map(|reason| reason.code);
        is_pending(point) && code == Some(Code::ImageDisabled)
    };
    let lost = may_be_back::images(
        points.iter().filter(|point| due::is_point_due(point, now) || is_disabled(point)),
        replicas.iter().filter(|replica| due::is_replica_due(replica, now)),
    );
    let images: BTreeSet<&AmiId> = of_points.chain(of_replicas).chain(lost).collect();
    Needs {
        images: images.into_iter().cloned().collect(),
        points: replicas.iter().map(|replica| replica.point.clone()).collect(),
        snapshots: missing::snapshots(points, now),
        policies: missing::needs_policies(points, replicas, now),
        ..Needs::default()
    }
}

/// Returns the images of points whose UEFI variables have to be asked for before anything is
/// decided: those that EC2 created of machines with such variables, once they are available. Each
/// image costs one call. An image that was registered with its variables is not asked.
pub fn needs_uefi_data(points: &[Point], images: &BTreeMap<AmiId, ObservedImage>) -> Vec<AmiId> {
    let has_data = |point: &&Point| {
        let machine = point.machine.as_ref();
        let is_created = point.status == Status::Created && is_pending(point);
        is_created && machine.is_some_and(|machine| machine.build.uefi_data.is_some())
    };
    let is_available =
        |image: &&AmiId| images.get(image).is_some_and(|seen| seen.state == ImageState::Available);
    let images = points.iter().filter(has_data).filter_map(|point| point.image.as_ref());
    images.filter(is_available).cloned().collect()
}

/// Tells whether the image of a point is pending. A point whose image EC2 created, and that is not
/// graded yet, stands in another queue.
fn is_pending(point: &Point) -> bool {
    point.status.phase() == Phase::Pending && point.work() == Some(Kind::Confirm)
}

pub fn decide(input: &Input) -> Decision {
    let mut builder = DecisionBuilder::default();
    let pending = |point: &&Point| is_pending(point);
    let mut points: Vec<&Point> = input.points.iter().filter(pending).collect();
    points.sort_by_key(|point| (point.requested_at, &point.id));
    for point in points {
        let done = look_at_image(&mut builder, point, input);
        builder.check(&point.id, done);
    }
    let mut replicas: BTreeMap<&PointId, Vec<&Replica>> = BTreeMap::new();
    for replica in &input.replicas {
        if replica.status == ReplicaStatus::Pending {
            replicas.entry(&replica.point).or_default().push(replica);
        }
    }
    let with_point = replicas
        .into_iter()
        .filter_map(|(id, replicas)| Some((input.points_of_replicas.get(id)?, replicas)));
    let mut replicas: Vec<(&Point, Vec<&Replica>)> = with_point.collect();
    replicas.sort_by_key(|(point, _)| (point.requested_at, &point.id));
    held_up::learn(&mut builder, &input.obstacles, &input.images, &replicas, input.now);
    for (point, mut replicas) in replicas {
        replicas.sort_by_key(|replica| &replica.region);
        let done = look_at_replicas(&mut builder, point, &replicas, input);
        builder.check(&point.id, done);
    }
    missing::decide(&mut builder, input);
    builder.decision()
}

/// Returns when the next try is made. One that leaves an image that failed is made sparingly.
fn next(reason: &Reason) -> Next {
    if reason.code == Code::ArtefactGone { Next::Backoff } else { Next::Sparing }
}

/// The result of a look at an image.
enum Look {
    Available,
    /// The image cannot be used, and another try may succeed.
    Lost(Reason),
    /// The image is pending for so long that a person should know.
    TooLong(Reason),
    /// Somebody disabled the image, and can enable it. Another in its place would be one too many.
    Disabled(Reason),
    Pending,
}

fn look(image: &AmiId, region: &Region, step: &Step, input: &Input) -> Look {
    let waits = if step.is_past(PENDING_MAX, input.now) {
        let hours = PENDING_MAX.as_hours();
        let text = format!("{image} is still not available after {hours} hours");
        Look::TooLong(Reason::new(Code::TooLong, text))
    } else {
        Look::Pending
    };
    let gone =
        || Look::Lost(Reason::new(Code::ArtefactGone, format!("{image} is no longer there")));
    match input.images.get(image) {
        // An image that was just made may not be visible yet.
        None if step.is_past(SETTLE, input.now) => gone(),
        None => Look::Pending,
        Some(seen) => match seen.state {
            ImageState::Available => Look::Available,
            ImageState::Failed => Look::Lost(images::failure(seen)),
            ImageState::Disabled => Look::Disabled(loss::disabled(image.as_str(), region)),
            ImageState::Deregistered => gone(),
            ImageState::Pending | ImageState::Other => waits,
        },
    }
}

fn look_at_image(
    builder: &mut DecisionBuilder,
    point: &Point,
    input: &Input,
) -> Result<(), Illegal> {
    let (Some(image), home) = (&point.image, &point.home) else { return Ok(()) };
    let look = look(image, home, &point.step, input);
    not_disabled(builder, &look, point.reason.as_ref(), (home, image), input.now);
    let back = point.lost.as_ref().and_then(|lost| input.images.get(lost));
    let back = back.filter(|back| came_back::is_home_back_instead(point, back));
    if let (Look::Disabled(_), Some(back)) = (&look, back) {
        missing::resolve(builder, home, Some(image), Code::ImageDisabled, input.now);
        missing::resolve(builder, home, Some(&back.id), Code::Lost, input.now);
        let (back, lost) = (back.id.clone(), None);
        let mut point = Point { image: Some(back.clone()), lost, ..point.clone() };
        retry::leave(&mut point.leftovers, Some(image.clone()));
        return imaged(builder, &point, &back, Vec::new(), input);
    }
    let (reason, after) = match look {
        Look::Pending => return Ok(()),
        Look::Available => return judge(builder, point, image, input),
        Look::Lost(reason) => {
            let point = &images::with_leftovers(point, image, &input.images);
            let after = retry::failed(point, reason.clone(), next(&reason), input.now)?;
            (reason, after)
        }
        Look::TooLong(reason) => {
            builder.report_once(point, reason);
            return Ok(());
        }
        Look::Disabled(reason) if point.reason.as_ref() == Some(&reason) => return Ok(()),
        Look::Disabled(reason) => {
            builder.report_of(home, Some(&image.clone().into()), &reason, input.now);
            let after = Point { reason: Some(reason.clone()), ..point.clone() };
            let told = summary::latest(&after);
            builder.say(&point.id, reason);
            builder.record(Change::point(after).telling(Some(told)));
            return Ok(());
        }
    };
    builder.say(&point.id, reason);
    builder.record(summary::recorded(after));
    Ok(())
}

/// Removes the finding about an image that was disabled while it was pending, once it is not.
fn not_disabled(
    builder: &mut DecisionBuilder,
    look: &Look,
    known: Option<&Reason>,
    (region, image): (&Region, &AmiId),
    now: Timestamp,
) {
    let was_disabled = known.is_some_and(|known| known.code == Code::ImageDisabled);
    if was_disabled && matches!(look, Look::Available | Look::Lost(_)) {
        missing::resolve(builder, region, Some(image), Code::ImageDisabled, now);
    }
}

/// Compares an image that is available with its machine.
fn judge(
    builder: &mut DecisionBuilder,
    point: &Point,
    image: &AmiId,
    input: &Input,
) -> Result<(), Illegal> {
    let (Some(seen), Some(machine)) = (input.images.get(image), &point.machine) else {
        return Ok(());
    };
    if is_unfinished(point, seen, input.now) {
        return Ok(());
    }
    let differences = compare::with_machine(machine, seen, input.uefi_data.get(image));
    let Some(reason) = is_of_no_use(image, &differences) else {
        let told = told(image, &differences);
        if let Some(reason) = &told {
            builder.say(&point.id, reason.clone());
        }
        let mut point = point.clone().found(told);
        if point.status == Status::Created {
            point.snapshots = snapshots_of(machine, seen);
        }
        let untrue = untrue(&point, seen);
        return imaged(builder, &point, image, untrue, input);
    };
    let weight = differences.iter().map(|difference| difference.weight).max();
    let is_created = point.status == Status::Created;
    let left = images::with_leftovers(point, image, &input.images);
    builder.say(&point.id, reason.clone());
    let after = match weight {
        // EC2 imaged the machine as it was a moment later: with one disk more, or one less.
        Some(Weight::Disks) if is_created => {
            retry::failed(&left, reason, Next::Sparing, input.now)?
        }
        Some(Weight::Billing) if !is_created && point.plan.method == Method::Auto => {
            let method = Chosen { method: Method::CreateImage, why: reason.to_string() };
            builder.wake(Queue { region: point.home.clone(), kind: Kind::Snapshot });
            retry::redone(&left, method, reason, input.now)?
        }
        _ => {
            healing::tell_given_up(builder, point, &reason, input.now);
            retry::given_up(&left, reason, input.now)?
        }
    };
    builder.record(summary::recorded(after));
    Ok(())
}

/// Tells whether an image that is just available does not show all of its mapping yet.
fn is_unfinished(point: &Point, image: &ObservedImage, now: Timestamp) -> bool {
    let lacks = image.devices.iter().any(|device| device.snapshot.is_none());
    point.status == Status::Created && lacks && !point.step.is_past(PARTIAL, now)
}

/// Returns the differences for which an image cannot be used; none if it can be used.
fn is_of_no_use(image: &AmiId, differences: &[Difference]) -> Option<Reason> {
    told(image, differences.iter().filter(|difference| difference.weight > Weight::Told))
}

/// Returns the differences of an image as a reason, if there are any.
fn told<'a>(
    image: &AmiId,
    differences: impl IntoIterator<Item = &'a Difference>,
) -> Option<Reason> {
    let texts = differences.into_iter().map(|difference| difference.text.as_str());
    let texts: Vec<&str> = texts.collect();
    let text = || format!("{image} differs from its machine: {}", texts.join("; "));
    (!texts.is_empty()).then(|| Reason::new(Code::ImageDiffers, text()))
}

/// Returns the snapshots of an image that EC2 created, by the volumes that have its devices.
fn snapshots_of(machine: &Machine, image: &ObservedImage) -> BTreeMap<VolumeId, SnapshotId> {
    let pair = |volume: &Volume| {
        let device = image.devices.iter().find(|device| device.name == volume.device)?;
        Some((volume.id.clone(), device.snapshot.clone()?))
    };
    machine.volumes.iter().filter_map(pair).collect()
}

fn imaged(
    builder: &mut DecisionBuilder,
    point: &Point,
    image: &AmiId,
    untrue: Vec<String>,
    input: &Input,
) -> Result<(), Illegal> {
    let wanted = point.plan.replicate.iter().map(|replicate| &replicate.region);
    let regions: BTreeSet<&Region> = wanted.filter(|region| **region != point.home).collect();
    let after = point.after(Event::Available)?;
    let (mut places, mut writes) = (BTreeMap::new(), Vec::new());
    for region in regions {
        let (place, write) = healing::replica_again(point, image, region, input)?;
        places.insert(region.clone(), place);
        writes.extend(write);
        let kind = match place {
            Place::Underway => Some(Kind::Copy),
            Place::Lost => Some(Kind::Confirm),
            _ => None,
        };
        if let Some(kind) = kind {
            builder.wake(Queue { region: region.clone(), kind });
        }
    }
    if point.lost.is_some() {
        missing::resolve(builder, &point.home, point.lost.as_ref(), Code::Lost, input.now);
    }
    // It is ours, and may be restored.
    let mut leftovers = after.leftovers.clone();
    retry::leave(&mut leftovers, point.lost.clone());
    let after = Point {
        leftovers,
        step: point.step.settled(),
        home_place: Place::Available,
        lost: None,
        before: None,
        key_deleted: None,
        heal_asked: false,
        replicas: places,
        reason: None,
        ..after
    };
    let mut change = summary::recorded(replicas::judged(after)?);
    change.writes.extend(writes);
    let command = Command::Record(Box::new(change));
    let command = grade_tag::first(builder, point, untrue, command, input.now);
    builder.learn(command);
    Ok(())
}

/// Returns the image and its snapshots, if their tag has another grade than the point. EC2 tags an
/// image that it created and its snapshots in one call, so that all have the same grade. An image
/// that was registered was tagged when the grade was known.
fn untrue(point: &Point, image: &ObservedImage) -> Vec<String> {
    if !grade_tag::is_untrue(point, &image.tags) {
        return Vec::new();
    }
    let snapshots = image.snapshots.iter().map(ToString::to_string);
    [image.id.to_string()].into_iter().chain(snapshots).collect()
}

/// Looks at the replicas of one point. Replicas that came to rest are one change with their point.
/// Replicas that are tried again are written alone.
fn look_at_replicas(
    builder: &mut DecisionBuilder,
    point: &Point,
    pending: &[&Replica],
    input: &Input,
) -> Result<(), IllegalTransition> {
    let mut settled = Vec::new();
    for replica in pending {
        let after = match look_at_replica(builder, point, replica, input) {
            Ok(Some(after)) => after,
            Ok(None) => continue,
            Err(illegal) => {
                builder.check(replica.about(), Err(illegal));
                continue;
            }
        };
        if let Some(reason) = &after.reason {
            builder.say(after.about(), reason.clone());
        }
        match after.status.is_settled() {
            true => settled.push(after),
            false => {
                let told = summary::behind(point, &after, after.step.due_at);
                builder.record(Change::replica(after).telling(Some(told)));
            }
        }
    }
    let is_made =
        |it: &&Replica| matches!(it.status, ReplicaStatus::Available | ReplicaStatus::Unusable);
    for replica in settled.iter().filter(is_made) {
        let before = pending.iter().find(|before| before.region == replica.region);
        let at_home = point.lost.as_ref().filter(|_| replica.region == point.home);
        let lost = before.and_then(|before| before.lost.as_ref()).or(at_home);
        missing::resolve(builder, &replica.region, lost, Code::Lost, input.now);
    }
    if settled.is_empty() {
        return Ok(());
    }
    let mut lost = Vec::new();
    let mut after = point.clone();
    if has_available(&settled) {
        // What is lost can be made again from it.
        let others = healing::replicas_of(point, input);
        let is_settled = |region: &Region| settled.iter().any(|it| it.region == *region);
        let others = others.filter(|other| !is_settled(&other.region));
        lost = restored::lost_elsewhere(builder, others, input.now);
        if point.home_place == Place::Lost {
            builder.wake(Queue { region: point.home.clone(), kind: Kind::Confirm });
            after = point.due_now(input.now);
        }
    }
    let mut change: Change = replicas::settled(&after, settled)?;
    change.writes.extend(lost);
    builder.record(change);
    Ok(())
}

fn has_available(replicas: &[Replica]) -> bool {
    replicas.iter().any(|replica| replica.status == ReplicaStatus::Available)
}

/// Returns the replica whose image is available.
fn available(replica: &Replica) -> Result<Replica, IllegalForReplica> {
    let mut after = replica.after(ReplicaEvent::Available)?;
    // It is ours, and may be restored.
    retry::leave(&mut after.leftovers, after.lost.clone());
    let step = replica.step.settled();
    Ok(Replica { step, reason: None, lost: None, heal_asked: false, ..after })
}

/// Looks at one replica. None if nothing has happened to it.
fn look_at_replica(
    builder: &mut DecisionBuilder,
    point: &Point,
    replica: &Replica,
    input: &Input,
) -> Result<Option<Replica>, IllegalForReplica> {
    let Some(image) = &replica.image else { return Ok(None) };
    let region = &replica.region;
    let mut look = look(image, region, &replica.step, input);
    not_disabled(builder, &look, replica.reason.as_ref(), (region, image), input.now);
    if let (Look::Available | Look::Disabled(_), Some(seen), Some(machine)) =
        (&look, input.images.get(image), &point.machine)
        && let Some(reason) = is_of_no_use(image, &compare::of_copy(machine, seen))
    {
        look = Look::Lost(reason);
    }
    Ok(Some(match look {
        Look::Pending => return Ok(None),
        Look::Available => available(replica)?,
        Look::Lost(reason) => {
            let next = next(&reason);
            retry::replica_failed(replica, reason, next, input.now)?
        }
        Look::TooLong(reason) if replica.reason.as_ref() == Some(&reason) => return Ok(None),
        Look::TooLong(reason) => Replica { reason: Some(reason), ..replica.clone() },
        // It was made, and then disabled.
        Look::Disabled(reason) => {
            builder.report_of(region, Some(&image.clone().into()), &reason, input.now);
            let made = available(replica)?;
            Replica { reason: Some(reason), ..made.after(ReplicaEvent::Disable)? }
        }
    }))
}
