//! The slots that are due, every minute, and the points that they ask for.
//!
//! What came while nothing ran is made up for as its schedule says (`catch_up`): the last slot is
//! imaged and its point tells how many it stands for, or it is recorded as missed and its reason
//! tells how many others were. Either way every slot is accounted for, however long nothing ran.
//!
//! No slot is lost and none doubled, however late, early or often a tick comes. A cursor stands at
//! a slot, never at the time of a tick: it moves only over slots that were looked after, two ticks
//! that see the same slots leave it at the same place, and one whose clock is ahead of another's
//! skips nothing that the other has yet to see. It moves after the points were asked for, so that a
//! tick that dies in between is repeated; and a point that is asked for twice is one point, since
//! its id is its slot.
//!
//! A schedule has a cursor in each region of its policy. The slots of a region that does not answer
//! stay due there, and the other regions go on. Earlier releases had one cursor for all regions: a
//! region without a cursor of its own goes on from that one.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::{InForce, Unreadable, request, say_unreadable};
use crate::command::{Command, Cursor, Decision};
use crate::duration::seconds;
use crate::ids::Region;
use crate::limits::{LATE, SLOTS_MAX, later};
use crate::machine::Instance;
use crate::point::Point;
use crate::policy::{CatchUp, Policy, Timed, Trigger};
use crate::reason::{Code, Reason};
use crate::slot::{Occasion, PointId};
use crate::status::{Event, IllegalTransition};

/// A schedule that has due slots in a region, or a new schedule that has none yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    pub policy: Policy,
    pub region: Region,
    /// Cursor as it will stand when the slots have been looked after.
    pub cursor: Cursor,
    /// The first of the slots that have come.
    pub first: Option<Timestamp>,
    /// Slots that are imaged: the last one stands for earlier ones that came while nothing ran.
    pub image: Option<Slots>,
    /// Slots that are not made up for.
    pub missed: Option<Slots>,
    /// Time that a slot waits for its machine.
    pub window: SignedDuration,
}

/// Slots of a schedule, of which the last one stands for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slots {
    pub last: Timestamp,
    pub earlier: usize,
}

#[derive(Clone, Debug)]
pub struct Input {
    pub now: Timestamp,
    pub due: Vec<Due>,
    /// Every instance in the regions of the policies that are due, as far as their tags may match.
    pub instances: Vec<Instance>,
    /// The regions that did not answer, so that nothing is known of their machines.
    pub unread: BTreeSet<Region>,
    pub unreadable: Vec<Unreadable>,
}

impl Due {
    /// Tells whether any slot has come, so that the machines have to be known.
    pub fn has_slots(&self) -> bool {
        self.image.is_some() || self.missed.is_some()
    }
}

/// Lists the schedules of which slots have come since the last tick.
pub fn due(in_force: &InForce, now: Timestamp) -> Vec<Due> {
    let mut due: Vec<Due> = Vec::new();
    for policy in &in_force.policies {
        for trigger in &policy.triggers {
            let Trigger::Schedule(timed) = trigger else { continue };
            for region in &policy.select.regions {
                let Some(next) = due_in(region, policy, timed, in_force, now) else { continue };
                // A schedule that a policy names twice is still one.
                if !due.iter().any(|other| is_same_progress(&other.cursor, &next.cursor)) {
                    due.push(next);
                }
            }
        }
    }
    due
}

fn due_in(
    region: &Region,
    policy: &Policy,
    timed: &Timed,
    in_force: &InForce,
    now: Timestamp,
) -> Option<Due> {
    let mut due = Due {
        policy: policy.clone(),
        region: region.clone(),
        cursor: cursor(policy, timed, region, now),
        first: None,
        image: None,
        missed: None,
        window: seconds(timed.window_secs),
    };
    let Some(kept) = kept(in_force, &due.cursor) else { return Some(due) };
    let late = later(now, -LATE);
    let slots = timed.schedule.after(kept.done_until, &timed.zone);
    for slot in slots.take_while(|slot| *slot <= now).take(SLOTS_MAX) {
        let is_missed = timed.catch_up == CatchUp::None && slot < late;
        let slots = if is_missed { &mut due.missed } else { &mut due.image };
        let earlier = slots.map_or(0, |before| before.earlier + 1);
        *slots = Some(Slots { last: slot, earlier });
        due.first = due.first.or(Some(slot));
        due.cursor.done_until = slot;
    }
    due.has_slots().then_some(due)
}

/// Returns the cursor of a schedule that was looked after in a region up to `done_until`. Another
/// expression or another zone is another schedule.
pub fn cursor(policy: &Policy, timed: &Timed, region: &Region, done_until: Timestamp) -> Cursor {
    let schedule = format!("{} {}", timed.expression(), timed.timezone());
    Cursor { policy: policy.name.clone(), schedule, region: Some(region.clone()), done_until }
}

/// Returns the cursor from which a schedule goes on in a region: its own, or else the one that an
/// earlier release kept for all regions.
fn kept<'a>(in_force: &'a InForce, of: &Cursor) -> Option<&'a Cursor> {
    let cursors = &in_force.cursors;
    let is_for_all = |kept: &&Cursor| kept.region.is_none() && is_same_schedule(kept, of);
    let own = cursors.iter().find(|kept| is_same_progress(kept, of));
    own.or_else(|| cursors.iter().find(is_for_all))
}

