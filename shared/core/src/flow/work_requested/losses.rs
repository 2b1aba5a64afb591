//! What is told of a place that is lost, and by which point it is outdone.

use jiff::Timestamp;

use super::images::Input;
use crate::ids::Region;
use crate::point::Point;
use crate::reason::{Code, Reason};
use crate::summary::{Good, News, Summary};
use crate::transition::{loss, summary};

/// Returns the reason of a loss.
pub(super) fn gone(artefact: &str, region: &Region, missing_since: Option<Timestamp>) -> Reason {
    let since = missing_since.map_or(String::new(), |at| {
        format!("; it has been missing since {} UTC", at.strftime("%Y-%m-%d %H:%M"))
    });
    Reason::new(Code::Lost, format!("{artefact} in {region} is gone{since}"))
}

/// Returns the reason why a place that was made again too often is left to a person.
pub(super) fn worn_out(
    point: &Point,
    healed: &[Timestamp],
    region: &Region,
    now: Timestamp,
) -> Option<Reason> {
    loss::is_worn_out(healed, now).then(|| {
        let text = format!(
            "the image of {} in {region} was lost again soon after it was made again; it is not \
             made a third time. Find out who deletes it, then run `afterimage heal {}`",
            point.id, point.id
        );
        Reason::new(Code::LostAgain, text)
    })
}

/// Tells whether the policy of a point has what is lost made again. A policy that was not read
/// tells nothing.
pub(super) fn is_healed(point: &Point, input: &Input) -> bool {
    let policy = input.healing.in_force.policy(&point.slot.policy);
    policy.is_none_or(|policy| policy.heal)
}

/// Returns the reason of a loss that the policy leaves to a person.
pub(super) fn left_to_person(point: &Point, reason: Reason) -> Reason {
    let text = format!(
        "{}; policy {} says `heal: false`, so that it stays lost until a person runs `afterimage \
         heal {}`",
        reason.text, point.slot.policy, point.id
    );
    Reason { text, ..reason }
}

/// Returns the newest good point of the same machine and policy, other than this.
pub(super) fn newest_good(point: &Point, input: &Input) -> Option<Good> {
    let history = input.history.get(point.instance())?;
    let others = history.iter().map(|(other, _)| other);
    let others =
        others.filter(|other| other.slot.policy == point.slot.policy && other.id != point.id);
    others.filter_map(Good::of).max_by_key(|good| good.taken_at)
}

/// Returns the summary of a machine one of whose points has lost something. If the point can no
/// longer be recovered from, the newest that can takes its place.
pub(super) fn told(point: &Point, input: &Input) -> Summary {
    let told = summary::latest(point);
    match Good::of(point) {
        Some(good) => told.telling(News::Good(good)),
        None => {
            let good = newest_good(point, input).map(Box::new);
            told.telling(News::Instead { of: point.id.clone(), good })
        }
    }
}
