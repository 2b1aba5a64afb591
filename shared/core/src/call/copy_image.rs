//! CopyImage: copies an image of a point into another region, or back to its home.
//!
//! The call carries a token, so a call without an outcome is made again, under the same name and
//! with the same token. Either the call had made nothing yet, or EC2 answers with the image that it
//! made. Only a name that is taken has to be looked up. An image with that name is ours if it is a
//! copy of the image of the point, and encrypted if the call asks for a key.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::conclusion::Conclusion;
use super::named::{self, Holder, Verdict};
use super::outcome::Outcome;
use crate::change::Change;
use crate::ids::{AmiId, Region};
use crate::illegal::Illegal;
use crate::limits::{LOOK_AFTER, NAME_VISIBLE, PENDING_MAX, SETTLE, later};
use crate::names::{copy_token, image_name};
use crate::observed::{ImageState, ObservedImage};
use crate::point::{IllegalForReplica, Point, Replica, ReplicaEvent, ReplicaStatus, Step};
use crate::reason::{Code, Reason};
use crate::tags::write::image_tags;
use crate::transition::retry::{self, Next};
use crate::transition::success;

/// Key with which EBS encrypts in every region where no other key is named.
const DEFAULT_KEY: &str = "alias/aws/ebs";

/// Name of no key, for what is not encrypted.
const NO_KEY: &str = "none";

/// The CopyImage request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyImage {
    /// The region of the copy. The call is made there.
    pub region: Region,
    pub source_region: Region,
    pub source: AmiId,
    pub name: String,
    pub description: String,
    pub token: String,
    /// A key of the destination region. Encrypted copies always name one.
    pub kms_key: Option<String>,
    /// The tags of the image and of its snapshots.
    pub tags: BTreeMap<String, String>,
}

impl CopyImage {
    pub const NAME: &'static str = "CopyImage";
}

/// Returns the intent and the request. A call without an outcome is made again after `again_after`.
///
/// # Errors
/// The replica cannot begin this in its status.
pub fn begin(
    point: &Point,
    replica: &Replica,
    again_after: SignedDuration,
    now: Timestamp,
) -> Result<(Change, CopyImage), IllegalForReplica> {
    let begun = replica.after(ReplicaEvent::Begin)?;
    let due_at = Some(later(now, again_after));
    let step = Step { begun_at: Some(now), due_at, ..replica.step.clone() };
    let begun = Replica { step, reason: None, ..begun };
    let request = request(point, &begun);
    Ok((Change::replica(begun), request))
}

fn request(point: &Point, replica: &Replica) -> CopyImage {
    CopyImage {
        region: replica.region.clone(),
        source_region: replica.source_region().clone(),
        source: replica.source.clone(),
        name: name(replica),
        description: format!("Afterimage: {} from {}", replica.point, replica.source_region()),
        token: copy_token(replica),
        kms_key: key_named(point, &replica.region),
        tags: image_tags(point, replica.step.attempt),
    }
}

/// Returns the key of the disks of the machine, under which its image is copied back: that of its
/// root, if the root is encrypted. None if no disk is, or if the key was not recorded.
pub fn key_at_home(point: &Point) -> Option<String> {
    let machine = point.machine.as_ref()?;
    let of_root = machine.volumes.iter().find(|volume| volume.device == machine.build.root_device);
    let all = of_root.into_iter().chain(&machine.volumes);
    all.filter(|volume| volume.encrypted).find_map(|volume| volume.kms_key.clone())
}

/// Returns the key that the call names, if it names one.
fn key_named(point: &Point, region: &Region) -> Option<String> {
    if *region == point.home
        && let Some(key) = key_at_home(point)
    {
        return Some(key);
    }
    let replicate = point.plan.replicate.iter().find(|place| place.region == *region);
    let named = replicate.and_then(|place| place.kms_key.clone());
    let mut volumes = point.machine.iter().flat_map(|machine| &machine.volumes);
    let encrypted = volumes.any(|volume| volume.encrypted);
    named.or_else(|| encrypted.then(|| DEFAULT_KEY.to_string()))
}

/// Returns the name of the key of copies into a region, [`NO_KEY`] if they are not encrypted.
pub fn key(point: &Point, region: &Region) -> String {
    key_named(point, region).unwrap_or_else(|| NO_KEY.to_string())
}

/// Tells whether copies under the key of this name may fail because of its state.
pub fn may_be_disabled(key: &str) -> bool {
    key != NO_KEY && key != DEFAULT_KEY
}

/// Returns the name of the copy in the current attempt of the replica.
pub fn name(replica: &Replica) -> String {
    image_name(&replica.point, replica.step.attempt)
}

