//! Replicas that want to be copied into this region.
//!
//! CopyImage takes a token, so that a call without an outcome is simply made again, under the same
//! name and with the same token: either it was not made yet, or EC2 answers with what it made. Only
//! a name that is taken has to be looked up.
//!
//! A replica whose tries are used up is given up here, as this is where its point is at hand: its
//! place in it is written with it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::decision_builder::DecisionBuilder;
use super::{made, places, retry};
use crate::command::{Change, Command, CopyImage, Decision, Intent};
use crate::duration::seconds;
use crate::ids::AmiId;
use crate::limits::{COPY_AGAIN, SETTLE, WAITING_LATER_MAX, backoff, later};
use crate::names::{copy_token, image_name};
use crate::observed::{Complete, ImageState, ObservedImage};
use crate::point::{IllegalForReplica, Point, Replica, ReplicaEvent, ReplicaStatus, Step};
use crate::reason::{Code, Reason};
use crate::slot::PointId;
use crate::tags::write::image_tags;
use crate::work::{Kind, Queue};

/// The key with which EBS encrypts in every region where nobody names another.
const DEFAULT_KEY: &str = "alias/aws/ebs";

#[derive(Clone, Debug)]
pub struct Input {
    pub now: Timestamp,
    /// What the queue holds, whether due or not.
    pub replicas: Vec<Replica>,
    pub points: BTreeMap<PointId, Point>,
    /// For each name that turned out to be taken: the images of this account and region of that
    /// name.
    pub named: BTreeMap<String, Complete<ObservedImage>>,
}

/// The names that have to be looked up before anything is decided.
pub fn to_look_up(replicas: &[Replica], now: Timestamp) -> Vec<String> {
    let taken = replicas.iter().filter(|replica| is_taken(replica) && replica.step.is_due(now));
    taken.map(name).collect()
}

fn name(replica: &Replica) -> String {
    image_name(&replica.point, replica.step.attempt)
}

/// The last answer was that the name is in use.
fn is_taken(replica: &Replica) -> bool {
    replica.status == ReplicaStatus::Copying
        && replica.reason.as_ref().is_some_and(|reason| reason.code == Code::NameTaken)
}

/// A replica of this image is what was asked for, whoever made it: same source, and the name of
/// one of its tries.
pub fn is_copy_of(image: &ObservedImage, replica: &Replica) -> bool {
    let source: Option<(&str, &AmiId)> =
        image.source.as_ref().map(|(region, image)| (region.as_str(), image));
    source == Some((replica.home.as_str(), &replica.source))
        && (0..=replica.step.attempt).any(|try_| image.name == image_name(&replica.point, try_))
}

pub fn decide(input: &Input) -> Decision {
    let mut replicas: Vec<&Replica> = input.replicas.iter().collect();
    replicas.sort_by_key(|replica| {
        let deadline = input.points.get(&replica.point).and_then(|point| deadline(point, replica));
        let deadline = deadline.unwrap_or(Timestamp::MAX);
        (deadline, replica.step.due_at, &replica.point, &replica.region)
    });
    let mut builder = DecisionBuilder::default();
    for replica in replicas.into_iter().filter(|replica| replica.step.is_due(input.now)) {
        let Some(point) = input.points.get(&replica.point) else { continue };
        // A replica is left alone by an event that cannot happen to it where it stands.
        let _left_alone = match replica.status {
            ReplicaStatus::Waiting => wants_a_copy(&mut builder, point, replica, input.now),
            ReplicaStatus::Copying if is_taken(replica) => match input.named.get(&name(replica)) {
                Some(Complete(named)) => {
                    look_for_copy(&mut builder, point, replica, named, input.now)
                }
                None => Ok(()),
            },
            ReplicaStatus::Copying => again(&mut builder, point, replica, input.now),
            ReplicaStatus::Pending | ReplicaStatus::Available | ReplicaStatus::Failed => Ok(()),
        };
    }
    builder.decision()
}

/// When a replica is to be there: copies are slow to begin, one in two seconds, and those go first
/// that are wanted first.
fn deadline(point: &Point, replica: &Replica) -> Option<Timestamp> {
    let place = point.plan.replicate.iter().find(|place| place.region == replica.region)?;
    Some(later(point.requested_at, seconds(place.deadline_secs?)))
}

fn wants_a_copy(
    builder: &mut DecisionBuilder,
    point: &Point,
    replica: &Replica,
    now: Timestamp,
) -> Result<(), IllegalForReplica> {
    let last = || replica.reason.clone().unwrap_or_else(no_outcome);
    if retry::is_used_up(&replica.step) {
        let reason = retry::final_reason(last(), &replica.step);
        return give_up(builder, point, replica, reason);
    }
    let throttled = replica.reason.as_ref().filter(|reason| reason.code == Code::Throttled);
    if let Some(reason) = throttled
        && now.duration_since(point.wanted_since()) >= WAITING_LATER_MAX
    {
        let reason = retry::waited_too_long(&reason.text, WAITING_LATER_MAX);
        return give_up(builder, point, replica, reason);
    }
    begin(builder, point, replica, COPY_AGAIN, now)
}

