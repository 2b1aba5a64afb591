//! What the records of the ledger tell of each other: the summaries, and the records that they
//! name. What becomes of a record that is missing, or was put back, is decided in
//! [`super::gaps_filled`].
//!
//! The summaries are held against the index of places, and name what is under way. What they name
//! and the index does not have is read by its key.
//!
//! An audit that finds nothing amiss reads the summaries, and the points that are not protected
//! yet; of these a part, if there are many ([`GAPS_READ_MAX`]).

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::coverage::Fleet;
use super::held::{Held, in_turn};
use super::work_requested::images::History;
use crate::ids::{InstanceId, PolicyName, Region, ResourceId};
use crate::limits::{GAPS_READ_MAX, LOOK_EVERY, RENAMED_MAX};
use crate::point::{Place, Point, Replica};
use crate::slot::PointId;
use crate::status::{Phase, Status};
use crate::summary::{Good, Latest, MachineSummary, Summary};

/// Records that summaries name, and what else is known of their machines.
#[derive(Clone, Debug, Default)]
pub struct Gaps {
    /// The points that summaries name, as far as they were read and are there.
    pub points: BTreeMap<PointId, Point>,
    /// The replicas of the points that were read, as far as they are there.
    pub replicas: BTreeMap<(PointId, Region), Replica>,
    /// The summaries that name a point that is not there, or of which a record is not there.
    pub suspects: Vec<MachineSummary>,
    /// All points of the machines of these summaries, and of the machines without a summary.
    pub histories: BTreeMap<InstanceId, History>,
    /// The machines that have places, and no summary.
    pub untold: BTreeSet<InstanceId>,
    /// The points of which the index has replicas, and that are not there.
    pub orphans: BTreeSet<PointId>,
    /// The summaries of the machines that have another name by now.
    pub renamed: Vec<Summary>,
    /// The points, and the replicas with their regions, of which there is a record that cannot be
    /// read: nothing is missing.
    pub unreadable: BTreeSet<(PointId, Option<Region>)>,
}

/// Lists the regions in which the summaries have something.
pub fn regions(fleet: &[MachineSummary]) -> BTreeSet<Region> {
    let good = fleet.iter().flat_map(|machine| machine.good.values());
    let replicas = good.flat_map(|good| &good.replicas);
    fleet.iter().map(|machine| &machine.home).chain(replicas).cloned().collect()
}

/// Lists the points to read: those that a summary calls good in other places than the index does,
/// those of which the index has replicas and nothing else, and those that are not protected yet. If
/// there are many of the latter two, they take turns.
pub fn to_read(
    fleet: &[MachineSummary],
    held: &BTreeMap<Region, Vec<Held>>,
    now: Timestamp,
) -> BTreeSet<PointId> {
    let usable: BTreeSet<(&PointId, &Region)> =
        usable(held).map(|held| (&held.point, &held.region)).collect();
    let mut named = BTreeSet::new();
    let mut unsettled = BTreeSet::new();
    for machine in fleet {
        for good in machine.good.values() {
            let is_told = |region: &Region| match *region == machine.home {
                true => !good.home_lost,
                false => good.replicas.contains(region),
            };
            let is_as_told = |region| usable.contains(&(&good.point, region)) == is_told(region);
            if !held.keys().all(is_as_told) || is_another_image(machine, good, held) {
                named.insert(good.point.clone());
            }
        }
        let latest = machine.latest.values().filter(|latest| is_unsettled(latest, now));
        unsettled.extend(latest.map(|latest| latest.point.clone()));
    }
    let away: Vec<PointId> = away(held).into_iter().cloned().collect();
    named.extend(in_turn(&away, GAPS_READ_MAX, now).iter().cloned());
    let unsettled: Vec<PointId> = unsettled.into_iter().collect();
    named.extend(in_turn(&unsettled, GAPS_READ_MAX, now).iter().cloned());
    named
}

/// The points of which the index has replicas and no image at home.
fn away(held: &BTreeMap<Region, Vec<Held>>) -> BTreeSet<&PointId> {
    let all = || held.values().flatten();
    let at_home: BTreeSet<&PointId> =
        all().filter(|held| !held.is_replica).map(|held| &held.point).collect();
    let replicas = all().filter(|held| held.is_replica).map(|held| &held.point);
    replicas.filter(|point| !at_home.contains(point)).collect()
}

/// Returns the points of which the index has replicas, and that were asked for and are not there.
pub fn orphans(
    asked: &BTreeSet<PointId>,
    points: &BTreeMap<PointId, Point>,
    held: &BTreeMap<Region, Vec<Held>>,
) -> BTreeSet<PointId> {
    let away = away(held).into_iter();
    away.filter(|id| asked.contains(id) && !points.contains_key(id)).cloned().collect()
}

