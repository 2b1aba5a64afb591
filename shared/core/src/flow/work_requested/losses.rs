//! What is told of a place that is lost, and which point takes the place of one that lost all.

use jiff::Timestamp;

use super::decision_builder::DecisionBuilder;
use super::images::Input;
use super::prospect::NEVER;
use crate::change::{Change, Write};
use crate::command::{Finding, Resolved};
use crate::ids::{Region, ResourceId};
use crate::limits::SETTLE;
use crate::point::{Point, Replica, ReplicaStatus, Step};
use crate::reason::{Code, Reason};
use crate::slot::PointId;
use crate::summary::{Good, News, Summary};
use crate::transition::{loss, summary};
use crate::work::{Kind, Queue};

/// What is done about a loss.
pub(super) enum Done {
    /// Not known yet: it is due.
    Unknown,
    Again(Reason),
    /// Nothing for now. The words begin the sentence that says why.
    Nothing(&'static str, Reason),
}

/// Returns the reason of a loss.
pub(super) fn gone(artefact: &str, region: &Region, missing_since: Option<Timestamp>) -> Reason {
    let since = missing_since.map_or(String::new(), |at| {
        format!("; it has been missing since {} UTC", at.strftime("%Y-%m-%d %H:%M"))
    });
    Reason::new(Code::Lost, format!("{artefact} in {region} is gone{since}"))
}

/// Returns what is done about a place that its policy no longer wants. Nobody looks at it again.
pub(super) fn given_up(point: &Point, region: &Region, input: &Input) -> Done {
    let policy = &point.slot.policy;
    let why = match input.healing.in_force.policy(policy) {
        Some(_) => format!("policy {policy} did not replicate to {region}"),
        None => format!("policy {policy} was not in force"),
    };
    let text = format!(
        "{why}, so that the place was given up; once a policy {policy} is applied that wants it, \
         it is taken up again if no newer point is good by then, and a person can ask for it if \
         one is"
    );
    Done::Nothing(NEVER, Reason::new(Code::Withdrawn, text))
}

/// Returns the finding of a loss: what is done about it, or why nothing is done, and how the place
/// is called off.
pub(super) fn finding(
    lost: &ResourceId,
    (region, point): (&Region, &PointId),
    (gone, done): (&Reason, &Done),
    now: Timestamp,
) -> Finding {
    let (code, done) = match done {
        Done::Unknown => {
            (Code::Lost, "It is to be made again if anything is left to make it of".to_string())
        }
        Done::Again(how) => (Code::Lost, format!("It is to be made again: {}", how.text)),
        Done::Nothing(words, why) if why.code == Code::LostAgain => {
            (Code::LostAgain, format!("{words}: {}", why.text))
        }
        Done::Nothing(words, why) => {
            let as_of = now.strftime("%Y-%m-%d %H:%M");
            (Code::Lost, format!("{words}: {} (as of {as_of} UTC)", why.text))
        }
    };
    let off = format!("`afterimage cancel {point} --place {region}` calls the place off");
    let text = format!(
        "{}. {done}. {off}. If it was deleted by mistake, the Recycle Bin may still have it",
        gone.text
    );
    let (region, artefact) = (region.clone(), lost.clone().into());
    Finding { region, artefact, reason: Reason::new(code, text), seen_at: now }
}

/// Changes the finding of a loss to what is done about it now. One that says that a person has to
/// ask for the image follows once somebody has asked, or once it is not left to that person any
/// more. `known` is the reason that the record had until now.
pub(super) fn tell(
    builder: &mut DecisionBuilder,
    lost: &ResourceId,
    place: (&Region, &PointId),
    (done, is_asked, known): (&Done, bool, Option<&Reason>),
    now: Timestamp,
) {
    let region = place.0;
    let gone = gone(&lost.to_string(), region, None);
    let told = finding(lost, place, (&gone, done), now);
    let was_again = known.is_some_and(|known| known.code == Code::LostAgain);
    if was_again && told.reason.code == Code::Lost {
        let (region, artefact) = (told.region.clone(), told.artefact.clone());
        builder.resolve(Resolved { region, artefact, code: Code::LostAgain, at: now });
        if !matches!(done, Done::Again(_)) {
            builder.report(told.clone());
        }
    }
    if is_asked {
        let (region, artefact) = (region.clone(), lost.clone().into());
        if matches!(done, Done::Again(_)) {
            builder.resolve(Resolved { region, artefact, code: Code::LostAgain, at: now });
        } else {
            let reason = Reason::new(Code::LostAgain, told.reason.text.clone());
            builder.reword(Finding { reason, ..told.clone() });
        }
    } else if told.reason.code == Code::LostAgain {
        // It takes the place of one that says that the image is made again, or that it is lost
        // again and says something else of that.
        builder.report(told.clone());
    }
    builder.reword(told);
}

/// Returns the newest good point of the same machine and policy, other than this, as this round has
/// left it.
fn next_good<'a>(
    builder: &DecisionBuilder,
    point: &Point,
    input: &'a Input,
) -> Option<(Point, &'a [Replica], Good)> {
    let others = input.history.get(point.instance())?.iter();
    let others =
        others.filter(|(other, _)| other.slot.policy == point.slot.policy && other.id != point.id);
    let left = others.map(|(other, of)| (builder.written(&other.id).unwrap_or(other), of));
    let good = left.filter_map(|(other, of)| Some((other, of.as_slice(), Good::of(other)?)));
    let (other, replicas, good) = good.max_by_key(|(.., good)| good.taken_at)?;
    Some((other.clone(), replicas, good))
}

