//! RegisterImage: makes an image of snapshots that are complete.
//!
//! EC2 takes no token for this call, so it is made once. An image with its name is ours if it is
//! made of exactly this point's snapshots, each in its place, and has the attributes that the call
//! asks for. Otherwise the image is foreign.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::conclusion::Conclusion;
use super::named::{self, Holder, Verdict};
use super::outcome::Outcome;
use super::point_outcome::{
    adopt, failed, name_taken, nobody_has, pass_over, recorded, refused, report_foreign, throttled,
    unknown, wait,
};
use crate::change::Change;
use crate::facts::{Architecture, BootMode, Virtualization};
use crate::ids::{AmiId, Region, SnapshotId};
use crate::illegal::Illegal;
use crate::limits::{LOOK_AFTER, PENDING_MAX, SETTLE, later};
use crate::machine::Volume;
use crate::names::image_name;
use crate::observed::{ImageState, ObservedImage};
use crate::point::{Point, Step};
use crate::reason::{Code, Reason};
use crate::status::{Event, IllegalTransition, Status};
use crate::tags::write::image_tags;
use crate::transition::{retry, success};

/// The RegisterImage request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterImage {
    pub region: Region,
    pub name: String,
    pub description: String,
    pub architecture: String,
    pub root_device: String,
    pub ena: bool,
    pub sriov: Option<String>,
    pub boot_mode: Option<String>,
    pub tpm: Option<String>,
    pub imds: Option<String>,
    pub uefi_data: Option<String>,
    /// Volumes of the instance store, by device.
    pub instance_store: BTreeMap<String, String>,
    pub devices: Vec<Device>,
    pub tags: BTreeMap<String, String>,
}

/// An entry of the block device mapping. Encryption is never part of the entry: the snapshot has
/// it, and EC2 refuses a request that repeats it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    pub name: String,
    pub snapshot: SnapshotId,
    pub size_gib: i32,
    pub volume_type: String,
    pub iops: Option<i32>,
    pub throughput: Option<i32>,
    pub delete_on_termination: bool,
}

/// Answer of EC2 if a snapshot is not there.
const SNAPSHOT_GONE: &str = "InvalidSnapshot.NotFound";

impl RegisterImage {
    pub const NAME: &'static str = "RegisterImage";
}

/// Returns the intent and the request, made only of what the point itself knows. None if its record
/// does not hold the machine and its disks.
///
/// # Errors
/// The point cannot begin this in its status.
pub fn begin(
    point: &Point,
    step: Step,
    now: Timestamp,
) -> Result<Option<(Change, RegisterImage)>, IllegalTransition> {
    let begun = point.after(Event::Begin)?;
    let due_at = Some(later(now, SETTLE));
    let step = Step { begun_at: Some(now), due_at, ..step };
    let begun = Point { step, reason: None, ..begun };
    let request = request(&begun);
    Ok(request.map(|request| (Change::point(begun), request)))
}

