//! The worker of one queue: its next move, from what it saw so far.
//!
//! A worker is woken by an event that names a queue and nothing else. The worker goes round until
//! nothing is left that it could do. Every wait, read and claim is a [`Move`], which the caller
//! carries out, so that the worker is a table that can be tested.
//!
//! ```text
//!          wait until the      another worker
//!          index shows it      is at it: quit      ┌──────────────── next round ◀──────────────┐
//!  woken ─────────────────▶ See ─────────────────▶ See ─────▶ Load ─────▶ Decide ─────▶ applied ┤
//!                                                   │   ▲                                       │
//!                                       Claim, Wait └───┘ a fleet is looked at in one go   Quit ┘
//!                                             Lease └───┘ several machines are described by one
//! ```
//!
//! Kinds that look (Register, Confirm) ask EC2 about everything that is in flight. If that is much,
//! the worker claims the look and rests first, so that a fleet that completes bit by bit is asked
//! about in a handful of calls. A worker that is woken meanwhile finds the claim and quits, since
//! the look is still to come. The other kinds take what is due, a batch at a time, so that the
//! description of a machine is recent when the machine is imaged. Power claims its next look before
//! it decides, for as long as a machine is down or waits to be. A worker of any kind that has read
//! what it needs about work that is overdue for half an hour writes a claim too, before it decides:
//! that shows the sweep that somebody is at it.
//!
//! A worker of snapshots first follows the hints: machines that may have stopped, or may carry a
//! request. It takes the lease before it describes several machines, so that no other worker
//! describes them too.

pub mod batch;
pub mod memory;
pub mod pace;

use std::collections::BTreeSet;
use std::ops::AddAssign;

use jiff::{SignedDuration, Timestamp};

use crate::command::Decision;
use crate::flow::work_requested::Input;
use crate::flow::work_requested::again::Again;
use crate::flow::{InFlight, WorkRequested};
use crate::hint::Hint;
use crate::ids::InstanceId;
use crate::limits::{
    AT_ONCE, AT_WORK_EVERY, CLAIM_GRACE, HINTS_MAX, INDEX_LAG, ROUNDS_MAX, SNAPSHOT_ROUND,
    WAIT_FOR_DUE_MAX, WIND_UP, later,
};
use crate::work::{Kind, Queue, rest};
use memory::Memory;

/// The next thing that a worker does.
#[derive(Debug)]
pub enum Move<'a> {
    /// Stop: nothing is left for this worker.
    Quit,
    Wait(Timestamp),
    /// Read this about the queue, and hand it to [`Worker::saw`].
    See(Sight),
    /// Write that the next look is at `until`, unless another worker has claimed a look that is
    /// still to come at `now`; hand the answer to [`Worker::claimed`].
    Claim {
        until: Timestamp,
        now: Timestamp,
    },
    /// Take the lease of the queue, and hand its end to [`Worker::leased`]; none if another worker
    /// holds it.
    Lease,
    /// Load the facts about the machines of these hints, and hand them to [`Worker::loaded`].
    Follow(Vec<Hint>),
    /// Load the facts about these records, and hand them to [`Worker::loaded`].
    Load(Vec<InFlight>),
    /// Decide on this, tell [`Worker::decided`], apply the decision, and tell [`Worker::applied`].
    Decide(&'a Input),
}

/// A fact about a queue that is read by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// The lease: another worker may hold it.
    Lease,
    /// The look that was claimed last.
    Claim,
    /// The machines that events told of.
    Hints,
    /// The records that the index nominates.
    InFlight,
}

/// The answer to a [`Sight`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Lease { is_anothers: bool },
    Claim { until: Option<Timestamp> },
    Hints(Vec<Hint>),
    InFlight(Vec<InFlight>),
}

/// The facts of one round, for a [`Move::Load`].
#[derive(Clone, Debug)]
pub struct Loaded {
    pub input: Input,
    /// Earliest due time of the records that the index showed as due, but that are not due yet.
    pub put_off: Option<Timestamp>,
}

/// The result of carrying out a decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Calls that created something.
    pub made: usize,
    /// Changes of the ledger.
    pub wrote: usize,
    /// Changes that somebody else was faster with.
    pub lost: usize,
    /// True if another worker is at the queue. Everything that is to be created there is left to
    /// it.
    pub no_lease: bool,
    /// True if time ran out before everything was begun.
    pub out_of_time: bool,
}

