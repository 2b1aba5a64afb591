//! Replicas that came to rest, and their places in their point. Both are written together or not at
//! all, so that the point knows when the last replica is in place.

use std::collections::BTreeSet;

use crate::change::{Change, Write};
use crate::point::{Place, Point, Replica};
use crate::reason::{Code, Reason};
use crate::status::{Event, IllegalTransition, Status};
use crate::summary::{Good, News};
use crate::transition::{retry, summary};

/// Records replicas of one point that came to rest: available, lost or withdrawn. A point that is
/// lost, or has not been imaged, has no places: its replicas are recorded alone. One whose image at
/// home is being made again has them.
///
/// # Errors
/// The point cannot take its places in its status.
pub fn settled(point: &Point, replicas: Vec<Replica>) -> Result<Change, IllegalTransition> {
    if is_made_again(point) {
        return Ok(beside_home(point, replicas));
    }
    if point.status != Status::Imaged {
        let writes = replicas.into_iter().map(Write::replica).collect();
        return Ok(Change { writes, summary: None });
    }
    let point = with_places(point, &replicas)?;
    let summary = summary::of(&point);
    let replicas = replicas.into_iter().map(Write::replica);
    Ok(Change { writes: [Write::point(point)].into_iter().chain(replicas).collect(), summary })
}

/// Tells whether the image of a point at home waits to be made again, from its snapshots. While the
/// call is under way, its worker writes the point, and takes the replicas as they are then.
fn is_made_again(point: &Point) -> bool {
    point.status == Status::Ready && !point.replicas.is_empty()
}

/// Records replicas of a point whose image at home is being made again.
fn beside_home(point: &Point, replicas: Vec<Replica>) -> Change {
    let mut point = point.clone();
    for replica in replicas.iter().filter(|replica| replica.region != point.home) {
        let place = Place::from(replica.status);
        if place != Place::Underway {
            point.replicas.insert(replica.region.clone(), place);
        }
    }
    let good = Good::of(&point).map(News::Good);
    let summary = good.map(|good| summary::latest(&point).telling(good));
    let replicas = replicas.into_iter().map(Write::replica);
    Change { writes: [Write::point(point)].into_iter().chain(replicas).collect(), summary }
}

/// Returns the point once these replicas have their places, as [`judged`] has it.
pub(crate) fn with_places(point: &Point, replicas: &[Replica]) -> Result<Point, IllegalTransition> {
    let mut point = point.clone();
    for replica in replicas {
        let place = Place::from(replica.status);
        if place == Place::Underway {
            continue;
        }
        if replica.region == point.home {
            if matches!(place, Place::Available | Place::Unusable) {
                point.image.clone_from(&replica.image);
                // It is ours, and may be restored.
                retry::leave(&mut point.leftovers, point.lost.take());
            }
            point.home_place = match place {
                Place::Available | Place::Unusable => place,
                // A copy that is not made leaves its place as it was: lost, or called off.
                _ if point.home_place == Place::Withdrawn => Place::Withdrawn,
                _ => Place::Lost,
            };
        } else {
            point.replicas.insert(replica.region.clone(), place);
        }
    }
    judged(point)
}

/// Returns a point that is imaged, by its places: on its way while any is, protected if all are
/// there, and as it is while one is lost or of no use.
///
/// # Errors
/// The point is not imaged.
pub fn judged(point: Point) -> Result<Point, IllegalTransition> {
    let places = point.replicas.values().chain([&point.home_place]);
    let places: BTreeSet<Place> = places.copied().collect();
    if places.contains(&Place::Underway) {
        let was_unusable = point.reason.as_ref().is_some_and(|reason| {
            matches!(reason.code, Code::ImageDisabled | Code::KeyUnusable | Code::KeyDeleted)
        });
        let is_over = was_unusable && !places.contains(&Place::Unusable)
            || point.reason.as_ref().is_some_and(|reason| names_what_is_there(&point, reason));
        let reason = point.reason.clone().filter(|_| !is_over);
        let has_none = is_over || point.home_place != Place::Available;
        let reason = reason.or_else(|| on_its_way(&point).filter(|_| has_none));
        Ok(Point { reason, ..point })
    } else if places.contains(&Place::Failed) {
        point.after(Event::Fail)
    } else if !places.contains(&Place::Available) && !places.contains(&Place::Unusable) {
        let reason = point.reason.clone().or_else(|| left_over(&point));
        Point { reason, ..point }.after(Event::LoseAll)
    } else if places.contains(&Place::Lost) || places.contains(&Place::Unusable) {
        let is_over = point.reason.as_ref().is_none_or(|reason| reason.code == Code::Healing);
        let reason = if is_over { left_over(&point) } else { point.reason.clone() };
        Ok(Point { reason, ..point })
    } else {
        let reason = point.reason.clone().filter(|reason| !is_of_loss(reason.code));
        let reason = reason.or_else(|| called_off(&point));
        Point { reason, ..point }.after(Event::Protect)
    }
}

/// Returns the reason why a point has no image at home, if a person has called that off.
fn called_off(point: &Point) -> Option<Reason> {
    let text = format!("the image in {} was lost, and called off by a person", point.home);
    let is_off = point.home_place == Place::Withdrawn;
    is_off.then(|| Reason::new(Code::Cancelled, text))
}

/// Tells whether a reason says that an image is made again that is there by now.
fn names_what_is_there(point: &Point, reason: &Reason) -> bool {
    let places = [(&point.home, &point.home_place)].into_iter().chain(&point.replicas);
    let mut there = places.filter(|(_, place)| **place == Place::Available);
    reason.code == Code::Healing
        && there.any(|(region, _)| reason.text.starts_with(region.as_str()))
}

/// Returns the reason why a point is not protected while an image of it is on its way.
fn on_its_way(point: &Point) -> Option<Reason> {
    let mut places = [(&point.home, &point.home_place)].into_iter().chain(&point.replicas);
    let (region, _) = places.find(|(_, place)| **place == Place::Underway)?;
    Some(Reason::new(Code::Healing, format!("the image in {region} is not there yet")))
}

/// Returns the reason why a point is not protected once nothing of it is made again any more: the
/// first place that is not there.
fn left_over(point: &Point) -> Option<Reason> {
    let home = [(&point.home, &point.home_place)];
    let mut places = home.into_iter().chain(&point.replicas);
    places.find_map(|(region, place)| match place {
        Place::Lost => Some(Reason::new(Code::Lost, format!("the image in {region} is gone"))),
        Place::Unusable if *region == point.home && point.key_deleted.is_some() => {
            point.key_deleted.clone()
        }
        Place::Unusable => {
            let text = format!("the image in {region} cannot be used: it or its key was disabled");
            Some(Reason::new(Code::ImageDisabled, text))
        }
        Place::Underway | Place::Available | Place::Failed | Place::Withdrawn => None,
    })
}

/// Tells whether a reason is about a place that was lost or not found, and so goes when all places
/// are there.
const fn is_of_loss(code: Code) -> bool {
    matches!(
        code,
        Code::Lost
            | Code::Healing
            | Code::LostAgain
            | Code::MassLoss
            | Code::ImageDisabled
            | Code::KeyUnusable
            | Code::KeyDeleted
            | Code::NotListed
    )
}
