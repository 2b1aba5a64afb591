//! Places that are lost, and due: each is made again, or put off, by its prospect
//! ([`super::prospect`]). Once many images of a region are lost, only a budget is made again in a
//! day, the newest first ([`super::braking`]).

use std::cmp::Reverse;

use jiff::Timestamp;

use super::before_copy;
use super::braking::{Braking, Leave};
use super::decision_builder::DecisionBuilder;
use super::disk_keys::{self, Use};
use super::due::{is_point_due, is_replica_due};
use super::images::Input;
use super::losses::{self, telling};
use super::prospect::{self, Facts, NEVER, Prospect, Shown, Wait, Way};
use super::restored;
use super::sources::{self, Source};
use crate::brake::size_gib;
use crate::call::copy_image;
use crate::change::{Change, Record, Write};
use crate::command::{Finding, Resolved};
use crate::flow::nothing_waits::copies_back;
use crate::ids::{AmiId, Region, ResourceId, SnapshotId};
use crate::illegal::Illegal;
use crate::point::{Place, Point, Replica, ReplicaEvent, ReplicaStatus};
use crate::reason::{Code, Reason};
use crate::status::Status;
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

/// Gathers what is known of a point at a look at one of its places.
pub(super) fn facts<'a>(point: &'a Point, region: &Region, input: &'a Input) -> Facts<'a> {
    let history = input.history.get(point.instance()).into_iter().flatten();
    let others = history.filter(|(other, _)| other.id != point.id);
    // The snapshots of a point are looked at once its image is lost.
    let is_shown = *region == point.home && loss::has_lost(point);
    let machine = input.instances.get(point.instance());
    Facts {
        now: input.now,
        point,
        replicas: replicas_of(point, input).collect(),
        others: others.map(|(other, _)| other).collect(),
        in_force: &input.healing.in_force,
        shown: is_shown.then_some(Shown { snapshots: &input.snapshots, machine }),
        keys: &input.healing.keys,
        sources: &input.healing.sources,
        obstacles: vec![&input.obstacles],
    }
}

fn heal_home(
    builder: &mut DecisionBuilder,
    braking: &mut Braking,
    point: &Point,
    input: &Input,
) -> Done {
    let (now, home) = (input.now, &point.home);
    let facts = facts(point, home, input);
    if restored::home(builder, point, &facts.replicas, input)? {
        return Ok(());
    }
    if is_nothing_left(&facts, input) {
        let after = loss::nothing_left(point, now)?;
        builder.wake(Queue { region: home.clone(), kind: Kind::Confirm });
        let change = telling(builder, &after, Change::point(after.clone()), input);
        builder.record(change);
        return Ok(());
    }
    let prospect = prospect::home(&facts, point.heal_asked);
    if let Some((words, wait)) = prospect.kept() {
        if restored::home_disabled(builder, point, &facts.replicas, input)? {
            return Ok(());
        }
        tell_key_at_home(builder, point, &wait.reason, input);
        put_off_home(builder, point, (words, wait), input);
    }
    let Prospect::Now(way) = prospect else { return Ok(()) };
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
        Way::Copy(source) => {
            if let Some(key) = copy_image::key_at_home(point) {
                let (region, artefact) = (home.clone(), copies_back(&key));
                builder.resolve(Resolved { region, artefact, code: Code::KeyUnusable, at: now });
            }
            copied_back(builder, &facts, source, input)?
        }
        Way::BeginAgain => begun_again(builder, point, input)?,
    };
    builder.record(spent.into_iter().fold(change, Change::with));
    Ok(())
}

/// Tells a person of the key for which an image is not copied back; or that it can be used again,
/// if the image is not copied back for another reason by now.
fn tell_key_at_home(builder: &mut DecisionBuilder, point: &Point, reason: &Reason, input: &Input) {
    let Some(key) = copy_image::key_at_home(point) else { return };
    let (region, artefact) = (point.home.clone(), copies_back(&key));
    match disk_keys::used(&input.healing.keys, [key.as_str()]) {
        Use::Unusable(which) | Use::Gone(which)
            if *reason == prospect::back_under(point, &which) =>
        {
            let told = Finding { region, artefact, reason: reason.clone(), seen_at: input.now };
            builder.report(told.clone());
            if point.reason.as_ref() != Some(reason) {
                builder.reword(told);
            }
        }
        Use::Usable if point.reason.as_ref() != Some(reason) => {
            let (code, at) = (Code::KeyUnusable, input.now);
            builder.resolve(Resolved { region, artefact, code, at });
        }
        Use::Unusable(_) | Use::Gone(_) | Use::Usable | Use::Unknown | Use::Unread => {}
    }
}

