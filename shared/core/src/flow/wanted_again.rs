//! Places that were given up because their policy did not want them, or that stayed lost because it
//! said so, and that it wants again: they are taken up within an hour after the policy was applied.
//!
//! Only the newest good point of a machine and policy is looked at, because only that is made
//! whole. Its summary names it. A place that a person has called off is left alone.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::InForce;
use crate::change::{Change, Write};
use crate::command::{Command, Decision, Wake};
use crate::ids::Region;
use crate::illegal::Illegal;
use crate::limits::{WANTED_AGAIN_MAX, WANTED_AGAIN_WITHIN};
use crate::point::{Place, Point, Replica, ReplicaStatus};
use crate::policy::Policy;
use crate::slot::PointId;
use crate::status::{Phase, Status};
use crate::summary::MachineSummary;
use crate::transition::{loss, summary, wanted_again, withdrawn};
use crate::work::{Kind, Queue};

/// The points that may have such places, as the ledger has them.
#[derive(Clone, Debug, Default)]
pub struct WantedAgain {
    pub points: BTreeMap<PointId, Point>,
    pub replicas: BTreeMap<(PointId, Region), Replica>,
}

/// Lists the policies that were applied of late, and may want again what they had given up.
pub fn applied(in_force: &InForce, now: Timestamp) -> impl Iterator<Item = &Policy> {
    in_force.policies.iter().filter(move |policy| {
        let at = in_force.applied_at.get(&policy.name);
        at.is_some_and(|at| now.duration_since(*at) < WANTED_AGAIN_WITHIN)
    })
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
    points.into_iter().take(WANTED_AGAIN_MAX).cloned().collect()
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
        let Some(policy) = in_force.policy(&point.slot.policy) else { continue };
        let taken_up = take_up(&mut decision, point, policy, known, now);
        if let Err(illegal) = taken_up {
            decision.say(&point.id, illegal.reason());
        }
    }
    decision
}

fn take_up(
    decision: &mut Decision,
    point: &Point,
    policy: &Policy,
    known: &WantedAgain,
    now: Timestamp,
) -> Result<(), Illegal> {
    let mut wakes = BTreeSet::new();
    let mut after = point.clone();
    // It was put off for as long as its policy did not want it.
    if loss::has_lost(point) && point.step.due_at.is_some_and(|due_at| due_at > now) {
        after = after.due_now(now);
        wakes.insert(Queue { region: point.home.clone(), kind: Kind::Confirm });
    }
    let mut writes = Vec::new();
    let is_good = point.status.phase() == Phase::Good;
    for place in policy.replicas_for(&point.home).iter().filter(|_| is_good) {
        let replica = known.replicas.get(&(point.id.clone(), place.region.clone()));
        // One that is lost was put off for what its policy said until now.
        let is_put_off = |replica: &&Replica| {
            let is_later = replica.step.due_at.is_none_or(|due_at| due_at > now);
            replica.status == ReplicaStatus::Lost && is_later
        };
        if let Some(replica) = replica.filter(is_put_off) {
            wakes.extend(replica.queue());
            writes.push(Write::replica(replica.due_now(now)));
            continue;
        }
        let Some(replica) = replica.filter(|replica| withdrawn::is_unwanted(replica)) else {
            continue;
        };
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