impl AddAssign for Applied {
    fn add_assign(&mut self, other: Applied) {
        self.made += other.made;
        self.wrote += other.wrote;
        self.lost += other.lost;
        self.no_lease |= other.no_lease;
        self.out_of_time |= other.out_of_time;
    }
}

/// Tells whether there is time to begin something new before the execution environment is killed.
pub fn has_time(deadline: Timestamp, now: Timestamp) -> bool {
    deadline.duration_since(now) > WIND_UP
}

/// A worker, between two of its moves.
#[derive(Clone, Debug)]
pub struct Worker {
    queue: Queue,
    /// The time at which the execution environment is killed.
    deadline: Timestamp,
    /// The end of the wait that comes next, if there is one.
    waits_until: Option<Timestamp>,
    /// The answers of EC2 from the rounds before.
    memory: Memory,
    /// True if no other worker is at the queue. A worker of Power also waits to see if another goes
    /// on looking at the queue.
    is_alone: bool,
    /// The look of another worker at the machines that are down. If that worker claims no later
    /// look, it died.
    others_look: Option<Timestamp>,
    /// The look that this worker has claimed last.
    own_look: Option<Timestamp>,
    round: Round,
    rounds: u32,
    /// The rounds in which there was nothing to do.
    quiet_rounds: u32,
    applied: Applied,
    is_over: bool,
}

/// The look that was claimed last.
#[derive(Clone, Copy, Debug)]
struct Claim {
    until: Option<Timestamp>,
    asked_at: Timestamp,
}

/// The part of a worker that is new with every round.
#[derive(Clone, Debug, Default)]
struct Round {
    is_lease_seen: bool,
    /// The look that was claimed last, by any worker, and when that was asked. None if it was not
    /// asked yet.
    claim: Option<Claim>,
    /// The machines that events told of; only the worker of Snapshot asks for them.
    hints: Option<Vec<Hint>>,
    in_flight: Option<Vec<InFlight>>,
    /// The end of the lease, if it was taken before the facts were loaded.
    leased_until: Option<Timestamp>,
    /// True if the worker has rested before this look.
    rested: bool,
    input: Option<Box<Input>>,
    again: Again,
}

impl Worker {
    pub fn new(event: &WorkRequested, now: Timestamp, deadline: Timestamp) -> Worker {
        let queue = event.queue.clone();
        // The writer of the record for which the worker is woken has hardly finished. Kinds that
        // look are woken by an event of EC2, because the index already showed the record.
        let waits = event.hop == 0 && !queue.kind.looks();
        Worker {
            queue,
            deadline,
            waits_until: waits.then(|| later(now, INDEX_LAG)),
            memory: Memory::default(),
            is_alone: false,
            others_look: None,
            own_look: None,
            round: Round::default(),
            rounds: 0,
            quiet_rounds: 0,
            applied: Applied::default(),
            is_over: false,
        }
    }

    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Returns the sum of all results of this worker's decisions.
    pub fn total(&self) -> &Applied {
        &self.applied
    }

    /// Returns when the worker looks again at what it has loaded.
    pub fn again(&self) -> &Again {
        &self.round.again
    }

