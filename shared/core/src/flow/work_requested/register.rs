//! Points whose snapshots are being filled, and those that want an image made of them.
//!
//! - Every snapshot of a point is complete: that, and the intent to register, are one write; then
//!   the call is made, with every attribute that the machine had. Where snapshots are all that is
//!   wanted, the point is protected.
//! - One of them failed or is gone: the whole set is of no use, and the next is made.
//! - A call without an outcome, or a name that is taken: what has that name is ours if it is made
//!   of exactly this point's snapshots, and foreign otherwise.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::decision_builder::DecisionBuilder;
use super::{grade_tag, made, news, retry};
use crate::command::{Change, Command, Decision, Device, Intent, RegisterImage};
use crate::ids::SnapshotId;
use crate::limits::{LOOK_AFTER, PENDING_MAX, SETTLE, later};
use crate::machine::Volume;
use crate::names::image_name;
use crate::observed::{Complete, ImageState, ObservedImage, ObservedSnapshot, SnapshotState};
use crate::point::{Point, Step};
use crate::policy::Artefact;
use crate::reason::{Code, Reason};
use crate::status::{Event, IllegalTransition, Status};
use crate::tags::write::image_tags;
use crate::work::{Kind, Queue};

#[derive(Clone, Debug)]
pub struct Input {
    pub now: Timestamp,
    /// What the queue holds, whether due or not.
    pub points: Vec<Point>,
    /// The snapshots of all points that wait for them. One that is missing is gone.
    pub snapshots: BTreeMap<SnapshotId, ObservedSnapshot>,
    /// For each name of a try that has had no outcome: the images of this account of that name.
    pub named: BTreeMap<String, Complete<ObservedImage>>,
}

/// The snapshots that have to be described before anything is decided.
pub fn to_describe(points: &[Point]) -> Vec<SnapshotId> {
    let waiting = |point: &&Point| point.status == Status::Snapshotted;
    let snapshots: BTreeSet<&SnapshotId> =
        points.iter().filter(waiting).flat_map(|point| point.snapshots.values()).collect();
    snapshots.into_iter().cloned().collect()
}

/// The names that have to be looked up before anything is decided.
pub fn to_look_up(points: &[Point], now: Timestamp) -> Vec<String> {
    let open = |point: &&Point| point.status == Status::Registering && point.step.is_due(now);
    points.iter().filter(open).map(|point| image_name(&point.id, point.step.attempt)).collect()
}

pub fn decide(input: &Input) -> Decision {
    let mut points: Vec<&Point> = input.points.iter().collect();
    points.sort_by_key(|point| (point.requested_at, &point.id));
    let mut builder = DecisionBuilder::default();
    for point in points {
        // A point is left alone by an event that cannot happen to it where it stands.
        let _left_alone = match point.status {
            Status::Snapshotted => look_at_snapshots(&mut builder, point, input),
            Status::Ready if point.step.is_due(input.now) => {
                begin(&mut builder, point, point.step.clone(), Vec::new(), input.now)
            }
            Status::Registering if point.step.is_due(input.now) => {
                let name = image_name(&point.id, point.step.attempt);
                match input.named.get(&name) {
                    Some(Complete(named)) => look_for_image(&mut builder, point, named, input.now),
                    None => Ok(()),
                }
            }
            Status::Requested
            | Status::Snapshotting
            | Status::Ready
            | Status::Registering
            | Status::Registered
            | Status::Creating
            | Status::Created
            | Status::Imaged
            | Status::Protected
            | Status::Refused
            | Status::Missed
            | Status::Failed => Ok(()),
        };
    }
    builder.decision()
}