fn request(point: &Point) -> Option<RegisterImage> {
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
        instance_store: machine.instance_store(),
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

/// Returns the changes that follow from the outcome, for a point that is `Registering`.
///
/// # Errors
/// The point is not `Registering`.
pub fn conclude(
    point: &Point,
    outcome: Outcome<AmiId>,
    now: Timestamp,
) -> Result<Conclusion, Illegal> {
    point.must_be(Status::Registering, Event::Made)?;
    Ok(match outcome {
        Outcome::Made(image) => recorded(success::image(point, image, now)?),
        Outcome::NameTaken(answer) => name_taken(point, &answer, now),
        // The host that answered may not know snapshots yet that were just made.
        Outcome::Failed(answer) if answer.code == SNAPSHOT_GONE && are_old(point, now) => {
            let reason = Reason::new(Code::ArtefactGone, answer.to_string());
            recorded(retry::from_the_start(point, reason, now)?)
        }
        Outcome::Gone(answer) | Outcome::Failed(answer) => failed(point, &answer, now)?,
        Outcome::Throttled(answer) => throttled(point, &answer, now)?,
        Outcome::Refused(answer) => refused(point, &answer, now)?,
        Outcome::Unknown(answer) => unknown(point, &answer),
    })
}

/// Tells whether the snapshots of a point must be visible everywhere.
fn are_old(point: &Point, now: Timestamp) -> bool {
    point.taken_at.is_some_and(|taken_at| now.duration_since(taken_at) >= SETTLE)
}

/// Returns the changes that follow from a complete listing of the images with the name of a call.
/// The call had no outcome, or its name was taken.
///
/// # Errors
/// The point is not `Registering`.
pub fn find(
    point: &Point,
    listed: &[ObservedImage],
    now: Timestamp,
) -> Result<Conclusion, IllegalTransition> {
    let name = image_name(&point.id, point.step.attempt);
    let named = named::look_for(&name, listed, |image| verdict(point, image));
    let mut conclusion = report_foreign(point, &named, now);
    match named.holder {
        Holder::Ours(image) => {
            adopt(&mut conclusion, image, success::image(point, image.id.clone(), now)?);
        }
        Holder::Unclear(image) if point.step.is_past(PENDING_MAX, now) => {
            let text = format!("{} has our name, but never showed its snapshots", image.id);
            let mut left = point.clone();
            retry::leave(&mut left.leftovers, [image.id.clone()]);
            let reason = Reason::new(Code::TooLong, text);
            let after = retry::failed(&left, reason, retry::Next::Sparing, now)?;
            conclusion.add(recorded(after));
        }
        Holder::Unclear(image) => {
            let text = format!("{} does not show its snapshots yet; looking again later", image.id);
            wait(&mut conclusion, point, later(now, LOOK_AFTER), text);
        }
        Holder::Foreign(image) => pass_over(&mut conclusion, point, image, now)?,
        Holder::Nobody => nobody_has(&mut conclusion, point, &name, now)?,
    }
    Ok(conclusion)
}

fn verdict(point: &Point, image: &ObservedImage) -> Verdict {
    let ours: BTreeSet<&SnapshotId> = point.snapshots.values().collect();
    let its: BTreeSet<&SnapshotId> = image.snapshots.iter().collect();
    let each_once = its.len() == image.snapshots.len();
    let differences = differences(point, image);
    let is_pending = image.state == ImageState::Pending;
    if !differences.is_empty() {
        Verdict::Foreign(not_as_registered(&differences))
    } else if is_misplaced(point, image) {
        Verdict::foreign("its disks are not in the places of those of the machine")
    } else if each_once && its == ours {
        Verdict::Ours
    } else if is_pending && each_once && its.is_subset(&ours) {
        Verdict::Unclear
    } else {
        Verdict::foreign("it is not made from the snapshots of the point")
    }
}

/// Lists the attributes in which an image is not what the call asks for. EC2 shows them as they are
/// asked for, whatever else it adds by itself; so an image with another value is somebody else's.
pub fn differences(point: &Point, image: &ObservedImage) -> Vec<String> {
    let Some(build) = point.machine.as_ref().map(|machine| &machine.build) else {
        return Vec::new();
    };
    let its = &image.attributes;
    let mut found = Vec::new();
    let mut compare = |what: &str, ours: &str, its: Option<&str>| {
        let differs = its.filter(|its| *its != ours);
        found.extend(differs.map(|its| format!("{what}: {its}, not {ours}")));
    };
    let architecture = its.architecture.as_ref().map(Architecture::as_str);
    compare("architecture", build.architecture.as_str(), architecture);
    let virtualization = its.virtualization.as_ref().map(Virtualization::as_str);
    compare("virtualization", build.virtualization.as_str(), virtualization);
    compare("root device", &build.root_device, its.root_device.as_deref());
    let boots = |mode: &Option<BootMode>| boot_mode(mode.as_ref(), &build.architecture);
    if boots(&build.boot_mode) != boots(&its.boot_mode) {
        let text = |mode: &Option<BootMode>| {
            mode.as_ref().map_or_else(|| "not set".to_string(), ToString::to_string)
        };
        let (its, ours) = (text(&its.boot_mode), text(&build.boot_mode));
        found.push(format!("boot mode: {its}, not {ours}"));
    }
    if build.ena && !its.ena {
        found.push("ENA: not enabled".to_string());
    }
    found
}

/// Returns the reason why an image with such differences is somebody else's.
pub fn not_as_registered(differences: &[String]) -> String {
    format!("it is not as Afterimage registers it ({})", differences.join("; "))
}

/// Returns the boot mode that an image has if it shows that one, or none.
fn boot_mode(shown: Option<&BootMode>, architecture: &Architecture) -> BootMode {
    shown.cloned().unwrap_or(match architecture {
        Architecture::Arm | Architecture::ArmMac => BootMode::Uefi,
        _ => BootMode::LegacyBios,
    })
}

/// Tells whether a device is made from the snapshot of another device's volume: disks in the wrong
/// places.
fn is_misplaced(point: &Point, image: &ObservedImage) -> bool {
    let of_device = |name: &str| {
        let mut volumes = point.machine.iter().flat_map(|machine| &machine.volumes);
        volumes.find(|volume| volume.device == name).and_then(|it| point.snapshots.get(&it.id))
    };
    let mut devices = image.devices.iter().filter(|device| device.snapshot.is_some());
    devices.any(|device| of_device(&device.name) != device.snapshot.as_ref())
}
