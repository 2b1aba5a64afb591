//! The sweep: reaches the same state with no event at all.
//!
//! - Work that is overdue has its worker woken.
//! - Stopped machines that a policy covers `on: stopped`, or that a point waits for, are dealt with
//!   as if their event had come.
//! - Requests that machines carry as a tag are dealt with as if their event had come; and what
//!   somebody began to deal with, and did not end, is ended.
//! - Every [`LOOK_EVERY`] the obstacles are forgotten behind which nothing waits any more
//!   ([`nothing_waits`]).
//! - Every [`LOOK_EVERY`] the points of stopped machines that ended without an image or a replica
//!   are looked at ([`taken_up`]).
//! - Every [`LOOK_EVERY`], after a policy was applied, the places are taken up again that it had
//!   given up and wants now ([`wanted_again`]).
//! - Every [`LOOK_EVERY`] everything that carries our tag is looked through: what is not ours by
//!   the ledger and the facts is reported as foreign; what is ours and not needed is linked to its
//!   point. So is every machine: what a policy should cover and does not is found ([`coverage`]).

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::artefact_audit::{self, Doubted, Tagged};
use super::gaps::Gaps;
use super::tag_gone;
use super::taken_up::{self, Ended};
use super::waiting::{self, Waiting};
use super::wanted_again::{self, WantedAgain};
use super::went_back::{self, WentBack};
use super::{
    InForce, came_back, coverage, gaps_filled, held, nothing_waits, on_demand, restored_surplus,
    say_unreadable, stands_still, stop, unread_keys, unread_regions, unwatched,
};
use crate::command::{Command, Decision, Wake};
use crate::ids::InstanceId;
use crate::limits::LOOK_EVERY;
use crate::machine::Instance;
use crate::reason::{Code, Reason};
use crate::summary::MachineSummary;
use crate::work::{Kind, Queue};

#[derive(Clone, Debug)]
pub struct Input {
    pub now: Timestamp,
    pub in_force: InForce,
    /// The queues in which something was due before now.
    pub overdue: Vec<Queue>,
    /// The stopped machines in the regions of policies with `on: stopped`.
    pub stopped: Vec<Instance>,
    pub summaries: BTreeMap<InstanceId, MachineSummary>,
    /// Requests by tag, where a policy takes such requests.
    pub tag_requests: on_demand::TagRequests,
    /// The points that wait for their machine to stop.
    pub waiting: Waiting,
    /// The points of stopped machines that may begin again, if it is time to look.
    pub ended: Ended,
    /// The points of which places may be wanted again, if it is time to look.
    pub wanted_again: WantedAgain,
    /// Artefacts that carry our tag, if it is time to look.
    pub tagged: Option<Tagged>,
    /// What the summaries of machines name, if it is time to look.
    pub gaps: Gaps,
    /// The rounds that were counted, if it is time to look.
    pub went_back: WentBack,
}

/// Tells whether everything of ours is to be looked through now.
///
/// A ledger that is doubted is looked through in every sweep.
pub fn is_time_to_look(in_force: &InForce, now: Timestamp) -> bool {
    let is_doubted = in_force.identities.values().any(|known| known.doubted_since.is_some());
    is_doubted || in_force.looked_at.is_none_or(|last| now.duration_since(last) >= LOOK_EVERY)
}

