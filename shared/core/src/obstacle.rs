//! Obstacles of a queue: what stands in the way of its calls, whichever record they are made for.
//!
//! A region that does not answer, a permission that was taken away and a key that is disabled
//! concern all records alike. So an obstacle is kept once for its queue. Of all records that it
//! holds up, one is tried when the obstacle is due; when that succeeds, the others follow. If a
//! read shows the obstacle, nothing is tried before a read shows that it has gone.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

use crate::finding::{Finding, Resolved};
use crate::ids::Region;
use crate::limits::{
    A_DAY, BACKOFF, LOOK_AFTER, PENDING_UNSEEN, PROBE_EVERY, PROBES_HOURLY, PROBES_UNSEEN, backoff,
    later,
};
use crate::point::is_false;
use crate::point_check::versioned;
use crate::reason::{Code, Reason};
use crate::subject::Subject;
use crate::work::{Kind, Queue};

/// Prefix of the name of a key.
const KEY: &str = "key ";
/// Prefix of the region of images that are copied.
const FROM: &str = "from ";
const CALLS: &str = "calls";
const PENDING: &str = "pending";

/// The causes that the calls of a queue at home could meet.
pub const AT_HOME: [Cause; 2] = [Cause::Calls, Cause::Pending];

/// The cause of an obstacle: what all calls that meet it have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Cause {
    /// All calls of the queue: the region does not answer, or refuses them.
    Calls,
    /// All copies of images of a region. Either region may be the cause: a call that fails does not
    /// tell which. Copies from other regions are not held up.
    From(Region),
    /// All copies, or all snapshots, that are made under this key of the region.
    Key(String),
    /// All snapshots: as many are pending as the account may have.
    Pending,
}

impl From<String> for Cause {
    fn from(text: String) -> Cause {
        let from = text.strip_prefix(FROM).and_then(|region| Region::parse(region).ok());
        match (text.strip_prefix(KEY), from) {
            (Some(key), _) => Cause::Key(key.to_string()),
            (None, Some(region)) => Cause::From(region),
            (None, None) if text == PENDING => Cause::Pending,
            (None, None) => Cause::Calls,
        }
    }
}

impl From<Cause> for String {
    fn from(cause: Cause) -> String {
        match cause {
            Cause::Calls => CALLS.to_string(),
            Cause::From(region) => format!("{FROM}{region}"),
            Cause::Key(key) => format!("{KEY}{key}"),
            Cause::Pending => PENDING.to_string(),
        }
    }
}

/// An obstacle, and the next try against it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Obstacle {
    pub since: Timestamp,
    /// The beginning of the latest try that met it. A success that began later shows that it is
    /// gone.
    pub begun_at: Timestamp,
    /// The number of tries that met it.
    pub tries: u32,
    /// The time of the next try.
    pub probe_at: Timestamp,
    /// The last answer.
    pub reason: Reason,
    /// True if a read shows it. Then `probe_at` is the time of the next read, and nothing is tried
    /// before one shows that it has gone.
    #[serde(default, skip_serializing_if = "is_false")]
    pub shown: bool,
}

/// The obstacles of one queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Obstacles {
    /// The queue. The index of the records in flight has an attribute `queue` of its own.
    #[serde(rename = "of")]
    pub queue: Queue,
    /// The number of writes so far; 0 if there was none.
    pub version: u64,
    pub causes: BTreeMap<Cause, Obstacle>,
}

/// The position of a record towards the obstacles of its queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stand {
    Free,
    /// An obstacle is to be tried, by this record or by another that it holds up.
    Probe(Cause),
    Held(Timestamp),
}

impl Obstacles {
    /// Returns the obstacles of a queue that has none.
    pub fn none(queue: Queue) -> Obstacles {
        Obstacles { queue, version: 0, causes: BTreeMap::new() }
    }

    /// Checks the invariants of the record.
    ///
    /// # Errors
    /// The text of the error names the invariant that does not hold.
    pub fn check(&self) -> Result<(), String> {
        versioned(self.version)
    }