fn is_same_schedule(one: &Cursor, other: &Cursor) -> bool {
    (&one.policy, &one.schedule) == (&other.policy, &other.schedule)
}

/// Tells whether two cursors are of one schedule in one region.
fn is_same_progress(one: &Cursor, other: &Cursor) -> bool {
    is_same_schedule(one, other) && one.region == other.region
}

pub fn decide(input: &Input) -> Decision {
    let mut decision = Decision::default();
    say_unreadable(&mut decision, &input.unreadable);
    let mut tick = Tick { input, asked: BTreeSet::new(), woken: BTreeSet::new(), decision };
    for due in &input.due {
        if let Some(slots) = due.image {
            tick.image(due, slots);
        }
        if let Some(slots) = due.missed {
            // A point that was made a moment ago is requested, and so may be missed.
            let _always = tick.miss(due, slots);
        }
        // Slots of a region that did not answer are due again at the next tick.
        if !(due.has_slots() && input.unread.contains(&due.region)) {
            tick.decision.command(Command::Advance(due.cursor.clone()));
        }
    }
    let Tick { woken, mut decision, .. } = tick;
    woken.iter().for_each(|region| decision.command(request::wake(region)));
    decision
}

/// State of the decision while it is made.
struct Tick<'a> {
    input: &'a Input,
    /// Two schedules of a policy may come to the same instant, which is one slot.
    asked: BTreeSet<PointId>,
    woken: BTreeSet<Region>,
    decision: Decision,
}

impl Tick<'_> {
    fn image(&mut self, due: &Due, slots: Slots) {
        let schedule = &due.cursor.schedule;
        let collapsed = (slots.earlier > 0).then(|| collapsed(schedule, slots));
        if self.input.unread.contains(&due.region) {
            return;
        }
        if let Some(reason) = &collapsed {
            let about = format!("{} in {}", due.policy.name, due.region);
            self.decision.say(about, reason.clone());
        }
        for instance in selected(due, &self.input.instances) {
            let point = self.point(due, instance, slots.last).found(collapsed.clone());
            if self.asked.insert(point.id.clone()) {
                let text = format!("slot {} of {schedule} is due", slots.last);
                self.decision.say(&point.id, Reason::new(Code::SlotDue, text));
                self.decision.command(request::command(point, instance, None));
                self.woken.insert(instance.region.clone());
            }
        }
    }

    /// Recorded at once as missed, for whoever looks for the image.
    fn miss(&mut self, due: &Due, slots: Slots) -> Result<(), IllegalTransition> {
        if self.is_imaged(due, slots.last) {
            return Ok(());
        }
        for instance in selected(due, &self.input.instances) {
            let point = self.point(due, instance, slots.last).after(Event::Miss)?;
            let reason = missed(&due.cursor.schedule, slots);
            let step = point.step.settled();
            let point = Point { step, until: None, reason: Some(reason.clone()), ..point };
            if self.asked.insert(point.id.clone()) {
                self.decision.say(&point.id, reason);
                self.decision.command(request::command(point, instance, None));
            }
        }
        Ok(())
    }

    /// Another schedule of the policy may make an image of the same slot.
    fn is_imaged(&self, missed: &Due, slot: Timestamp) -> bool {
        let of_policy =
            |due: &&Due| (&due.policy.name, &due.region) == (&missed.policy.name, &missed.region);
        let mut images = self.input.due.iter().filter(of_policy).filter_map(|due| due.image);
        images.any(|slots| slots.last == slot)
    }

    fn point(&self, due: &Due, instance: &Instance, slot: Timestamp) -> Point {
        let now = self.input.now;
        let point = request::point(&due.policy, instance, Occasion::Scheduled(slot), now);
        Point { until: Some(later(now, due.window)), ..point }
    }
}

fn collapsed(schedule: &str, Slots { last, earlier }: Slots) -> Reason {
    let text = match earlier {
        1 => format!("1 earlier slot of {schedule} was missed; slot {last} stands for it"),
        _ => format!(
            "{earlier} earlier slots of {schedule} were missed; slot {last} stands for them"
        ),
    };
    Reason::new(Code::SlotsCollapsed, text)
}

fn missed(schedule: &str, Slots { last, earlier }: Slots) -> Reason {
    let before = match earlier {
        0 => String::new(),
        _ => format!(" (and {earlier} before it)"),
    };
    let text = format!(
        "slot {last} of {schedule} was missed{before}: no function could look at the machines in \
         time, and the schedule says `catch_up: none`"
    );
    Reason::new(Code::SlotsMissed, text)
}

/// The machines of a policy in a region, as far as there is still something to image.
fn selected<'a>(due: &Due, instances: &'a [Instance]) -> impl Iterator<Item = &'a Instance> {
    instances.iter().filter(|instance| {
        let Instance { region, state, tags, .. } = instance;
        *region == due.region && due.policy.select.selects(region, *state, tags)
    })
}