/// Returns the changes that follow from the outcome, for a replica that is `Copying`.
///
/// # Errors
/// The replica is not `Copying`.
pub fn conclude(
    replica: &Replica,
    outcome: Outcome<AmiId>,
    now: Timestamp,
) -> Result<Conclusion, Illegal> {
    replica.must_be(ReplicaStatus::Copying, ReplicaEvent::Made)?;
    let after = match outcome {
        Outcome::Made(image) => success::replica(replica, image, now)?,
        Outcome::NameTaken(answer) => {
            let step = Step { due_at: Some(later(now, NAME_VISIBLE)), ..replica.step.clone() };
            let reason = Some(Reason::new(Code::NameTaken, answer.to_string()));
            Replica { step, reason, ..replica.clone() }
        }
        // The image was available a moment ago; this region may not know it yet.
        Outcome::Gone(answer) | Outcome::Failed(answer) => {
            let reason = Reason::new(Code::CallFailed, answer.to_string());
            retry::replica_failed(replica, reason, Next::Backoff, now)?
        }
        Outcome::Throttled(answer) => retry::replica_throttled(replica, &answer.to_string(), now)?,
        Outcome::Refused(answer) => {
            let reason = Reason::new(Code::CallRefused, answer.to_string());
            retry::replica_failed(replica, reason, Next::Backoff, now)?
        }
        Outcome::Unknown(answer) => {
            let reason = Some(Reason::new(Code::OutcomeUnknown, answer.to_string()));
            Replica { reason, ..replica.clone() }
        }
    };
    let mut conclusion = Conclusion::default();
    if let Some(reason) = &after.reason {
        conclusion.say(after.about(), reason.clone());
    }
    conclusion.record(Change::replica(after));
    Ok(conclusion)
}

/// Result of a search for the holder of the name of a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Changes to record.
    Concluded(Conclusion),
    /// No image has the name after all. The call is made again.
    Nothing,
}

/// Returns the changes that follow from a complete listing of the images with a name that was
/// taken.
///
/// # Errors
/// The replica is not `Copying`.
pub fn find(
    point: &Point,
    replica: &Replica,
    listed: &[ObservedImage],
    now: Timestamp,
) -> Result<Found, IllegalForReplica> {
    let name = name(replica);
    let named = named::look_for(&name, listed, |image| verdict(point, replica, image));
    let mut conclusion = Conclusion::default();
    for (image, why) in &named.foreign {
        conclusion.foreign(&replica.region, &image.id, named::finding(image, why), now);
    }
    let after = match named.holder {
        Holder::Ours(image) => {
            let text =
                format!("{} was made by an earlier call that had no answer; it is used", image.id);
            conclusion.say(replica.about(), Reason::new(Code::Adopted, text));
            success::replica(replica, image.id.clone(), now)?
        }
        Holder::Unclear(image) if !replica.step.is_past(PENDING_MAX, now) => {
            let text = format!("{} does not show its disks yet; looking again later", image.id);
            let reason = Reason::new(Code::NameTaken, text);
            conclusion.say(replica.about(), reason.clone());
            let step = Step { due_at: Some(later(now, LOOK_AFTER)), ..replica.step.clone() };
            Replica { step, reason: Some(reason), ..replica.clone() }
        }
        Holder::Foreign(image) | Holder::Unclear(image) => {
            let text = format!("{} has the name {name}, but is not ours", image.id);
            let reason = Reason::new(Code::Foreign, text);
            conclusion.say(replica.about(), reason.clone());
            retry::replica_outdone(replica, reason, now)?
        }
        Holder::Nobody if replica.step.is_past(SETTLE, now) => return Ok(Found::Nothing),
        Holder::Nobody => {
            let text = format!("image {name} is not visible yet; looking again later");
            let reason = Reason::new(Code::NameTaken, text);
            conclusion.say(replica.about(), reason.clone());
            let visible = later(replica.step.begun_at.unwrap_or(now), SETTLE);
            let step = Step { due_at: Some(visible), ..replica.step.clone() };
            Replica { step, reason: Some(reason), ..replica.clone() }
        }
    };
    conclusion.record(Change::replica(after));
    Ok(Found::Concluded(conclusion))
}

/// Tells whether a call without an outcome has made nothing, from a complete listing of the images
/// with its name. Everything that the call made must be visible by now.
pub fn made_nothing(
    point: &Point,
    replica: &Replica,
    listed: &[ObservedImage],
    now: Timestamp,
) -> bool {
    replica.status == ReplicaStatus::Copying
        && matches!(find(point, replica, listed, now), Ok(Found::Nothing))
}

fn verdict(point: &Point, replica: &Replica, image: &ObservedImage) -> Verdict {
    if !is_copy_of(image, replica) {
        return Verdict::foreign("it is not a copy of the image of the point");
    }
    if let Some(difference) = difference(point, &replica.region, image) {
        return Verdict::Foreign(difference);
    }
    let is_unfinished = image.state == ImageState::Pending && !image.shows_disks();
    match is_unfinished && key_named(point, &replica.region).is_some() {
        true => Verdict::Unclear,
        false => Verdict::Ours,
    }
}

/// Returns how an image differs from the copy that the call asks for, as the reason why it is
/// somebody else's. EC2 encrypts every disk of a copy under the key that is named.
pub fn difference(point: &Point, region: &Region, image: &ObservedImage) -> Option<String> {
    let key = key_named(point, region)?;
    let mut devices = image.devices.iter();
    let plain = devices.find(|device| device.encrypted == Some(false))?;
    Some(format!("its {} is not encrypted, and Afterimage asks for {key}", plain.name))
}

/// Tells whether an image is the copy that a replica waits for, whoever made it. The image has the
/// same source, and the name of one of the replica's tries.
fn is_copy_of(image: &ObservedImage, replica: &Replica) -> bool {
    let source: Option<(&str, &AmiId)> =
        image.source.as_ref().map(|(region, image)| (region.as_str(), image));
    source == Some((replica.source_region().as_str(), &replica.source))
        && (0..=replica.step.attempt).any(|try_| image.name == image_name(&replica.point, try_))
}
