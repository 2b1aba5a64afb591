//! Places that were given up because their policy did not want them, or that stayed lost because it
//! said so, and that it wants again: they are taken up within an hour after the policy was applied.
//! Lost places and copies that wait for a later time, and that nobody wants any more, are looked at
//! as soon: the worker gives them up. So are points that wait to begin, and whose policy is gone,
//! and copies for which the policy names another key by now.
//!
//! Of lost and withdrawn places, only those of the newest good point of a machine and policy are
//! looked at, because only that is made whole. Its summary names it. What waits stands in its
//! queue. A place that a person has called off is left alone. While the brake of a region is
//! engaged, the summaries are read every hour for places that wait for it: there may be more of
//! them than one look takes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::InForce;
use super::wanted::{self, Verdict};
use crate::change::{Change, Write};
use crate::command::{Command, Decision, Wake};
use crate::ids::{PolicyName, Region};
use crate::illegal::Illegal;
use crate::limits::{WANTED_AGAIN_MAX, WANTED_AGAIN_WITHIN};
use crate::point::{Place, Point, Replica, ReplicaStatus};
use crate::policy::Policy;
use crate::reason::{Code, Reason};
use crate::slot::PointId;
use crate::status::{Phase, Status};
use crate::summary::{Latest, MachineSummary};
use crate::transition::{loss, summary, wanted_again, withdrawn};
use crate::work::{Kind, Queue};

/// The points that may have such places, as the ledger has them, and the copies that wait.
#[derive(Clone, Debug, Default)]
pub struct WantedAgain {
    pub points: BTreeMap<PointId, Point>,
    pub replicas: BTreeMap<(PointId, Region), Replica>,
}

/// Lists the policies that were applied of late, and may want again what they had given up.
fn applied(in_force: &InForce, now: Timestamp) -> impl Iterator<Item = &Policy> {
    in_force.policies.iter().filter(move |policy| {
        let at = in_force.applied_at.get(&policy.name);
        at.is_some_and(|at| now.duration_since(*at) < WANTED_AGAIN_WITHIN)
    })
}

/// Tells whether a policy was removed of late, and so wants nothing any more.
fn is_removed(in_force: &InForce, now: Timestamp) -> bool {
    in_force.removed_at.is_some_and(|at| now.duration_since(at) < WANTED_AGAIN_WITHIN)
}

/// Tells whether the summaries are to be read for such places.
pub fn is_time(in_force: &InForce, now: Timestamp) -> bool {
    let mut brakes = in_force.brakes.values();
    have_changed(in_force, now) || brakes.any(|brake| brake.is_engaged(now))
}

/// Tells whether policies were applied or removed of late, so that what waits for a later time is
/// to be read.
pub fn have_changed(in_force: &InForce, now: Timestamp) -> bool {
    applied(in_force, now).next().is_some() || is_removed(in_force, now)
}

/// Lists the points that may have such places, by what the summaries of machines tell.
pub fn nominated(in_force: &InForce, fleet: &[MachineSummary], now: Timestamp) -> Vec<PointId> {
    let mut points = BTreeSet::new();
    for policy in applied(in_force, now) {
        for machine in fleet {
            let wanted = policy.replicas_for(&machine.home);
            let wants = |region: &Region| wanted.iter().any(|place| place.region == *region);
            let good = machine
                .good
                .get(&policy.name)
                .filter(|good| !good.lost.is_empty() || good.withdrawn.iter().any(wants));
            points.extend(good.map(|good| &good.point));
            let latest = machine.latest.get(&policy.name);
            let lost = latest.filter(|latest| latest.status == Status::Lost);
            points.extend(lost.map(|latest| &latest.point));
        }
    }
    for machine in fleet.iter().filter(|_| is_removed(in_force, now)) {
        let good = machine.good.iter().filter(|(_, good)| !good.lost.is_empty());
        let latest = machine.latest.iter().filter(|(_, latest)| latest.status == Status::Lost);
        let lost = good.map(|(policy, good)| (policy, &good.point));
        let lost = lost.chain(latest.map(|(policy, latest)| (policy, &latest.point)));
        points.extend(lost.filter(|(name, _)| in_force.is_gone(name)).map(|(_, point)| point));
    }
    points.extend(fleet.iter().flat_map(|machine| waits_unwanted(in_force, machine)));
    points.into_iter().take(WANTED_AGAIN_MAX).cloned().collect()
}

/// Lists the points of a machine that wait for the brake, and have lost a place that nobody wants.
fn waits_unwanted<'a>(
    in_force: &'a InForce,
    machine: &'a MachineSummary,
) -> impl Iterator<Item = &'a PointId> {
    let is_unwanted = |(name, latest): &(&PolicyName, &Latest)| {
        let Some(policy) = in_force.policy(name) else { return in_force.is_gone(name) };
        let wanted = policy.replicas_for(&machine.home);
        let mut away = latest.lost.iter().filter(|region| **region != machine.home);
        away.any(|region| !wanted.iter().any(|place| place.region == *region))
    };
    let waits = machine.latest.iter().filter(|(_, latest)| is_for_brake(latest.reason.as_ref()));
    waits.filter(is_unwanted).map(|(_, latest)| &latest.point)
}

