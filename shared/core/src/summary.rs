//! The latest state of each machine: what `status` shows, and what a stop is held against.
//!
//! Written together with the points, so that one read tells what a machine's points would tell one
//! by one. A summary is an excerpt: nothing that could not be read from the points stands in it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{AmiId, InstanceId, PolicyName, Region};
use crate::machine::Grade;
use crate::point::{Place, Point, is_false, is_zero};
use crate::policy::Artefact;
use crate::reason::{Code, Reason};
use crate::slot::{Occasion, PointId};
use crate::status::Status;

/// A machine, and how it stands under each policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineSummary {
    pub instance: InstanceId,
    pub home: Region,
    pub name: Option<String>,
    pub latest: BTreeMap<PolicyName, Latest>,
    pub stops: BTreeMap<PolicyName, Stop>,
    pub good: BTreeMap<PolicyName, Good>,
}

/// News for the summary of a machine, under one policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    pub instance: InstanceId,
    pub home: Region,
    /// New name of the machine; none leaves the name as it is.
    pub name: Option<String>,
    pub policy: PolicyName,
    /// Entries, each by itself: one that is older than what is there is left out, the others are
    /// told.
    pub news: Vec<News>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The point that was asked for last.
    Latest(Latest),
    /// The stop that was last asked a point for. Kept by itself, or else a scheduled point would
    /// make the sweep forget it and ask again.
    Stop(Stop),
    /// The newest point that one could recover from.
    Good(Good),
    /// The newest point that one could recover from, in place of one that is lost; none if there is
    /// no other.
    Instead { of: PointId, good: Option<Box<Good>> },
    /// The point that was asked for last, in place of one of which the ledger has no record; none
    /// if there is no other.
    LatestInstead { of: PointId, latest: Option<Box<Latest>> },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latest {
    pub point: PointId,
    pub requested_at: Timestamp,
    pub status: Status,
    /// Made anew from tags and facts, and confirmed by nobody.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unverified: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The number of failed tries of its step, or of the replica that the reason names.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failures: u32,
    /// The time of the next try, if a try failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
    /// The places, its home among them, whose image is gone or of no use, and that have no other
    /// yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<Region>,
    /// Codes of its findings; the particulars stand in the point.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Code>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    /// Launch time of the run that the stop ended.
    pub launched: Timestamp,
    pub point: PointId,
}

impl Stop {
    /// The stop that asked for a point; none if something else did.
    pub fn of(point: &Point) -> Option<Stop> {
        match point.slot.occasion {
            Occasion::Stopped { launched } => Some(Stop { launched, point: point.id.clone() }),
            Occasion::Scheduled(_) | Occasion::OnDemand { .. } => None,
        }
    }
}

