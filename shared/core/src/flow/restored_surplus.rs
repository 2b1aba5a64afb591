//! Images of ours that EC2 lists after others were made in their places: images that were restored,
//! for example, or that a try left.
//!
//! Such an image is a leftover of its point or replica, and nothing is done with it. A person is
//! told of it once, because no function deletes it. A point that was adopted from tags does not
//! know that it was made again: every image that its place does not have is told.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::artefact_audit::Tagged;
use crate::command::{Command, Decision};
use crate::finding::{Finding, Resolved};
use crate::ids::{AmiId, Region, ResourceId};
use crate::limits::FOREIGN_REPORTS_MAX;
use crate::names::TAG_POINT;
use crate::observed::{ImageState, ObservedImage};
use crate::point::Place;
use crate::reason::{Code, Reason};
use crate::slot::PointId;
use crate::subject::Subject;
use crate::transition::loss;

/// Reports the images that are there and are not needed, each once, and the end of that.
pub fn look(tagged: &Tagged, now: Timestamp) -> Decision {
    let mut decision = Decision::default();
    let known = tagged.known.iter().filter(|known| known.reason.code == Code::Surplus);
    let known = known.filter(|known| matches!(known.artefact, Subject::Image(_)));
    let known = known.filter(|known| tagged.images.contains_key(&known.region));
    let mut over: BTreeMap<(Region, Subject), &Reason> = known
        .map(|known| ((known.region.clone(), known.artefact.clone()), &known.reason))
        .collect();
    let mut reports = Vec::new();
    for (region, images) in &tagged.images {
        for image in &images.0 {
            let Some(place) = place_of(tagged, region, image) else { continue };
            let artefact = Subject::from(&image.id);
            let told = over.remove(&(region.clone(), artefact.clone()));
            let reason = reason(region, &image.id, &place);
            let (region, reworded) = (region.clone(), told.is_some_and(|told| *told != reason));
            let finding = Finding { region, artefact, reason, seen_at: now };
            match told {
                None => reports.push(finding),
                Some(_) if reworded => decision.command(Command::Reword(finding)),
                Some(_) => {}
            }
        }
    }
    reports.truncate(FOREIGN_REPORTS_MAX);
    decision.commands.extend(reports.into_iter().map(Command::Report));
    // One that has lost our tag since is there all the same.
    let is_bare = |region: &Region, artefact: &Subject| {
        let listed = tagged.images.get(region).into_iter().flat_map(|listed| &listed.0);
        let mut bare = listed.filter(|image| !image.tags.contains_key(TAG_POINT));
        bare.any(|image| {
            Subject::from(&image.id) == *artefact
                && !tagged.is_vouched(region, &image.id.clone().into())
        })
    };
    for ((region, artefact), _) in over {
        if is_bare(&region, &artefact) {
            continue;
        }
        let resolved = Resolved { region, artefact, code: Code::Surplus, at: now };
        decision.command(Command::Resolve(resolved));
    }
    decision
}

/// The place of an image that is a leftover of a place that was made again.
struct PlaceNow<'a> {
    point: &'a PointId,
    /// The image that the place has now; none if that is lost as well.
    instead: Option<AmiId>,
    /// True if that image cannot be used now.
    is_unusable: bool,
    /// The time at which that image was made, if EC2 lists it.
    made_at: Option<Timestamp>,
    /// True if the image itself is disabled.
    is_disabled: bool,
}

fn place_of<'a>(
    tagged: &'a Tagged,
    region: &Region,
    image: &ObservedImage,
) -> Option<PlaceNow<'a>> {
    let named = image.tags.get(TAG_POINT).and_then(|id| PointId::parse(id).ok())?;
    let point = tagged.points.get(&named)?;
    let (leftovers, healed, held, place) = if point.home == *region {
        let place = if loss::lacks_home(point) { Place::Lost } else { point.home_place };
        (&point.leftovers, &point.healed, point.held(), place)
    } else {
        let replica = tagged.replicas.get(&(point.id.clone(), region.clone()))?;
        (&replica.leftovers, &replica.healed, replica.held(), Place::from(replica.status))
    };
    // A point that began again has another image in every place.
    let is_again = !healed.is_empty() || !point.healed.is_empty() || point.unverified;
    let is_left = leftovers.contains(&image.id.clone().into());
    let is_disabled = image.state == ImageState::Disabled;
    let is_there = image.state == ImageState::Available || is_disabled;
    if !is_left || !is_there || !is_again {
        return None;
    }
    let instead = held.into_iter().find_map(|id| match id {
        ResourceId::Image(image) => Some(image),
        ResourceId::Machine(_) | ResourceId::Snapshot(_) => None,
    });
    let (is_lost, is_unusable) = (place == Place::Lost, place == Place::Unusable);
    let listed = tagged.images.get(region).into_iter().flat_map(|listed| &listed.0);
    let other = listed.filter(|other| instead.as_ref() == Some(&other.id));
    let made_at = other.filter_map(|other| other.created_at).next();
    let now = PlaceNow { point: &point.id, instead, is_unusable, made_at, is_disabled };
    (is_lost || now.instead.is_some()).then_some(now)
}

fn reason(region: &Region, image: &AmiId, place: &PlaceNow) -> Reason {
    let PlaceNow { point, instead, is_unusable, made_at, is_disabled } = place;
    let (listed, once_enabled) = match is_disabled {
        true => ("disabled", " once it is enabled"),
        false => ("available", ""),
    };
    let by_hand = format!(
        "Machines can be started from it by hand{once_enabled}, unless its key is gone: then \
         nobody can ever use it. Otherwise keep it"
    );
    let text = match instead {
        Some(instead) if *is_unusable => format!(
            "{image} in {region} is ours, and EC2 lists it as {listed}. {point} has {instead} in \
             its place, which cannot be used now, and does not take this one back. {by_hand} at \
             least until the other can be used again"
        ),
        Some(instead) => {
            let made = made_at.map_or(String::new(), |at| {
                format!(", made at {} UTC", at.strftime("%Y-%m-%d %H:%M"))
            });
            format!(
                "{image} in {region} is ours and not needed: EC2 lists it as {listed}, and \
                 {point} has {instead} in its place{made}. It is kept; deregister it if nobody \
                 needs it"
            )
        }
        None => format!(
            "{image} in {region} is ours, and EC2 lists it as {listed}. {point} had another image \
             in its place, which is lost, and takes this one back{once_enabled} if it has the \
             same data, would make the same machine, and its key can be used. {by_hand} at least \
             until the place is made again"
        ),
    };
    Reason::new(Code::Surplus, text)
}
