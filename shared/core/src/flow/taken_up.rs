//! Points that came to an end without what their policy wants, and whose machine still stands as
//! the policy asks: they begin again.
//!
//! A machine that stays stopped has no next slot, so that a point of its stop is the only one it
//! gets. A point that was refused for how the machine was is looked at again every hour. A point
//! that an earlier release gave up is taken up once: it gets the replicas that it lacks, or begins
//! from the start.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{InForce, request, stop};
use crate::change::{Change, Write};
use crate::command::{Command, Decision, Wake};
use crate::ids::{InstanceId, Region};
use crate::limits::TAKEN_UP_MAX;
use crate::machine::{Instance, State};
use crate::point::{IllegalForReplica, Place, Point, Replica, ReplicaStatus};
use crate::reason::{Code, Reason};
use crate::slot::{Occasion, PointId};
use crate::status::{Event, IllegalTransition, Status};
use crate::summary::{Latest, MachineSummary};
use crate::transition::{again, summary};
use crate::work::{Kind, Queue};

/// The points that may begin again, as the ledger has them.
#[derive(Clone, Debug, Default)]
pub struct Ended {
    pub points: BTreeMap<PointId, Point>,
    pub replicas: BTreeMap<(PointId, Region), Replica>,
}

/// Lists the points that may begin again, by what the summaries of stopped machines tell. Every
/// hour others come first, if there are more than one sweep takes up.
pub fn nominated(
    in_force: &InForce,
    stopped: &[Instance],
    summaries: &BTreeMap<InstanceId, MachineSummary>,
    now: Timestamp,
) -> Vec<PointId> {
    let mut nominated = Vec::new();
    for instance in stopped.iter().filter(|instance| instance.state == State::Stopped) {
        let Some(summary) = summaries.get(&instance.id) else { continue };
        let policies = in_force.policies.iter();
        let covering = policies.filter(|policy| stop::covers(policy, instance).is_some());
        let latest = covering.filter_map(|policy| summary.latest.get(&policy.name));
        let ended = latest.filter(|latest| may_begin_again(latest.status, latest.reason.as_ref()));
        nominated.extend(ended.map(|latest: &Latest| latest.point.clone()));
    }
    let hour = usize::try_from(now.as_second() / 3600).unwrap_or_default();
    let first = hour.wrapping_mul(TAKEN_UP_MAX).checked_rem(nominated.len()).unwrap_or_default();
    nominated.rotate_left(first);
    nominated.truncate(TAKEN_UP_MAX);
    nominated
}

/// Lists the replicas of a point that are to be made after all.
pub fn replicas_of(point: &Point) -> Vec<(PointId, Region)> {
    let failed = point.replicas.iter().filter(|(_, place)| **place == Place::Failed);
    failed.map(|(region, _)| (point.id.clone(), region.clone())).collect()
}

/// Tells whether a point ended for a reason that can go without a change of its policy, or that
/// ends no point any more.
pub(super) fn may_begin_again(status: Status, reason: Option<&Reason>) -> bool {
    let code = reason.map(|reason| reason.code);
    match status {
        Status::Refused => matches!(
            code,
            Some(Code::NoVolumes | Code::RootLeftOut | Code::TooManyLeftOut)
                | Some(Code::SourceUnreadable)
        ),
        Status::Failed => matches!(
            code,
            Some(Code::TriesUsedUp | Code::ReplicaFailed | Code::NotRebuilt)
                | Some(Code::Throttled | Code::TooLong)
        ),
        _ => false,
    }
}

/// Decides which of the points begin again.
pub(super) fn decide(ended: &Ended, stopped: &[Instance], now: Timestamp) -> Decision {
    let mut decision = Decision::default();
    for point in ended.points.values() {
        let instance = stopped.iter().find(|instance| instance.id == *point.instance());
        let Some(instance) = instance.filter(|instance| is_same_stop(point, instance)) else {
            continue;
        };
        if !may_begin_again(point.status, point.reason.as_ref()) {
            continue;
        }
        let replicas: Vec<&Replica> =
            replicas_of(point).iter().filter_map(|key| ended.replicas.get(key)).collect();
        let taken_up = match point.image {
            Some(_) if point.status == Status::Failed && replicas.is_empty() => continue,
            Some(_) if point.status == Status::Failed => {
                restored(&mut decision, point, &replicas, now)
            }
            _ => begun_again(&mut decision, point, instance, now),
        };
        if let Err(illegal) = taken_up {
            decision.say(&point.id, Reason::new(Code::IllegalTransition, illegal));
        }
    }
    decision
}

/// Tells whether a machine is still in the stop for which a point was requested.
fn is_same_stop(point: &Point, instance: &Instance) -> bool {
    match &point.slot.occasion {
        Occasion::Stopped { launched } => instance.launched == *launched,
        Occasion::Scheduled(_) | Occasion::OnDemand { .. } => false,
    }
}

fn begun_again(
    decision: &mut Decision,
    point: &Point,
    instance: &Instance,
    now: Timestamp,
) -> Result<(), String> {
    let before = point.reason.as_ref().map_or(String::new(), ToString::to_string);
    let text = format!("{} is still stopped, and looked at again: {before}", instance.id);
    let reason = Reason::new(Code::MachineStopped, text);
    decision.say(&point.id, reason.clone());
    let after =
        again::point(point, reason, now).map_err(|why: IllegalTransition| why.to_string())?;
    let told = summary::latest(&after);
    decision.command(Command::Record(Box::new(Change::point(after).telling(Some(told)))));
    decision.command(request::wake(&point.home));
    Ok(())
}

/// The image of the point is there, and its replicas are made after all.
fn restored(
    decision: &mut Decision,
    point: &Point,
    replicas: &[&Replica],
    now: Timestamp,
) -> Result<(), String> {
    let mut after = point.after(Event::Restore).map_err(|why| why.to_string())?;
    after.reason = None;
    let mut writes = Vec::new();
    for replica in replicas.iter().filter(|replica| replica.status == ReplicaStatus::Failed) {
        let text = format!("{} is still stopped, and has no other point", point.instance());
        let reason = Reason::new(Code::MachineStopped, text);
        let waiting = again::replica(replica, reason, now);
        let waiting = waiting.map_err(|why: IllegalForReplica| why.to_string())?;
        after.replicas.insert(replica.region.clone(), Place::Underway);
        let queue = Queue { region: replica.region.clone(), kind: Kind::Copy };
        decision.command(Command::Wake(Wake { queue, hop: 0 }));
        writes.push(Write::replica(waiting));
    }
    if writes.is_empty() {
        return Ok(());
    }
    let change = summary::recorded(after);
    let change = writes.into_iter().fold(change, Change::with);
    let text = "the replicas that were given up are made after all";
    decision.say(&point.id, Reason::new(Code::ReplicaFailed, text));
    decision.command(Command::Record(Box::new(change)));
    Ok(())
}
