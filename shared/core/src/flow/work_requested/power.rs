//! Machines that are stopped for their points, and started again.
//!
//! - A machine that waits takes its place in turn, if its policy and the account have a place left,
//!   and if nothing forbids to stop it. These facts have to be fresh, so that at most one machine
//!   is stopped in a decision.
//! - A machine that is down is started as soon as its snapshots exist and were graded, or its point
//!   is final, or its time is over.
//! - A machine that is to run again is started again and again, until it is seen to run, or to be
//!   gone.
//!
//! Right before a machine is stopped, the policies in force are read, and the points that nobody
//! wants any more are withdrawn. A machine that is down may serve several points, of other policies
//! for example: those that wait for it are imaged in the same stop ([`super::sharing`]).
//!
//! The machines that are down are looked at every few seconds, since every second of a downtime
//! costs its owner. No event is needed for that.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::again::Again;
use super::decision_builder::DecisionBuilder;
use super::guards;
pub use super::guards::{DiskKey, Guarded, KEY_GONE, KeyAccess, PENDING_DELETION, is_usable};
use super::sharing::{self, Sharing, has_its_data, is_tried_after};
pub use super::stop_gate::StopGate;
use crate::call::{StopInstance, start_instance, stop_instance};
use crate::command::{Change, Decision, Finding, Resolved, Write};
use crate::downtime::{Downtime, DowntimeEvent, DowntimeStatus, IllegalForDowntime, Roster};
use crate::facts::StateReason;
use crate::flow::InForce;
use crate::flow::wanted::{self, Verdict};
use crate::ids::{InstanceId, Region};
use crate::illegal::Illegal;
use crate::limits::{LOOK_DOWN, LOOK_HUNG, LOOK_WAITING, SETTLE, later};
use crate::machine::State;
use crate::observed::ObservedMachine;
use crate::point::{Point, Step};
use crate::reason::{Code, Reason};
use crate::slot::PointId;
use crate::status::{Event, IllegalTransition, Phase, Status};
use crate::transition::downtime::{ended_point, until_deadline};
use crate::transition::{summary, withdrawn};
use crate::work::{Kind, Queue};

#[derive(Clone, Debug)]
pub struct Input {
    pub now: Timestamp,
    pub region: Region,
    /// The most machines that may be down together in the account: none if the stack was deployed
    /// without the right to stop machines.
    pub at_once: u32,
    pub roster: Roster,
    /// The downtimes of the region that have a place, and the first of those that wait for one.
    pub downtimes: Vec<Downtime>,
    pub points: BTreeMap<PointId, Point>,
    /// The machines of the downtimes, as EC2 shows them. A machine that is missing may be gone, or
    /// not be shown just now.
    pub machines: BTreeMap<InstanceId, ObservedMachine>,
    /// The policies in force, read if a machine may be stopped: see [`may_stop`]. None if they
    /// could not be read; then no machine is stopped.
    pub in_force: Option<InForce>,
    /// The answers of EC2 about the machine of [`next`], asked right before it is stopped.
    pub guarded: Option<Guarded>,
    /// What is known of the snapshots of the region.
    pub stop_gate: StopGate,
}

/// Returns the point for whose machine a trial of snapshots has to be made: the next that would be
/// stopped, while an obstacle stands.
pub fn needs_trial(input: &Input) -> Option<&PointId> {
    next(input).filter(|_| !input.stop_gate.is_open()).map(|downtime| &downtime.point)
}

/// Returns the machine that takes the next place, for which EC2 has to be asked if it may be
/// stopped.
pub fn next_machine(input: &Input) -> Option<&ObservedMachine> {
    input.machines.get(next(input)?.instance())
}

/// Tells whether a machine may be stopped, so that the policies in force have to be read.
pub fn may_stop(input: &Input) -> bool {
    let stops_again = |downtime: &Downtime| {
        downtime.status == DowntimeStatus::Stopping && downtime.step.is_due(input.now)
    };
    next(input).is_some() || input.downtimes.iter().any(stops_again)
}

/// Returns the verdict on a point, by the policies in force and by its machine.
fn verdict(input: &Input, point: &Point) -> Option<Verdict> {
    let shown = input.machines.get(point.instance()).map(|seen| &seen.instance);
    Some(wanted::point(point, shown, input.in_force.as_ref()?))
}

