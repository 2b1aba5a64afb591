//! CreateImage: EC2 makes an image of a machine, with a snapshot of each of its volumes.
//!
//! EC2 takes no token for this call, so it is made once. The request holds the name of the image
//! and the tags of everything that EC2 makes. An image with that name is ours if EC2 made it of
//! this machine, after the intent, and it carries our tag. Otherwise the image is foreign.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::conclusion::Conclusion;
use super::named::{self, Holder, Verdict};
use super::outcome::Outcome;
use super::point_outcome::{
    adopt, failed, machine_gone, name_taken, nobody_has, pass_over, recorded, refused,
    report_foreign, throttled, unknown, wait,
};
use crate::change::Change;
use crate::grade;
use crate::ids::{AmiId, InstanceId, Region};
use crate::illegal::Illegal;
use crate::limits::{CLOCK_SKEW, LOOK_AFTER, SETTLE, later};
use crate::names::{TAG_POINT, image_name};
use crate::observed::ObservedImage;
use crate::point::{Point, Step};
use crate::status::{Event, IllegalTransition, Status};
use crate::tags::write::{image_tags, snapshot_tags};
use crate::transition::success;

/// The CreateImage request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateImage {
    pub region: Region,
    pub instance: InstanceId,
    pub name: String,
    pub description: String,
    /// True if EC2 reboots a running machine for the image.
    pub reboot: bool,
    /// The devices that are left out.
    pub without: Vec<String>,
    /// The tags of the image.
    pub tags: BTreeMap<String, String>,
    /// The tags of each of its snapshots.
    pub snapshot_tags: BTreeMap<String, String>,
}

impl CreateImage {
    pub const NAME: &'static str = "CreateImage";
}

/// Returns the intent and the request, for a point that knows its machine.
///
/// # Errors
/// The point cannot begin this in its status.
pub fn begin(point: &Point, now: Timestamp) -> Result<(Change, CreateImage), IllegalTransition> {
    let begun = point.after(Event::Create)?;
    let due_at = Some(later(now, SETTLE));
    let step = Step { begun_at: Some(now), due_at, ..point.step.clone() };
    let begun = Point { step, reason: None, ..begun };
    let attempt = begun.step.attempt;
    let left_out = begun.machine.iter().flat_map(|machine| &machine.left_out);
    let request = CreateImage {
        region: begun.home.clone(),
        instance: begun.instance().clone(),
        name: image_name(&begun.id, attempt),
        description: format!("Afterimage: image of {}", begun.id),
        reboot: grade::reboots(&begun),
        without: left_out.map(|volume| volume.device.clone()).collect(),
        tags: image_tags(&begun, attempt),
        snapshot_tags: snapshot_tags(&begun, attempt),
    };
    Ok((Change::point(begun), request))
}

/// Returns the changes that follow from the outcome, for a point that is `Creating`.
///
/// # Errors
/// The point is not `Creating`.
pub fn conclude(
    point: &Point,
    outcome: Outcome<AmiId>,
    now: Timestamp,
) -> Result<Conclusion, Illegal> {
    point.must_be(Status::Creating, Event::Made)?;
    Ok(match outcome {
        Outcome::Made(image) => recorded(success::created(point, image, now)?),
        Outcome::NameTaken(answer) => name_taken(point, &answer, now),
        Outcome::Gone(answer) => machine_gone(point, &answer, now)?,
        Outcome::Failed(answer) => failed(point, &answer, now)?,
        Outcome::Throttled(answer) => throttled(point, &answer, now)?,
        Outcome::Refused(answer) => refused(point, &answer, now)?,
        Outcome::Unknown(answer) => unknown(point, &answer),
    })
}

/// Returns the changes that follow from a complete listing of the images with the name of a call.
/// The call had no outcome, or its name was taken.
///
/// # Errors
/// The point is not `Creating`.
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
            adopt(&mut conclusion, image, success::created(point, image.id.clone(), now)?);
        }
        Holder::Unclear(image) => {
            let text = format!("{} does not show its source yet; looking again later", image.id);
            wait(&mut conclusion, point, later(now, LOOK_AFTER), text);
        }
        Holder::Foreign(image) => pass_over(&mut conclusion, point, image, now)?,
        Holder::Nobody => nobody_has(&mut conclusion, point, &name, now)?,
    }
    Ok(conclusion)
}

fn verdict(point: &Point, image: &ObservedImage) -> Verdict {
    let Some(begun_at) = point.step.begun_at else { return Verdict::Ours };
    let after_intent = |at: Timestamp| at.duration_since(begun_at) >= -CLOCK_SKEW;
    if image.attributes.source_instance.as_ref() != Some(point.instance()) {
        Verdict::foreign("it was not made from the machine of the point")
    } else if !image.created_at.is_some_and(after_intent) {
        Verdict::foreign("it is older than the call of Afterimage")
    } else if image.tags.get(TAG_POINT).map(String::as_str) != Some(point.id.as_str()) {
        Verdict::foreign("it does not have the tag of the point")
    } else {
        Verdict::Ours
    }
}
