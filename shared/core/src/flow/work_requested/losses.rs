//! What is told of a place that is lost, and by which point it is outdone.

use jiff::Timestamp;

use super::decision_builder::DecisionBuilder;
use super::images::Input;
use crate::change::{Change, Write};
use crate::command::Finding;
use crate::ids::{Region, ResourceId};
use crate::point::{Point, Replica, ReplicaStatus};
use crate::reason::{Code, Reason};
use crate::slot::PointId;
use crate::summary::{Good, News};
use crate::transition::{loss, summary};
use crate::work::{Kind, Queue};

/// What is done about a loss.
pub(super) enum Done {
    /// Not known yet: it is due.
    Unknown,
    Again(Reason),
    Nothing(Reason),
}

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
pub(super) fn left_to_person(point: &Point) -> Reason {
    let text = format!(
        "policy {} says `heal: false`, so that it stays lost until a person runs `afterimage heal \
         {}`",
        point.slot.policy, point.id
    );
    Reason::new(Code::Lost, text)
}

/// Returns what is done about a place that its policy no longer wants. Nobody looks at it again, so
/// that the text says when that was.
pub(super) fn given_up(point: &Point, region: &Region, input: &Input) -> Done {
    let policy = &point.slot.policy;
    let why = match input.healing.in_force.policy(policy) {
        Some(_) => format!("policy {policy} did not replicate to {region}"),
        None => format!("policy {policy} was not in force"),
    };
    let at = input.now.strftime("%Y-%m-%d %H:%M");
    let text = format!(
        "{why} at {at} UTC, so that the place was given up; it is taken up again once a policy \
         {policy} is applied that wants it"
    );
    Done::Nothing(Reason::new(Code::Withdrawn, text))
}

/// Returns the finding of a loss: what is done about it, or why nothing is done, and how the place
/// is called off.
pub(super) fn finding(
    lost: &ResourceId,
    (region, point): (&Region, &PointId),
    (gone, done): (&Reason, &Done),
    now: Timestamp,
) -> Finding {
    let done = match done {
        Done::Unknown => ". It is made again if anything is left to make it of".to_string(),
        Done::Again(how) => format!(". It is made again: {}", how.text),
        Done::Nothing(why) => format!(". It is not made again: {}", why.text),
    };
    let off = format!("`afterimage cancel {point} --place {region}` calls the place off");
    let text = format!(
        "{}{done}. {off}. If it was deleted by mistake, the Recycle Bin may still have it",
        gone.text
    );
    let (region, artefact) = (region.clone(), lost.clone().into());
    Finding { region, artefact, reason: Reason::new(Code::Lost, text), seen_at: now }
}

/// Returns a good point of the same machine and policy that is newer than this.
pub(super) fn newer_good(point: &Point, input: &Input) -> Option<Good> {
    let (.., good) = next_good(point, input)?;
    point.taken_at.is_none_or(|taken_at| good.taken_at > taken_at).then_some(good)
}

/// Returns the newest good point of the same machine and policy, other than this.
fn next_good<'a>(point: &Point, input: &'a Input) -> Option<(&'a Point, &'a [Replica], Good)> {
    let others = input.history.get(point.instance())?.iter();
    let others =
        others.filter(|(other, _)| other.slot.policy == point.slot.policy && other.id != point.id);
    let good =
        others.filter_map(|(other, replicas)| Some((other, replicas.as_slice(), Good::of(other)?)));
    good.max_by_key(|(.., good)| good.taken_at)
}

/// Returns the change of a point that has lost something, with the summary of its machine. If the
/// point can no longer be recovered from, the newest that can takes its place. That point is
/// written too: the summary must not tell of it what was true before. What it has lost is due,
/// because it is the newest now.
pub(super) fn telling(
    builder: &mut DecisionBuilder,
    point: &Point,
    mut change: Change,
    input: &Input,
) -> Change {
    let told = summary::latest(point);
    if let Some(good) = Good::of(point) {
        return change.telling(Some(told.telling(News::Good(good))));
    }
    let next = next_good(point, input);
    if let Some((other, replicas, _)) = &next {
        let now = input.now;
        let is_home_lost = loss::has_lost(other);
        let other = if is_home_lost { other.due_now(now) } else { (*other).clone() };
        let lost = replicas
            .iter()
            .filter(|replica| replica.status == ReplicaStatus::Lost && !replica.is_copy_back());
        let lost: Vec<&Replica> = lost.collect();
        let homes = is_home_lost.then(|| other.home.clone()).into_iter();
        for region in homes.chain(lost.iter().map(|replica| replica.region.clone())) {
            builder.wake(Queue { region, kind: Kind::Confirm });
        }
        let writes = lost.into_iter().map(|replica| Write::replica(replica.due_now(now)));
        let writes: Vec<Write> = writes.chain([Write::point(other)]).collect();
        change.writes.splice(0..0, writes);
    }
    let good = next.map(|(.., good)| Box::new(good));
    change.telling(Some(told.telling(News::Instead { of: point.id.clone(), good })))
}
