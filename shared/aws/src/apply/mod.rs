//! Carries out a decision: one command after the other, and the outcome of each call recorded
//! before the next is made.
//!
//! # The order of things around a call that creates
//! 1. There is time left before the deadline, and the pace of the queue allows it.
//! 2. The intent is written, and with it the lease on the queue is taken, or renewed when it nears
//!    its end. Whoever cannot write the intent does not call: somebody else was faster.
//! 3. The lease outlasts the call at its longest; the call is made.
//! 4. What it brought is recorded, and with the last outcome the lease is given back.
//!
//! A failure ends all this at once: what was intended is in the ledger, and is settled from there.
//! Only a record that cannot be written as it is stops nothing but itself.
//! Wakes are sent last, each once, and also after a failure: what was written before deserves it.
#![deny(clippy::wildcard_enum_match_arm, clippy::match_wildcard_for_single_variants)]

mod call;
mod consume;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use afterimage_core::command::{Change, Command, Decision, Explanation, Finding, Resolved, Wake};
use afterimage_core::reason::{Code, Reason};
use afterimage_core::work::Queue;
use afterimage_core::worker::pace::{Pace, lease_until};
use jiff::Timestamp;

pub use afterimage_core::worker::Applied;

use crate::invocation::Context;
use crate::ledger::{Lease, LeaseUse, Writer, Written};
use crate::{Aws, Failure, log};

/// Claims the next look at a queue. False if another worker has claimed one that is still to come.
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

/// Carries out a decision, as far as time allows.
///
/// # Errors
/// The ledger or the bus does not answer.
pub async fn apply(aws: &Aws, context: &Context, decision: Decision) -> Result<Applied, Failure> {
    let mut hand = Executor::new(aws, context);
    let carried_out = hand.carry_out(decision).await;
    let woken = aws.bus.wake(&aws.clock, &hand.wakes).await;
    carried_out.and(woken).map(|()| hand.applied)
}

/// What carries out one decision.
struct Executor<'a> {
    aws: &'a Aws,
    context: &'a Context,
    writer: Writer,
    applied: Applied,
    wakes: BTreeSet<Wake>,
    /// The leases that it holds, and until when.
    leases: BTreeMap<Queue, Timestamp>,
    /// The queues that another worker is at.
    taken: BTreeSet<Queue>,
    /// How many calls are still to be made in each queue.
    to_create: BTreeMap<Queue, usize>,
    pace: Pace,
    /// When the tags of a machine were last changed.
    last_tag: Option<Timestamp>,
    /// Why the first machine was not answered that was not.
    unanswered: Option<Failure>,
}

impl<'a> Executor<'a> {
    fn new(aws: &'a Aws, context: &'a Context) -> Executor<'a> {
        // Not two of an execution environment write under one name: neither two tries of an event
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
            to_create: BTreeMap::new(),
            pace: Pace::default(),
            last_tag: None,
            unanswered: None,
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
                // It takes no time, and is what is done when there is none left, or something
                // failed.
                self.wakes.insert(wake);
            } else if failed.is_none() && self.has_time() {
                failed = self.follow_through(command).await.err();
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

    /// A command, and all that follows from its outcome, whatever the time.
    async fn follow_through(&mut self, command: Command) -> Result<(), Failure> {
        let mut commands = VecDeque::from([command]);
        while let Some(command) = commands.pop_front() {
            // On the heap: what calls the SDK is large, and deep in other calls.
            let outcome = match Box::pin(self.command(command)).await {
                // It is this record that is wrong, and will be: the others are not to wait for it.
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

    /// The one place where commands become deeds. What a call brought is a decision again.
    async fn command(&mut self, command: Command) -> Result<Decision, Failure> {
        let ledger = &self.aws.ledger;
        match command {
            Command::Request(change) | Command::Record(change) => self.record(&change).await?,
            Command::Advance(cursor) => ledger.advance(&cursor).await?,
            Command::Consume(consume) => self.consume(&consume).await?,
            Command::Call(intent) => return self.call(*intent).await,
            Command::Correct(correct) => {
                let outcome = self.aws.ec2.create_tags(&correct.call).await;
                return Ok(correct.conclude(outcome));
            }
            Command::Wake(wake) => drop(self.wakes.insert(wake)),
            Command::Looked(at) => ledger.looked(at).await?,
            Command::Report(finding) => self.report(&finding).await?,
            Command::Resolve(resolved) => self.resolve(&resolved).await?,
        }
        Ok(Decision::default())
    }

    /// Whether something new may be begun. Once it may not, it may not any more.
    fn has_time(&mut self) -> bool {
        let has_time = self.context.has_time(self.aws.clock.now());
        self.applied.out_of_time |= !has_time;
        !self.applied.out_of_time
    }

    /// Writes a change. If it is the last of those that follow from calls, the lease is given back
    /// in the same transaction.
    async fn record(&mut self, change: &Change) -> Result<(), Failure> {
        let done = self.leases.keys().find(|queue| self.is_last(queue)).cloned();
        let lease = done.map(|queue| self.lease(queue));
        let lease_use = lease.as_ref().map_or(LeaseUse::None, LeaseUse::Release);
        let written = self.aws.ledger.write(change, lease_use, &mut self.writer).await?;
        match written {
            Written::Done => self.applied.wrote += 1,
            // What is held of the lease stays held, and is given back at the end.
            Written::Lost | Written::NoLease => {
                self.lost(change);
                return Ok(());
            }
        }
        if let Some(lease) = lease {
            self.leases.remove(&lease.queue);
        }
        Ok(())
    }

    fn lost(&mut self, change: &Change) {
        self.applied.lost += 1;
        tracing::debug!(records = change.writes.len(), "somebody else was faster");
    }

    /// Kept once; and told once, when it is new.
    async fn report(&mut self, finding: &Finding) -> Result<(), Failure> {
        if self.aws.ledger.report(finding).await? {
            let about = finding.artefact.to_string();
            log::explanation(&Explanation { about, reason: finding.reason.clone() });
        }
        Ok(())
    }

    /// Told when it is new, as the report was.
    async fn resolve(&mut self, resolved: &Resolved) -> Result<(), Failure> {
        if self.aws.ledger.resolve(resolved).await? {
            let Resolved { artefact, region, code, .. } = resolved;
            let reason = Reason::new(Code::Resolved, format!("no longer {code}, in {region}"));
            log::explanation(&Explanation { about: artefact.to_string(), reason });
        }
        Ok(())
    }

    /// Gives a lease back that no outcome gave back: the last call was somebody else's, or time
    /// ran out. Whoever comes next would find it held.
    async fn give_back(&mut self, queue: &Queue) -> Result<(), Failure> {
        let lease = self.lease(queue.clone());
        let nothing = Change { writes: Vec::new(), summary: None };
        let lease_use = LeaseUse::Release(&lease);
        self.aws.ledger.write(&nothing, lease_use, &mut self.writer).await?;
        self.leases.remove(queue);
        Ok(())
    }

    fn is_last(&self, queue: &Queue) -> bool {
        self.to_create.get(queue).is_none_or(|left| *left == 0)
    }

    /// The lease as it would be if it were taken now.
    fn lease(&self, queue: Queue) -> Lease {
        let now = self.aws.clock.now();
        let holder = self.aws.environment.stream.clone();
        Lease { queue, holder, now, until: lease_until(now) }
    }
}