impl MachineSummary {
    /// The summary of a machine of which nothing is told yet.
    pub fn untold(instance: InstanceId, home: Region) -> MachineSummary {
        let (latest, stops, good) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        MachineSummary { instance, home, name: None, latest, stops, good }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Good {
    pub point: PointId,
    pub taken_at: Timestamp,
    pub grade: Grade,
    /// The image; none of a point that is snapshots and nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<AmiId>,
    /// The regions, other than its home, in which it is available.
    pub replicas: Vec<Region>,
    /// Number of replicas that the point is to have.
    pub replicas_wanted: u32,
    /// True if the image at home is gone or of no use, and replicas are all that is left.
    #[serde(default, skip_serializing_if = "is_false")]
    pub home_lost: bool,
    /// The places, its home among them, whose image is gone or of no use, and that have no other
    /// yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<Region>,
    /// The regions whose replica is withdrawn: it was not wanted any more, or called off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withdrawn: Vec<Region>,
    /// Made anew from tags and facts, and confirmed by nobody.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unverified: bool,
}

impl Summary {
    /// Starts a summary for the machine and the policy of a point, with no news yet.
    pub fn of(point: &Point) -> Summary {
        let name = point.machine.as_ref().and_then(|machine| machine.instance.name());
        Summary {
            instance: point.instance().clone(),
            home: point.home.clone(),
            name: name.map(str::to_string),
            policy: point.slot.policy.clone(),
            news: Vec::new(),
        }
    }

    #[must_use]
    pub fn telling(mut self, news: News) -> Summary {
        self.news.push(news);
        self
    }
}

impl News {
    /// Time of this entry: an older entry never overwrites a newer one.
    pub fn at(&self) -> Timestamp {
        match self {
            News::Latest(latest) => latest.requested_at,
            News::Stop(stop) => stop.launched,
            News::Good(good) => good.taken_at,
            // It takes the place of one entry, whatever its time.
            News::Instead { good, .. } => {
                good.as_ref().map_or(Timestamp::MIN, |good| good.taken_at)
            }
            News::LatestInstead { latest, .. } => {
                latest.as_ref().map_or(Timestamp::MIN, |latest| latest.requested_at)
            }
        }
    }

    /// Name under which it is kept.
    pub const fn name(&self) -> &'static str {
        match self {
            News::Latest(_) | News::LatestInstead { .. } => "latest",
            News::Stop(_) => "stop",
            News::Good(_) | News::Instead { .. } => "good",
        }
    }
}

impl Latest {
    /// Takes the state of a point.
    pub fn of(point: &Point) -> Latest {
        let failures = if point.reason.is_some() { point.step.failures } else { 0 };
        let is_waited_for = point.reason.as_ref().is_some_and(Reason::is_waited_for);
        let is_left_alone = is_waited_for || point.status == Status::Withdrawn;
        Latest {
            point: point.id.clone(),
            requested_at: point.requested_at,
            status: point.status,
            unverified: point.unverified,
            reason: point.reason.clone(),
            failures,
            // One that is withdrawn is due when its window closes, and is not tried then.
            next_at: point.step.due_at.filter(|_| failures > 0 && !is_left_alone),
            lost: lost(point),
            findings: point.findings.iter().map(|finding| finding.code).collect(),
        }
    }
}

impl Good {
    /// Returns the newest of these points that one could recover from.
    pub fn newest<'a>(points: impl IntoIterator<Item = &'a Point>) -> Option<Good> {
        points.into_iter().filter_map(Good::of).max_by_key(|good| good.taken_at)
    }

    /// A point as one to recover from; none if it has no image and is to have one, or if it is not
    /// known of when its disks are and how consistent they were.
    pub fn of(point: &Point) -> Option<Good> {
        let of_place = |wanted: Place| -> Vec<Region> {
            let places = point.replicas.iter().filter(|(_, place)| **place == wanted);
            places.map(|(region, _)| region.clone()).collect()
        };
        let is_home = point.home_place.is_available();
        let is_whole = match point.plan.kind {
            Artefact::Image => {
                let is_elsewhere = point.replicas.values().any(Place::is_available);
                point.image.is_some() && is_home || is_elsewhere
            }
            Artefact::Snapshots => point.status == Status::Protected,
        };
        if !is_whole {
            return None;
        }
        let withdrawn = of_place(Place::Withdrawn);
        let wanted = point.plan.replicate.len().saturating_sub(withdrawn.len());
        Some(Good {
            point: point.id.clone(),
            taken_at: point.taken_at?,
            grade: point.grade?,
            image: point.image.clone().filter(|_| is_home),
            home_lost: !is_home,
            replicas: of_place(Place::Available),
            replicas_wanted: u32::try_from(wanted).unwrap_or(u32::MAX),
            lost: lost(point),
            withdrawn,
            unverified: point.unverified,
        })
    }
}

/// Lists the places of a point whose artefact is gone or of no use, its home first.
fn lost(point: &Point) -> Vec<Region> {
    let places = [(&point.home, &point.home_place)].into_iter().chain(&point.replicas);
    let lost = places.filter(|(_, place)| matches!(place, Place::Lost | Place::Unusable));
    lost.map(|(region, _)| region.clone()).collect()
}
