//! What is going to happen, in the order of its time.

use std::collections::BTreeMap;

use crate::kernel::scope::Scope;
use crate::kernel::time::Time;
use crate::{dynamodb, ec2, eventbridge, kms, lambda, ssm};

/// Something that the world does by itself when its time has come.
#[derive(Clone, Debug)]
pub enum Due {
    Ec2(Scope, ec2::Step),
    Events(Scope, eventbridge::Step),
    Lambda(lambda::Step),
    Kms(Scope, kms::Step),
    Dynamo(Scope, dynamodb::Step),
    Ssm(Scope, ssm::Step),
}

/// The queue of what is due. Entries of the same instant come out in the order they went in.
#[derive(Debug, Default)]
pub struct Agenda {
    entries: BTreeMap<(Time, u64), Due>,
    next_number: u64,
}

impl Agenda {
    pub fn add(&mut self, at: Time, due: Due) {
        self.entries.insert((at, self.next_number), due);
        self.next_number += 1;
    }

    /// When the next entry is due.
    pub fn next_at(&self) -> Option<Time> {
        self.entries.keys().next().map(|(at, _)| *at)
    }

    /// Takes the first entry that is due by `now`, with its time.
    pub fn take_due(&mut self, now: Time) -> Option<(Time, Due)> {
        let entry = self.entries.first_entry()?;
        if entry.key().0 > now {
            return None;
        }
        let ((at, _), due) = entry.remove_entry();
        Some((at, due))
    }
}
