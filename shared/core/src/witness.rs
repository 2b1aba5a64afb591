//! The witness: tells a ledger that went back in time, or that is empty.
//!
//! A small table outside the ledger counts, for each region, the rounds in which the worker of
//! snapshots began something. The ledger has the same count. The order of the writes of a round:
//!
//! ```text
//!   witness: n + 1      ledger: round      intents and calls      ledger: n + 1
//!         │                                                            │
//!         └── from here on, a ledger that is put back ─────────────────┘
//!             has n, and is doubted
//! ```
//!
//! The ledger's count is written last, so that a ledger that is put back to a second within the
//! round is told too. It is written only over the mark that the round made at its beginning: a
//! round that began before the ledger was put back does not vouch for it. Of two workers that begin
//! at once, the witness takes the count of one. The other begins nothing, and writes no mark over
//! that of the first. A worker that dies in between leaves a ledger that looks as if it had been
//! put back. That costs one check and nothing else: the ledger knows all artefacts, and the sweep
//! finds that.
//!
//! A ledger that is ahead of the witness is not doubted: it cannot be too old. The witness may have
//! been lost, or not have been written.
//!
//! While the ledger of a region is doubted, a machine that has artefacts which the ledger does not
//! know waits until the sweep has adopted them, for [`DOUBT_MAX`] at most. The others go on.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::ids::{InstanceId, Region};
use crate::limits::{DOUBT_MAX, ROUND_MAX};
use crate::point::Point;
use crate::reason::{Code, Reason};
use crate::slot::Occasion;
use crate::status::Status;

/// Count of a region in the ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    pub count: u64,
    /// The time from which the ledger is doubted, until the sweep has looked at everything.
    pub doubted_since: Option<Timestamp>,
}

/// Count of a region in the table of the witness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Witness {
    pub count: u64,
    /// The beginning of the round that was counted last.
    pub at: Timestamp,
}

/// Answer of the table of the witness.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Testimony {
    /// Nothing was asked, because nothing may begin.
    #[default]
    NotAsked,
    /// The table did not answer; with the reason. Nothing waits for it.
    Unreadable(String),
    Read(BTreeMap<Region, Witness>),
}

/// A write of one of the counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The witness counts a round, and the ledger is marked with it if it has the count that is
    /// known, before anything is begun. Another worker that was faster takes the right to go on.
    Begin { region: Region, known: Option<u64>, before: Option<u64>, witness: Witness },
    /// The ledger has the count of a round that is over, if it is the ledger of its beginning.
    End { region: Region, round: Witness, doubted_since: Option<Timestamp> },
    /// The ledger is doubted, and nothing was begun.
    Doubt { region: Region, count: u64, doubted_since: Timestamp },
    /// The doubt is over: everything was looked at.
    Settle { region: Region, count: u64, since: Option<Timestamp> },
}

/// Trust in the ledger, for the worker of a region.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    pub identity: Option<Identity>,
    pub testimony: Testimony,
    /// The machines that have artefacts which the ledger does not know; empty if the ledger is not
    /// doubted.
    pub doubtful: BTreeSet<InstanceId>,
}

/// Tells whether the ledger of a region may be older than its artefacts.
pub fn is_doubted(identity: Option<&Identity>, witness: Option<&Witness>) -> bool {
    match (identity, witness) {
        (Some(identity), witness) => {
            identity.doubted_since.is_some() || is_behind(Some(identity), witness)
        }
        // A ledger that never counted: it is new, or empty.
        (None, _) => true,
    }
}

/// Tells whether the ledger has fewer rounds than the witness has counted. A doubt that it has
/// already may be an old one, of the time to which it was put back.
pub fn is_behind(identity: Option<&Identity>, witness: Option<&Witness>) -> bool {
    let known = identity.map_or(0, |identity| identity.count);
    witness.is_some_and(|witness| witness.count > known)
}

/// Tells whether a round that the witness has counted may still be under way.
pub fn may_be_underway(witness: Option<&Witness>, now: Timestamp) -> bool {
    witness.is_some_and(|witness| now.duration_since(witness.at) < ROUND_MAX)
}

impl Trust {
    fn witness(&self, region: &Region) -> Option<&Witness> {
        match &self.testimony {
            Testimony::Read(witnesses) => witnesses.get(region),
            Testimony::NotAsked | Testimony::Unreadable(_) => None,
        }
    }

    /// Tells whether the ledger is doubted. A witness that cannot be read raises no doubt.
    pub fn is_doubted(&self, region: &Region) -> bool {
        let is_read = matches!(self.testimony, Testimony::Read(_));
        is_read && is_doubted(self.identity.as_ref(), self.witness(region))
    }

    /// Returns the reason for which nothing is begun of a machine yet.
    pub fn holds_back(&self, point: &Point, now: Timestamp) -> Option<Reason> {
        let is_over = !is_behind(self.identity.as_ref(), self.witness(&point.home))
            && now.duration_since(self.doubted_since(now)) >= DOUBT_MAX;
        if is_over || !self.doubtful.contains(point.instance()) || !self.is_doubted(&point.home) {
            return None;
        }
        let text = format!(
            "{} has images or snapshots that the ledger does not know; they are adopted first",
            point.instance()
        );
        Some(Reason::new(Code::LedgerWentBack, text))
    }

    fn doubted_since(&self, now: Timestamp) -> Timestamp {
        self.identity.and_then(|identity| identity.doubted_since).unwrap_or(now)
    }

    /// Returns the marks that are written before and after a round. `begins` tells whether the
    /// round makes a call that creates.
    pub fn marks(
        &self,
        region: &Region,
        begins: bool,
        now: Timestamp,
    ) -> (Option<Mark>, Option<Mark>) {
        if !matches!(self.testimony, Testimony::Read(_)) {
            return (None, None);
        }
        let witness = self.witness(region);
        let known = self.identity.map_or(0, |identity| identity.count);
        let seen = witness.map_or(0, |witness| witness.count).max(known);
        let is_new = is_behind(self.identity.as_ref(), witness)
            || self.identity.is_none_or(|identity| identity.doubted_since.is_none());
        let doubted_since = (self.is_doubted(region) && is_new).then_some(now);
        let region = region.clone();
        if begins {
            let before = witness.map(|witness| witness.count);
            let round = Witness { count: seen.saturating_add(1), at: now };
            let known = self.identity.map(|identity| identity.count);
            let begin = Mark::Begin { region: region.clone(), known, before, witness: round };
            return (Some(begin), Some(Mark::End { region, round, doubted_since }));
        }
        let doubt = doubted_since
            .filter(|_| !self.doubtful.is_empty())
            .map(|doubted_since| Mark::Doubt { region, count: seen, doubted_since });
        (None, doubt)
    }
}

/// Tells whether a point is one that an older ledger requested again, so that what was made of its
/// slot before takes its place. The nth request of a person is another one.
pub fn is_to_be_replaced(point: &Point) -> bool {
    let is_requested_again = !matches!(point.slot.occasion, Occasion::OnDemand { .. });
    let is_unmade = point.snapshots.is_empty()
        && point.image.is_none()
        && point.leftovers.is_empty()
        && point.step.attempt == 0
        && point.step.begun_at.is_none();
    let is_unbegun = matches!(
        point.status,
        Status::Requested | Status::Missed | Status::Refused | Status::Withdrawn
    );
    is_requested_again && is_unmade && is_unbegun
}
