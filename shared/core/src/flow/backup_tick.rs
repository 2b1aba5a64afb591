//! Every minute: which slots are due, and the points that they ask for.
//!
//! No slot is lost and none doubled, however late, early or often a tick comes. A cursor stands at
//! a slot, never at the time of a tick: it moves only over slots that were looked after, two ticks
//! that see the same slots leave it at the same place, and one whose clock is ahead of another's
//! skips nothing that the other has yet to see. It moves after the points were asked for, so that a
//! tick that dies in between is repeated; and a point that is asked for twice is one point, since
//! its id is its slot.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{InForce, Unreadable, request, say_unreadable};
use crate::command::{Command, Cursor, Decision};
use crate::ids::Region;
use crate::limits::{CATCH_UP, SLOTS_MAX};
use crate::machine::Instance;
use crate::policy::select::Selected;
use crate::policy::{Policy, Timed, Trigger};
use crate::reason::{Code, Reason};
use crate::slot::{Occasion, PointId};

/// A schedule of which slots have come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    pub policy: Policy,
    /// As it will be when the slots are looked after.
    pub cursor: Cursor,
    /// The slot that is imaged: the last one. Earlier ones, missed while nothing ran, collapse
    /// into it. None for a schedule that is seen for the first time.
    pub slot: Option<Timestamp>,
    pub collapsed: usize,
}

#[derive(Clone, Debug)]
pub struct Input {
    pub now: Timestamp,
    pub due: Vec<Due>,
    /// Every instance in the regions of the policies that are due, as far as their tags may match.
    pub instances: Vec<Instance>,
    pub unreadable: Vec<Unreadable>,
}

/// What has come due since it was last looked.
pub fn due(in_force: &InForce, now: Timestamp) -> Vec<Due> {
    let mut due: Vec<Due> = Vec::new();
    for policy in &in_force.policies {
        for trigger in &policy.triggers {
            let Trigger::Schedule(timed) = trigger else { continue };
            let Some(next) = due_of(policy, timed, in_force, now) else { continue };
            // A schedule that a policy names twice is still one.
            if !due.iter().any(|other| is_same_schedule(&other.cursor, &next.cursor)) {
                due.push(next);
            }
        }
    }
    due
}

fn due_of(policy: &Policy, timed: &Timed, in_force: &InForce, now: Timestamp) -> Option<Due> {
    let cursor = cursor(policy, timed, now);
    let Some(kept) = in_force.cursors.iter().find(|kept| is_same_schedule(kept, &cursor)) else {
        return Some(Due { policy: policy.clone(), cursor, slot: None, collapsed: 0 });
    };
    let oldest = now.checked_sub(CATCH_UP).unwrap_or(Timestamp::MIN);
    let after = kept.done_until.max(oldest);
    let slots = timed.schedule.between(after, now, &timed.zone, SLOTS_MAX);
    let (last, earlier) = slots.split_last()?;
    let cursor = Cursor { done_until: *last, ..cursor };
    Some(Due { policy: policy.clone(), cursor, slot: Some(*last), collapsed: earlier.len() })
}

/// The cursor of a schedule that was looked after up to then. Another expression or another zone is
/// another schedule.
pub fn cursor(policy: &Policy, timed: &Timed, done_until: Timestamp) -> Cursor {
    let schedule = format!("{} {}", timed.expression(), timed.timezone());
    Cursor { policy: policy.name.clone(), schedule, done_until }
}

fn is_same_schedule(one: &Cursor, other: &Cursor) -> bool {
    (&one.policy, &one.schedule) == (&other.policy, &other.schedule)
}

pub fn decide(input: &Input) -> Decision {
    let mut decision = Decision::default();
    say_unreadable(&mut decision, &input.unreadable);
    let mut asked: BTreeSet<PointId> = BTreeSet::new();
    let mut regions: BTreeSet<Region> = BTreeSet::new();
    for due in &input.due {
        if let Some(slot) = due.slot {
            say_collapsed(&mut decision, due, slot);
            for instance in selected(&due.policy, &input.instances) {
                let occasion = Occasion::Scheduled(slot);
                let point = request::point(&due.policy, instance, occasion, input.now);
                // Two schedules of a policy may come to the same instant, which is one slot.
                if asked.insert(point.id.clone()) {
                    let text = format!("the slot {slot} of {}", due.cursor.schedule);
                    decision.say(&point.id, Reason::new(Code::SlotDue, text));
                    decision.command(request::command(point, instance, None));
                    regions.insert(instance.region.clone());
                }
            }
        }
        decision.command(Command::Advance(due.cursor.clone()));
    }
    regions.iter().for_each(|region| decision.command(request::wake(region)));
    decision
}

fn say_collapsed(decision: &mut Decision, due: &Due, slot: Timestamp) {
    if due.collapsed > 0 {
        let text = format!(
            "{} earlier slots of {} were missed; {slot} stands for them",
            due.collapsed, due.cursor.schedule
        );
        decision.say(&due.policy.name, Reason::new(Code::SlotsCollapsed, text));
    }
}

/// The machines of a policy, as far as there is still something to image.
fn selected<'a>(policy: &Policy, instances: &'a [Instance]) -> impl Iterator<Item = &'a Instance> {
    instances.iter().filter(|instance| {
        let Instance { region, state, tags, .. } = instance;
        policy.select.judge(region, *state, tags) == Selected::Yes
    })
}
