//! Points of which nothing is begun now: they wait, or come to an end.

use jiff::Timestamp;

use super::decision_builder::DecisionBuilder;
use crate::command::Change;
use crate::limits::WAITING_MAX;
use crate::machine::Machine;
use crate::obstacle::Obstacle;
use crate::point::{Point, Step};
use crate::reason::Reason;
use crate::status::{Event, IllegalTransition, Status};
use crate::summary::Summary;
use crate::transition::{not_made, retry, summary, withdrawn};
use crate::work::{Kind, Queue};

/// Waits for a policy that cannot be read. After [`WAITING_MAX`] it is read for the point every
/// hour, and a person is told.
pub(super) fn wait_for_policy(
    builder: &mut DecisionBuilder,
    point: &Point,
    reason: Reason,
    now: Timestamp,
) -> Result<(), IllegalTransition> {
    builder.say(&point.id, reason.clone());
    if now.duration_since(point.wanted_since()) >= WAITING_MAX {
        builder.record(summary::recorded(retry::looked_at_again(point, reason, now)));
    }
    Ok(())
}

/// Puts the point off until its machine is ready, and tells the reason in the summary of the
/// machine.
pub(super) fn put_off(
    builder: &mut DecisionBuilder,
    point: &Point,
    machine: &Machine,
    due_at: Timestamp,
    reason: Reason,
) {
    let step = Step { due_at: Some(due_at), ..point.step.clone() };
    let waits = Point { step, reason: Some(reason.clone()), ..point.clone() };
    tell(builder, waits, Some(machine), reason);
}

/// Withdraws a point that nobody wants any more.
pub(super) fn withdraw(
    builder: &mut DecisionBuilder,
    point: &Point,
    machine: &Machine,
    reason: Reason,
    now: Timestamp,
) -> Result<(), IllegalTransition> {
    let after = withdrawn::point(point, reason, now)?;
    wake_if_lost(builder, &after);
    builder.record(withdrawn::recorded(after, machine.instance.name()));
    Ok(())
}

/// Has a point looked at that is lost again, because nothing of it was begun.
fn wake_if_lost(builder: &mut DecisionBuilder, after: &Point) {
    if after.status == Status::Lost {
        builder.wake(Queue { region: after.home.clone(), kind: Kind::Confirm });
    }
}

/// Ends a point of which nothing was begun.
pub(super) fn turn_down(
    builder: &mut DecisionBuilder,
    point: &Point,
    machine: Option<&Machine>,
    (event, reason): (Event, Reason),
    now: Timestamp,
) -> Result<(), IllegalTransition> {
    let after = not_made::ended(point, event, reason.clone(), now)?;
    wake_if_lost(builder, &after);
    tell(builder, after, machine, reason);
    Ok(())
}

/// Records a point, and tells the reason in the log and in the summary of its machine.
fn tell(builder: &mut DecisionBuilder, after: Point, machine: Option<&Machine>, reason: Reason) {
    let name = machine.and_then(|machine| machine.instance.name()).map(str::to_string);
    let summary = Summary { name, ..summary::latest(&after) };
    builder.say(&after.id, reason);
    builder.record(Change::point(after).telling(Some(summary)));
}

/// Withdraws a point that a newer one makes needless. One that had lost everything before is lost
/// again.
pub(super) fn supersede(
    builder: &mut DecisionBuilder,
    point: &Point,
    reason: Reason,
    now: Timestamp,
) -> Result<(), IllegalTransition> {
    builder.say(&point.id, reason.clone());
    let after = match not_made::had_lost_all(point) {
        true => withdrawn::point(point, reason, now)?,
        false => withdrawn::cancelled(point, reason)?,
    };
    wake_if_lost(builder, &after);
    builder.record(withdrawn::recorded(after, None));
    Ok(())
}

/// Puts a point off whose snapshots would fail for the key of a disk, until the key is looked at
/// again.
pub(super) fn hold(
    builder: &mut DecisionBuilder,
    point: &Point,
    machine: &Machine,
    obstacle: &Obstacle,
) {
    // The machine is asked for its UEFI variables once.
    let point = Point { machine: Some(machine.clone()), ..point.clone() };
    put_off(builder, &point, machine, obstacle.probe_at, obstacle.reason.clone());
}