    /// Returns the next move. The move stays the same until the worker is told the result, or the
    /// time comes that it waits for.
    pub fn next_move(&self, now: Timestamp) -> Move<'_> {
        if self.is_over {
            return Move::Quit;
        }
        if let Some(until) = self.waits_until.filter(|until| now < *until) {
            return Move::Wait(until);
        }
        if let Some(input) = &self.round.input {
            return self.before_deciding(input);
        }
        if !self.is_alone {
            return self.see_others();
        }
        if self.queue.kind == Kind::Power {
            return Move::Load(Vec::new());
        }
        if self.queue.kind == Kind::Snapshot
            && let Some(next) = self.before_records()
        {
            return next;
        }
        match &self.round.in_flight {
            None => Move::See(Sight::InFlight),
            Some(in_flight) if self.looks_at(in_flight) => self.before_look(in_flight, now),
            Some(in_flight) => {
                let nominated = batch::nominated(self.queue.kind, in_flight, now);
                match self.needs_lease(&nominated) {
                    true => Move::Lease,
                    false => Move::Load(nominated),
                }
            }
        }
    }

    /// Takes note of what was read, and when it was asked.
    pub fn saw(&mut self, seen: Seen, asked_at: Timestamp) {
        match seen {
            Seen::Lease { is_anothers } => {
                self.is_over = is_anothers;
                self.round.is_lease_seen = true;
                self.is_alone = self.queue.kind != Kind::Power;
            }
            Seen::Claim { until } if self.is_alone => {
                self.round.claim = Some(Claim { until, asked_at })
            }
            Seen::Claim { until } => match (self.others_look, until) {
                (None, Some(until)) if until > asked_at => {
                    self.others_look = Some(until);
                    self.waits_until = Some(later(until, CLAIM_GRACE));
                }
                (Some(before), Some(again)) if again > before => self.is_over = true,
                _ => self.is_alone = true,
            },
            Seen::Hints(hints) => self.round.hints = Some(hints),
            Seen::InFlight(in_flight) => {
                let may_lag = self.queue.kind.looks() && in_flight.is_empty();
                self.round.again.may_lag |= may_lag && !self.round.rested;
                let later = in_flight.iter().map(|nominated| nominated.due_at);
                self.round.again.due(later.filter(|due_at| *due_at > asked_at));
                self.round.in_flight = Some(in_flight);
            }
        }
    }

    /// Takes note of the answer to a claim: the look at `until` is this worker's, or another's.
    pub fn claimed(&mut self, until: Timestamp, is_ours: bool) {
        if !is_ours {
            self.is_over = true;
            return;
        }
        self.own_look = Some(until);
        if self.round.input.is_none() {
            // Everything that comes into flight during the wait is looked at too.
            self.waits_until = Some(until);
            self.round = Round { rested: true, ..Round::default() };
        }
    }

    /// Takes note of the end of the lease that was taken; none if another worker holds it.
    pub fn leased(&mut self, until: Option<Timestamp>) {
        self.round.leased_until = until;
        self.is_over = until.is_none();
    }

    /// Returns the lease under which the next decision is carried out, if it is held already.
    pub fn lease(&self) -> Option<(Queue, Timestamp)> {
        Some((self.queue.clone(), self.round.leased_until?))
    }

    /// Takes what was loaded.
    pub fn loaded(&mut self, loaded: Loaded) {
        let Loaded { input, put_off } = loaded;
        self.memory.learn(&input);
        let again = input.again();
        self.round.again.due(again.next_due.into_iter().chain(put_off));
        self.round.again.may_lag |= again.may_lag;
        self.round.again.watches = again.watches;
        self.round.again.look_after = again.look_after;
        self.round.input = Some(Box::new(input));
    }

    /// Takes note of a decision, before it is carried out.
    pub fn decided(&mut self, decision: &Decision) {
        self.memory.decided(decision);
    }

    /// Takes note of the result of a decision, and begins the next round if that may help.
    pub fn applied(&mut self, round: Applied, now: Timestamp) {
        self.memory.applied(now);
        self.applied += round;
        self.rounds += 1;
        self.is_over = true;
        if self.applied.no_lease || self.applied.out_of_time || self.rounds >= ROUNDS_MAX {
            return;
        }
        let Round { again, leased_until, .. } = std::mem::take(&mut self.round);
        // Workers that were woken meanwhile have found the lease, and left their records to this
        // one.
        if round.made > 0 || round.wrote > 0 || leased_until.is_some() {
            self.applied.out_of_time = !has_time(self.deadline, later(now, self.round_at_most()));
            self.is_over = self.applied.out_of_time;
            return;
        }
        // A change that another worker was faster with is left to it. A change that nobody could
        // make yet may be made later.
        let next_due = again.next_due.or(self.own_look.filter(|_| again.watches));
        let wait = match again.watches {
            true => wait_to_look(next_due, now),
            false => wait_for_due(again.may_lag && self.quiet_rounds == 0, next_due, now),
        };
        let Some(wait) = wait else { return };
        self.quiet_rounds += u32::from(!again.watches);
        let until = later(now, wait);
        if has_time(self.deadline, until) {
            self.is_over = false;
            self.waits_until = Some(until);
        } else {
            self.applied.out_of_time |= again.watches;
        }
    }

    /// Returns the time that has to be left for another round.
    fn round_at_most(&self) -> SignedDuration {
        match self.queue.kind {
            Kind::Snapshot => SNAPSHOT_ROUND,
            Kind::Register | Kind::Confirm | Kind::Copy | Kind::Power => SignedDuration::ZERO,
        }
    }

    /// Returns the read that shows if another worker is at the queue, or goes on looking at the
    /// machines that are down.
    fn see_others(&self) -> Move<'static> {
        match self.round.is_lease_seen {
            false => Move::See(Sight::Lease),
            true => Move::See(Sight::Claim),
        }
    }

    /// Returns the next move while there are hints, which the worker follows before it takes up the
    /// records.
    fn before_records(&self) -> Option<Move<'static>> {
        let Some(hints) = &self.round.hints else { return Some(Move::See(Sight::Hints)) };
        match hints.len() {
            0 => None,
            2.. if self.round.leased_until.is_none() => Some(Move::Lease),
            _ => Some(Move::Follow(hints.iter().take(HINTS_MAX).cloned().collect())),
        }
    }

    /// Tells whether the lease has to be taken before the facts are loaded: several machines have
    /// to be described, and no other worker should describe them too. For a single machine, the
    /// first intent takes the lease at no cost.
    fn needs_lease(&self, nominated: &[InFlight]) -> bool {
        let machines = nominated.iter().map(|nominated| nominated.point.instance());
        let new: BTreeSet<&InstanceId> = machines.filter(|id| self.memory.is_new(id)).collect();
        self.queue.kind == Kind::Snapshot && self.round.leased_until.is_none() && new.len() > 1
    }

    /// Tells whether EC2 is asked about everything in flight, and the worker has not rested yet.
    fn looks_at(&self, in_flight: &[InFlight]) -> bool {
        self.queue.kind.looks() && !in_flight.is_empty() && !self.round.rested
    }

    /// Claims the look if there is much to look at. A worker that finds it claimed by another
    /// quits, because that look is still to come.
    fn before_look(&self, in_flight: &[InFlight], now: Timestamp) -> Move<'static> {
        let Some(claim) = self.round.claim else { return Move::See(Sight::Claim) };
        let Claim { until: claimed_until, asked_at } = claim;
        if claimed_until.is_some_and(|until| until > asked_at) {
            return Move::Quit;
        }
        let rest = rest(in_flight.len(), claimed_until, asked_at);
        if !rest.is_positive() {
            return Move::Load(batch::nominated(self.queue.kind, in_flight, now));
        }
        let until = later(asked_at, rest);
        match has_time(self.deadline, until) {
            true => Move::Claim { until, now: asked_at },
            false => Move::Quit,
        }
    }

    /// Claims the next look at the machines that are down before anything is decided on them.
    fn before_deciding<'a>(&self, input: &'a Input) -> Move<'a> {
        let (now, after) = (input.now(), self.round.again.look_after);
        let is_claimed = self.own_look.is_some_and(|until| until > now);
        match after.filter(|_| !is_claimed) {
            Some(after) => Move::Claim { until: later(now, after), now },
            None => self.before_old_work(now).unwrap_or(Move::Decide(input)),
        }
    }

    /// Shows, by a claim that ends at once, that a worker is at work that is long overdue. Without
    /// it the sweep could not tell work that waits from work that nobody does.
    fn before_old_work(&self, now: Timestamp) -> Option<Move<'static>> {
        let is_old = |at: Timestamp| now.duration_since(at) >= AT_WORK_EVERY;
        let in_flight = self.round.in_flight.iter().flatten();
        let oldest = in_flight.map(|nominated| nominated.due_at).min()?;
        if !is_old(oldest) || self.own_look.is_some_and(|look| !is_old(look)) {
            return None;
        }
        match self.round.claim {
            None => Some(Move::See(Sight::Claim)),
            Some(Claim { until, .. }) if until.is_none_or(is_old) => {
                Some(Move::Claim { until: now, now })
            }
            Some(_) => None,
        }
    }
}

/// Returns the wait before the next look at what is watched. If its time has passed, the wait is
/// [`AT_ONCE`].
fn wait_to_look(next_due: Option<Timestamp>, now: Timestamp) -> Option<SignedDuration> {
    next_due.map(|due| due.duration_since(now).max(AT_ONCE))
}

/// Returns the wait before the next round, if that round may find something to do. An index shows a
/// write some seconds late, so that a worker that was woken by a write may come too early to see
/// it. A record that is due soon is waited for, because only the sweep would come for it otherwise.
fn wait_for_due(
    may_lag: bool,
    next_due: Option<Timestamp>,
    now: Timestamp,
) -> Option<SignedDuration> {
    let until_due = next_due.map(|due| due.duration_since(now));
    let soon = until_due.filter(|wait| wait.is_positive() && *wait <= WAIT_FOR_DUE_MAX);
    // A record that is due before the index has caught up is taken together with what the index
    // shows then.
    soon.into_iter().chain(may_lag.then_some(INDEX_LAG)).max()
}