fn begin(
    builder: &mut DecisionBuilder,
    point: &Point,
    replica: &Replica,
    again_after: SignedDuration,
    now: Timestamp,
) -> Result<(), IllegalForReplica> {
    let begun = replica.after(ReplicaEvent::Begin)?;
    let due_at = Some(later(now, again_after));
    let step = Step { begun_at: Some(now), due_at, ..replica.step.clone() };
    let begun = Replica { step, reason: None, ..begun };
    let call = call(point, &begun);
    let queue = Queue { region: begun.region.clone(), kind: Kind::Copy };
    let intent = Intent { change: Change::replica(begun), queue, call };
    builder.create(Command::CopyImage(Box::new(intent)));
    Ok(())
}

fn call(point: &Point, replica: &Replica) -> CopyImage {
    let replicate = point.plan.replicate.iter().find(|place| place.region == replica.region);
    let named_key = replicate.and_then(|place| place.kms_key.clone());
    let mut volumes = point.machine.iter().flat_map(|machine| &machine.volumes);
    let encrypted = volumes.any(|volume| volume.encrypted);
    CopyImage {
        region: replica.region.clone(),
        source_region: replica.home.clone(),
        source: replica.source.clone(),
        name: name(replica),
        description: format!("Afterimage: {} from {}", replica.point, replica.home),
        token: copy_token(replica),
        kms_key: named_key.or_else(|| encrypted.then(|| DEFAULT_KEY.to_string())),
        tags: image_tags(point, replica.step.attempt),
    }
}

/// Whether the call was made is not known: the same again. It counts as a failure, so that a region
/// that never answers does not keep us busy for ever.
fn again(
    builder: &mut DecisionBuilder,
    point: &Point,
    replica: &Replica,
    now: Timestamp,
) -> Result<(), IllegalForReplica> {
    let failures = replica.step.failures.saturating_add(1);
    let step = Step { failures, ..replica.step.clone() };
    let reason = no_outcome();
    if retry::is_used_up(&step) {
        let reason = retry::final_reason(reason, &step);
        return give_up(builder, point, &Replica { step, ..replica.clone() }, reason);
    }
    builder.say(about(replica), reason);
    let waiting = Replica { step, ..replica.after(ReplicaEvent::Retry)? };
    begin(builder, point, &waiting, COPY_AGAIN.max(backoff(failures)), now)
}

fn look_for_copy(
    builder: &mut DecisionBuilder,
    point: &Point,
    replica: &Replica,
    named: &[ObservedImage],
    now: Timestamp,
) -> Result<(), IllegalForReplica> {
    let name = name(replica);
    // One that is deregistered holds its name no longer.
    let holds =
        |image: &&ObservedImage| image.state != ImageState::Deregistered && image.name == name;
    let mut named: Vec<&ObservedImage> = named.iter().filter(holds).collect();
    named.sort_by_key(|image| &image.id);
    for image in named.iter().filter(|image| !is_copy_of(image, replica)) {
        let why = "it has our name, and is not a copy of our image".to_string();
        builder.foreign(&replica.region, &image.id, why, now);
    }
    if let Some(image) = named.iter().find(|image| is_copy_of(image, replica)) {
        let text = format!("{} of a try without an outcome was found", image.id);
        builder.say(about(replica), Reason::new(Code::Adopted, text));
        builder.record(Change::replica(made::replica(replica, image.id.clone(), now)?));
        return Ok(());
    }
    if let Some(image) = named.first() {
        let reason = Reason::new(Code::Foreign, format!("{} has the name {name}", image.id));
        builder.say(about(replica), reason.clone());
        builder.record(Change::replica(retry::replica_outdone(replica, reason, now)?));
        return Ok(());
    }
    if replica.step.is_past(SETTLE, now) {
        return again(builder, point, replica, now);
    }
    let text = format!("what has the name {name} is not visible yet");
    let reason = Reason::new(Code::NameTaken, text);
    builder.say(about(replica), reason.clone());
    let visible = later(replica.step.begun_at.unwrap_or(now), SETTLE);
    let step = Step { due_at: Some(visible), ..replica.step.clone() };
    builder.record(Change::replica(Replica { step, reason: Some(reason), ..replica.clone() }));
    Ok(())
}

/// The replica is given up, and its place in its point with it.
fn give_up(
    builder: &mut DecisionBuilder,
    point: &Point,
    replica: &Replica,
    reason: Reason,
) -> Result<(), IllegalForReplica> {
    let after = retry::replica_given_up(replica, reason.clone())?;
    builder.say(about(replica), reason);
    builder.record(places::settled(point, vec![after]));
    Ok(())
}

fn about(replica: &Replica) -> String {
    format!("{} {}", replica.point, replica.region)
}

fn no_outcome() -> Reason {
    Reason::new(Code::OutcomeUnknown, "the call was made, or not, and no answer came")
}
