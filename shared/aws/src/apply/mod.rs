//! The executor of decisions: one command after the other, and the outcome of each call recorded
//! before the next is made.
//!
//! # The order of steps around a call that creates
//!
//! 1. There is time left before the deadline, and the pace of the queue allows the call.
//! 2. The intent is written. The lease on the queue is taken with it, or renewed when it nears its
//!    end. A worker that cannot write the intent does not call: another worker was faster.
//! 3. The lease outlasts the call at its longest; the call is made.
//! 4. The outcome is recorded, and with the last outcome the lease is given back.
//!
//! A decision may write a record twice. If somebody else was faster with the first write, the
//! second is left out: it was decided without knowing theirs, and the version that it expects may
//! be theirs.
//!
//! A failure ends all this at once: every intent is in the ledger, and is settled from there. A
//! record that cannot be written as it is stops nothing but itself. Wakes are sent last, each once,
//! and also after a failure, because they belong to records that are already written.
#![deny(clippy::wildcard_enum_match_arm, clippy::match_wildcard_for_single_variants)]

mod call;
mod consume;
mod heartbeat;
mod mark;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use afterimage_core::command::{Change, Command, Decision, Explanation, Finding, Resolved, Wake};
use afterimage_core::flow::stands_still;
use afterimage_core::reason::{Code, Reason};
use afterimage_core::still::Still;
use afterimage_core::work::Queue;
use afterimage_core::worker::pace::{Pace, lease_until};
use jiff::Timestamp;

pub use afterimage_core::worker::Applied;
pub use heartbeat::{answer_test, heartbeat};

use crate::error::chain;
use crate::invocation::Context;
use crate::ledger::keys::Key;
use crate::ledger::{Lease, LeaseUse, Writer, Written, key_of};
use crate::{Aws, Failure, log};

/// Claims the next look at a queue. False if another worker has claimed a look that is still to
/// come.
///
/// # Errors
/// The ledger cannot be written.
pub async fn claim(
    aws: &Aws,
    queue: &Queue,
    until: Timestamp,
    now: Timestamp,
) -> Result<bool, Failure> {
    aws.ledger.claim(queue, until, now).await
}

/// Takes the lease of a queue before anything is decided. Returns its end; none if another worker
/// holds it.
///
/// # Errors
/// The ledger cannot be written.
pub async fn lease(aws: &Aws, queue: &Queue) -> Result<Option<Timestamp>, Failure> {
    let lease = lease_now(aws, queue.clone());
    Ok(aws.ledger.take(&lease).await?.then_some(lease.until))
}

/// Carries out a decision, as far as time allows.
///
/// # Errors
/// The ledger or the bus does not answer.
pub async fn apply(aws: &Aws, context: &Context, decision: Decision) -> Result<Applied, Failure> {
    let mut hand = Executor::new(aws, context);
    let carried_out = hand.carry_out(decision).await;
    let woken = aws.bus.wake(&aws.clock, &hand.wakes).await;
    let told = hand.tell_still(woken.as_ref().err()).await;
    carried_out.and(woken).and(told).map(|()| hand.applied)
}

/// Carries out a decision of a worker under a lease that was taken before, and gives the lease
/// back. If the ledger does not take what it decided, it wakes nobody: Lambda has it try again, and
/// the sweep wakes whoever has work. If every try woke another worker, they would multiply for as
/// long as the ledger refuses.
///
/// # Errors
/// The ledger or the bus does not answer.
pub async fn apply_leased(
    aws: &Aws,
    context: &Context,
    decision: Decision,
    lease: Option<(Queue, Timestamp)>,
) -> Result<Applied, Failure> {
    let mut hand = Executor::new(aws, context);
    hand.leases.extend(lease);
    let carried_out = hand.carry_out(decision).await;
    if let Err(refused @ Failure::Ledger { .. }) = carried_out {
        return Err(refused);
    }
    let woken = aws.bus.wake(&aws.clock, &hand.wakes).await;
    carried_out.and(woken).map(|()| hand.applied)
}

/// The executor of one decision.
struct Executor<'a> {
    aws: &'a Aws,
    context: &'a Context,
    writer: Writer,
    applied: Applied,
    wakes: BTreeSet<Wake>,
    /// The leases that the executor holds, with their ends.
    leases: BTreeMap<Queue, Timestamp>,
    /// The queues that another worker holds.
    taken: BTreeSet<Queue>,
    /// The queues whose calls meet an obstacle.
    held_up: BTreeSet<Queue>,
    /// The number of calls that are still to be made in each queue.
    to_create: BTreeMap<Queue, usize>,
    pace: Pace,
    /// The records of the changes that were not written, with the version that each was to have.
    lost: BTreeMap<Key, u64>,
    /// The failure of the first machine that was not answered.
    unanswered: Option<Failure>,
    /// True if another worker has counted the round of the same region.
    is_outdone: bool,
    /// The regions in which work stands still. A person is told of them after the wakes are sent.
    still: Vec<Still>,
}

