//! Batches: the records that a worker takes up in one round.

use jiff::Timestamp;

use crate::flow::InFlight;
use crate::limits::{ROUND_COPIES_MAX, ROUND_RECORDS_MAX};
use crate::point::{Point, Replica};
use crate::work::Kind;

/// Returns the records to take up, of those that the index nominates. A kind that looks takes
/// everything; the others take what is due, the longest due first.
pub fn nominated(kind: Kind, in_flight: &[InFlight], now: Timestamp) -> Vec<InFlight> {
    if kind.looks() {
        return in_flight.to_vec();
    }
    let mut due: Vec<InFlight> =
        in_flight.iter().filter(|nominated| nominated.due_at <= now).cloned().collect();
    due.sort_by(|one, other| (one.due_at, &one.point).cmp(&(other.due_at, &other.point)));
    due
}

/// The records of one round, as the ledger has them.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    pub points: Vec<Point>,
    pub replicas: Vec<Replica>,
    /// Earliest due time of the records that the index showed as due, but that are not due yet.
    pub put_off: Option<Timestamp>,
}

impl Batch {
    /// Adds records that were read. A kind that looks keeps all of them. The other kinds pass over
    /// records that are not due, because an index that lags still nominates what was done a moment
    /// ago.
    pub fn add(&mut self, kind: Kind, points: Vec<Point>, replicas: Vec<Replica>, now: Timestamp) {
        let is_due = |due_at: Option<Timestamp>| due_at.is_none_or(|due| due <= now);
        if !kind.looks() {
            let steps = points.iter().map(|point| &point.step);
            let steps = steps.chain(replicas.iter().map(|replica| &replica.step));
            let later = steps.filter_map(|step| step.due_at).filter(|due| *due > now);
            self.put_off = self.put_off.into_iter().chain(later).min();
        }
        let keeps = |due_at: Option<Timestamp>| kind.looks() || is_due(due_at);
        self.points.extend(points.into_iter().filter(|point| keeps(point.step.due_at)));
        self.replicas.extend(replicas.into_iter().filter(|replica| keeps(replica.step.due_at)));
    }

    /// Tells whether the batch holds as many records as a worker takes up in one round.
    pub fn is_full(&self, kind: Kind) -> bool {
        let most = if kind == Kind::Copy { ROUND_COPIES_MAX } else { ROUND_RECORDS_MAX };
        !kind.looks() && self.points.len() + self.replicas.len() >= most
    }
}