/// Tells whether the index has another image at home than the summary.
fn is_another_image(
    machine: &MachineSummary,
    good: &Good,
    held: &BTreeMap<Region, Vec<Held>>,
) -> bool {
    let Some(image) = &good.image else { return false };
    let at_home = held.get(&machine.home).into_iter().flatten();
    let of_point = at_home.filter(|held| held.point == good.point && !held.is_replica);
    let mut of_point = of_point.peekable();
    let image = ResourceId::from(image.clone());
    of_point.peek().is_some() && !of_point.any(|held| held.artefacts.contains(&image))
}

/// The places that the index calls good and usable.
fn usable(held: &BTreeMap<Region, Vec<Held>>) -> impl Iterator<Item = &Held> {
    held.values().flatten().filter(|held| !held.is_unusable)
}

/// Tells whether work at a point goes on, and did an hour ago.
fn is_unsettled(latest: &Latest, now: Timestamp) -> bool {
    let is_over = latest.status == Status::Protected || latest.status.phase() == Phase::Ended;
    !is_over && now.duration_since(latest.requested_at) >= LOOK_EVERY
}

/// Lists the replicas to read: those of the points that are there, and those that a point that is
/// not there may have.
pub fn replicas_to_read(
    asked: &BTreeSet<PointId>,
    points: &BTreeMap<PointId, Point>,
    held: &BTreeMap<Region, Vec<Held>>,
) -> Vec<(PointId, Region)> {
    let mut all = Vec::new();
    for id in asked {
        let regions: BTreeSet<&Region> = match points.get(id) {
            // A point that was not imaged yet has no places, and may have replicas all the same.
            Some(point) => {
                let wanted = point.plan.replicate.iter().map(|place| &place.region);
                point.replicas.keys().chain(wanted).chain([&point.home]).collect()
            }
            None => held.keys().collect(),
        };
        all.extend(regions.into_iter().map(|region| (id.clone(), region.clone())));
    }
    all
}

/// Returns the machines that have places, and no summary. If there are many, some are left for the
/// next audit.
pub fn untold(
    fleet: &[MachineSummary],
    held: &BTreeMap<Region, Vec<Held>>,
) -> BTreeSet<InstanceId> {
    let told: BTreeSet<&InstanceId> = fleet.iter().map(|machine| &machine.instance).collect();
    let have = held.values().flatten().map(|held| held.point.instance());
    let untold: BTreeSet<&InstanceId> = have.filter(|it| !told.contains(it)).collect();
    untold.into_iter().take(GAPS_READ_MAX).cloned().collect()
}

/// Returns the machines of which the index has a good place of a point that is later than the one
/// that the summary calls good.
fn outdated<'a>(
    fleet: &'a [MachineSummary],
    held: &BTreeMap<Region, Vec<Held>>,
) -> BTreeSet<&'a InstanceId> {
    let fleet: BTreeMap<&InstanceId, &MachineSummary> =
        fleet.iter().map(|machine| (&machine.instance, machine)).collect();
    let is_later = |machine: &MachineSummary, point: &PointId| {
        let good = machine.good.iter().find(|(policy, _)| policy.as_str() == point.policy());
        good.is_none_or(|(_, good)| point.is_later_than(&good.point))
    };
    let outdated = usable(held).filter_map(|held| {
        let machine = fleet.get(held.point.instance())?;
        is_later(machine, &held.point).then_some(&machine.instance)
    });
    outdated.collect()
}

/// Tells whether a summary calls good what its point does not have, or not there.
pub(super) fn is_untrue(told: &Good, point: &Point) -> bool {
    Good::of(point).is_none_or(|good| {
        let places = |good: &Good| (good.image.clone(), good.home_lost, good.replicas.clone());
        places(&good) != places(told)
    })
}

/// Returns the news of the machines that are shown with another name than their summary has.
pub fn renamed(fleet: &[MachineSummary], shown: &Fleet) -> Vec<Summary> {
    let machines = shown.values().flat_map(|machines| &machines.0);
    let names: BTreeMap<&InstanceId, &str> =
        machines.filter_map(|machine| Some((&machine.id, machine.name()?))).collect();
    let news = fleet.iter().filter_map(|machine| {
        let name = names.get(&machine.instance).copied()?;
        let (policy, _) = named(machine).next()?;
        (machine.name.as_deref() != Some(name)).then(|| Summary {
            instance: machine.instance.clone(),
            home: machine.home.clone(),
            name: Some(name.to_string()),
            policy: policy.clone(),
            news: Vec::new(),
        })
    });
    news.take(RENAMED_MAX).collect()
}

