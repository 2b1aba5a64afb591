//! Somebody put the tag on a machine that asks for a point of it now: the worker of its region is
//! told to look at it.
//!
//! The event says where to look and nothing else. What the tag says, the worker reads on the
//! machine ([`super::work_requested::hinted`]): it may have changed since, and an event that comes
//! late or twice finds no tag. Many machines may be tagged together, and a worker describes all of
//! them at once. So nothing is read here, not even the policies: a request that names none of them
//! is answered too.

use jiff::Timestamp;

use super::{InstanceTagged, request};
use crate::command::{Command, Decision};
use crate::hint::{Hint, Hinted};

#[derive(Clone, Debug)]
pub struct Input {
    pub now: Timestamp,
    pub event: InstanceTagged,
}

pub fn decide(input: &Input) -> Decision {
    let mut decision = Decision::default();
    let InstanceTagged { region, instance } = &input.event;
    decision.command(Command::Hint(Hint {
        region: region.clone(),
        instance: instance.clone(),
        hinted: Hinted::Tagged,
        at: input.now,
    }));
    decision.command(request::wake(region));
    decision
}
