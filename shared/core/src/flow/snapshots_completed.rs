//! A set of snapshots is complete, or failed: the worker that registers images is woken.
//!
//! An event is a hint: which snapshots are complete is seen by the worker, for the whole queue at
//! once.

use super::{InFlight, SnapshotsCompleted, awaited};
use crate::command::{Command, Decision, Wake};
use crate::ids::ResourceId;
use crate::reason::{Code, Reason};
use crate::work::{Kind, Queue};

#[derive(Clone, Debug)]
pub struct Input {
    pub event: SnapshotsCompleted,
    /// The registrations in flight in the region of the event.
    pub in_flight: Vec<InFlight>,
}

pub fn decide(input: &Input) -> Decision {
    let mut decision = Decision::default();
    let SnapshotsCompleted { region, snapshots } = &input.event;
    let mut ids = snapshots.iter().cloned().map(ResourceId::from);
    if ids.any(|snapshot| awaited(&input.in_flight, &snapshot)) {
        let queue = Queue { region: region.clone(), kind: Kind::Register };
        decision.command(Command::Wake(Wake { queue, hop: 0 }));
    } else if let Some(first) = snapshots.first() {
        let text = format!("no point in {region} waits for this snapshot");
        decision.say(first, Reason::new(Code::NotInFlight, text));
    }
    decision
}