/// Tells whether a place waits for the brake, by its reason.
fn is_for_brake(reason: Option<&Reason>) -> bool {
    reason.is_some_and(|reason| reason.code == Code::MassLoss)
}

/// Lists the replicas of a point that were withdrawn or lost.
pub fn replicas_of(point: &Point) -> Vec<(PointId, Region)> {
    let is_such = |place: &Place| matches!(place, Place::Withdrawn | Place::Lost);
    let such = point.replicas.iter().filter(|(_, place)| is_such(place));
    such.map(|(region, _)| (point.id.clone(), region.clone())).collect()
}

/// Decides which places are taken up again.
pub(super) fn decide(known: &WantedAgain, in_force: &InForce, now: Timestamp) -> Decision {
    let mut decision = Decision::default();
    for point in known.points.values() {
        let name = &point.slot.policy;
        if in_force.policy(name).is_none() && !in_force.is_gone(name) {
            continue;
        }
        let taken_up = take_up(&mut decision, point, known, in_force, now);
        if let Err(illegal) = taken_up {
            decision.say(&point.id, illegal.reason());
        }
    }
    decision
}

/// Tells whether a copy that waits is not made as it is: nobody wants it, or its policy names
/// another key.
fn is_for_nothing(point: &Point, replica: &Replica, in_force: &InForce) -> bool {
    matches!(wanted::copy(point, &replica.region, in_force), Verdict::Unwanted(_))
        || wanted::left_to_person(point, replica, in_force).is_some()
        || wanted::with_key_of_policy(point, replica, in_force).is_some()
}

fn take_up(
    decision: &mut Decision,
    point: &Point,
    known: &WantedAgain,
    in_force: &InForce,
    now: Timestamp,
) -> Result<(), Illegal> {
    let policy = in_force.policy(&point.slot.policy);
    let mut wakes = BTreeSet::new();
    let mut after = point.clone();
    let is_removed = policy.is_none() && is_removed(in_force, now);
    // It was put off for what its policy said until now; or the policy is gone.
    let may_differ =
        |reason: &Option<Reason>| policy.is_some() || is_removed || is_for_brake(reason.as_ref());
    let is_put_off = point.step.due_at.is_some_and(|due_at| due_at > now);
    if loss::has_lost(point) && is_put_off && may_differ(&point.reason) {
        after = after.due_now(now);
        wakes.insert(Queue { region: point.home.clone(), kind: Kind::Confirm });
    } else if point.status == Status::Requested && is_put_off && is_removed {
        after = after.due_now(now);
        wakes.insert(Queue { region: point.home.clone(), kind: Kind::Snapshot });
    } else if loss::waits_to_be_remade(point)
        && is_put_off
        && wanted::not_remade(point, in_force).is_some()
    {
        after = after.due_now(now);
        wakes.insert(Queue { region: point.home.clone(), kind: Kind::Register });
    }
    let mut writes = Vec::new();
    let is_good = point.status.phase() == Phase::Good;
    let replicas = known.replicas.values().filter(|replica| is_good && replica.point == point.id);
    let is_wanted = |region: &Region| {
        let wanted = policy.into_iter().flat_map(|policy| policy.replicas_for(&point.home));
        wanted.into_iter().any(|place| place.region == *region)
    };
    for replica in replicas {
        let is_later = replica.step.due_at.is_none_or(|due_at| due_at > now);
        let is_put_off = match replica.status {
            ReplicaStatus::Lost => may_differ(&replica.reason),
            ReplicaStatus::Waiting => is_for_nothing(point, replica, in_force),
            _ => false,
        };
        if is_later && is_put_off {
            let replica = replica.due_now(now);
            wakes.extend(replica.queue());
            writes.push(Write::replica(replica));
            continue;
        }
        if !withdrawn::is_unwanted(replica) || !is_wanted(&replica.region) {
            continue;
        }
        let (with_place, replica) = wanted_again::replica(&after, replica, now)?;
        after = with_place;
        replica.reason.iter().for_each(|reason| decision.say(replica.about(), reason.clone()));
        wakes.extend(replica.queue());
        writes.push(Write::replica(replica));
    }
    let change = match writes.is_empty() {
        true if wakes.is_empty() => return Ok(()),
        true => Change::point(after),
        false => writes.into_iter().fold(summary::recorded(after), Change::with),
    };
    decision.command(Command::Record(Box::new(change)));
    let wake = |queue| Command::Wake(Wake { queue, hop: 0 });
    decision.commands.extend(wakes.into_iter().map(wake));
    Ok(())
}