/// Tells whether a good point is older than another point.
fn is_older(good: &Good, point: &Point) -> bool {
    point.taken_at.is_none_or(|taken_at| good.taken_at <= taken_at)
}

/// Returns the change of a point that has lost something, with the summary of its machine. If the
/// point can no longer be recovered from, the newest that can takes its place. If that is an older
/// point, it is written too: the summary must not tell of it what was true before. What it has lost
/// is due, because it is the newest now.
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
    let next = next_good(builder, point, input);
    if let Some((other, replicas, _)) = next.as_ref().filter(|(.., good)| is_older(good, point)) {
        let now = input.now;
        let is_home_lost = loss::has_lost(other);
        let other = if is_home_lost { other.due_now(now) } else { other.clone() };
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

/// Returns the change of a point that cannot be recovered from, as an earlier look has told
/// already, with the newest that can: at that look, the worker of another region may just have made
/// a point usable again, without knowing that this one is not.
pub(super) fn telling_again(
    builder: &DecisionBuilder,
    point: &Point,
    mut change: Change,
    input: &Input,
) -> Change {
    if Good::of(point).is_some() {
        return change;
    }
    let next = next_good(builder, point, input).filter(|(.., good)| is_older(good, point));
    let Some((other, _, good)) = next else { return change };
    let told = change.summary.take().unwrap_or_else(|| Summary::of(point));
    change.writes.push(Write::point(other));
    change.telling(Some(told.telling(News::Good(good))))
}

/// Returns the step of a place that is of no use. If its point was the newest that one could
/// recover from, and is not any more, the place is looked at once more ([`telling_again`]).
pub(super) fn step_of_no_use(step: &Step, point: &Point, input: &Input) -> Step {
    let is_newer = |other: &Point| {
        let is_of_policy = other.slot.policy == point.slot.policy;
        is_of_policy && other.taken_at > point.taken_at && Good::of(other).is_some()
    };
    let mut others = input.history.get(point.instance()).into_iter().flatten();
    match Good::of(point).is_some() || others.any(|(other, _)| is_newer(other)) {
        true => step.settled(),
        false => loss::looked_at(step, SETTLE, input.now),
    }
}
