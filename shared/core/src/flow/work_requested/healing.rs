//! Places that are lost: the way to have each again, and what keeps it from being taken.
//!
//! - A replica that is lost is copied again, from any image of its point that is left.
//! - An image at home that is lost is registered again if its snapshots are there, and else copied
//!   back from a replica, under the key of the disks of its machine. An image that EC2 created is
//!   only ever copied back, because registering it would lose something.
//! - If nothing is left, and the machine stands as the policy wants it, the point begins again.
//! - Only the newest good point of a machine and policy is made again, and one that a person asks
//!   for (`afterimage heal`). A place that is lost again and again is left to a person, and so is
//!   everything of a policy that says `heal: false`.
//! - Once many images of a region are lost, only a budget is made again in a day, the newest first
//!   ([`super::braking`]).

use std::cmp::Reverse;

use jiff::{SignedDuration, Timestamp};

use super::begin_again;
use super::braking::{Braking, Leave};
use super::decision_builder::DecisionBuilder;
use super::disk_keys::{self, Use};
use super::due::{is_point_due, is_replica_due};
use super::images::Input;
use super::losses::{self, gone, is_healed, left_to_person, newer_good, telling, worn_out};
use super::restored;
use super::sources;
use crate::brake::size_gib;
use crate::call::copy_image;
use crate::change::{Change, Record, Write};
use crate::command::{Finding, Resolved};
use crate::flow::wanted::{self, Verdict};
use crate::ids::{AmiId, Region, ResourceId, SnapshotId};
use crate::illegal::Illegal;
use crate::limits::{A_DAY, HEAL_AGAIN, PROBE_EVERY};
use crate::observed::SnapshotState;
use crate::point::{Place, Point, Replica, ReplicaStatus};
use crate::policy::Artefact;
use crate::reason::{Code, Reason};
use crate::status::Status;
use crate::subject::Subject;
use crate::transition::{again, loss, replicas, summary, withdrawn};
use crate::work::{Kind, Queue};

type Done = Result<(), Illegal>;

/// Makes the places again that are lost and due, those of the newest points first.
pub(super) fn decide(builder: &mut DecisionBuilder, braking: &mut Braking, input: &Input) {
    let points = input.points.iter().filter(|point| is_point_due(point, input.now));
    let points = points.filter(|point| loss::has_lost(point)).map(|point| (point, None));
    let replicas = input.replicas.iter().filter(|replica| {
        is_replica_due(replica, input.now) && replica.status == ReplicaStatus::Lost
    });
    let of_point = |replica: &Replica| input.points_of_replicas.get(&replica.point);
    let replicas = replicas.filter_map(|replica| Some((of_point(replica)?, Some(replica))));
    let mut lost: Vec<(&Point, Option<&Replica>)> = points.chain(replicas).collect();
    lost.sort_by_key(|(point, _)| Reverse(point.taken_at.unwrap_or(point.requested_at)));
    for (point, replica) in lost {
        let done = match replica {
            None => heal_home(builder, braking, point, input),
            Some(replica) => heal_replica(builder, braking, point, replica, input),
        };
        builder.check(replica.map_or_else(|| point.id.to_string(), Replica::about), done);
    }
}

/// The way in which the artefact at home is had again.
enum Way<'a> {
    Register,
    CopyBack(&'a Region, &'a AmiId),
    BeginAgain,
}