fn look_at_snapshots(
    builder: &mut DecisionBuilder,
    point: &Point,
    input: &Input,
) -> Result<(), IllegalTransition> {
    let now = input.now;
    if let Some(reason) = what_failed(point, input) {
        builder.say(&point.id, reason.clone());
        builder.record(news::recorded(retry::failed(point, reason, retry::Next::Backoff, now)?));
        return Ok(());
    }
    let is_complete = |id| {
        let seen = input.snapshots.get(id);
        seen.is_some_and(|snapshot| snapshot.state == SnapshotState::Completed)
    };
    if !point.snapshots.is_empty() && point.snapshots.values().all(is_complete) {
        let seen = point.snapshots.values().filter_map(|id| input.snapshots.get(id));
        let untrue = seen.filter(|snapshot| grade_tag::is_untrue(point, &snapshot.tags));
        let untrue: Vec<String> = untrue.map(|snapshot| snapshot.id.to_string()).collect();
        if point.plan.kind == Artefact::Snapshots {
            let after = point.after(Event::Keep)?;
            let step = point.step.settled();
            let change = news::recorded(Point { step, reason: None, ..after });
            let command = Command::Record(Box::new(change));
            let command = grade_tag::first(builder, point, untrue, command, now);
            builder.learn(command);
            return Ok(());
        }
        // A new step, with tries of its own.
        return begin(builder, &point.after(Event::Complete)?, Step::default(), untrue, now);
    }
    if point.step.is_past(PENDING_MAX, now) {
        let hours = PENDING_MAX.as_hours();
        let text = format!("its snapshots are still not complete after {hours} hours");
        return give_up(builder, point, Reason::new(Code::TooLong, text));
    }
    Ok(())
}

/// Why a set will never be complete. What is not visible so soon after it was made may yet be.
fn what_failed(point: &Point, input: &Input) -> Option<Reason> {
    point.snapshots.values().find_map(|id| match input.snapshots.get(id) {
        Some(snapshot) if snapshot.state == SnapshotState::Error => {
            let message = snapshot.message.as_deref().unwrap_or("EC2 does not say why");
            Some(Reason::new(Code::SnapshotFailed, format!("{id} failed: {message}")))
        }
        None if point.step.is_past(SETTLE, input.now) => {
            Some(Reason::new(Code::ArtefactGone, format!("{id} is no longer there")))
        }
        Some(_) | None => None,
    })
}

/// `untrue` are the snapshots that say another grade than the point has.
fn begin(
    builder: &mut DecisionBuilder,
    point: &Point,
    step: Step,
    untrue: Vec<String>,
    now: Timestamp,
) -> Result<(), IllegalTransition> {
    let begun = point.after(Event::Begin)?;
    let due_at = Some(later(now, SETTLE));
    let step = Step { begun_at: Some(now), due_at, ..step };
    let begun = Point { step, reason: None, ..begun };
    let Some(call) = call(&begun) else {
        let text = "its record does not say what its machine and its disks were";
        return give_up(builder, point, Reason::new(Code::ArtefactGone, text));
    };
    let queue = Queue { region: begun.home.clone(), kind: Kind::Register };
    let intent = Intent { change: Change::point(begun), queue, call };
    let command = Command::RegisterImage(Box::new(intent));
    let command = grade_tag::first(builder, point, untrue, command, now);
    builder.create(command);
    Ok(())
}

fn give_up(
    builder: &mut DecisionBuilder,
    point: &Point,
    reason: Reason,
) -> Result<(), IllegalTransition> {
    builder.say(&point.id, reason.clone());
    builder.record(news::recorded(retry::given_up(point, reason)?));
    Ok(())
}

/// The call for a point, made of nothing but what the point itself knows.
fn call(point: &Point) -> Option<RegisterImage> {
    let machine = point.machine.as_ref()?;
    let build = &machine.build;
    let devices: Option<Vec<Device>> = machine
        .volumes
        .iter()
        .map(|volume| Some(device(volume, point.snapshots.get(&volume.id)?)))
        .collect();
    let attempt = point.step.attempt;
    Some(RegisterImage {
        region: point.home.clone(),
        name: image_name(&point.id, attempt),
        description: format!("Afterimage: image of {}", point.id),
        architecture: build.architecture.to_string(),
        root_device: build.root_device.clone(),
        ena: build.ena,
        sriov: build.sriov.clone().map(String::from),
        boot_mode: build.boot_mode.clone().map(String::from),
        tpm: build.tpm.clone().map(String::from),
        imds: build.imds.clone().map(String::from),
        uefi_data: build.uefi_data.clone(),
        devices: devices?,
        tags: image_tags(point, attempt),
    })
}

fn device(volume: &Volume, snapshot: &SnapshotId) -> Device {
    Device {
        name: volume.device.clone(),
        snapshot: snapshot.clone(),
        size_gib: volume.size_gib,
        volume_type: volume.volume_type.to_string(),
        iops: volume.provisioned_iops(),
        throughput: volume.provisioned_throughput(),
        delete_on_termination: volume.delete_on_termination,
    }
}