    /// Returns the position of a record whose call could meet these causes.
    pub fn stand(&self, causes: &[Cause], now: Timestamp) -> Stand {
        let known = |cause: &Cause| Some((cause.clone(), self.causes.get(cause)?.probe_at));
        let met: Vec<(Cause, Timestamp)> = causes.iter().filter_map(known).collect();
        match met.iter().map(|(_, probe_at)| *probe_at).max() {
            None => Stand::Free,
            Some(until) if until > now => Stand::Held(until),
            Some(_) => met.into_iter().next().map_or(Stand::Free, |(cause, _)| Stand::Probe(cause)),
        }
    }

    /// Returns the obstacle that holds a record up the longest whose call could meet these causes.
    pub fn met_by(&self, causes: &[Cause]) -> Option<&Obstacle> {
        self.longest(causes).map(|(_, obstacle)| obstacle)
    }

    fn longest(&self, causes: &[Cause]) -> Option<(&Cause, &Obstacle)> {
        let met = causes.iter().filter_map(|cause| self.causes.get_key_value(cause));
        met.max_by_key(|(_, obstacle)| obstacle.probe_at)
    }

    /// Returns the obstacles after a try met one. None if a try that is still to come was planned
    /// after an earlier one.
    pub fn met(
        &self,
        cause: &Cause,
        reason: Reason,
        begun_at: Timestamp,
        now: Timestamp,
    ) -> Option<Obstacles> {
        let known = self.causes.get(cause);
        if known.is_some_and(|known| known.probe_at > now) {
            return None;
        }
        let tries = known.map_or(0, |known| known.tries).saturating_add(1);
        let since = known.map_or(now, |known| known.since);
        let probe_at = later(now, wait(cause, tries));
        let obstacle = Obstacle { since, begun_at, tries, probe_at, reason, shown: false };
        let mut after = self.clone();
        after.causes.insert(cause.clone(), obstacle);
        Some(after)
    }

    /// Returns the obstacles after a read showed one. None if that is known, and the next read is
    /// still to come.
    pub fn shown(&self, cause: &Cause, reason: Reason, now: Timestamp) -> Option<Obstacles> {
        let known = self.causes.get(cause);
        if known.is_some_and(|known| known.shown && known.probe_at > now) {
            return None;
        }
        let (since, tries) = known.map_or((now, 0), |known| (known.since, known.tries));
        let probe_at = later(now, PROBE_EVERY);
        let obstacle = Obstacle { since, begun_at: now, tries, probe_at, reason, shown: true };
        let mut after = self.clone();
        after.causes.insert(cause.clone(), obstacle);
        Some(after)
    }

    /// Returns the obstacles after a read no longer showed one that reads had shown: one record is
    /// tried at once. None if no read had shown it.
    pub fn gone(&self, cause: &Cause, now: Timestamp) -> Option<Obstacles> {
        let known = self.causes.get(cause).filter(|known| known.shown)?;
        let obstacle = Obstacle { tries: 0, probe_at: now, shown: false, ..known.clone() };
        let mut after = self.clone();
        after.causes.insert(cause.clone(), obstacle);
        Some(after)
    }

    /// Returns the obstacles after a read failed that was to show if one has gone: the next read is
    /// made soon. None if no read had shown it.
    pub fn unread(&self, cause: &Cause, now: Timestamp) -> Option<Obstacles> {
        let known = self.causes.get(cause).filter(|known| known.shown)?;
        let probe_at = later(now, LOOK_AFTER);
        let mut after = self.clone();
        after.causes.insert(cause.clone(), Obstacle { probe_at, ..known.clone() });
        Some(after)
    }

    /// Returns the obstacles after a try succeeded that began at `begun_at`. None if the try shows
    /// nothing new.
    pub fn passed(&self, cause: &Cause, begun_at: Timestamp) -> Option<Obstacles> {
        self.causes.get(cause).filter(|known| begun_at > known.begun_at)?;
        let mut after = self.clone();
        after.causes.remove(cause);
        Some(after)
    }

    /// Returns the finding of an obstacle that a person should know of now. One that may pass
    /// within minutes is not reported yet.
    pub fn finding(&self, cause: &Cause, now: Timestamp) -> Option<Finding> {
        let obstacle = self.causes.get(cause)?;
        let told_at = match cause {
            Cause::Calls | Cause::From(_) => PROBES_UNSEEN,
            Cause::Key(_) => 1,
            Cause::Pending => PENDING_UNSEEN,
        };
        (obstacle.tries == told_at || obstacle.shown).then(|| {
            let (what, region) = (self.what(cause), &self.queue.region);
            let waits = self.waits(cause, obstacle);
            let text = match obstacle.shown {
                true => format!("{waits}: {}", obstacle.reason.text),
                false => format!("{waits}; one is tried {}: {}", often(cause), obstacle.reason),
            };
            let reason = Reason::new(self.code(), text);
            let artefact = Subject::Other(what);
            Finding { region: region.clone(), artefact, reason, seen_at: now }
        })
    }