fn heal_home(
    builder: &mut DecisionBuilder,
    braking: &mut Braking,
    point: &Point,
    input: &Input,
) -> Done {
    let (now, home) = (input.now, &point.home);
    let known: Vec<&Replica> = replicas_of(point, input).collect();
    if restored::home(builder, point, &known, input)? {
        return Ok(());
    }
    if is_nothing_left(point, input) {
        let after = loss::nothing_left(point, now)?;
        builder.wake(Queue { region: home.clone(), kind: Kind::Confirm });
        let change = telling(builder, &after, Change::point(after.clone()), input);
        builder.record(change);
        return Ok(());
    }
    let way = way_home(point, input);
    let asked = Asked { is_asked: point.heal_asked, has_way: way.is_ok() };
    let hindrance = hindrance(point, &point.healed, asked, home, input);
    if let Some(Hindrance { reason, look_after, .. }) = hindrance {
        put_off_home(builder, point, reason, look_after, input);
        return Ok(());
    }
    let way = match way {
        Ok(way) => way,
        Err(reason) => {
            let is_key = reason.code == Code::KeyUnusable;
            let look_after = if is_key { PROBE_EVERY } else { HEAL_AGAIN };
            put_off_home(builder, point, reason, Some(look_after), input);
            return Ok(());
        }
    };
    if let (Way::CopyBack(..), Some(key)) = (&way, copy_image::key_at_home(point))
        && let Use::Unusable(which) | Use::Gone(which) =
            disk_keys::used(&input.healing.keys, [key.as_str()])
    {
        let text = format!(
            "the image in {home} cannot be copied back: {which}. The key is looked at every hour"
        );
        let reason = Reason::new(Code::KeyUnusable, text);
        let (region, told) = (home.clone(), reason.clone());
        builder.report(Finding { region, artefact: back_under(&key), reason: told, seen_at: now });
        put_off_home(builder, point, reason, Some(PROBE_EVERY), input);
        return Ok(());
    }
    let spent = match braking.leave(home, size_gib(point), point.heal_asked) {
        Leave::Given(spent) => spent,
        Leave::Waits { until, reason, write } => {
            let after = Point { reason: Some(reason), ..point.clone() };
            let step = loss::looked_at(&point.step, until.duration_since(now), now);
            let change = summary::recorded(Point { step, ..after });
            builder.record(write.into_iter().fold(change, Change::with));
            return Ok(());
        }
    };
    let change = match way {
        Way::Register => registered_again(builder, point, input)?,
        Way::CopyBack(region, image) => {
            if let Some(key) = copy_image::key_at_home(point) {
                let (region, artefact) = (home.clone(), back_under(&key));
                builder.resolve(Resolved { region, artefact, code: Code::KeyUnusable, at: now });
            }
            copied_back(builder, point, (region, image), input)?
        }
        Way::BeginAgain => begun_again(builder, point, input)?,
    };
    builder.record(spent.into_iter().fold(change, Change::with));
    Ok(())
}

/// Subject of the finding about images that cannot be copied back for their key.
fn back_under(key: &str) -> Subject {
    Subject::Other(format!("copies back under key {key}"))
}

/// Records why the place at home is not made again now, and when it is looked at again; never, if
/// only a person or a newer point can change that.
fn put_off_home(
    builder: &mut DecisionBuilder,
    point: &Point,
    reason: Reason,
    look_after: Option<SignedDuration>,
    input: &Input,
) {
    builder.say(&point.id, reason.clone());
    if point.reason.as_ref() != Some(&reason) {
        tell_at_home(builder, point, &losses::Done::Nothing(reason.clone()), input);
    }
    let step = match look_after {
        Some(after) => loss::looked_at(&point.step, after, input.now),
        None => point.step.settled(),
    };
    builder.record(summary::recorded(Point { step, reason: Some(reason), ..point.clone() }));
}

/// Tells what is done about the artefact that is lost at home, in its finding.
fn tell_at_home(builder: &mut DecisionBuilder, point: &Point, done: &losses::Done, input: &Input) {
    let is_gone = |id: &&SnapshotId| !input.snapshots.contains_key(*id);
    let snapshot = || point.snapshots.values().find(is_gone).cloned().map(ResourceId::from);
    if let Some(lost) = point.lost.clone().map(ResourceId::from).or_else(snapshot) {
        if point.heal_asked {
            end_if_made(builder, &lost, &point.home, done, input.now);
        }
        let gone = gone(&lost.to_string(), &point.home, None);
        let place = (&point.home, &point.id);
        builder.reword(losses::finding(&lost, place, (&gone, done), input.now));
    }
}

/// Tells what is done about the image of a replica that is lost, in its finding.
fn tell_elsewhere(
    builder: &mut DecisionBuilder,
    replica: &Replica,
    done: &losses::Done,
    now: Timestamp,
) {
    if let Some(lost) = &replica.lost {
        let gone = gone(lost.as_str(), &replica.region, None);
        let place = (&replica.region, &replica.point);
        let lost = ResourceId::from(lost.clone());
        if replica.heal_asked {
            end_if_made(builder, &lost, &replica.region, done, now);
        }
        builder.reword(losses::finding(&lost, place, (&gone, done), now));
    }
}