/// Returns the summaries that name something of which a record is not there, that say of a point
/// what its record does not, or that name an older point than they should; and those of points that
/// say of a replica what its record does not. If there are many, they take turns: all points of
/// each machine are read.
pub fn suspects(
    fleet: Vec<MachineSummary>,
    asked: &BTreeSet<PointId>,
    (gaps, held): (&Gaps, &BTreeMap<Region, Vec<Held>>),
    now: Timestamp,
) -> Vec<MachineSummary> {
    let outdated = outdated(&fleet, held);
    let outdated: BTreeSet<InstanceId> = outdated.into_iter().cloned().collect();
    let is_gone = |id: &PointId| {
        let is_there = |region: &Region| gaps.replicas.contains_key(&(id.clone(), region.clone()));
        let is_incomplete = |point| !lacks(point, is_there).is_empty();
        asked.contains(id) && gaps.points.get(id).is_none_or(is_incomplete)
    };
    let read = |id: &PointId| gaps.points.get(id).filter(|_| asked.contains(id));
    let is_untrue = |good: &Good| read(&good.point).is_some_and(|point| is_untrue(good, point));
    let is_behind =
        |latest: &Latest| read(&latest.point).is_some_and(|point| is_behind(latest, point));
    let is_at_odds = |id: &PointId| {
        let replicas = |region: &Region| gaps.replicas.get(&(id.clone(), region.clone()));
        read(id).is_some_and(|point| !at_odds(point, replicas).is_empty())
    };
    let is_suspect = |machine: &MachineSummary| {
        named(machine).any(|(_, id)| is_gone(id) || is_at_odds(id))
            || machine.good.values().any(is_untrue)
            || machine.latest.values().any(is_behind)
            || outdated.contains(&machine.instance)
    };
    let suspects: Vec<MachineSummary> = fleet.into_iter().filter(is_suspect).collect();
    in_turn(&suspects, GAPS_READ_MAX, now).to_vec()
}

impl Gaps {
    /// Lists the points and replicas that are missing, as far as is known.
    pub fn missing(&self) -> Vec<(PointId, Option<Region>)> {
        let orphans = self.orphans.iter().map(|id| (id.clone(), None));
        let mut missing: Vec<(PointId, Option<Region>)> = orphans.collect();
        for machine in &self.suspects {
            let history = self.histories.get(&machine.instance).map_or(&[][..], Vec::as_slice);
            for (_, id) in named(machine) {
                let Some((point, replicas)) = history.iter().find(|(point, _)| point.id == *id)
                else {
                    missing.push((id.clone(), None));
                    continue;
                };
                let lacking = lacks(point, |region| has(replicas, region)).into_iter();
                missing.extend(lacking.map(|region| (id.clone(), Some(region))));
            }
        }
        missing
    }
}

/// Returns the points that a summary names, with their policies.
pub(super) fn named(machine: &MachineSummary) -> impl Iterator<Item = (&PolicyName, &PointId)> {
    let good = machine.good.iter().map(|(policy, good)| (policy, &good.point));
    let latest = machine.latest.iter().map(|(policy, latest)| (policy, &latest.point));
    good.chain(latest)
}

/// Lists the regions in which a point has a place, and the place no record. At home that is a copy
/// that is to come back.
pub(super) fn lacks(point: &Point, is_there: impl Fn(&Region) -> bool) -> Vec<Region> {
    if point.status.phase() != Phase::Good {
        return Vec::new();
    }
    let is_copied_back = point.status == Status::Imaged && point.home_place == Place::Underway;
    let home = Some(&point.home).filter(|_| is_copied_back);
    let wanted = point.replicas.iter().filter(|(region, place)| {
        **region != point.home && !matches!(place, Place::Withdrawn | Place::Failed)
    });
    let places = wanted.map(|(region, _)| region).chain(home);
    places.filter(|region| !is_there(region)).cloned().collect()
}

/// Tells whether a summary says that work at a point goes on, while the point is good or has ended.
pub(super) fn is_behind(latest: &Latest, point: &Point) -> bool {
    let is_over = matches!(point.status.phase(), Phase::Good | Phase::Ended);
    is_over && latest.point == point.id && latest.status != point.status
}

/// Lists the places, other than its home, of which a point says that the image is there and the
/// record of the replica that it is not, or the other way round: with what the record says. Both
/// are written together, so that one of them was put back to an earlier state.
pub(super) fn at_odds<'a>(
    point: &'a Point,
    replica: impl Fn(&Region) -> Option<&'a Replica>,
) -> Vec<(&'a Region, Place)> {
    if point.status.phase() != Phase::Good {
        return Vec::new();
    }
    let is_there = |place: Place| matches!(place, Place::Available | Place::Unusable);
    let away = point.replicas.iter().filter(|(region, _)| **region != point.home);
    let told = away.filter_map(|(region, told)| Some((region, *told, replica(region)?.status)));
    let told = told.map(|(region, told, status)| (region, told, Place::from(status)));
    let at_odds = told.filter(|(_, told, is)| told != is && (is_there(*told) || is_there(*is)));
    at_odds.map(|(region, _, is)| (region, is)).collect()
}

pub(super) fn has(replicas: &[Replica], region: &Region) -> bool {
    replicas.iter().any(|replica| replica.region == *region)
}