/// Returns the downtime that takes the next place, if its machine may be stopped.
pub fn next(input: &Input) -> Option<&Downtime> {
    if !input.stop_gate.may_stop(input.roster.points_in(&input.region).is_empty(), input.now) {
        return None;
    }
    in_turn(input).into_iter().find(|downtime| {
        let is_wanted = input.points.get(&downtime.point).is_some_and(|point| {
            point.status == Status::Requested
                && point.waits_until() > input.now
                && verdict(input, point).is_none_or(|verdict| verdict == Verdict::Wanted)
        });
        let is_running = input.machines.get(downtime.instance()).is_some_and(|seen| {
            seen.instance.state == State::Running && guards::check(seen).is_ok()
        });
        let may_call =
            downtime.status == DowntimeStatus::Waiting && downtime.step.is_due(input.now);
        let has_room = input.roster.has_room(input.at_once)
            && input.roster.has_room_for(&downtime.policy, downtime.stop_start.at_once);
        let is_down = input.roster.has(downtime.instance());
        is_wanted && is_running && may_call && has_room && !is_down
    })
}

fn in_turn(input: &Input) -> Vec<&Downtime> {
    let mut downtimes: Vec<&Downtime> = input.downtimes.iter().collect();
    downtimes.sort_by_key(|downtime| (downtime.requested_at, &downtime.point));
    downtimes
}

/// Returns when the worker looks again: soon, as long as there is anything to look at; otherwise
/// once more, for records that the index may not have shown yet.
pub(super) fn again(input: &Input) -> Again {
    match look_again(input) {
        Some(after) => Again { watches: true, look_after: Some(after), ..Again::default() },
        None => Again { may_lag: true, ..Again::default() },
    }
}

/// Returns the time until the next look, if there is anything to look at.
pub fn look_again(input: &Input) -> Option<SignedDuration> {
    let waits = input.downtimes.iter().map(|downtime| {
        let is_late =
            downtime.deadline().is_some_and(|deadline| later(deadline, SETTLE) < input.now);
        match downtime.status {
            DowntimeStatus::Waiting => Some(LOOK_WAITING),
            status if status.is_held() => Some(if is_late { LOOK_HUNG } else { LOOK_DOWN }),
            _ => None,
        }
    });
    waits.flatten().min()
}

pub fn decide(input: &Input) -> Decision {
    let roster = input.roster.clone();
    let mut power = Power { input, roster, builder: DecisionBuilder::default() };
    for downtime in in_turn(input) {
        let done = match downtime.status {
            DowntimeStatus::Waiting => power.check_waiting(downtime),
            status if status.is_held() => power.check_held(downtime),
            _ => Ok(()),
        };
        power.builder.check(&downtime.point, done);
    }
    if let Some(downtime) = next(input) {
        let done = power.take_place(downtime);
        power.builder.check(&downtime.point, done);
    }
    power.builder.decision()
}

type Done = Result<(), Illegal>;

/// The decision so far. The roster is as it will be once everything decided so far is written: the
/// writes are made in this order, each on the version of the one before.
struct Power<'a> {
    input: &'a Input,
    roster: Roster,
    builder: DecisionBuilder,
}