pub fn decide(input: &Input) -> Decision {
    let mut decision = Decision::default();
    say_unreadable(&mut decision, &input.in_force.unreadable);
    let mut stops = stops(input);
    let asked = on_demand::sweep(&input.tag_requests, &input.in_force, input.now);
    // A worker that is woken for both is woken once.
    stops.commands.retain(|command| !asked.commands.contains(command));
    stops.add(asked);
    // A worker that is at it goes on; one that died must not keep a machine down.
    let down = input.in_force.roster.places.values();
    let down = down.map(|held| Queue { region: held.region.clone(), kind: Kind::Power });
    for queue in down.filter(|queue| !input.overdue.contains(queue)).collect::<BTreeSet<_>>() {
        decision.command(Command::Wake(Wake { queue, hop: 0 }));
    }
    // First of all, so that nothing that goes wrong below keeps a worker asleep; but a worker that
    // points are requested from below is woken after that, and once.
    for queue in input.overdue.iter().collect::<BTreeSet<_>>() {
        let text = "work is due, and no worker is at it";
        decision.say(queue, Reason::new(Code::Overdue, text));
        let wake = Command::Wake(Wake { queue: queue.clone(), hop: 0 });
        if !stops.commands.contains(&wake) {
            decision.command(wake);
        }
    }
    decision.add(stops);
    decision.add(taken_up::decide(&input.ended, &input.stopped, input.now));
    decision.add(wanted_again::decide(&input.wanted_again, &input.in_force, input.now));
    if let Some(tagged) = &input.tagged {
        // What is adopted is known from here on.
        let adopting = went_back::decide(&input.went_back, &input.in_force, tagged, input.now);
        decision.add(adopting.decision);
        let tagged = adopting.known.as_ref().unwrap_or(tagged);
        let missing = gaps_filled::decide(&input.gaps, tagged, &adopting.doubted, input.now);
        decision.add(missing.decision);
        let tagged = missing.known.as_ref().unwrap_or(tagged);
        decision.add(unwatched::look(tagged, &input.in_force, input.now));
        // The truth about what is called good, before what else there may be.
        decision.add(held::look_at(&tagged.suspects, input.now));
        decision.add(came_back::look(tagged, input.now));
        for (region, held) in &tagged.held {
            let Some(images) = tagged.images.get(region) else { continue };
            let (snapshots, known) = (tagged.shown(region), &tagged.known);
            decision.add(tag_gone::look(region, held, images, snapshots, known, input.now));
        }
        for (region, keys) in &tagged.keys {
            decision.add(held::unusable_keys(region, keys, &tagged.known, input.now));
        }
        let answers = |region: &_| tagged.images.contains_key(region);
        decision.add(nothing_waits::decide(&tagged.held_up, &tagged.known, answers, input.now));
        let untold = nothing_waits::untold_losses(&tagged.held_up, &tagged.known);
        let brakes = &input.in_force.brakes;
        decision.add(held::released(brakes, &untold, &tagged.known, input.now));
        let doubted = Doubted { homes: &adopting.doubted, points: &missing.later };
        decision.add(artefact_audit::look(tagged, doubted, input.now));
        decision.add(restored_surplus::look(tagged, input.now));
        decision.add(coverage::look(&input.in_force, &tagged.fleet, &tagged.known, input.now));
        let unaudited = unread_regions::after(tagged, &input.in_force, input.now);
        decision.add(unread_regions::tell(&unaudited, &input.in_force, &tagged.known, input.now));
        let unread_keys = unread_keys::after(tagged, &input.in_force, input.now);
        decision.add(unread_keys::tell(&unread_keys, &input.in_force, &tagged.known, input.now));
        let answers = |region: &_| !tagged.unread.contains_key(region);
        let still = stands_still::after(&tagged.overdue, &input.in_force, answers, input.now);
        decision.add(stands_still::tell(&still, &tagged.known, input.now));
        decision.command(Command::Looked(input.now, unaudited, unread_keys, still));
    }
    decision
}

/// The twin of the event: what the stopped machines ask for, and what has waited for them. Nothing
/// is said of those that ask for nothing, or it would be said every few minutes for as long as they
/// are stopped.
fn stops(input: &Input) -> Decision {
    let mut decision = Decision::default();
    let mut wakes: BTreeSet<Wake> = BTreeSet::new();
    for instance in &input.waiting.machines {
        let mut due = waiting::due(instance, &input.waiting.points, input.now);
        due.add(waiting::again(instance, &input.waiting.points, &input.in_force, input.now));
        if !due.commands.is_empty() {
            let queue = Queue { region: instance.region.clone(), kind: Kind::Snapshot };
            wakes.insert(Wake { queue, hop: 0 });
        }
        decision.add(due);
    }
    for instance in &input.stopped {
        let summary = input.summaries.get(&instance.id);
        let stop = stop::requests(instance, &input.in_force, summary, input.now);
        for command in stop.commands {
            match command {
                Command::Wake(wake) => {
                    wakes.insert(wake);
                }
                other => decision.command(other),
            }
        }
        let asked =
            stop.explanations.into_iter().filter(|said| said.reason.code == Code::MachineStopped);
        decision.explanations.extend(asked);
    }
    decision.commands.extend(wakes.into_iter().map(Command::Wake));
    decision
}
