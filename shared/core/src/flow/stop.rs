//! A machine has stopped: what follows from it, whether an event said so or the sweep saw it.

use jiff::{SignedDuration, Timestamp};

use super::{InForce, request};
use crate::command::Decision;
use crate::duration::seconds;
use crate::machine::{Instance, State};
use crate::point::Point;
use crate::policy::{Policy, Trigger};
use crate::reason::{Code, Reason};
use crate::slot::{Occasion, PointId};
use crate::status::{Event, Phase};
use crate::summary::{MachineSummary, News, Stop};

/// The points that a stopped machine asks for, one for each policy that covers it `on: stopped`.
///
/// A hibernated machine has stopped as well: it gets its point, and the grade will tell that its
/// disks were not at rest.
pub fn requests(
    instance: &Instance,
    in_force: &InForce,
    summary: Option<&MachineSummary>,
    now: Timestamp,
) -> Decision {
    let mut decision = Decision::default();
    if instance.state != State::Stopped {
        return decision;
    }
    if in_force.roster.has(&instance.id) {
        let text = "this machine is stopped for another point, and will be started again";
        decision.say(&instance.id, Reason::new(Code::StoppedForPoint, text));
        return decision;
    }
    let mut is_covered = false;
    for policy in &in_force.policies {
        let Some(min_interval) = covers(policy, instance) else { continue };
        is_covered = true;
        match judge(policy, min_interval, instance, summary, now) {
            Verdict::No(reason) => decision.say(&instance.id, reason),
            Verdict::Request => ask(&mut decision, policy, instance, now),
        }
    }
    if !is_covered {
        let text = "no policy selects this machine `on: stopped`";
        decision.say(&instance.id, Reason::new(Code::NotCovered, text));
    }
    if !decision.commands.is_empty() {
        decision.command(request::wake(&instance.region));
    }
    decision
}

/// The points of a machine that stopped and was terminated before anybody could look at it: they
/// are missed, so that somebody learns that its last stop was not imaged.
pub fn missed(
    instance: &Instance,
    in_force: &InForce,
    summary: Option<&MachineSummary>,
    now: Timestamp,
) -> Decision {
    let mut decision = Decision::default();
    let as_stopped = Instance { state: State::Stopped, ..instance.clone() };
    for policy in &in_force.policies {
        let Some(min_interval) = covers(policy, &as_stopped) else { continue };
        if let Verdict::No(reason) = judge(policy, min_interval, instance, summary, now) {
            decision.say(&instance.id, reason);
            continue;
        }
        let launched = instance.launched;
        let point = request::point(policy, instance, Occasion::Stopped { launched }, now);
        // A point that was made a moment ago is requested, and so may be missed.
        let Ok(missed) = point.after(Event::Miss) else { continue };
        let text = format!("{} stopped, and was terminated before it was imaged", instance.id);
        let reason = Reason::new(Code::MachineGone, text);
        decision.say(&point.id, reason.clone());
        let stop = News::Stop(Stop { launched, point: point.id.clone() });
        let step = point.step.settled();
        let point = Point { step, until: None, reason: Some(reason), ..missed };
        decision.command(request::command(point, instance, Some(stop)));
    }
    decision
}

enum Verdict {
    Request,
    No(Reason),
}

/// The shortest interval of a policy that covers the machine when it stops.
pub(super) fn covers(policy: &Policy, instance: &Instance) -> Option<SignedDuration> {
    let intervals = policy.triggers.iter().filter_map(|trigger| match trigger {
        Trigger::Stopped(stopped) => Some(stopped.min_interval_secs),
        Trigger::Schedule(_) | Trigger::Tag => None,
    });
    let secs = intervals.min()?;
    let Instance { region, state, tags, .. } = instance;
    let is_selected = policy.select.selects(region, *state, tags);
    is_selected.then(|| seconds(secs))
}

fn judge(
    policy: &Policy,
    min_interval: SignedDuration,
    instance: &Instance,
    summary: Option<&MachineSummary>,
    now: Timestamp,
) -> Verdict {
    let stop = summary.and_then(|summary| summary.stops.get(&policy.name));
    // A later stop has its point: what EC2 shows is older than what the ledger knows.
    if let Some(stop) = stop.filter(|stop| stop.launched >= instance.launched) {
        let text = format!("this stop has its point already: {}", stop.point);
        return Verdict::No(Reason::new(Code::AlreadyRequested, text));
    }
    let Some((point, at)) = summary.and_then(|summary| counts_from(policy, summary)) else {
        return Verdict::Request;
    };
    // Another environment's clock may be ahead of ours.
    let since = now.duration_since(at).max(SignedDuration::ZERO);
    if since >= min_interval {
        return Verdict::Request;
    }
    let text = format!(
        "{point} was requested at {at}; policy {} leaves at least {min_interval:#} between points",
        policy.name
    );
    Verdict::No(Reason::new(Code::TooSoon, text))
}

/// The point that the interval between two points counts from, and its time. It is the last one,
/// unless that ended without being good: then it is the newest good one.
pub(super) fn counts_from<'a>(
    policy: &Policy,
    summary: &'a MachineSummary,
) -> Option<(&'a PointId, Timestamp)> {
    let latest = summary.latest.get(&policy.name)?;
    if latest.status.phase() != Phase::Ended {
        return Some((&latest.point, latest.requested_at));
    }
    summary.good.get(&policy.name).map(|good| (&good.point, good.taken_at))
}

fn ask(decision: &mut Decision, policy: &Policy, instance: &Instance, now: Timestamp) {
    let launched = instance.launched;
    let point = request::point(policy, instance, Occasion::Stopped { launched }, now);
    let text = format!("{} stopped; it was launched at {launched}", instance.id);
    decision.say(&point.id, Reason::new(Code::MachineStopped, text));
    let stop = News::Stop(Stop { launched, point: PointId::of(&point.slot) });
    decision.command(request::command(point, instance, Some(stop)));
}
