//! Images of ours that EC2 lists after others were made in their places: images that were restored,
//! for example, or that a try left.
//!
//! Such an image is a leftover of its point or replica, and nothing is done with it. A person is
//! told of it once, because no function deletes it. A point that was adopted from tags does not
//! know that it was made again: every image that its place does not have is told.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::artefact_audit::Tagged;
use crate::command::{Command, Decision};
use crate::finding::{Finding, Resolved};
use crate::ids::{AmiId, Region, ResourceId};
use crate::limits::FOREIGN_REPORTS_MAX;
use crate::names::TAG_POINT;
use crate::observed::{ImageState, ObservedImage};
use crate::reason::{Code, Reason};
use crate::slot::PointId;
use crate::subject::Subject;

/// Reports the images that are there and are not needed, each once, and the end of that.
pub fn look(tagged: &Tagged, now: Timestamp) -> Decision {
    let mut decision = Decision::default();
    let known = tagged.known.iter().filter(|known| known.reason.code == Code::Surplus);
    let known = known.filter(|known| matches!(known.artefact, Subject::Image(_)));
    let mut over: BTreeSet<(Region, Subject)> = known
        .filter(|known| tagged.images.contains_key(&known.region))
        .map(|known| (known.region.clone(), known.artefact.clone()))
        .collect();
    let mut reports = Vec::new();
    for (region, images) in &tagged.images {
        for image in &images.0 {
            let Some((point, instead, again)) = instead_of(tagged, region, image) else { continue };
            let artefact = Subject::from(&image.id);
            if over.remove(&(region.clone(), artefact.clone())) {
                continue;
            }
            let again = again.map_or(String::new(), |at| {
                format!(", made again at {} UTC", at.strftime("%Y-%m-%d %H:%M"))
            });
            let text = format!(
                "{} in {region} is ours and not needed: EC2 lists it as available, and {point} has \
                 {instead} in its place{again}. It is kept; deregister it if nobody needs it",
                image.id
            );
            let (region, reason) = (region.clone(), Reason::new(Code::Surplus, text));
            reports.push(Finding { region, artefact, reason, seen_at: now });
        }
    }
    reports.truncate(FOREIGN_REPORTS_MAX);
    decision.commands.extend(reports.into_iter().map(Command::Report));
    for (region, artefact) in over {
        let resolved = Resolved { region, artefact, code: Code::Surplus, at: now };
        decision.command(Command::Resolve(resolved));
    }
    decision
}

/// Returns the point of an image that is a leftover of a place that was made again, the image that
/// the place has now, and when that was asked for, as far as the ledger knows.
fn instead_of<'a>(
    tagged: &'a Tagged,
    region: &Region,
    image: &ObservedImage,
) -> Option<(&'a PointId, AmiId, Option<Timestamp>)> {
    let named = image.tags.get(TAG_POINT).and_then(|id| PointId::parse(id).ok())?;
    let point = tagged.points.get(&named)?;
    let (leftovers, healed, instead) = if point.home == *region {
        (&point.leftovers, &point.healed, point.held())
    } else {
        let replica = tagged.replicas.get(&(point.id.clone(), region.clone()))?;
        (&replica.leftovers, &replica.healed, replica.held())
    };
    let again = healed.last().copied();
    if again.is_none() && !point.unverified {
        return None;
    }
    let is_left = leftovers.contains(&image.id.clone().into());
    let is_surplus = is_left && image.state == ImageState::Available;
    let instead = instead.into_iter().find_map(|id| match id {
        ResourceId::Image(image) => Some(image),
        ResourceId::Machine(_) | ResourceId::Snapshot(_) => None,
    });
    instead.filter(|_| is_surplus).map(|instead| (&point.id, instead, again))
}
