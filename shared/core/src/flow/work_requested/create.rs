//! Points whose image EC2 makes of the machine itself, with a snapshot of each of its volumes.
//!
//! - The call is made for a point that is due and whose machine wants it; its name and the tags of
//!   all that it makes are in it.
//! - A call without an outcome, or a name that is taken: what has that name is ours if EC2 made it
//!   of this machine, after the intent, and it carries our tag; foreign otherwise.

use jiff::Timestamp;

use super::decision_builder::DecisionBuilder;
use super::{made, method, news, retry};
use crate::command::{Change, Command, CreateImage, Intent};
use crate::limits::{CLOCK_SKEW, SETTLE, later};
use crate::names::{TAG_POINT, image_name};
use crate::observed::{ImageState, ObservedImage};
use crate::point::{Point, Step};
use crate::reason::{Code, Reason};
use crate::status::{Event, IllegalTransition};
use crate::tags::write::{image_tags, snapshot_tags};
use crate::work::{Kind, Queue};

/// The intent and the call, for a point that knows its machine.
pub(super) fn begin(
    builder: &mut DecisionBuilder,
    point: &Point,
    now: Timestamp,
) -> Result<(), IllegalTransition> {
    let begun = point.after(Event::Create)?;
    let due_at = Some(later(now, SETTLE));
    let step = Step { begun_at: Some(now), due_at, ..point.step.clone() };
    let begun = Point { step, reason: None, ..begun };
    let attempt = begun.step.attempt;
    let left_out = begun.machine.iter().flat_map(|machine| &machine.left_out);
    let call = CreateImage {
        region: begun.home.clone(),
        instance: begun.instance().clone(),
        name: image_name(&begun.id, attempt),
        description: format!("Afterimage: image of {}", begun.id),
        reboot: method::reboots(&begun),
        without: left_out.map(|volume| volume.device.clone()).collect(),
        tags: image_tags(&begun, attempt),
        snapshot_tags: snapshot_tags(&begun, attempt),
    };
    let queue = Queue { region: begun.home.clone(), kind: Kind::Snapshot };
    let intent = Intent { change: Change::point(begun), queue, call };
    builder.create(Command::CreateImage(Box::new(intent)));
    Ok(())
}

/// Why an image that has our name is not what our call made; nothing if it is.
fn is_foreign(point: &Point, image: &ObservedImage) -> Option<&'static str> {
    let begun_at = point.step.begun_at?;
    let after_intent = |at: Timestamp| at.duration_since(begun_at) >= -CLOCK_SKEW;
    if image.attributes.source_instance.as_ref() != Some(point.instance()) {
        Some("it has our name, and was not made of our machine")
    } else if !image.created_at.is_some_and(after_intent) {
        Some("it has our name, and was made before we wanted it")
    } else if image.tags.get(TAG_POINT).map(String::as_str) != Some(point.id.as_str()) {
        Some("it has our name, and not our tag")
    } else {
        None
    }
}

/// What has become of a call without an outcome, or of a name that was taken.
pub(super) fn look_for_image(
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
    for image in &named {
        if let Some(why) = is_foreign(point, image) {
            builder.foreign(&point.home, &image.id, why.to_string(), now);
        }
    }
    if let Some(image) = named.iter().find(|image| is_foreign(point, image).is_none()) {
        let text = format!("{} of a try without an outcome was found", image.id);
        builder.say(about, Reason::new(Code::Adopted, text));
        let after = made::created(point, image.id.clone(), now)?;
        builder.record(Change::point(after));
        return Ok(());
    }
    if let Some(image) = named.first() {
        let reason = Reason::new(Code::Foreign, format!("{} has the name {name}", image.id));
        builder.say(about, reason.clone());
        builder.record(news::recorded(retry::outdone(point, reason, now)?));
        return Ok(());
    }
    if !point.step.is_past(SETTLE, now) {
        let visible = later(point.step.begun_at.unwrap_or(now), SETTLE);
        let text = format!("what has the name {name} is not visible yet");
        let reason = Reason::new(Code::OutcomeUnknown, text);
        builder.say(about, reason.clone());
        let step = Step { due_at: Some(visible), ..point.step.clone() };
        builder.record(Change::point(Point { step, reason: Some(reason), ..point.clone() }));
        return Ok(());
    }
    let text = "the call was made, or not, and has left nothing";
    let reason = Reason::new(Code::OutcomeUnknown, text);
    builder.say(about, reason.clone());
    builder.record(news::recorded(retry::failed(point, reason, retry::Next::AtOnce, now)?));
    Ok(())
}