impl<'a> Executor<'a> {
    fn new(aws: &'a Aws, context: &'a Context) -> Executor<'a> {
        // No two writers of an execution environment have one name: neither two tries of an event
        // nor two decisions of one invocation.
        let (stream, request) = (&aws.environment.stream, &context.request_id);
        let writer =
            Writer::new(format!("{stream}/{request}/{}", aws.clock.now().as_millisecond()));
        Executor {
            aws,
            context,
            writer,
            applied: Applied::default(),
            wakes: BTreeSet::new(),
            leases: BTreeMap::new(),
            taken: BTreeSet::new(),
            held_up: BTreeSet::new(),
            to_create: BTreeMap::new(),
            pace: Pace::default(),
            lost: BTreeMap::new(),
            unanswered: None,
            is_outdone: false,
            still: Vec::new(),
        }
    }

    async fn carry_out(&mut self, decision: Decision) -> Result<(), Failure> {
        decision.explanations.iter().for_each(log::explanation);
        for queue in decision.commands.iter().filter_map(Command::queue) {
            *self.to_create.entry(queue.clone()).or_default() += 1;
        }
        let mut failed = None;
        for command in decision.commands {
            if let Command::Wake(wake) = command {
                // A wake takes no time, and is sent even if no time is left, or something failed.
                self.wakes.insert(wake);
            } else if failed.is_none() && (command.ends_round() || self.has_time()) {
                failed = self.follow_through(command).await.err();
            } else if failed.is_none()
                && let Command::Call(intent) = command
            {
                self.keep(&intent.queue, intent.read.as_deref()).await;
            }
        }
        if let Some(failure) = failed {
            return Err(failure);
        }
        let held: Vec<Queue> = self.leases.keys().cloned().collect();
        for queue in held {
            self.give_back(&queue).await?;
        }
        self.unanswered.take().map_or(Ok(()), Err)
    }

    /// Carries out a command, and everything that follows from its outcome, whatever the time.
    async fn follow_through(&mut self, command: Command) -> Result<(), Failure> {
        let mut commands = VecDeque::from([command]);
        while let Some(command) = commands.pop_front() {
            // The future is on the heap: the SDK's are large, and deep in other calls.
            let outcome = match Box::pin(self.command(command)).await {
                // Only this record is wrong, and stays wrong. The others must not wait for it.
                Err(failure @ Failure::Item { .. }) => {
                    log::failure(&failure);
                    continue;
                }
                outcome => outcome?,
            };
            outcome.explanations.iter().for_each(log::explanation);
            commands.extend(outcome.commands);
        }
        Ok(())
    }

    /// Carries out one command; the only place that does. The outcome of a call is a decision
    /// again.
    async fn command(&mut self, command: Command) -> Result<Decision, Failure> {
        let ledger = &self.aws.ledger;
        match command {
            Command::Request(change) | Command::Record(change) => self.record(&change).await?,
            Command::Advance(cursor) => ledger.advance(&cursor).await?,
            Command::Watch(region) => ledger.put_region(&region).await?,
            Command::Consume(consume) => self.consume(&consume).await?,
            Command::Call(intent) => return self.call(*intent).await,
            Command::Correct(correct) => {
                let outcome = self.aws.ec2.create_tags(&correct.call).await;
                return Ok(correct.conclude(outcome));
            }
            Command::Hint(hint) => self.count(ledger.put_hint(&hint).await?),
            Command::Forget(hint) => self.count(ledger.forget(&hint).await?),
            Command::Wake(wake) => drop(self.wakes.insert(wake)),
            Command::TellStill(still) => self.still.push(still),
            Command::Looked(at, unaudited, unread_keys, still) => {
                ledger.looked(at, &unaudited, &unread_keys, &still).await?;
            }
            Command::Report(finding) => self.report(&finding).await?,
            Command::Reword(finding) => self.reword(&finding).await?,
            Command::Resolve(resolved) => self.resolve(&resolved).await?,
            Command::Mark(mark) => self.mark(&mark).await?,
        }
        Ok(Decision::default())
    }

    /// Tells a person of work that stands still, with the answer of the bus if it took no wakes.
    async fn tell_still(&mut self, refused: Option<&Failure>) -> Result<(), Failure> {
        let refused = refused.map(|failure| chain(failure));
        for still in std::mem::take(&mut self.still) {
            if let Some(command) = stands_still::conclude(&still, refused.as_deref()) {
                self.follow_through(command).await?;
            }
        }
        Ok(())
    }

    /// Tells whether something new may be begun. A no is final.
    fn has_time(&mut self) -> bool {
        let has_time = self.context.has_time(self.aws.clock.now());
        self.applied.out_of_time |= !has_time;
        !self.applied.out_of_time
    }

    /// Writes a change. If it is the last change that follows from calls of a queue, the lease is
    /// given back in the same transaction.
    async fn record(&mut self, change: &Change) -> Result<(), Failure> {
        let done = self.leases.keys().find(|queue| self.is_last(queue)).cloned();
        let lease = done.map(|queue| self.lease(queue));
        let lease_use = lease.as_ref().map_or(LeaseUse::None, LeaseUse::Release);
        let written = self.write(change, lease_use).await?;
        // A lease that is held stays held if nothing was written, and is given back at the end.
        if let (Written::Done, Some(lease)) = (written, lease) {
            self.leases.remove(&lease.queue);
        }
        Ok(())
    }

    /// Counts a write of a hint, which somebody else may have been faster with.
    fn count(&mut self, is_written: bool) {
        self.applied.wrote += usize::from(is_written);
        self.applied.lost += usize::from(!is_written);
    }

    /// Writes a change, unless it follows on one of this decision that was not written.
    async fn write(
        &mut self,
        change: &Change,
        lease_use: LeaseUse<'_>,
    ) -> Result<Written, Failure> {
        let expected = || change.writes.iter().map(|write| (key_of(&write.record), write.expected));
        let follows = |(key, expected)| self.lost.get(&key).is_some_and(|lost| expected > *lost);
        let written = match expected().any(follows) {
            true => Written::Lost,
            false => self.aws.ledger.write(change, lease_use, &mut self.writer).await?,
        };
        match written {
            Written::Done => self.applied.wrote += 1,
            Written::Lost => {
                self.applied.lost += 1;
                tracing::debug!(records = change.writes.len(), "somebody else was faster");
            }
            Written::NoLease => tracing::debug!("another worker has the lease"),
        }
        if written != Written::Done {
            for (key, expected) in expected() {
                self.lost.entry(key).or_insert(expected);
            }
        }
        Ok(written)
    }

    /// Keeps a finding once, and logs it once, when it is new.
    async fn report(&mut self, finding: &Finding) -> Result<(), Failure> {
        if self.aws.ledger.report(finding).await? {
            let about = finding.artefact.to_string();
            log::explanation(&Explanation { about, reason: finding.reason.clone() });
        }
        Ok(())
    }

    /// Gives a finding that is open another text, and logs that.
    async fn reword(&mut self, finding: &Finding) -> Result<(), Failure> {
        if self.aws.ledger.reword(finding).await? {
            let about = finding.artefact.to_string();
            log::explanation(&Explanation { about, reason: finding.reason.clone() });
        }
        Ok(())
    }

    /// Removes a finding that no longer holds, and logs that once.
    async fn resolve(&mut self, resolved: &Resolved) -> Result<(), Failure> {
        if self.aws.ledger.resolve(resolved).await? {
            let Resolved { artefact, region, code, .. } = resolved;
            let reason = Reason::new(Code::Resolved, format!("no longer {code}, in {region}"));
            log::explanation(&Explanation { about: artefact.to_string(), reason });
        }
        Ok(())
    }

    /// Gives a lease back that no outcome gave back: the last call was left to another worker, or
    /// time ran out. Without this the next worker would find the queue leased.
    async fn give_back(&mut self, queue: &Queue) -> Result<(), Failure> {
        let lease = self.lease(queue.clone());
        let nothing = Change { writes: Vec::new(), summary: None };
        let lease_use = LeaseUse::Release(&lease);
        self.aws.ledger.write(&nothing, lease_use, &mut self.writer).await?;
        self.leases.remove(queue);
        Ok(())
    }

    /// Tells whether the last call of a queue was begun. Without any call, a lease is held to the
    /// end of the decision.
    fn is_last(&self, queue: &Queue) -> bool {
        self.to_create.get(queue).is_some_and(|left| *left == 0)
    }

    fn lease(&self, queue: Queue) -> Lease {
        lease_now(self.aws, queue)
    }
}

/// Returns the lease of a queue as it would be if it were taken now.
fn lease_now(aws: &Aws, queue: Queue) -> Lease {
    let now = aws.clock.now();
    let holder = aws.environment.stream.clone();
    Lease { queue, holder, now, until: lease_until(now) }
}