/// Records why the place at home is not made again now, and when it is looked at again; never, if
/// only a person or a newer point can change that.
fn put_off_home(
    builder: &mut DecisionBuilder,
    point: &Point,
    (words, wait): (&'static str, &Wait),
    input: &Input,
) {
    let reason = &wait.reason;
    builder.say(&point.id, reason.clone());
    if point.reason.as_ref() != Some(reason) {
        tell_at_home(builder, point, &losses::Done::Nothing(words, reason.clone()), input);
    }
    let step = match wait.look_after {
        Some(after) => loss::looked_at(&point.step, after, input.now),
        None => point.step.settled(),
    };
    let reason = Some(reason.clone());
    let change = summary::recorded(Point { step, reason, ..point.clone() });
    builder.record(losses::telling_again(builder, point, change, input));
}

/// Tells what is done about the artefact that is lost at home, in its finding.
fn tell_at_home(builder: &mut DecisionBuilder, point: &Point, done: &losses::Done, input: &Input) {
    let is_gone = |id: &&SnapshotId| !input.snapshots.contains_key(*id);
    let snapshot = || point.snapshots.values().find(is_gone).cloned().map(ResourceId::from);
    if let Some(lost) = point.lost.clone().map(ResourceId::from).or_else(snapshot) {
        let place = (&point.home, &point.id);
        let known = point.reason.as_ref();
        losses::tell(builder, &lost, place, (done, point.heal_asked, known), input.now);
    }
}

/// Tells, in the finding of a lost image, that the one that was made in its place cannot be used.
pub(super) fn tell_given_up(
    builder: &mut DecisionBuilder,
    point: &Point,
    reason: &Reason,
    now: Timestamp,
) {
    if let Some(lost) = point.lost.clone().map(ResourceId::from) {
        let done = losses::Done::Nothing(NEVER, reason.clone());
        losses::tell(builder, &lost, (&point.home, &point.id), (&done, false, None), now);
    }
}

/// Tells what is done about the image of a replica that is lost, in its finding.
fn tell_elsewhere(
    builder: &mut DecisionBuilder,
    replica: &Replica,
    done: &losses::Done,
    now: Timestamp,
) {
    if let Some(lost) = replica.lost.clone().map(ResourceId::from) {
        let place = (&replica.region, &replica.point);
        let known = replica.reason.as_ref();
        losses::tell(builder, &lost, place, (done, replica.heal_asked, known), now);
    }
}

/// Tells whether nothing is left of a point that is called imaged: its image at home and its
/// snapshots are gone, and no replica is there or will be.
fn is_nothing_left(facts: &Facts, input: &Input) -> bool {
    let point = facts.point;
    let mut left = sources::survivors(point, facts.replicas.iter().copied(), &point.home);
    point.status == Status::Imaged
        && input.history.contains_key(point.instance())
        && !prospect::can_register(facts)
        && left.next().is_none()
        && prospect::hope(facts, &point.home).is_none()
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
    facts: &Facts,
    source: Source,
    input: &Input,
) -> Result<Change, Illegal> {
    let point = facts.point;
    let waits = waits(facts, &point.home, source);
    let text = format!("the image in {} is copied back from {}{waits}", point.home, source.region);
    let source = (source.region, source.image);
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
    let facts = facts(point, region, input);
    if restored::replica(builder, (point, &facts.replicas), replica, &input.images, now)?
        || restored::replica_earlier(builder, (point, &facts.replicas), replica, input)?
    {
        return Ok(());
    }
    let replica = restored::without_other_data(builder, point, replica, &input.images, now);
    let replica = replica.as_ref();
    if let Some(there) = &input.healing.there
        && before_copy::adopt(builder, point, replica, there, now)?
    {
        return Ok(());
    }
    let prospect = prospect::replica(&facts, replica, replica.heal_asked);
    if let Some((words, wait)) = prospect.kept() {
        if restored::replica_disabled(builder, point, replica, &input.images, now)? {
            return Ok(());
        }
        // What is not looked at again is not given up either.
        if wait.reason.code == Code::Withdrawn && wait.look_after.is_some() {
            builder.say(replica.about(), wait.reason.clone());
            tell_elsewhere(builder, replica, &losses::given_up(point, region, input), now);
            let after = withdrawn::replica(replica, wait.reason.clone())?;
            builder.record(replicas::settled(point, vec![after])?);
        } else {
            put_off_elsewhere(builder, (point, replica), (words, wait), input);
        }
    }
    let Prospect::Now(Way::Copy(source)) = prospect else { return Ok(()) };
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
    let waits = waits(&facts, region, source);
    let text = format!("{region} is copied again from {}{waits}", source.region);
    let reason = Reason::new(Code::Healing, text);
    builder.say(replica.about(), reason.clone());
    tell_elsewhere(builder, replica, &losses::Done::Again(reason.clone()), now);
    builder.wake(Queue { region: region.clone(), kind: Kind::Copy });
    let source = (source.region, source.image);
    let (point, replica) = loss::copied_again(point, replica, source, reason, now)?;
    let change = Change::point(point).with(Write::replica(replica));
    builder.record(spent.into_iter().fold(change, Change::with));
    Ok(())
}

/// Returns the end of what is told of a copy that something holds up.
fn waits(facts: &Facts, region: &Region, source: Source) -> String {
    let waits = prospect::held_up(facts, region, Way::Copy(source));
    waits.map_or(String::new(), |waits| format!(", but not yet: {waits}"))
}

/// Records why a replica is not made again now, and when it is looked at again.
fn put_off_elsewhere(
    builder: &mut DecisionBuilder,
    (point, replica): (&Point, &Replica),
    (words, wait): (&'static str, &Wait),
    input: &Input,
) {
    let now = input.now;
    let reason = &wait.reason;
    builder.say(replica.about(), reason.clone());
    if replica.reason.as_ref() != Some(reason) {
        tell_elsewhere(builder, replica, &losses::Done::Nothing(words, reason.clone()), now);
    }
    let step = match wait.look_after {
        Some(after) => loss::looked_at(&replica.step, after, now),
        None => replica.step.settled(),
    };
    let told = point.reason.as_ref() != Some(reason) && replica.lost.is_none();
    let after = Replica { step, reason: Some(reason.clone()), ..replica.clone() };
    // A replica that a rebuild did not find has no image that a finding could be about.
    let change = match told && point.status == Status::Imaged && !loss::lacks_home(point) {
        true => {
            let point = Point { reason: Some(reason.clone()), ..point.clone() };
            summary::recorded(point).with(Write::replica(after))
        }
        false => Change::replica(after),
    };
    builder.record(losses::telling_again(builder, point, change, input));
}

/// Takes the copy that a place has in place of the one that is gone, if the ledger does not know it
/// yet. Tells whether there is one.
pub(super) fn is_there_already(
    builder: &mut DecisionBuilder,
    point: &Point,
    replica: &Replica,
    input: &Input,
) -> Result<bool, Illegal> {
    let Some(there) = &input.healing.there else { return Ok(false) };
    let reason = Reason::new(Code::Lost, "another copy is there");
    let (point, replica) = loss::replica(point, replica, ReplicaEvent::Lose, reason, input.now)?;
    before_copy::adopt(builder, &point, &replica, there, input.now)
}

/// Returns the replicas of a point, as far as they were read.
pub(super) fn replicas_of<'a>(
    point: &Point,
    input: &'a Input,
) -> impl Iterator<Item = &'a Replica> {
    let history = input.history.get(point.instance()).into_iter().flatten();
    let id = point.id.clone();
    history.filter(move |(other, _)| other.id == id).flat_map(|(_, replicas)| replicas)
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