/// Ends the finding that says that a person has to ask for an image, once it is made.
fn end_if_made(
    builder: &mut DecisionBuilder,
    lost: &ResourceId,
    region: &Region,
    done: &losses::Done,
    now: Timestamp,
) {
    if matches!(done, losses::Done::Again(_)) {
        let (region, artefact) = (region.clone(), lost.clone().into());
        builder.resolve(Resolved { region, artefact, code: Code::LostAgain, at: now });
    }
}

/// Returns the way to the artefact at home, or the reason why there is none now.
fn way_home<'a>(point: &'a Point, input: &'a Input) -> Result<Way<'a>, Reason> {
    if point.plan.kind == Artefact::Image && has_snapshots(point, input) {
        return Ok(Way::Register);
    }
    let replicas = replicas_of(point, input);
    if let Some((region, image)) =
        sources::usable(point, replicas, &point.home, &input.healing.sources)?
    {
        // The copy would be made under the same key.
        let deleted = point.key_deleted.clone();
        return deleted.map_or(Ok(Way::CopyBack(region, image)), Err);
    }
    let why = match point.status {
        Status::Lost => obstacle_to_begin(point, input),
        _ => Some("no image of the point is there that could be copied back".to_string()),
    };
    why.map_or(Ok(Way::BeginAgain), |why| Err(Reason::new(Code::Lost, why)))
}

/// Returns the reason why a point of which nothing is left does not begin again on its machine;
/// none if it does.
fn obstacle_to_begin(point: &Point, input: &Input) -> Option<String> {
    let machine = point.instance();
    let others = input.history.get(machine).into_iter().flatten().map(|(other, _)| other);
    let in_force = &input.healing.in_force;
    let kept = begin_again::check(point, input.instances.get(machine), others, in_force).err()?;
    Some(format!("nothing is left of the point to make it again from, and {}", kept.why))
}

