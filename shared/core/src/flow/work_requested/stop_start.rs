//! Points whose machine has to be stopped for them, until it is stopped.

use jiff::Timestamp;

use super::decision_builder::DecisionBuilder;
use crate::command::{Change, Write};
use crate::downtime::{Downtime, DowntimeStatus, Roster};
use crate::machine::{Machine, State};
use crate::obstacle::Obstacles;
use crate::point::{Point, Step};
use crate::policy::Consistency;
use crate::reason::{Code, Reason};
use crate::status::{Event, IllegalTransition};
use crate::transition::downtime::ended_point;
use crate::work::{Kind, Queue};

/// Tells whether a point has to wait until its machine was stopped. A machine that is stopped
/// already, by whomever, is imaged as it is, and never started for that.
pub(super) fn is_to_stop(point: &Point, machine: &Machine) -> bool {
    let wants = point.plan.consistency == Consistency::StopStart;
    wants && machine.instance.state != State::Stopped
}

/// Tells whether the machine of a point is down for another point of ours.
pub(super) fn is_shared(point: &Point, roster: &Roster) -> bool {
    point.plan.consistency == Consistency::StopStart && roster.has(point.instance())
}

/// Requests the downtime of a point whose machine is down for another point, so that the machine
/// is not started before both points have their data.
pub(super) fn share(builder: &mut DecisionBuilder, point: &Point, now: Timestamp) {
    let downtime = Write::new_downtime(Downtime::wanted(point, now));
    builder.record(Change { writes: vec![downtime], summary: None });
    builder.wake(Queue { region: point.home.clone(), kind: Kind::Power });
}

/// Tells whether the machine will be stopped in a moment, or never.
pub(super) fn is_being_stopped(downtime: Option<&Downtime>, state: Option<State>) -> bool {
    match downtime.map(|downtime| downtime.status) {
        Some(DowntimeStatus::Stopping | DowntimeStatus::Down) => state != Some(State::Stopped),
        Some(DowntimeStatus::NotOurs) => state == Some(State::Stopping),
        Some(DowntimeStatus::Waiting | DowntimeStatus::Starting | DowntimeStatus::Over) | None => {
            false
        }
    }
}

/// Tells whether the window of a point has closed for whose machine to be stopped it waited.
pub(super) fn is_late(point: &Point, now: Timestamp) -> bool {
    point.plan.consistency == Consistency::StopStart && point.waits_until() <= now
}

/// Waits for a machine that is not stopped yet. Its downtime is requested once. The point waits
/// until the machine is stopped, or until its window closes.
pub(super) fn wait(
    builder: &mut DecisionBuilder,
    point: &Point,
    state: State,
    downtime: Option<&Downtime>,
    (obstacles, now): (&Obstacles, Timestamp),
) -> Result<(), IllegalTransition> {
    let until = point.waits_until();
    if is_being_stopped(downtime, Some(state)) && (now < until || is_ours(downtime)) {
        return Ok(());
    }
    if now >= until {
        let text = format!("{} was not stopped by {until}", point.instance());
        let reason = obstacles.with_why(Reason::new(Code::WindowClosed, text));
        return miss(builder, point, reason, now);
    }
    let step = Step { due_at: Some(until), ..point.step.clone() };
    let waiting = Change::point(Point { step, ..point.clone() });
    let new = match downtime {
        None => Some(Write::new_downtime(Downtime::wanted(point, now))),
        // The machine was never stopped for the point.
        Some(before) if before.status == DowntimeStatus::Over && before.begun_at.is_none() => {
            let version = before.version;
            Some(Write::downtime(Downtime { version, ..Downtime::wanted(point, now) }))
        }
        Some(_) => None,
    };
    if let Some(new) = new {
        builder.record(waiting.with(new));
        builder.wake(Queue { region: point.home.clone(), kind: Kind::Power });
        return Ok(());
    }
    match downtime.map(|downtime| downtime.status) {
        Some(DowntimeStatus::Waiting) => {
            builder.record(waiting);
            Ok(())
        }
        // A machine is not stopped twice for one point.
        _ => {
            let text = format!(
                "{} was stopped for this point and is {} again; a machine is not stopped twice \
                 for one point",
                point.instance(),
                state.as_str()
            );
            miss(builder, point, obstacles.with_why(Reason::new(Code::NotStopped, text)), now)
        }
    }
}

/// Tells whether we hold the machine down. Then the deadline of the downtime ends it, and the point
/// with it.
fn is_ours(downtime: Option<&Downtime>) -> bool {
    downtime.is_some_and(|downtime| downtime.status.is_held())
}

fn miss(
    builder: &mut DecisionBuilder,
    point: &Point,
    reason: Reason,
    now: Timestamp,
) -> Result<(), IllegalTransition> {
    let illegal = IllegalTransition { status: point.status, event: Event::Miss };
    let (point, summary) = ended_point(point, Event::Miss, reason, now)?.ok_or(illegal)?;
    point.reason.iter().for_each(|reason| builder.say(&point.id, reason.clone()));
    builder.record(Change::point(point).telling(Some(summary)));
    Ok(())
}