    /// Returns the regions from which copies fail for now.
    pub fn failing_sources(&self) -> BTreeSet<Region> {
        let regions = self.causes.keys().filter_map(|cause| match cause {
            Cause::From(region) => Some(region.clone()),
            Cause::Calls | Cause::Key(_) | Cause::Pending => None,
        });
        regions.collect()
    }

    /// Returns what a record waits for whose call could meet these causes; none if nothing holds it
    /// up.
    pub fn wait_of(&self, causes: &[Cause]) -> Option<String> {
        let (cause, obstacle) = self.longest(causes)?;
        Some(format!("{}: {}", self.waits(cause, obstacle), obstacle.reason.text))
    }

    /// Tells whether an obstacle stands in the way of all calls of a queue at home.
    pub fn hold_up_all(&self) -> bool {
        AT_HOME.iter().any(|cause| self.causes.contains_key(cause))
    }

    /// Returns the reason why a record did not get its turn, with the obstacle that held all up:
    /// the oldest, if there are several.
    pub fn with_why(&self, reason: Reason) -> Reason {
        let all = self.causes.iter().filter(|(cause, _)| AT_HOME.contains(cause));
        let oldest = all.min_by_key(|(_, obstacle)| obstacle.since);
        let Some((cause, obstacle)) = oldest else { return reason };
        let waits = self.waits(cause, obstacle);
        Reason::new(reason.code, format!("{}; {waits}: {}", reason.text, obstacle.reason))
    }

    /// Returns what an obstacle holds up, and since when.
    fn waits(&self, cause: &Cause, obstacle: &Obstacle) -> String {
        let since = obstacle.since.strftime("%Y-%m-%d %H:%M");
        format!("{} in {} wait since {since} UTC", self.what(cause), self.queue.region)
    }

    /// Returns the end of the finding of an obstacle.
    pub fn resolved(&self, cause: &Cause, now: Timestamp) -> Resolved {
        let (region, artefact) = (self.queue.region.clone(), Subject::Other(self.what(cause)));
        Resolved { region, artefact, code: self.code(), at: now }
    }

    /// Returns the work that an obstacle holds up.
    fn what(&self, cause: &Cause) -> String {
        match (cause, self.queue.kind) {
            (Cause::Key(key), Kind::Copy) => format!("copies under key {key}"),
            (Cause::Key(key), _) => format!("snapshots under key {key}"),
            (Cause::Pending, _) => "new snapshots".to_string(),
            (Cause::From(region), _) => format!("copies from {region}"),
            // Of an earlier release.
            (Cause::Calls, Kind::Copy) => "all copies".to_string(),
            (Cause::Calls, Kind::Snapshot) => "all snapshots".to_string(),
            (Cause::Calls, Kind::Register) => "all registrations".to_string(),
            (Cause::Calls, Kind::Confirm | Kind::Power) => "all calls".to_string(),
        }
    }

    fn code(&self) -> Code {
        if self.queue.kind == Kind::Copy { Code::CopiesHeldUp } else { Code::CallsHeldUp }
    }
}

const fn often(cause: &Cause) -> &'static str {
    match cause {
        Cause::Calls | Cause::From(_) => "every hour",
        Cause::Key(_) => "after an hour at the earliest, and after three tries every day",
        Cause::Pending => "every minute",
    }
}

/// Returns the wait before the next try. A try that makes nothing is made every hour in the end. A
/// copy under a key leaves an image that failed, and nothing shows if the key can be used again.
fn wait(cause: &Cause, tries: u32) -> SignedDuration {
    match cause {
        Cause::Calls | Cause::From(_) => backoff(tries),
        Cause::Key(_) if tries <= PROBES_HOURLY => PROBE_EVERY,
        Cause::Key(_) => A_DAY,
        Cause::Pending => BACKOFF,
    }
}