/// Tells whether all snapshots are there from which the image of a point can be registered.
fn has_snapshots(point: &Point, input: &Input) -> bool {
    let is_there = |id| {
        let seen = input.snapshots.get(id);
        seen.is_some_and(|snapshot| snapshot.state == SnapshotState::Completed)
    };
    let keys = disk_keys::of_snapshots(point.snapshots.values(), &input.snapshots);
    // An image of snapshots whose key is gone would be of no use either.
    let is_key_gone = matches!(disk_keys::used(&input.healing.keys, keys), Use::Gone(_));
    let are_there = !point.snapshots.is_empty() && point.snapshots.values().all(is_there);
    !point.is_created() && are_there && !is_key_gone
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

fn registered_again(
    builder: &mut DecisionBuilder,
    point: &Point,
    input: &Input,
) -> Result<Change, Illegal> {
    let text = format!("the image in {} is registered again from its snapshots", point.home);
    let reason = Reason::new(Code::Healing, text);
    builder.say(&point.id, reason.clone());
    tell_at_home(builder, point, &losses::Done::Again(reason.clone()), input);
    builder.wake(Queue { region: point.home.clone(), kind: Kind::Register });
    Ok(Change::point(loss::remade(point, reason, input.now)?))
}

fn copied_back(
    builder: &mut DecisionBuilder,
    point: &Point,
    source: (&Region, &AmiId),
    input: &Input,
) -> Result<Change, Illegal> {
    let text = format!("the image in {} is copied back from {}", point.home, source.0);
    let reason = Reason::new(Code::Healing, text);
    builder.say(&point.id, reason.clone());
    tell_at_home(builder, point, &losses::Done::Again(reason.clone()), input);
    builder.wake(Queue { region: point.home.clone(), kind: Kind::Copy });
    let record = known_replica(point, &point.home, input).cloned();
    let record = record.unwrap_or_else(|| loss::home_copy(point, source, input.now));
    let (after, record) = loss::copied_again(point, &record, source, reason, input.now)?;
    Ok(Change::point(after).with(Write::replica(record)))
}

fn begun_again(
    builder: &mut DecisionBuilder,
    point: &Point,
    input: &Input,
) -> Result<Change, Illegal> {
    let text = "nothing of the point is left; it begins again on its machine";
    let reason = Reason::new(Code::Healing, text);
    builder.say(&point.id, reason.clone());
    tell_at_home(builder, point, &losses::Done::Again(reason.clone()), input);
    builder.wake(Queue { region: point.home.clone(), kind: Kind::Snapshot });
    let after = loss::begun_again(point, reason, input.now)?;
    let told = summary::latest(&after);
    Ok(Change::point(after).telling(Some(told)))
}

fn heal_replica(
    builder: &mut DecisionBuilder,
    braking: &mut Braking,
    point: &Point,
    replica: &Replica,
    input: &Input,
) -> Done {
    let (now, region) = (input.now, &replica.region);
    if restored::replica(builder, point, replica, &input.images, now)? {
        return Ok(());
    }
    let source = sources::usable(point, replicas_of(point, input), region, &input.healing.sources);
    let asked = Asked { is_asked: replica.heal_asked, has_way: !matches!(source, Ok(None)) };
    let hindrance = hindrance(point, &replica.healed, asked, region, input);
    if let Some(Hindrance { reason, look_after, is_unwanted }) = hindrance {
        if is_unwanted {
            builder.say(replica.about(), reason.clone());
            tell_elsewhere(builder, replica, &losses::given_up(point, region, input), now);
            let after = withdrawn::replica(replica, reason)?;
            builder.record(replicas::settled(point, vec![after])?);
            return Ok(());
        }
        put_off_elsewhere(builder, replica, reason, look_after, now);
        return Ok(());
    }
    let (source, image) = match source {
        Ok(Some(source)) => source,
        Ok(None) => {
            put_off_elsewhere(builder, replica, no_source(point), Some(HEAL_AGAIN), now);
            return Ok(());
        }
        Err(reason) => {
            put_off_elsewhere(builder, replica, reason, Some(PROBE_EVERY), now);
            return Ok(());
        }
    };
    let spent = match braking.leave(region, size_gib(point), replica.heal_asked) {
        Leave::Given(spent) => spent,
        Leave::Waits { until, reason, write } => {
            builder.say(replica.about(), reason.clone());
            let step = loss::looked_at(&replica.step, until.duration_since(now), now);
            let after = Replica { step, reason: Some(reason), ..replica.clone() };
            let told = summary::behind(point, &after, Some(until));
            let change = Change::replica(after).telling(Some(told));
            builder.record(write.into_iter().fold(change, Change::with));
            return Ok(());
        }
    };
    let reason = Reason::new(Code::Healing, format!("{region} is copied again from {source}"));
    builder.say(replica.about(), reason.clone());
    tell_elsewhere(builder, replica, &losses::Done::Again(reason.clone()), now);
    builder.wake(Queue { region: region.clone(), kind: Kind::Copy });
    let (point, replica) = loss::copied_again(point, replica, (source, image), reason, now)?;
    let change = Change::point(point).with(Write::replica(replica));
    builder.record(spent.into_iter().fold(change, Change::with));
    Ok(())
}

/// Returns the reason why a replica that is lost has nothing to be copied from.
fn no_source(point: &Point) -> Reason {
    let places = point.replicas.iter().chain([(&point.home, &point.home_place)]);
    let mut unusable = places.filter(|(_, place)| **place == Place::Unusable);
    let is_for_ever = |region: &Region| *region == point.home && point.key_deleted.is_some();
    let text = match unusable.find(|(region, _)| !is_for_ever(region)) {
        Some((region, _)) => format!(
            "no image of the point can be used to copy it from; it is copied again once the image \
             in {region} can be used"
        ),
        None if point.key_deleted.is_some() => {
            "no image of the point is left that can be used, to copy it from".to_string()
        }
        None => format!(
            "no image of the point is left to copy it from; it is copied again once the image in \
             {} is",
            point.home
        ),
    };
    Reason::new(Code::Lost, text)
}

/// Records why a replica is not made again now, and when it is looked at again.
fn put_off_elsewhere(
    builder: &mut DecisionBuilder,
    replica: &Replica,
    reason: Reason,
    look_after: Option<SignedDuration>,
    now: Timestamp,
) {
    builder.say(replica.about(), reason.clone());
    if replica.reason.as_ref() != Some(&reason) {
        tell_elsewhere(builder, replica, &losses::Done::Nothing(reason.clone()), now);
    }
    let step = match look_after {
        Some(after) => loss::looked_at(&replica.step, after, now),
        None => replica.step.settled(),
    };
    builder.record(Change::replica(Replica { step, reason: Some(reason), ..replica.clone() }));
}

/// What keeps a place from being made again.
pub(super) struct Hindrance {
    pub reason: Reason,
    /// The time after which it may have gone; none if only a person can remove it.
    look_after: Option<SignedDuration>,
    /// True if nobody wants the place any more.
    pub is_unwanted: bool,
}

/// An order of a person to make a place again, and whether there is a way to.
#[derive(Clone, Copy, Default)]
pub(super) struct Asked {
    pub is_asked: bool,
    pub has_way: bool,
}

pub(super) fn hindrance(
    point: &Point,
    healed: &[Timestamp],
    Asked { is_asked, has_way }: Asked,
    region: &Region,
    input: &Input,
) -> Option<Hindrance> {
    // Who asks for an older point wants that one.
    if let Some(newer) = newer_good(point, input).filter(|_| !(is_asked && has_way)) {
        let text = format!("{} is newer and good, and only the newest is made again", newer.point);
        let reason = Reason::new(Code::Lost, text);
        return Some(Hindrance { reason, look_after: None, is_unwanted: false });
    }
    let in_force = &input.healing.in_force;
    match wanted::copy(point, region, in_force) {
        Verdict::Wanted => {}
        Verdict::Unknown(reason) => {
            return Some(Hindrance { reason, look_after: Some(HEAL_AGAIN), is_unwanted: false });
        }
        Verdict::Unwanted(reason) => {
            return Some(Hindrance { reason, look_after: Some(A_DAY), is_unwanted: true });
        }
    }
    if let Some(reason) = worn_out(point, healed, region, input.now) {
        return Some(Hindrance { reason, look_after: None, is_unwanted: false });
    }
    if !is_asked && !is_healed(point, input) {
        let reason = left_to_person(point);
        return Some(Hindrance { reason, look_after: Some(A_DAY), is_unwanted: false });
    }
    None
}

fn replicas_of<'a>(point: &Point, input: &'a Input) -> impl Iterator<Item = &'a Replica> {
    let history = input.history.get(point.instance()).into_iter().flatten();
    let id = point.id.clone();
    history.filter(move |(other, _)| other.id == id).flat_map(|(_, replicas)| replicas)
}