/// What an image of our name is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Named {
    Ours,
    /// Some of its mapping does not show yet, and what does is ours.
    NotToBeJudged,
    Foreign,
}

/// Whether a device is made of the snapshot of another's volume: disks in the wrong places.
fn is_misplaced(point: &Point, image: &ObservedImage) -> bool {
    let of_device = |name: &str| {
        let mut volumes = point.machine.iter().flat_map(|machine| &machine.volumes);
        volumes.find(|volume| volume.device == name).and_then(|it| point.snapshots.get(&it.id))
    };
    let mut devices = image.devices.iter().filter(|device| device.snapshot.is_some());
    devices.any(|device| of_device(&device.name) != device.snapshot.as_ref())
}

/// Ours is what is made of exactly the snapshots of the point, each once and in its place.
fn is_ours(point: &Point, image: &ObservedImage) -> Named {
    let ours: BTreeSet<&SnapshotId> = point.snapshots.values().collect();
    let its: BTreeSet<&SnapshotId> = image.snapshots.iter().collect();
    let each_once = its.len() == image.snapshots.len();
    if is_misplaced(point, image) {
        Named::Foreign
    } else if each_once && its == ours {
        Named::Ours
    } else if image.state == ImageState::Pending && each_once && its.is_subset(&ours) {
        Named::NotToBeJudged
    } else {
        Named::Foreign
    }
}

fn look_for_image(
    builder: &mut DecisionBuilder,
    point: &Point,
    named: &[ObservedImage],
    now: Timestamp,
) -> Result<(), IllegalTransition> {
    let about = &point.id;
    let name = image_name(&point.id, point.step.attempt);
    // One that is deregistered holds its name no longer.
    let holds =
        |image: &&ObservedImage| image.state != ImageState::Deregistered && image.name == name;
    let mut named: Vec<&ObservedImage> = named.iter().filter(holds).collect();
    named.sort_by_key(|image| &image.id);
    let with = |wanted| named.iter().filter(move |image| is_ours(point, image) == wanted);
    for image in with(Named::Foreign) {
        let why = "it has our name, and is not made of our snapshots".to_string();
        builder.foreign(&point.home, &image.id, why, now);
    }
    if let Some(image) = with(Named::Ours).next() {
        let text = format!("{} of a try without an outcome was found", image.id);
        builder.say(about, Reason::new(Code::Adopted, text));
        builder.record(Change::point(made::image(point, image.id.clone(), now)?));
        return Ok(());
    }
    if let Some(image) = with(Named::NotToBeJudged).next() {
        if point.step.is_past(PENDING_MAX, now) {
            let text = format!("{} has our name, and never showed what it is made of", image.id);
            return give_up(builder, point, Reason::new(Code::TooLong, text));
        }
        let text = format!("{} does not show yet what it is made of", image.id);
        return wait(builder, point, later(now, LOOK_AFTER), text);
    }
    if let Some(image) = with(Named::Foreign).next() {
        let reason = Reason::new(Code::Foreign, format!("{} has the name {name}", image.id));
        builder.say(about, reason.clone());
        builder.record(news::recorded(retry::outdone(point, reason, now)?));
        return Ok(());
    }
    if !point.step.is_past(SETTLE, now) {
        let visible = later(point.step.begun_at.unwrap_or(now), SETTLE);
        return wait(
            builder,
            point,
            visible,
            format!("what has the name {name} is not visible yet"),
        );
    }
    let text = "the call was made, or not, and has left nothing";
    let reason = Reason::new(Code::OutcomeUnknown, text);
    builder.say(about, reason.clone());
    builder.record(news::recorded(retry::failed(point, reason, retry::Next::AtOnce, now)?));
    Ok(())
}

/// Nothing can be said yet.
fn wait(
    builder: &mut DecisionBuilder,
    point: &Point,
    until: Timestamp,
    text: String,
) -> Result<(), IllegalTransition> {
    let reason = Reason::new(Code::OutcomeUnknown, text);
    builder.say(&point.id, reason.clone());
    let step = Step { due_at: Some(until), ..point.step.clone() };
    builder.record(Change::point(Point { step, reason: Some(reason), ..point.clone() }));
    Ok(())
}