impl<'a> Power<'a> {
    fn point(&self, downtime: &Downtime) -> Option<&'a Point> {
        self.input.points.get(&downtime.point)
    }

    fn seen(&self, downtime: &Downtime) -> Option<&'a ObservedMachine> {
        self.input.machines.get(downtime.instance())
    }

    fn sharing(&self) -> Sharing<'a> {
        let Input { now, downtimes, points, .. } = self.input;
        Sharing { now: *now, downtimes, points }
    }

    fn queue(&self, kind: Kind) -> Queue {
        Queue { region: self.input.region.clone(), kind }
    }

    // --- Waiting -------------------------------------------------------------------------------

    /// Checks a machine that waits: it still has to be stopped, and may be.
    fn check_waiting(&mut self, downtime: &Downtime) -> Done {
        if let Some(holder) = self.sharing().holder(downtime.instance()) {
            return self.check_sharing(downtime, holder);
        }
        let Some(point) = self.point(downtime).filter(|point| point.status == Status::Requested)
        else {
            let text = "the point does not need its machine stopped any more";
            return self.withdraw(downtime, Reason::new(Code::NotStopped, text), None);
        };
        if self.input.at_once == 0 {
            return self.refuse(downtime, point, guards::not_allowed(downtime.instance()));
        }
        if let Some(Verdict::Unwanted(reason)) = verdict(self.input, point) {
            return self.unwanted(downtime, point, reason);
        }
        let Some(seen) = self.seen(downtime) else { return Ok(()) };
        let state = seen.instance.state;
        // A machine that is about to run again for another point is stopped for this one later.
        if self.input.roster.has(downtime.instance()) && !state.is_gone() {
            return Ok(());
        }
        if state == State::Stopped || state.is_gone() {
            let text = format!("{} is {} already", downtime.instance(), state.as_str());
            return self.withdraw(downtime, Reason::new(Code::NotOurStop, text), Some(point));
        }
        match guards::check(seen) {
            Ok(()) => Ok(()),
            Err(reason) => self.refuse(downtime, point, reason),
        }
    }

    /// Checks a machine that is down for another point. The snapshots are made in the same stop,
    /// and the downtime of this point is not needed once they are graded.
    fn check_sharing(&mut self, downtime: &Downtime, holder: &Downtime) -> Done {
        let Some(point) = self.point(downtime).filter(|point| !has_its_data(point)) else {
            let text = format!("imaged while the machine was down for {}", holder.point);
            return self.withdraw(downtime, Reason::new(Code::StoppedForPoint, text), None);
        };
        let is_stopped =
            self.seen(downtime).is_some_and(|seen| seen.instance.state == State::Stopped);
        if is_stopped && sharing::waits_for_stop(point, self.input.now) {
            let due_at = self.sharing().free_at(downtime.instance());
            self.builder.record(Change::point(point.due_now(due_at)));
            self.builder.wake(self.queue(Kind::Snapshot));
        }
        Ok(())
    }

    /// Withdraws a point that nobody wants any more, together with its downtime.
    fn unwanted(&mut self, downtime: &Downtime, point: &Point, reason: Reason) -> Done {
        let after = self.ended(downtime, DowntimeEvent::Withdraw, reason.clone())?;
        let point = withdrawn::point(point, reason.clone(), self.input.now)?;
        let name = self.seen(downtime).and_then(|seen| seen.instance.name());
        self.builder.say(&downtime.point, reason);
        self.builder.record(withdrawn::recorded(point, name).with(Write::downtime(after)));
        Ok(())
    }

    /// Withdraws a downtime whose machine is not stopped. A point that is still requested is due at
    /// once, with the machine as it is.
    fn withdraw(&mut self, downtime: &Downtime, reason: Reason, point: Option<&Point>) -> Done {
        let after = self.ended(downtime, DowntimeEvent::Withdraw, reason)?;
        let mut change = Change { writes: vec![Write::downtime(after)], summary: None };
        if let Some(point) = point {
            change = change.with(Write::point(point.due_now(self.input.now)));
            self.builder.wake(self.queue(Kind::Snapshot));
        }
        self.builder.record(change);
        Ok(())
    }

    fn refuse(&mut self, downtime: &Downtime, point: &Point, reason: Reason) -> Done {
        let after = self.ended(downtime, DowntimeEvent::Withdraw, reason.clone())?;
        let mut change = Change { writes: vec![Write::downtime(after)], summary: None };
        if let Some((point, summary)) =
            ended_point(point, Event::Refuse, reason.clone(), self.input.now)?
        {
            change = change.with(Write::point(point)).telling(Some(summary));
        }
        self.builder.say(&downtime.point, reason);
        self.builder.record(change);
        Ok(())
    }

    /// Gives a machine the next place, and stops it if the answers about it allow that.
    fn take_place(&mut self, downtime: &Downtime) -> Done {
        let guarded = self.input.guarded.as_ref();
        let guarded = guarded.filter(|guarded| guarded.instance == *downtime.instance());
        let (Some(guarded), Some(point), Some(seen), Some(_)) =
            (guarded, self.point(downtime), self.seen(downtime), &self.input.in_force)
        else {
            return Ok(());
        };
        if let Err(reason) = guards::check_asked(guarded, &seen.instance.instance_type) {
            return self.refuse(downtime, point, reason);
        }
        if !self.input.stop_gate.is_tried(&mut self.builder, downtime, self.input.now) {
            return Ok(());
        }
        let launched = seen.instance.launched;
        let roster = self.roster.clone();
        let (change, call) =
            stop_instance::begin(downtime, launched, roster, point, self.input.now)?;
        let text =
            format!("{} is stopped for its image, and will be started again", downtime.instance());
        self.builder.say(&downtime.point, Reason::new(Code::StoppedForPoint, text));
        self.builder.wake(self.queue(Kind::Snapshot));
        self.call_stop(change, call);
        Ok(())
    }

    // --- Down ----------------------------------------------------------------------------------

    /// Checks a machine that is down, or on its way there or back.
    fn check_held(&mut self, downtime: &Downtime) -> Done {
        let now = self.input.now;
        let seen = self.seen(downtime);
        let state = seen.map(|seen| seen.instance.state);
        if state.is_some_and(State::is_gone) {
            let text = format!("{} was terminated", downtime.instance());
            return self.finish(
                downtime,
                DowntimeEvent::Vanish,
                Reason::new(Code::MachineGone, text),
            );
        }
        if let Some(seen) = seen.filter(|seen| Some(seen.instance.launched) > downtime.launched) {
            return self.check_started(downtime, seen);
        }
        let is_due = downtime.step.is_due(now);
        match (downtime.status, state) {
            // The worker that wrote the intent may be about to write the outcome of its call.
            (DowntimeStatus::Stopping | DowntimeStatus::Starting, _) if !is_due => Ok(()),
            (DowntimeStatus::Starting, Some(State::Running)) => self.check_never_stopped(downtime),
            (DowntimeStatus::Starting, Some(State::Pending | State::Stopping)) => Ok(()),
            (DowntimeStatus::Starting, None) if self.is_lost(downtime) => {
                let text = format!("{} is not known to EC2 any more", downtime.instance());
                let reason = Reason::new(Code::MachineGone, text);
                self.finish(downtime, DowntimeEvent::Vanish, reason)
            }
            (DowntimeStatus::Starting, _) => {
                self.tell_if_late(downtime);
                self.start(downtime, None, downtime.step.failures)
            }
            (DowntimeStatus::Stopping, Some(State::Stopping | State::Stopped)) => {
                self.mark_down(downtime)
            }
            _ => match self.reason_to_start(downtime, state) {
                Some(reason) => self.start_after(downtime, reason, state),
                // A look that showed no machine is no reason to stop it again: somebody may just
                // have started it.
                None if downtime.status == DowntimeStatus::Stopping
                    && state == Some(State::Running) =>
                {
                    self.stop_again(downtime)
                }
                None => {
                    self.wake_snapshot_worker(downtime, state);
                    Ok(())
                }
            },
        }
    }

    /// Tells a person about a machine that does not run although it was started time and again. EC2
    /// takes such a call even if, for example, a key of the disks may not be used.
    fn tell_if_late(&mut self, downtime: &Downtime) {
        let late = downtime.deadline().map(|deadline| later(deadline, SETTLE));
        if late.is_some_and(|late| late <= self.input.now) {
            let text = format!("{} was started, but does not run", downtime.instance());
            self.report(downtime, Reason::new(Code::NotStarted, text));
        }
    }

    /// Checks a machine that was started since its stop, in most cases by us.
    fn check_started(&mut self, downtime: &Downtime, seen: &ObservedMachine) -> Done {
        let instance = downtime.instance();
        match seen.instance.state {
            State::Running => {
                let text = format!("{instance} runs again");
                self.finish(downtime, DowntimeEvent::Runs, Reason::new(Code::RunsAgain, text))
            }
            State::Stopped if seen.was_stopped_by_somebody() => {
                let text = format!("{instance} was started, and then stopped by somebody else");
                let reason = Reason::new(Code::NotOurStop, text);
                if downtime.status != DowntimeStatus::Starting {
                    // Somebody else has started the machine too, and decides if it is to run.
                    self.report(downtime, reason.clone());
                }
                self.finish(downtime, DowntimeEvent::Runs, reason)
            }
            State::Stopped if downtime.step.is_due(self.input.now) => {
                let why = seen.state_reason.as_ref();
                let why = why.map_or("EC2 does not say why", StateReason::as_str);
                let text = format!("{instance} was started, but did not run: {why}");
                let reason = Reason::new(Code::NotStarted, text);
                self.report(downtime, reason.clone());
                self.start(downtime, Some(reason), downtime.step.failures.saturating_add(1))
            }
            _ => Ok(()),
        }
    }

    /// Checks a machine that is to be started, but runs in the run that was to be ended. The call
    /// to stop it was never made, or EC2 does not show its effect yet.
    fn check_never_stopped(&mut self, downtime: &Downtime) -> Done {
        let stopped_at = downtime.begun_at.unwrap_or(self.input.now);
        let last = downtime.step.begun_at.unwrap_or(stopped_at).max(stopped_at);
        if self.input.now.duration_since(last) < SETTLE {
            return Ok(());
        }
        let text = format!("{} runs and was never stopped", downtime.instance());
        self.finish(downtime, DowntimeEvent::Runs, Reason::new(Code::RunsAgain, text))
    }

    /// Tells whether EC2 has said that there is no such machine, long after it was seen.
    fn is_lost(&self, downtime: &Downtime) -> bool {
        let told = downtime.reason.as_ref().is_some_and(|reason| reason.code == Code::MachineGone);
        let since = downtime.begun_at.unwrap_or(self.input.now);
        told && self.input.now.duration_since(since) >= SETTLE
    }

    /// Records that a machine is down after a call without an outcome: the machine is ours.
    fn mark_down(&mut self, downtime: &Downtime) -> Done {
        let down = downtime.after(DowntimeEvent::Stopped)?;
        let down = Downtime { unsure: true, step: until_deadline(downtime), ..down };
        self.builder.record(Change { writes: vec![Write::downtime(down)], summary: None });
        Ok(())
    }

    /// Makes a call again that had no outcome and no visible effect. Whatever EC2 answers now, the
    /// machine is ours.
    fn stop_again(&mut self, downtime: &Downtime) -> Done {
        // Without the policies, it is not known if the point is wanted.
        let Some(point) = self.point(downtime) else { return Ok(()) };
        if verdict(self.input, point) != Some(Verdict::Wanted) || !self.input.stop_gate.is_open() {
            return Ok(());
        }
        let roster = self.roster.clone();
        let (change, call) = stop_instance::begin_again(downtime, roster, self.input.now)?;
        self.call_stop(change, call);
        Ok(())
    }

    /// Wakes the worker of snapshots if the machine is stopped and a point of it is overdue: the
    /// answer of a call was lost, for example. The sweep may come too late for that.
    fn wake_snapshot_worker(&mut self, downtime: &Downtime, state: Option<State>) {
        if state == Some(State::Stopped) && self.sharing().is_overdue(downtime) {
            self.builder.wake(self.queue(Kind::Snapshot));
        }
    }

    /// Returns the reason why a machine is to run again, if there is one.
    fn reason_to_start(&self, downtime: &Downtime, state: Option<State>) -> Option<Reason> {
        let started = |text: String| Some(Reason::new(Code::RunsAgain, text));
        let Some(point) = self.point(downtime) else {
            return started("the point does not exist".to_string());
        };
        let mut sharing = self.sharing().points(downtime);
        let sharing = sharing.next();
        let deadline = downtime.deadline();
        if let Some(deadline) = deadline.filter(|deadline| is_tried_after(point, *deadline))
            && sharing.is_none()
        {
            return started(format!("no try of the point is left before the deadline: {deadline}"));
        }
        if has_its_data(point) && sharing.is_none() {
            return started(match point.status.phase() {
                Phase::Ended => format!("the point is {}", point.status),
                _ => "the snapshots exist".to_string(),
            });
        }
        let is_to_stop =
            downtime.status == DowntimeStatus::Stopping && state == Some(State::Running);
        if let Some(Verdict::Unwanted(reason)) = verdict(self.input, point).filter(|_| is_to_stop) {
            return Some(reason);
        }
        let deadline = self.sharing().deadline(downtime);
        let deadline = deadline.filter(|deadline| *deadline <= self.input.now)?;
        let late = sharing.filter(|_| has_its_data(point)).unwrap_or(point);
        let text = format!("{} was not imaged before the deadline: {deadline}", late.id);
        // The calls to stop the machine had no outcome.
        let text = match downtime.reason.as_ref().filter(|_| is_to_stop) {
            Some(why) => format!("{text}; {} was not stopped: {}", downtime.instance(), why.text),
            None => text,
        };
        Some(self.input.stop_gate.with_why(Reason::new(Code::StopTimeout, text)))
    }

    /// Starts a machine again. A machine that is still stopping cannot be started yet.
    fn start_after(&mut self, downtime: &Downtime, reason: Reason, state: Option<State>) -> Done {
        self.builder.say(&downtime.point, reason.clone());
        if state != Some(State::Stopping) {
            return self.start(downtime, Some(reason), downtime.step.failures);
        }
        if reason.code == Code::StopTimeout {
            self.report(downtime, reason.clone());
        }
        let step = Step { due_at: Some(self.input.now), ..downtime.step.clone() };
        let starting = downtime.after(DowntimeEvent::Start)?;
        let starting = Downtime { step, reason: Some(reason.clone()), ..starting };
        let change = Change { writes: vec![Write::downtime(starting)], summary: None };
        let change = self.miss(downtime, change, reason)?;
        self.builder.record(change);
        Ok(())
    }

    fn start(&mut self, downtime: &Downtime, reason: Option<Reason>, failures: u32) -> Done {
        let now = self.input.now;
        let (mut change, call) = start_instance::begin(downtime, reason.clone(), failures, now)?;
        if let Some(reason) = reason.or_else(|| downtime.reason.clone()) {
            change = self.miss(downtime, change, reason)?;
        }
        self.builder.call(change, call);
        Ok(())
    }

    // --- The end -------------------------------------------------------------------------------

    /// Ends a downtime, and frees its place in the same transaction.
    fn finish(&mut self, downtime: &Downtime, event: DowntimeEvent, reason: Reason) -> Done {
        let after = self.ended(downtime, event, reason.clone())?;
        let roster = self.roster.clone().without(&downtime.point);
        let writes = vec![Write::downtime(after), self.put_roster(roster)];
        let change = Change { writes, summary: None };
        self.builder.say(&downtime.point, reason.clone());
        let change = self.miss(downtime, change, reason)?;
        self.builder.record(change);
        self.resolve(downtime);
        Ok(())
    }

    fn ended(
        &self,
        downtime: &Downtime,
        event: DowntimeEvent,
        reason: Reason,
    ) -> Result<Downtime, IllegalForDowntime> {
        Ok(Downtime {
            step: downtime.step.settled(),
            over_at: Some(self.input.now),
            reason: Some(reason),
            ..downtime.after(event)?
        })
    }

    /// Ends a point that has not begun when its machine runs again, or is gone. Such a point will
    /// not begin, because a machine is not stopped twice for one point.
    fn miss(
        &self,
        downtime: &Downtime,
        change: Change,
        reason: Reason,
    ) -> Result<Change, IllegalTransition> {
        let Some(point) = self.point(downtime) else { return Ok(change) };
        if reason.code == Code::Withdrawn && point.status == Status::Requested {
            let point = withdrawn::point(point, reason, self.input.now)?;
            let summary = summary::latest(&point);
            return Ok(change.with(Write::point(point)).telling(Some(summary)));
        }
        Ok(match ended_point(point, Event::Miss, reason, self.input.now)? {
            Some((point, summary)) => change.with(Write::point(point)).telling(Some(summary)),
            None => change,
        })
    }

    fn report(&mut self, downtime: &Downtime, reason: Reason) {
        let region = downtime.home.clone();
        let artefact = downtime.instance().into();
        self.builder.report(Finding { region, artefact, reason, seen_at: self.input.now });
    }

    /// Resolves the findings that a person may have been told, and that no longer hold.
    fn resolve(&mut self, downtime: &Downtime) {
        let told = downtime.reason.as_ref().map(|reason| reason.code);
        if downtime.step.failures == 0 && told != Some(Code::StopTimeout) {
            return;
        }
        for code in [Code::NotStarted, Code::StopTimeout] {
            let (region, artefact) = (downtime.home.clone(), downtime.instance().into());
            self.builder.resolve(Resolved { region, artefact, code, at: self.input.now });
        }
    }

    fn put_roster(&mut self, roster: Roster) -> Write {
        self.roster = Roster { version: roster.version + 1, ..roster.clone() };
        Write::roster(roster)
    }

    /// Adds the call to stop a machine. The call is made after the roster was written, on the
    /// version of the one before.
    fn call_stop(&mut self, change: Change, call: StopInstance) {
        if let Some(roster) = change.roster_written() {
            self.roster = roster.clone();
        }
        self.builder.call(change, call);
    }
}