/// Returns an image of the point that is left, other than in that region: the one at home, if it
/// is there.
pub fn survivor<'a>(
    point: &'a Point,
    replicas: impl Iterator<Item = &'a Replica>,
    wanted_in: &Region,
) -> Option<(&'a Region, &'a AmiId)> {
    sources::survivors(point, replicas, wanted_in).next()
}

/// Returns the replica of a point in a region, as the ledger has it.
fn known_replica<'a>(point: &Point, region: &Region, input: &'a Input) -> Option<&'a Replica> {
    replicas_of(point, input).find(|replica| replica.region == *region)
}

/// Returns the write of the replica of a point whose image was just made again: copied anew, or
/// looked at if it is lost, unless it is there or under way. None if there is nothing to write.
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
        // It waits for an image that is gone.
        ReplicaStatus::Waiting if known.source != *image => {
            let (source, step) = (image.clone(), again::next(&known.step, now));
            let replica = Replica { source, source_region: None, step, ..known.clone() };
            Ok((Place::Underway, Some(Write::replica(replica))))
        }
        ReplicaStatus::Waiting | ReplicaStatus::Copying | ReplicaStatus::Pending => {
            Ok((Place::Underway, None))
        }
        // The region of the replica has a brake of its own.
        ReplicaStatus::Lost => Ok((Place::Lost, Some(Write::replica(known.due_now(now))))),
        // A person has called it off.
        ReplicaStatus::Withdrawn if withdrawn::is_cancelled(known) => Ok((Place::Withdrawn, None)),
        ReplicaStatus::Failed | ReplicaStatus::Withdrawn => {
            let home = &point.home;
            let text = format!("{region} is copied again from {home}, whose image was made again");
            let reason = Reason::new(Code::Healing, text);
            let source = (&point.home, image);
            let (_, replica) = loss::copied_again(point, known, source, reason, now)?;
            Ok((Place::Underway, Some(Write::replica(replica))))
        }
    }
}
