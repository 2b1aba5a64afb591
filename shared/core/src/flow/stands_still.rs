//! Work that is overdue and at which nobody is: the bus refuses the events that wake the workers,
//! or the function that would work is disabled, throttled, or fails before it decides anything.
//!
//! Work that waits for EC2, for its turn or for an obstacle is overdue as well. But a worker that
//! is woken for it claims a look now and then ([`AT_WORK_EVERY`](crate::limits::AT_WORK_EVERY)). So
//! the work stands still only if no look was claimed of late either. So do the slots of a schedule
//! that came an hour ago and are not requested. One audit nominates what stands still, and the next
//! one tells a person, once for each region.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{InForce, backup_tick, by_region};
use crate::command::{Command, Decision};
use crate::finding::Finding;
use crate::ids::Region;
use crate::limits::{STILL_AFTER, later};
use crate::reason::{Code, Reason};
use crate::still::{AllStill, Still, StillWork};
use crate::subject::Subject;
use crate::work::Queue;

/// Subject of the finding about a region.
const WORK: &str = "work";

/// A queue in which something is overdue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overdue {
    pub queue: Queue,
    /// The time at which the oldest of it was due.
    pub since: Timestamp,
    /// The look that a worker claimed last.
    pub claimed_until: Option<Timestamp>,
}

impl Overdue {
    fn is_still(&self, now: Timestamp) -> bool {
        let is_long_ago = |at: Timestamp| now.duration_since(at) >= STILL_AFTER;
        is_long_ago(self.since) && self.claimed_until.is_none_or(is_long_ago)
    }
}

/// Returns the regions in which work stands still, of those that answer. What waits in the others
/// is told of elsewhere ([`super::unread_regions`]).
pub(super) fn after(
    overdue: &[Overdue],
    in_force: &InForce,
    answers: impl Fn(&Region) -> bool,
    now: Timestamp,
) -> AllStill {
    let mut all = AllStill::new();
    for Overdue { queue, since, .. } in overdue.iter().filter(|overdue| overdue.is_still(now)) {
        note(&mut all, &queue.region, *since, in_force).kinds.insert(queue.kind);
    }
    // Slots that came so long ago are requested by now.
    for due in backup_tick::due(in_force, later(now, -STILL_AFTER)) {
        if let Some(first) = due.first {
            note(&mut all, &due.region, first, in_force).slots = true;
        }
    }
    all.retain(|region, _| answers(region));
    all
}

/// Notes that something of a region stands still since then.
fn note<'a>(
    all: &'a mut AllStill,
    region: &Region,
    since: Timestamp,
    in_force: &InForce,
) -> &'a mut StillWork {
    let audits = in_force.still.get(region).map_or(0, |known| known.audits).saturating_add(1);
    let fresh = || StillWork { since, kinds: BTreeSet::new(), slots: false, audits };
    let work = all.entry(region.clone()).or_insert_with(fresh);
    work.since = work.since.min(since);
    work
}

/// Returns the regions of which a person is told.
pub fn told(in_force: &InForce) -> AllStill {
    let told = in_force.still.iter().filter(|(_, work)| work.is_told());
    told.map(|(region, work)| (region.clone(), work.clone())).collect()
}

/// Tells of the regions in which work stands still, and of the end of that.
pub(super) fn tell(all: &AllStill, known: &[Finding], now: Timestamp) -> Decision {
    let mut decision = Decision::default();
    let open = by_region::open(Code::WorkStandsStill, known);
    for (region, work) in all.iter().filter(|(_, work)| work.is_told()) {
        let known = open.get(region).map(|open| open.reason.text.clone());
        let (region, work) = (region.clone(), work.clone());
        decision.command(Command::TellStill(Still { region, work, known, at: now }));
    }
    decision.add(by_region::ended(all, (Code::WorkStandsStill, WORK), known, now));
    decision
}

/// Returns the finding, or its new text; none if the text has not changed. `refused` is the answer
/// of the bus, if it did not take the events that wake the workers.
pub fn conclude(still: &Still, refused: Option<&str>) -> Option<Command> {
    let finding = finding(still, refused);
    match &still.known {
        None => Some(Command::Report(finding)),
        Some(known) if *known == finding.reason.text => None,
        Some(_) => Some(Command::Reword(finding)),
    }
}

fn finding(Still { region, work, at, .. }: &Still, refused: Option<&str>) -> Finding {
    let (since, what) = (work.since.strftime("%Y-%m-%d %H:%M"), work.what());
    let ticks = "The function backup-tick requests these points. Look if its schedule and the \
                 function are enabled, and at its errors and its log";
    let wakes = (!work.kinds.is_empty()).then(|| wakes(refused));
    let causes: Vec<String> =
        wakes.into_iter().chain(work.slots.then(|| ticks.to_string())).collect();
    let text = format!(
        "work in {region} stands still since {since} UTC: {what}. It was due then, and no function \
         is at it. {}. The work goes on by itself after that",
        causes.join(". ")
    );
    Finding {
        region: region.clone(),
        artefact: Subject::Other(WORK.to_string()),
        reason: Reason::new(Code::WorkStandsStill, text),
        seen_at: *at,
    }
}

/// Returns what keeps the workers from being woken, or where to look for it.
fn wakes(refused: Option<&str>) -> String {
    match refused {
        Some(answer) => format!(
            "The event bus of the stack refuses the events that wake the workers: {answer}. Allow \
             the functions `events:PutEvents` on the bus, or deploy the template again if the bus \
             is not there"
        ),
        None => "The event bus of the stack takes the events that wake the workers. Look if its \
                 rule and the function work-requested are enabled, and at the concurrency, the \
                 errors and the log of the function"
            .to_string(),
    }
}
